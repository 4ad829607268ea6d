"""What the small script does: selecting rows, reasons one click away, filters that fold away, colours."""

import re

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from membership.models import Change
from membership.vocab import AuditAction
from tests import mirrored
from tests.services.test_audit_log import put


@pytest.fixture
def full_group(fresh_db):
    group = mirrored.group("Trainers", mirrored.system("Club app", provider="mudbase"), participants_count=60)
    for number in range(60):
        mirrored.participant(f"Trainer {number:02}", group, remote_id=f"usr_{number}")
    return group


@pytest.fixture
def at_panel(full_group, operator, visit):
    return visit(viewport={"width": 1360, "height": 900}).enter("operator")


@pytest.mark.parametrize("address", ["/membership/participant/", "/membership/group/{pk}/"])
def test_rows_are_counted_as_they_are_ticked_and_all_that_match_are_one_more_click(at_panel, full_group, address):
    page = at_panel
    page.goto(address.format(pk=full_group.pk))
    remove = page.get_by_role("button", name=re.compile("^Remove from"))
    expect(remove).to_be_disabled()
    page.get_by_label("Select Trainer 00").check()
    expect(page.get_by_text("1 selected")).to_be_visible()
    page.get_by_label("Select all rows of this page").check()
    expect(page.get_by_text("50 selected")).to_be_visible()
    page.get_by_role("button", name=re.compile("^Select all 60")).click()
    expect(page.get_by_text("All 60 selected")).to_be_visible()
    remove.click()
    expect(page.get_by_role("heading", name="Remove 60 people from 1 group?")).to_be_visible()
    expect(page.get_by_label("Type 60 to confirm")).to_be_visible()


def test_ticking_with_shift_takes_those_between(at_panel):
    page = at_panel
    page.goto("/membership/participant/")
    page.get_by_label("Select Trainer 03").click()
    page.get_by_label("Select Trainer 09").click(modifiers=["Shift"])
    expect(page.get_by_text("7 selected")).to_be_visible()
    page.get_by_role("button", name="Clear").click()
    expect(page.get_by_text("Nothing selected")).to_be_visible()


def test_a_recent_reason_is_one_click_away(at_panel, operator):
    now = timezone.now()
    Change.objects.create(kind="removal", state="done", reason="Left the club", requested_by=operator, created_at=now)
    page = at_panel
    page.goto("/membership/participant/")
    page.get_by_label("Select Trainer 00").check()
    page.get_by_role("button", name="Remove from group…").click()
    page.get_by_role("button", name="Left the club").click()
    expect(page.get_by_role("textbox", name="Reason")).to_have_value("Left the club")


def test_a_reason_is_asked_for_before_anything_is_sent(at_panel):
    page = at_panel
    page.goto("/membership/participant/")
    page.get_by_label("Select Trainer 00").check()
    page.get_by_role("button", name="Remove from group…").click()
    page.get_by_role("button", name="Remove 1 person from 1 group").click()
    assert page.get_by_label("Reason").evaluate("field => field.validity.valueMissing")
    assert Change.objects.get().state == "draft"


def test_filters_that_say_nothing_do_not_lengthen_the_address(at_panel):
    page = at_panel
    page.goto("/membership/participant/")
    page.get_by_label("Role").select_option("member")
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page).to_have_url(re.compile(r"/membership/participant/\?role=member$"))


def test_a_phone_folds_the_filters_and_the_menu_away(full_group, operator, visit):
    page = visit(viewport={"width": 360, "height": 740}).enter("operator")
    page.goto("/membership/participant/")
    expect(page.get_by_label("Role")).to_be_hidden()
    page.get_by_role("button", name="Filters").click()
    expect(page.get_by_label("Role")).to_be_visible()
    page.get_by_role("button", name="Show or hide the menu").click()
    expect(page.get_by_role("link", name="Audit log")).to_be_visible()


def test_a_phone_shows_the_log_before_what_was_counted_in_it(full_group, owner, visit):
    for width, is_shown in ((1360, True), (390, False)):
        page = visit(viewport={"width": width, "height": 844}).enter("owner")
        for what in (AuditAction.COMMAND_RUN, AuditAction.GROUP_PROTECTED):
            put(what)
        page.goto("/membership/auditentry/")
        counted = page.get_by_role("link", name="command run")
        expect(counted).to_be_visible(visible=is_shown)
        summary = page.get_by_text("What was found, counted")
        expect(summary).to_be_visible(visible=not is_shown)
    summary.click()
    expect(counted).to_be_visible()


def test_the_panel_is_dark_when_somebody_says_so(at_panel):
    page = at_panel
    page.get_by_text("operator", exact=True).click()
    page.get_by_role("button", name="Dark").click()
    expect(page.locator("html")).to_have_class(re.compile("dark"))
    page.reload()
    expect(page.locator("html")).to_have_class(re.compile("dark"))
