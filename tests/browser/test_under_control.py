"""A plan under control, over all three systems: two people at two windows, and what reaches each wire."""

import csv
import re

import pytest
from playwright.sync_api import expect

from membership.models import Change, GuardRule, Participant
from membership.sandbox.faults import Fault
from membership.vocab import AuditAction, ChangeState, Guard, GuardLevel
from tests.browser.walking import WIDE, act, confirm, sent_as_planned, tick
from tests.guards import asks, rule
from tests.services.asking import entries

TITLE = "Remove 3 people from 3 groups"
CHOSEN = (("José Ñandú", "Chess club"), ("Zoë Müller", "Trainers"), ("Ada Lovelace", "Группа 2"))
AGAIN = "Try again: remove 1 person from 1 group"
NOTHING = {"inwendo": [], "mudbase": [], "kaiten": []}


@pytest.fixture
def window(world, operator, visit):
    """The window of the one who asks."""
    world.read()
    return visit(**WIDE)


def preview(page):
    page.goto("/membership/participant/")
    for who in CHOSEN:
        tick(page, *who)
    act(page, "Remove from group…")
    expect(page.get_by_role("heading", name=f"{TITLE}?", exact=True)).to_be_visible()


def ask_in_stages(page, stages, title=TITLE):
    page.get_by_text("When, and in which stages").click()
    page.get_by_label("Steps that come first, then the rest").fill(stages)
    ask(page, title)


def ask(page, title):
    page.get_by_role("textbox", name="Reason").fill("Season ended")
    page.get_by_role("button", name=title, exact=True).click()


def state(page):
    return page.locator("#live h1 .mu-tag")


def are_there():
    places = Participant.objects.filter(is_present=True, label__in=[label for label, _group in CHOSEN])
    return {(place.label, place.group.name) for place in places.select_related("group")} & set(CHOSEN)


def decide(page, comment, button):
    page.goto("/")
    waiting = page.get_by_role("region", name="Waiting for you")
    expect(waiting.get_by_text("operator asks for approval")).to_be_visible()
    waiting.get_by_role("link", name="Look and decide").click()
    page.get_by_label("Comment").fill(comment)
    page.get_by_role("button", name=button).click()


def result_file(page, path):
    with page.expect_download() as download:
        page.get_by_role("button", name="Result file (CSV)").click()
    download.value.save_as(path)
    return list(csv.DictReader(path.read_text(encoding="utf-8-sig").splitlines()))


def feed_back(page, path):
    page.get_by_text("Try only the failed ones of a result file").click()
    page.locator("input[type=file]").set_input_files(path)
    page.get_by_role("button", name="Preview these steps again…").click()


