"""What waits for somebody: proposals to link, and what was changed outside."""

import re

import pytest
from playwright.sync_api import expect

from membership.models import Account, Change, Connection, Drift
from membership.services import link_proposals
from membership.vocab import ChangeState, DriftState

WIDE = {"viewport": {"width": 1360, "height": 900}}


@pytest.fixture
def read(world):
    world.read()
    link_proposals.propose()
    return world


def test_proposals_are_linked_in_bulk_from_the_overview_and_taken_back(read, operator, visit):
    visitor = visit(**WIDE)
    page = visitor.enter("operator")
    page.get_by_role("link", name=re.compile("^Look.*proposals to link")).click()
    everybody = Account.objects.filter(label="Ada Lovelace")
    page.get_by_role("searchbox", name="Name or e-mail").fill("Ada")
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page.get_by_role("cell", name="same e-mail")).to_have_count(3)
    page.get_by_label("Select all rows of this page").check()
    page.get_by_role("button", name="Link: the same person (3)").click()
    expect(page.get_by_text("3 pairs are one person each now.")).to_be_visible()
    assert len({account.person_id for account in everybody}) == 1
    assert visitor.barriers() == []

    page.get_by_role("link", name="Look at them").click()
    page.get_by_label("Select all rows of this page").check()
    page.get_by_role("button", name="Take the link back (3)").click()
    expect(page.get_by_text("3 links are taken back.")).to_be_visible()
    assert not everybody.exclude(person=None).exists()


def test_what_was_changed_outside_is_adopted_ignored_and_undone(read, operator, visit):
    state = read.sandbox.kaiten.state
    group = next(iter(state.groups.rows.values()))
    with state.changing():
        state.add_member(group.uid, state.add_user("Max Weber", email="max@example.org").id)
    Connection.objects.filter(pk=read.kaiten.pk).update(next_reading_at=None)
    read.read()
    drift = Drift.objects.get()
    visitor = visit(**WIDE)
    page = visitor.enter("operator")
    page.get_by_role("link", name=re.compile("^Look.*changed outside")).click()
    expect(page.get_by_role("cell", name="Max Weber", exact=True)).to_be_visible()
    assert visitor.barriers() == []
    page.get_by_label("Select joined: Max Weber").check()
    page.get_by_role("button", name="Ignore until then (1)").click()
    expect(page.get_by_text("1 difference comes back on that day.")).to_be_visible()
    assert Drift.objects.get().state == DriftState.IGNORED

    Drift.objects.update(state=DriftState.OPEN, ignored_until=None)
    page.goto("/membership/drift/")
    page.get_by_label("Select joined: Max Weber").check()
    page.get_by_role("button", name="Undo… (1)").click()
    expect(page.get_by_role("heading", name=re.compile("^Undo what was changed outside"))).to_be_visible()
    page.get_by_role("button", name="Throw away").click()
    assert Change.objects.get().state == ChangeState.CANCELLED

    page.goto("/membership/drift/")  # a preview that nobody confirmed: it waits again
    page.get_by_label("Select joined: Max Weber").check()
    page.get_by_role("button", name="Adopt: right as it is (1)").click()
    expect(page.get_by_text("1 difference is adopted.")).to_be_visible()
    assert Drift.objects.get(pk=drift.pk).state == DriftState.ADOPTED


def test_a_person_page_links_and_unlinks(read, operator, visit):
    ada = Account.objects.filter(label="Ada Lovelace")
    person = read.link("Ada Lovelace", ada.first())
    visitor = visit(**WIDE)
    page = visitor.enter("operator")
    page.goto(f"/membership/person/{person.pk}/")
    expect(page.get_by_role("heading", name="2 proposals to link")).to_be_visible()
    page.get_by_role("button", name="Link: the same person").first.click()
    expect(page.get_by_text("1 pair is one person now.")).to_be_visible()
    assert ada.filter(person=person).count() == 2
    page.get_by_role("button", name="Unlink").first.click()
    expect(page.get_by_text("belongs to nobody now")).to_be_visible()
    assert visitor.barriers() == []
