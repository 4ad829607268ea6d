import pytest

from membership.errors import Reason
from membership.providers.base import AccountRef, GroupRef, ParticipantRef, RemoteAnswer, Verdict, Wanted
from tests.providers.remotes import MemoryStore

TEAM = GroupRef("chat_1")
REMOVED = "Participant removed successfully"


def removal(chat, user="usr_ada", provider=None):
    [call] = (provider or chat.provider).remove(ParticipantRef(TEAM, user, user))
    return chat.outcome(call, provider)


def addition(chat, user="usr_joan", is_manager=False):
    [call] = chat.provider.add(TEAM, AccountRef(user), Wanted(is_manager=is_manager, name="Joan Clarke"))
    return chat.outcome(call)


def test_a_removal_is_confirmed_by_the_documented_sentence(chat):
    assert removal(chat) is Verdict.CONFIRMED
    assert chat.state.roles("chat_1") == {"usr_panel": "admin", "usr_grace": "admin"}


@pytest.mark.parametrize(("answer", "verdict"), [(400, Verdict.LOOK), (404, Verdict.LOOK), (200, Verdict.CONFIRMED)])
def test_a_second_removal_is_never_a_refusal(chat, answer, verdict):
    chat.state.switch(remove_missing=answer)
    removal(chat)
    assert removal(chat) is verdict


REMOVAL_ANSWERS = [
    (200, {"message": REMOVED}, Verdict.CONFIRMED),
    (200, {"message": "User is not in this chat"}, Verdict.LOOK),
    (200, {"success": False, "message": REMOVED}, Verdict.LOOK),
    (200, {"error": "no", "message": REMOVED}, Verdict.LOOK),
    (200, {}, Verdict.LOOK),
    (200, "", ("OutcomeUnknown", Reason.ANSWER_UNREADABLE)),
    (200, "<html></html>", ("OutcomeUnknown", Reason.ANSWER_UNREADABLE)),
    (200, [REMOVED], ("OutcomeUnknown", Reason.ANSWER_UNREADABLE)),
    (204, "", ("OutcomeUnknown", Reason.ANSWER_UNREADABLE)),
    (400, {"error": "Validation failed", "code": "VALIDATION_ERROR"}, Verdict.LOOK),
    (404, {"error": "Chat not found"}, Verdict.LOOK),
    (409, {"error": "Conflict"}, Verdict.LOOK),
    (401, {"error": "expired"}, ("NotSignedIn", Reason.TOKEN_NOT_ACCEPTED)),
    (403, {"success": False, "error": "feature_not_allowed"}, ("Refused", Reason.FORBIDDEN)),
    (405, "", ("Refused", Reason.REMOTE_SAID_NO)),
    (422, {"error": "?"}, ("Refused", Reason.REMOTE_SAID_NO)),
    (429, {"error": "Too many", "retryAfter": 7}, ("Throttled", Reason.THROTTLED)),
    (500, {"error": "x"}, ("OutcomeUnknown", Reason.REMOTE_FAILED)),
    (503, {"error": "Organization is suspended"}, ("OutcomeUnknown", Reason.REMOTE_FAILED)),
]


@pytest.mark.parametrize(("status", "body", "expected"), REMOVAL_ANSWERS)
def test_what_an_answer_to_a_removal_proves(chat, status, body, expected):
    chat.fault("status", status=status, body=body)
    assert removal(chat) == expected


def test_the_words_of_an_ambiguous_refusal_are_kept(chat):
    chat.state.switch(last_admin="400")
    chat.state.remove_by_hand("chat_1", "usr_grace")
    [call] = chat.provider.remove(ParticipantRef(TEAM, "usr_panel", "usr_panel"))
    answer = chat.provider.send(call)
    assert chat.provider.judge(call, answer) is Verdict.LOOK
    assert chat.provider.said(answer) == "The last admin cannot be removed"


def test_the_pause_is_read_from_the_body(chat):
    chat.fault("status", status=429, body={"error": "Too many", "retryAfter": 7})
    [call] = chat.provider.remove(ParticipantRef(TEAM, "usr_ada", "usr_ada"))
    with pytest.raises(Exception, match="throttled") as caught:
        chat.provider.judge(call, chat.provider.send(call))
    assert caught.value.pause_s == 7


@pytest.mark.parametrize("listed", ["all", "added"])
@pytest.mark.parametrize(("is_manager", "role"), [(False, "member"), (True, "admin"), (None, "member")])
def test_an_addition_is_confirmed_by_the_user_in_the_wanted_role(chat, listed, is_manager, role):
    chat.state.switch(add_answer=listed)
    assert addition(chat, is_manager=is_manager) is Verdict.CONFIRMED
    assert chat.state.roles("chat_1")["usr_joan"] == role


@pytest.mark.parametrize(("existing", "verdict"), [("400", Verdict.LOOK), ("unchanged", Verdict.LOOK)])
def test_an_addition_of_somebody_who_is_there_in_another_role_is_looked_at(chat, existing, verdict):
    chat.state.switch(add_existing=existing)
    assert addition(chat, user="usr_ada", is_manager=True) is verdict


def test_an_unknown_user_is_looked_at(chat):
    assert addition(chat, user="usr_nobody") is Verdict.LOOK


ADDITION_ANSWERS = [
    ({"success": True, "data": {"participants": [{"user": "usr_joan", "role": "member"}]}}, Verdict.CONFIRMED),
    ({"success": True, "data": {"participants": [{"user": {"_id": "usr_joan"}, "role": "member"}]}}, Verdict.CONFIRMED),
    ({"success": True, "data": {"participants": [{"userId": "usr_joan"}]}}, Verdict.LOOK),
    ({"success": True, "data": {"participants": ["usr_joan"]}}, Verdict.LOOK),
    ({"success": True, "data": {"participants": []}}, Verdict.LOOK),
    ({"success": False, "data": {"participants": [{"userId": "usr_joan", "role": "member"}]}}, Verdict.LOOK),
    ({"success": True}, Verdict.LOOK),
]


@pytest.mark.parametrize(("body", "expected"), ADDITION_ANSWERS)
def test_what_an_answer_to_an_addition_proves(chat, body, expected):
    chat.fault("status", status=200, body=body)
    assert addition(chat) == expected


def test_who_is_not_signed_in_sends_nothing(chat):
    nobody = chat.ask(store=MemoryStore(password="correct horse", refresh_token="r"))
    assert removal(chat, provider=nobody) == ("NotSignedIn", Reason.TOKEN_NOT_ACCEPTED)
    assert chat.journal.seen == []


def test_the_remotes_words_never_repeat_a_secret(chat):
    token = chat.store.get("token")
    said = chat.provider.said(RemoteAnswer(400, {}, f'{{"error": "bad {token} / correct horse"}}'.encode()))
    assert token not in said
    assert "correct horse" not in said
