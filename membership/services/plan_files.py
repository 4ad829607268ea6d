"""A plan as a file: every step with its calls, as they stand in the plan."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from membership.models import Change, Operation
from membership.services import exports
from membership.services.change_pages import steps
from membership.services.shell import audited, need_visible
from membership.services.step_sentences import step_text
from membership.services.step_words import call_lines, outcome

if TYPE_CHECKING:
    from django.contrib.auth.models import User


def _calls(row: Operation) -> str:
    """One call a line; credentials and secret values are no part of a plan."""
    return "\n".join(call_lines(row))


def _outcome(row: Operation) -> str:
    said = outcome(row, timezone.now())
    return f"{said.word}: {said.text}" if said.text else said.word


def _part(name: str) -> Callable[[Operation], Any]:
    return lambda row: getattr(row, name)


COLUMNS: tuple[exports.Column, ...] = (
    (_("position"), "position"),
    (_("step"), step_text),
    (_("system"), "connection__name"),
    (_("group"), "group__name"),
    (_("id of the group there"), "group__remote_id"),
    (_("what"), "verb"),
    (_("person"), "subject_label"),
    (_("e-mail"), "account__email"),
    (_("whom it is about there"), "subject"),
    (_("before"), _part("before")),
    (_("wanted"), _part("wanted")),
    (_("calls"), _calls),
    (_("calls done"), "calls_done"),
    (_("outcome"), _outcome),
    (_("ended"), "settled_at"),
    (_("digest"), "digest"),
)


@audited
def plan_file(change: Change, *, actor: "User", format: str) -> exports.File:
    """All steps of a change, in order, as a file for a streaming response. It is in the log before this returns.

    Raises `NotAllowed` when the actor may not see all of the change, `BadValue` for an unknown `format`.
    """
    need_visible(change, actor)
    name = f"plan {change.pk}"
    query = f"plan_hash={change.plan_hash}"
    rows = steps(change)
    return exports.export(rows, COLUMNS, actor=actor, list_name=name, query=query, format=format, change_id=change.pk)
