"""Whose turn it is: which operations of a connection are queued, and which of those begin next. Reads only."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

from django.db.models import F, Q

from membership.models import Account, Connection, Group, Operation, Participant, bulk
from membership.models.fields import opened
from membership.models.statements import Statement, as_flag, listed
from membership.plans import subjects
from membership.remotes import provider_class
from membership.vocab import ChangeState, OperationState, Verb

SMALL_CHANGE = 50
"""Steps of a change that goes before larger ones: somebody sits there and waits for it."""
GOES_ON = Q(change__cancel_wanted_at=None) & ~Q(change__state=ChangeState.PAUSED) | Q(calls_done__gt=0)
"""What may be sent: of a change that is paused or being cancelled, only the rest of what is half done."""
OPPOSITE = {Verb.ADD: Verb.REMOVE, Verb.REMOVE: Verb.ADD}
_OWN = (
    "id", "change_id", "position", "connection_id", "group_id", "participant_id", "account_id", "verb", "subject",
    "subject_label", "wanted", "before", "calls", "calls_done", "salt", "digest", "secrets", "results", "state",
    "attempts", "resends", "suspicion", "found",
)  # fmt: skip
"""What sending and settling ask about: as little as they need, for a thousand steps a second."""
_JSON = tuple(_OWN.index(name) for name in ("wanted", "before", "calls", "results", "found"))
_SECRETS = _OWN.index("secrets")
_OF_ACCOUNT = ("remote_id", "person_id")
_OF_PARTICIPANT = ("is_present", "is_member", "is_manager", "can_write", "is_muted")
_OF_GROUP = ("id", "remote_id", "remote_number", "name", "is_present")
_OF_CONNECTION = ("id", "provider", "options", "settle_s")

_SMALL_FIRST = f"CASE WHEN c.operations_count <= {SMALL_CHANGE} THEN 0 ELSE 1 END, c.id"
# Planned operations that may begin: those of changes that move, up to the end of the stage that is released.
_RELEASED = f"""
    o.state = 'planned' AND c.state IN ({listed(ChangeState.moving())}) AND c.cancel_wanted_at IS NULL
        AND (c.starts_at IS NULL OR c.starts_at <= %s) AND (c.released_to IS NULL OR o.position < c.released_to)
"""
_TO_QUEUE_OF = Statement(
    """
    SELECT c.id FROM membership_change c WHERE c.state IN ({moving}) AND EXISTS (
        SELECT 1 FROM membership_operation o WHERE o.connection_id = %s AND o.change_id = c.id AND {released})
    ORDER BY {small_first} LIMIT 1
    """,
    moving=listed(ChangeState.moving()),
    released=_RELEASED,
    small_first=_SMALL_FIRST,
)
_TO_QUEUE = Statement(
    """
    SELECT o.id FROM membership_change c CROSS JOIN membership_operation o
    WHERE o.connection_id = %s AND c.id = %s AND o.change_id = c.id AND {released}
    ORDER BY o.position LIMIT %s FOR NO KEY UPDATE OF o
    """,
    released=_RELEASED,
)
# The sign keeps the database from going through all steps that a system ever had.
_CAN_DO = """
    SELECT x.id FROM membership_connection x
    WHERE x.state = 'active' AND (x.slowed_until IS NULL OR x.slowed_until <= %s) AND EXISTS (
        SELECT 1 FROM membership_change c CROSS JOIN membership_operation o
        WHERE c.state IN ({open}) AND o.change_id = c.id AND +o.connection_id = x.id AND o.state IN ({states})
            AND ({condition}))
