import dataclasses

import pytest

from membership.errors import Reason
from membership.providers.base import GroupRef, ParticipantRef, RemoteAnswer, RemoteCall, Verdict, Wanted
from membership.providers.errors import NotFound, Refused
from tests.providers.remotes import outcome

CHESS, BOARD = GroupRef("1"), GroupRef("2")
ADA = ParticipantRef(CHESS, "11", None)
MUTED = Wanted(is_muted=True)
MANAGER = Wanted(is_manager=True)
SECRET = Wanted(fields={"ai_prompt": None})
# What the page's example body has, and is not sent: why stands in the docs.
NEVER_SENT = {"deleted", "avatar_token"}


@pytest.fixture
def ada(club):
    """Ada's row with something in each field."""
    values = {
        "nickname": "Countess",
        "preferred_color_hex": "#112233",
        "avatar_token": "avatar-secret",
        "last_read_at": "2026-05-04T09:42:00Z",
        "auto_reply": True,
        "ai_prompt": "Be kind.",
        "ai_auto_close_secret_word": "sesame",
        "ai_number_of_context_messages": 5,
        "image_url": "https://files.example/ada.png",
    }
    club.state.change_by_hand(11, **values)
    return values


def altered(club, wanted, values=None, **options):
    """Plan, fill, send and judge an alteration of Ada's row."""
    provider = club.ask(**options)
    [call] = provider.update(ADA, wanted)
    return outcome(lambda: judged(provider, provider.fill(call, values or {})))


def judged(provider, call):
    return provider.judge(call, provider.send(call))


def row(club, number=11):
    return club.state.participants.rows[number]


def last_data(club):
    return club.journal.writes()[-1].json["data"]


def test_a_plan_holds_the_room_and_what_changes_and_leaves_the_rest_open(club):
    [call] = club.provider.update(ADA, Wanted(is_manager=True, can_write=False))
    assert (call.method, call.path) == ("PUT", ("api", "chat", "chatroom_participant", "11"))
    assert call.body == {"data": {"chatroom": {"id": 1}, "room_admin": True, "can_write": False}}
    assert call.slots == ("rest_of_row",)


def test_a_planned_call_keeps_its_slots_when_it_is_stored(club):
    [call] = club.provider.update(ADA, SECRET)
    assert RemoteCall.from_json(call.to_json()) == call


def test_in_camel_case_the_plan_says_the_same(club):
    [call] = club.ask(body_style="camel").update(ADA, Wanted(is_manager=True, is_muted=False))
    assert call.body == {"data": {"chatroom": 1, "roomAdmin": True, "isMuted": False}}


@pytest.mark.parametrize(
    ("known", "wanted", "calls"),
    [
        ({"is_manager": True}, Wanted(is_manager=True), 0),
        ({}, Wanted(is_manager=False), 0),
        ({"can_write": True}, Wanted(can_write=True), 0),
        ({}, Wanted(can_write=True), 1),
        ({"is_manager": True, "is_muted": False}, Wanted(is_manager=True, is_muted=True), 1),
        ({}, Wanted(), 0),
        ({}, Wanted(fields={"auto_reply": False}), 1),
    ],
)
def test_what_is_so_already_is_not_sent(club, known, wanted, calls):
    assert len(club.provider.update(dataclasses.replace(ADA, **known), wanted)) == calls


@pytest.mark.parametrize("put", ["partial", "replace"])
@pytest.mark.parametrize("style", ["documented", "camel"])
def test_an_alteration_changes_what_is_wanted_and_nothing_else(club, ada, put, style):
    club.state.switch(put=put, body_keys="camel" if style == "camel" else "snake")
    before = dataclasses.asdict(row(club))
    wanted = Wanted(is_manager=True, can_write=False, is_muted=True)
    assert altered(club, wanted, body_style=style, put_body="newer") is Verdict.CONFIRMED
    expected = {**before, "room_admin": True, "can_write": False, "is_muted": True}
    # A host that empties what a body leaves out takes the picture's token: it is a secret, and never written back.
    lost = {"avatar_token": None} if put == "replace" else {}
    now = dataclasses.asdict(row(club))
    assert {key: value for key, value in now.items() if key != "updated"} == {
        key: value for key, value in {**expected, **lost}.items() if key != "updated"
    }


@pytest.mark.parametrize(("put_body", "shown"), [("older", set()), ("newer", {"nickname", "preferred_color_hex"})])
def test_the_body_is_the_row_with_the_keys_of_the_page(club, ada, put_body, shown):
    altered(club, MUTED, put_body=put_body)
    data = last_data(club)
    assert not NEVER_SENT & set(data)
    assert set(data) & {"nickname", "preferred_color_hex"} == shown
    assert data["chatroom"] == {
        "id": 1,
        "created": club.state.rooms.rows[1].created,
        "updated": club.state.rooms.rows[1].updated,
        "deleted": False,
        "name": "Chess club",
    }
    assert (data["id"], data["created"], data["name"], data["ai_prompt"]) == (
        11,
        row(club).created,
        "Ada Lovelace",
        "Be kind.",
    )


