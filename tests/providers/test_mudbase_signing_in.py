import pytest

from membership.errors import Reason
from membership.providers import mudbase
from membership.providers.base import RemoteAnswer
from membership.providers.errors import Misconfigured, NotSent, NotSignedIn, OutcomeUnknown, Throttled
from tests.providers.remotes import MemoryStore, outcome

LOG_IN, REFRESH = "POST /api/auth/local/login", "POST /api/auth/refresh"


def signed_out(chat, **values):
    store = MemoryStore(**{"password": "correct horse", **values})
    return chat.ask(store=store), store


def test_a_log_in_is_counted_then_sent_and_its_tokens_stored(chat):
    provider, store = signed_out(chat)
    provider.sign_in()
    assert store.events == ["note_sign_in", "save own_account_id refresh_token token"]
    assert store.get("own_account_id") == "usr_panel"
    [entry] = chat.journal.entries
    assert entry.line == LOG_IN
    assert entry.json == {"email": "panel@m.example", "password": "correct horse", "projectId": "proj_1"}
    assert entry.header("Authorization") is None
    assert len(list(provider.groups())) == 1


@pytest.mark.parametrize(
    ("change", "password", "reason"),
    [
        ({}, "wrong", Reason.SIGN_IN_REFUSED),
        ({"account_status": "suspended"}, "correct horse", Reason.SIGN_IN_REFUSED),
        ({"email_verified": False}, "correct horse", Reason.SIGN_IN_REFUSED),
    ],
)
def test_a_refused_log_in_stops_the_connection(chat, change, password, reason):
    chat.state.switch(email_verification=True)
    chat.state.change_user("usr_panel", **change)
    provider, _store = signed_out(chat, password=password)
    with pytest.raises(Misconfigured) as caught:
        provider.sign_in()
    assert caught.value.reason is reason
    assert caught.value.params["said"]
    assert not provider.is_signed_in()


def test_a_log_in_beyond_the_remotes_own_limit_asks_for_a_pause(chat):
    chat.state.switch(login_limit=0)
    provider, _store = signed_out(chat)
    with pytest.raises(Throttled) as caught:
        provider.sign_in()
    assert caught.value.pause_s > 1


def test_a_renewal_is_committed_before_it_is_sent_and_stored_before_it_is_used(chat):
    old = dict(chat.store.values)
    chat.provider.renew()
    assert chat.store.events == ["begin_renewal", "save refresh_token token"]
    assert chat.journal.seen == [REFRESH]
    assert chat.journal.entries[0].json == {"refreshToken": old["refresh_token"]}
    assert chat.store.get("token") != old["token"]
    assert chat.store.get("refresh_token") != old["refresh_token"]
    chat.provider.renew()
    assert chat.journal.seen == [REFRESH, REFRESH]
    assert len(list(chat.provider.groups())) == 1


def test_after_a_renewal_that_never_ended_the_old_refresh_token_is_not_sent(chat):
    chat.store.renewing = True
    chat.provider.renew()
    assert chat.journal.seen == [LOG_IN]
    assert not chat.store.renewing


def test_a_lost_answer_to_a_renewal_leads_to_a_log_in(chat):
    chat.fault("lost_answer", path_contains="refresh", times=1)
    with pytest.raises(OutcomeUnknown):
        chat.provider.renew()
    chat.provider.renew()
    assert chat.journal.seen == [REFRESH, LOG_IN]
    assert len(list(chat.provider.groups())) == 1


def test_a_renewal_that_was_not_sent_keeps_its_refresh_token(chat):
    nowhere = chat.ask()
    chat.server.stop()
    with pytest.raises(NotSent):
        nowhere.renew()
    assert not chat.store.renewing


def test_a_throttled_renewal_keeps_its_refresh_token(chat):
    chat.fault("throttle", times=1, seconds=2)
    with pytest.raises(Throttled):
        chat.provider.renew()
    chat.provider.renew()
    assert chat.journal.seen == [REFRESH, REFRESH]


@pytest.mark.parametrize("refresh_token", ["", "rt_forged"])
def test_without_a_refresh_token_that_counts_a_renewal_is_a_log_in(chat, refresh_token):
    provider, _store = signed_out(chat, token="old", refresh_token=refresh_token)
    provider.renew()
    assert chat.journal.seen[-1] == LOG_IN
    assert provider.is_signed_in()
    assert len(list(provider.groups())) == 1


def test_an_expired_token_is_told_and_renewed(chat):
    chat.state.switch(token_ttl_s=-1)
    chat.store.values["token"] = chat.state.issue_token("usr_panel")
    chat.state.switch(token_ttl_s=1800)
    with pytest.raises(NotSignedIn):
        list(chat.provider.groups())
    chat.provider.renew()
    assert len(list(chat.provider.groups())) == 1


def test_an_answer_without_a_token_signs_nobody_in(chat):
    chat.fault("status", status=200, body={"message": "Login successful"})
    provider, _store = signed_out(chat)
    assert outcome(provider.sign_in) == ("Misconfigured", Reason.SIGN_IN_REFUSED)
    assert not provider.is_signed_in()


def test_beyond_the_limit_no_log_in_is_sent(chat):
    provider, store = signed_out(chat)
    store.sign_ins = 3
    assert outcome(provider.sign_in) == ("Throttled", Reason.SIGN_IN_TOO_OFTEN)
    assert chat.journal.seen == []


def test_a_check_tells_who_we_are_and_what_we_may_read(chat):
    result = chat.provider.check()
    assert result.own_account_id == "usr_panel"
    assert dict(result.findings) == {
        "reads_groups": True,
        "reads_accounts": True,
        "own_groups_only": True,
        "writes_unknown": True,
    }
    assert chat.journal.written == []


def test_a_check_tells_that_users_may_not_be_read(chat):
    chat.state.change_user("usr_panel", role="user")
    assert dict(chat.provider.check().findings)["reads_accounts"] is False


@pytest.mark.parametrize(("kind", "params"), [("html", {}), ("redirect", {}), ("status", {"status": 404})])
def test_another_server_at_the_address_is_named_as_that(chat, kind, params):
    chat.fault(kind, **params)
    assert outcome(chat.provider.check) == ("Misconfigured", Reason.WRONG_ADDRESS)


@pytest.mark.parametrize("value", ["a/b", "..", "a\nb"])
def test_ids_that_a_url_cannot_carry_are_refused_when_typed(value):
    checks = {field.key: field.check for field in mudbase.OPTIONS}
    assert checks["project_id"](value) is Reason.BAD_VALUE
    assert checks["org_id"](value) is Reason.BAD_VALUE
    assert checks["project_id"]("proj_CE5hbCg5EPjP") is None


def test_refused_log_ins_do_not_repeat_the_password(chat):
    chat.fault("status", status=401, body={"error": "no user with password correct horse"})
    provider, _store = signed_out(chat)
    with pytest.raises(Misconfigured) as caught:
        provider.sign_in()
    assert "correct horse" not in str(caught.value)
    assert provider.said(RemoteAnswer(401, {}, b"correct horse")) == "[…]"
