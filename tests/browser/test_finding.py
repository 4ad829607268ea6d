"""One search by "/", chips that stay in the address, lists as files."""

import csv
import re

import pytest
from playwright.sync_api import expect

from tests import mirrored

WIDE = {"viewport": {"width": 1360, "height": 900}}


@pytest.fixture
def known(fresh_db):
    club = mirrored.system("Club app", provider="mudbase")
    trainers = mirrored.group("Trainers", club)
    ada = mirrored.account("Ada Lovelace", club, email="ada@example.org")
    mirrored.participant(ada, trainers)
    mirrored.participant("Zoë Müller", trainers, is_manager=True)
    return mirrored.person("Ada Lovelace", ada)


def test_a_slash_finds_people_by_the_keyboard_alone(known, viewer, visit):
    visitor = visit(**WIDE)
    page = visitor.enter("viewer")
    page.goto("/membership/group/")
    page.keyboard.press("/")
    page.keyboard.type("lovel")
    expect(page.locator("#found")).to_contain_text("Ada Lovelace")
    assert visitor.barriers() == []
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(f"/membership/person/{known.pk}/$"))


def test_escape_closes_what_was_found_and_a_slash_in_a_field_stays_a_slash(known, viewer, visit):
    page = visit(**WIDE).enter("viewer")
    page.keyboard.press("/")
    page.keyboard.type("ada/")
    expect(page.locator("#find")).to_have_value("ada/")
    page.locator("#find").fill("ada")
    page.keyboard.press("End")
    expect(page.locator("#found")).to_contain_text("Ada Lovelace")
    page.keyboard.press("Escape")
    expect(page.locator("#found")).to_be_empty()


def test_the_search_works_without_scripts(known, viewer, visit):
    page = visit(java_script_enabled=False, **WIDE).enter("viewer")
    page.goto("/search/")
    page.get_by_label(re.compile("^Name, e-mail, reason")).fill("train")
    page.get_by_role("button", name="Search", exact=True).click()
    expect(page.get_by_role("link", name=re.compile("^Trainers"))).to_be_visible()


def test_a_phone_has_the_search_on_a_page_of_its_own(known, viewer, visit):
    page = visit(viewport={"width": 360, "height": 740}).enter("viewer")
    page.get_by_role("link", name="Search everything").click()
    expect(page.get_by_role("heading", name="Search everything")).to_be_visible()


def test_a_chip_takes_its_filter_away_and_leaves_the_others(known, viewer, visit):
    page = visit(**WIDE).enter("viewer")
    page.goto("/membership/participant/?role=manager&group_name=train")
    expect(page.get_by_role("link", name="Ada Lovelace")).to_have_count(0)
    page.get_by_role("link", name=re.compile("^Role: manager")).click()
    expect(page).to_have_url(re.compile(r"\?group_name=train$"))
    expect(page.get_by_role("link", name="Ada Lovelace")).to_be_visible()


def test_a_list_is_downloaded_as_it_stands_and_again(known, viewer, visit):
    page = visit(**WIDE).enter("viewer")
    page.goto("/membership/participant/?role=manager")
    for _time in range(2):
        with page.expect_download() as download:
            page.get_by_role("button", name="CSV").click()
    rows = list(csv.DictReader(download.value.path().read_text("utf-8-sig").splitlines()))
    assert [row["name"] for row in rows] == ["Zoë Müller"]
