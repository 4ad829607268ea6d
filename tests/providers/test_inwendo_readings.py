import pytest

from membership.errors import Reason
from membership.providers.base import AccountRef, Ambiguous, GroupRef, ParticipantRef, RemotePlace
from membership.providers.errors import Incomplete, NotFound, NotSignedIn, OutcomeUnknown, ProviderError, Refused
from tests.providers.remotes import MemoryStore

ROOM, BOARD, GONE = GroupRef("1"), GroupRef("2"), GroupRef("99")
PEOPLE = "/api/crm/crmpeople"


def add_people(club, number):
    with club.state.changing():
        for each in range(number):
            club.state.add_person("Person", f"No. {each}")


def reason_of(reading):
    with pytest.raises(ProviderError) as caught:
        list(reading)
    return type(caught.value), caught.value.reason


def queries(club, path):
    return [dict(entry.query) for entry in club.journal.entries if entry.path == path]


def test_rooms_are_listed_where_the_list_is_offered(club):
    club.state.archive_room(2)
    assert [(room.remote_id, room.name, room.archived) for room in club.provider.groups()] == [
        ("1", "Chess club", False),
        ("2", "Board", True),
    ]


def test_where_rooms_are_not_listed_the_tracked_ones_are_read_and_a_gone_one_is_left_out(club):
    club.state.switch(room_list=False)
    rooms = list(club.ask(rooms="2, 77,1, 2").groups())
    assert [room.remote_id for room in rooms] == ["2", "1"]
    assert rooms[0].secrets == {"token": "room-token-2", "notification_token": "push-token-2"}
    assert "token" not in rooms[0].attributes


def test_a_forbidden_list_of_rooms_gives_way_to_the_tracked_ones(club):
    club.fault("status", status=403, regex=r"/chatroom\?")
    assert [room.remote_id for room in club.ask(rooms="1").groups()] == ["1"]
    assert reason_of(club.provider.groups()) == (Incomplete, Reason.WEAK_TOKEN)


def test_without_list_and_tracked_rooms_the_reading_says_so(club):
    club.state.switch(room_list=False)
    assert reason_of(club.provider.groups()) == (Incomplete, Reason.GROUPS_NOT_LISTED)


@pytest.mark.parametrize("source", ["room", "list"])
def test_participants_leave_out_deleted_rows(club, source):
    club.state.add_participant(1, person=3, id=13)
    club.state.remove_by_hand(13)
    rows = list(club.ask(participants_from=source).participants(ROOM))
    assert [(row.remote_id, row.label, row.is_manager, row.account_id) for row in rows] == [
        ("11", "Ada Lovelace", False, None),
        ("12", "Grace Hopper", True, None),
    ]


@pytest.mark.parametrize("source", ["room", "list"])
def test_a_room_that_is_gone_is_not_an_empty_one(club, source):
    provider = club.ask(participants_from=source)
    assert list(provider.participants(BOARD)) == []
    assert reason_of(provider.participants(GONE)) == (NotFound, Reason.GROUP_NOT_FOUND)
    with pytest.raises(NotFound):
        provider.get_group(GONE)


def test_secrets_of_a_row_stand_apart(club):
    club.state.change_by_hand(
        11, avatar_token="a-1", ai_prompt="be kind", ai_auto_close_secret_word="x", nickname="ada", can_write=False
    )
    row = next(club.provider.participants(ROOM))
    assert row.secrets == {"avatar_token": "a-1", "ai_prompt": "be kind", "ai_auto_close_secret_word": "x"}
    assert (row.attributes["nickname"], row.can_write) == ("ada", False)
    assert not set(row.secrets) & set(row.attributes)


def test_the_older_version_of_the_pages_is_read_as_well(club):
    club.state.switch(doc_version="older")
    assert [row.remote_id for row in club.provider.participants(ROOM)] == ["11", "12"]


