import base64
import json

import pytest

LOGIN = "/api/auth/local/login"
REFRESH = "/api/auth/refresh"
CREDENTIALS = {"email": "service@x.example", "password": "pw", "projectId": "proj_1"}


# chats


def test_the_list_holds_the_callers_chats_alone_in_an_envelope(mudbase):
    mudbase.state.add_chat("Secret", project="proj_1", admin=mudbase.ada.id)
    reply = mudbase.ask("GET", mudbase.chats)
    assert reply.json["success"] is True
    assert reply.json["data"]["total"] == 1
    assert reply.json["data"]["chats"] == [
        {"_id": "chat_team", "name": "Team", "type": "group", "lastMessage": None, "unreadCount": 0}
    ]


def test_pages_count_from_one_with_twenty_chats_unless_asked_otherwise(mudbase):
    for number in range(24):
        mudbase.state.add_chat(f"Chat {number}", project="proj_1", admin=mudbase.service.id)
    pages = [mudbase.ask("GET", f"{mudbase.chats}?page={page}").json["data"] for page in (1, 2, 3)]
    assert [len(page["chats"]) for page in pages] == [20, 5, 0]
    assert {page["total"] for page in pages} == {25}
    assert len(mudbase.ask("GET", f"{mudbase.chats}?limit=100").json["data"]["chats"]) == 25
    assert mudbase.ask("GET", f"{mudbase.chats}?page=0").status == 400


def test_details_name_participants_by_user_id_and_role_alone(mudbase):
    data = mudbase.ask("GET", f"{mudbase.chats}/chat_team").json["data"]
    assert data["participants"] == [
        {"userId": "usr_service", "role": "admin"},
        {"userId": "usr_ada", "role": "member"},
    ]


@pytest.mark.parametrize("status", [404, 403])
def test_details_of_a_chat_that_the_caller_is_not_in_are_refused(mudbase, status):
    mudbase.state.switch(foreign_chat=status)
    mudbase.state.remove_by_hand("chat_team", mudbase.service.id)
    assert mudbase.ask("GET", f"{mudbase.chats}/chat_team").status == status


def test_an_error_has_the_documented_fields(mudbase):
    reply = mudbase.ask("GET", f"{mudbase.chats}/none")
    assert reply.status == 404
    assert set(reply.json) == {"error", "code", "timestamp", "path", "requestId"}
    assert reply.json["code"] == "NOT_FOUND"


# addition


@pytest.mark.parametrize(("switch", "listed"), [("all", 3), ("added", 1)])
def test_an_addition_answers_200_with_participants(mudbase, switch, listed):
    mudbase.state.switch(add_answer=switch)
    reply = mudbase.ask("POST", mudbase.participants, {"userId": "usr_bob", "role": "admin"})
    assert reply.status == 200
    shown = reply.json["data"]["participants"]
    assert len(shown) == listed
    assert set(shown[-1]) == {"userId", "role", "addedAt"}
    assert mudbase.state.roles("chat_team")["usr_bob"] == "admin"


def test_an_addition_without_a_role_makes_a_member(mudbase):
    mudbase.ask("POST", mudbase.participants, {"userId": "usr_bob"})
    assert mudbase.state.roles("chat_team")["usr_bob"] == "member"


@pytest.mark.parametrize(
    ("switch", "status", "role"), [("400", 400, "member"), ("update", 200, "admin"), ("unchanged", 200, "member")]
)
def test_adding_somebody_who_is_in_is_answered_as_switched(mudbase, switch, status, role):
    mudbase.state.switch(add_existing=switch)
    reply = mudbase.ask("POST", mudbase.participants, {"userId": "usr_ada", "role": "admin"})
    assert (reply.status, mudbase.state.roles("chat_team")["usr_ada"]) == (status, role)
    if status == 400:
        assert reply.json["code"] == "VALIDATION_ERROR"


@pytest.mark.parametrize("status", [404, 400])
def test_adding_nobody_is_answered_as_switched(mudbase, status):
    mudbase.state.switch(unknown_user=status)
    assert mudbase.ask("POST", mudbase.participants, {"userId": "usr_none"}).status == status


def test_a_user_of_another_project_cannot_be_added(mudbase):
    mudbase.state.add_project("proj_2")
    mudbase.state.add_user("Eve", "Else", project="proj_2", id="usr_eve")
    assert mudbase.ask("POST", mudbase.participants, {"userId": "usr_eve"}).status == 404


def test_a_role_that_is_none_is_a_validation_error(mudbase):
    assert mudbase.ask("POST", mudbase.participants, {"userId": "usr_bob", "role": "king"}).status == 400


# removal


def test_a_removal_answers_a_bare_message(mudbase):
    reply = mudbase.ask("DELETE", mudbase.participants, {"userId": "usr_ada"})
    assert (reply.status, reply.json) == (200, {"message": "Participant removed successfully"})
    assert "usr_ada" not in mudbase.state.roles("chat_team")


