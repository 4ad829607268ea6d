"""Nothing is sent that is not in the plan that somebody asked for, whatever stands in the rows."""

import pytest
from django.utils import timezone

from membership.errors import ChangeRefused, Reason
from membership.models import AuditEntry, Change, Operation
from membership.operations import exactly
from membership.plans import hashing, standing
from membership.services.again import draft_retry
from membership.vocab import AuditAction, ChangeState, OperationState, Role
from tests import mirrored as m
from tests.operations.conftest import ask
from tests.world import GROUP_UID

OTHER = [{"method": "DELETE", "path": ["api", "latest", "groups", GROUP_UID, "users", "4"]}]


@pytest.fixture(autouse=True)
def nothing_remembered():
    exactly._known.clear()


@pytest.fixture
def change(read_world):
    return ask(read_world.row("Ada Lovelace", "Группа 2"), read_world.row("Zoë Müller", "Trainers"))


def of_kaiten(change):
    return Operation.objects.filter(change=change, connection__provider="kaiten")


def ends(world, change):
    world.work()
    return {op.connection.provider: (op.state, op.outcome) for op in change.operations.select_related("connection")}


def is_refused(world, change):
    assert ends(world, change)["kaiten"] == (OperationState.REFUSED, Reason.NOT_IN_PLAN)
    assert world.sent()["kaiten"] == []
    found = AuditEntry.objects.get(action=AuditAction.OPERATION_ALTERED, connection_id=world.kaiten.pk)
    assert (found.outcome, found.change_id) == (Reason.NOT_IN_PLAN, change.pk)
    assert world.state_of(change) == ChangeState.DONE_WITH_FAILURES
    return True


@pytest.mark.parametrize(
    "altered",
    [{"calls": OTHER}, {"before": {"is_present": True}}, {"subject": "account:4"}, {"position": 7}],
    ids=lambda altered: next(iter(altered)),
)
def test_an_altered_row_is_not_sent_and_the_others_are(read_world, change, altered):
    exactly.learn([(change.pk, change.plan_hash)])
    of_kaiten(change).update(**altered)
    assert is_refused(read_world, change)
    assert len(read_world.sent()["mudbase"]) == 1


def test_a_row_whose_digest_was_rewritten_is_found_out_by_what_is_remembered(read_world, change):
    exactly.learn([(change.pk, change.plan_hash)])
    of_kaiten(change).update(calls=OTHER)
    step = of_kaiten(change).select_related("group", "connection").get()
    of_kaiten(change).update(digest=hashing.digest(step))
    assert is_refused(read_world, change)
    assert len(read_world.sent()["mudbase"]) == 1


def test_a_plan_rewritten_with_all_its_hashes_is_not_the_one_in_the_log(read_world, change):
    of_kaiten(change).update(calls=OTHER)
    step = of_kaiten(change).select_related("group", "connection").get()
    of_kaiten(change).update(digest=hashing.digest(step))
    Change.objects.filter(pk=change.pk).update(plan_hash=standing.stored_hash(change))
    assert is_refused(read_world, change)
    assert read_world.sent()["mudbase"] == []


def test_a_step_put_into_a_plan_spoils_the_plan(read_world, change):
    step = of_kaiten(change).get()
    step.pk, step.position, step.calls, step.subject = None, 9, OTHER, "account:4"
    step.save()
    read_world.work()
    assert set(change.operations.values_list("outcome", flat=True)) == {Reason.NOT_IN_PLAN}
    assert read_world.sent() == {"inwendo": [], "mudbase": [], "kaiten": []}


def test_a_change_that_nobody_asked_for_is_not_sent(read_world):
    change = ask(read_world.row("Ada Lovelace", "Группа 2"))
    forged = Change.objects.create(
        kind=change.kind, state=ChangeState.QUEUED, created_at=timezone.now(), plan_hash=change.plan_hash
    )
    Operation.objects.filter(change=change).update(change=forged)
    assert is_refused(read_world, forged)


def test_what_was_altered_cannot_be_tried_again(read_world, change):
    of_kaiten(change).update(calls=OTHER)
    assert is_refused(read_world, change)
    with pytest.raises(ChangeRefused) as refused:
        draft_retry(change, actor=m.user("vera", Role.OPERATOR))
    assert refused.value.reason == Reason.NOTHING_TO_RETRY


def test_a_plan_as_it_was_asked_for_is_sent_and_remembered_once(read_world, change, django_assert_num_queries):
    assert set(ends(read_world, change).values()) == {(OperationState.CONFIRMED, "")}
    with django_assert_num_queries(0):
        assert len(exactly.learn([(change.pk, change.plan_hash)])[change.pk]) == 2
