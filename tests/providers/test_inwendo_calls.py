import pytest

from membership.errors import Reason
from membership.providers.base import AccountRef, GroupRef, ParticipantRef, RemoteAnswer, Verdict, Wanted
from tests.providers.remotes import MemoryStore

ROOM, BOARD = GroupRef("1"), GroupRef("2")
ADA = ParticipantRef(ROOM, "11", None)
ADDED = {"id": 77, "chatroom": {"id": 2}, "deleted": False, "room_admin": False}


def removal(club, provider=None):
    [call] = (provider or club.provider).remove(ADA)
    return club.outcome(call, provider)


def addition(club, **options):
    provider = club.ask(**options)
    [call] = provider.add(BOARD, AccountRef("1"), Wanted(name="Ada Lovelace"))
    return club.outcome(call, provider)


def test_a_removal_is_confirmed_by_the_row_marked_deleted(club):
    assert removal(club) is Verdict.CONFIRMED
    assert club.journal.written == ["DELETE /api/chat/chatroom_participant/11"]
    assert [row.id for row in club.state.live(1)] == [12]


def test_a_removal_that_changed_nothing_is_looked_at(club):
    club.state.switch(delete="ignored")
    assert removal(club) is Verdict.LOOK


@pytest.mark.parametrize(
    ("second", "verdict"), [("again", Verdict.CONFIRMED), ("not_found", Verdict.LOOK), ("error", Verdict.LOOK)]
)
def test_a_second_removal_is_never_a_refusal(club, second, verdict):
    club.state.switch(second_delete=second)
    removal(club)
    assert removal(club) is verdict


REMOVAL_ANSWERS = [
    (200, [], {"id": 11, "deleted": True}, Verdict.CONFIRMED),
    (200, [], {"deleted": True}, Verdict.CONFIRMED),
    (200, [], {"id": 11, "deleted": False}, Verdict.LOOK),
    (200, [], {"id": 11}, Verdict.LOOK),
    (200, [], {"id": 11, "deleted": "true"}, Verdict.LOOK),
    (200, [], {"id": 12, "deleted": True}, Verdict.LOOK),
    (200, [], "", Verdict.LOOK),
    (204, [], "", Verdict.LOOK),
    (200, [("X-IW-ERROR-CODE", "X17")], {"id": 11, "deleted": True}, Verdict.LOOK),
    (200, [], [], ("OutcomeUnknown", Reason.ANSWER_UNREADABLE)),
    (200, [], "<html>welcome</html>", ("OutcomeUnknown", Reason.ANSWER_UNREADABLE)),
    (400, [], {"detail": "?"}, Verdict.LOOK),
    (404, [], {"detail": "Not Found"}, Verdict.LOOK),
    (409, [], "", Verdict.LOOK),
    (410, [], "", Verdict.LOOK),
    (403, [], "", ("Refused", Reason.FORBIDDEN)),
    (405, [], "", ("Refused", Reason.REMOTE_SAID_NO)),
    (401, [], "", ("NotSignedIn", Reason.TOKEN_NOT_ACCEPTED)),
    (400, [("X-IW-ERROR-CODE", "401")], {"detail": "JWT expired"}, ("NotSignedIn", Reason.TOKEN_NOT_ACCEPTED)),
    (200, [("X-IW-ERROR-CODE", "401")], {"deleted": True}, ("NotSignedIn", Reason.TOKEN_NOT_ACCEPTED)),
    (400, [("X-IW-ERROR-CODE", "403")], "", ("Refused", Reason.FORBIDDEN)),
    (500, [("X-IW-ERROR-CODE", "404")], "", Verdict.LOOK),
    (400, [("X-IW-ERROR-CODE", "429")], "", ("Throttled", Reason.THROTTLED)),
    (429, [], "", ("Throttled", Reason.THROTTLED)),
    (500, [], "", ("OutcomeUnknown", Reason.REMOTE_FAILED)),
    (503, [], "", ("OutcomeUnknown", Reason.REMOTE_FAILED)),
    (302, [("Location", "/login")], "", ("OutcomeUnknown", Reason.ANSWER_REDIRECTED)),
]


