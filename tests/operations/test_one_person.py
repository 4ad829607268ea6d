"""A row whose account becomes known later: what was planned by the row and what by the account is about one person."""

from datetime import timedelta

import pytest

from membership.errors import Reason
from membership.models import Connection, Operation, Participant
from membership.operations import outbox
from membership.operations.compare import not_as_wished
from membership.plans import compile as plans
from membership.plans.wishes import Add, Remove, Update
from membership.vocab import ChangeKind, OperationState
from tests import steps
from tests.operations.conftest import confirm


@pytest.fixture
def unmatched(read_world):
    """José's row in the chess club, of which nobody knows yet whose it is."""
    return link(read_world.row("José Ñandú", "Chess club"), None)


@pytest.fixture
def jose(read_world):
    return read_world.account("José Ñandú", read_world.inwendo)


@pytest.fixture
def queue(read_world):
    return lambda: outbox.promote(read_world.inwendo.pk)


@pytest.fixture
def claim(read_world):
    def claim():
        lane = Connection.objects.get(pk=read_world.inwendo.pk)
        return [each.change_id for each in outbox.claim(lane.pk, lane.lane_token, 9)]

    return claim


def link(row, account):
    """As a reading links it: asked for everywhere where the account takes part."""
    Participant.objects.filter(pk=row.pk).update(account=account)
    return Participant.objects.select_related("group__connection", "account").get(pk=row.pk)


def step(change):
    return Operation.objects.get(change=change)


def states(*changes):
    return [(step(change).state, step(change).outcome) for change in changes]


def test_an_addition_asked_once_the_row_is_known_cancels_its_waiting_removal(read_world, unmatched, jose, queue):
    first = confirm(ChangeKind.REMOVAL, Remove(unmatched.pk))
    queue()
    link(unmatched, jose)
    second = confirm(ChangeKind.ADDITION, Add(jose.pk, unmatched.group_id, {}))
    assert (step(first).subject, step(second).subject) == ("row:72", f"account:{jose.remote_id}")
    read_world.work()
    assert read_world.sent()["inwendo"] == []
    assert states(first, second) == [
        (OperationState.CANCELLED, Reason.SUPERSEDED),
        (OperationState.NOT_NEEDED, Reason.ALREADY_SO),
    ]
    assert read_world.row("José Ñandú", "Chess club").is_present


def test_a_removal_by_the_row_cancels_the_waiting_addition_of_whom_it_turns_out_to_be(unmatched, jose, queue):
    first = steps.confirmed(steps.addition(unmatched.group, jose))
    queue()
    second = steps.confirmed(steps.removal(unmatched))
    link(unmatched, jose)
    queue()
    assert states(first, second) == [(OperationState.CANCELLED, Reason.SUPERSEDED), (OperationState.QUEUED, "")]


@pytest.mark.parametrize("begun", [OperationState.RUNNING, OperationState.IN_DOUBT, OperationState.FOREIGN])
def test_nothing_about_the_account_begins_while_its_row_is_worked_on(unmatched, jose, queue, claim, begun):
    first = steps.confirmed(steps.alteration(unmatched, is_muted=True))
    second = steps.confirmed(steps.alteration(link(unmatched, jose), is_muted=False, can_write=False))
    queue()
    queue()
    Operation.objects.filter(change=first).update(state=begun)
    assert claim() == []
    assert step(second).not_before is not None
    Operation.objects.filter(change=first).update(state=OperationState.CONFIRMED)
    Operation.objects.filter(change=second).update(not_before=None)
    assert claim() == [second.pk]


def test_nothing_about_the_row_begins_while_its_account_is_worked_on(unmatched, jose, queue, claim):
    first = steps.confirmed(steps.addition(unmatched.group, jose))
    second = steps.confirmed(steps.alteration(unmatched, is_muted=True))
    queue()
    queue()
    Operation.objects.filter(change=first).update(state=OperationState.IN_DOUBT)
    link(unmatched, jose)
    assert claim() == []
    assert step(second).not_before is not None


def test_the_wishes_of_somebody_known_meanwhile_are_sent_in_the_order_in_which_they_were_asked(
    read_world, unmatched, jose, monkeypatch
):
    monkeypatch.setattr(outbox, "BEHIND_ANOTHER", timedelta(seconds=0.1))
    first = steps.confirmed(steps.alteration(unmatched, is_muted=True))
    known = link(unmatched, jose)
    known.is_muted = True  # what the second was planned from
    second = steps.confirmed(steps.alteration(known, is_muted=False))
    read_world.work()
    assert states(first, second) == [(OperationState.CONFIRMED, "")] * 2
    assert read_world.sent()["inwendo"] == ["PUT /api/chat/chatroom_participant/72"] * 2
    assert not read_world.sandbox.inwendo.state.participants.get(72).is_muted


def test_what_was_asked_by_the_row_is_asked_already(unmatched, jose):
    change = confirm(ChangeKind.ALTERATION, Update(unmatched.pk, {"is_muted": True}))
    link(unmatched, jose)
    again = plans.plan([Update(unmatched.pk, {"is_muted": True})])
    assert [(refusal.reason, dict(refusal.params)) for _, refusal in again.left_out] == [
        (Reason.ALREADY_ASKED, {"change": change.pk})
    ]


def test_what_another_change_altered_since_is_not_held_against_a_row(unmatched, jose):
    first = steps.confirmed(steps.alteration(unmatched, is_muted=True))
    second = steps.confirmed(steps.alteration(link(unmatched, jose), is_muted=False))
    of_first = Operation.objects.filter(change=first)
    assert not_as_wished(of_first) == [step(first).pk]
    Operation.objects.filter(change=second).update(state=OperationState.CONFIRMED)
    assert not_as_wished(of_first) == []


def test_two_rows_of_whom_nobody_knows_do_not_wait_for_each_other(read_world, unmatched, queue, claim):
    zoe = link(read_world.row("Zoë Müller", "Chess club"), None)
    changes = [steps.confirmed(steps.alteration(row, is_muted=True)) for row in (unmatched, zoe)]
    queue()
    queue()
    assert claim() == [change.pk for change in changes]
