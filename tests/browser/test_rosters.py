"""A list from a file, from the group's page to what was sent."""

from playwright.sync_api import expect

from membership.models import Roster
from membership.services.rosters import work
from tests.browser.scenes import lists
from tests.browser.test_pages import look
from tests.browser.walking import WIDE, confirm, go, sent_as_planned, wide_world
from tests.services.rosters.conftest import xlsx_of


def test_no_page_of_lists_has_barriers_or_is_wider_than_a_phone(world, operator, visit):
    world.read()
    pages = {state: f"/membership/roster/{row.pk}/" for state, row in lists(world, operator).items()}
    pages |= {"list": "/membership/roster/", "new": f"/membership/roster/new/?group={world.group('Board').pk}"}
    visitor = visit(viewport={"width": 360, "height": 740}, color_scheme="dark")
    visitor.enter("operator")
    assert [problem for name, address in pages.items() for problem in look(visitor, name, address)] == []


def work_lists():
    while work.work_on_lists():
        pass


def test_a_group_becomes_exactly_what_a_spreadsheet_says(world, operator, visit):
    wide_world(world)
    visitor = visit(**WIDE)
    page = visitor.enter("operator")
    go(page, "Groups")
    page.get_by_role("link", name="Trainers", exact=True).click()
    page.get_by_role("link", name="From a list…").click()
    content = xlsx_of(
        ("Wer", "Post"), ("Zoë Müller", "ZOE@example.org"), ("Łukasz Żak", ""), ("Ghost", "ghost@example.org")
    )  # fmt: skip
    page.get_by_label("File").set_input_files({"name": "trainers.xlsx", "mimeType": "", "buffer": content})
    page.get_by_label("Exactly this").check()
    page.get_by_role("button", name="Upload the list…").click()
    expect(page.get_by_role("status").filter(has_text="looked at")).to_be_visible()
    work_lists()

    expect(page.get_by_role("heading", name="Which column is which?")).to_be_visible()
    assert visitor.barriers() == []
    expect(page.get_by_role("cell", name="Ghost", exact=True)).to_be_visible()
    expect(page.get_by_label("E-mail")).to_have_value("1")
    page.get_by_label("Name", exact=True).select_option("Wer")
    page.get_by_role("button", name="Look the people up…").click()
    work_lists()

    expect(page.get_by_role("heading", name="Please confirm")).to_be_visible()
    assert visitor.barriers() == []
    page.get_by_role("checkbox", name="Łukasz Żak").check()
    expect(page.get_by_text("1 chosen")).to_be_visible()
    page.get_by_role("button", name="Preview with what is ticked…").click()
    work_lists()

    expect(page.get_by_text("This is the account that Musterbook uses")).to_be_visible()
    change = confirm(page, world, "Make Trainers exactly the list “trainers.xlsx”: change 1 person")
    assert {(step.verb, step.subject_label) for step in world.steps(change)} == {("remove", "Ada Lovelace")}
    assert sent_as_planned(world, change)
    assert Roster.objects.get().change == change
