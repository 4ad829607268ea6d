"""One person in three systems, from first sight to leaving: by nothing but what is visible on pages."""

import re

from playwright.sync_api import expect

from membership.models import Participant, Person
from membership.services import link_proposals
from membership.services.drafts import compile_ready
from tests.browser.walking import WIDE, act, choose, confirm, go, sent_as_planned, tick, wide_world


def link_ada(page):
    go(page, "Proposals to link")
    page.get_by_role("searchbox", name="Name or e-mail").fill("Ada Lovelace")
    page.get_by_role("button", name="Show", exact=True).click()
    page.get_by_label("Select all rows of this page").check()
    act(page, "Link: the same person")
    expect(page.get_by_text("3 pairs are one person each now.")).to_be_visible()


def make_bundle(page):
    go(page, "Bundles")
    page.get_by_role("link", name="New bundle…").click()
    page.get_by_label("Name", exact=True).fill("Trainer U12")
    choose(page, "Team", "Coaches", "Buchhaltung")
    page.get_by_label("without writing: Team").check()
    page.get_by_role("button", name="Save the bundle").click()
    expect(page.get_by_text("Saved. Nobody's groups change by it")).to_be_visible()
    expect(page.get_by_role("heading", name="Trainer U12")).to_be_visible()


def open_ada(page):
    go(page, "People")
    page.get_by_role("link", name="Ada Lovelace", exact=True).click()


def where(label):
    rows = Participant.objects.filter(label=label, is_present=True)
    return {row.group.name: row for row in rows.select_related("group")}


def test_somebody_of_three_systems_is_linked_given_a_bundle_promoted_muted_moved_and_removed_everywhere(
    world, operator, visit
):
    wide = wide_world(world)
    link_proposals.propose()
    page = visit(**WIDE).log_in("operator")
    assert set(where("Ada Lovelace")) == {"Chess club", "Board", "Trainers", "Группа 2"}

    link_ada(page)
    ada = Person.objects.get(name="Ada Lovelace")
    assert ada.accounts.count() == 3

    make_bundle(page)
    open_ada(page)
    page.get_by_role("link", name="Assign a bundle…").click()
    choose(page, "Trainer U12")
    page.get_by_role("button", name="Preview the bundle…").click()
    expect(page.get_by_text("Buchhaltung in Office administers: 1 person gets rights")).to_be_visible()
    change = confirm(page, wide, "Give the bundle “Trainer U12” to 1 person")
    assert sent_as_planned(wide, change)
    assert {"Team", "Coaches", "Buchhaltung"} <= set(where("Ada Lovelace"))
    assert where("Ada Lovelace")["Team"].can_write is False

    # promoted in all three systems at once, where the rights stand
    open_ada(page)
    for group in ("Team", "Coaches", "Buchhaltung"):
        page.get_by_label(f"Manager in {group}").check()
    page.get_by_role("button", name="Preview what was ticked differently…").click()
    change = confirm(page, wide, "Change where Ada Lovelace takes part: 3 groups")
    assert sent_as_planned(wide, change)
    assert {name for name, row in where("Ada Lovelace").items() if row.is_manager} >= {
        "Team", "Coaches", "Buchhaltung"
    }  # fmt: skip

    # muted where that can be
    go(page, "Participants")
    tick(page, "Ada Lovelace", "Team")
    act(page, "Mute")
    change = confirm(page, wide, "Mute 1 person in Team")
    assert sent_as_planned(wide, change)

    # moved, with the rights that she has
    go(page, "Participants")
    tick(page, "Ada Lovelace", "Trainers")
    act(page, "Move to another group…")
    expect(page.get_by_text("leave where they are now")).to_be_visible()
    choose(page, "Coaches")
    page.get_by_role("button", name="Preview the move…").click()
    expect(page.get_by_text("Already so.")).to_be_visible()
    change = confirm(page, wide, "Move 1 person to Coaches")
    assert sent_as_planned(wide, change)
    assert "Trainers" not in where("Ada Lovelace")

    # her last group without another manager is handed over
    go(page, "Participants")
    tick(page, "Zoë Müller", "Chess club")
    act(page, "Make manager")
    change = confirm(page, wide, "Make 1 person a manager of Chess club")
    assert sent_as_planned(wide, change)

    # and out of everything
    open_ada(page)
    page.get_by_role("button", name=re.compile("^Remove everywhere")).click()
    wide.work(compile_ready)
    change = confirm(page, wide, "Remove Ada Lovelace from 6 groups")
    assert sent_as_planned(wide, change)
    assert where("Ada Lovelace") == {}
