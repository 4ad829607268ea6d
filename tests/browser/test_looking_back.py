"""Looking back: the log in one line of search, a timeline, and a group as it was on a day."""

import datetime as dt

from django.utils import timezone
from playwright.sync_api import expect

from membership.models import Change, Operation, Participant, Presence
from membership.services import removal
from membership.services.changes import confirm_change
from membership.vocab import ChangeKind, Verb
from tests import mirrored as m
from tests.browser.walking import WIDE


def remove_ada(world, owner):
    world.read()
    world.link("Ada Lovelace", *m.Account.objects.filter(label="Ada Lovelace"))
    ada = world.row("Ada Lovelace", "Trainers")
    change = removal.draft_removal(m.rows(ada), actor=owner, selection=m.ids(ada))
    confirm_change(change, actor=owner, reason="left the club", ticket="12", expected_hash=change.plan_hash)
    world.work()
    return ada


def test_somebody_finds_out_who_removed_whom_and_why(world, owner, visit):
    remove_ada(world, owner)
    visitor = visit(**WIDE)
    page = visitor.enter("owner")
    page.get_by_role("link", name="Audit log").click()
    search = page.get_by_role("searchbox", name="Names, reasons")
    search.fill("ada group:trainers")
    search.press("Enter")
    expect(page.get_by_text("The removal of Ada Lovelace from Trainers was confirmed by Club app")).to_be_visible()
    page.get_by_role("region", name="What was found").get_by_role("link", name="intended").click()
    narrowed = "ada group:trainers action:operation.intended"
    expect(page.get_by_role("searchbox", name="Names, reasons")).to_have_value(narrowed)
    page.get_by_role("table").get_by_role("cell").get_by_role("link").first.click()
    expect(page.get_by_role("heading", name="Before and after")).to_be_visible()
    expect(page.get_by_role("row", name="in the group yes no")).to_be_visible()
    page.get_by_role("main").get_by_role("link", name="Ada Lovelace (person").click()
    page.get_by_role("link", name="History").click()
    sentence = "Owner removed Ada Lovelace from Trainers (Club app): left the club, ticket 12; confirmed"
    expect(page.get_by_text(sentence, exact=False)).to_be_visible()
    page.get_by_role("link", name="entries of this step").click()
    expect(page.get_by_role("table").get_by_role("row")).to_have_count(3)


def test_a_group_is_looked_at_on_a_day_and_brought_back(world, owner, visit):
    ada = remove_ada(world, owner)
    today, before = timezone.localdate(), timezone.localdate() - dt.timedelta(days=3)
    Presence.objects.update(since=timezone.now() - dt.timedelta(days=9))
    visitor = visit(**WIDE)
    page = visitor.enter("owner")
    page.goto(f"/membership/group/{ada.group_id}/")
    page.get_by_role("link", name="Who was in it then").click()
    page.get_by_label("Day", exact=True).fill(before.isoformat())
    page.get_by_label("Compare with (optional)").fill(today.isoformat())
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page.get_by_role("link", name="Ada Lovelace")).to_have_count(4)
    expect(page.get_by_role("heading", name="Went (1)")).to_be_visible()
    page.get_by_role("button", name="Bring this group back to that day…").click()
    expect(page.get_by_role("heading", name="Bring Trainers back to")).to_be_visible()
    expect(page.get_by_text("Ada Lovelace joins Trainers")).to_be_visible()
    change = Change.objects.get(kind=ChangeKind.BACK_TO_DAY)
    page.get_by_role("textbox", name="Reason").fill("a mistake")
    page.get_by_role("button", name="Bring Trainers back").click()
    page.wait_for_url(f"**/membership/change/{change.pk}/**")
    world.work()
    assert [step.verb for step in Operation.objects.filter(change=change)] == [Verb.ADD]
    assert Participant.objects.filter(group_id=ada.group_id, label="Ada Lovelace", is_present=True).exists()


def test_the_link_to_a_search_is_copied(owner, visit):
    visitor = visit(**WIDE, permissions=["clipboard-read", "clipboard-write"])
    page = visitor.enter("owner")
    page.goto("/membership/auditentry/?q=ada")
    page.get_by_role("button", name="Copy the link to this search").click()
    expect(page.get_by_role("status").get_by_text("The link is copied.")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()").endswith("/membership/auditentry/?q=ada")
    assert visitor.barriers() == []


def test_a_report_is_printed_black_on_white_from_a_dark_screen(owner, visit):
    ada = m.person("Ada Lovelace")
    page = visit(**WIDE, color_scheme="dark").enter("owner")
    page.goto(f"/membership/person/{ada.pk}/")
    page.get_by_role("button", name="To print").click()
    page.evaluate("window.print = () => document.body.setAttribute('data-printed', '')")
    page.get_by_role("button", name="Print", exact=True).click()
    expect(page.locator("body[data-printed]")).to_have_count(1)
    page.emulate_media(media="print")
    expect(page.locator("dl.mu-facts dd").first).to_have_css("color", "rgb(0, 0, 0)")
