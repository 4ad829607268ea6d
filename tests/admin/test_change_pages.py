"""The preview and the page of a change."""

import re

import pytest
from django.utils import timezone

from membership.models import AuditEntry, Change, Operation, Participant
from membership.services import changes, removal
from membership.vocab import ChangeState, OperationState
from tests import mirrored


@pytest.fixture
def draft(operator, ada, zoe):
    """A preview of removing Ada and Zoë from Trainers."""
    rows = Participant.objects.filter(pk__in=[ada.pk, zoe.pk])
    return removal.draft_removal(rows, actor=operator, selection={"kind": "ids", "ids": [ada.pk, zoe.pk]})


@pytest.fixture
def running(draft, operator):
    return changes.confirm_change(draft, actor=operator, reason="Season ended", expected_hash=draft.plan_hash)


def page(client, change, query=""):
    return client.get(f"/membership/change/{change.pk}/{query}").content.decode()


def post(client, change, name, **data):
    return client.post(f"/membership/change/{change.pk}/{name}/", data)


def test_ticking_rows_leads_to_their_preview(as_, operator, ada):
    data = {"action": "remove", "_selected_action": [ada.pk], "index": "0"}
    answer = as_(operator).post("/membership/participant/", data)
    change = Change.objects.get()
    assert answer["Location"] == f"/membership/change/{change.pk}/"
    assert change.state == ChangeState.DRAFT


def test_the_preview_says_who_leaves_what_and_the_button_repeats_the_number(as_, operator, draft):
    said = re.sub(r"<[^>]+>", "", page(as_(operator), draft))
    assert "Remove 2 people from 1 group?" in said
    assert "Ada Lovelace leaves Trainers in Club app" in said
    assert said.count("Remove 2 people from 1 group") == 3  # window title, heading, button


def test_the_preview_shows_the_exact_calls(as_, operator, draft):
    body = page(as_(operator), draft)
    assert "DELETE /api/chat/projects/proj_1/chats/" in body
    assert "usr_ada" in body


def test_the_preview_says_what_will_not_be_done_and_why(as_, operator, ada, zoe):
    mirrored.person("Zoë", zoe.account, is_protected=True, protected_note="board member")
    rows = Participant.objects.filter(pk__in=[ada.pk, zoe.pk])
    draft = removal.draft_removal(rows, actor=operator, selection={"kind": "ids", "ids": [ada.pk, zoe.pk]})
    body = page(as_(operator), draft)
    assert "What will not be done" in body
    assert "board member" in body


def test_confirming_queues_it_and_shows_how_far_it_is(as_, operator, draft):
    client = as_(operator)
    answer = post(client, draft, "confirm", reason="Season ended", ticket="812", plan_hash=draft.plan_hash)
    assert answer["Location"] == f"/membership/change/{draft.pk}/"
    body = page(client, draft)
    assert "0 of 2 done" in body
    assert "Season ended" in body
    assert "812" in body


@pytest.mark.parametrize("reason", ["", "   ", "\u200b"])
def test_without_a_reason_nothing_is_queued_and_the_rest_of_the_form_is_kept(as_, operator, draft, reason):
    answer = post(as_(operator), draft, "confirm", reason=reason, ticket="812", plan_hash=draft.plan_hash)
    assert "Say why" in answer.content.decode()
    assert 'value="812"' in answer.content.decode()
    assert Change.objects.get().state == ChangeState.DRAFT
    assert AuditEntry.objects.filter(action="request.refused", outcome="reason_empty").exists()


def test_a_large_change_asks_for_its_number(as_, operator, draft, settings):
    settings.MUSTERBOOK = {**settings.MUSTERBOOK, "TYPE_NUMBER_ABOVE": 1}
    client = as_(operator)
    assert "Type 2 to confirm" in page(client, draft)
    said = {"reason": "Season ended", "plan_hash": draft.plan_hash}
    assert "Type the number 2" in post(client, draft, "confirm", **said, typed_number="3").content.decode()
    assert post(client, draft, "confirm", **said, typed_number="2").status_code == 302


def test_a_plan_that_was_not_shown_is_not_queued(as_, operator, draft):
    post(as_(operator), draft, "confirm", reason="Season ended", plan_hash="0" * 64)
    assert Change.objects.get().state == ChangeState.DRAFT


