"""Several workers, of which one is stopped, killed, or robbed of its lane. What no lease can prevent is a process that
is stopped between its last check and the first byte: docs/operations.md."""

import signal
import time

import pytest
from django.db import connection

from membership.models import AuditEntry, Connection, Operation, Reading
from membership.operations.lease import identity
from membership.sandbox.faults import Fault
from membership.vocab import ConnectionState, OperationState, ReadingState
from tests import truth
from tests.operations.conftest import ask
from tests.world import GROUP_UID

pytestmark = pytest.mark.crash

LEASE_S = 0.4
IVAN_LEAVES = [f"DELETE /api/latest/groups/{GROUP_UID}/{name}/4" for name in ("admins", "users")]


class Office:
    """One system alone, with one step of two calls and a reading that is due."""

    def __init__(self, world):
        self.world = world
        self.kaiten = world.sandbox.kaiten
        world.read()
        kaiten = Connection.objects.filter(pk=world.kaiten.pk)
        Connection.objects.exclude(pk=world.kaiten.pk).update(state=ConnectionState.PAUSED)
        kaiten.update(timeout_s=0.5, settle_s=0.1, next_reading_at=None)
        self.change = ask(world.row("Иван Петров", "Группа 2"))
        connection.close()

    @property
    def step(self):
        return Operation.objects.get(change=self.change)

    @property
    def sent(self):
        return [entry.line for entry in truth.took_effect(self.kaiten)]

    def check(self):
        assert self.sent == IVAN_LEAVES
        assert self.step.state == OperationState.CONFIRMED
        assert not Reading.objects.filter(state__in=ReadingState.open()).exists()
        truth.check_log([self.step])


@pytest.fixture
def office(world):
    return Office(world)


def wait_until(holds, within_s=15):
    ends = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < ends
        time.sleep(0.02)


def stopped_at(start, point):
    worker = start(f"{point}:1:STOP", lease_s=LEASE_S)
    wait_until(lambda: worker.is_stopped)
    return worker


def overtake(office, start, stopped):
    """Another worker does the rest; then the stopped one goes on, and may do no harm."""
    start(lease_s=LEASE_S).finish()
    assert office.step.state == OperationState.CONFIRMED
    before = AuditEntry.objects.filter(operation_id=office.step.pk).count()
    stopped.go_on()
    stopped.finish()
    assert AuditEntry.objects.filter(operation_id=office.step.pk).count() == before
    office.check()


@pytest.mark.parametrize("point", ["claim.committed", "send.before_look", "send.before"])
def test_a_worker_stopped_before_its_check_and_continued_too_late_sends_nothing(office, start, point):
    overtake(office, start, stopped_at(start, point))


@pytest.mark.parametrize("point", ["send.answered", "send.judged", "settle.before"])
def test_a_late_result_is_refused_by_the_lanes_token(office, start, point):
    worker = stopped_at(start, point)
    assert len(office.sent) == 1
    overtake(office, start, worker)


@pytest.mark.parametrize(
    "point", ["lane.taken", "claim.before", "calls.next", "reading.begun", "reading.groups", "reading.finishing"]
)
def test_a_worker_that_comes_back_anywhere_finds_that_the_lane_is_not_its_own(office, start, point):
    overtake(office, start, stopped_at(start, point))


@pytest.mark.parametrize("point", ["resolve.before", "resolve.read"])
def test_what_an_overtaken_worker_read_back_decides_nothing(office, start, point):
    office.kaiten.faults.add(Fault("lost_answer", method="DELETE", times=1))
    overtake(office, start, stopped_at(start, point))


@pytest.mark.parametrize("point", ["renewal.begun", "renewal.answered"])
def test_a_renewal_that_is_overtaken_leaves_the_tokens_of_the_new_owner(world, start, point):
    world.read()
    Connection.objects.exclude(pk=world.mudbase.pk).update(state=ConnectionState.PAUSED)
    Connection.objects.filter(pk=world.mudbase.pk).update(timeout_s=0.5, settle_s=0.1)
    world.sandbox.mudbase.state.revoke_all()
    change = ask(world.row("Zoë Müller", "Trainers"))
    connection.close()
    worker = stopped_at(start, point)
    start(lease_s=LEASE_S).finish()
    renewed = Connection.objects.get(pk=world.mudbase.pk)
    worker.go_on()
    worker.finish()
    now = Connection.objects.get(pk=world.mudbase.pk)
    assert now.session == renewed.session
    assert (now.state, now.renewing_since) == (ConnectionState.ACTIVE, None)
    assert [step.state for step in world.steps(change)] == [OperationState.CONFIRMED]


def test_a_worker_that_starts_again_takes_up_its_predecessors_lane_at_once(office, start):
    began = time.monotonic()
    assert start("send.answered:1", lease_s=30).wait() == -signal.SIGKILL
    start(lease_s=30).finish()
    assert time.monotonic() - began < 15
    office.check()


def test_a_worker_under_the_name_of_one_that_still_runs_is_told_apart_by_its_token(office, start):
    first = start("send.answered:1:STOP", lease_s=LEASE_S, name="office-worker")
    wait_until(lambda: first.is_stopped)
    start(lease_s=LEASE_S, name="office-worker").finish()
    first.go_on()
    first.finish()
    office.check()


def test_no_two_workers_have_the_same_name():
    assert len({identity() for _ in range(10)}) == 10


def test_workers_side_by_side_do_each_step_once(office, start):
    workers = [start(lease_s=LEASE_S) for _ in range(3)]
    for worker in workers:
        worker.finish()
    office.check()


def test_a_lane_that_vanished_from_its_owner_is_not_sent_twice(office, start):
    """Its call is still on the way when somebody else takes the lane: longer than the lease, shorter than a timeout."""
    office.kaiten.faults.add(Fault("latency", method="DELETE", seconds=0.45, times=1))
    first = start(lease_s=LEASE_S)
    assert office.kaiten.journal.wait(lambda entries: any(entry.is_write for entry in entries))
    Connection.objects.update(lane_owner="")
    connection.close()
    start(lease_s=LEASE_S).finish()
    first.finish()
    office.check()


def test_a_worker_whose_lane_vanished_before_it_sent_gives_up_and_another_does_it(office, start):
    worker = stopped_at(start, "claim.before")
    Connection.objects.update(lane_owner="")
    connection.close()
    overtake(office, start, worker)


def test_a_recovery_that_is_itself_killed_and_then_stopped_ends_well(office, start):
    for plan in ("send.answered:1", "recover.inside:1", "recover.written:1", "lane.recovered:1", "resolve.inside:1"):
        assert start(plan, lease_s=LEASE_S).wait() == -signal.SIGKILL, plan
    overtake(office, start, stopped_at(start, "resolve.read"))
