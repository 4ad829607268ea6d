"""Whose turn it is: which operations of a connection are queued, and which of those begin next. Reads only."""

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache

from django.db.models import Case, Exists, IntegerField, OuterRef, Q, QuerySet, Value, When

from membership.models import Change, Connection, Group, Operation
from membership.vocab import ChangeState, OperationState, Verb

SMALL_CHANGE = 50
"""Steps of a change that goes before larger ones: somebody sits there and waits for it."""
GOES_ON = Q(change__cancel_wanted_at=None) & ~Q(change__state=ChangeState.PAUSED) | Q(calls_done__gt=0)
"""What may be sent: of a change that is paused or being cancelled, only the rest of what is half done."""
OPPOSITE = {Verb.ADD: Verb.REMOVE, Verb.REMOVE: Verb.ADD}
_BEGINNING = (
    "change_id", "position", "connection_id", "group_id", "participant_id", "account_id", "verb", "subject",
    "subject_label", "wanted", "before", "calls", "calls_done", "salt", "digest", "secrets", "results", "state",
    "attempts", "resends", "suspicion", "found",
    "account__remote_id", "account__person_id",
    "participant__is_present", "participant__is_member", "participant__is_manager", "participant__can_write",
    "participant__is_muted",
)  # fmt: skip
"""What sending and settling ask about: as little as they need, for a thousand steps a second."""


def in_turn(changes: "QuerySet[Change]") -> "QuerySet[Change]":
    """Small changes first, then in the order in which they were made."""
    size = Case(When(operations_count__lte=SMALL_CHANGE, then=Value(0)), default=Value(1), output_field=IntegerField())
    return changes.annotate(size=size).order_by("size", "pk")


def next_turn(connection_id: int, now: datetime, limit: int) -> tuple[list[int], dict[int, str]]:
    """(ids of up to `limit` operations that may begin now, the next one first, `{their change: its plan's hash}`).

    Of each change only what its verb's turn allows: see `turn_of`.
    """
    queued = Operation.objects.filter(connection_id=connection_id, state=OperationState.QUEUED)
    changes = Change.objects.filter(state__in=ChangeState.open()).filter(Exists(queued.filter(change=OuterRef("pk"))))
    ids: list[int] = []
    hashes: dict[int, str] = {}
    if limit <= 0:
        return ids, hashes
    columns = ("pk", "state", "cancel_wanted_at", "plan_hash")
    for change_id, state, cancel_wanted_at, plan_hash in in_turn(changes).values_list(*columns):
        rest = queued.filter(Q(not_before=None) | Q(not_before__lte=now), change_id=change_id)
        if cancel_wanted_at is not None or state == ChangeState.PAUSED:
            rest = rest.filter(calls_done__gt=0)
        first = rest.order_by("position").values_list("pk", "verb")[: limit - len(ids)]
        if has_several_verbs(change_id, plan_hash):
            turn = turn_of(connection_id, change_id)
            ids += [pk for pk, verb in first if Verb(verb).turn <= turn]
        else:
            ids += [pk for pk, _verb in first]
        hashes[change_id] = plan_hash
        if len(ids) >= limit:
            break
    return ids, hashes


@lru_cache(maxsize=10_000)
def has_several_verbs(change_id: int, _plan_hash: str) -> bool:
    """Whether a plan has turns at all. Asked once for each plan: it does not change."""
    return Operation.objects.filter(change=change_id).order_by().values("verb").distinct().count() > 1


def turn_of(connection_id: int, change_id: int) -> int:
    """The turn of the first verb of a change of which something is not settled in this system.

    Nothing of a later turn is begun: who leaves may be somebody whose successor has not come yet. What waits for a
    decision is settled: it was read back. What is planned stands behind what is queued, because a plan is in the
    order of its verbs.
    """
    of_change = Operation.objects.filter(connection_id=connection_id, change_id=change_id)
    verbs = of_change.order_by().values_list("verb", flat=True)
    # One state each: asked for together, SQLite looks through all steps of the system.
    under_way = verbs.filter(state=OperationState.RUNNING).union(verbs.filter(state=OperationState.IN_DOUBT))
    next_one = of_change.filter(state=OperationState.QUEUED).order_by("position").values_list("verb", flat=True)[:1]
    return min((Verb(verb).turn for verb in (*under_way, *next_one)), default=0)


def locked(connection_id: int, ids: Sequence[int]) -> list[Operation]:
    """Those of `ids` that still may begin, in that order, locked. Inside the caller's transaction."""
    rows = (
        Operation.objects.select_for_update(of=("self",), no_key=True)
        .filter(GOES_ON, pk__in=ids, state=OperationState.QUEUED)
        .select_related("participant", "account")
        .only(*_BEGINNING)
        .order_by()
    )
    found = {operation.pk: operation for operation in rows}
    # What many share is asked for once, not with each row.
    connection = Connection.objects.only("provider", "options", "settle_s").get(pk=connection_id)
    groups = Group.objects.only("remote_id", "remote_number", "name", "is_present")
    known = groups.in_bulk({op.group_id for op in found.values() if op.group_id is not None})
    for operation in found.values():
        operation.connection = connection
        if operation.group_id is not None:
            operation.group = known[operation.group_id]
    return [found[pk] for pk in ids if pk in found]


def first_of_each_subject(connection_id: int, candidates: Sequence[Operation]) -> tuple[list[Operation], list[int]]:
    """(those before which nothing else about the same person in the same group is open, ids of the others)."""
    first: dict[tuple[int | None, str], int] = {}
    open_ones = (
        Operation.objects.filter(
            connection_id=connection_id,
            subject__in={op.subject for op in candidates},
            state__in=OperationState.open() - {OperationState.PLANNED},
        )
        .order_by()
        .values_list("group_id", "subject", "pk")
    )
    for group_id, subject, pk in open_ones:
        key = (group_id, subject)
        first[key] = min(pk, first.get(key, pk))
    may_begin = [op for op in candidates if first.get((op.group_id, op.subject)) == op.pk]
    behind = {op.pk for op in candidates} - {op.pk for op in may_begin}
    return may_begin, sorted(behind)


def opposites(connection_id: int, ids: Sequence[int]) -> list[Operation]:
    """What is not begun and the opposite of a newer wish among `ids`: an addition and a removal of one person in one
    group cancel out. Locked, inside the caller's transaction."""
    newer: dict[tuple[int | None, str, str], int] = {}
    wishes = Operation.objects.filter(pk__in=ids, verb__in=OPPOSITE).order_by("pk")
    for pk, group_id, subject, verb in wishes.values_list("pk", "group_id", "subject", "verb"):
        newer[(group_id, subject, OPPOSITE[Verb(verb)])] = pk
    if not newer:
        return []
    older = (
        Operation.objects.select_for_update(of=("self",), no_key=True)
        .filter(
            connection_id=connection_id,
            subject__in={subject for _, subject, _ in newer},
            verb__in=OPPOSITE,
            state__in=(OperationState.PLANNED, OperationState.QUEUED),
            calls_done=0,
            change__state__in=ChangeState.open(),
        )
        .select_related("group", "account")
        .order_by("pk")
    )
    return [op for op in older if op.pk < newer.get((op.group_id, op.subject, op.verb), 0)]