def test_what_a_row_does_not_say_is_not_written(club):
    altered(club, MUTED)
    assert None not in last_data(club).values()
    assert "ai_prompt" not in last_data(club)


def test_what_somebody_changed_after_the_plan_is_kept(club, ada):
    club.state.switch(put="replace")
    [call] = club.provider.update(ADA, MUTED)
    club.state.change_by_hand(11, can_write=False, ai_prompt="Be brief.", ai_number_of_context_messages=9)
    assert judged(club.provider, club.provider.fill(call, {})) is Verdict.CONFIRMED
    now = row(club)
    assert (now.is_muted, now.can_write, now.ai_prompt, now.ai_number_of_context_messages) == (
        True,
        False,
        "Be brief.",
        9,
    )


@pytest.mark.parametrize("gone", ["remove_by_hand", "erase_by_hand"])
def test_a_row_that_is_gone_is_not_written_to(club, gone):
    getattr(club.state, gone)(11)
    with pytest.raises(NotFound) as caught:
        club.provider.fill(club.provider.update(ADA, MUTED)[0], {})
    assert caught.value.reason is Reason.NOT_FOUND
    assert club.journal.writes() == []


def test_a_room_that_is_gone_is_told_apart(club):
    [call] = club.provider.update(ParticipantRef(GroupRef("99"), "11", None), MUTED)
    assert outcome(lambda: club.provider.fill(call, {})) == ("NotFound", Reason.GROUP_NOT_FOUND)


def test_a_row_removed_between_reading_and_writing_stays_removed(club):
    call = club.provider.fill(club.provider.update(ADA, MUTED)[0], {})
    club.state.remove_by_hand(11)
    assert judged(club.provider, call) is Verdict.LOOK
    assert [each.id for each in club.state.live(1)] == [12]


def test_rows_that_only_the_list_tells_are_found_there(club):
    body = {"id": 1, "name": "Chess club", "deleted": False}
    club.fault("status", method="GET", path_contains="/api/chat/chatroom/1", status=200, body=body, times=1)
    assert altered(club, MUTED, participants_from="list") is Verdict.CONFIRMED
    assert row(club).is_muted


def test_an_answer_about_another_room_is_not_believed(club):
    club.fault(
        "status", method="GET", path_contains="/api/chat/chatroom/1", status=200, body={"id": 2, "participants": []}
    )
    assert altered(club, MUTED) == ("OutcomeUnknown", Reason.ANSWER_UNEXPECTED)


def test_a_reading_that_is_forbidden_refuses_the_alteration(club):
    club.fault("status", method="GET", path_contains="/api/chat/chatroom/1", status=403, body="")
    assert altered(club, MUTED) == ("Refused", Reason.FORBIDDEN)


# secrets


def test_a_plan_never_holds_a_secret(club):
    [call] = club.provider.update(ADA, Wanted(is_muted=True, fields={"ai_prompt": None}))
    assert call.body["data"]["ai_prompt"] == {"secret": True}
    assert call.slots == ("rest_of_row", "secret:ai_prompt")


@pytest.mark.parametrize("style", ["documented", "camel"])
@pytest.mark.parametrize("text", ["Be\nbrief.", ""])
def test_a_secret_is_put_in_just_before_it_is_sent(club, ada, style, text):
    assert altered(club, SECRET, {"secret:ai_prompt": text}, body_style=style) is Verdict.CONFIRMED
    assert row(club).ai_prompt == text
    assert row(club).ai_auto_close_secret_word == "sesame"


def test_a_secret_that_is_missing_is_not_sent_as_something_else(club):
    assert altered(club, SECRET) == ("Refused", Reason.BAD_VALUE)
    assert club.journal.writes() == []


def test_a_call_that_was_not_filled_is_not_sent(club):
    [call] = club.provider.update(ADA, MUTED)
    with pytest.raises(Refused):
        club.provider.send(call)
    assert club.journal.seen == []


def test_a_call_without_slots_is_filled_as_it_is(club):
    [call] = club.provider.remove(ADA)
    assert club.provider.fill(call, {}) == call
    assert club.journal.seen == []


# fields


@pytest.mark.parametrize("put", ["partial", "replace"])
def test_fields_are_edited(club, ada, put):
    club.state.switch(put=put)
    wanted = Wanted(fields={"auto_reply": False, "ai_number_of_context_messages": 0, "nickname": ""})
    assert altered(club, wanted, put_body="newer") is Verdict.CONFIRMED
    now = row(club)
    assert (now.auto_reply, now.ai_number_of_context_messages, now.nickname) == (False, 0, "")
    assert (now.preferred_color_hex, now.ai_prompt) == ("#112233", "Be kind.")


