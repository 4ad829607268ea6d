"""Preview, guard, a second person: two people at two windows, and what reaches the wire of each system."""

import re

import pytest
from playwright.sync_api import expect

from membership.models import Change
from membership.vocab import AuditAction, ChangeState, Guard, GuardLevel
from tests.browser.walking import WIDE, act, sent_as_planned, tick
from tests.guards import asks, rule
from tests.services.asking import entries

TITLE = "Remove 3 people from 3 groups"
CHOSEN = (("José Ñandú", "Chess club"), ("Zoë Müller", "Trainers"), ("Ada Lovelace", "Группа 2"))


@pytest.fixture
def two(world, operator, approver, owner, visit):
    """The windows of the one who asks and of the second person."""
    world.read()
    return visit(**WIDE), visit(**WIDE)


def preview_of(visitor):
    page = visitor.enter("operator")
    page.goto("/membership/participant/")
    for who in CHOSEN:
        tick(page, *who)
    act(page, "Remove from group…")
    expect(page.get_by_role("heading", name=f"{TITLE}?", exact=True)).to_be_visible()
    return page


def confirm(page):
    page.get_by_role("textbox", name="Reason").fill("Season ended")
    page.get_by_role("button", name=TITLE, exact=True).click()


def test_what_a_guard_forbids_is_let_through_asked_for_approved_by_another_and_done(world, two):
    rule(Guard.MANY_PEOPLE, GuardLevel.FORBID, world.kaiten)
    asks(Guard.EVERY_CHANGE, world.mudbase)
    page = preview_of(two[0])
    expect(page.get_by_text("1 person is concerned in Office: more than 0.")).to_be_visible()
    expect(page.get_by_role("heading", name="A guard forbids this plan")).to_be_visible()
    expect(page.get_by_role("button", name=TITLE, exact=True)).to_have_count(0)

    second = two[1].enter("owner")
    second.goto(page.url.removeprefix(two[0].panel))
    second.get_by_label("Why let it through").fill("the office moves")
    second.get_by_role("button", name="Let this one plan through").click()
    expect(second.get_by_text("Let through: this plan, and no other")).to_be_visible()

    page.reload()
    expect(page.get_by_text("A second person has to approve this")).to_be_visible()
    confirm(page)
    expect(page.get_by_text("You asked for it, so somebody else has to.")).to_be_visible()
    expect(page.get_by_role("button", name="Reject")).to_have_count(0)
    world.work()
    assert world.sent() == {"inwendo": [], "mudbase": [], "kaiten": []}

    second.goto("/")
    waiting = second.get_by_role("region", name="Waiting for you")
    expect(waiting.get_by_text("operator asks for approval")).to_be_visible()
    waiting.get_by_role("link", name="Look and decide").click()
    second.get_by_label("Comment").fill("seen with the board")
    second.get_by_role("button", name=f"Approve: {TITLE}").click()
    expect(second.get_by_text("owner approved exactly this plan")).to_be_visible()
    world.work()
    expect(second.locator("#live h1 .mu-tag")).to_have_text("done")
    expect(second.get_by_text("owner let this plan through")).to_be_visible()
    change = Change.objects.get()
    assert sent_as_planned(world, change)
    for action in (AuditAction.CHANGE_OVERRIDDEN, AuditAction.CHANGE_REQUESTED, AuditAction.CHANGE_APPROVED):
        assert entries(action).get().change_id == change.pk


def test_what_a_second_person_rejects_says_why_and_sends_nothing(world, two):
    asks(Guard.EVERY_CHANGE)
    page = preview_of(two[0])
    confirm(page)
    second = two[1].enter("approver")
    second.goto("/membership/change/?waits=approval")
    second.get_by_role("link", name=TITLE).click()
    second.get_by_role("button", name="Reject").click()
    expect(second.get_by_text("Say why. The comment stays in the audit log")).to_be_visible()
    second.get_by_label("Comment").fill("Zoë stays until May")
    second.get_by_role("button", name="Reject").click()
    page.reload()
    expect(page.get_by_text(re.compile("approver rejected it .*Zoë stays until May"))).to_be_visible()
    expect(page.get_by_role("button", name="Make a new preview")).to_be_visible()
    world.work()
    assert world.sent() == {"inwendo": [], "mudbase": [], "kaiten": []}
    assert Change.objects.get().state == ChangeState.REJECTED


def test_guards_are_set_in_a_typed_form_and_a_plan_comes_as_a_file(world, two):
    page = two[0].enter("owner")
    page.goto("/membership/connection/")
    page.get_by_role("link", name="Guards of all systems").click()
    form = page.get_by_role("region", name="Many people are concerned")
    form.get_by_label("More than").fill("lots")
    page.get_by_role("button", name="Save").click()
    expect(form.get_by_text("it must be a whole number")).to_be_visible()
    form.get_by_label("More than").fill("2")
    form.get_by_label("What it does").select_option("forbids")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved.")).to_be_visible()

    page = preview_of(two[1])
    expect(page.get_by_text("3 people are concerned, all systems together: more than 2.")).to_be_visible()
    page.get_by_text("Download the plan").wait_for()
    with page.expect_download() as download:
        page.get_by_role("button", name="CSV").click()
    assert "DELETE /api/chat/chatroom_participant/72" in download.value.path().read_text(encoding="utf-8")
