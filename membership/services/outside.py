"""Changed outside: what is to be done about differences that no change of ours explains."""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from membership.audit import record
from membership.conf import ACT_ON_STEPS_PER_TRANSACTION as CHUNK
from membership.errors import BadValue, NotAllowed, Reason
from membership.models import Change, Drift, Operation, visible_to
from membership.plans import compile as plan_compiler
from membership.plans.compile import Plan
from membership.plans.wishes import Barred, Refusal, Remove, Update, Wish
from membership.services import drafts
from membership.services.decisions import Decided
from membership.services.inverse import joins_again, rights_in
from membership.services.shell import audited, need_right, refuse
from membership.vocab import AuditAction, Chain, ChangeKind, ChangeState, DriftKind, DriftState, OperationState, Right

if TYPE_CHECKING:
    from django.contrib.auth.models import User

LONGEST = dt.timedelta(days=366)
"""Nothing is ignored for longer: what nobody wants to see again is adopted."""
ABOUT_PEOPLE = (DriftKind.JOINED, DriftKind.LEFT, DriftKind.ALTERED)
"""Kinds that a change can undo."""


def to_look_at() -> Q:
    """What waits for a decision: also what was ignored until a day that has come, and what was to be reverted by a
    preview that nobody confirmed, or by a step that did not go well."""
    dropped = Change.objects.filter(kind=ChangeKind.REVERT, state__in=ChangeState.dropped(), confirmed_at=None)
    return (
        Q(state=DriftState.OPEN)
        | Q(state=DriftState.IGNORED, ignored_until__lte=timezone.localdate())
        | Q(state=DriftState.REVERTED, change_id__in=dropped.values("pk"))
        | Q(Exists(_failed_steps()), state=DriftState.REVERTED)
    )


def _failed_steps() -> QuerySet[Operation]:
    """The steps that were to undo a difference, and ended otherwise."""
    whose = Q(participant_id=OuterRef("participant_id")) | Q(account_id=OuterRef("participant__account_id"))
    return Operation.objects.filter(
        whose, change_id=OuterRef("change_id"), group_id=OuterRef("group_id"), state__in=_NOT_UNDONE
    )


_NOT_UNDONE = (OperationState.REFUSED, OperationState.OVERTAKEN, OperationState.CANCELLED)


def open_drifts(user: "User") -> QuerySet[Drift]:
    """What waits for a decision, as far as the user may see, newest first."""
    return visible_to(Drift.objects.filter(to_look_at()), user)


@audited
def adopt(drifts: Iterable[Drift], *, actor: "User") -> Decided:
    """It is right as it is: the differences are not shown any more. Nothing changes in the systems."""
    return _decide(drifts, AuditAction.DRIFT_ADOPTED, actor, state=DriftState.ADOPTED, ignored_until=None)


@audited
def ignore(drifts: Iterable[Drift], until: dt.date, *, actor: "User") -> Decided:
    """Not to be shown before that day, on which they come back. Raises `BadValue` for a day that is not to come."""
    today = timezone.localdate()
    if not today < until <= today + LONGEST:
        raise BadValue(Reason.BAD_VALUE, key="until", why=_("it must be a day between tomorrow and a year from now"))
    data = {"until": until.isoformat()}
    return _decide(drifts, AuditAction.DRIFT_IGNORED, actor, data, state=DriftState.IGNORED, ignored_until=until)


def _decide(
    drifts: Iterable[Drift], action: AuditAction, actor: "User", data: Mapping[str, Any] | None = None, **fields: Any
) -> Decided:
    need_right(actor, Right.ACT)
    ids = _seen_ids(drifts, actor)
    done = 0
    for start in range(0, len(ids), CHUNK):
        now = timezone.now()
        with transaction.atomic():
            rows = _locked(ids[start : start + CHUNK])
            _mark(rows, actor, now, change_id=None, **fields)
            record.write(Chain.PANEL, _entries(action, rows, actor, data or {}), at=now)
        done += len(rows)
    return Decided(done=done, left=len(ids) - done)


def _seen_ids(drifts: Iterable[Drift], actor: "User") -> list[int]:
    ids = sorted({drift.pk for drift in drifts})
    if not ids:
        refuse(Reason.NOTHING_SELECTED)
    seen = sum(
        visible_to(Drift.objects.filter(pk__in=ids[start : start + CHUNK]), actor).count()
        for start in range(0, len(ids), CHUNK)
    )
    if seen < len(ids):
        raise NotAllowed(Reason.NOT_VISIBLE)
    return ids


def _locked(ids: Sequence[int]) -> list[Drift]:
    """Those of the rows that still wait for a decision."""
    rows = Drift.objects.select_for_update(of=("self",)).filter(to_look_at(), pk__in=ids)
    return list(rows.select_related("connection", "group").defer(*_HEAVY).order_by("pk"))


_HEAVY = ("connection__secrets", "connection__session", "group__secrets", "group__attributes")


