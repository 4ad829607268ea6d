import pytest

from membership.errors import Reason
from membership.providers.base import AccountRef, GroupRef, ParticipantRef
from membership.providers.errors import Incomplete, NotFound, OutcomeUnknown, ProviderError, Refused

TEAM, GONE = GroupRef("chat_1"), GroupRef("chat_99")


def add_chats(chat, number):
    with chat.state.changing():
        for each in range(number):
            chat.state.add_chat(f"Chat {each}", project="proj_1", id=f"c{each:04}", admin="usr_panel")


def reason_of(reading):
    with pytest.raises(ProviderError) as caught:
        list(reading)
    return type(caught.value), caught.value.reason


def chats(ids, total):
    return {
        "success": True,
        "data": {"chats": [{"_id": each, "name": each, "type": "group"} for each in ids], "total": total},
    }


def test_chats_are_read_page_by_page_from_one(chat):
    add_chats(chat, 249)
    assert len({group.remote_id for group in chat.provider.groups()}) == 250
    assert [dict(entry.query) for entry in chat.journal.entries] == [
        {"page": str(page), "limit": "100"} for page in (1, 2, 3)
    ]


def test_an_exact_number_of_pages_needs_no_other(chat):
    add_chats(chat, 99)
    assert len(list(chat.provider.groups())) == 100
    assert len(chat.journal.entries) == 1


def test_smaller_pages_than_asked_for_are_read_to_the_total(chat):
    chat.state.switch(max_limit=30)
    add_chats(chat, 69)
    assert len(list(chat.provider.groups())) == 70


def test_chats_of_others_are_not_told(chat):
    chat.state.add_chat("Secret", project="proj_1", id="chat_2", admin="usr_grace")
    assert [group.remote_id for group in chat.provider.groups()] == ["chat_1"]
    assert reason_of(chat.provider.participants(GroupRef("chat_2"))) == (NotFound, Reason.GROUP_NOT_FOUND)


@pytest.mark.parametrize("status", [403, 404])
def test_a_chat_out_of_sight_is_not_found_and_not_empty(chat, status):
    chat.state.switch(foreign_chat=status)
    chat.state.add_chat("Secret", project="proj_1", id="chat_2", admin="usr_grace")
    with pytest.raises(NotFound):
        chat.provider.get_group(GroupRef("chat_2"))
    with pytest.raises(NotFound):
        chat.provider.find(GroupRef("chat_2"), [])
    assert reason_of(chat.provider.participants(GONE)) == (NotFound, Reason.GROUP_NOT_FOUND)


def test_a_repeated_page_makes_the_reading_incomplete(chat):
    chat.fault("status", status=200, body=chats([f"c{number}" for number in range(100)], 150))
    assert reason_of(chat.provider.groups()) == (Incomplete, Reason.PAGE_REPEATED)


def test_a_list_that_moved_between_pages_is_incomplete(chat):
    chat.fault("status", status=200, body=chats([f"c{number}" for number in range(100)], 110), regex="page=1&")
    moved = [f"c{number}" for number in range(99, 109)]  # c99 again, so one chat was jumped over
    chat.fault("status", status=200, body=chats(moved, 110), regex="page=2&")
    assert reason_of(chat.provider.groups()) == (Incomplete, Reason.PAGE_SHORT)


def test_a_list_that_ends_before_its_total_is_incomplete(chat):
    chat.fault("status", status=200, body=chats([f"c{number}" for number in range(100)], 150), regex="page=1&")
    chat.fault("status", status=200, body=chats([], 150), regex="page=2&")
    assert reason_of(chat.provider.groups()) == (Incomplete, Reason.PAGE_SHORT)


def test_without_a_total_the_list_ends_with_an_empty_page(chat):
    first = chats([f"c{number}" for number in range(100)], None)
    chat.fault("status", status=200, body=first, regex="page=1&")
    chat.fault("status", status=200, body=chats([], None), regex="page=2&")
    assert len(list(chat.provider.groups())) == 100


@pytest.mark.parametrize(
    "body", [{"success": False, "data": {"chats": [], "total": 0}}, {"success": True}, {"data": {"chats": None}}, []]
)
def test_an_envelope_that_is_not_the_documented_one_is_no_empty_list(chat, body):
    chat.fault("status", status=200, body=body)
    assert reason_of(chat.provider.groups()) == (Incomplete, Reason.ANSWER_UNREADABLE)


