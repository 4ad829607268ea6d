import pytest

from membership.errors import Reason
from membership.providers import kaiten
from membership.providers.base import AccountRef, GroupRef, ParticipantRef, RemoteAnswer, Verdict, Wanted
from membership.providers.errors import Misconfigured
from tests.providers.remotes import MemoryStore, outcome

DESIGN, GONE = GroupRef("g-1", 101), GroupRef("g-99")


def removal(company, user="1", group=DESIGN, provider=None):
    [call] = (provider or company.provider).remove(ParticipantRef(group, user, user))
    return company.outcome(call, provider)


def addition(company, user="4", group=DESIGN):
    [call] = company.provider.add(group, AccountRef(user), Wanted())
    return company.outcome(call)


def test_a_removal_is_confirmed_by_the_removed_user(company):
    assert removal(company) is Verdict.CONFIRMED
    assert company.journal.written == ["DELETE /api/latest/groups/g-1/users/1"]
    assert company.state.members("g-1") == [2]


def test_a_manager_leaves_the_admins_first_and_then_the_members(company):
    calls = company.provider.remove(ParticipantRef(DESIGN, "2", "2", is_member=True, is_manager=True))
    assert company.outcomes(calls) == [Verdict.CONFIRMED, Verdict.CONFIRMED]
    assert company.journal.written == [
        "DELETE /api/latest/groups/g-1/admins/2",
        "DELETE /api/latest/groups/g-1/users/2",
    ]
    assert (company.state.members("g-1"), company.state.admins("g-1")) == ([1], [3])


def test_a_manager_who_is_no_member_leaves_the_admins_alone(company):
    [call] = company.provider.remove(ParticipantRef(DESIGN, "3", "3", is_member=False, is_manager=True))
    assert call.path[-2:] == ("admins", "3")


def test_the_numbered_version_of_the_api_is_an_option(company):
    assert removal(company, provider=company.ask(api_path="api/v1")) is Verdict.CONFIRMED
    assert company.journal.written == ["DELETE /api/v1/groups/g-1/users/1"]


def test_a_second_removal_and_a_group_that_is_gone_are_looked_at(company):
    removal(company)
    assert removal(company) is Verdict.LOOK
    assert removal(company, group=GONE) is Verdict.LOOK


REMOVAL_ANSWERS = [
    (200, {"id": 1, "full_name": "Ada"}, Verdict.CONFIRMED),
    (201, {"id": 1}, Verdict.CONFIRMED),
    (200, "", Verdict.CONFIRMED),
    (204, "", Verdict.CONFIRMED),
    (200, {"id": 2}, Verdict.LOOK),
    (200, {}, Verdict.LOOK),
    (202, "", Verdict.LOOK),
    (200, [], ("OutcomeUnknown", Reason.ANSWER_UNREADABLE)),
    (200, "<html></html>", ("OutcomeUnknown", Reason.ANSWER_UNREADABLE)),
    (400, {"message": "Validation error"}, ("Refused", Reason.REMOTE_SAID_NO)),
    (401, "Invalid token", ("Misconfigured", Reason.TOKEN_NOT_ACCEPTED)),
    (402, {"message": "Feature is not supported by tariff"}, ("Misconfigured", Reason.TARIFF)),
    (403, "", ("Refused", Reason.FORBIDDEN)),
    (404, "", Verdict.LOOK),
    (405, "", ("Refused", Reason.REMOTE_SAID_NO)),
    (409, "", Verdict.LOOK),
    (429, "", ("Throttled", Reason.THROTTLED)),
    (500, "", ("OutcomeUnknown", Reason.REMOTE_FAILED)),
    (502, "<html></html>", ("OutcomeUnknown", Reason.REMOTE_FAILED)),
]


@pytest.mark.parametrize(("status", "body", "expected"), REMOVAL_ANSWERS)
def test_what_an_answer_to_a_removal_proves(company, status, body, expected):
    company.fault("status", status=status, body=body)
    assert removal(company) == expected


ADDITION_ANSWERS = [
    (200, {"id": 4}, Verdict.CONFIRMED),
    (200, "", Verdict.CONFIRMED),
    (200, {"id": 1}, Verdict.LOOK),
    (400, {"message": "User is already in the group"}, Verdict.LOOK),
    (409, "", Verdict.LOOK),
    (404, "", ("NotFound", Reason.NOT_FOUND)),
    (403, "", ("Refused", Reason.FORBIDDEN)),
]


