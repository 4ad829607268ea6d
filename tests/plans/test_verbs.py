"""Each verb as a plan: its calls, preconditions and order."""

import pytest

from membership.errors import Reason
from membership.models import Change, Operation
from membership.plans import compile as plan_compiler
from membership.plans.wishes import (
    SECRET_MARK,
    Add,
    Barred,
    CreateGroup,
    DeleteGroup,
    Refusal,
    Remove,
    RenameGroup,
    Update,
)
from membership.vocab import ChangeKind, OperationState, Verb
from tests import mirrored as m

pytestmark = pytest.mark.django_db


def stored(*wishes):
    change = Change.objects.create(kind=ChangeKind.ADDITION, created_at="2026-11-23T10:00Z")
    plan_compiler.store(change, plan_compiler.plan(wishes))
    return Operation.objects.filter(change=change).order_by("position")


def why(*wishes):
    return {case.label: refusal.reason for case, refusal in plan_compiler.plan(wishes).left_out}


def wire(step):
    return [(call["method"], "/".join(call["path"]), call.get("body")) for call in step.calls]


@pytest.fixture
def office():
    return m.system("Office", "kaiten")


@pytest.fixture
def chess(office):
    return m.group("Chess", office, remote_id="g-1")


@pytest.fixture
def club():
    return m.system("Club", "mudbase")


@pytest.fixture
def chat(club):
    return m.group("Chat", club, remote_id="c-1")


@pytest.fixture
def nord():
    return m.system("Nord", "inwendo")


@pytest.fixture
def room(nord):
    return m.group("Room", nord, remote_id="7")


# what goes out


def test_somebody_joins_a_kaiten_group(office, chess):
    (step,) = stored(Add(m.account("Ada", office, remote_id="4").pk, chess.pk))
    assert wire(step) == [("POST", "api/latest/groups/g-1/users", {"user_id": 4})]
    assert (step.verb, step.subject, step.subject_label) == (Verb.ADD, "account:4", "Ada")
    assert (step.before, step.wanted) == ({"is_present": False, "row": None}, {"is_present": True})
    assert (step.participant_id, step.group, step.state) == (None, chess, OperationState.PLANNED)


def test_somebody_joins_a_kaiten_group_as_manager_by_two_calls(office, chess):
    (step,) = stored(Add(m.account("Ada", office, remote_id="4").pk, chess.pk, {"is_manager": True}))
    assert [path for _, path, _ in wire(step)] == ["api/latest/groups/g-1/users", "api/latest/groups/g-1/admins"]
    assert step.wanted == {"is_present": True, "is_manager": True}


def test_somebody_joins_a_mudbase_chat_with_a_role(club, chat):
    (step,) = stored(Add(m.account("Ada", club, remote_id="u-4").pk, chat.pk, {"is_manager": True}))
    assert wire(step) == [
        ("POST", "api/chat/projects/proj_1/chats/c-1/participants", {"userId": "u-4", "role": "admin"})
    ]


def test_somebody_joins_an_inwendo_room_with_rights_by_two_calls(nord, room):
    ada = m.account("Ada Lovelace", nord, remote_id="4")
    (step,) = stored(Add(ada.pk, room.pk, {"can_write": False}))
    assert [method for method, _, _ in wire(step)] == ["POST", "PUT"]
    assert step.wanted == {"is_present": True, "can_write": False}


def test_a_kaiten_member_becomes_manager_by_one_call(office, chess):
    ada = m.participant(m.account("Ada", office, remote_id="4"), chess)
    (step,) = stored(Update(ada.pk, {"is_manager": True}))
    assert wire(step) == [("POST", "api/latest/groups/g-1/admins", {"user_id": 4})]
    assert step.before["is_manager"] is False and step.before["row"] == "4"
    assert step.wanted == {"is_manager": True}
    assert (step.verb, step.participant) == (Verb.UPDATE, ada)


def test_a_mudbase_role_changes_by_leaving_and_joining_in_one_step(club, chat):
    ada = m.participant(m.account("Ada", club), chat)
    (step,) = stored(Update(ada.pk, {"is_manager": True}))
    assert [method for method, _, _ in wire(step)] == ["DELETE", "POST"]


def test_an_inwendo_right_is_one_call_that_keeps_the_rest_of_the_row(nord, room):
    ada = m.participant(m.account("Ada", nord), room, remote_id="70", is_muted=False, can_write=True)
    (step,) = stored(Update(ada.pk, {"is_muted": True}))
    assert [(method, path) for method, path, _ in wire(step)] == [("PUT", "api/chat/chatroom_participant/70")]
    assert step.calls[0]["slots"] == ["rest_of_row"]


