import pytest

from membership.errors import BadValue, ChangeRefused, NotAllowed, Reason
from membership.models import Change, Operation, Participant, Person
from membership.services import titles
from membership.services.addition import draft_addition
from membership.services.change_pages import left_outs, preview
from membership.services.changes import draft_retry, recompile, throw_away
from membership.services.step_words import left_out_sentence, step_text
from membership.vocab import AuditAction, ChangeKind, ChangeState, OperationState, Role
from tests import mirrored as m
from tests.services.asking import assert_refused, confirm, entries

pytestmark = pytest.mark.django_db


@pytest.fixture
def chess(office):
    return m.group("Chess", office)


@pytest.fixture
def chat(club):
    return m.group("Chat", club)


def joins(change):
    return [(step.subject_label, step.group.name) for step in change.operations.order_by("position")]


def left(change):
    return [(row.subject_label, row.group.name, left_out_sentence(row)) for row in left_outs(change)]


def test_each_account_joins_each_group(vera, office, chess):
    other = m.group("Other", office)
    ada, bea = (m.account(name, office) for name in ("Ada", "Bea"))
    change = draft_addition(accounts=[bea, ada], groups=[other, chess], actor=vera)
    assert joins(change) == [("Ada", "Chess"), ("Bea", "Chess"), ("Ada", "Other"), ("Bea", "Other")]
    assert (change.kind, change.state, change.people_count) == (ChangeKind.ADDITION, ChangeState.DRAFT, 2)
    assert titles.title(change) == "Add 2 people to 2 groups"
    assert entries(AuditAction.CHANGE_DRAFTED).get().change_id == change.pk


def test_one_group_is_named_in_the_title(vera, office, chess):
    ada = m.account("Ada", office)
    assert titles.title(draft_addition(accounts=[ada], groups=[chess], actor=vera)) == "Add 1 person to Chess"
    change = draft_addition(accounts=[ada], groups=[chess], rights={"is_manager": True}, actor=vera)
    assert titles.question(change) == "Add 1 person to Chess as managers?"
    assert step_text(change.operations.get()) == "Ada joins Chess in Office as manager"


def test_a_person_joins_by_the_account_of_each_system(vera, office, club, chess, chat):
    ada = m.person("Ada", m.account("Ada L.", office), m.account("ada", club))
    change = draft_addition(persons=[ada], groups=[chess, chat], actor=vera)
    assert joins(change) == [("ada", "Chat"), ("Ada L.", "Chess")]
    assert change.people_count == 1


def test_a_person_without_an_account_there_is_left_out_by_name(vera, office, chess, chat):
    ada = m.person("Ada", m.account("Ada L.", office))
    change = draft_addition(persons=[ada], groups=[chess, chat], actor=vera)
    assert joins(change) == [("Ada L.", "Chess")]
    assert left(change) == [("Ada", "Chat", "Has no account in Club.")]


def test_nobody_to_add_is_said(vera, chat):
    change = draft_addition(persons=[Person.objects.create(name="Ada")], groups=[chat], actor=vera)
    assert (titles.title(change), change.left_out_count) == ("Nobody to add", 1)


def test_of_two_accounts_the_active_one_joins_and_of_two_active_ones_neither(vera, office, chess):
    ada = m.person("Ada", m.account("old", office, active=False), m.account("new", office))
    bea = m.person("Bea", m.account("b1", office), m.account("b2", office))
    change = draft_addition(persons=[ada, bea], groups=[chess], actor=vera)
    assert joins(change) == [("new", "Chess")]
    assert left(change) == [("Bea", "Chess", "Has several accounts in Office: choose the account itself.")]


def test_who_is_there_by_one_of_two_accounts_is_there(vera, office, chess):
    first, second = m.account("b1", office), m.account("b2", office)
    m.participant(second, chess)
    change = draft_addition(persons=[m.person("Bea", first, second)], groups=[chess], actor=vera)
    assert left(change) == [("b2", "Chess", "Already so.")]


def test_an_account_of_another_system_is_named_with_one_sentence(vera, office, chat):
    change = draft_addition(accounts=[m.account("Ada", office)], groups=[chat], actor=vera)
    assert left(change) == [("Ada", "Chat", "The account is one of another system; Club does not know it.")]


def test_what_a_system_cannot_do_is_said_with_its_name(vera, club, chat):
    change = draft_addition(accounts=[m.account("Ada", club)], groups=[chat], rights={"is_muted": True}, actor=vera)
    assert left(change) == [("Ada", "Chat", "Mudbase cannot mute anybody.")]


def test_a_group_that_vanished_meanwhile_makes_the_preview_stale(vera, office, chess):
    change = draft_addition(accounts=[m.account("Ada", office)], groups=[chess], actor=vera)
    chess.is_present = False
    chess.save()
    assert_refused(Reason.PLAN_STALE, confirm, change, vera)
    change.refresh_from_db()
    again = recompile(change, actor=vera)
    assert left(again) == [("Ada", "Chess", "The group is gone, or Musterbook's account can no longer see it.")]


def test_somebody_who_joined_meanwhile_makes_the_preview_stale(vera, office, chess):
    ada, bea = m.account("Ada", office), m.account("Bea", office)
    change = draft_addition(accounts=[ada, bea], groups=[chess], actor=vera)
    m.participant(ada, chess)
    assert_refused(Reason.PLAN_STALE, confirm, change, vera)


