"""Each verb on each system that can do it, from what is visible to the wire; absent where the remote cannot."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.walking import WIDE, act, choose, confirm, go, sent_as_planned, tick, wide_world
from tests.world import GROUP_UID

TEAM = "/api/chat/chatroom_participant"
ROLE_OF_ZOE = [
    "DELETE /api/chat/projects/proj_1/chats/chat_2/participants",
    "POST /api/chat/projects/proj_1/chats/chat_2/participants",
]
RIGHTS = {
    "inwendo": [
        ("Make member", "Otto Fischer", "Team", "Make 1 manager an ordinary member of Team", [f"PUT {TEAM}/90"]),
        ("Make manager", "Otto Fischer", "Team", "Make 1 person a manager of Team", [f"PUT {TEAM}/90"]),
        ("Mute", "Otto Fischer", "Team", "Mute 1 person in Team", [f"PUT {TEAM}/90"]),
        ("Unmute", "Iris Klein", "Team", "Unmute 1 person in Team", [f"PUT {TEAM}/91"]),
        ("Forbid writing", "Otto Fischer", "Team", "Forbid 1 person to write in Team", [f"PUT {TEAM}/90"]),
        ("Allow writing", "Iris Klein", "Team", "Let 1 person write in Team", [f"PUT {TEAM}/91"]),
    ],
    "mudbase": [
        ("Make manager", "Zoë Müller", "Trainers", "Make 1 person a manager of Trainers", ROLE_OF_ZOE),
        ("Make member", "Zoë Müller", "Trainers", "Make 1 manager an ordinary member of Trainers", ROLE_OF_ZOE),
    ],
    "kaiten": [
        (
            "Make manager",
            "Ada Lovelace",
            "Группа 2",
            "Make 1 person a manager of Группа 2",
            [f"POST /api/latest/groups/{GROUP_UID}/admins"],
        ),
        (
            "Make member",
            "Grace Hopper",
            "Группа 2",
            "Make 1 manager an ordinary member of Группа 2",
            [f"POST /api/latest/groups/{GROUP_UID}/users", f"DELETE /api/latest/groups/{GROUP_UID}/admins/5"],
        ),
    ],
}
MOVES = {
    "inwendo": ("Zoë Müller", "Chess club", "Team", [f"POST {TEAM}", f"DELETE {TEAM}/71"]),
    "mudbase": (
        "Zoë Müller",
        "Trainers",
        "Coaches",
        [
            "POST /api/chat/projects/proj_1/chats/chat_3/participants",
            "DELETE /api/chat/projects/proj_1/chats/chat_2/participants",
        ],
    ),
    "kaiten": (
        "Ada Lovelace",
        "Группа 2",
        "Buchhaltung",
        [
            "POST /api/latest/groups/9f0c0009-0000-4000-8000-000000000009/users",
            f"DELETE /api/latest/groups/{GROUP_UID}/users/3",
        ],
    ),
}
OFFERED = {
    "Verein Nord": {
        *("Make manager", "Make member", "Mute", "Unmute", "Allow writing", "Forbid writing"),
        *("Move to another group…", "Copy to another group…", "Remove from group…"),
    },
    "Club app": {
        *("Make manager", "Make member", "Move to another group…", "Copy to another group…", "Remove from group…")
    },
}
OFFERED["Office"] = OFFERED["Club app"]


@pytest.fixture
def wide(world):
    return wide_world(world)


@pytest.fixture
def at_panel(wide, operator, visit):
    return visit(**WIDE).enter("operator")


def offered(page):
    texts = page.locator("[data-actions] [data-act]:visible").all_text_contents()
    return {text.rpartition(" (")[0] for text in texts}


@pytest.mark.parametrize("kind", RIGHTS)
def test_rights_are_given_and_taken_in_each_system(wide, at_panel, kind):
    page = at_panel
    for button, label, group, title, wire in RIGHTS[kind]:
        go(page, "Participants")
        tick(page, label, group)
        act(page, button)
        change = confirm(page, wide, title)
        assert wide.sent()[kind] == wire
        assert sent_as_planned(wide, change)


@pytest.mark.parametrize("kind", MOVES)
def test_somebody_is_moved_to_another_group_of_each_system(wide, at_panel, kind):
    page = at_panel
    label, here, there, wire = MOVES[kind]
    go(page, "Participants")
    tick(page, label, here)
    act(page, "Move to another group…")
    expect(page.get_by_text("Nothing chosen")).to_be_visible()
    choose(page, there)
    expect(page.get_by_text("1 chosen")).to_be_visible()
    page.get_by_role("button", name="Preview the move…").click()
    change = confirm(page, wide, f"Move 1 person to {there}")
    assert wide.sent()[kind] == wire
    assert sent_as_planned(wide, change)
    assert wide.row(label, there).is_present
    assert not wide.row(label, here).is_present


@pytest.mark.parametrize("kind", MOVES)
def test_somebody_is_copied_to_another_group_of_each_system(wide, at_panel, kind):
    page = at_panel
    label, here, there, wire = MOVES[kind]
    go(page, "Participants")
    tick(page, label, here)
    act(page, "Copy to another group…")
    choose(page, there)
    page.get_by_role("button", name="Preview the copy…").click()
    change = confirm(page, wide, f"Copy 1 person to {there}")
    assert wide.sent()[kind] == wire[:1]
    assert sent_as_planned(wide, change)
    assert wide.row(label, here).is_present


ADDED = {
    "inwendo": ("Board", "Zoë", [f"POST {TEAM}", f"PUT {TEAM}/"]),
    "mudbase": ("Coaches", "Zoë", ["POST /api/chat/projects/proj_1/chats/chat_3/participants"]),
    "kaiten": (
        "Buchhaltung",
        "Grace",
        [f"POST /api/latest/groups/9f0c0009-0000-4000-8000-000000000009/{each}" for each in ("users", "admins")],
    ),
}


@pytest.mark.parametrize("kind", ADDED)
def test_people_are_added_to_a_group_with_rights_in_each_system(wide, at_panel, kind):
    page = at_panel
    group, name, wire = ADDED[kind]
    go(page, "Groups")
    page.get_by_role("link", name=group, exact=True).click()
    page.get_by_role("link", name="Add people…").click()
    page.get_by_label("Name, e-mail or id").fill(name)
    expect(page.locator("#picks li")).to_have_count(1)
    choose(page, name)
    page.get_by_label("Name, e-mail or id").fill("nobody is called so")
    expect(page.get_by_text("Nothing else matches.")).to_be_visible()
    page.get_by_label("as manager").check()
    expect(page.get_by_text("1 chosen")).to_be_visible()
    page.get_by_role("button", name="Preview the addition…").click()
    expect(page.get_by_text("gets rights beyond the group")).to_have_count(1 if kind == "kaiten" else 0)
    change = confirm(page, wide, f"Add 1 person to {group} as managers")
    sent = wide.sent()[kind]
    assert [re.sub("[0-9]+$", "", line) if kind == "inwendo" else line for line in sent] == wire
    assert sent_as_planned(wide, change)


@pytest.mark.parametrize("system", OFFERED)
def test_what_a_system_cannot_do_is_absent(wide, at_panel, system):
    page = at_panel
    go(page, "Participants")
    page.get_by_label("System").select_option(system)
    page.get_by_role("button", name="Show", exact=True).click()
    page.locator(".action-select").first.check()
    assert offered(page) == OFFERED[system]
    page.locator(".action-select").first.locator("xpath=ancestor::tr").get_by_role("link").first.click()
    words = "|".join(("Mute", "Unmute", "Allow writing", "Forbid writing"))
    there = page.get_by_role("button", name=re.compile(f"^({words})$"))
    expect(there).to_have_count(2 if system == "Verein Nord" else 0)


def test_rows_of_several_systems_are_offered_what_all_of_them_can_do(wide, at_panel):
    page = at_panel
    go(page, "Participants")
    tick(page, "Otto Fischer", "Team")
    assert offered(page) == OFFERED["Verein Nord"]
    tick(page, "Grace Hopper", "Группа 2")
    assert offered(page) == OFFERED["Office"]


# groups


def test_a_group_is_created_renamed_and_deleted_in_kaiten(wide, at_panel):
    page = at_panel
    go(page, "Groups")
    page.get_by_role("link", name="Create a group…").click()
    page.get_by_role("link", name="Create in Office…").click()
    page.get_by_label("Name", exact=True).fill("Trainer U12")
    page.get_by_role("button", name="Preview the new group…").click()
    change = confirm(page, wide, "Create the group Trainer U12 in Office")
    assert wide.sent()["kaiten"] == ["POST /api/latest/company/groups"]
    assert sent_as_planned(wide, change)

    uid = wide.group("Trainer U12").remote_id
    go(page, "Groups")
    page.get_by_role("link", name="Trainer U12").click()
    page.get_by_text("Rename…").click()
    page.get_by_label("New name").fill("Trainer U13")
    page.get_by_role("button", name="Preview the new name…").click()
    change = confirm(page, wide, "Rename the group Trainer U12 in Office to Trainer U13")
    assert wide.sent()["kaiten"] == [f"PATCH /api/latest/company/groups/{uid}"]
    assert sent_as_planned(wide, change)

    go(page, "Groups")
    page.get_by_role("link", name="Trainer U13").click()
    page.get_by_text("Delete…", exact=True).click()
    page.get_by_role("button", name="Delete this group…").click()
    page.get_by_label("Type the group's name to delete it: Trainer U13").fill("Trainer U13")
    change = confirm(page, wide, "Delete the group Trainer U13 in Office")
    assert wide.sent()["kaiten"] == [f"DELETE /api/latest/company/groups/{uid}"]
    assert sent_as_planned(wide, change)
    assert not wide.group("Trainer U13").is_present


def test_a_group_is_created_with_members_in_mudbase(wide, at_panel):
    page = at_panel
    go(page, "Groups")
    page.get_by_role("link", name="Create a group…").click()
    page.get_by_role("link", name="Create in Club app…").click()
    page.get_by_label("Name", exact=True).fill("Trainer U12")
    choose(page, "Ada", "Zoë")
    page.get_by_role("button", name="Preview the new group…").click()
    expect(page.get_by_text("The group Trainer U12 is created in Club app (with 2 people)")).to_be_visible()
    change = confirm(page, wide, "Create the group Trainer U12 in Club app")
    assert wide.sent()["mudbase"] == ["POST /api/chat/projects/proj_1/chats"]
    assert sent_as_planned(wide, change)
    wide.read()
    assert wide.row("Ada Lovelace", "Trainer U12").is_present


def test_a_room_of_inwendo_is_tracked_by_its_link_and_read(world, operator, visit):
    world.sandbox.inwendo.state.switch(room_list=False)
    wide = wide_world(world)
    page = visit(**WIDE).enter("operator")
    go(page, "Groups")
    expect(page.get_by_role("link", name="Team", exact=True)).to_have_count(0)
    page.get_by_role("link", name="Track a room by id or link…").click()
    page.get_by_label("Id or link of the room").fill(f"{wide.sandbox.inwendo.url}/chat/9")
    page.get_by_role("button", name="Track it").click()
    expect(page.get_by_text("The room is tracked from now on.")).to_be_visible()
    wide.work()
    page.reload()
    page.get_by_role("link", name="Team", exact=True).click()
    expect(page.get_by_role("link", name="Otto Fischer")).to_be_visible()
    assert wide.sent() == {"inwendo": [], "mudbase": [], "kaiten": []}


@pytest.mark.parametrize(("group", "absent"), [("Team", True), ("Trainers", True), ("Buchhaltung", False)])
def test_renaming_and_deleting_are_absent_where_the_remote_cannot(wide, at_panel, group, absent):
    page = at_panel
    go(page, "Groups")
    page.get_by_role("link", name=group, exact=True).click()
    expect(page.get_by_text("Rename…")).to_have_count(0 if absent else 1)
    expect(page.get_by_text("Delete…", exact=True)).to_have_count(0 if absent else 1)


def test_creating_is_not_offered_for_inwendo(wide, at_panel):
    page = at_panel
    page.goto("/membership/group/new/")
    expect(page.get_by_role("link", name=re.compile("^Create in"))).to_have_count(2)
    expect(page.get_by_text("Verein Nord")).to_have_count(0)


# one participant


def test_a_participant_of_inwendo_is_edited_and_the_secret_is_seen_nowhere(wide, at_panel):
    page = at_panel
    go(page, "Participants")
    in_team = page.get_by_role("row").filter(has=page.get_by_role("link", name="Team", exact=True))
    in_team.get_by_role("link", name="Otto Fischer").click()
    page.get_by_role("link", name="Edit…").click()
    page.get_by_label("Automatic replies").check()
    page.get_by_label("Instructions to the assistant", exact=True).fill("be brief about it")
    page.get_by_label("Messages that the assistant reads").fill("12")
    page.get_by_role("button", name="Preview the edit…").click()
    expect(page.get_by_text("Instructions to the assistant is set anew")).to_be_visible()
    assert "be brief" not in page.content()
    change = confirm(page, wide, "Edit Otto Fischer in Team")
    assert wide.sent()["inwendo"] == [f"PUT {TEAM}/90"]
    body = wide.sandbox.inwendo.journal.writes()[0].body.decode()
    assert "be brief about it" in body
    assert sent_as_planned(wide, change)
    assert "be brief" not in page.content()