@pytest.mark.parametrize("body", [None, "", "[]", {}, {"userId": 7}, {"userId": ""}])
def test_a_removal_whose_body_was_dropped_or_damaged_removes_nobody(mudbase, body):
    assert mudbase.ask("DELETE", mudbase.participants, body).status == 400
    assert len(mudbase.state.roles("chat_team")) == 2


@pytest.mark.parametrize("status", [400, 404, 200])
def test_removing_somebody_who_is_not_in_is_answered_as_switched(mudbase, status):
    mudbase.state.switch(remove_missing=status)
    assert mudbase.ask("DELETE", mudbase.participants, {"userId": "usr_bob"}).status == status


def test_the_last_admin_can_be_protected(mudbase):
    mudbase.state.switch(last_admin="400")
    assert mudbase.ask("DELETE", mudbase.participants, {"userId": "usr_service"}).status == 400
    mudbase.state.switch(last_admin="allowed")
    assert mudbase.ask("DELETE", mudbase.participants, {"userId": "usr_service"}).status == 200
    assert mudbase.ask("GET", f"{mudbase.chats}/chat_team").status == 404  # and sees the chat no more


def test_a_mere_member_may_not_write(mudbase):
    mudbase.state.change_role_by_hand("chat_team", "usr_service", "member")
    assert mudbase.ask("POST", mudbase.participants, {"userId": "usr_bob"}).status == 403
    assert mudbase.ask("DELETE", mudbase.participants, {"userId": "usr_ada"}).status == 403
    mudbase.state.switch(write_needs_admin=False)
    assert mudbase.ask("DELETE", mudbase.participants, {"userId": "usr_ada"}).status == 200


# creation


def test_a_chat_is_made_with_201_and_its_maker_in_it(mudbase):
    body = {"name": "New", "type": "group", "participants": ["usr_ada"]}
    reply = mudbase.ask("POST", mudbase.chats, body)
    assert reply.status == 201
    assert reply.json["data"]["participants"] == [
        {"user": "usr_service", "role": "admin"},
        {"user": "usr_ada", "role": "member"},
    ]
    mudbase.state.switch(create_answer="strings")
    assert mudbase.ask("POST", mudbase.chats, body).json["data"]["participants"] == ["usr_service", "usr_ada"]
    assert mudbase.ask("POST", mudbase.chats, {"name": "New", "type": "club", "participants": []}).status == 400


# users and projects


def test_the_users_come_without_envelope_and_pages(mudbase):
    reply = mudbase.ask("GET", "/api/orgs/org_1/projects/proj_1/users")
    assert reply.json["total"] == 3
    assert [user["_id"] for user in reply.json["users"]] == ["usr_service", "usr_ada", "usr_bob"]
    assert "success" not in reply.json
    assert "email" not in reply.json["users"][2]  # he has none


def test_users_can_be_filtered_by_one_status(mudbase):
    mudbase.state.change_user("usr_ada", account_status="suspended")
    users = mudbase.ask("GET", "/api/orgs/org_1/projects/proj_1/users?status=suspended").json["users"]
    assert [user["_id"] for user in users] == ["usr_ada"]


def test_the_users_need_an_owner_or_admin(mudbase):
    token = mudbase.state.issue_token("usr_ada")
    reply = mudbase.anyone("GET", "/api/orgs/org_1/projects/proj_1/users", Authorization=f"Bearer {token}")
    assert (reply.status, reply.json["error"]) == (403, "feature_not_allowed")


def test_projects_need_an_organisation_token(mudbase):
    assert mudbase.ask("GET", "/api/projects/org_1/projects").status == 403
    boss = mudbase.state.add_user("Boss", "B", project="", email="boss@x.example", password="pw", role="owner")
    login = mudbase.anyone("POST", "/api/auth/login", {"email": boss.email, "password": "pw"}).json
    assert login["user"]["_id"] == boss.id
    headers = {"Authorization": f"Bearer {login['token']}"}
    assert mudbase.anyone("GET", "/api/projects/org_1/projects", **headers).json["total"] == 1


def test_a_token_names_its_user(mudbase):
    assert mudbase.ask("GET", "/api/users/me").json["user"]["_id"] == "usr_service"


def test_a_user_can_be_looked_up_and_suspended(mudbase):
    overview = mudbase.ask("GET", "/api/orgs/org_1/users/usr_ada/overview").json
    assert (overview["user"]["_id"], set(overview)) == ("usr_ada", {"user", "footprint"})
    reply = mudbase.ask("PATCH", "/api/orgs/org_1/users/usr_ada/status", {"accountStatus": "suspended"})
    assert reply.json["user"]["accountStatus"] == "suspended"
    assert mudbase.ask("GET", "/api/orgs/org_1/users").json["total"] == 3


# sessions


def test_a_log_in_gives_tokens_that_look_like_jwts(mudbase):
    given = mudbase.anyone("POST", LOGIN, CREDENTIALS).json
    assert set(given) == {"message", "token", "refreshToken", "expiresIn", "user"}
    assert (given["expiresIn"], given["user"]["id"]) == (1800, "usr_service")
    body = given["token"].split(".")[1]
    assert json.loads(base64.urlsafe_b64decode(body + "=="))["sub"] == "usr_service"
    assert mudbase.anyone("GET", mudbase.chats, Authorization=f"Bearer {given['token']}").status == 200


