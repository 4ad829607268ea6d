import threading
import unicodedata

import pytest

from membership.sandbox import Sandbox
from membership.sandbox.demo import (
    HUMANS,
    KAITEN_TOKEN,
    KAITEN_WEAK_TOKEN,
    MUDBASE_CHAT,
    MUDBASE_EXAMPLES,
    MUDBASE_SERVICE,
    PARTICIPANTS,
    describe_demo,
    fill_demo,
)
from membership.sandbox.demo_names import humans
from membership.sandbox.serve import run, urls


@pytest.fixture
def demo(sandbox):
    sandbox.connections = fill_demo(sandbox)
    return sandbox


def visible_chats(state):
    return [chat for chat in state.chats if state.member(chat.id, MUDBASE_SERVICE)]


def places(demo):
    inwendo, mudbase, kaiten = (server.state for server in demo.servers)
    return {
        "inwendo": sum(not row.deleted for row in inwendo.participants),
        "mudbase": sum(len(mudbase.roles(chat.id)) for chat in visible_chats(mudbase)),
        "kaiten": sum(len({*kaiten.members(g.uid), *kaiten.admins(g.uid)}) for g in kaiten.groups),
    }


def test_the_demo_has_two_thousand_participants_in_about_sixty_groups(demo):
    assert places(demo) == PARTICIPANTS
    assert sum(PARTICIPANTS.values()) == 2000
    groups = len(demo.inwendo.state.rooms) + len(visible_chats(demo.mudbase.state)) + len(demo.kaiten.state.groups)
    assert 58 <= groups <= 64


def test_the_demo_is_the_same_each_time_and_filled_once(demo, clock):
    with Sandbox(now=clock) as other:
        fill_demo(other)
        names = [[row.name for row in each.inwendo.state.participants] for each in (demo, other)]
        assert names[0] == names[1]
        before = other.kaiten.state.dump()
        other.kaiten.state.change_group(before["groups"][0]["uid"], name="Mine")
        fill_demo(other)
        assert other.kaiten.state.dump()["groups"][0]["name"] == "Mine"


def test_many_humans_are_in_several_systems_under_the_same_e_mail(demo):
    inwendo = {person.email.casefold() for person in demo.inwendo.state.people if person.email}
    mudbase = {user.email for user in demo.mudbase.state.users if user.email}
    kaiten = {user.email for user in demo.kaiten.state.users if user.email}
    everybody = {human.email for human in humans(HUMANS)}
    assert len(everybody) == HUMANS
    assert len(everybody & inwendo & mudbase & kaiten) > 100
    assert any(email.isupper() for email in (person.email or "" for person in demo.inwendo.state.people))


def test_names_are_as_hard_as_names_can_be(demo):
    everything = "\n".join(person.first_name + person.last_name for person in demo.inwendo.state.people)
    assert "<script>alert(1)</script>" in everything
    assert "<b>Bobby</b>" in everything
    assert max(map(len, everything.split("\n"))) > 200
    kinds = {unicodedata.bidirectional(character) for character in everything}
    assert {"L", "R", "AL", "RLO", "LRI"} <= kinds
    assert any("CYRILLIC" in unicodedata.name(character, "") for character in everything)


def test_the_reference_pages_examples_are_there(demo):
    row = demo.inwendo.state.participants.rows[42]
    assert (row.chatroom, row.name) == (42, "Ada Lovelace")
    assert set(MUDBASE_EXAMPLES) <= set(demo.mudbase.state.roles(MUDBASE_CHAT))
    assert demo.kaiten.state.groups.rows["0a2f6c34-3d0f-4a1b-8a57-5b6f1d2e3c4a"].name == "Example group"


def test_there_is_one_of_each_thing_that_a_panel_must_bear(demo):
    inwendo, mudbase, kaiten = (server.state for server in demo.servers)
    assert any(room.deleted for room in inwendo.rooms)
    assert any(row.deleted for row in inwendo.participants)
    assert any(row.auto_created and row.auto_reply and row.ai_prompt for row in inwendo.participants)
    assert any(row.person is None for row in inwendo.participants)
    assert any(person.archived for person in inwendo.people)
    assert any(user.is_anonymous and user.email is None for user in mudbase.users)
    assert {"..", "a/b"} <= set(mudbase.roles(MUDBASE_CHAT))
    assert len(visible_chats(mudbase)) == len(mudbase.chats) - 2
    assert any(group.permissions & 1 for group in kaiten.groups)
    assert any(group.directory is not None for group in kaiten.groups)
    assert any(not group.active for group in kaiten.groups)
    assert any(len(kaiten.members(group.uid)) > 100 for group in kaiten.groups)
    assert any(set(kaiten.admins(group.uid)) - set(kaiten.members(group.uid)) for group in kaiten.groups)
    for trait in ("virtual", "email_blocked", "delete_requested_at"):
        assert any(getattr(user, trait) for user in kaiten.users)
    assert any(user.role == 3 for user in kaiten.users)


def test_the_service_account_is_admin_of_all_chats_it_sees_but_one(demo):
    state = demo.mudbase.state
    roles = [state.roles(chat.id)[MUDBASE_SERVICE] for chat in visible_chats(state)]
    assert sorted(set(roles)) == ["admin", "member"]
    assert roles.count("member") == 1


def test_the_credentials_of_the_demo_work(demo, caller):
    inwendo, mudbase, kaiten = demo.connections
    assert [each.url for each in demo.connections] == list(urls(demo).values())
    login = {"username": inwendo.options["username"], "password": inwendo.secrets["password"]}
    given = caller(demo.inwendo)("POST", "/api/logins", {"login": login}).json
    assert caller(demo.inwendo, x_session_token=given["sessionid"])("GET", "/api/users").status == 200

    body = {"email": mudbase.options["email"], "projectId": mudbase.options["project_id"], **mudbase.secrets}
    token = caller(demo.mudbase)("POST", "/api/auth/local/login", body).json["token"]
    users = f"/api/orgs/{mudbase.options['org_id']}/projects/{mudbase.options['project_id']}/users"
    assert caller(demo.mudbase, Authorization=f"Bearer {token}")("GET", users).json["total"] > 200

    strong = caller(demo.kaiten, Authorization=f"Bearer {kaiten.secrets['token']}")
    weak = caller(demo.kaiten, Authorization=f"Bearer {KAITEN_WEAK_TOKEN}")
    assert kaiten.secrets["token"] == KAITEN_TOKEN
    assert (strong("GET", "/api/latest/company/groups").status, weak("GET", "/api/latest/company/groups").status) == (
        200,
        403,
    )


def test_the_demo_can_be_described_for_any_address():
    described = describe_demo({"inwendo": "http://a", "mudbase": "http://b", "kaiten": "http://c"})
    assert [(each.provider, each.url) for each in described] == [
        ("inwendo", "http://a"),
        ("mudbase", "http://b"),
        ("kaiten", "http://c"),
    ]


def test_serving_fills_the_demo_keeps_the_limits_and_stops_when_told(tmp_path):
    stop, seen = threading.Event(), []

    def look(sandbox):
        seen.append((places(sandbox), sandbox.kaiten.state.switches.rate_per_s, sandbox.kaiten.url))
        stop.set()

    run(state_dir=tmp_path, with_demo=True, limits=True, stop_event=stop, ready=look)
    ((found, rate, url),) = seen
    assert (found, rate) == (PARTICIPANTS, 5)
    assert url.startswith("http://127.0.0.1:")