def test_odd_types_and_missing_keys_are_not_said(club):
    odd = {"id": 5, "first_name": None, "last_name": 7, "last_read_at": "yesterday", "room_admin": "yes", "new_key": {}}
    club.fault("status", status=200, body={"id": 1, "participants": [odd, {"id": 6, "name": "Bo", "can_write": True}]})
    first, second = club.provider.participants(ROOM)
    assert (first.label, first.last_read_at, first.is_manager, first.can_write) == ("", None, False, None)
    assert (second.label, second.can_write) == ("Bo", True)


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"id": 1}, OutcomeUnknown),
        ({"id": 1, "participants": None}, OutcomeUnknown),
        ([], OutcomeUnknown),
        ("<html></html>", OutcomeUnknown),
        ({"participants": [{"name": "nameless"}]}, Incomplete),
        ({"participants": ["Ada"]}, Incomplete),
    ],
)
def test_a_room_that_cannot_be_read_shows_no_participants(club, body, error):
    club.fault("status", status=200, body=body)
    assert reason_of(club.provider.participants(ROOM)) == (error, Reason.ANSWER_UNREADABLE)


def test_people_come_with_the_e_mails_of_users_and_else_of_their_contact_data(club):
    accounts = {account.remote_id: account for account in club.provider.accounts()}
    assert accounts["1"].email == "ada@club.example"
    assert accounts["2"].email == "grace@club.example"
    club.state.change_person(2, archived=True)
    assert [account.active for account in club.provider.accounts()] == [True, False, True]


def test_health_data_of_people_is_not_taken(club):
    club.state.change_person(1, extra={"allergies": "nuts", "birthday": "1815-12-10"}, phone="+44 1")
    [ada, *_] = club.provider.accounts()
    assert ada.attributes == {"number_string": "P00001"}


@pytest.mark.parametrize(("kind", "params"), [("status", {"status": 403}), ("status", {"status": 404}), ("html", {})])
def test_unreadable_users_do_not_break_the_reading_of_people(club, kind, params):
    club.fault(kind, path_contains="/api/users", **params)
    accounts = {account.remote_id: account.email for account in club.provider.accounts()}
    assert accounts == {"1": "ada@club.example", "2": None, "3": None}


def test_a_token_that_may_not_read_people_is_weak(club):
    club.fault("status", status=403, path_contains=PEOPLE)
    assert reason_of(club.provider.accounts()) == (Incomplete, Reason.WEAK_TOKEN)


def test_every_page_is_asked_for_with_an_explicit_order(club):
    add_people(club, 447)
    assert len(list(club.provider.accounts())) == 450
    order = {"orderFieldName": "id", "orderFieldSort": "ASC", "pageSize": "200"}
    assert queries(club, PEOPLE) == [{**order, "page": str(page)} for page in range(4)]


@pytest.mark.parametrize("past_the_end", ["empty", "error"])
@pytest.mark.parametrize("number", [200, 230])
def test_what_lies_past_the_last_page_ends_the_list(club, number, past_the_end):
    club.state.switch(past_last_page=past_the_end)
    add_people(club, number - 3)
    assert len(list(club.provider.accounts())) == number


def test_an_error_after_a_full_page_is_the_end_only_if_no_row_follows(club):
    add_people(club, 447)
    club.fault("status", status=400, regex=r"crmpeople.*page=1&pageSize=200")
    assert reason_of(club.provider.accounts()) == (Incomplete, Reason.PAGE_SHORT)


def test_a_page_that_comes_twice_makes_the_reading_incomplete(club):
    club.fault("status", status=200, body=[{"id": number} for number in range(200)], path_contains=PEOPLE)
    assert reason_of(club.provider.accounts()) == (Incomplete, Reason.PAGE_REPEATED)


def test_a_short_page_in_the_middle_makes_the_reading_incomplete(club):
    add_people(club, 447)
    short = [{"id": number} for number in range(1001, 1061)]
    club.fault("status", status=200, body=short, regex=r"crmpeople.*page=1&")
    assert reason_of(club.provider.accounts()) == (Incomplete, Reason.PAGE_SHORT)


def test_pages_smaller_than_asked_for_do_not_look_like_the_end(club):
    add_people(club, 447)
    club.fault("status", status=200, body=[{"id": number} for number in range(1001, 1051)], regex=r"page=0&")
    assert reason_of(club.provider.accounts()) == (Incomplete, Reason.PAGE_SHORT)


