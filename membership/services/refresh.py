"""Having systems and groups read again."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from membership.audit import record
from membership.errors import NotAllowed, Reason
from membership.models import Connection, Group, Reading, visible_to
from membership.operations import reading
from membership.services.shell import audited, need_right, refuse
from membership.vocab import AuditAction, ConnectionState, ReadingKind, ReadingState, Right

if TYPE_CHECKING:
    from django.contrib.auth.models import User

M = TypeVar("M", Connection, Group)


@audited
def request_refresh(
    *,
    connections: Iterable[Connection] = (),
    groups: Iterable[Group] = (),
    accept_fewer: bool = False,
    actor: "User | None",
) -> list[Reading]:
    """Ask the worker to read these systems and groups. Returns one reading for each, systems first.

    What already waits is not asked for twice. Of a stopped system the reading has failed at once, with the reason for
    which it is stopped. `actor` None: the command line, which may ask for all.

    `accept_fewer`: these groups have really become smaller or empty, so a list that is whole in itself is believed.
    That takes rows out of the mirror, so it needs the right to act.

    Raises `NotAllowed` when the actor lacks the right or may not see all of it, `ChangeRefused` when nothing is named.
    """
    if actor is not None:
        need_right(actor, Right.ACT if accept_fewer else Right.REFRESH)
    systems = _visible(Connection.objects.all(), connections, actor)
    rooms = _visible(Group.objects.select_related("connection"), groups, actor)
    if not systems and not rooms:
        refuse(Reason.NOTHING_SELECTED)
    now = timezone.now()
    asked = [_reading(ReadingKind.SYSTEM, row, None, actor, now) for row in systems]
    asked += [_reading(ReadingKind.GROUP, row.connection, row, actor, now) for row in rooms]
    with transaction.atomic():
        for row in asked:
            row.accept_fewer = accept_fewer and row.group_id is not None
        waiting = {} if accept_fewer else _waiting(asked)
        new = [row for row in asked if _key(row) not in waiting]
        Reading.objects.bulk_create(new)
        _record(new, actor)
    return [waiting.get(_key(row), row) for row in asked]


def is_being_read(connection_ids: Collection[int]) -> bool:
    """Whether a reading of one of these systems is under way or waits."""
    open_ones = Reading.objects.filter(kind=ReadingKind.SYSTEM, state__in=ReadingState.open())
    return open_ones.filter(connection__in=connection_ids).exists()


def waiting_for(connection: Connection) -> "QuerySet[Reading]":
    """Readings of this system that have not ended."""
    return reading.waiting_for(connection)


def _visible(queryset: "QuerySet[M]", rows: Iterable[M], actor: "User | None") -> list[M]:
    ids = list(dict.fromkeys(row.pk for row in rows))
    found = (queryset if actor is None else visible_to(queryset, actor)).in_bulk(ids)
    if len(found) < len(ids):
        raise NotAllowed(Reason.NOT_VISIBLE)
    return [found[pk] for pk in ids]


def _reading(
    kind: ReadingKind, system: Connection, group: Group | None, actor: "User | None", now: datetime
) -> Reading:
    wanted = Reading(connection=system, group=group, kind=kind, asked_by=actor, asked_at=now)
    if system.state != ConnectionState.ACTIVE:
        wanted.state = ReadingState.FAILED
        wanted.reason = system.state_reason or Reason.READING_FAILED
        wanted.reason_params = system.state_params
        wanted.ended_at = now
    return wanted


def _key(row: Reading) -> tuple[int, int | None]:
    return row.connection_id, row.group_id


def _waiting(asked: Sequence[Reading]) -> dict[tuple[int, int | None], Reading]:
    """Those of the wanted readings that wait already. One that runs may have passed what is asked for."""
    of_these = Reading.objects.filter(
        connection__in={row.connection_id for row in asked},
        state=ReadingState.WANTED,
        kind__in=(ReadingKind.SYSTEM, ReadingKind.GROUP),
    )
    return {_key(row): row for row in of_these}


def _record(readings: Sequence[Reading], actor: "User | None") -> None:
    """One entry a system for what was asked of it."""
    by_system: dict[int, list[Reading]] = defaultdict(list)
    for row in readings:
        by_system[row.connection_id].append(row)
    record.write_all({record.connection_chain(pk): [_entry(pk, rows, actor)] for pk, rows in by_system.items()})


def _entry(connection_id: int, readings: Sequence[Reading], actor: "User | None") -> record.Entry:
    groups = [row.group_id for row in readings if row.group_id is not None]
    return record.Entry(
        AuditAction.READING_REQUESTED,
        actor=actor,
        connection_id=connection_id,
        group_id=groups[0] if len(groups) == len(readings) == 1 else None,
        outcome=readings[0].reason,
        data={
            "readings": [row.pk for row in readings],
            "groups": groups,
            "accept_fewer": any(row.accept_fewer for row in readings),
        },
    )
