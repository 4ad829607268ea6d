"""The vendor's own client, from the package index, drives the sandbox."""

import warnings

import pytest
import urllib3

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import mudbase as vendor

from membership.sandbox import Fault

WAIT = (3, 5)


@pytest.fixture
def client(mudbase):
    made = vendor.ApiClient(
        vendor.Configuration(host=mudbase.server.url, access_token=mudbase.tokens.token, retries=False)
    )
    yield made
    made.rest_client.pool_manager.clear()


@pytest.fixture
def chat(client):
    return vendor.ChatApi(client)


def test_the_client_lists_chats(mudbase, chat):
    found = chat.get_user_chats("proj_1", page=1, limit=100, _request_timeout=WAIT)
    assert [(each.id, each.name) for each in found.data.chats] == [("chat_team", "Team")]
    assert mudbase.server.journal.entries[-1].target == f"{mudbase.chats}?page=1&limit=100"


def test_the_client_reads_details(chat):
    found = chat.get_chat_details("proj_1", "chat_team", _request_timeout=WAIT)
    assert [(each.user_id, each.role) for each in found.data.participants] == [
        ("usr_service", "admin"),
        ("usr_ada", "member"),
    ]


def test_the_client_adds_a_participant(mudbase, chat):
    wanted = vendor.AddParticipantRequest(user_id="usr_bob", role="member")
    found = chat.add_participant("proj_1", "chat_team", wanted, _request_timeout=WAIT)
    assert found.success is True
    assert mudbase.state.roles("chat_team")["usr_bob"] == "member"
    assert mudbase.server.journal.entries[-1].body == b'{"userId": "usr_bob", "role": "member"}'


def test_the_client_removes_a_participant_with_a_body(mudbase, chat):
    wanted = vendor.RemoveParticipantRequest(user_id="usr_ada")
    found = chat.remove_participant("proj_1", "chat_team", wanted, _request_timeout=WAIT)
    assert found.message == "Participant removed successfully"
    assert "usr_ada" not in mudbase.state.roles("chat_team")
    entry = mudbase.server.journal.entries[-1]
    assert (entry.line, entry.json, entry.status) == (f"DELETE {mudbase.participants}", {"userId": "usr_ada"}, 200)


def test_the_client_names_a_refused_removal(chat):
    wanted = vendor.RemoveParticipantRequest(user_id="usr_bob")
    with pytest.raises(vendor.exceptions.BadRequestException) as caught:
        chat.remove_participant("proj_1", "chat_team", wanted, _request_timeout=WAIT)
    assert "VALIDATION_ERROR" in caught.value.body


def test_the_client_lists_users(client):
    found = vendor.OrganizationsApi(client).get_project_users("org_1", "proj_1", _request_timeout=WAIT)
    assert [(user.id, user.email) for user in found.users] == [
        ("usr_service", "service@x.example"),
        ("usr_ada", "ada@x.example"),
        ("usr_bob", None),
    ]
    assert found.project.id == "proj_1"


def test_the_client_looks_itself_up(client):
    users = vendor.UsersApi(client)
    assert users.get_current_user(_request_timeout=WAIT).user.id == "usr_service"
    assert users.api_me_bootstrap_get(_request_timeout=WAIT).projects[0]["_id"] == "proj_1"


def test_the_client_suspends_a_user_and_looks_at_the_overview(client):
    organizations = vendor.OrganizationsApi(client)
    wanted = vendor.UpdateUserAccountStatusRequest(account_status="suspended")
    done = organizations.update_user_account_status("org_1", "usr_ada", wanted, _request_timeout=WAIT)
    assert done.user.account_status == "suspended"
    assert organizations.get_user_overview("org_1", "usr_ada", _request_timeout=WAIT).user["_id"] == "usr_ada"


def test_the_client_signs_in_and_renews(client):
    authentication = vendor.AuthenticationApi(client)
    wanted = vendor.LoginLocalUserRequest(email="service@x.example", password="pw", project_id="proj_1")
    given = authentication.login_local_user(wanted, _request_timeout=WAIT)
    assert (given.user.id, given.expires_in) == ("usr_service", 1800)
    renewed = authentication.refresh_token(
        vendor.RefreshTokenRequest(refresh_token=given.refresh_token), _request_timeout=WAIT
    )
    assert renewed.token != given.token


def test_the_client_breaks_at_the_pages_own_example_of_a_new_chat(mudbase, chat):
    wanted = vendor.CreateChatRequest(name="New", type="group", participants=["usr_ada"])
    with pytest.raises(ValueError, match="participants"):  # pydantic's ValidationError
        chat.create_chat("proj_1", wanted, _request_timeout=WAIT)
    assert len(mudbase.state.chats) == 2  # and yet the chat was made
    mudbase.state.switch(create_answer="strings")
    assert chat.create_chat("proj_1", wanted, _request_timeout=WAIT).data.participants == ["usr_service", "usr_ada"]


def test_the_client_takes_a_lost_answer_for_an_error_although_the_removal_was_done(mudbase, chat):
    mudbase.server.faults.add(Fault("lost_answer", method="DELETE"))
    wanted = vendor.RemoveParticipantRequest(user_id="usr_ada")
    with pytest.raises(urllib3.exceptions.HTTPError):  # not wrapped by the client
        chat.remove_participant("proj_1", "chat_team", wanted, _request_timeout=WAIT)
    assert "usr_ada" not in mudbase.state.roles("chat_team")
    assert mudbase.server.journal.written == [f"DELETE {mudbase.participants}"]


def test_an_id_with_a_slash_arrives_quoted_and_is_understood(mudbase, chat):
    mudbase.state.add_chat("Odd", project="proj_1", id="a/b c", admin="usr_service")
    found = chat.get_chat_details("proj_1", "a/b c", _request_timeout=WAIT)
    assert found.data.name == "Odd"
    assert mudbase.server.journal.entries[-1].path.endswith("/chats/a%2Fb%20c")