@pytest.mark.parametrize(("status", "body", "expected"), ADDITION_ANSWERS)
def test_what_an_answer_to_an_addition_proves(company, status, body, expected):
    company.fault("status", status=status, body=body)
    assert addition(company) == expected


def test_an_addition_names_the_user_by_number(company):
    assert addition(company) is Verdict.CONFIRMED
    [entry] = company.journal.writes()
    assert entry.json == {"user_id": 4}
    assert company.state.members("g-1") == [1, 2, 4]


def test_a_manager_is_added_to_both_lists(company):
    calls = company.provider.add(DESIGN, AccountRef("4"), Wanted(is_manager=True))
    assert company.outcomes(calls) == [Verdict.CONFIRMED, Verdict.CONFIRMED]
    assert company.journal.written == ["POST /api/latest/groups/g-1/users", "POST /api/latest/groups/g-1/admins"]


def test_a_repeated_addition_that_is_refused_is_looked_at(company):
    company.state.switch(add_existing=400)
    assert addition(company, user="1") is Verdict.LOOK


def test_the_tariff_stops_the_connection_in_the_remotes_words(company):
    company.state.switch(tariff=False)
    [call] = company.provider.remove(ParticipantRef(DESIGN, "1", "1"))
    with pytest.raises(Misconfigured) as caught:
        company.provider.judge(call, company.provider.send(call))
    assert caught.value.params["said"] == "Feature is not supported by tariff"


@pytest.mark.parametrize("text", ["Invalid token", '"Invalid token"'])
def test_a_refused_token_is_a_bare_string(company, text):
    company.state.switch(unauthorized_text=text)
    company.state.revoke_all()
    [call] = company.provider.remove(ParticipantRef(DESIGN, "1", "1"))
    answer = company.provider.send(call)
    assert company.provider.said(answer) == "Invalid token"
    assert removal(company) == ("Misconfigured", Reason.TOKEN_NOT_ACCEPTED)


def test_without_a_token_nothing_is_sent(company):
    nobody = company.ask(store=MemoryStore())
    assert not nobody.is_signed_in()
    assert removal(company, provider=nobody) == ("NotSignedIn", Reason.TOKEN_NOT_ACCEPTED)
    assert outcome(nobody.sign_in) == ("Misconfigured", Reason.SECRET_MISSING)
    assert company.journal.seen == []


def test_a_token_is_used_as_typed_and_never_renewed(company):
    company.provider.sign_in()
    assert company.provider.is_signed_in()
    assert outcome(company.provider.renew) == ("Misconfigured", Reason.TOKEN_NOT_ACCEPTED)
    assert (company.journal.seen, company.store.events) == ([], [])


@pytest.mark.parametrize("token", ["a\0b", "a\rb", "a\nb", "a€b"])
def test_a_token_that_no_header_can_carry_is_refused_when_typed(token):
    [field] = kaiten.SECRETS
    assert field.check(token) is Reason.BAD_VALUE
    assert field.check("2fbb1d7c-1f8a-4f0e-9a57-0d1f3c0f9a11") is None


def test_the_remotes_words_never_repeat_the_token(company):
    token = company.store.get("token")
    assert token not in company.provider.said(RemoteAnswer(401, {}, f"Invalid token {token}".encode()))


def test_a_check_tells_who_we_are_and_what_we_may_read(company):
    result = company.provider.check()
    assert result.own_account_id == "9"
    seen = {"reads_groups": True, "reads_accounts": True, "reads_own_log": True, "writes_unknown": True}
    assert dict(result.findings) == seen
    assert company.journal.written == []


def test_a_check_of_a_weak_token_tells_what_it_may_not_read(company):
    company.state.change_user(9, own_permissions=0)
    company.state.switch(audit_rights=False)
    result = company.provider.check()
    seen = {"reads_groups": False, "reads_accounts": False, "reads_own_log": False, "writes_unknown": True}
    assert dict(result.findings) == seen


def test_a_check_names_a_wrong_token_and_a_wrong_address(company):
    company.state.revoke_all()
    assert outcome(company.provider.check) == ("Misconfigured", Reason.TOKEN_NOT_ACCEPTED)
    for kind, params in (("html", {}), ("redirect", {}), ("status", {"status": 404})):
        company.server.faults.clear()
        company.fault(kind, **params)
        assert outcome(company.provider.check) == ("Misconfigured", Reason.WRONG_ADDRESS)
