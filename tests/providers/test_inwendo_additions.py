import pytest

from membership.errors import Reason
from membership.providers.base import AccountRef, GroupRef, RemoteAnswer, Verdict, Wanted
from membership.providers.errors import ProviderError
from tests.providers.remotes import outcome

BOARD = GroupRef("2")
MUTED = Wanted(is_muted=True)


def judged(provider, call):
    return provider.judge(call, provider.send(call))


def added_with(club, wanted, **options):
    """Verdicts of an addition of Ada to the board, as a worker sends it."""
    provider, account = club.ask(**options), AccountRef("1")
    first, *rest = provider.add(BOARD, account, wanted)
    verdicts = [judged(provider, provider.fill(first, {}))]
    assert provider.added(first, answer_to_addition(), BOARD, account) is None
    for call in rest:
        found = provider.find_added(BOARD, account, ())
        verdicts.append(judged(provider, provider.fill(call, {"id_from_call_1": found.remote_id})))
    return verdicts


def answer_to_addition():
    return RemoteAnswer(200, {}, b'{"id": 77, "chatroom": {"id": 2}}')


@pytest.mark.parametrize("style", ["documented", "camel"])
@pytest.mark.parametrize("put", ["partial", "replace"])
def test_an_addition_with_rights_is_an_addition_and_an_alteration(club, style, put):
    club.state.switch(put=put, body_keys="camel" if style == "camel" else "snake")
    wanted = Wanted(name="Ada Lovelace", is_manager=True, can_write=True, is_muted=True)
    assert added_with(club, wanted, body_style=style) == [Verdict.CONFIRMED, Verdict.CONFIRMED]
    [made] = club.state.live(2)
    assert (made.person, made.first_name, made.room_admin, made.can_write, made.is_muted) == (
        1,
        "Ada",
        True,
        True,
        True,
    )
    assert [line.split(" ")[0] for line in club.journal.written] == ["POST", "PUT"]


@pytest.mark.parametrize("wanted", [Wanted(), Wanted(is_manager=False)])
def test_an_addition_without_rights_is_one_call(club, wanted):
    [call] = club.provider.add(BOARD, AccountRef("1"), wanted)
    assert (call.method, call.slots) == ("POST", ())
    assert "room_admin" not in call.body["data"]


def test_the_alteration_of_a_new_row_waits_for_its_id(club):
    _first, second = club.provider.add(BOARD, AccountRef("1"), MUTED)
    assert second.slots == ("id_from_call_1", "rest_of_row")
    assert outcome(lambda: club.provider.fill(second, {})) == ("Refused", Reason.BAD_VALUE)
    assert club.journal.seen == []


def test_an_addition_takes_no_fields(club):
    with pytest.raises(ProviderError) as caught:
        club.provider.add(BOARD, AccountRef("1"), Wanted(fields={"auto_reply": True}))
    assert caught.value.reason is Reason.NOT_OFFERED


@pytest.mark.parametrize(
    ("typed", "room"),
    [
        ("17", "17"),
        (" 17 ", "17"),
        ("https://club.iw-erp.de/chat/rooms/17", "17"),
        ("https://club.iw-erp.de/ui/2026/#/chat/17/settings?tab=3", "17"),
        ("https://club.iw-erp.de:8443/?chatroom=17", "17"),
        ("https://club.iw-erp.de/chat", None),
        ("https://[", None),
        ("ftp://club.iw-erp.de/17", None),
        ("../17", None),
        ("", None),
        ("a\0b", None),
    ],
)
def test_a_room_is_tracked_by_its_id_or_a_link_to_it(club, typed, room):
    assert club.provider.tracked_id(typed) == room


def test_rooms_that_the_list_does_not_name_are_read_by_their_id(club):
    club.state.switch(deleted_default="live")
    club.state.archive_room(2)
    provider = club.ask(rooms="1, https://club.iw-erp.de/chat/2, 99")
    assert [(room.remote_id, room.archived) for room in provider.groups()] == [("1", False), ("2", True)]