def test_a_plan_is_let_through_approved_run_in_stages_paused_tried_again_and_taken_back(
    world, owner, window, visit, tmp_path
):
    rule(Guard.MANY_PEOPLE, GuardLevel.FORBID, world.kaiten)
    asks(Guard.EVERY_CHANGE, world.mudbase)
    world.sandbox.mudbase.faults.add(Fault("status", method="DELETE", status=403, times=1))

    # A guard forbids it, and an owner lets this one plan through.
    page = window.enter("operator")
    preview(page)
    expect(page.get_by_text("1 person is concerned in Office: more than 0.")).to_be_visible()
    expect(page.get_by_role("heading", name="A guard forbids this plan")).to_be_visible()
    expect(page.get_by_role("button", name=TITLE, exact=True)).to_have_count(0)
    second = visit(**WIDE).enter("owner")
    second.goto(page.url.removeprefix(window.panel))
    second.get_by_label("Why let it through").fill("the office moves")
    second.get_by_role("button", name="Let this one plan through").click()
    expect(second.get_by_text("Let through: this plan, and no other")).to_be_visible()

    # It is asked for in stages, and a second person approves exactly that.
    page.reload()
    expect(page.get_by_text("A second person has to approve this")).to_be_visible()
    ask_in_stages(page, "1")
    expect(page.get_by_text("You asked for it, so somebody else has to.")).to_be_visible()
    expect(page.get_by_role("button", name="Reject")).to_have_count(0)
    world.work()
    assert world.sent() == NOTHING
    decide(second, "seen with the board", f"Approve: {TITLE}")
    expect(second.get_by_text("owner approved exactly this plan")).to_be_visible()
    first = Change.objects.get()
    for action in (AuditAction.CHANGE_OVERRIDDEN, AuditAction.CHANGE_REQUESTED, AuditAction.CHANGE_APPROVED):
        assert entries(action).get().change_id == first.pk

    # Paused, nothing begins; let go on, the first stage is refused, and the rest waits.
    page.reload()
    expect(page.get_by_text("Stage 2: 2 steps")).to_be_visible()
    page.get_by_role("button", name="Pause").click()
    expect(state(page)).to_have_text("paused")
    world.work()
    assert world.sent() == NOTHING
    page.get_by_role("button", name="Go on with 3 steps").click()
    world.work()
    expect(page.get_by_text("In stage 1, 1 of 1 steps did not go well.")).to_be_visible()
    assert are_there() == set(CHOSEN)
    page.get_by_role("button", name="Go on with 2 steps").click()
    world.work()
    expect(state(page)).to_have_text("done, not everything")
    expect(page.locator("#live").get_by_text("as confirmed", exact=True)).to_be_visible()
    assert are_there() == {("Zoë Müller", "Trainers")}

    # Its result file is fed back, a file of somebody else's is not taken.
    file, other = tmp_path / "results.csv", tmp_path / "other.csv"
    assert [(row["name"], row["outcome"], row["read back"]) for row in result_file(page, file)] == [
        ("Zoë Müller", "Mudbase said no", ""),
        ("Ada Lovelace", "done", "as confirmed"),
        ("José Ñandú", "done", "as confirmed"),
    ]
    for server in world.sandbox.servers:
        server.journal.clear()
    other.write_text("name;group\nZoë;Trainers\n")
    feed_back(page, other)
    expect(page.get_by_text("The file cannot be used: it has no columns")).to_be_visible()
    feed_back(page, file)

    # What is tried again is guarded like anything else: rejected, it is not sent.
    expect(page.get_by_role("heading", name=f"{AGAIN}?", exact=True)).to_be_visible()
    ask(page, AGAIN)
    decide(second, "", "Reject")
    expect(second.get_by_text("Say why. The comment stays in the audit log")).to_be_visible()
    second.get_by_label("Comment").fill("Zoë stays until May")
    second.get_by_role("button", name="Reject").click()
    page.reload()
    expect(page.get_by_text(re.compile("owner rejected it .*Zoë stays until May"))).to_be_visible()
    world.work()
    assert world.sent() == NOTHING and Change.objects.latest("pk").state == ChangeState.REJECTED

    GuardRule.objects.all().delete()
    page.get_by_role("button", name="Make a new preview").click()
    assert sent_as_planned(world, confirm(page, world, AGAIN)) and are_there() == set()

    # What was done is taken back.
    page.goto(f"/membership/change/{first.pk}/")
    page.get_by_role("button", name="Take this change back…").click()
    expect(page.get_by_text("its old id does not come back")).to_be_visible()
    taken = confirm(page, world, f"Take back change {first.pk}: 2 people in 2 groups", "it was too early")
    assert sent_as_planned(world, taken)
    assert are_there() == {("Ada Lovelace", "Группа 2"), ("José Ñandú", "Chess club")}
    page.get_by_role("link", name=TITLE).click()
    expect(page.get_by_text("Taken back in")).to_be_visible()


def test_a_change_for_later_is_started_by_hand_and_sizes_that_are_none_are_asked_again(world, window):
    page = window.enter("operator")
    preview(page)
    ask_in_stages(page, "ten")
    expect(page.get_by_text("The value of the stages cannot be used")).to_be_visible()
    page.get_by_label("Steps that come first, then the rest").fill("")
    page.get_by_label("Not before (optional)").fill("2099-01-01T10:00")
    page.get_by_role("button", name=TITLE).click()
    expect(page.get_by_text("The value of the start cannot be used")).to_be_visible()
    tomorrow = page.evaluate("new Date(Date.now() + 86400000).toISOString().slice(0, 16)")
    page.get_by_label("Not before (optional)").fill(tomorrow)
    page.get_by_role("button", name=TITLE).click()
    expect(page.get_by_text("Nothing is sent before.")).to_be_visible()
    world.work()
    assert are_there() == set(CHOSEN)
    page.get_by_role("button", name="Start now").click()
    world.work()
    expect(state(page)).to_have_text("done")
    assert are_there() == set() and Change.objects.get().state == ChangeState.DONE


def test_guards_are_set_in_a_typed_form_and_a_plan_comes_as_a_file(world, owner, window):
    page = window.enter("owner")
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

    preview(page)
    expect(page.get_by_text("3 people are concerned, all systems together: more than 2.")).to_be_visible()
    page.get_by_text("Download the plan").wait_for()
    with page.expect_download() as download:
        page.get_by_role("button", name="CSV").click()
    assert "DELETE /api/chat/chatroom_participant/72" in download.value.path().read_text(encoding="utf-8")