@pytest.mark.parametrize("kind", ["bad_json", "truncated", "lost_answer"])
def test_a_cut_page_ends_the_reading(club, kind):
    club.fault(kind, path_contains=PEOPLE)
    assert reason_of(club.provider.accounts())[0] is OutcomeUnknown


def test_the_client_ids_go_with_the_operations_that_are_documented_to_take_them(club):
    provider = club.ask(build_id="2026", package_id="panel", participants_from="list")
    list(provider.participants(ROOM))
    list(provider.accounts())
    [call] = provider.remove(ParticipantRef(ROOM, "11", None))
    assert call.query == (("iw-build-id", "2026"), ("iw-package-id", "panel"))
    assert queries(club, "/api/chat/chatroom_participant")[0]["iw-build-id"] == "2026"
    assert "iw-build-id" not in queries(club, PEOPLE)[0]


def test_the_places_of_a_person_are_found_by_the_filter(club):
    club.state.add_participant(2, person=1, id=21)
    club.state.add_participant(2, person=1, id=22)
    club.state.remove_by_hand(22)
    assert list(club.provider.places(AccountRef("1"))) == [RemotePlace("11"), RemotePlace("21")]
    assert list(club.provider.places(AccountRef("3"))) == []


def test_one_reading_settles_many_doubts(club):
    subjects = [ParticipantRef(ROOM, row_id, None) for row_id in ("11", "12", "13")]
    club.state.remove_by_hand(11)
    found = club.provider.find(ROOM, subjects)
    assert {row_id: row is not None for row_id, row in found.items()} == {"11": False, "12": True, "13": False}
    assert len(club.journal.entries) == 1


def test_an_addition_in_doubt_is_looked_for_by_room_and_person(club):
    assert club.provider.find_added(BOARD, AccountRef("1"), []) is None
    club.state.add_participant(2, person=1, id=21)
    found = club.provider.find_added(BOARD, AccountRef("1"), [])
    assert (found.remote_id, found.account_id) == ("21", "1")
    assert club.provider.find_added(BOARD, AccountRef("1"), ["21"]) is None


def test_two_rows_that_could_be_the_added_one_are_ambiguous(club):
    club.state.add_participant(2, person=1, id=21)
    club.state.add_participant(2, person=1, id=22)
    assert club.provider.find_added(BOARD, AccountRef("1"), []) == Ambiguous(("21", "22"))


@pytest.mark.parametrize(
    ("ignored", "room", "person"), [("person", ROOM, "3"), ("person", ROOM, "1"), ("chatroom", BOARD, "1")]
)
def test_a_host_that_ignores_a_filter_shows_nobody_as_the_one_who_was_looked_for(club, ignored, room, person):
    club.state.switch(ignored_filter=ignored)
    with pytest.raises(Refused) as refused:
        club.provider.find_added(room, AccountRef(person), [])
    assert (refused.value.reason, refused.value.params) == (Reason.FILTER_IGNORED, {"key": ignored})


def test_a_list_that_is_not_of_the_room_is_not_taken_for_its_participants(club):
    club.state.switch(ignored_filter="chatroom")
    assert reason_of(club.ask(participants_from="list").participants(BOARD)) == (Refused, Reason.FILTER_IGNORED)


def test_each_filter_is_proven_once(club):
    for _ in range(3):
        assert club.provider.find_added(ROOM, AccountRef("1"), []).remote_id == "11"
    assert len(club.journal.entries) == 3 + 2


def test_nothing_is_found_in_a_room_that_is_gone(club):
    for search in (
        lambda: club.provider.find_added(GONE, AccountRef("1"), []),
        lambda: club.provider.find(GONE, [ParticipantRef(GONE, "11", None)]),
    ):
        with pytest.raises(NotFound):
            search()


def test_a_reading_that_is_not_signed_in_asks_nothing(club):
    with pytest.raises(NotSignedIn):
        list(club.ask(store=MemoryStore()).participants(ROOM))
    assert club.journal.seen == []