def test_participants_carry_role_and_id_but_no_name(chat):
    rows = list(chat.provider.participants(TEAM))
    assert [(row.remote_id, row.account_id, row.label, row.is_manager) for row in rows] == [
        ("usr_panel", "usr_panel", "", True),
        ("usr_ada", "usr_ada", "", False),
        ("usr_grace", "usr_grace", "", True),
    ]


def test_every_documented_shape_of_a_participant_is_read(chat):
    shapes = [
        "u1",
        {"userId": "u2", "role": "admin"},
        {"user": "u3"},
        {"user": {"_id": "u4"}},
        {"_id": "u5", "role": None},
    ]
    chat.fault("status", status=200, body={"success": True, "data": {"_id": "chat_1", "participants": shapes}})
    rows = list(chat.provider.participants(TEAM))
    assert [row.remote_id for row in rows] == ["u1", "u2", "u3", "u4", "u5"]
    assert [row.is_manager for row in rows] == [False, True, False, False, False]


@pytest.mark.parametrize(
    ("participants", "error"), [([{"role": "admin"}], Incomplete), (None, OutcomeUnknown), ({}, OutcomeUnknown)]
)
def test_participants_that_cannot_be_read_are_not_none(chat, participants, error):
    chat.fault("status", status=200, body={"success": True, "data": {"participants": participants}})
    assert reason_of(chat.provider.participants(TEAM)) == (error, Reason.ANSWER_UNREADABLE)


def test_a_participant_that_comes_twice_makes_the_reading_incomplete(chat):
    chat.fault("status", status=200, body={"data": {"participants": ["u1", "u1"]}})
    assert reason_of(chat.provider.participants(TEAM)) == (Incomplete, Reason.PAGE_REPEATED)


def test_a_chat_may_have_more_than_ten_thousand_participants(chat):
    with chat.state.changing():
        for number in range(12_000):
            chat.state.add_participant("chat_1", f"usr_{number}")
    assert len(list(chat.provider.participants(TEAM))) == 12_003
    assert chat.provider.get_group(TEAM).name == "Team"


def test_accounts_are_the_users_of_the_project(chat):
    chat.state.change_user("usr_grace", account_status="suspended")
    chat.state.change_user("usr_joan", is_active=False)
    accounts = [(each.remote_id, each.label, each.email, each.active) for each in chat.provider.accounts()]
    assert accounts == [
        ("usr_panel", "Panel", "panel@m.example", True),
        ("usr_ada", "Ada Lovelace", "ada@m.example", True),
        ("usr_grace", "Grace Hopper", None, False),
        ("usr_joan", "Joan Clarke", None, False),
    ]


def test_a_user_without_any_name_is_shown_by_id(chat):
    chat.fault("status", status=200, body={"users": [{"_id": "usr_x", "isAnonymous": True}], "total": 1})
    [account] = chat.provider.accounts()
    assert (account.label, account.email) == ("usr_x", None)


def test_fewer_users_than_the_total_are_not_all(chat):
    chat.fault("status", status=200, body={"users": [{"_id": "usr_x"}], "total": 2})
    assert reason_of(chat.provider.accounts()) == (Incomplete, Reason.PAGE_SHORT)


def test_who_may_not_list_users_has_a_weak_token(chat):
    chat.state.change_user("usr_panel", role="user")
    assert reason_of(chat.provider.accounts()) == (Incomplete, Reason.WEAK_TOKEN)


@pytest.mark.parametrize("kind", ["bad_json", "truncated", "html"])
def test_a_cut_answer_ends_the_reading(chat, kind):
    chat.fault(kind)
    assert reason_of(chat.provider.accounts())[0] is OutcomeUnknown


def test_doubts_are_settled_by_one_reading(chat):
    subjects = [ParticipantRef(TEAM, user, user) for user in ("usr_ada", "usr_joan")]
    found = chat.provider.find(TEAM, subjects)
    assert (found["usr_ada"].remote_id, found["usr_joan"]) == ("usr_ada", None)
    assert chat.provider.find_added(TEAM, AccountRef("usr_joan"), []) is None
    assert chat.provider.find_added(TEAM, AccountRef("usr_grace"), []).is_manager
    assert len(chat.journal.entries) == 3


def test_places_are_not_told(chat):
    with pytest.raises(Refused):
        chat.provider.places(AccountRef("usr_ada"))
