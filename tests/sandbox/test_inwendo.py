import pytest

PARTICIPANTS = "/api/chat/chatroom_participant"
LIST_KEYS = {
    "id", "participant_type", "first_name", "last_name", "nickname", "preferred_color_hex", "avatar_token",
    "last_read_at", "room_admin", "can_write", "is_muted", "created", "updated", "deleted", "name", "image_url",
}  # fmt: skip
AI_KEYS = {"auto_created", "auto_reply", "ai_auto_close_secret_word", "ai_prompt", "ai_number_of_context_messages"}
NEWER_KEYS = {"nickname", "preferred_color_hex", "avatar_token"}


def ids(reply):
    return [row["id"] for row in reply.json]


def fill_room(inwendo, count):
    room = inwendo.state.add_room("Large")
    for number in range(count):
        inwendo.state.add_participant(room.id, first_name=f"P{number:03}", last_name="X")
    return room


# the list


def test_the_list_is_a_bare_array_without_rooms_persons_and_ai_fields(inwendo):
    reply = inwendo.ask("GET", f"{PARTICIPANTS}?chatroom=1")
    assert reply.status == 200
    assert [set(row) for row in reply.json] == [LIST_KEYS, LIST_KEYS]
    assert reply.json[0]["name"] == "Ada Lovelace"
    assert isinstance(reply.json[0]["id"], int)


def test_the_older_pages_lack_three_fields(inwendo):
    inwendo.state.switch(doc_version="older")
    assert set(inwendo.ask("GET", PARTICIPANTS).json[0]) == LIST_KEYS - NEWER_KEYS
    assert not NEWER_KEYS & set(inwendo.ask("DELETE", f"{PARTICIPANTS}/1").json)


def test_filters_narrow_the_list(inwendo):
    other = inwendo.state.add_room("Choir")
    row = inwendo.state.add_participant(other.id, person=inwendo.ada.id)
    assert ids(inwendo.ask("GET", f"{PARTICIPANTS}?person={inwendo.ada.id}")) == [1, row.id]
    assert ids(inwendo.ask("GET", f"{PARTICIPANTS}?chatroom={other.id}&person={inwendo.ada.id}")) == [row.id]
    assert ids(inwendo.ask("GET", f"{PARTICIPANTS}?company=9")) == []


def test_filters_need_an_access_right(inwendo):
    inwendo.state.switch(scope_list=False)
    assert inwendo.ask("GET", f"{PARTICIPANTS}?chatroom=1").status == 403


def test_pages_count_from_zero_and_end_with_an_empty_array(inwendo):
    room = fill_room(inwendo, 5)
    pages = [ids(inwendo.ask("GET", f"{PARTICIPANTS}?chatroom={room.id}&pageSize=2&page={page}")) for page in range(4)]
    assert [len(page) for page in pages] == [2, 2, 1, 0]
    assert len({row for page in pages for row in page}) == 5


def test_fifty_rows_come_unless_asked_otherwise_and_never_more_than_200(inwendo):
    room = fill_room(inwendo, 230)
    assert len(ids(inwendo.ask("GET", f"{PARTICIPANTS}?chatroom={room.id}"))) == 50
    assert len(ids(inwendo.ask("GET", f"{PARTICIPANTS}?chatroom={room.id}&pageSize=500"))) == 200


def test_a_page_too_large_or_too_far_may_be_an_error(inwendo):
    inwendo.state.switch(page_size_over="error", past_last_page="error")
    assert inwendo.ask("GET", f"{PARTICIPANTS}?pageSize=201").status == 400
    assert inwendo.ask("GET", f"{PARTICIPANTS}?page=7").status == 400


def test_the_number_of_pages_comes_in_a_header_when_asked_for(inwendo):
    assert "x-iw-max-page-number" not in inwendo.ask("GET", PARTICIPANTS).headers
    assert inwendo.ask("GET", f"{PARTICIPANTS}?withMaxPageNumber=1&pageSize=1").headers["x-iw-max-page-number"] == "2"


def test_rows_can_be_ordered_by_a_camel_case_name(inwendo):
    assert ids(inwendo.ask("GET", f"{PARTICIPANTS}?orderFieldName=firstName&orderFieldSort=DESC")) == [2, 1]


def test_rows_can_be_searched(inwendo):
    assert ids(inwendo.ask("GET", f"{PARTICIPANTS}?searchString=love")) == [1]


