import signal
import time

import pytest
from django.db import connection

from membership.audit import verify
from membership.models import AuditEntry, Participant
from membership.sandbox.faults import Fault
from membership.vocab import AuditAction, ChangeState, OperationState
from tests.operations.conftest import ask
from tests.processes import finish, kill, start_worker

pytestmark = pytest.mark.crash

FINAL = {
    AuditAction.OPERATION_CONFIRMED,
    AuditAction.OPERATION_REFUSED,
    AuditAction.OPERATION_NOT_NEEDED,
    AuditAction.OPERATION_SUPERSEDED,
    AuditAction.OPERATION_OVERTAKEN,
}


def final_entries(change):
    return list(AuditEntry.objects.filter(change_id=change.pk, action__in=FINAL).values_list("action", flat=True))


@pytest.fixture
def read_world(world):
    world.read()
    connection.close()
    return world


@pytest.fixture
def start():
    """Starts workers, and leaves none behind."""
    started = []

    def begin(*arguments):
        started.append(start_worker(*arguments))
        return started[-1]

    yield begin
    for process in started:
        if process.poll() is None:
            kill(process)
        process.stdout.close()


def test_a_worker_killed_between_sending_and_recording_sends_nothing_twice(read_world, start):
    kaiten = read_world.sandbox.kaiten
    kaiten.faults.add(Fault("hang", method="DELETE", effect=True, times=1))
    change = ask(read_world.row("Ada Lovelace", "Группа 2"))
    worker = start()
    assert kaiten.journal.wait(lambda entries: any(entry.is_write for entry in entries), 20)
    kill(worker)
    assert [step.state for step in read_world.steps(change)] == [OperationState.RUNNING]

    finish(start("--until-idle"))
    assert len(kaiten.journal.written) == 1
    assert [step.state for step in read_world.steps(change)] == [OperationState.CONFIRMED]
    assert final_entries(change) == [AuditAction.OPERATION_CONFIRMED]
    assert read_world.state_of(change) == ChangeState.DONE
    assert verify.verify().is_whole


def test_a_worker_killed_before_the_remote_acted_sends_it_again_after_reading(read_world, start):
    mudbase = read_world.sandbox.mudbase
    mudbase.faults.add(Fault("hang", method="DELETE", effect=False, times=1))
    change = ask(read_world.row("Ada Lovelace", "Trainers"))
    worker = start()
    assert mudbase.journal.wait(lambda entries: any(entry.is_write for entry in entries), 20)
    kill(worker)

    finish(start("--until-idle"))
    assert len(mudbase.journal.written) == 2
    assert [step.state for step in read_world.steps(change)] == [OperationState.CONFIRMED]
    assert final_entries(change) == [AuditAction.OPERATION_CONFIRMED]
    assert verify.verify().is_whole


def test_a_worker_killed_amid_many_settles_each_exactly_once(read_world, start):
    state = read_world.sandbox.kaiten.state
    group = state.add_group("Large").uid
    users = [state.add_user(f"Member {n}").id for n in range(60)]
    for user in users:
        state.add_member(group, user)
    read_world.read()
    rows = list(Participant.objects.filter(group__name="Large"))
    read_world.sandbox.kaiten.faults.add(Fault("latency", method="DELETE", seconds=0.05))
    change = ask(*rows)
    connection.close()
    worker = start()
    assert read_world.sandbox.kaiten.journal.wait(lambda entries: sum(e.is_write for e in entries) > 20, 20)
    kill(worker)

    finish(start("--until-idle"))
    assert {step.state for step in read_world.steps(change)} == {OperationState.CONFIRMED}
    assert sorted(final_entries(change)) == [AuditAction.OPERATION_CONFIRMED] * 60
    assert state.members(group) == []
    written = read_world.sandbox.kaiten.journal.written
    assert len(written) == len(set(written)) == 60
    assert verify.verify().is_whole


def test_a_worker_that_is_told_to_stop_leaves_nothing_in_doubt(read_world, start):
    state = read_world.sandbox.kaiten.state
    group = state.add_group("Large").uid
    for n in range(40):
        state.add_member(group, state.add_user(f"Member {n}").id)
    read_world.read()
    read_world.sandbox.kaiten.faults.add(Fault("latency", method="DELETE", seconds=0.1))
    change = ask(*Participant.objects.filter(group__name="Large"))
    connection.close()
    worker = start()
    assert read_world.sandbox.kaiten.journal.wait(lambda entries: sum(e.is_write for e in entries) > 5, 20)
    began = time.monotonic()
    worker.send_signal(signal.SIGTERM)
    worker.communicate(timeout=15)
    assert time.monotonic() - began < 10
    states = {step.state for step in read_world.steps(change)}
    assert states <= {OperationState.CONFIRMED, OperationState.QUEUED, OperationState.PLANNED}
