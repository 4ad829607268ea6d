import pytest

from membership.errors import NotAllowed, Reason
from membership.models import Operation, Participant
from membership.services import titles
from membership.services.change_pages import left_outs
from membership.services.changes import draft_retry, recompile
from membership.services.transfer import draft_transfer
from membership.vocab import ChangeKind, ChangeState, OperationState
from tests import mirrored as m
from tests.services.asking import assert_refused, confirm, gone

pytestmark = pytest.mark.django_db


@pytest.fixture
def room(nord):
    return m.group("Room", nord)


@pytest.fixture
def target(nord):
    return m.group("Target", nord)


@pytest.fixture
def ada(nord, room):
    return m.participant(m.account("Ada", nord), room, is_muted=True, can_write=True)


def transfer(actor, target, *rows, keep=False):
    return draft_transfer(m.rows(*rows), target, keep=keep, actor=actor, selection=m.ids(*rows))


def does(change):
    return [(step.verb, step.subject_label, step.group.name) for step in change.operations.order_by("position")]


def left(change):
    return sorted((row.subject_label, row.group.name, row.reason) for row in left_outs(change))


def test_a_move_joins_first_with_the_rights_and_leaves_then(vera, target, ada):
    change = transfer(vera, target, ada)
    assert does(change) == [("add", "Ada", "Target"), ("remove", "Ada", "Room")]
    assert change.operations.first().wanted == {"is_present": True, "is_muted": True}
    assert (change.kind, titles.title(change)) == (ChangeKind.MOVE, "Move 1 person to Target")


def test_a_copy_stays_where_it_was(vera, target, ada):
    change = transfer(vera, target, ada, keep=True)
    assert does(change) == [("add", "Ada", "Target")]
    assert (change.kind, titles.title(change)) == (ChangeKind.COPY, "Copy 1 person to Target")


def test_a_manager_stays_manager(vera, room, nord, target):
    m.participant(m.account("Other", nord), room, is_manager=True)
    boss = m.participant(m.account("Boss", nord), room, is_manager=True)
    assert transfer(vera, target, boss).operations.first().wanted == {"is_present": True, "is_manager": True}


def test_who_is_manager_in_the_target_is_not_demoted_by_a_move(vera, target, ada):
    Participant.objects.filter(pk=ada.pk).update(is_muted=False)
    m.participant(ada.account, target, is_manager=True, is_muted=False)
    change = transfer(vera, target, ada)
    assert does(change) == [("remove", "Ada", "Room")]
    assert left(change) == [("Ada", "Target", Reason.ALREADY_SO)]


def test_a_move_to_where_one_is_does_nothing(vera, room, ada):
    change = transfer(vera, room, ada)
    assert (does(change), left(change)) == ([], [("Ada", "Room", Reason.ALREADY_SO)])
    assert titles.title(change) == "Nobody to move"


def test_nobody_moves_to_another_system(vera, ada):
    there = m.group("Chat", m.system("Club", "mudbase"))
    assert left(transfer(vera, there, ada)) == [("Ada", "Chat", Reason.ACCOUNT_ELSEWHERE)]


def test_a_row_of_which_the_account_is_not_known_stays(vera, room, target):
    somebody = m.participant("Somebody", room)
    assert left(transfer(vera, target, somebody)) == [("Somebody", "Target", Reason.ACCOUNT_NOT_KNOWN)]


def test_who_is_gone_is_neither_moved_nor_copied(vera, target, ada):
    gone(ada)
    for keep in (True, False):
        assert left(transfer(vera, target, ada, keep=keep)) == [("Ada", "Target", Reason.ALREADY_GONE)]


def test_the_last_manager_stays_and_does_not_join_either(vera, room, nord, target):
    boss = m.participant(m.account("Boss", nord), room, is_manager=True)
    change = transfer(vera, target, boss)
    assert does(change) == []
    assert left(change) == [("Boss", "Room", Reason.LAST_MANAGER), ("Boss", "Target", Reason.MOVE_INCOMPLETE)]


def test_somebody_moved_from_two_groups_joins_once_and_leaves_both(vera, nord, target, ada):
    again = m.participant(ada.account, m.group("Second", nord))
    assert does(transfer(vera, target, ada, again)) == [
        ("add", "Ada", "Target"),
        ("remove", "Ada", "Room"),
        ("remove", "Ada", "Second"),
    ]


def test_a_target_that_vanished_meanwhile_leaves_everybody_where_they_are(vera, target, ada):
    change = transfer(vera, target, ada)
    target.is_present = False
    target.save()
    assert_refused(Reason.PLAN_STALE, confirm, change, vera)
    change.refresh_from_db()
    assert does(recompile(change, actor=vera)) == []


def test_a_move_of_a_query_is_planned_anew_from_its_rows(vera, target, ada):
    rows = Participant.objects.filter(label="Ada")
    change = draft_transfer(rows, target, keep=False, actor=vera, selection={"kind": "query", "query": "q=Ada"})
    change.state = ChangeState.STALE
    change.save()
    assert does(recompile(change, actor=vera)) == [("add", "Ada", "Target"), ("remove", "Ada", "Room")]


def test_when_joining_was_refused_both_halves_are_tried_again_together(vera, target, ada):
    change = confirm(transfer(vera, target, ada), vera)
    change.operations.filter(verb="add").update(state=OperationState.REFUSED)
    change.operations.filter(verb="remove").update(state=OperationState.CANCELLED)
    change.state = ChangeState.DONE_WITH_FAILURES
    change.save()
    target.archived = True
    target.save()
    assert left(draft_retry(change, actor=vera)) == [
        ("Ada", "Room", Reason.MOVE_INCOMPLETE),
        ("Ada", "Target", Reason.GROUP_ARCHIVED),
    ]


def test_a_target_out_of_sight_is_refused(room, target):
    club = m.system("Club", "mudbase")
    bea = m.participant(m.account("Bea", club), m.group("Chat", club))
    limited = m.user("limited", systems=[club])
    assert_refused(Reason.NOT_VISIBLE, transfer, limited, target, bea, error=NotAllowed)
    assert not Operation.objects.exists()