@pytest.mark.parametrize(("default", "expected"), [("all", [1, 2]), ("live", [2])])
def test_whether_deleted_rows_come_unasked_is_a_switch(inwendo, default, expected):
    inwendo.state.remove_by_hand(1)
    inwendo.state.switch(deleted_default=default)
    assert ids(inwendo.ask("GET", PARTICIPANTS)) == expected
    assert ids(inwendo.ask("GET", f"{PARTICIPANTS}?deleted=true")) == [1]
    assert ids(inwendo.ask("GET", f"{PARTICIPANTS}?deleted=false")) == [2]


def test_client_ids_are_accepted_everywhere(inwendo):
    assert inwendo.ask("GET", f"{PARTICIPANTS}?iw-build-id=2026033003&iw-package-id=customer_erp_ui").status == 200


# removal


def test_a_removal_answers_the_row_and_keeps_it(inwendo):
    reply = inwendo.ask("DELETE", f"{PARTICIPANTS}/1")
    assert reply.status == 200
    assert set(reply.json) == LIST_KEYS | AI_KEYS | {"chatroom"}
    assert reply.json["deleted"] is True
    assert set(reply.json["chatroom"]) == {"id", "created", "updated", "deleted", "name", "image_url"}
    assert inwendo.ask("GET", f"{PARTICIPANTS}/1").json["deleted"] is True
    assert [row.id for row in inwendo.state.live(inwendo.chess.id)] == [2]


@pytest.mark.parametrize(("switch", "status"), [("again", 200), ("not_found", 404), ("error", 400)])
def test_a_second_removal_is_answered_as_switched(inwendo, switch, status):
    inwendo.state.switch(second_delete=switch)
    inwendo.ask("DELETE", f"{PARTICIPANTS}/1")
    assert inwendo.ask("DELETE", f"{PARTICIPANTS}/1").status == status


def test_a_removal_may_answer_200_and_do_nothing(inwendo):
    inwendo.state.switch(delete="ignored")
    assert inwendo.ask("DELETE", f"{PARTICIPANTS}/1").json["deleted"] is False
    assert len(inwendo.state.live(inwendo.chess.id)) == 2


def test_a_removal_may_be_hard(inwendo):
    inwendo.state.switch(delete="hard")
    assert inwendo.ask("DELETE", f"{PARTICIPANTS}/1").json["deleted"] is True
    assert inwendo.ask("GET", f"{PARTICIPANTS}/1").status == 404


def test_a_row_that_never_was_is_404_with_the_vendors_headers(inwendo):
    reply = inwendo.ask("DELETE", f"{PARTICIPANTS}/999")
    assert (reply.status, reply.headers["x-iw-error-code"]) == (404, "404")
    assert reply.headers["x-iw-error-json"] == '["Not Found"]'


# addition and update


def test_an_addition_in_documented_style_answers_the_row_with_200(inwendo):
    inwendo.state.switch(body_keys="snake")
    carl = inwendo.state.add_person("Carl", "Cobol")
    data = {"chatroom": {"id": 1}, "person": carl.id, "room_admin": True, "roomAdmin": False, "nonsense": 1}
    reply = inwendo.ask("POST", PARTICIPANTS, {"data": data})
    assert reply.status == 200
    assert (reply.json["chatroom"]["id"], reply.json["name"], reply.json["room_admin"]) == (1, "Carl Cobol", True)
    assert "person" not in reply.json
    assert [row.id for row in inwendo.state.rows_of(1, carl.id)] == [reply.json["id"]]


def test_an_addition_in_camel_style_takes_scalar_ids(inwendo):
    inwendo.state.switch(body_keys="camel")
    carl = inwendo.state.add_person("Carl", "Cobol")
    data = {"chatroom": 1, "person": carl.id, "roomAdmin": True, "can_write": False}
    reply = inwendo.ask("POST", PARTICIPANTS, {"data": data})
    assert (reply.json["room_admin"], reply.json["can_write"]) == (True, True)  # the snake key was ignored


def test_a_body_in_the_other_style_names_no_room(inwendo):
    inwendo.state.switch(body_keys="snake")
    assert inwendo.ask("POST", PARTICIPANTS, {"data": {"chatroom": 1, "person": 1}}).status == 400
    inwendo.state.switch(body_keys="camel")
    assert inwendo.ask("POST", PARTICIPANTS, {"data": {"chatroom": {"id": 1}, "person": 1}}).status == 400


@pytest.mark.parametrize("body", [{"chatroom": 1}, [], "not json", None])
def test_a_body_without_its_wrapper_is_400(inwendo, body):
    assert inwendo.ask("POST", PARTICIPANTS, body).status == 400


