import pytest

from membership.errors import Reason
from membership.providers import inwendo
from membership.providers.base import GroupRef
from membership.providers.errors import Misconfigured, NotSignedIn
from tests.providers.remotes import MemoryStore, outcome


def signed_out(club, **values):
    store = MemoryStore(**{"password": "correct horse", **values})
    return club.ask(store=store), store


def test_a_log_in_is_counted_then_sent_and_its_session_used(club):
    provider, store = signed_out(club)
    assert not provider.is_signed_in()
    provider.sign_in()
    assert store.events == ["note_sign_in", "save session_id"]
    assert provider.is_signed_in()
    assert [room.name for room in provider.groups()] == ["Chess club", "Board"]
    [log_in, *_] = club.journal.entries
    assert (log_in.line, log_in.json) == (
        "POST /api/logins",
        {"login": {"username": "panel", "password": "correct horse"}},
    )


@pytest.mark.parametrize("status", ["400", "401"])
def test_a_refused_log_in_stops_the_connection(club, status):
    club.state.switch(auth_error=status)
    provider, _store = signed_out(club, password="wrong")
    assert outcome(provider.sign_in) == ("Misconfigured", Reason.SIGN_IN_REFUSED)
    assert not provider.is_signed_in()


def test_a_log_in_that_needs_a_second_factor_is_not_used(club):
    club.state.switch(missing_2fa=True)
    provider, _store = signed_out(club)
    assert outcome(provider.sign_in) == ("Misconfigured", Reason.SECOND_FACTOR_NEEDED)
    assert not provider.is_signed_in()


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"sessionid": "s", "valid": False}, ("Misconfigured", Reason.SIGN_IN_REFUSED)),
        ({"valid": True}, ("Misconfigured", Reason.SIGN_IN_REFUSED)),
        ("<html></html>", ("OutcomeUnknown", Reason.ANSWER_UNREADABLE)),
    ],
)
def test_a_log_in_without_a_valid_session_is_none(club, body, expected):
    club.fault("status", status=200, body=body)
    provider, store = signed_out(club)
    assert outcome(provider.sign_in) == expected
    assert store.get("session_id") == ""


def test_what_is_missing_is_asked_for_before_anything_is_sent(club):
    provider, store = signed_out(club, password="")
    assert outcome(provider.sign_in) == ("Misconfigured", Reason.SECRET_MISSING)
    assert outcome(club.ask(username="").sign_in) == ("Misconfigured", Reason.SECRET_MISSING)
    assert (store.events, club.journal.seen) == ([], [])


def test_beyond_the_limit_no_log_in_is_sent(club):
    provider, store = signed_out(club)
    store.sign_ins = 3
    assert outcome(provider.sign_in) == ("Throttled", Reason.SIGN_IN_TOO_OFTEN)
    assert club.journal.seen == []


def test_a_lost_session_is_renewed_by_a_log_in(club):
    club.state.revoke_all()
    with pytest.raises(NotSignedIn):
        list(club.provider.groups())
    club.provider.renew()
    assert len(list(club.provider.groups())) == 2


def test_the_call_that_removes_a_log_in_is_never_made(club):
    provider, _store = signed_out(club)
    provider.sign_in()
    provider.renew()
    provider.check()
    assert not [line for line in club.journal.seen if "delete" in line]


def test_an_api_key_needs_no_log_in_and_cannot_be_renewed(club):
    store = MemoryStore(api_key=club.state.issue_api_key(1).id)
    provider = club.ask(store=store, auth="api_key")
    provider.sign_in()
    assert provider.is_signed_in()
    assert not provider.capabilities.renewable
    assert outcome(provider.renew) == ("Misconfigured", Reason.TOKEN_NOT_ACCEPTED)
    assert club.journal.seen == []
    assert provider.get_group(GroupRef("1")).name == "Chess club"
    [entry] = club.journal.entries
    assert entry.header("x-iw-jwt-token") == store.get("api_key")
    assert entry.header("x-session-token") is None


def test_an_api_key_that_is_not_set_is_named(club):
    provider = club.ask(store=MemoryStore(), auth="api_key")
    assert outcome(provider.sign_in) == ("Misconfigured", Reason.SECRET_MISSING)


def test_a_check_finds_out_who_we_are_and_what_we_may_read(club):
    result = club.provider.check()
    assert result.own_account_id == "3"
    assert dict(result.findings) == {
        "reads_accounts": True,
        "reads_emails": True,
        "lists_groups": True,
        "reads_groups": True,
        "writes_unknown": True,
    }
    assert club.journal.written == []


def test_a_check_tells_what_does_not_work(club):
    club.state.switch(room_list=False)
    club.fault("status", status=403, path_contains="/api/users")
    result = club.provider.check()
    assert result.own_account_id is None
    assert dict(result.findings) == {
        "reads_accounts": True,
        "reads_emails": False,
        "lists_groups": False,
        "reads_groups": False,
        "writes_unknown": True,
    }
    assert dict(club.ask(rooms="1").check().findings)["reads_groups"] is True


def test_a_check_with_a_lost_session_asks_for_a_renewal(club):
    club.state.revoke_all()
    with pytest.raises(NotSignedIn):
        club.provider.check()


@pytest.mark.parametrize(("kind", "params"), [("html", {}), ("redirect", {}), ("status", {"status": 404})])
def test_another_server_at_the_address_is_named_as_that(club, kind, params):
    club.fault(kind, **params)
    with pytest.raises(Misconfigured) as caught:
        club.provider.check()
    assert caught.value.reason is Reason.WRONG_ADDRESS
    by_key = club.ask(store=MemoryStore(api_key="k"), auth="api_key")
    assert outcome(by_key.check) == ("Misconfigured", Reason.WRONG_ADDRESS)


@pytest.mark.parametrize("value", ["a\0b", "a\rb", "a\nb", "a€b", " a", "a\x7f"])
def test_a_key_that_no_header_can_carry_is_refused_when_typed(value):
    check = next(field.check for field in inwendo.SECRETS if field.key == "api_key")
    assert check(value) is Reason.BAD_VALUE
    assert check("eyJhbGciOi.J9_-") is None


def test_rooms_are_typed_as_ids():
    check = next(field.check for field in inwendo.OPTIONS if field.key == "rooms")
    assert check("1, 22,3") is None
    assert check("") is None
    assert check("1, ../2") is Reason.BAD_VALUE
