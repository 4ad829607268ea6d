import pytest
from django.utils import timezone

from membership.errors import ChangeRefused, NotAllowed, Reason
from membership.models import Change, Operation, Participant, Reading
from membership.services import titles
from membership.services.addition import draft_addition
from membership.services.alteration import draft_alteration
from membership.services.change_pages import left_outs
from membership.services.changes import recompile, throw_away
from membership.services.groups import draft_rename
from membership.services.way_back import draft_way_back
from membership.vocab import ChangeKind, ChangeState, ConnectionState, OperationState, ReadingKind, ReadingState, Role
from tests import mirrored as m
from tests.services.asking import assert_refused, confirm, draft, gone

pytestmark = pytest.mark.django_db


@pytest.fixture
def chat(club):
    return m.group("Chat", club)


@pytest.fixture
def ada(club, chat):
    return m.participant(m.account("Ada", club), chat)


def half_done(change, actor):
    """The change confirmed, its one step ended half done, as the engine leaves it."""
    confirm(change, actor)
    Operation.objects.filter(change=change).update(
        state=OperationState.REFUSED,
        calls_done=1,
        outcome=Reason.FORBIDDEN,
        outcome_params={"half_done": True},
        settled_at=timezone.now(),
    )
    Change.objects.filter(pk=change.pk).update(state=ChangeState.DONE_WITH_FAILURES)
    return Operation.objects.get(change=change)


def promoted(actor, row):
    return draft_alteration(m.rows(row), {"is_manager": True}, actor=actor, selection=m.ids(row))


def does(change):
    return [(step.verb, step.subject_label, step.wanted) for step in change.operations.all()]


@pytest.fixture
def left_out_of_the_chat(vera, ada):
    """A change of role by which Ada left and did not come back."""
    step = half_done(promoted(vera, ada), vera)
    gone(ada)
    return step


def test_who_fell_out_by_half_a_change_of_role_is_put_back_as_before(vera, left_out_of_the_chat):
    change = draft_way_back(left_out_of_the_chat, actor=vera)
    assert does(change) == [("add", "Ada", {"is_present": True})]
    assert (change.kind, titles.title(change)) == (ChangeKind.WAY_BACK, "Put back as before: Ada in Chat")
    assert confirm(change, vera).state == ChangeState.QUEUED


def test_a_manager_who_fell_out_comes_back_as_manager(vera, club, chat, ada):
    m.participant(m.account("Boss", club), chat, is_manager=True)
    Participant.objects.filter(pk=ada.pk).update(is_manager=True)
    change = draft_alteration(m.rows(ada), {"is_manager": False}, actor=vera, selection=m.ids(ada))
    step = half_done(change, vera)
    gone(ada)
    assert does(draft_way_back(step, actor=vera)) == [("add", "Ada", {"is_present": True, "is_manager": True})]


def test_who_lost_the_rights_by_half_a_removal_gets_them_again(vera):
    office = m.system("Office", "kaiten")
    chess = m.group("Chess", office)
    m.participant(m.account("Boss", office), chess, is_manager=True)
    bea = m.participant(m.account("Bea", office), chess, is_manager=True)
    step = half_done(draft(vera, bea), vera)
    Participant.objects.filter(pk=bea.pk).update(is_manager=False)
    assert does(draft_way_back(step, actor=vera)) == [("update", "Bea", {"is_manager": True})]


def test_who_joined_by_half_an_addition_leaves_again(vera):
    nord = m.system("Nord", "inwendo")
    room, cem = m.group("Room", nord), m.account("Cem", nord)
    step = half_done(draft_addition(accounts=[cem], groups=[room], rights={"can_write": False}, actor=vera), vera)
    row = m.participant(cem, room)
    change = draft_way_back(step, actor=vera)
    assert [(each.verb, each.participant) for each in change.operations.all()] == [("remove", row)]


def test_who_is_as_before_already_needs_no_way_back(vera, ada):
    change = draft_way_back(half_done(promoted(vera, ada), vera), actor=vera)
    assert [row.reason for row in left_outs(change)] == [Reason.ALREADY_SO]


def test_while_the_group_is_read_again_the_way_back_waits(vera, left_out_of_the_chat):
    step = left_out_of_the_chat
    reading = Reading.objects.create(
        connection=step.connection, group=step.group, kind=ReadingKind.GROUP, asked_at=timezone.now()
    )
    with pytest.raises(ChangeRefused) as refused:
        draft_way_back(step, actor=vera)
    assert refused.value.reason == Reason.BEING_READ
    reading.state = ReadingState.COMPLETE
    reading.save()
    assert draft_way_back(step, actor=vera).operations_count == 1


def test_a_stopped_system_reads_nothing_and_is_not_waited_for(vera, left_out_of_the_chat, club):
    step = left_out_of_the_chat
    Reading.objects.create(connection=club, group=step.group, kind=ReadingKind.GROUP, asked_at=timezone.now())
    club.state = ConnectionState.PAUSED
    club.save()
    assert draft_way_back(step, actor=vera).operations_count == 1


def test_only_half_done_steps_have_a_way_back(vera, ada, club):
    whole = confirm(promoted(vera, ada), vera).operations.get()
    with pytest.raises(ChangeRefused) as refused:
        draft_way_back(whole, actor=vera)
    assert refused.value.reason == Reason.NOT_HALF_DONE


def test_half_a_step_about_a_group_has_none(vera):
    chess = m.group("Chess", m.system("Office", "kaiten"))
    step = half_done(draft_rename(chess, "New", actor=vera), vera)
    assert_refused(Reason.NOT_HALF_DONE, draft_way_back, step, actor=vera)


def test_the_way_back_is_planned_anew(vera, left_out_of_the_chat):
    change = draft_way_back(left_out_of_the_chat, actor=vera)
    throw_away(change, actor=vera)
    assert does(recompile(change, actor=vera)) == does(change)


def test_who_may_not_act_or_see_may_not(left_out_of_the_chat):
    other = m.user("limited", systems=[m.system("Office", "kaiten")])
    for actor in (m.user("tom", Role.VIEWER), other):
        with pytest.raises(NotAllowed):
            draft_way_back(left_out_of_the_chat, actor=actor)
