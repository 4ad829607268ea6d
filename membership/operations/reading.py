"""Readings: which is due, how one is run in small steps, and how it ends.

A reading can be left after every step and taken up again, by this worker or the next: what was read since it started is
not read twice.
"""

import random
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from itertools import takewhile
from typing import Any

from django.db import transaction
from django.db.models import Count, F, Q, QuerySet
from django.utils import timezone

from membership import conf, crash
from membership.audit import record
from membership.errors import Reason
from membership.mirror import writer
from membership.models import Connection, Drift, Group, Reading
from membership.operations.reading_actors import name_actors
from membership.operations.reading_lists import ask_for_group, read_accounts, read_groups, read_participants
from membership.operations.reading_look import FOR_THE_LANE, GiveUp, Look, StandBack, Steps
from membership.operations.reading_places import link_unmatched, read_places
from membership.providers.base import Provider
from membership.vocab import AuditAction, ConnectionState, ReadingKind, ReadingState

SHORTER_FIRST = (ReadingKind.PLACES, ReadingKind.GROUP)
OLD_AFTER = timedelta(hours=6)
"""A reading that began earlier starts anew when it is taken up: what it knows is too old to be half of one picture."""
SOONER_AFTER_FAILURE = 6
FIRST_PAUSE_S = 5.0
"""After a reading that broke off; doubled as long as the next one breaks off for the same reason."""
PAUSES_DOUBLED = 10


def next_due(connection: Connection, now: datetime) -> Reading | None:
    """The reading to run next: one for which somebody waits, one that was left, or a periodic one, which is made."""
    if connection.state != ConnectionState.ACTIVE:
        return None
    open_ones = waiting_for(connection)
    shorter = open_ones.filter(kind__in=SHORTER_FIRST).order_by("pk").first()
    if shorter is not None:
        return shorter
    whole = open_ones.order_by(F("started_at").asc(nulls_last=True), "pk").first()
    if whole is not None:
        return whole
    if connection.next_reading_at is not None and connection.next_reading_at > now:
        return None
    return Reading.objects.create(connection=connection, kind=ReadingKind.SYSTEM, asked_at=now)


def waiting_for(connection: Connection) -> "QuerySet[Reading]":
    """Readings of this connection that have not ended."""
    return Reading.objects.filter(connection=connection, state__in=ReadingState.open())


def run(
    reading: Reading, provider: Provider, *, lane_token: int, requests: Callable[[], int] | None = None
) -> Iterator[None]:
    """Read, in steps: each yield comes before a request, so that writes can go first. The reading ends itself.

    Raises `Misconfigured`, `NotSignedIn` or `Throttled` when the lane has to do something: what was read is kept, and
    running the same reading again goes on from there. Iteration that ends with the reading still open means that it
    stood back for a shorter one, or that the worker stops. `requests()` counts what the lane has sent so far.
    """
    if reading.state not in ReadingState.open():
        return
    look = Look(reading, provider, lane_token, requests)
    _begin(look)
    crash.point("reading.begun")
    try:
        yield from PARTS[ReadingKind(reading.kind)](look)
        yield from name_actors(look)
    except StandBack:
        _save(look)
        return
    except GiveUp as silent:
        look.gave_up = True
        look.note(silent.problem)
    except FOR_THE_LANE:
        _save(look)
        raise
    _finish(look)


def give_up(connection: Connection, reason: Reason = Reason.READING_INTERRUPTED, **params: Any) -> int:
    """End every open reading of a connection that is stopped, so that nobody waits for it. Returns how many."""
    now = timezone.now()
    with transaction.atomic():
        left = list(waiting_for(connection).select_for_update(of=("self",)).order_by("pk"))
        for reading in left:
            state = ReadingState.INCOMPLETE if reading.rows_seen else ReadingState.FAILED
            _end(reading, state, (reason, params), now)
        entries = [_entry(reading, {}) for reading in left]
        record.write(record.connection_chain(connection.pk), entries, at=now)
    return len(left)


# the parts of each kind


def _system(look: Look) -> Steps:
    if _is_older(look.connection.accounts_read_at, look.started_at):
        yield from read_accounts(look)
        yield
    if _is_older(look.connection.groups_read_at, look.started_at):
        yield from read_groups(look)
    groups = Group.objects.filter(connection=look.connection, is_present=True)
    due = groups.filter(Q(tried_at=None) | Q(tried_at__lt=look.started_at)).order_by("read_at", "pk")
    for group_id in list(due.values_list("pk", flat=True)):
        look.stand_back()
        yield
        yield from read_participants(look, Group.objects.get(pk=group_id))
    if not look.provider.capabilities.rows_name_accounts:
        yield from link_unmatched(look)


def _one_group(look: Look) -> Steps:
    group = look.reading.group
    assert group is not None  # noqa: S101 - whoever asks for a group names it
    if not _is_older(group.read_at, look.reading.asked_at):
        return
    problem = ask_for_group(look, group, is_listed=True)
    if problem is not None:
        look.note(problem)
        return
    group.refresh_from_db()
    if group.is_present:
        yield
        yield from read_participants(look, group)


PARTS: dict[ReadingKind, Callable[[Look], Steps]] = {
    ReadingKind.SYSTEM: _system,
    ReadingKind.GROUP: _one_group,
    ReadingKind.PLACES: read_places,
}


