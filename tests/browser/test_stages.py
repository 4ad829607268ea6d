"""A change under control, over all three systems: in stages, paused, its result file fed back, taken back."""

import csv

import pytest
from playwright.sync_api import expect

from membership.models import Change, Participant
from membership.sandbox.faults import Fault
from membership.vocab import ChangeState
from tests.browser.walking import WIDE, confirm, sent_as_planned, tick

CHOSEN = (("José Ñandú", "Chess club"), ("Zoë Müller", "Trainers"), ("Ada Lovelace", "Группа 2"))
TITLE = "Remove 3 people from 3 groups"


@pytest.fixture
def page(world, operator, visit):
    world.read()
    return visit(**WIDE).enter("operator")


def state(page):
    return page.locator("#live h1 .mu-tag")


def are_there():
    places = Participant.objects.filter(is_present=True, label__in=[label for label, _group in CHOSEN])
    return {(place.label, place.group.name) for place in places.select_related("group")} & set(CHOSEN)


def ask_in_stages(page, stages, starts_at=""):
    page.goto("/membership/participant/")
    for label, group in CHOSEN:
        tick(page, label, group)
    page.get_by_role("button", name="Remove from group…").click()
    page.get_by_text("When, and in which stages").click()
    page.get_by_label("Steps that come first, then the rest").fill(stages)
    if starts_at:
        page.get_by_label("Not before (optional)").fill(starts_at)
    page.get_by_label("Reason").fill("Season ended")
    page.get_by_role("button", name=TITLE).click()


def test_a_change_runs_in_stages_is_paused_goes_on_is_tried_again_from_its_file_and_taken_back(world, page, tmp_path):
    world.sandbox.mudbase.faults.add(Fault("status", method="DELETE", status=403, times=1))
    ask_in_stages(page, "1")
    expect(page.get_by_text("Stage 1: 1 step")).to_be_visible()
    expect(page.get_by_text("Stage 2: 2 steps")).to_be_visible()

    page.get_by_role("button", name="Pause").click()
    expect(state(page)).to_have_text("paused")
    world.work()
    assert are_there() == set(CHOSEN)
    page.get_by_role("button", name="Go on with 3 steps").click()

    world.work()  # the first stage is refused: the rest waits
    expect(page.get_by_text("In stage 1, 1 of 1 steps did not go well.")).to_be_visible()
    assert are_there() == set(CHOSEN)
    page.get_by_role("button", name="Go on with 2 steps").click()
    world.work()
    expect(state(page)).to_have_text("done, not everything")
    expect(page.locator("#live").get_by_text("as confirmed", exact=True)).to_be_visible()
    assert are_there() == {("Zoë Müller", "Trainers")}
    first = Change.objects.latest("pk")

    with page.expect_download() as download:
        page.get_by_role("button", name="Result file (CSV)").click()
    file = tmp_path / "results.csv"
    download.value.save_as(file)
    rows = list(csv.DictReader(file.read_text(encoding="utf-8-sig").splitlines()))
    assert [(row["name"], row["outcome"]) for row in rows] == [
        ("Zoë Müller", "Mudbase said no"),
        ("Ada Lovelace", "done"),
        ("José Ñandú", "done"),
    ]

    for server in world.sandbox.servers:
        server.journal.clear()
    page.get_by_text("Try only the failed ones of a result file").click()
    page.locator("input[type=file]").set_input_files(file)
    page.get_by_role("button", name="Preview these steps again…").click()
    again = confirm(page, world, "Try again: remove 1 person from 1 group")
    assert sent_as_planned(world, again) and are_there() == set()

    page.goto(f"/membership/change/{first.pk}/")
    page.get_by_role("button", name="Take this change back…").click()
    expect(page.get_by_text("its old id does not come back")).to_be_visible()
    taken = confirm(page, world, f"Take back change {first.pk}: 2 people in 2 groups", "it was too early")
    assert sent_as_planned(world, taken)
    assert are_there() == {("Ada Lovelace", "Группа 2"), ("José Ñandú", "Chess club")}
    page.get_by_role("link", name=TITLE).click()
    expect(page.get_by_text("Taken back in")).to_be_visible()


def test_a_file_that_is_no_result_file_is_refused_in_one_sentence(world, page, tmp_path):
    world.sandbox.mudbase.faults.add(Fault("status", method="DELETE", status=403))
    ask_in_stages(page, "")
    world.work()
    expect(state(page)).to_have_text("done, not everything")
    other = tmp_path / "other.csv"
    other.write_text("name;group\nZoë;Trainers\n")
    page.get_by_text("Try only the failed ones of a result file").click()
    page.locator("input[type=file]").set_input_files(other)
    page.get_by_role("button", name="Preview these steps again…").click()
    expect(page.get_by_text("The file cannot be used: it has no columns")).to_be_visible()


def test_a_change_for_later_is_started_by_hand_and_sizes_that_are_none_are_asked_again(world, page):
    ask_in_stages(page, "ten", "2099-01-01T10:00")
    expect(page.get_by_text("The value of the stages cannot be used")).to_be_visible()
    page.get_by_label("Steps that come first, then the rest").fill("")
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
