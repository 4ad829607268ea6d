import pytest
from django.utils import timezone

from membership.audit import verify
from membership.errors import ChangeRefused, NotAllowed, Reason
from membership.models import AuditEntry, Change, Connection, Operation, Reading
from membership.operations import retiring
from membership.sandbox.faults import Fault
from membership.services import connections, way_back
from membership.services.alteration import draft_alteration
from membership.services.changes import confirm_change
from membership.services.connection_states import begin_maintenance, retire
from membership.services.overview import LATELY, overview
from membership.services.refresh import request_refresh
from membership.services.removal import draft_removal
from membership.services.step_words import Outcome, outcome
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


@pytest.fixture
def half_done(read_world, operator):
    """Zoë is out of the Mudbase chat, in which she was to come back as admin: the token is not accepted any more."""
    row = read_world.row("Zoë Müller", "Trainers")
    draft = draft_alteration(m.rows(row), {"is_manager": True}, actor=operator, selection=m.ids(row))
    change = confirm_change(draft, actor=operator, reason="captain", expected_hash=draft.plan_hash)
    refused = {"status": 401, "body": {"error": "unauthorized"}}
    read_world.sandbox.mudbase.faults.add(Fault("status", method="POST", path_contains="participants", **refused))
    read_world.work()
    (step,) = read_world.steps(change)
    assert (step.state, step.calls_done) == (OperationState.QUEUED, 1)
    assert fresh(read_world.mudbase).state == ConnectionState.PAUSED
    return step


def test_what_is_half_done_when_its_system_is_retired_says_so(read_world, half_done, owner, operator):
    retire(read_world.mudbase, reason="contract ended", actor=owner)
    step = Operation.objects.get(pk=half_done.pk)
    assert (step.state, step.outcome) == (OperationState.REFUSED, Reason.SYSTEM_RETIRED)
    assert step.outcome_params == {"system": "Club app", "half_done": True}
    assert read_world.state_of(step.change) == ChangeState.DONE_WITH_FAILURES
    assert overview(operator).half_done == [step]
    assert outcome(step, timezone.now()) == Outcome(
        "half done",
        "bad",
        "Half done: 1 of 2 calls. Club app is retired: it is only kept for its history."
        " It can only be put back over there.",
    )
    entry = entries(AuditAction.OPERATION_REFUSED).get(operation_id=step.pk)
    assert (entry.outcome, entry.connection_id) == (Reason.SYSTEM_RETIRED, read_world.mudbase.pk)
    assert '"half_done":true' in entry.sealed
    assert verify.verify().is_whole


def test_what_is_half_done_in_a_retired_system_has_no_way_back_and_leaves_the_overview(
    read_world, half_done, owner, operator
):
    retire(read_world.mudbase, reason="contract ended", actor=owner)
    step = Operation.objects.get(pk=half_done.pk)
    with pytest.raises(ChangeRefused) as refused:
        way_back.draft_way_back(step, actor=operator)
    assert refused.value.reason == Reason.SYSTEM_RETIRED
    Operation.objects.filter(pk=step.pk).update(settled_at=timezone.now() - LATELY)
    assert overview(operator).half_done == []


def test_what_waits_for_a_decision_after_a_call_was_done_is_half_done_too(read_world, half_done, owner):
    Operation.objects.filter(pk=half_done.pk).update(state=OperationState.FOREIGN)
    retire(read_world.mudbase, reason="contract ended", actor=owner)
    assert way_back.is_half_done(Operation.objects.get(pk=half_done.pk))


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
