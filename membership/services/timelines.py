"""What happened to a person, a group, a system or in a change, as sentences: one a step, told by the log alone.

A step's entries (intended, confirmed, read back, …) and the request of its change become one sentence. The rest of the
entries stand with their own.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Max, Model, QuerySet
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from membership.models import AuditEntry
from membership.models.visibility import Viewer
from membership.services import audit_damage, audit_log
from membership.services.audit_phrases import because, decided
from membership.services.audit_wishes import fields_wanted, renamed
from membership.vocab import ERASED, AuditAction, OperationState, Verb

EVENTS = 50
_AT_ONCE = 200
_LEFT_OUT = frozenset({AuditAction.READING_REQUESTED.value, AuditAction.READING_FINISHED.value})
"""Readings that somebody asked for, or that the worker made, say nothing about who was where."""


@dataclass(frozen=True, slots=True)
class Event:
    """One sentence. `at` is when it ended, or is known to have come so far; `entries` lead to all of its entries."""

    at: dt.datetime
    text: str
    entry_id: int
    operation_id: int | None
    change_id: int | None
    tone: str
    """good, bad, warning, info, plain: of `word`."""
    word: str
    erased: bool


@dataclass(frozen=True, slots=True)
class Timeline:
    """Newest first. `older`: where the next page begins; None: this was the end."""

    events: list[Event]
    older: int | None


def timeline(row: Model, user: Viewer, *, before: int | None = None) -> Timeline:
    """One page of what the log tells about `row`, as far as the user may read it: a bounded number of queries."""
    entries = audit_log.history(row, user).exclude(action__in=_LEFT_OUT)
    if before is not None:
        entries = entries.filter(pk__lt=before)
    told: list[AuditEntry] = []
    last = before
    while len(told) <= EVENTS:
        rest = entries.filter(pk__lt=last) if last is not None else entries
        page = audit_damage.entries(rest[:_AT_ONCE])
        told += _heads(page)
        if len(page) < _AT_ONCE:
            break
        last = page[-1].pk
    shown = told[:EVENTS]
    return Timeline(_events(shown, user), shown[-1].pk if len(told) > EVENTS else None)


def _heads(page: Sequence[AuditEntry]) -> list[AuditEntry]:
    """Of a step the newest entry alone."""
    ids = {row.operation_id for row in page if row.operation_id is not None}
    steps = AuditEntry.objects.filter(operation_id__in=ids).order_by()
    newest = dict(steps.values_list("operation_id").annotate(newest=Max("pk"))) if ids else {}
    return [row for row in page if row.operation_id is None or newest[row.operation_id] == row.pk]


@dataclass(slots=True)
class _Story:
    """What the log holds about one step."""

    facts: dict[str, Any] = field(default_factory=dict)
    last: dict[str, Any] = field(default_factory=dict)
    """What its newest entry alone says."""
    erased: bool = False


def _events(heads: Sequence[AuditEntry], user: Viewer) -> list[Event]:
    steps = {row.operation_id for row in heads if row.operation_id is not None}
    stories = _stories(steps)
    changes = {row.change_id for row in heads if row.operation_id is not None and row.change_id is not None}
    asked = _asked(changes, user)
    lines = {line.id: line for line in audit_log.lines(row for row in heads if row.operation_id is None)}
    return [
        _own(row, lines[row.pk])
        if row.operation_id is None
        else _of_step(row, stories[row.operation_id], asked.get(row.change_id or 0, {}))
        for row in heads
    ]


def _stories(steps: Iterable[int]) -> Mapping[int, _Story]:
    ids = list(steps)
    stories: dict[int, _Story] = defaultdict(_Story)
    if not ids:
        return stories
    rows: QuerySet[AuditEntry] = AuditEntry.objects.filter(operation_id__in=ids).order_by("pk")
    for row, facts in audit_log.with_facts(audit_damage.entries(rows)):
        story = stories[row.operation_id or 0]
        story.erased |= facts["erased"]
        story.last = facts
        # What a later entry does not tell, an earlier one does.
        story.facts |= {key: value for key, value in facts.items() if value not in (None, "", {}, [])}
    return stories


def _asked(changes: Iterable[int], user: Viewer) -> dict[int, dict[str, Any]]:
    """`{change: who asked for it, and why}`, of those that the user may see: one may touch other systems, too."""
    asked = audit_log.entries(user).filter(change_id__in=list(changes), action=AuditAction.CHANGE_REQUESTED)
    rows = asked.order_by("pk")
    return {row.change_id or 0: facts for row, facts in audit_log.with_facts(audit_damage.entries(rows))}


def _own(row: AuditEntry, line: audit_log.Line) -> Event:
    return Event(row.at, line.sentence, row.pk, None, row.change_id, "plain", line.label, line.erased)


# one sentence a step

_DID: Mapping[str, Any] = {
    Verb.REMOVE: gettext_lazy("%(actor)s removed %(person)s from %(group)s (%(system)s)%(why)s"),
    Verb.ADD: gettext_lazy("%(actor)s added %(person)s to %(group)s (%(system)s)%(why)s"),
    Verb.UPDATE: gettext_lazy("%(actor)s altered %(person)s in %(group)s (%(system)s)%(what)s%(why)s"),
    Verb.CREATE_GROUP: gettext_lazy("%(actor)s created the group %(group)s (%(system)s)%(why)s"),
    Verb.RENAME_GROUP: gettext_lazy("%(actor)s renamed the group %(group)s%(what)s (%(system)s)%(why)s"),
    Verb.DELETE_GROUP: gettext_lazy("%(actor)s deleted the group %(group)s (%(system)s)%(why)s"),
}
_WANTED: Mapping[str, Any] = {
    Verb.REMOVE: gettext_lazy("%(actor)s wanted to remove %(person)s from %(group)s (%(system)s)%(why)s"),
    Verb.ADD: gettext_lazy("%(actor)s wanted to add %(person)s to %(group)s (%(system)s)%(why)s"),
    Verb.UPDATE: gettext_lazy("%(actor)s wanted to alter %(person)s in %(group)s (%(system)s)%(what)s%(why)s"),
    Verb.CREATE_GROUP: gettext_lazy("%(actor)s wanted to create the group %(group)s (%(system)s)%(why)s"),
    Verb.RENAME_GROUP: gettext_lazy("%(actor)s wanted to rename the group %(group)s%(what)s (%(system)s)%(why)s"),
    Verb.DELETE_GROUP: gettext_lazy("%(actor)s wanted to delete the group %(group)s (%(system)s)%(why)s"),
}
_ENDS: Mapping[str, tuple[Any, str]] = {
    AuditAction.OPERATION_CONFIRMED: (OperationState.CONFIRMED.label, "good"),
    AuditAction.OPERATION_REFUSED: (OperationState.REFUSED.label, "bad"),
    AuditAction.OPERATION_IN_DOUBT: (OperationState.IN_DOUBT.label, "warning"),
    AuditAction.OPERATION_RESOLVED: (OperationState.IN_DOUBT.label, "warning"),
    AuditAction.OPERATION_OVERTAKEN: (OperationState.OVERTAKEN.label, "warning"),
    AuditAction.OPERATION_NOT_NEEDED: (OperationState.NOT_NEEDED.label, "plain"),
    AuditAction.OPERATION_SUPERSEDED: (OperationState.CANCELLED.label, "plain"),
    AuditAction.OPERATION_ALTERED: (AuditAction.OPERATION_ALTERED.label, "bad"),
    AuditAction.OPERATION_FOREIGN: (OperationState.FOREIGN.label, "warning"),
    AuditAction.OPERATION_INTENDED: (OperationState.RUNNING.label, "info"),
    AuditAction.OPERATION_RETURNED: (OperationState.QUEUED.label, "info"),
    AuditAction.OPERATION_DECIDED: (gettext_lazy("decided"), "plain"),
}


def _of_step(head: AuditEntry, story: _Story, asked: Mapping[str, Any]) -> Event:
    facts = story.facts
    verb = str(facts.get("verb") or Verb.REMOVE)
    is_done = head.action == AuditAction.OPERATION_CONFIRMED
    template = (_DID if is_done else _WANTED).get(verb) or _("%(actor)s asked for a step (%(system)s)%(why)s")
    about_group = verb in (Verb.CREATE_GROUP, Verb.RENAME_GROUP, Verb.DELETE_GROUP)
    said = str(template) % {
        "actor": asked.get("actor") or _("somebody"),
        "person": facts.get("person") or (ERASED if story.erased else _("somebody")),
        "group": (about_group and facts.get("person")) or facts.get("group_name") or _("a group"),
        "system": facts.get("system") or _("the system"),
        "what": renamed(facts) if verb == Verb.RENAME_GROUP else fields_wanted(facts),
        "why": _why(asked),
    }
    word, tone = _ENDS.get(head.action, (head.action, "plain"))
    if is_done:
        said += _("; confirmed %(at)s") % {"at": date_format(timezone.localtime(head.at), "j M Y H:i")}
    else:
        # Reasons of an attempt before are none of this one.
        why = decided(story.last) if head.action == AuditAction.OPERATION_DECIDED else because(story.last)
        said += _("; %(state)s%(because)s") % {"state": word, "because": why}
    said = said[:1].upper() + said[1:]
    return Event(head.at, said, head.pk, head.operation_id, head.change_id, tone, str(word), story.erased)


def _why(asked: Mapping[str, Any]) -> str:
    """Such as ": left the club, ticket 12"."""
    reason, ticket = asked.get("reason"), asked.get("ticket")
    said = f": {reason}" if reason else ""
    return said + (_(", ticket %(ticket)s") % {"ticket": ticket} if ticket else "")