def _is_older(known_at: datetime | None, than: datetime) -> bool:
    return known_at is None or known_at < than


# how a reading begins and ends


def _begin(look: Look) -> None:
    reading, now = look.reading, timezone.now()
    reading.state = ReadingState.RUNNING
    if reading.started_at is None or now - reading.started_at > OLD_AFTER:
        reading.started_at = now
    with look.writing():
        reading.save(update_fields=["state", "started_at"])


def _save(look: Look) -> None:
    """Keep the counts of a reading that is left. What it read is in the mirror."""
    look.catch_up()
    _count(look)
    with look.writing():
        look.reading.save(update_fields=["requests", "rows_seen", "rows_changed"])
    crash.point("reading.left")


def _count(look: Look) -> None:
    reading = look.reading
    reading.requests, reading.rows_seen, reading.rows_changed = look.requests, look.rows_seen, look.rows_changed


def _finish(look: Look) -> None:
    look.catch_up()
    reading, now = look.reading, timezone.now()
    tried = _tried(look)
    incomplete = tried.exclude(incomplete_reason="").order_by("tried_at", "pk")
    first = incomplete.first()
    if first is not None:
        look.note((Reason(first.incomplete_reason), first.incomplete_params))
    _count(look)
    crash.point("reading.finishing")
    reading.groups_seen, reading.groups_incomplete = tried.count(), incomplete.count()
    with look.writing():
        _end(reading, _final_state(look), look.problem, now)
        if reading.kind == ReadingKind.SYSTEM:
            _note_on_connection(look, now)
        entry = _entry(reading, _drift_of(reading))
        crash.point("reading.finish_inside")
        record.write(record.connection_chain(reading.connection_id), [entry], at=now)
    crash.point("reading.finished")


def _tried(look: Look) -> "QuerySet[Group]":
    groups = Group.objects.filter(connection=look.connection, tried_at__gte=look.started_at)
    return groups if look.reading.group_id is None else groups.filter(pk=look.reading.group_id)


def _final_state(look: Look) -> ReadingState:
    if look.problem is None:
        return ReadingState.COMPLETE
    learned = look.rows_seen or look.lists_ended
    return ReadingState.INCOMPLETE if learned else ReadingState.FAILED


def _end(reading: Reading, state: ReadingState, problem: writer.Problem | None, at: datetime) -> None:
    reading.state, reading.ended_at = state, at
    reading.reason, reading.reason_params = (problem[0].value, problem[1]) if problem else ("", {})
    reading.save(
        update_fields=[
            "state",
            "ended_at",
            "reason",
            "reason_params",
            "requests",
            "groups_seen",
            "groups_incomplete",
            "rows_seen",
            "rows_changed",
        ]
    )


def _note_on_connection(look: Look, now: datetime) -> None:
    # With jitter, so that systems do not stay in step with each other.
    pause_s = _pause_s(look) * random.uniform(0.9, 1.1)  # noqa: S311
    fields: dict[str, Any] = {"next_reading_at": now + timedelta(seconds=pause_s)}
    groups = Group.objects.filter(connection=look.connection, is_present=True)
    lists = (look.connection.accounts_read_at, look.connection.groups_read_at)
    is_whole = not any(_is_older(at, look.started_at) for at in lists)
    if is_whole and not groups.filter(Q(read_at=None) | Q(read_at__lt=look.started_at)).exists():
        fields["read_at"] = look.started_at
    Connection.objects.filter(pk=look.connection.pk).update(**fields)


def _pause_s(look: Look) -> float:
    """Seconds until the next reading: short after one that broke off, which may have been a moment's trouble."""
    every = conf.read_every_s()
    if not _broke_off(look):
        return every
    earlier = Reading.objects.filter(connection=look.connection, kind=ReadingKind.SYSTEM, pk__lt=look.reading.pk)
    last = earlier.order_by("-pk").values_list("state", "reason")[:PAUSES_DOUBLED]
    alike = takewhile(lambda row: row[0] != ReadingState.COMPLETE and row[1] == look.reading.reason, last)
    return min(every / SOONER_AFTER_FAILURE, FIRST_PAUSE_S * 2.0 ** len(list(alike)))


def _broke_off(look: Look) -> bool:
    """Whether little was learned: the remote did not answer, or one of its two lists was never read yet."""
    lists = (look.connection.accounts_read_at, look.connection.groups_read_at)
    return look.reading.state == ReadingState.FAILED or look.gave_up or None in lists


def _drift_of(reading: Reading) -> dict[str, int]:
    noticed = Drift.objects.filter(
        connection_id=reading.connection_id, noticed_at__gte=reading.started_at, reading_id=reading.pk
    )
    return dict(noticed.order_by().values_list("kind").annotate(n=Count("pk")))


def _entry(reading: Reading, drift: dict[str, int]) -> record.Entry:
    return record.Entry(
        AuditAction.READING_FINISHED,
        change_id=reading.change_id,
        connection_id=reading.connection_id,
        group_id=reading.group_id,
        account_id=reading.account_id,
        outcome=reading.state,
        data={
            "reading": reading.pk,
            "kind": reading.kind,
            "reason": reading.reason,
            "requests": reading.requests,
            "groups": reading.groups_seen,
            "groups_incomplete": reading.groups_incomplete,
            "rows": reading.rows_seen,
            "rows_changed": reading.rows_changed,
            "drift": drift,
        },
    )
