import pytest

from membership.errors import BadValue, ChangeRefused, NotAllowed, Reason
from membership.models import Change, Operation
from membership.services.change_pages import left_outs
from membership.services.changes import cancel_rest, decide_foreign, draft_retry, recompile, throw_away
from membership.services.removal import draft_removal, draft_removal_everywhere
from membership.vocab import AuditAction, ChangeKind, ChangeState, OperationState, Role
from tests import mirrored as m
from tests.services.asking import assert_refused, confirm, draft, entries, gone, made_manager

pytestmark = pytest.mark.django_db


@pytest.fixture
def chess(office):
    return m.group("Chess", office)


@pytest.fixture
def ada(office, chess):
    return m.participant(m.account("Ada", office), chess)


@pytest.fixture
def bea(office, chess):
    return m.participant(m.account("Bea", office), chess)


# another preview


def test_a_stale_preview_is_planned_anew_from_what_it_held(vera, ada, bea, office, chess):
    change = draft_removal(m.rows(ada, bea), actor=vera, selection={"kind": "query", "query": "group=chess"})
    gone(ada)
    with pytest.raises(ChangeRefused):
        confirm(change, vera)
    m.participant(m.account("New member", office), chess)
    again = recompile(change, actor=vera)
    assert [step.subject_label for step in again.operations.all()] == ["Bea"]
    assert [(row.subject_label, row.reason) for row in left_outs(again)] == [("Ada", Reason.ALREADY_GONE)]
    assert again.pk != change.pk and again.state == ChangeState.DRAFT


def test_what_was_left_out_of_a_stale_preview_of_chosen_rows_gets_another_chance(vera, ada, bea):
    asked = confirm(draft(vera, ada), vera)
    change = draft(vera, ada, bea)
    Operation.objects.filter(change=asked).update(state=OperationState.REFUSED)
    throw_away(change, actor=vera)
    assert [step.subject_label for step in recompile(change, actor=vera).operations.all()] == ["Ada", "Bea"]


def test_a_stale_everywhere_is_asked_anew(vera, ada):
    person = m.person("Ada", ada.account)
    change = draft_removal_everywhere(person=person, actor=vera)
    throw_away(change, actor=vera)
    again = recompile(change, actor=vera)
    assert (again.kind, again.selection) == (ChangeKind.REMOVAL_EVERYWHERE, change.selection)


def test_a_preview_that_can_be_confirmed_or_was_is_not_planned_anew(vera, ada):
    change = draft(vera, ada)
    assert_refused(Reason.NOT_A_DRAFT, recompile, change, actor=vera)
    confirm(change, vera)
    with pytest.raises(ChangeRefused):
        recompile(change, actor=vera)


# throwing away, cancelling


def test_a_preview_thrown_away_can_no_longer_be_confirmed(vera, ada):
    change = throw_away(draft(vera, ada), actor=vera)
    assert [step.state for step in change.operations.all()] == [OperationState.CANCELLED]
    assert entries(AuditAction.CHANGE_CANCELLED).get().outcome == "thrown_away"
    assert_refused(Reason.NOT_A_DRAFT, confirm, change, vera)
    assert_refused(Reason.NOT_A_DRAFT, throw_away, change, actor=vera)


def test_cancelling_the_rest_leaves_what_has_begun(vera, ada, bea):
    change = confirm(draft(vera, ada, bea), vera)
    Operation.objects.filter(change=change, position=0).update(state=OperationState.RUNNING)
    change = cancel_rest(change, actor=vera)
    assert [step.state for step in change.operations.order_by("position")] == ["running", "cancelled"]
    assert change.cancel_wanted_at is not None and change.state in ChangeState.open()
    (found,) = entries(AuditAction.CHANGE_CANCELLED)
    assert (found.outcome, '"cancelled":1' in found.sealed) == ("rest", True)


def test_cancelling_before_anything_began_ends_the_change(vera, ada):
    change = cancel_rest(confirm(draft(vera, ada), vera), actor=vera)
    assert change.state == ChangeState.CANCELLED