@pytest.mark.parametrize(("switch", "status", "rows"), [("new_row", 200, 2), ("same_row", 200, 1), ("error", 400, 1)])
def test_adding_somebody_twice_is_answered_as_switched(inwendo, switch, status, rows):
    inwendo.state.switch(duplicate_add=switch)
    reply = inwendo.ask("POST", PARTICIPANTS, {"data": {"chatroom": {"id": 1}, "person": inwendo.ada.id}})
    assert (reply.status, len(inwendo.state.rows_of(1, inwendo.ada.id))) == (status, rows)


@pytest.mark.parametrize(("switch", "new_id"), [("new_row", 3), ("same_row", 1)])
def test_adding_somebody_who_left_makes_a_row_or_brings_it_back(inwendo, switch, new_id):
    inwendo.state.switch(restore=switch)
    inwendo.state.remove_by_hand(1)
    reply = inwendo.ask("POST", PARTICIPANTS, {"data": {"chatroom": {"id": 1}, "person": inwendo.ada.id}})
    assert (reply.json["id"], reply.json["deleted"]) == (new_id, False)


@pytest.mark.parametrize(("switch", "is_muted"), [("partial", True), ("replace", False)])
def test_a_put_keeps_what_it_leaves_out_or_loses_it(inwendo, switch, is_muted):
    inwendo.state.switch(put=switch)
    inwendo.state.change_by_hand(1, is_muted=True)
    reply = inwendo.ask("PUT", f"{PARTICIPANTS}/1", {"data": {"room_admin": True}})
    assert (reply.status, reply.json["room_admin"], reply.json["is_muted"]) == (200, True, is_muted)


def test_patch_and_get_of_a_row_can_be_missing(inwendo):
    assert inwendo.ask("PATCH", f"{PARTICIPANTS}/1", {"data": {"deleted": True}}).json["deleted"] is True
    inwendo.state.switch(patch=False, participant_get=False)
    assert inwendo.ask("PATCH", f"{PARTICIPANTS}/1", {"data": {}}).status == 405
    assert inwendo.ask("GET", f"{PARTICIPANTS}/1").status == 405


# rooms


def test_a_room_embeds_its_rows_with_ai_fields_and_without_the_room(inwendo):
    inwendo.state.remove_by_hand(2)
    room = inwendo.ask("GET", "/api/chat/chatroom/1").json
    assert [set(row) for row in room["participants"]] == [LIST_KEYS | AI_KEYS] * 2
    assert [row["deleted"] for row in room["participants"]] == [False, True]
    assert {"token", "notification_token", "last_read_at"} <= set(room)


def test_an_archived_room_still_answers_and_says_so(inwendo):
    inwendo.state.archive_room(1)
    room = inwendo.ask("GET", "/api/chat/chatroom/1").json
    assert (room["deleted"], [row["deleted"] for row in room["participants"]]) == (True, [False, False])


def test_the_list_of_rooms_can_be_missing(inwendo):
    listed = inwendo.ask("GET", "/api/chat/chatroom").json
    assert [(room["id"], "participants" in room) for room in listed] == [(1, False)]
    inwendo.state.switch(room_list=False)
    assert inwendo.ask("GET", "/api/chat/chatroom").status == 404
    assert inwendo.ask("GET", "/api/chat/chatroom/1").status == 200


def test_a_room_written_with_its_list_loses_who_is_not_on_it(inwendo):
    data = {"name": "Chess", "participants": [{"id": 1}]}
    inwendo.ask("PUT", "/api/chat/chatroom/1", {"data": data})
    assert [row.id for row in inwendo.state.live(1)] == [1]


def test_rooms_can_be_made_and_archived(inwendo):
    made = inwendo.ask("POST", "/api/chat/chatroom", {"data": {"name": "Choir"}}).json
    assert inwendo.ask("DELETE", f"/api/chat/chatroom/{made['id']}").json["deleted"] is True
    inwendo.state.switch(room_write=False)
    assert inwendo.ask("DELETE", "/api/chat/chatroom/1").status == 405


# people and users


def test_an_e_mail_is_a_row_of_the_contact_data(inwendo):
    ada, bob = inwendo.ask("GET", "/api/crm/crmpeople").json
    assert "email" not in ada
    contact = ada["crm_person_contact_data"][0]
    assert (contact["value"], contact["contact_data_type"]["value"]) == ("ada@verein.example", "email")
    assert bob["crm_person_contact_data"] == []


def test_users_name_their_e_mail_and_their_person(inwendo):
    inwendo.state.add_user("Ada", "ada", "x", email="ada@verein.example", crm_person=inwendo.ada.id)
    listed = inwendo.ask("GET", "/api/users").json
    assert [(user["email"], (user["crm_person"] or {}).get("id")) for user in listed] == [
        ("service@verein.example", None),
        ("ada@verein.example", inwendo.ada.id),
    ]