def test_an_addition_is_confirmed_and_queued(vera, office, chess):
    change = confirm(draft_addition(accounts=[m.account("Ada", office)], groups=[chess], actor=vera), vera)
    assert change.state == ChangeState.QUEUED


def test_an_account_that_was_linked_meanwhile_joins_when_planned_anew(vera, office, chess):
    ada = Person.objects.create(name="Ada")
    change = draft_addition(persons=[ada], groups=[chess], actor=vera)
    throw_away(change, actor=vera)
    account = m.account("Ada L.", office)
    account.person = ada
    account.save()
    assert joins(recompile(change, actor=vera)) == [("Ada L.", "Chess")]


def test_a_refused_addition_is_tried_again_and_called_so(vera, office, chess):
    ada, bea = m.account("Ada", office), m.account("Bea", office)
    change = confirm(draft_addition(accounts=[ada, bea], groups=[chess], actor=vera), vera)
    change.operations.filter(subject_label="Ada").update(state=OperationState.REFUSED)
    change.operations.filter(subject_label="Bea").update(state=OperationState.CONFIRMED)
    Change.objects.filter(pk=change.pk).update(state=ChangeState.DONE_WITH_FAILURES)
    again = draft_retry(change, actor=vera)
    assert joins(again) == [("Ada", "Chess")]
    assert titles.title(again) == "Try again: Add 1 person to Chess"


def test_nobody_or_nowhere_is_refused(vera, office, chess):
    assert_refused(Reason.NOTHING_SELECTED, draft_addition, accounts=[], groups=[chess], actor=vera)
    assert_refused(Reason.NOTHING_SELECTED, draft_addition, accounts=[m.account("A", office)], groups=[], actor=vera)


@pytest.mark.parametrize("rights", [{"is_owner": True}, {"is_manager": "yes"}, {"can_write": None}])
def test_a_right_that_is_none_is_refused(vera, office, chess, rights):
    ada = m.account("Ada", office)
    with pytest.raises(BadValue):
        draft_addition(accounts=[ada], groups=[chess], rights=rights, actor=vera)
    assert not Change.objects.exists()


def test_rows_out_of_sight_are_refused_and_recorded(office, chess, club, chat):
    limited = m.user("limited", systems=[club])
    ada, bea = m.account("Ada", office), m.account("Bea", club)
    hidden = m.person("Ada", ada)
    for selected in ({"accounts": [ada], "groups": [chat]}, {"accounts": [bea], "groups": [chess]}):
        assert_refused(Reason.NOT_VISIBLE, draft_addition, actor=limited, error=NotAllowed, **selected)
    assert_refused(Reason.NOT_VISIBLE, draft_addition, persons=[hidden], groups=[chat], actor=limited, error=NotAllowed)
    assert not Operation.objects.exists()


def test_an_account_out_of_sight_is_not_used_for_a_person(office, club, chat, chess):
    ada = m.person("Ada", m.account("hidden", office), m.account("seen", club))
    limited = m.user("limited", systems=[club])
    assert joins(draft_addition(persons=[ada], groups=[chat], actor=limited)) == [("seen", "Chat")]


@pytest.mark.parametrize("role", [Role.VIEWER, Role.APPROVER, Role.AUDITOR])
def test_who_may_not_act_cannot_draft(office, chess, role):
    with pytest.raises(NotAllowed):
        draft_addition(accounts=[m.account("Ada", office)], groups=[chess], actor=m.user("tom", role))


# what the preview says in red


def test_a_group_that_administers_is_named_in_red_with_what_it_gives(vera, office):
    admins = m.group("Admins", office, grants=1 | 2)
    change = draft_addition(accounts=[m.account(name, office) for name in ("Ada", "Bea")], groups=[admins], actor=vera)
    (warning,) = preview(change, actor=vera).warnings
    assert warning.tone == "bad"
    assert warning.text == "Admins in Office administers: 2 people get rights beyond the group."
    assert warning.items == ["administers members", "billing"]


def test_an_account_that_is_off_is_named(vera, office, chess):
    change = draft_addition(accounts=[m.account("Ada", office, active=False)], groups=[chess], actor=vera)
    (warning,) = preview(change, actor=vera).warnings
    assert warning.text == "1 account in Office is not active, and is added all the same: Ada."


def test_an_ordinary_group_gives_no_warning(vera, office, chess):
    change = draft_addition(accounts=[m.account("Ada", office)], groups=[chess], actor=vera)
    assert preview(change, actor=vera).warnings == []


def test_many_people_need_their_number_typed_to_be_added(vera, office, chess, settings):
    settings.MUSTERBOOK = {**settings.MUSTERBOOK, "TYPE_NUMBER_ABOVE": 1}
    change = draft_addition(accounts=[m.account(name, office) for name in ("Ada", "Bea")], groups=[chess], actor=vera)
    with pytest.raises(ChangeRefused) as refused:
        confirm(change, vera)
    assert refused.value.reason == Reason.NUMBER_NOT_TYPED
    assert confirm(change, vera, typed_number="2").state == ChangeState.QUEUED


def test_drafting_changes_no_place(vera, office, chess):
    draft_addition(accounts=[m.account("Ada", office)], groups=[chess], actor=vera)
    assert not Participant.objects.exists()
