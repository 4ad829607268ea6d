import pytest

from membership.errors import Reason
from membership.providers.base import AccountRef, GroupRef, ParticipantRef, RemoteAnswer, Verdict, Wanted
from tests.providers.remotes import outcome

TEAM = GroupRef("chat_1")
ADA = ParticipantRef(TEAM, "usr_ada", "usr_ada")
GRACE = ParticipantRef(TEAM, "usr_grace", "usr_grace", is_manager=True)
PARTICIPANTS = "/api/chat/projects/proj_1/chats/chat_1/participants"


@pytest.mark.parametrize(
    ("who", "is_manager", "role"), [(ADA, True, "admin"), (GRACE, False, "member")], ids=["manager", "member"]
)
def test_a_role_is_changed_by_removal_and_addition(chat, who, is_manager, role):
    calls = chat.provider.update(who, Wanted(is_manager=is_manager))
    assert chat.outcomes(calls) == [Verdict.CONFIRMED, Verdict.CONFIRMED]
    assert chat.journal.written == [f"DELETE {PARTICIPANTS}", f"POST {PARTICIPANTS}"]
    assert [entry.json for entry in chat.journal.writes()] == [
        {"userId": who.remote_id},
        {"userId": who.remote_id, "role": role},
    ]
    assert chat.state.roles("chat_1")[who.remote_id] == role


@pytest.mark.parametrize(("who", "is_manager"), [(ADA, False), (ADA, None), (GRACE, True)])
def test_a_role_that_is_so_already_is_not_sent(chat, who, is_manager):
    assert chat.provider.update(who, Wanted(is_manager=is_manager)) == ()


def test_a_role_whose_second_half_is_refused_leaves_the_person_out(chat):
    calls = chat.provider.update(ADA, Wanted(is_manager=True))
    chat.fault("status", method="POST", status=403, body={"error": "no"})
    assert chat.outcomes(calls) == [Verdict.CONFIRMED, ("Refused", Reason.FORBIDDEN)]
    assert "usr_ada" not in chat.state.roles("chat_1")


def test_the_row_of_an_addition_is_told_by_its_answer(chat):
    [call] = chat.provider.add(TEAM, AccountRef("usr_joan"), Wanted(is_manager=True))
    row = chat.provider.added(call, chat.provider.send(call), TEAM, AccountRef("usr_joan"))
    assert (row.remote_id, row.account_id, row.is_manager) == ("usr_joan", "usr_joan", True)


def test_an_answer_that_does_not_show_the_person_tells_no_row(chat):
    [call] = chat.provider.add(TEAM, AccountRef("usr_joan"), Wanted())
    answer = RemoteAnswer(200, {}, b'{"success": true, "data": {"participants": [{"userId": "usr_ada"}]}}')
    assert chat.provider.added(call, answer, TEAM, AccountRef("usr_joan")) is None


@pytest.mark.parametrize("shape", ["objects", "strings"])
def test_a_chat_is_created_with_its_members(chat, shape):
    chat.state.switch(create_answer=shape)
    [call] = chat.provider.create_group("Träger & Co", [AccountRef("usr_ada"), AccountRef("usr_joan")])
    answer = chat.provider.send(call)
    assert answer.status == 201
    assert chat.provider.judge(call, answer) is Verdict.CONFIRMED
    made = chat.provider.created(call, answer)
    assert (made.name, made.kind) == ("Träger & Co", "group")
    roles = {"usr_panel": "admin", "usr_ada": "member", "usr_joan": "member"}
    assert chat.state.roles(made.remote_id) == roles
    assert made.remote_id in {group.remote_id for group in chat.provider.groups()}
    [entry] = chat.journal.writes()
    assert entry.json == {"name": "Träger & Co", "type": "group", "participants": ["usr_ada", "usr_joan"]}


def test_a_member_who_was_left_out_of_a_new_chat_is_looked_at(chat):
    [call] = chat.provider.create_group("Team 2", [AccountRef("usr_nobody")])
    assert chat.outcome(call) is Verdict.LOOK


CREATED = {"_id": "chat_9", "name": "Team 2", "type": "group", "participants": ["usr_panel"]}
ANSWERS = [
    (201, {"success": True, "data": CREATED}, Verdict.CONFIRMED),
    (200, {"success": True, "data": CREATED}, Verdict.CONFIRMED),
    (201, {"data": CREATED}, Verdict.CONFIRMED),
    (201, {"success": False, "data": CREATED}, Verdict.LOOK),
    (201, {"success": True, "data": {**CREATED, "name": "Team"}}, Verdict.LOOK),
    (201, {"success": True, "data": {**CREATED, "_id": None}}, Verdict.LOOK),
    (201, {"success": True, "data": {**CREATED, "_id": ""}}, Verdict.LOOK),
    (201, {"success": True, "data": {**CREATED, "_id": "a" * 201}}, Verdict.LOOK),
    (201, {"success": True}, Verdict.LOOK),
    (201, "", ("OutcomeUnknown", Reason.ANSWER_UNREADABLE)),
    (400, {"error": "Validation failed"}, ("Refused", Reason.REMOTE_SAID_NO)),
    (409, {"error": "Conflict"}, Verdict.LOOK),
    (403, {"error": "no"}, ("Refused", Reason.FORBIDDEN)),
    (500, {"error": "x"}, ("OutcomeUnknown", Reason.REMOTE_FAILED)),
]


@pytest.mark.parametrize(("status", "body", "expected"), ANSWERS)
def test_what_an_answer_to_a_creation_proves(chat, status, body, expected):
    chat.fault("status", status=status, body=body)
    [call] = chat.provider.create_group("Team 2")
    assert chat.outcome(call) == expected


def test_a_chat_is_not_renamed_deleted_or_tracked(chat):
    provider = chat.provider
    refused = ("Refused", Reason.NOT_OFFERED)
    assert outcome(lambda: provider.rename_group(TEAM, "x")) == refused
    assert outcome(lambda: provider.delete_group(TEAM)) == refused
    assert provider.tracked_id("chat_1") is None
    assert chat.journal.seen == []


@pytest.mark.parametrize("wanted", [Wanted(is_muted=True), Wanted(can_write=False), Wanted(fields={"nickname": "x"})])
def test_a_right_that_chats_do_not_know_is_refused_in_the_plan(chat, wanted):
    refused = ("Refused", Reason.NOT_OFFERED)
    assert outcome(lambda: chat.provider.update(ADA, wanted)) == refused
    assert outcome(lambda: chat.provider.add(TEAM, AccountRef("usr_joan"), wanted)) == refused
