import pytest

USER_KEYS = {
    "id", "uid", "full_name", "email", "username", "avatar_initials_url", "avatar_uploaded_url", "initials",
    "avatar_type", "lng", "timezone", "theme", "updated", "created", "activated", "ui_version", "virtual",
    "email_blocked", "email_blocked_reason", "delete_requested_at",
}  # fmt: skip
LISTED_TOO = {"delete_confirmation_sent_at", "sd_telegram_id", "news_subscription"}
GROUP_KEYS = {"id", "uid", "name", "permissions", "add_to_cards_and_spaces_enabled", "created", "updated"}
GROUPS = "/api/latest/company/groups"


def fill_group(kaiten, count):
    for number in range(count):
        user = kaiten.state.add_user(f"Person {number}")
        kaiten.state.add_member(kaiten.design.uid, user.id)


# credentials and rights


def test_a_wrong_token_is_401_with_a_bare_string(kaiten, caller):
    anyone = caller(kaiten.server)
    for headers in ({}, {"Authorization": "Bearer nonsense"}, {"Authorization": kaiten.token}):
        reply = anyone("GET", GROUPS, **headers)
        assert (reply.status, reply.body) == (401, b"Invalid token")
        assert reply.headers["content-type"].startswith("text/plain")


def test_a_deactivated_owner_takes_the_token_along(kaiten):
    kaiten.state.change_user(kaiten.service.id, role=3)
    assert kaiten.ask("GET", GROUPS).status == 401


@pytest.mark.parametrize("path", ["company/groups", "groups/{uid}/users", "groups/{uid}/admins", "company/users"])
def test_without_the_section_members_it_is_403_with_no_body(kaiten, path):
    kaiten.state.change_user(kaiten.service.id, own_permissions=0)
    reply = kaiten.ask("GET", f"/api/latest/{path.format(uid=kaiten.design.uid)}")
    assert (reply.status, reply.body) == (403, b"")
    assert "content-type" not in reply.headers


def test_a_group_can_make_its_members_administrators(kaiten):
    kaiten.state.change_user(kaiten.service.id, own_permissions=0)
    kaiten.state.change_group(kaiten.design.uid, permissions=1)
    kaiten.state.add_member(kaiten.design.uid, kaiten.service.id)
    assert kaiten.ask("GET", GROUPS).status == 200
    assert kaiten.ask("GET", "/api/latest/users/current").json["permissions"] == 1


def test_without_the_paid_module_writes_are_402_and_reads_work(kaiten):
    kaiten.state.switch(tariff=False)
    for method, path in (("DELETE", f"{kaiten.users}/{kaiten.ada.id}"), ("POST", kaiten.users), ("POST", GROUPS)):
        reply = kaiten.ask(method, path, {"user_id": kaiten.bob.id})
        assert (reply.status, reply.json) == (402, {"message": "Feature is not supported by tariff"})
    assert kaiten.ask("GET", kaiten.users).status == 200


@pytest.mark.parametrize("version", ["latest", "v1"])
def test_both_versions_of_the_path_work(kaiten, version):
    assert kaiten.ask("GET", f"/api/{version}/company/groups").status == 200
    assert kaiten.ask("GET", "/api/v2/company/groups").status == 404


# groups


def test_groups_are_a_bare_array_with_id_and_uid(kaiten):
    (group,) = kaiten.ask("GET", GROUPS).json
    assert set(group) == GROUP_KEYS
    assert (group["id"], group["uid"]) == (1, kaiten.design.uid)


def test_groups_are_paged_only_when_asked_and_without_tree_entities(kaiten):
    for number in range(104):
        kaiten.state.add_group(f"Group {number}")
    assert len(kaiten.ask("GET", GROUPS).json) == 105
    assert len(kaiten.ask("GET", f"{GROUPS}?limit=10").json) == 10
    assert len(kaiten.ask("GET", f"{GROUPS}?offset=0").json) == 100
    assert len(kaiten.ask("GET", f"{GROUPS}?limit=10&offset=100").json) == 5
    assert len(kaiten.ask("GET", f"{GROUPS}?limit=10&with_tree_entities=true").json) == 105


def test_inactive_groups_show_by_condition_alone(kaiten):
    old = kaiten.state.add_group("Old", active=False)
    assert [group["uid"] for group in kaiten.ask("GET", f"{GROUPS}?condition=2").json] == [old.uid]
    assert [group["uid"] for group in kaiten.ask("GET", f"{GROUPS}?condition=1").json] == [kaiten.design.uid]
    assert len(kaiten.ask("GET", GROUPS).json) == 2
    kaiten.state.switch(condition_default=1)
    assert len(kaiten.ask("GET", GROUPS).json) == 1


def test_flags_add_fields_to_groups(kaiten):
    kaiten.state.change_group(kaiten.design.uid, directory=[kaiten.ada.id])
    (group,) = kaiten.ask("GET", f"{GROUPS}?with_users_count=true&with_sync_group_attribute=true").json
    assert (group["users_count"], group["sync_group"]) == (1, True)