"""
_DUE = Statement(
    _CAN_DO,
    open=listed(ChangeState.open()),
    states="'planned', 'running', 'in_doubt'",
    condition=f"o.state = 'running' OR o.state = 'in_doubt' AND o.not_before <= %s OR {_RELEASED}",
)
_HAVE_QUEUED = Statement(
    _CAN_DO,
    open=listed(ChangeState.open()),
    states="'queued'",
    condition="""(o.not_before IS NULL OR o.not_before <= %s)
        AND (c.cancel_wanted_at IS NULL AND c.state <> 'paused' OR o.calls_done > 0)""",
)
_CHANGES = Statement(
    """
    SELECT c.id, c.state, c.cancel_wanted_at, c.plan_hash FROM membership_change c
    WHERE c.state IN ({open}) AND EXISTS (
        SELECT 1 FROM membership_operation o WHERE o.connection_id = %s AND o.change_id = c.id AND o.state = 'queued')
    ORDER BY {small_first}
    """,
    open=listed(ChangeState.open()),
    small_first=_SMALL_FIRST,
)
_NEXT = Statement(
    """
    SELECT id, verb FROM membership_operation
    WHERE connection_id = %s AND change_id = %s AND state = 'queued' AND (not_before IS NULL OR not_before <= %s)
        AND calls_done >= %s
    ORDER BY position LIMIT %s
    """
)
# One state each: asked for together, SQLite looks through all steps of the system.
_UNSETTLED = Statement(
    """
    SELECT verb FROM membership_operation WHERE connection_id = %s AND change_id = %s AND state = 'running'
    UNION SELECT verb FROM membership_operation WHERE connection_id = %s AND change_id = %s AND state = 'in_doubt'
    UNION SELECT verb FROM (
        SELECT verb FROM membership_operation WHERE connection_id = %s AND change_id = %s AND state = 'queued'
        ORDER BY position LIMIT 1) AS next
    """
)
# CROSS JOIN keeps SQLite from going through all changes first.
_LOCKED = Statement(
    """
    SELECT {own}, {of_account}, {of_participant}
    FROM membership_operation o CROSS JOIN membership_change c
        LEFT JOIN membership_account a ON a.id = o.account_id
        LEFT JOIN membership_participant p ON p.id = o.participant_id
    WHERE o.id AMONG %s AND o.state = 'queued' AND c.id = o.change_id
        AND (c.cancel_wanted_at IS NULL AND c.state <> 'paused' OR o.calls_done > 0)
    FOR NO KEY UPDATE OF o
    """,
    own=", ".join(f"o.{name}" for name in _OWN),
    of_account=", ".join(f"a.{name}" for name in _OF_ACCOUNT),
    of_participant=", ".join(f"p.{name}" for name in _OF_PARTICIPANT),
)
_GROUPS = Statement("SELECT {columns} FROM membership_group WHERE id AMONG %s", columns=", ".join(_OF_GROUP))
_CONNECTION = Statement("SELECT id, provider, options, settle_s FROM membership_connection WHERE id = %s")
# The states in the words, and in the order, of the index `operation_of_subject`: SQLite finds it by that.
_OLDER = """
    b.connection_id = o.connection_id AND b.id < o.id
        AND (b.group_id = o.group_id OR b.group_id IS NULL AND o.group_id IS NULL)
        AND b.state IN ('queued', 'running', 'in_doubt', 'foreign')
"""
_BEHIND = Statement(
    """
    SELECT o.id FROM membership_operation o WHERE o.id AMONG %s AND EXISTS (
        SELECT 1 FROM membership_operation b WHERE b.subject = o.subject AND {older})
    """,
    older=_OLDER,
)
# The same by the other names of somebody whose row is known by now: see `plans.subjects`.
_BEHIND_OTHERWISE = Statement(
    """
    SELECT o.id FROM membership_operation o LEFT JOIN membership_participant p ON p.id = o.participant_id
        JOIN membership_account a ON a.id = COALESCE(o.account_id, p.account_id)
    WHERE o.id AMONG %s AND (
        EXISTS (SELECT 1 FROM membership_operation b WHERE b.subject = 'account:' || a.remote_id AND {older})
        OR EXISTS (SELECT 1 FROM membership_participant r CROSS JOIN membership_operation b
            WHERE r.account_id = a.id AND r.group_id = o.group_id AND b.subject = 'row:' || r.remote_id AND {older}))
    """,
    older=_OLDER,
)
_parse = json.JSONDecoder().raw_decode


def due_connections(now: datetime) -> set[int]:
    """Connections on which something can be done now."""
    at = bulk.stored_time(Operation, now)
    due = {pk for (pk,) in _DUE.rows(at, at, at)}
    queued = {pk for (pk,) in _HAVE_QUEUED.rows(at, at)}
    return due | {pk for pk in queued - due if next_turn(pk, now, 1)[0]}


def next_to_queue(connection_id: int, now: datetime) -> int | None:
    """The change of which planned operations are queued next: small ones first, then the older."""
    found = _TO_QUEUE_OF.rows(connection_id, bulk.stored_time(Operation, now))
    return found[0][0] if found else None


def to_queue(connection_id: int, change_id: int, now: datetime, limit: int) -> list[int]:
    """Its planned operations that may begin, in order, locked. Inside the caller's transaction."""
    return [pk for (pk,) in _TO_QUEUE.rows(connection_id, change_id, bulk.stored_time(Operation, now), limit)]


