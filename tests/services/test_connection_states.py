import pytest
from django.utils import timezone

from membership.errors import ChangeRefused, NotAllowed, Reason
from membership.models import AuditEntry, Change, Connection, Operation, Reading
from membership.operations import retiring
from membership.services import connections
from membership.services.changes import confirm_change
from membership.services.connection_states import begin_maintenance, retire
from membership.services.refresh import request_refresh
from membership.services.removal import draft_removal
from membership.vocab import AuditAction, ChangeState, ConnectionState, OperationState, ReadingState
from tests import mirrored as m


@pytest.fixture
def read_world(world):
    world.read()
    return world


def confirmed_removal(world, actor, label="Grace Hopper", group="Группа 2"):
    row = world.row(label, group)
    change = draft_removal(m.rows(row), actor=actor, selection=m.ids(row))
    return confirm_change(change, actor=actor, reason="left", expected_hash=change.plan_hash)


def fresh(row):
    return Connection.objects.get(pk=row.pk)


def entries(action):
    return AuditEntry.objects.filter(action=action)


# maintenance


def test_in_maintenance_changes_queue_and_nothing_is_sent_or_read(read_world, owner):
    begin_maintenance(read_world.kaiten, reason="moving house", actor=owner)
    change = confirmed_removal(read_world, owner)
    Connection.objects.update(next_reading_at=None)
    read_world.work()
    assert len(read_world.sandbox.kaiten.journal) == 0
    assert [step.state for step in read_world.steps(change)] == [OperationState.PLANNED]
    assert fresh(read_world.kaiten).state == ConnectionState.MAINTENANCE


def test_after_maintenance_what_waited_is_done(read_world, owner):
    begin_maintenance(read_world.kaiten, reason="moving house", actor=owner)
    change = confirmed_removal(read_world, owner)
    assert connections.resume(read_world.kaiten, actor=owner).works
    read_world.work()
    assert read_world.state_of(change) == ChangeState.DONE
    assert fresh(read_world.kaiten).state_reason == ""


def test_maintenance_is_recorded_with_its_reason(read_world, owner):
    begin_maintenance(read_world.kaiten, reason="moving house", actor=owner)
    entry = entries(AuditAction.CONNECTION_PAUSED).get()
    assert (entry.connection_id, entry.outcome) == (read_world.kaiten.pk, "maintenance")
    assert fresh(read_world.kaiten).state_params == {"by": "owner", "note": "moving house"}


@pytest.mark.parametrize("state", [ConnectionState.PAUSED, ConnectionState.MAINTENANCE, ConnectionState.RETIRED])
@pytest.mark.django_db
def test_only_a_working_system_goes_into_maintenance(owner, state):
    row = m.system(state=state)
    with pytest.raises(ChangeRefused):
        begin_maintenance(row, reason="moving house", actor=owner)
    assert fresh(row).state == state


@pytest.mark.parametrize("put", [begin_maintenance, retire])
@pytest.mark.django_db
def test_rest_and_retirement_need_a_reason_and_the_right(owner, operator, put):
    row = m.system()
    with pytest.raises(ChangeRefused):
        put(row, reason=" ", actor=owner)
    with pytest.raises(NotAllowed):
        put(row, reason="moving house", actor=operator)
    assert fresh(row).state == ConnectionState.ACTIVE
    assert entries(AuditAction.REQUEST_REFUSED).count() == 2


# retirement


def test_a_retired_system_has_no_secrets_and_its_history_is_kept(read_world, owner):
    retire(read_world.mudbase, reason="contract ended", actor=owner)
    row = fresh(read_world.mudbase)
    assert (row.state, row.secrets, row.session) == (ConnectionState.RETIRED, {}, {})
    assert row.groups.exists()
    assert row.accounts.exists()
    assert entries(AuditAction.CONNECTION_RETIRED).get().connection_id == row.pk


def test_what_waits_at_a_retired_system_is_cancelled_and_its_change_closed(read_world, owner):
    change = confirmed_removal(read_world, owner)
    Operation.objects.filter(change=change).update(state=OperationState.QUEUED)
    retire(read_world.kaiten, reason="contract ended", actor=owner)
    (step,) = read_world.steps(change)
    assert (step.state, step.outcome) == (OperationState.CANCELLED, Reason.SYSTEM_RETIRED)
    assert read_world.state_of(change) == ChangeState.DONE_WITH_FAILURES
    read_world.work()
    assert len(read_world.sandbox.kaiten.journal) == 0


@pytest.mark.parametrize("state", [OperationState.RUNNING, OperationState.IN_DOUBT])
def test_a_system_with_steps_under_way_is_not_retired(read_world, owner, state):
    change = confirmed_removal(read_world, owner)
    Operation.objects.filter(change=change).update(state=state)
    with pytest.raises(ChangeRefused) as refused:
        retire(read_world.kaiten, reason="contract ended", actor=owner)
    assert (refused.value.reason, refused.value.params["count"]) == (Reason.STEPS_UNDER_WAY, 1)
    row = fresh(read_world.kaiten)
    assert row.state == ConnectionState.ACTIVE
    assert row.secrets


def test_open_readings_of_a_retired_system_are_given_up(read_world, owner):
    (wanted,) = request_refresh(connections=[read_world.kaiten], actor=owner)
    retire(read_world.kaiten, reason="contract ended", actor=owner)
    found = Reading.objects.get(pk=wanted.pk)
    assert (found.state, found.reason) == (ReadingState.FAILED, Reason.SYSTEM_RETIRED)


def test_what_an_ended_process_left_at_a_retired_system_is_swept(read_world, owner):
    change = confirmed_removal(read_world, owner)
    Connection.objects.filter(pk=read_world.kaiten.pk).update(state=ConnectionState.RETIRED)
    read_world.work(retiring.sweep)
    assert read_world.state_of(change) == ChangeState.DONE_WITH_FAILURES
    assert not retiring.sweep()


def test_previews_are_not_cancelled_by_a_sweep(read_world, owner):
    row = read_world.row("Grace Hopper", "Группа 2")
    change = draft_removal(m.rows(row), actor=owner, selection=m.ids(row))
    retire(read_world.kaiten, reason="contract ended", actor=owner)
    assert [step.state for step in read_world.steps(change)] == [OperationState.PLANNED]
    with pytest.raises(ChangeRefused):
        confirm_change(change, actor=owner, reason="left", expected_hash=change.plan_hash)
    assert not Change.objects.filter(state__in=ChangeState.open()).exists()


@pytest.mark.django_db
def test_a_retired_system_is_neither_edited_nor_tested_nor_resumed(owner):
    row = m.system(state=ConnectionState.RETIRED, secrets={"token": "t"})
    for ask in (
        lambda: connections.edit(row, url="https://new.example.org", actor=owner),
        lambda: connections.test_connection(row, actor=owner),
        lambda: connections.resume(row, actor=owner),
        lambda: retire(row, reason="again", actor=owner),
    ):
        with pytest.raises(ChangeRefused) as refused:
            ask()
        assert refused.value.reason == Reason.SYSTEM_RETIRED
    assert fresh(row).state == ConnectionState.RETIRED


@pytest.mark.django_db
def test_stopping_a_retired_system_changes_nothing(owner):
    row = m.system(state=ConnectionState.RETIRED, state_since=timezone.now())
    with pytest.raises(ChangeRefused):
        connections.pause(row, reason="no", actor=owner)
    assert fresh(row).state == ConnectionState.RETIRED