def test_a_stale_preview_offers_a_new_one(as_, operator, draft):
    Change.objects.filter(pk=draft.pk).update(state=ChangeState.STALE, finished_at=timezone.now())
    client = as_(operator)
    body = page(client, draft)
    assert "Make a new preview" in body
    assert 'name="reason"' not in body
    again = post(client, draft, "recompile")
    assert again["Location"] == f"/membership/change/{Change.objects.latest('pk').pk}/"
    assert Change.objects.latest("pk").state == ChangeState.DRAFT


def test_a_preview_can_be_thrown_away(as_, operator, draft):
    post(as_(operator), draft, "throw_away")
    assert Change.objects.get().state == ChangeState.CANCELLED


def test_the_preview_is_searched_and_paged_when_it_is_long(as_, operator, trainers):
    for number in range(120):
        mirrored.participant(f"Trainer {number}", trainers, remote_id=f"usr_{number}")
    rows = Participant.objects.filter(group=trainers)
    draft = removal.draft_removal(rows, actor=operator, selection={"kind": "query", "query": "", "count": 120})
    client = as_(operator)
    assert "1–50 of 120" in page(client, draft)
    assert "101–120 of 120" in page(client, draft, "?p=3")
    found = client.get(f"/membership/change/{draft.pk}/?q=Trainer+119").context["steps"].object_list
    assert [step.subject_label for step in found] == ["Trainer 119"]


def test_a_viewer_sees_the_change_and_no_button(as_, viewer, running):
    body = page(as_(viewer), running)
    assert "0 of 2 done" in body
    assert "Cancel the rest" not in body


def test_a_viewer_may_not_confirm(as_, viewer, draft):
    assert post(as_(viewer), draft, "confirm", reason="x", plan_hash=draft.plan_hash).status_code == 403
    assert Change.objects.get().state == ChangeState.DRAFT


def test_the_page_asks_for_news_while_it_runs_and_stops_when_it_is_done(as_, operator, running):
    client = as_(operator)
    assert f"/membership/change/{running.pk}/live/" in page(client, running)
    Operation.objects.update(state=OperationState.CONFIRMED, settled_at=timezone.now())
    Change.objects.update(state=ChangeState.DONE, finished_at=timezone.now())
    fragment = client.get(f"/membership/change/{running.pk}/live/").content.decode()
    assert "2 of 2 done" in fragment
    assert "hx-get" not in fragment
    assert "<html" not in fragment


def test_steps_say_their_outcome_in_words_and_are_filtered_by_it(as_, operator, running):
    first = Operation.objects.order_by("position").first()
    Operation.objects.filter(pk=first.pk).update(
        state=OperationState.REFUSED, outcome="forbidden", outcome_params={"said": "no"}, settled_at=timezone.now()
    )
    client = as_(operator)
    assert "Mudbase said no" in page(client, running)
    listed = client.get(f"/membership/change/{running.pk}/?state=refused").context["steps"].object_list
    assert [step.pk for step in listed] == [first.pk]


def test_a_step_links_to_its_audit_entries(as_, operator, running):
    step = Operation.objects.order_by("position").first()
    assert f"/membership/auditentry/?operation_id={step.pk}" in page(as_(operator), running)


def test_a_step_of_another_change_cannot_be_decided_here(as_, operator, running, office):
    other = Change.objects.create(kind="removal", requested_by=operator, created_at=timezone.now(), state="running")
    step = Operation.objects.order_by("position").first()
    Operation.objects.filter(pk=step.pk).update(state=OperationState.FOREIGN)
    assert post(as_(operator), other, "decide", step=step.pk, decision="accept").status_code == 403
    assert Operation.objects.get(pk=step.pk).state == OperationState.FOREIGN


def test_a_long_preview_asks_few_questions(as_, operator, trainers, django_assert_max_num_queries):
    for number in range(120):
        mirrored.participant(f"Trainer {number}", trainers, remote_id=f"usr_{number}")
    rows = Participant.objects.filter(group=trainers)
    draft = removal.draft_removal(rows, actor=operator, selection={"kind": "query", "query": "", "count": 120})
    client = as_(operator)
    with django_assert_max_num_queries(23):
        page(client, draft)
