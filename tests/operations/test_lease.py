import os
import subprocess
import sys

import pytest
from django.db import transaction

from membership.models import Connection
from membership.operations import lease as leases
from membership.operations.lease import Lease, identity, is_surely_dead
from membership.operations.outbox import LaneLost, hold_lane


@pytest.fixture
def connection(db):
    return Connection.objects.create(provider="kaiten", name="Office", base_url="https://a.example", timeout_s=0.2)


@pytest.fixture
def clock(monkeypatch):
    class Clock:
        now = 1000.0

        def __call__(self):
            return self.now

    made = Clock()
    monkeypatch.setattr(leases.time, "monotonic", made)
    return made


def hold_in_transaction(connection, lease):
    with transaction.atomic():
        hold_lane(connection.pk, lease.token)


def test_a_free_lane_is_taken_and_its_token_grows(connection):
    first, second = Lease(connection.pk, identity()), Lease(connection.pk, identity())
    assert first.acquire()
    first.release()
    assert second.acquire()
    assert second.token > first.token


def test_a_held_lane_is_not_taken_while_its_counter_moves(connection, clock):
    owner, waiter = Lease(connection.pk, "elsewhere|1|1|a"), Lease(connection.pk, "elsewhere|2|2|b")
    assert owner.acquire()
    for _ in range(10):
        clock.now += 5
        owner.keep()
        assert not waiter.acquire()


def test_a_lane_whose_counter_stands_still_is_taken_after_lease_and_timeout(connection, clock, settings):
    owner, waiter = Lease(connection.pk, "elsewhere|1|1|a"), Lease(connection.pk, "elsewhere|2|2|b")
    assert owner.acquire()
    assert not waiter.acquire()
    clock.now += settings.MUSTERBOOK["LEASE_S"] + 0.1
    assert not waiter.acquire()
    clock.now += connection.timeout_s
    assert waiter.acquire()


def test_an_owner_that_was_overtaken_learns_it(connection, clock):
    owner, waiter = Lease(connection.pk, "elsewhere|1|1|a"), Lease(connection.pk, "elsewhere|2|2|b")
    owner.acquire()
    waiter.acquire()
    clock.now += 100
    assert waiter.acquire()
    with pytest.raises(LaneLost):
        owner.keep()


def test_no_call_may_leave_after_the_lease_has_run_out(connection, clock, settings):
    owner = Lease(connection.pk, identity())
    owner.acquire()
    assert owner.send_before == clock.now + settings.MUSTERBOOK["LEASE_S"]


def test_a_lane_that_a_dead_thread_of_this_process_still_holds_is_taken_at_once(connection):
    owner = identity()
    first, second = Lease(connection.pk, owner), Lease(connection.pk, owner)
    assert first.acquire()
    assert second.acquire()
    assert second.token > first.token
    with pytest.raises(LaneLost):
        hold_in_transaction(connection, first)


def test_what_an_owner_left_that_gave_the_lane_back_is_known_not_to_be_on_its_way(connection):
    first, second, third = (Lease(connection.pk, identity()) for _ in range(3))
    first.acquire()
    first.release()
    second.acquire()
    assert second.token > first.token + 1
    Connection.objects.update(lane_owner="")
    third.acquire()
    assert third.token == second.token + 1
    assert third.owner_may_live_s > connection.timeout_s


def test_a_process_that_ended_and_is_not_waited_for_is_surely_dead():
    child = subprocess.Popen([sys.executable, "-c", "pass"])
    pid, started = child.pid, leases._started(child.pid)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    assert is_surely_dead(f"{leases._machine()}|{pid}|{started}|x")
    child.wait()


def test_a_process_of_this_machine_that_ended_is_surely_dead():
    script = "import os, sys; from membership.operations.lease import identity; print(identity())"
    bootstrap = f"import django; django.setup(); {script}"
    out = subprocess.run([sys.executable, "-c", bootstrap], capture_output=True, text=True, env={**os.environ})
    assert is_surely_dead(out.stdout.strip()), out.stderr


def test_this_process_is_not_dead_and_a_foreign_machine_cannot_be_judged():
    assert not is_surely_dead(identity())
    assert not is_surely_dead("elsewhere|1|1|a")
