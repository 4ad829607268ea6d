"""A worker's clock is a day ahead or behind, and is put right: nothing is lost, and nothing waits for it."""

import os
import time
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from membership.models import Connection, Group, Operation, Reading, WorkerBeat
from membership.operations import clock
from membership.services import health
from membership.vocab import OperationState, ReadingKind, ReadingState
from tests import steps, truth
from tests.crash.test_points import KILLED

pytestmark = pytest.mark.crash

DAY_S = 24 * 60 * 60
GOES_ON_WITHIN_S = 30


JUMPS = [(DAY_S, 0), (-DAY_S, 0), (DAY_S, -DAY_S)]


def of_this_database():
    """The short form takes one on each of the two."""
    if os.environ.get("LONG"):
        return JUMPS
    return JUMPS[:1] if connection.vendor == "sqlite" else JUMPS[2:]


@pytest.mark.parametrize(("first", "then"), of_this_database())
def test_a_clock_that_jumps_by_days_loses_nothing_and_delays_nothing(scene, start, first, then):
    """Killed with doubts and readings open that are of the wrong day."""
    assert start("resolve.read:1", clock_s=first).wait() == KILLED
    began = time.monotonic()
    start(clock_s=then).finish(GOES_ON_WITHIN_S)
    assert time.monotonic() - began < GOES_ON_WITHIN_S
    scene.check()


def test_what_was_read_tomorrow_is_read_again_today(read_world):
    kaiten = Connection.objects.filter(pk=read_world.kaiten.pk)
    tomorrow = timezone.now() + timedelta(days=1)
    kaiten.update(groups_read_at=tomorrow, accounts_read_at=tomorrow, read_at=tomorrow, next_reading_at=tomorrow)
    Group.objects.filter(connection=read_world.kaiten).update(read_at=tomorrow, tried_at=tomorrow)
    Reading.objects.create(
        connection=read_world.kaiten,
        kind=ReadingKind.SYSTEM,
        state=ReadingState.RUNNING,
        asked_at=tomorrow,
        started_at=tomorrow,
    )
    read_world.sandbox.kaiten.state.change_user(3, full_name="Ada King")
    read_world.work()
    assert read_world.row("Ada King", "Группа 2")
    assert kaiten.get().read_at <= timezone.now()
    truth.check_mirror(read_world)


def test_a_step_a_pause_and_a_heartbeat_of_tomorrow_are_put_right_and_those_of_today_left(read_world):
    now = timezone.now()
    rows = (read_world.row("Ada Lovelace", "Группа 2"), read_world.row("Zoë Müller", "Trainers"))
    change = steps.confirmed(*map(steps.removal, rows))
    soon, tomorrow = now + timedelta(seconds=20), now + timedelta(days=1)
    first, second = Operation.objects.filter(change=change).order_by("position")
    Operation.objects.filter(pk=first.pk).update(state=OperationState.IN_DOUBT, not_before=tomorrow)
    Operation.objects.filter(pk=second.pk).update(state=OperationState.QUEUED, not_before=soon)
    Connection.objects.filter(pk=read_world.kaiten.pk).update(slowed_until=tomorrow)
    Connection.objects.filter(pk=read_world.mudbase.pk).update(slowed_until=now + timedelta(minutes=10))
    WorkerBeat.objects.create(name="of tomorrow", at=tomorrow)
    assert health.is_worker_silent()
    assert clock.end_long_waits(now) == 3
    assert Operation.objects.get(pk=first.pk).not_before <= soon
    assert Operation.objects.get(pk=second.pk).not_before == soon
    assert [row.slowed_until for row in Connection.objects.exclude(slowed_until=None).order_by("slowed_until")] == [
        now,
        now + timedelta(minutes=10),
    ]
    assert not WorkerBeat.objects.exists()
    assert clock.end_long_waits(now) == 0


def test_the_clock_is_watched_while_the_worker_runs(read_world, monkeypatch):
    now = [timezone.now()]
    looked = []
    monkeypatch.setattr(clock.timezone, "now", lambda: now[0])
    monkeypatch.setattr(clock, "end_long_waits", lambda at: looked.append(at) or 1)
    watch = clock.ClockWatch()
    assert [watch(), watch()] == [True, False]  # a process that begins looks once
    now[0] += timedelta(days=1)
    assert not watch()
    now[0] -= timedelta(days=1)
    assert [watch(), watch()] == [True, False]
    assert looked == [now[0], now[0]]