def next_turn(connection_id: int, now: datetime, limit: int) -> tuple[list[int], dict[int, str]]:
    """(ids of up to `limit` operations that may begin now, the next one first, `{their change: its plan's hash}`).

    Of each change only what its verb's turn allows: see `turn_of`.
    """
    ids: list[int] = []
    hashes: dict[int, str] = {}
    if limit <= 0:
        return ids, hashes
    at = bulk.stored_time(Operation, now)
    for change_id, state, cancel_wanted_at, plan_hash in _CHANGES.rows(connection_id):
        is_held = cancel_wanted_at is not None or state == ChangeState.PAUSED
        found = _NEXT.rows(connection_id, change_id, at, 1 if is_held else 0, limit - len(ids))
        if has_several_verbs(change_id, plan_hash):
            turn = turn_of(connection_id, change_id)
            found = [row for row in found if Verb(row[1]).turn <= turn]
        ids += [pk for pk, _verb in found]
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
    verbs = _UNSETTLED.rows(*[connection_id, change_id] * 3)
    return min((Verb(verb).turn for (verb,) in verbs), default=0)


def locked(connection_id: int, ids: list[int]) -> list[Operation]:
    """Those of `ids` that still may begin, in that order, locked. Inside the caller's transaction."""
    rows = {row[0]: row for row in _LOCKED.rows(ids)}
    # What many share is asked for once, not with each row.
    connection = _the_connection(connection_id)
    groups = _groups({row[4] for row in rows.values() if row[4] is not None})
    return [_operation(rows[pk], connection, groups) for pk in ids if pk in rows]


def _the_connection(pk: int) -> Connection:
    [(pk, provider, options, settle_s)] = _CONNECTION.rows(pk)
    return bulk.instance(Connection, _OF_CONNECTION, (pk, provider, json.loads(options), settle_s))


def _groups(ids: set[int]) -> dict[int, Group]:
    return {row[0]: bulk.instance(Group, _OF_GROUP, row) for row in _GROUPS.rows(list(ids))}


def _operation(row: Sequence[Any], connection: Connection, groups: Mapping[int, Group]) -> Operation:
    own = list(row[: len(_OWN)])
    for place in _JSON:
        own[place] = {} if own[place] == "{}" else _parse(own[place])[0]
    own[_SECRETS] = opened(own[_SECRETS])
    group_id, participant_id, account_id = own[4:7]
    of_account, of_participant = row[len(own) : -len(_OF_PARTICIPANT)], row[-len(_OF_PARTICIPANT) :]
    return bulk.instance(
        Operation,
        _OWN,
        own,
        connection=connection,
        group=groups[group_id] if group_id is not None else None,
        account=bulk.instance(Account, ("id", *_OF_ACCOUNT), (account_id, *of_account)) if account_id else None,
        participant=bulk.instance(
            Participant, ("id", *_OF_PARTICIPANT), (participant_id, *map(as_flag, of_participant))
        )
        if participant_id
        else None,
    )


def first_of_each_subject(candidates: Sequence[Operation]) -> tuple[list[Operation], list[int]]:
    """(those before which nothing else about the same person in the same group is open, ids of the others).

    Under the lane's lock this is what keeps two from running at once where a person has two names; where it is one, the
    database does, too.
    """
    ids = [op.pk for op in candidates]
    behind = {pk for (pk,) in _BEHIND.rows(ids)}
    if candidates and not provider_class(candidates[0].connection.provider).capabilities.rows_name_accounts:
        behind |= {pk for (pk,) in _BEHIND_OTHERWISE.rows(ids)}
    return [op for op in candidates if op.pk not in behind], sorted(behind)


def opposites(connection_id: int, ids: Sequence[int]) -> list[Operation]:
    """What is not begun and the opposite of a newer wish among `ids`: an addition and a removal of one person in one
    group cancel out. Locked, inside the caller's transaction."""
    newer: dict[tuple[int | None, str, str], int] = {}
    wishes = Operation.objects.filter(pk__in=ids, verb__in=OPPOSITE).order_by("pk")
    for pk, group_id, subject, account_id, verb in wishes.values_list(
        "pk", "group_id", "subject", subjects.ACCOUNT_NOW, "verb"
    ):
        newer[(group_id, subjects.now(subject, account_id), OPPOSITE[Verb(verb)])] = pk
    if not newer:
        return []
    older = (
        Operation.objects.select_for_update(of=("self",), no_key=True)
        .filter(
            subjects.stored_as({subject for _, subject, _ in newer}),
            connection_id=connection_id,
            group_id__in={group_id for group_id, _, _ in newer},
            verb__in={verb for _, _, verb in newer},
            state__in=(OperationState.PLANNED, OperationState.QUEUED),
            calls_done=0,
            change__state__in=ChangeState.open(),
        )
        .select_related("group", "account")
        .annotate(account_now=F(subjects.ACCOUNT_NOW))
        .order_by("pk")
    )
    return [
        op for op in older if op.pk < newer.get((op.group_id, subjects.now(op.subject, op.account_now), op.verb), 0)
    ]