def test_a_group_can_be_made_read_changed_and_deleted(kaiten):
    made = kaiten.ask("POST", GROUPS, {"name": "New", "permissions": 2})
    assert (made.status, set(made.json)) == (200, GROUP_KEYS)
    path = f"{GROUPS}/{made.json['uid']}"
    assert kaiten.ask("GET", path).json["permissions"] == 2
    assert kaiten.ask("PATCH", path, {"name": "Newer"}).json["name"] == "Newer"
    assert kaiten.ask("DELETE", path).json["name"] == "Newer"
    assert kaiten.ask("GET", path).status == 404


@pytest.mark.parametrize(
    "body", [{}, {"name": ""}, {"name": "x" * 513}, {"name": 7}, {"name": "x", "permissions": "1"}]
)
def test_a_group_that_is_not_valid_is_400_with_a_message(kaiten, body):
    reply = kaiten.ask("POST", GROUPS, body)
    assert (reply.status, set(reply.json)) == (400, {"message"})


# members


def test_listed_users_have_three_fields_more_than_answers_to_writes(kaiten):
    (listed,) = kaiten.ask("GET", kaiten.users).json
    assert set(listed) == USER_KEYS | LISTED_TOO
    removed = kaiten.ask("DELETE", f"{kaiten.users}/{kaiten.ada.id}")
    assert (removed.status, set(removed.json), removed.json["id"]) == (200, USER_KEYS, kaiten.ada.id)
    added = kaiten.ask("POST", kaiten.users, {"user_id": kaiten.bob.id})
    assert (added.status, set(added.json), added.json["id"]) == (200, USER_KEYS, kaiten.bob.id)
    assert kaiten.state.members(kaiten.design.uid) == [kaiten.bob.id]


def test_removing_somebody_who_is_not_in_and_a_group_that_is_gone_look_the_same(kaiten):
    replies = [
        kaiten.ask("DELETE", f"{kaiten.users}/{kaiten.bob.id}"),
        kaiten.ask("DELETE", f"/api/latest/groups/none/users/{kaiten.ada.id}"),
    ]
    assert [(reply.status, reply.body) for reply in replies] == [(404, b"")] * 2


def test_a_user_id_that_is_no_integer_is_400(kaiten):
    assert kaiten.ask("DELETE", f"{kaiten.users}/ada").status == 400
    for wrong in (str(kaiten.bob.id), None, True, 1.0):
        assert kaiten.ask("POST", kaiten.users, {"user_id": wrong}).status == 400
    assert kaiten.ask("POST", kaiten.users, {"user_id": 999}).status == 404


@pytest.mark.parametrize("status", [200, 400])
def test_adding_somebody_who_is_in_is_answered_as_switched(kaiten, status):
    kaiten.state.switch(add_existing=status)
    assert kaiten.ask("POST", kaiten.users, {"user_id": kaiten.ada.id}).status == status
    assert kaiten.state.members(kaiten.design.uid) == [kaiten.ada.id]


def test_the_list_of_users_is_paged(kaiten):
    fill_group(kaiten, 120)
    pages = [kaiten.ask("GET", f"{kaiten.users}?limit=100&offset={offset}").json for offset in (0, 100, 200)]
    assert [len(page) for page in pages] == [100, 21, 0]
    assert len(kaiten.ask("GET", kaiten.users).json) == 100
    assert kaiten.ask("GET", f"{kaiten.users}?limit=101").status == 400


def test_the_list_of_users_may_ignore_paging_or_be_cut_without_a_word(kaiten):
    fill_group(kaiten, 120)
    kaiten.state.switch(users_paging="legacy")
    assert len(kaiten.ask("GET", f"{kaiten.users}?limit=10&offset=100").json) == 121
    kaiten.state.switch(users_paging="capped")
    first, second = (kaiten.ask("GET", f"{kaiten.users}?limit=100&offset={offset}").json for offset in (0, 100))
    assert len(first) == 100
    assert first == second


def test_admins_are_a_list_of_their_own(kaiten):
    assert kaiten.ask("POST", kaiten.admins, {"user_id": kaiten.bob.id}).status == 200
    assert [user["id"] for user in kaiten.ask("GET", kaiten.admins).json] == [kaiten.bob.id]
    assert [user["id"] for user in kaiten.ask("GET", kaiten.users).json] == [kaiten.ada.id]
    assert kaiten.ask("DELETE", f"{kaiten.admins}/{kaiten.bob.id}").status == 200
    assert kaiten.ask("GET", kaiten.admins).json == []


def test_a_directory_takes_back_what_was_changed_by_hand(kaiten):
    kaiten.state.change_group(kaiten.design.uid, directory=[kaiten.ada.id])
    kaiten.ask("DELETE", f"{kaiten.users}/{kaiten.ada.id}")
    kaiten.ask("POST", kaiten.users, {"user_id": kaiten.bob.id})
    kaiten.state.sync_directory()
    assert kaiten.state.members(kaiten.design.uid) == [kaiten.ada.id]


# users