def test_cancelling_twice_is_one_entry(vera, ada):
    change = confirm(draft(vera, ada), vera)
    Operation.objects.filter(change=change).update(state=OperationState.RUNNING)
    cancel_rest(change, actor=vera)
    cancel_rest(change, actor=vera)
    assert entries(AuditAction.CHANGE_CANCELLED).count() == 1


def test_what_does_not_run_cannot_be_cancelled(vera, ada):
    assert_refused(Reason.NOT_RUNNING, cancel_rest, draft(vera, ada), actor=vera)


# trying again


def finished(vera, *rows, states):
    change = confirm(draft(vera, *rows), vera)
    for position, state in enumerate(states):
        Operation.objects.filter(change=change, position=position).update(state=state)
    Change.objects.filter(pk=change.pk).update(state=ChangeState.DONE_WITH_FAILURES)
    change.refresh_from_db()
    return change


def test_only_what_failed_is_tried_again_in_a_change_of_its_own(vera, office, chess):
    rows = [m.participant(m.account(f"N{n}", office), chess) for n in range(4)]
    states = ["refused", "confirmed", "overtaken", "cancelled"]
    change = finished(vera, *rows, states=states)
    again = draft_retry(change, actor=vera)
    assert [step.subject_label for step in again.operations.all()] == ["N0", "N2", "N3"]
    assert (again.kind, again.retry_of, again.state) == (ChangeKind.RETRY, change, ChangeState.DRAFT)
    assert list(change.operations.order_by("position").values_list("state", flat=True)) == states


def test_a_retry_goes_by_the_mirror_as_it_is_now(vera, ada, bea):
    change = finished(vera, ada, bea, states=["refused", "refused"])
    gone(ada)
    made_manager(bea)
    again = draft_retry(change, actor=vera)
    assert [(row.subject_label, row.reason) for row in left_outs(again)] == [
        ("Ada", Reason.ALREADY_GONE),
        ("Bea", Reason.LAST_MANAGER),
    ]


def test_a_change_without_failures_has_nothing_to_try_again(vera, ada):
    change = finished(vera, ada, states=["confirmed"])
    assert_refused(Reason.NOTHING_TO_RETRY, draft_retry, change, actor=vera)


# decisions


@pytest.fixture
def foreign(vera, ada):
    change = confirm(draft(vera, ada), vera)
    change.operations.update(state=OperationState.FOREIGN, found={"is_member": True, "is_manager": True, "fits": True})
    Change.objects.filter(pk=change.pk).update(state=ChangeState.RUNNING)
    return change.operations.get()


@pytest.mark.parametrize(
    ("decision", "state", "change_state"),
    [
        ("accept", OperationState.CONFIRMED, ChangeState.DONE),
        ("again", OperationState.QUEUED, ChangeState.RUNNING),
        ("leave", OperationState.CANCELLED, ChangeState.DONE_WITH_FAILURES),
    ],
)
def test_a_decision_settles_the_step_and_is_recorded(vera, foreign, decision, state, change_state):
    step = decide_foreign(foreign, decision, actor=vera)
    assert (step.state, Change.objects.get().state) == (state, change_state)
    (found,) = entries(AuditAction.OPERATION_DECIDED)
    assert (found.actor_id, found.outcome, found.chain) == (vera.pk, decision, f"connection:{step.connection_id}")
    assert (found.operation_id, found.change_id, found.group_id) == (step.pk, step.change_id, step.group_id)


def test_only_a_foreign_step_waits_for_a_decision(vera, foreign):
    decide_foreign(foreign, "accept", actor=vera)
    with pytest.raises(ChangeRefused) as refused:
        decide_foreign(foreign, "leave", actor=vera)
    assert refused.value.reason == Reason.NOT_FOREIGN


def test_an_unknown_decision_or_one_without_the_right_is_refused(vera, foreign):
    with pytest.raises(BadValue):
        decide_foreign(foreign, "explode", actor=vera)
    with pytest.raises(NotAllowed):
        decide_foreign(foreign, "accept", actor=m.user("tom", Role.VIEWER))
    assert Operation.objects.get().state == OperationState.FOREIGN
    assert entries(AuditAction.REQUEST_REFUSED).count() == 2
