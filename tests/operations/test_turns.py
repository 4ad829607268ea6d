"""Whose turn it is: small changes first, one person's wishes in order, opposite ones cancel out."""

from datetime import timedelta

import pytest

from membership.audit import verify
from membership.errors import Reason
from membership.models import AuditEntry, Change, Connection, Operation, Participant
from membership.operations import outbox
from membership.plans import compile as plans
from membership.plans.wishes import Add, Remove
from membership.vocab import AuditAction, ChangeKind, ChangeState, OperationState
from tests.operations.conftest import ask, confirm
from tests.world import GROUP_UID

SMALL_UID = "9f0c0003-0000-4000-8000-000000000003"


def add(world, row):
    return confirm(ChangeKind.ADDITION, Add(row.account_id, row.group_id, {}))


def remove(row):
    return confirm(ChangeKind.REMOVAL, Remove(row.pk))


def states(change):
    return [(step.state, step.outcome) for step in Operation.objects.filter(change=change)]


def superseded():
    return list(
        AuditEntry.objects.filter(action=AuditAction.OPERATION_SUPERSEDED).values_list("operation_id", flat=True)
    )


@pytest.fixture
def ada(read_world):
    return read_world.row("Ada Lovelace", "Группа 2")


@pytest.fixture
def queue(read_world):
    return lambda: outbox.promote(read_world.kaiten.pk)


def test_a_small_change_goes_before_the_rest_of_a_large_one(world):
    state = world.sandbox.kaiten.state
    many = [state.add_user(f"Person {number}") for number in range(60)]
    state.add_group("Small", uid=SMALL_UID)
    for user in many:
        state.add_member(GROUP_UID, user.id)
    for user in many[:2]:
        state.add_member(SMALL_UID, user.id)
    world.read()
    Connection.objects.filter(pk=world.kaiten.pk).update(concurrency=1)
    large = ask(*Participant.objects.filter(group__remote_id=GROUP_UID, label__startswith="Person"))
    assert outbox.promote(world.kaiten.pk)
    small = ask(*Participant.objects.filter(group__remote_id=SMALL_UID))
    world.work(timeout_s=60)
    sent = [line.split("/")[4] for line in world.sent()["kaiten"]]
    assert sent[:2] == [SMALL_UID] * 2
    assert len(sent) == 62
    assert {world.state_of(large), world.state_of(small)} == {ChangeState.DONE}


def test_an_addition_asked_while_the_removal_waits_cancels_it(read_world, ada, queue):
    first = remove(ada)
    queue()
    second = add(read_world, ada)
    read_world.work()
    assert read_world.sent()["kaiten"] == []
    assert states(first) == [(OperationState.CANCELLED, Reason.SUPERSEDED)]
    assert states(second) == [(OperationState.NOT_NEEDED, Reason.ALREADY_SO)]
    assert superseded() == [Operation.objects.get(change=first).pk]
    assert read_world.state_of(first) == ChangeState.DONE_WITH_FAILURES
    assert read_world.state_of(second) == ChangeState.DONE
    ada.refresh_from_db()
    assert ada.is_present
    assert verify.verify().is_whole


def test_a_removal_asked_while_the_addition_waits_cancels_it(read_world, ada, queue):
    remove(ada)
    read_world.work()
    read_world.sandbox.kaiten.journal.clear()
    first = add(read_world, ada)
    queue()
    second = remove(ada)
    read_world.work()
    assert read_world.sent()["kaiten"] == []
    assert states(first) == [(OperationState.CANCELLED, Reason.SUPERSEDED)]
    assert states(second) == [(OperationState.NOT_NEEDED, Reason.ALREADY_GONE)]


def test_what_has_begun_is_not_cancelled_and_the_newer_wish_waits_for_it(read_world, ada, queue, monkeypatch):
    monkeypatch.setattr(outbox, "BEHIND_ANOTHER", timedelta(seconds=0.2))
    first = remove(ada)
    queue()
    Operation.objects.filter(change=first).update(state=OperationState.RUNNING, lane_token=-1)
    second = add(read_world, ada)
    queue()
    assert states(first) == [(OperationState.RUNNING, "")]
    assert not superseded()
    assert states(second) == [(OperationState.QUEUED, "")]
    read_world.work()
    assert states(first)[0][0] == OperationState.CONFIRMED
    assert states(second)[0][0] == OperationState.CONFIRMED
    assert read_world.sent()["kaiten"] == [
        f"DELETE /api/latest/groups/{GROUP_UID}/users/3",
        f"POST /api/latest/groups/{GROUP_UID}/users",
    ]


def test_the_same_wish_is_refused_and_the_opposite_may_be_planned(read_world, ada):
    change = remove(ada)
    again = plans.plan([Remove(ada.pk)])
    assert [(refusal.reason, dict(refusal.params)) for _, refusal in again.left_out] == [
        (Reason.ALREADY_ASKED, {"change": change.pk})
    ]
    opposite = plans.plan([Add(ada.account_id, ada.group_id, {})])
    assert len(opposite.kept) == 1
    add(read_world, ada)
    assert [refusal.reason for _, refusal in plans.plan([Add(ada.account_id, ada.group_id, {})]).left_out] == [
        Reason.ALREADY_ASKED
    ]


def test_an_older_wish_never_cancels_a_newer_one(read_world, ada, queue):
    first = remove(ada)
    second = add(read_world, ada)
    Change.objects.filter(pk=first.pk).update(state=ChangeState.DRAFT)
    queue()
    Change.objects.filter(pk=first.pk).update(state=ChangeState.QUEUED)
    queue()
    assert not superseded()
    assert {states(first)[0][0], states(second)[0][0]} == {OperationState.QUEUED}