def test_nickname_and_colour_are_offered_where_the_host_has_them(club):
    def keys(provider):
        return {field.key for field in provider.capabilities.fields}

    assert keys(club.ask(put_body="newer")) - keys(club.provider) == {"nickname", "preferred_color_hex"}
    assert altered_refused(club.provider, Wanted(fields={"nickname": "Ada"})) is Reason.NOT_OFFERED


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"auto_reply": "yes"}, Reason.BAD_VALUE),
        ({"ai_number_of_context_messages": True}, Reason.BAD_VALUE),
        ({"ai_number_of_context_messages": -1}, Reason.BAD_VALUE),
        ({"ai_number_of_context_messages": None}, Reason.BAD_VALUE),
        ({"preferred_color_hex": "red"}, Reason.BAD_VALUE),
        ({"nickname": "a" * 256}, Reason.BAD_VALUE),
        ({"nickname": "a\0b"}, Reason.BAD_VALUE),
        ({"nickname": "a\nb"}, Reason.BAD_VALUE),
        ({"avatar_token": "x"}, Reason.NOT_OFFERED),
        ({"room_admin": True}, Reason.NOT_OFFERED),
    ],
)
def test_a_value_that_does_not_fit_its_field_is_refused_in_the_plan(club, fields, reason):
    assert altered_refused(club.ask(put_body="newer"), Wanted(fields=fields)) is reason


def altered_refused(provider, wanted):
    with pytest.raises(Refused) as caught:
        provider.update(ADA, wanted)
    return caught.value.reason


# judgement

SHOWN = {"id": 11, "chatroom": {"id": 1}, "deleted": False, "is_muted": True, "room_admin": False, "can_write": True}
KEPT = {"auto_created": False, "auto_reply": False}
ANSWERS = [
    (200, [], {**SHOWN, **KEPT}, Verdict.CONFIRMED),
    (200, [], {**SHOWN, **KEPT, "deleted": None}, Verdict.CONFIRMED),
    (200, [], {**SHOWN, **KEPT, "is_muted": False}, Verdict.LOOK),
    (200, [], {**SHOWN, **KEPT, "is_muted": "true"}, Verdict.LOOK),
    (200, [], {**SHOWN, **KEPT, "is_muted": 1}, Verdict.LOOK),
    (200, [], {**SHOWN, **KEPT, "can_write": False}, Verdict.LOOK),
    (200, [], {**SHOWN, **KEPT, "auto_reply": True}, Verdict.LOOK),
    (200, [], {**SHOWN, **KEPT, "deleted": True}, Verdict.LOOK),
    (200, [], {**SHOWN, **KEPT, "id": 12}, Verdict.LOOK),
    (200, [], {**SHOWN, **KEPT, "chatroom": {"id": 2}}, Verdict.LOOK),
    (200, [], {"id": 11}, Verdict.LOOK),
    (200, [], {}, Verdict.LOOK),
    (200, [], "", Verdict.LOOK),
    (200, [("X-IW-ERROR-CODE", "X1")], {**SHOWN, **KEPT}, Verdict.LOOK),
    (200, [], "<html></html>", ("OutcomeUnknown", Reason.ANSWER_UNREADABLE)),
    (400, [], {"detail": "?"}, Verdict.LOOK),
    (404, [], "", Verdict.LOOK),
    (422, [], "", Verdict.LOOK),
    (400, [("X-IW-ERROR-CODE", "401")], "", ("NotSignedIn", Reason.TOKEN_NOT_ACCEPTED)),
    (403, [], "", ("Refused", Reason.FORBIDDEN)),
    (405, [], "", ("Refused", Reason.REMOTE_SAID_NO)),
    (429, [], "", ("Throttled", Reason.THROTTLED)),
    (500, [], "", ("OutcomeUnknown", Reason.REMOTE_FAILED)),
]


@pytest.mark.parametrize(("status", "headers", "body", "expected"), ANSWERS)
def test_what_an_answer_to_an_alteration_proves(club, status, headers, body, expected):
    club.fault("status", method="PUT", status=status, headers=headers, body=body)
    assert altered(club, MUTED) == expected


@pytest.mark.parametrize(("style", "keys"), [("camel", "snake"), ("documented", "camel")])
def test_a_body_that_the_host_does_not_understand_is_not_believed(club, style, keys):
    club.state.switch(body_keys=keys)
    assert altered(club, MUTED, body_style=style) is Verdict.LOOK


def test_a_secret_that_was_not_taken_is_not_believed(club, ada):
    call = club.provider.fill(club.provider.update(ADA, SECRET)[0], {"secret:ai_prompt": "New."})
    answer = club.provider.send(call)
    assert club.provider.judge(call, answer) is Verdict.CONFIRMED
    other = answer.text.replace("New.", "Old.").encode()
    assert club.provider.judge(call, RemoteAnswer(200, {}, other)) is Verdict.LOOK


def test_an_older_host_is_written_to_as_well(club, ada):
    club.state.switch(doc_version="older")
    assert altered(club, MANAGER) is Verdict.CONFIRMED
    assert row(club).room_admin
    assert row(club).nickname == "Countess"