def _mark(rows: Sequence[Drift], actor: "User", now: dt.datetime, **fields: Any) -> None:
    ids = [row.pk for row in rows]
    Drift.objects.filter(pk__in=ids).update(decided_by_id=actor.pk, decided_at=now, **fields)


def _entries(
    action: AuditAction, rows: Sequence[Drift], actor: "User", data: Mapping[str, Any], change_id: int | None = None
) -> list[record.Entry]:
    """One a group, so that the group's history tells it."""
    of_group: dict[int, list[Drift]] = defaultdict(list)
    for row in rows:
        of_group[row.group_id].append(row)
    return [_entry(action, found, actor, data, change_id) for found in of_group.values()]


def _entry(
    action: AuditAction, rows: Sequence[Drift], actor: "User", data: Mapping[str, Any], change_id: int | None
) -> record.Entry:
    first = rows[0]
    return record.Entry(
        action,
        actor=actor,
        change_id=change_id,
        connection_id=first.connection_id,
        group_id=first.group_id,
        participant_id=first.participant_id if len(rows) == 1 else None,
        data={"drifts": [row.pk for row in rows], **data},
        personal={
            "system": first.connection.name,
            "group_name": first.group.name,
            "people": list(dict.fromkeys(row.label for row in rows)),
        },
    )


# reverted


@audited
def draft_revert(drifts: Iterable[Drift], *, actor: "User") -> Change:
    """Store the plan that puts people back where they were before what `drifts` tell: who joined leaves, who left is
    added with the rights of then, what was altered is altered back. Guards are applied as to every plan.

    The differences count as being reverted; they wait again should nobody confirm the preview, or a step not go well.
    What the plan leaves out goes on waiting. Groups that appeared or vanished cannot be put back by this, and stay as
    they are. Raises `ChangeRefused` when nothing is left to revert.
    """
    need_right(actor, Right.ACT)
    ids = _seen_ids(drifts, actor)
    rows = list(_undoable(ids).filter(to_look_at()))
    if not rows:
        refuse(Reason.NOTHING_TO_DO)
    # Planned outside of the transaction, which then is short.
    plan = plan_compiler.plan(_wishes(rows))
    groups = {row.group.name for row in rows}
    selection = {"kind": "revert", "drifts": ids, **({"group": groups.pop()} if len(groups) == 1 else {})}
    with transaction.atomic():
        now = timezone.now()
        still = list(_undoable(ids).select_for_update(of=("self",)).filter(to_look_at()))
        if [row.pk for row in still] != [row.pk for row in rows]:
            refuse(Reason.EDITED_MEANWHILE)
        change = drafts.store_draft(ChangeKind.REVERT, selection, plan, actor=actor)
        undone = _planned(still, plan)
        _mark(undone, actor, now, state=DriftState.REVERTED, change_id=change.pk, ignored_until=None)
        record.write(Chain.PANEL, _entries(AuditAction.DRIFT_REVERTED, undone, actor, {}, change.pk), at=now)
    return change


def _planned(rows: Sequence[Drift], plan: Plan) -> list[Drift]:
    """Those of the differences that the plan undoes."""
    places = {case.participant_id for case in plan.kept}
    joining = {(case.group_id, case.account_id) for case in plan.kept if case.participant_id is None}
    return [
        row
        for row in rows
        if row.participant and (row.participant_id in places or (row.group_id, row.participant.account_id) in joining)
    ]


def again(selection: Mapping[str, Any], *, actor: "User") -> Change:
    """The same once more, as things are now."""
    return draft_revert(Drift.objects.filter(pk__in=selection["drifts"]), actor=actor)


def _undoable(ids: Sequence[int]) -> QuerySet[Drift]:
    rows = Drift.objects.filter(pk__in=ids, kind__in=ABOUT_PEOPLE).exclude(participant=None)
    return (
        rows.select_related("participant", "connection", "group").defer(*_HEAVY, "participant__secrets").order_by("pk")
    )


def _wishes(rows: Sequence[Drift]) -> list[Wish]:
    """One for each participant, however often it changed: back to before the first of its differences."""
    of_place: dict[int, list[Drift]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: (row.noticed_at, row.pk)):
        if row.participant_id is not None:
            of_place[row.participant_id].append(row)
    return [_wish(found) for found in of_place.values()]


def _wish(found: Sequence[Drift]) -> Wish:
    """`found`: the differences of one participant, oldest first."""
    first, place = found[0], found[0].participant
    assert place is not None  # noqa: S101 - for the type checker
    if first.kind == DriftKind.JOINED:
        return Remove(place.pk)
    before: dict[str, Any] = {}
    for row in reversed(found):  # what the oldest one says was so first
        before |= row.before
    rights = rights_in(before)
    if not place.is_present:
        return joins_again(place.account_id, first.group_id, first.label, before)
    if not rights:  # only what no remote lets us set was altered
        return Barred(first.label, first.group_id, Refusal(Reason.NOT_OFFERED))
    return Update(place.pk, rights)
