"""Taking in what a remote tells: the mirror, against `update_or_create` for each row."""

import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from django.db import transaction
from django.utils import timezone

from bench import ground
from bench.result import Result, medians, ratios
from membership.mirror import facts, writer
from membership.models import Connection, Group, Participant
from membership.providers.base import RemoteParticipant

GROUPS = 10
ROWS_AT_ONCE = 100
ROWS_PER_TRANSACTION = 500
GOAL_OF_FIRST = 10
GOAL_OF_ONE_PERCENT = {"sqlite": 60, "postgresql": 150}

Told = dict[int, list[RemoteParticipant]]
"""`{group id: its participants}`."""


def measure(database: str, *, rounds: int, rows: int) -> Iterator[Result]:
    """The first load of all groups, then a reading in which one row of a hundred differs."""
    first, again = _Mirror(rows, rounds), _Naive(max(GROUPS, rows // 10), rounds)
    mirror_first, naive_first = medians(rounds, [first.load, again.load])
    yield _result("first load", database, mirror_first, naive_first, GOAL_OF_FIRST)
    mirror_one, naive_one = medians(rounds, [first.one_percent, again.one_percent])
    yield _result("sync with 1 % changed", database, mirror_one, naive_one, GOAL_OF_ONE_PERCENT[database])


def _result(name: str, database: str, mirror: Sequence[float], naive: Sequence[float], goal: float) -> Result:
    ratio, each = ratios(naive, mirror)
    control = f"update_or_create {statistics.median(naive) * 1000:.0f} µs a row"
    subject = f"mirror {statistics.median(mirror) * 1000:.1f} µs a row"
    return Result(f"{name}, of update_or_create", database, ratio, "x", control, subject, goal, each)


class _Told:
    """A system with groups, and what its remote tells."""

    def __init__(self, rows: int, rounds: int) -> None:
        self._rows = rows
        self._grounds = [_ground(rows) for _ in range(rounds)]
        self._loaded: list[tuple[Connection, Told]] = []

    def load(self) -> float:
        system, told = self._grounds.pop()
        self._loaded.append((system, told))
        return self._timed(system, told)

    def one_percent(self) -> float:
        system, told = self._loaded[0]
        for pk, rows in told.items():
            told[pk] = [replace(row, is_manager=not row.is_manager) if n % 100 == 0 else row
                        for n, row in enumerate(rows)]  # fmt: skip
        return self._timed(system, told)

    def _timed(self, system: Connection, told: Told) -> float:
        """Milliseconds a row."""
        began = time.perf_counter()
        self.take_in(system, told)
        return (time.perf_counter() - began) / self._rows * 1000

    def take_in(self, system: Connection, told: Told) -> None:
        raise NotImplementedError


class _Mirror(_Told):
    def take_in(self, system: Connection, told: Told) -> None:
        index = writer.AccountIndex(system)
        ended: list[tuple[Group, datetime]] = []
        for group in Group.objects.filter(pk__in=told):
            listing = writer.ParticipantListing(group, began_at=timezone.now(), accounts=index)
            for start in range(0, len(told[group.pk]), ROWS_AT_ONCE):
                listing.take(told[group.pk][start : start + ROWS_AT_ONCE])
            while listing.pending:
                with transaction.atomic():
                    listing.write(listing.next_chunk(ROWS_PER_TRANSACTION))
            if listing.missing() or listing.problem():
                raise RuntimeError("the reading is not complete")
            ended.append((group, listing.began_at))
        # As a reading does: what groups note of their end, for twenty together (`Look.later`).
        with transaction.atomic():
            for group, began_at in ended:
                writer.conclude(group, None, began_at=began_at)


class _Naive(_Told):
    def take_in(self, system: Connection, told: Told) -> None:
        for pk, rows in told.items():
            for start in range(0, len(rows), ROWS_PER_TRANSACTION):
                with transaction.atomic():
                    for row in rows[start : start + ROWS_PER_TRANSACTION]:
                        Participant.objects.update_or_create(
                            group_id=pk,
                            remote_id=row.remote_id,
                            defaults={**facts.of_participant(row), "seen_at": timezone.now()},
                        )


def _ground(rows: int) -> tuple[Connection, Told]:
    system = ground.make_connection("http://127.0.0.1:9")
    now = timezone.now()
    groups = Group.objects.bulk_create(
        Group(connection=system, remote_id=f"g{number}", name=f"Group {number}", seen_at=now)
        for number in range(GROUPS)
    )
    return system, {group.pk: [_row(number) for number in range(rows // GROUPS)] for group in groups}


def _row(number: int) -> RemoteParticipant:
    attributes = {"email": f"p{number}@example.org", "username": f"p{number}", "timezone": "Europe/Berlin"}
    return RemoteParticipant(str(number), str(number), f"Person {number:06d}", attributes=attributes)