def test_people_and_companies_have_their_own_wrappers(inwendo):
    body = {"crmperson": {"first_name": "Carl", "last_name": "Cobol"}}
    person = inwendo.ask("POST", "/api/crm/crmpeople", body).json
    assert inwendo.ask("GET", f"/api/crm/crmpeople/{person['id']}").json["last_name"] == "Cobol"
    assert inwendo.ask("POST", "/api/crm/crmpeople", {"data": {}}).status == 400
    company = inwendo.state.add_company("Bakery")
    patched = inwendo.ask("PATCH", f"/api/crm/crmcompanies/{company.id}", {"crmcompany": {"archived": True}})
    assert patched.json["archived"] is True


# sessions


def test_a_log_in_gives_a_session_that_works(inwendo, caller):
    anyone = caller(inwendo.server)
    body = {"login": {"username": "service", "password": "secret"}}
    given = anyone("POST", "/api/logins?tokenIdentifiers=iw-external", body).json
    assert {"id", "sessionid", "selectedcustomer", "valid", "missing2fa", "start_in_vpn"} <= set(given)
    assert anyone("GET", PARTICIPANTS, x_session_token=given["sessionid"]).status == 200
    assert anyone("GET", "/api/sessions", x_session_token=given["sessionid"]).json["valid"] is True


@pytest.mark.parametrize("status", [400, 401])
def test_a_refused_token_says_401_in_the_vendors_header_whatever_the_status(inwendo, caller, status):
    inwendo.state.switch(auth_error=str(status))
    anyone = caller(inwendo.server)
    for headers in ({}, {"x_session_token": "nonsense"}, {"x_iw_jwt_token": "nonsense"}):
        reply = anyone("GET", PARTICIPANTS, **headers)
        assert (reply.status, reply.headers["x-iw-error-code"]) == (status, "401")
        assert reply.headers["x-iw-error-json"] == '["JWT expired"]'


def test_a_wrong_password_is_refused(inwendo, caller):
    body = {"login": {"username": "service", "password": "wrong"}}
    reply = caller(inwendo.server)("POST", "/api/logins", body)
    assert (reply.status, reply.headers["x-iw-error-code"]) == (400, "401")


def test_an_api_key_works_in_its_own_header(inwendo, caller):
    key = inwendo.state.issue_api_key(inwendo.user.id).id
    anyone = caller(inwendo.server)
    assert anyone("GET", PARTICIPANTS, x_iw_jwt_token=key).status == 200
    assert anyone("GET", PARTICIPANTS, x_session_token=key).status == 400


def test_a_session_runs_out(inwendo, clock):
    clock.now += 86_400
    assert inwendo.ask("GET", PARTICIPANTS).status == 400


def test_a_client_may_ask_for_a_shorter_session(inwendo, caller, clock):
    body = {"login": {"username": "service", "password": "secret"}}
    token = caller(inwendo.server)("POST", "/api/logins?validSeconds=60", body).json["sessionid"]
    clock.now += 61
    assert inwendo.ask("GET", PARTICIPANTS, x_session_token=token).status == 400


def test_all_sessions_can_be_revoked(inwendo):
    inwendo.state.revoke_all()
    assert inwendo.ask("GET", PARTICIPANTS).status == 400


def test_a_log_in_without_its_second_factor_cannot_be_used(inwendo, caller):
    inwendo.state.switch(missing_2fa=True)
    anyone = caller(inwendo.server)
    given = anyone("POST", "/api/logins", {"login": {"username": "service", "password": "secret"}}).json
    assert (given["missing2fa"], given["valid"]) == (True, False)
    assert anyone("GET", PARTICIPANTS, x_session_token=given["sessionid"]).status == 400


def test_the_call_that_is_no_log_out_removes_the_user(inwendo):
    reply = inwendo.ask("POST", "/api/logins/delete", {"login": {"password": "secret"}})
    assert (reply.status, len(inwendo.state.users)) == (200, 0)
    assert [entry.line for entry in inwendo.server.journal.writes()] == ["POST /api/logins/delete"]


def test_a_header_turns_keys_to_camel_case(inwendo):
    row = inwendo.ask("GET", f"{PARTICIPANTS}/1", x_iw_convert_to_camel_case="1").json
    assert {"firstName", "roomAdmin", "aiPrompt"} <= set(row)


def test_a_json_suffix_is_accepted(inwendo):
    assert inwendo.ask("GET", f"{PARTICIPANTS}/1.json").json["id"] == 1