def test_groups_are_created_renamed_and_deleted_where_the_remote_can(office, chess, club):
    steps = stored(CreateGroup(office.pk, "New"), RenameGroup(chess.pk, "Chess club"), CreateGroup(club.pk, "Chat"))
    assert [(step.verb, step.connection.name, wire(step)[0][:2]) for step in steps] == [
        (Verb.CREATE_GROUP, "Club", ("POST", "api/chat/projects/proj_1/chats")),
        (Verb.CREATE_GROUP, "Office", ("POST", "api/latest/company/groups")),
        (Verb.RENAME_GROUP, "Office", ("PATCH", "api/latest/company/groups/g-1")),
    ]
    (step,) = stored(DeleteGroup(chess.pk))
    assert (step.subject, step.subject_label, wire(step)[0][0]) == ("group", "Chess", "DELETE")
    assert (step.before, step.wanted) == ({"is_present": True, "name": "Chess"}, {"is_present": False})


def test_a_mudbase_chat_is_created_with_its_members(club):
    accounts = [m.account(name, club, remote_id=f"u-{name}") for name in ("Ada", "Bea")]
    (step,) = stored(CreateGroup(club.pk, "Chat", [account.pk for account in accounts]))
    assert (step.group, step.subject) == (None, "group:Chat")
    assert step.wanted == {"name": "Chat", "members": ["u-Ada", "u-Bea"]}
    assert step.calls[0]["body"]["participants"] == ["u-Ada", "u-Bea"]


def test_a_very_long_name_still_has_a_subject_of_its_own(office):
    steps = stored(CreateGroup(office.pk, "x" * 500), CreateGroup(office.pk, "x" * 499 + "y"))
    subjects = {step.subject for step in steps}
    assert len(subjects) == 2 and max(map(len, subjects)) <= 220


def test_verbs_stand_in_the_order_in_which_nobody_is_left_out_longer_than_needed(office, chess):
    zoe, ada, bea = (m.participant(m.account(name, office), chess) for name in ("Zoë", "Ada", "Bea"))
    old = m.group("Old", office)
    steps = stored(
        DeleteGroup(old.pk),
        Remove(ada.pk),
        Update(bea.pk, {"is_manager": True}),
        Add(m.account("New", office).pk, chess.pk),
        RenameGroup(chess.pk, "Chess club"),
        CreateGroup(office.pk, "Another"),
        Remove(zoe.pk),
    )
    assert [step.verb for step in steps] == [
        "create_group",
        "rename_group",
        "add",
        "update",
        "remove",
        "remove",
        "delete_group",
    ]
    assert [step.subject_label for step in steps][4:6] == ["Ada", "Zoë"]


# what stays so is not sent


def test_only_what_differs_is_wished(nord, room):
    ada = m.participant(m.account("Ada", nord), room, is_manager=True, is_muted=False, can_write=True)
    (step,) = stored(Update(ada.pk, {"is_manager": True, "is_muted": True}))
    assert step.wanted == {"is_muted": True}


def test_what_is_so_already_is_left_out(office, chess):
    boss = m.participant(m.account("Boss", office), chess, is_manager=True)
    assert why(Update(boss.pk, {"is_manager": True})) == {"Boss": Reason.ALREADY_SO}
    assert why(RenameGroup(chess.pk, "Chess")) == {"Chess": Reason.ALREADY_SO}


def test_who_is_there_already_is_left_out_of_an_addition(office, chess):
    ada = m.account("Ada", office)
    m.participant(ada, chess)
    assert why(Add(ada.pk, chess.pk)) == {"Ada": Reason.ALREADY_SO}
    assert why(Add(ada.pk, chess.pk, {"is_manager": False})) == {"Ada": Reason.ALREADY_SO}


def test_an_addition_with_rights_of_somebody_who_is_there_gives_the_rights(office, chess):
    ada = m.account("Ada", office)
    row = m.participant(ada, chess)
    (step,) = stored(Add(ada.pk, chess.pk, {"is_manager": True}))
    assert (step.verb, step.participant, step.wanted) == (Verb.UPDATE, row, {"is_manager": True})


def test_who_was_there_once_joins_again(office, chess):
    ada = m.account("Ada", office)
    m.participant(ada, chess, is_present=False)
    (step,) = stored(Add(ada.pk, chess.pk))
    assert step.verb == Verb.ADD


def test_a_place_counts_even_where_it_was_not_linked_to_the_account_yet(office, chess):
    row = m.participant("Ada", chess, remote_id="4")
    ada = m.account("Ada", office, remote_id="4")
    assert row.account_id is None
    assert why(Add(ada.pk, chess.pk)) == {"Ada": Reason.ALREADY_SO}