@pytest.mark.parametrize("change", [{"password": "no"}, {"email": "none@x.example"}, {"projectId": "proj_9"}])
def test_wrong_credentials_are_401(mudbase, change):
    assert mudbase.anyone("POST", LOGIN, {**CREDENTIALS, **change}).status == 401


def test_a_token_lives_half_an_hour(mudbase, clock):
    clock.now += 1799
    assert mudbase.ask("GET", mudbase.chats).status == 200
    clock.now += 1
    reply = mudbase.ask("GET", mudbase.chats)
    assert (reply.status, reply.json["code"]) == (401, "UNAUTHORIZED")


def test_a_forged_token_is_401(mudbase):
    head, body, signature = mudbase.tokens.token.split(".")
    for token in (f"{head}.{body}.x", f"{head}.{body}", "", f"{body}.{head}.{signature}"):
        assert mudbase.anyone("GET", mudbase.chats, Authorization=f"Bearer {token}").status == 401


def test_an_api_key_alone_opens_no_chat(mudbase):
    assert mudbase.anyone("GET", mudbase.chats, X_API_Key="mb_live_1").status == 401


def test_a_renewal_gives_two_new_tokens_and_the_old_refresh_token_revokes_the_session(mudbase):
    first = mudbase.tokens.refresh_token
    second = mudbase.anyone("POST", REFRESH, {"refreshToken": first}).json
    assert set(second) == {"message", "token", "refreshToken", "expiresIn"}
    assert second["refreshToken"] != first
    reused = mudbase.anyone("POST", REFRESH, {"refreshToken": first})
    assert (reused.status, reused.json) == (401, {"error": "Invalid refresh token"})
    # The thief and the owner are both out.
    assert mudbase.anyone("POST", REFRESH, {"refreshToken": second["refreshToken"]}).status == 401
    assert mudbase.anyone("GET", mudbase.chats, Authorization=f"Bearer {second['token']}").status == 401


def test_a_renewal_without_a_token_is_400(mudbase):
    assert mudbase.anyone("POST", REFRESH, {}).json == {"error": "Refresh token is required"}


def test_five_log_ins_in_a_quarter_of_an_hour(mudbase, clock):
    statuses = [mudbase.anyone("POST", LOGIN, CREDENTIALS).status for _ in range(6)]
    assert statuses == [200] * 5 + [429]
    clock.now += 900
    assert mudbase.anyone("POST", LOGIN, CREDENTIALS).status == 200


def test_a_429_says_when_in_its_body_and_perhaps_in_its_header(mudbase, clock):
    mudbase.state.switch(login_limit=0)
    clock.now += 0.25
    reply = mudbase.anyone("POST", LOGIN, CREDENTIALS)
    assert (reply.json["code"], reply.json["retryAfter"], reply.headers["retry-after"]) == ("RATE_LIMITED", 900, "900")
    mudbase.state.switch(retry_after_header=False)
    assert "retry-after" not in mudbase.anyone("POST", LOGIN, CREDENTIALS).headers


def test_limits_can_be_forgotten_and_switched_off(mudbase):
    mudbase.state.switch(login_limit=1)
    mudbase.anyone("POST", LOGIN, CREDENTIALS)
    mudbase.state.reset_limits()
    assert mudbase.anyone("POST", LOGIN, CREDENTIALS).status == 200
    mudbase.state.switch(login_limit=None)
    assert mudbase.anyone("POST", LOGIN, CREDENTIALS).status == 200


def test_the_other_documented_limits_are_there(mudbase):
    mudbase.state.switch(general_limit=2)
    assert [mudbase.ask("GET", mudbase.chats).status for _ in range(3)] == [200, 200, 429]
    mudbase.state.switch(general_limit=None, refresh_limit=1, auth_limit=2)
    refreshes = [mudbase.anyone("POST", REFRESH, {"refreshToken": "x"}).status for _ in range(2)]
    assert refreshes == [401, 429]


def test_a_suspended_organisation_answers_503_to_everything(mudbase):
    mudbase.state.switch(org_suspended=True)
    reply = mudbase.ask("GET", mudbase.chats)
    assert (reply.status, reply.json["code"]) == (503, "SERVICE_UNAVAILABLE")


def test_an_unverified_e_mail_can_be_refused(mudbase):
    mudbase.state.switch(email_verification=True)
    mudbase.state.change_user("usr_service", email_verified=False)
    reply = mudbase.anyone("POST", LOGIN, CREDENTIALS)
    assert (reply.status, reply.json["code"]) == (403, "EMAIL_VERIFICATION_REQUIRED")


def test_a_suspended_user_cannot_act(mudbase):
    mudbase.state.change_user("usr_service", account_status="suspended")
    assert mudbase.anyone("POST", LOGIN, CREDENTIALS).status == 403
    assert mudbase.ask("GET", mudbase.chats).status == 401