@pytest.mark.parametrize(("status", "headers", "body", "expected"), REMOVAL_ANSWERS)
def test_what_an_answer_to_a_removal_proves(club, status, headers, body, expected):
    club.fault("status", status=status, headers=headers, body=body)
    assert removal(club) == expected


def test_a_lost_answer_is_an_unknown_outcome(club):
    club.fault("lost_answer")
    assert removal(club) == ("OutcomeUnknown", Reason.ANSWER_LOST)


def test_an_addition_is_confirmed_by_a_row_in_the_wanted_room(club):
    assert addition(club) is Verdict.CONFIRMED
    [row] = club.state.live(2)
    assert (row.person, row.first_name, row.room_admin) == (1, "Ada", False)


def test_an_addition_in_camel_case_says_the_same(club):
    club.state.switch(body_keys="camel")
    assert addition(club, body_style="camel") is Verdict.CONFIRMED
    [row] = club.state.live(2)
    assert (row.person, row.participant_type) == (1, "person")


def test_a_body_that_the_tenant_does_not_understand_is_not_believed(club):
    club.state.switch(body_keys="snake")
    assert addition(club, body_style="camel") is Verdict.LOOK


ADDITION_ANSWERS = [
    ({**ADDED}, Verdict.CONFIRMED),
    ({**ADDED, "deleted": None}, Verdict.CONFIRMED),
    ({**ADDED, "deleted": True}, Verdict.LOOK),
    ({**ADDED, "chatroom": {"id": 1}}, Verdict.LOOK),
    ({**ADDED, "chatroom": None}, Verdict.LOOK),
    ({"chatroom": {"id": 2}}, Verdict.LOOK),
    ({}, Verdict.LOOK),
]


@pytest.mark.parametrize(("body", "expected"), ADDITION_ANSWERS)
def test_what_an_answer_to_an_addition_proves(club, body, expected):
    club.fault("status", status=200, body=body)
    assert addition(club) == expected


def test_a_refused_api_key_stops_the_connection(club):
    key = club.state.issue_api_key(1).id
    by_key = club.ask(store=MemoryStore(api_key=key), auth="api_key")
    assert removal(club, by_key) is Verdict.CONFIRMED
    club.state.revoke_all()
    assert removal(club, by_key) == ("Misconfigured", Reason.TOKEN_NOT_ACCEPTED)


def test_who_is_not_signed_in_sends_nothing(club):
    nobody = club.ask(store=MemoryStore(password="correct horse"))
    assert removal(club, nobody) == ("NotSignedIn", Reason.TOKEN_NOT_ACCEPTED)
    assert club.journal.seen == []


@pytest.mark.parametrize("row_id", ["..", "a/b", ""])
def test_an_id_that_a_url_cannot_carry_is_not_sent(club, row_id):
    [call] = club.provider.remove(ParticipantRef(ROOM, row_id, None))
    assert club.outcome(call) == ("Refused", Reason.ID_NOT_SENDABLE)
    assert club.journal.seen == []


def test_the_remotes_words_come_from_the_error_header_first(club):
    headers = {"x-iw-error-json": '["No right", "Ask the board"]'}
    assert club.provider.said(RemoteAnswer(400, headers, b'{"title": "Error"}')) == "No right; Ask the board"
    assert club.provider.said(RemoteAnswer(400, {"x-iw-error-json": "[]"}, b'{"title": "Error"}')) == "Error"


def test_the_remotes_words_never_repeat_a_secret(club):
    session = club.store.get("session_id")
    said = club.provider.said(RemoteAnswer(400, {}, f'{{"detail": "bad {session} correct horse \\u202e"}}'.encode()))
    assert session not in said
    assert "correct horse" not in said
    assert "\u202e" not in said
    assert len(club.provider.said(RemoteAnswer(400, {}, b"no! " * 1000))) <= 300
