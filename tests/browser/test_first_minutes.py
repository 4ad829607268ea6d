"""From an empty panel to the first list in three screens, and what a system's page lets an owner do."""

import re

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from membership.models import Connection, Reading
from tests import mirrored
from tests.world import KAITEN_TOKEN

WIDE = {"viewport": {"width": 1360, "height": 900}}


@pytest.fixture
def bare(world):
    """The remotes are there, and nothing is connected."""
    Connection.objects.all().delete()
    return world


def fill(page, address, token=KAITEN_TOKEN):
    page.get_by_role("textbox", name="Name").fill("Head office")
    page.get_by_role("textbox", name="Address").fill(address)
    page.get_by_label("Inside our own network").check()
    page.get_by_label("API token").fill(token)


def test_an_empty_panel_leads_to_the_first_list_in_three_screens(bare, owner, visit):
    visitor = visit(**WIDE)
    page = visitor.enter("owner")
    page.get_by_role("link", name="Connect a system").click()

    page.get_by_role("link", name="Connect Kaiten").click()  # the first screen

    fill(page, bare.kaiten.base_url)  # the second
    page.get_by_role("button", name="Test it").click()

    expect(page.get_by_role("heading", name="It works. Save it?")).to_be_visible()  # the third
    expect(page.get_by_text("Groups can be created.")).to_be_visible()
    assert visitor.barriers() == []
    page.get_by_role("button", name="Save, and read it for the first time").click()

    expect(page.get_by_text("is being read for the first time. This page looks again by itself.")).to_be_visible()
    assert visitor.barriers() == []
    bare.work()
    expect(page.get_by_role("link", name="Группа 2")).to_be_visible()
    page.get_by_label("Select Группа 2").check()
    expect(page.get_by_text("1 selected")).to_be_visible()


def test_what_is_wrong_is_said_and_the_second_try_works(bare, owner, visit):
    visitor = visit(**WIDE)
    page = visitor.enter("owner")
    page.goto("/membership/connection/connect/kaiten/")
    fill(page, bare.kaiten.base_url, token="wrong")
    page.get_by_role("button", name="Test it").click()
    expect(page.get_by_role("heading", name="It does not work yet")).to_be_visible()
    assert visitor.barriers() == []
    expect(page.get_by_role("textbox", name="Name")).to_have_value("Head office")
    expect(page.get_by_label("API token")).to_have_value("")
    page.get_by_label("API token").fill(KAITEN_TOKEN)
    page.get_by_role("button", name="Test it again").click()
    expect(page.get_by_role("heading", name="It works. Save it?")).to_be_visible()


def test_a_first_list_grows_by_itself_but_not_under_the_hand_of_who_selects(fresh_db, operator, visit):
    office = mirrored.system("Office", read_at=None)
    reading = Reading.objects.create(connection=office, kind="system", state="running", asked_at=timezone.now())
    mirrored.group("Chess", office)
    page = visit(**WIDE).enter("operator")
    page.goto("/membership/group/")
    expect(page.get_by_text("more is still to come")).to_be_visible()
    mirrored.group("Board", office)
    expect(page.get_by_role("link", name="Board")).to_be_visible()
    page.get_by_label("Select Board").check()
    mirrored.group("Trainers", office)
    with page.expect_response("**/membership/group/**"):
        pass
    expect(page.get_by_text("1 selected")).to_be_visible()
    expect(page.get_by_role("link", name="Trainers")).to_have_count(0)
    page.get_by_label("Select Board").uncheck()
    page.get_by_role("heading", name="Groups").click()  # away from the list
    expect(page.get_by_role("link", name="Trainers")).to_be_visible()
    Reading.objects.filter(pk=reading.pk).update(state="complete")
    expect(page.get_by_text("more is still to come")).to_have_count(0)


def test_a_field_that_does_not_count_is_out_of_sight(owner, visit):
    page = visit(**WIDE).enter("owner")
    page.goto("/membership/connection/connect/inwendo/")
    expect(page.get_by_label("Password")).to_be_visible()
    expect(page.get_by_role("textbox", name="API key")).to_be_hidden()
    page.get_by_label("How to sign in").select_option("api_key")
    expect(page.get_by_label("Password")).to_be_hidden()
    expect(page.get_by_role("textbox", name="API key")).to_be_visible()


def test_a_system_rests_is_resumed_gets_new_credentials_and_is_retired(world, owner, visit):
    world.read()
    visitor = visit(**WIDE)
    page = visitor.enter("owner")
    page.goto(f"/membership/connection/{world.kaiten.pk}/")
    page.get_by_label("Why? It stays in the audit log.").first.fill("upgrade there")
    page.get_by_role("button", name="Maintenance: only queue").click()
    expect(page.get_by_text("In maintenance since")).to_be_visible()
    assert visitor.barriers() == []
    page.get_by_role("button", name="Test and resume").click()
    expect(page.get_by_text("The system works again")).to_be_visible()

    page.get_by_role("link", name="New credentials").click()
    page.get_by_label("API token").fill("wrong")
    page.get_by_role("button", name="Test and use them").click()
    expect(page.get_by_text("The old ones are still used.")).to_be_visible()
    page.get_by_role("link", name="Back", exact=True).click()

    page.get_by_text("Retire this system…").click()
    retire = page.locator("form").filter(has=page.get_by_label(re.compile("^Type .*Office.* to retire it")))
    retire.get_by_label("Why? It stays in the audit log.").fill("moved away")
    retire.get_by_label(re.compile("to retire it")).fill("Office")
    retire.get_by_role("button", name="Retire it with its 1 group").click()
    expect(page.get_by_text("Retired since")).to_be_visible()
    assert visitor.barriers() == []