def test_company_users_are_paged_and_searched_only_for_the_members_section(kaiten):
    fill_group(kaiten, 120)
    path = "/api/latest/company/users"
    assert len(kaiten.ask("GET", f"{path}?limit=10&query=ada").json) == 123
    assert len(kaiten.ask("GET", f"{path}?for_members_section=true").json) == 100
    assert len(kaiten.ask("GET", f"{path}?for_members_section=true&limit=100&offset=100").json) == 23
    (ada,) = kaiten.ask("GET", f"{path}?for_members_section=true&query=ada").json
    assert (ada["role"], ada["groups"][0]["uid"]) == (2, kaiten.design.uid)


def test_company_users_can_be_those_of_a_group(kaiten):
    found = kaiten.ask("GET", f"/api/latest/company/users?for_members_section=true&group_ids={kaiten.design.id}").json
    assert [user["id"] for user in found] == [kaiten.ada.id]


def test_deactivated_users_are_known_by_their_role(kaiten):
    kaiten.state.change_user(kaiten.ada.id, role=3)
    path = "/api/latest/company/users?for_members_section=true"
    assert [user["role"] for user in kaiten.ask("GET", path).json] == [2, 3, 2]
    kaiten.state.switch(deactivated_listed=False)
    assert len(kaiten.ask("GET", path).json) == 2


def test_a_weak_token_sees_a_part_of_the_users_and_nothing_says_so(kaiten):
    kaiten.state.change_user(kaiten.bob.id, shared=True)
    assert len(kaiten.ask("GET", "/api/latest/users").json) == 3
    kaiten.state.change_user(kaiten.service.id, own_permissions=0)
    reply = kaiten.ask("GET", "/api/latest/users")
    assert (reply.status, [user["id"] for user in reply.json]) == (200, [kaiten.service.id, kaiten.bob.id])


def test_the_current_user_is_the_owner_of_the_token(kaiten):
    current = kaiten.ask("GET", "/api/latest/users/current").json
    assert (current["id"], current["company_id"], current["permissions"]) == (kaiten.service.id, 1, 1)


def test_access_is_given_as_a_number_and_answered_as_a_string(kaiten):
    path = f"/api/latest/company/users/{kaiten.ada.id}"
    changed = kaiten.ask("PATCH", path, {"apps_permissions": 0, "temporarily_inactive": True}).json
    assert (changed["apps_permissions"], changed["temporarily_inactive"]) == ("0", True)


def test_virtual_users_alone_can_be_deleted(kaiten):
    robot = kaiten.state.add_user("Robot", virtual=True)
    assert kaiten.ask("DELETE", f"/api/latest/company/users/{robot.id}").json == {"id": robot.id}
    assert kaiten.ask("DELETE", f"/api/latest/company/users/{kaiten.ada.id}").status == 403


# the audit log


def test_the_audit_log_tells_what_was_done_through_the_api_and_by_hand(kaiten):
    kaiten.ask("DELETE", f"{kaiten.users}/{kaiten.ada.id}")
    kaiten.state.add_admin(kaiten.design.uid, kaiten.bob.id, author=kaiten.bob.id)
    events = kaiten.ask("GET", "/api/latest/audit-logs?limit=2").json
    assert [(event["action"], event["author_id"], event["details"]["user_id"]) for event in events] == [
        ("add_admin", kaiten.bob.id, kaiten.bob.id),
        ("delete_user", kaiten.service.id, kaiten.ada.id),
    ]


def test_the_audit_log_is_filtered_by_time_and_action(kaiten, clock):
    clock.now += 60
    kaiten.state.add_member(kaiten.design.uid, kaiten.bob.id)
    since = "2026-01-01T00:00:30.000Z"
    assert len(kaiten.ask("GET", f"/api/latest/audit-logs?from={since}").json) == 1
    assert len(kaiten.ask("GET", f"/api/latest/audit-logs?to={since}").json) == 2
    assert len(kaiten.ask("GET", "/api/latest/audit-logs?actions=create").json) == 1
    kaiten.state.switch(audit_rights=False)
    assert kaiten.ask("GET", "/api/latest/audit-logs").status == 403


# limits


def test_five_requests_a_second_and_the_header_is_an_epoch(kaiten, clock):
    kaiten.state.switch(rate_per_s=5)
    replies = [kaiten.ask("GET", GROUPS) for _ in range(6)]
    assert [reply.status for reply in replies] == [200] * 5 + [429]
    assert [reply.headers["x-ratelimit-remaining"] for reply in replies] == ["4", "3", "2", "1", "0", "0"]
    assert int(replies[-1].headers["x-ratelimit-reset"]) == clock.now + 1
    assert "retry-after" not in replies[-1].headers
    clock.now += 1
    assert kaiten.ask("GET", GROUPS).status == 200


def test_there_is_no_limit_unless_switched_on(kaiten):
    replies = [kaiten.ask("GET", GROUPS) for _ in range(10)]
    assert {reply.status for reply in replies} == {200}
    assert "x-ratelimit-remaining" not in replies[0].headers
