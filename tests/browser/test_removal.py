"""The whole way of one click: lists, preview, confirm, the three wires, the mirror, the audit log."""

import pytest
from playwright.sync_api import expect

from membership.models import AuditEntry, Change, Participant
from membership.sandbox.faults import Fault
from membership.services.drafts import compile_ready
from membership.vocab import AuditAction
from tests.world import GROUP_UID

CHOSEN = (("José Ñandú", "Chess club"), ("Zoë Müller", "Trainers"), ("Ada Lovelace", "Группа 2"))


@pytest.fixture
def at_panel(world, operator, visit):
    world.read()
    return visit(viewport={"width": 1360, "height": 900}).enter("operator")


def choose(page, rows):
    page.goto("/membership/participant/")
    for label, group in rows:
        row = page.get_by_role("row").filter(has=page.get_by_role("link", name=label, exact=True))
        row.filter(has=page.get_by_role("link", name=group, exact=True)).get_by_role("checkbox").check()
    page.get_by_role("button", name="Remove from group…").click()


def confirm(page, reason):
    page.get_by_label("Reason").fill(reason)
    page.get_by_role("button", name="Remove 3 people from 3 groups").click()
    expect(page.get_by_text("0 of 3 done")).to_be_visible()


def test_one_participant_of_each_system_is_chosen_previewed_removed_and_audited(world, at_panel):
    page = at_panel
    choose(page, CHOSEN)
    expect(page.get_by_role("heading", name="Remove 3 people from 3 groups?")).to_be_visible()
    for label, group in CHOSEN:
        expect(page.get_by_text(f"{label} leaves {group}")).to_be_visible()
    confirm(page, "Season ended")
    world.work()
    expect(page.get_by_text("3 of 3 done")).to_be_visible()
    expect(page.locator("#live h1 .mu-tag")).to_have_text("done")

    assert world.sent() == {
        "inwendo": ["DELETE /api/chat/chatroom_participant/72"],
        "mudbase": ["DELETE /api/chat/projects/proj_1/chats/chat_2/participants"],
        "kaiten": [f"DELETE /api/latest/groups/{GROUP_UID}/users/3"],
    }
    for label, group in CHOSEN:
        assert not Participant.objects.filter(label=label, group__name=group, is_present=True).exists()
    change = Change.objects.get()
    entries = AuditEntry.objects.filter(change_id=change.pk)
    assert entries.filter(action=AuditAction.CHANGE_REQUESTED).count() == 1
    for step in world.steps(change):
        said = entries.filter(operation_id=step.pk).order_by("pk").values_list("action", flat=True)
        assert list(said) == [AuditAction.OPERATION_INTENDED, AuditAction.OPERATION_CONFIRMED]


def test_the_exact_calls_stand_under_technical_details(at_panel):
    page = at_panel
    choose(page, CHOSEN)
    row = page.get_by_role("row").filter(has_text="Ada Lovelace leaves Группа 2")
    row.get_by_text("technical details").click()
    expect(row.locator("code")).to_contain_text(f"DELETE /api/latest/groups/{GROUP_UID}/users/3")


def test_nothing_is_sent_before_somebody_confirms(world, at_panel):
    choose(at_panel, CHOSEN)
    at_panel.get_by_role("button", name="Throw away").click()
    expect(at_panel.get_by_text("Nothing was done.")).to_be_visible()
    world.work()
    assert world.sent() == {"inwendo": [], "mudbase": [], "kaiten": []}


def test_a_refused_step_says_why_and_can_be_tried_again_as_a_new_change(world, at_panel):
    page = at_panel
    world.sandbox.kaiten.faults.add(Fault("status", method="DELETE", times=1, status=403))
    choose(page, CHOSEN)
    confirm(page, "Season ended")
    world.work()
    expect(page.get_by_role("heading", name="Needs you")).to_be_visible()
    expect(page.locator("#live").get_by_text("Kaiten said no")).to_be_visible()
    page.get_by_role("button", name="Try 1 step again (a new change)").click()
    expect(page.get_by_role("heading", name="Try again: remove 1 person from 1 group?")).to_be_visible()


def test_a_step_that_somebody_else_changed_waits_for_a_decision(world, at_panel):
    page = at_panel
    world.sandbox.mudbase.faults.add(Fault("drop_before", method="DELETE", times=1))
    choose(page, CHOSEN)
    confirm(page, "Season ended")
    world.sandbox.mudbase.state.change_role_by_hand("chat_2", "usr_zoe", "admin")
    world.work()
    needs = page.get_by_role("row").filter(has_text="Zoë Müller leaves Trainers").first
    expect(needs.get_by_text("Before: member. Now: manager, member.")).to_be_visible()
    needs.get_by_role("button", name="Leave it, not done").click()
    expect(page.locator("#live h1 .mu-tag")).to_have_text("done, not everything")
    assert Change.objects.get().state == "done_with_failures"


def test_the_rest_of_a_change_can_be_cancelled(world, at_panel):
    page = at_panel
    choose(page, CHOSEN)
    confirm(page, "Season ended")
    page.get_by_role("button", name="Cancel the rest").click()
    expect(page.locator("#live h1 .mu-tag")).to_have_text("cancelled")
    world.work()
    assert world.sent() == {"inwendo": [], "mudbase": [], "kaiten": []}


def test_everywhere_waits_for_readings_and_then_shows_the_preview_by_itself(world, at_panel):
    page = at_panel
    zoe = world.account("Zoë Müller", world.inwendo)
    type(zoe).objects.filter(pk=zoe.pk).update(places_read_at=None)
    page.goto(f"/membership/account/{zoe.pk}/")
    page.get_by_role("button", name="Remove everywhere").click()
    expect(page.get_by_text("Reading where this person takes part")).to_be_visible()
    world.work(compile_ready)
    expect(page.get_by_text("Zoë Müller leaves Chess club in Verein Nord")).to_be_visible()