def test_a_right_that_the_remote_does_not_know_is_given_where_everybody_has_it(club, chat):
    ada = m.account("Ada", club)
    (step,) = stored(Add(ada.pk, chat.pk, {"can_write": True, "is_muted": False}))
    assert step.wanted == {"is_present": True}


@pytest.mark.parametrize("rights", [{"is_muted": True}, {"can_write": False}])
def test_a_right_that_the_remote_cannot_give_leaves_the_wish_out(club, chat, rights):
    ada, bea = m.account("Ada", club), m.account("Bea", club)
    row = m.participant(bea, chat)
    assert why(Add(ada.pk, chat.pk, rights), Update(row.pk, rights)) == {
        "Ada": Reason.NOT_OFFERED,
        "Bea": Reason.NOT_OFFERED,
    }


@pytest.mark.parametrize("verb", ["rename", "delete"])
@pytest.mark.parametrize("kind", ["mudbase", "inwendo"])
def test_groups_stay_where_the_remote_cannot_change_them(verb, kind):
    where = m.group("Group", m.system("There", kind))
    wish = RenameGroup(where.pk, "Other") if verb == "rename" else DeleteGroup(where.pk)
    assert why(wish) == {"Group": Reason.NOT_OFFERED}


def test_inwendo_cannot_create_a_room(nord):
    assert why(CreateGroup(nord.pk, "New")) == {"New": Reason.NOT_OFFERED}


def test_a_new_kaiten_group_takes_no_members_at_once(office):
    ada = m.account("Ada", office)
    ((_, refusal),) = plan_compiler.plan([CreateGroup(office.pk, "New", [ada.pk])]).left_out
    assert (refusal.reason, refusal.params["what"]) == (Reason.NOT_OFFERED, "members_on_create")


# secrets


def test_a_secret_stands_encrypted_apart_from_plan_calls_and_labels(nord, room):
    ada = m.participant(m.account("Ada", nord), room, remote_id="70", attributes={"auto_reply": False})
    prompt = "Never say the word aardvark"
    (step,) = stored(Update(ada.pk, {"ai_prompt": dict(SECRET_MARK), "auto_reply": True}, {"ai_prompt": prompt}))
    assert step.wanted == {"ai_prompt": {"secret": True}, "auto_reply": True}
    assert step.before["fields"] == {"ai_prompt": {"is_set": False}, "auto_reply": False}
    assert step.secrets == {"ai_prompt": prompt}
    assert "aardvark" not in f"{step.wanted}{step.before}{step.calls}{step.subject_label}{step.digest}"
    assert "secret:ai_prompt" in step.calls[0]["slots"]


def test_a_secret_whose_value_is_not_kept_is_left_out(nord, room):
    ada = m.participant(m.account("Ada", nord), room)
    assert why(Update(ada.pk, {"ai_prompt": dict(SECRET_MARK)})) == {"Ada": Reason.VALUE_NOT_KEPT}


def test_a_field_that_the_system_does_not_have_is_left_out(office, chess):
    ada = m.participant(m.account("Ada", office), chess)
    assert why(Update(ada.pk, {"nickname": "A"})) == {"Ada": Reason.NOT_OFFERED}


# wishes about the same thing


def test_a_wish_twice_is_one_step(office, chess):
    ada, bea = m.account("Ada", office), m.participant(m.account("Bea", office), chess)
    wishes = [Add(ada.pk, chess.pk), Add(ada.pk, chess.pk, {"is_manager": True}), Remove(bea.pk), Remove(bea.pk)]
    assert [(step.verb, step.subject_label) for step in stored(*wishes)] == [("add", "Ada"), ("remove", "Bea")]
    assert stored(*wishes)[0].wanted == {"is_present": True, "is_manager": True}


def test_two_rights_of_one_place_are_one_step(nord, room):
    ada = m.participant(m.account("Ada", nord), room, is_muted=False)
    (step,) = stored(Update(ada.pk, {"is_manager": True}), Update(ada.pk, {"is_muted": True}))
    assert step.wanted == {"is_manager": True, "is_muted": True}


def test_to_leave_outweighs_all_else(office, chess):
    ada = m.account("Ada", office)
    row = m.participant(ada, chess)
    wishes = [Remove(row.pk), Update(row.pk, {"is_manager": True}), Add(ada.pk, chess.pk, {"is_manager": True})]
    for order in (wishes, wishes[::-1]):
        assert [step.verb for step in stored(*order)] == [Verb.REMOVE]


def test_two_people_of_one_name_who_cannot_be_added_are_named_twice(office, chess):
    barred = Refusal(Reason.NO_ACCOUNT_THERE, {"system": "Office"})
    plan = plan_compiler.plan([Barred("Ada", chess.pk, barred), Barred("Ada", chess.pk, barred)])
    assert [case.label for case, _ in plan.left_out] == ["Ada", "Ada"]
