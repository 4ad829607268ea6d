"""The way back from a half done step: a plan of its own that puts things as they were before it."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from django.db.models import Q

from membership.errors import Reason
from membership.models import Change, Operation, Participant, Reading
from membership.plans.wishes import Remove, Update, Wish
from membership.services import drafts
from membership.services.inverse import fields_in, joins_again, rights_in
from membership.services.shell import audited, need_right, need_visible, refuse
from membership.vocab import (
    ChangeKind,
    ChangeState,
    ConnectionState,
    OperationState,
    ReadingKind,
    ReadingState,
    Right,
    Verb,
)

if TYPE_CHECKING:
    from django.contrib.auth.models import User


@audited
def draft_way_back(operation: Operation, *, actor: "User") -> Change:
    """Store the plan that undoes the half of `operation` that was done, by what the mirror knows of it now.

    Raises `ChangeRefused` when the step is not half done, when its system is retired, when its group is still being
    read again, or when whose place it was is not known.
    """
    need_right(actor, Right.ACT)
    need_visible(operation, actor)
    step = Operation.objects.select_related("group", "connection", "participant", "account").get(pk=operation.pk)
    if not is_half_done(step):
        refuse(Reason.NOT_HALF_DONE)
    if not may_be_put_back(step):
        refuse(Reason.SYSTEM_RETIRED, system=step.connection.name)
    if _is_being_read(step):
        refuse(Reason.BEING_READ)
    selection = {"kind": "way_back", "of": step.pk, "label": step.subject_label}
    return drafts.draft(ChangeKind.WAY_BACK, _wishes(step), selection, actor=actor)


def is_half_done(operation: Operation) -> bool:
    """Whether a part of the step was done before the rest was refused: what stands on top of the dashboard."""
    about_people = operation.verb in (Verb.ADD, Verb.UPDATE, Verb.REMOVE)
    half_done = operation.state == OperationState.REFUSED and bool(operation.outcome_params.get("half_done"))
    return about_people and half_done


def may_be_put_back(operation: Operation) -> bool:
    """Whether a half done step has a way back: to a retired system nothing is sent. Its connection should be loaded."""
    return is_half_done(operation) and operation.connection.state != ConnectionState.RETIRED


def ways_back(step_ids: Iterable[int]) -> dict[int, Change]:
    """`{step: the newest change, asked for or a preview, that puts it back}`. One query."""
    asked = Change.objects.filter(kind=ChangeKind.WAY_BACK, selection__of__in=list(step_ids))
    live = asked.exclude(state__in=ChangeState.dropped()).order_by("pk")
    return {change.selection["of"]: change for change in live}


def again(selection: Mapping[str, Any], *, actor: "User") -> Change:
    """The same once more, as things are now."""
    return draft_way_back(Operation.objects.get(pk=selection["of"]), actor=actor)


def _is_being_read(step: Operation) -> bool:
    """Until the reading that follows a half step has ended, the mirror does not know what is left of it."""
    if step.connection.state != ConnectionState.ACTIVE:
        return False
    concerned = Q(group_id=step.group_id) | Q(kind=ReadingKind.SYSTEM)
    readings = Reading.objects.filter(concerned, connection_id=step.connection_id, state__in=ReadingState.open())
    return readings.filter(asked_at__gte=step.settled_at).exists() if step.settled_at else readings.exists()


def _wishes(step: Operation) -> list[Wish]:
    if step.verb == Verb.ADD and step.group and step.account:
        there = Participant.objects.filter(group=step.group, account=step.account, is_present=True)
        return [Remove(pk) for pk in there.values_list("pk", flat=True)]
    before = step.before
    if step.participant and step.participant.is_present:
        return [Update(step.participant.pk, {**rights_in(before), **fields_in(before)})]
    if step.account_id is None:
        refuse(Reason.ACCOUNT_NOT_KNOWN)
    return [joins_again(step.account_id, step.group_id or 0, step.subject_label, before)]
