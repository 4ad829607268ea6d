"""The first page: what needs somebody on top, how the systems are, thirty days."""

import datetime as dt
import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from membership.errors import Reason
from membership.models import Change, Connection, Drift, Operation, Participant
from membership.services import changes, link_proposals, removal
from membership.vocab import ChangeState, ConnectionState, OperationState
from tests import mirrored


def body(client):
    answer = client.get("/")
    assert answer.status_code == 200
    return answer.content.decode()


def words(page):
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


@pytest.fixture
def refused(operator, ada, zoe):
    """A change that ended with one step refused and one done."""
    rows = Participant.objects.filter(pk__in=[ada.pk, zoe.pk])
    draft = removal.draft_removal(rows, actor=operator, selection={"kind": "ids", "ids": [ada.pk, zoe.pk]})
    change = changes.confirm_change(draft, actor=operator, reason="Season ended", expected_hash=draft.plan_hash)
    now = timezone.now()
    first, second = Operation.objects.order_by("position")
    Operation.objects.filter(pk=first.pk).update(
        state=OperationState.REFUSED, outcome="forbidden", outcome_params={"said": "no"}, settled_at=now
    )
    Operation.objects.filter(pk=second.pk).update(state=OperationState.CONFIRMED, settled_at=now)
    Change.objects.update(state=ChangeState.DONE_WITH_FAILURES, finished_at=now)
    return change


def test_a_half_done_step_stands_on_top_with_the_button_that_settles_it(as_, operator, refused):
    step = Operation.objects.get(state=OperationState.REFUSED)
    Operation.objects.filter(pk=step.pk).update(outcome_params={"said": "no", "half_done": True})
    client = as_(operator)
    page = body(client)
    assert page.index("Needs you, half done:") < page.index('aria-label="Systems"')
    answer = client.post(f"/membership/change/{refused.pk}/way_back/", {"step": step.pk})
    assert answer["Location"] == f"/membership/change/{Change.objects.latest('pk').pk}/"
    assert "Needs you, half done:" not in body(client)


def test_a_half_done_step_of_a_retired_system_stands_on_top_without_a_button(as_, operator, refused, office):
    Operation.objects.filter(state=OperationState.REFUSED).update(
        outcome=Reason.SYSTEM_RETIRED, outcome_params={"system": "Office", "half_done": True}, calls_done=1
    )
    type(office).objects.update(state=ConnectionState.RETIRED)
    client = as_(operator)
    page = body(client)
    assert "Needs you, half done:" in page and "is retired: it is only kept for its history." in page
    assert "Put it back as before…" not in page
    assert "Put back as before…" not in client.get(f"/membership/change/{refused.pk}/").content.decode()


def test_refused_steps_stand_on_top_and_are_tried_again_from_there(as_, operator, refused):
    client = as_(operator)
    page = body(client)
    assert "Needs you, 1 step was refused:" in page
    assert "“<bdi>Season ended</bdi>”" in page
    assert f'action="/membership/change/{refused.pk}/retry/"' in page


def test_a_viewer_is_not_asked_to_settle_anything(as_, viewer, refused):
    Operation.objects.filter(state=OperationState.REFUSED).update(outcome_params={"half_done": True})
    page = body(as_(viewer))
    assert "Needs you" not in page
    assert "Nothing waits for you." in page


def test_what_waits_leads_to_where_it_is_decided(as_, operator, office, ada):
    mirrored.account("Ada Lovelace", office, email="ada@example.org")
    link_proposals.propose()
    for kind in ("joined", "left", "left"):
        Drift.objects.create(
            connection=ada.group.connection, group=ada.group, kind=kind, label="x", noticed_at=timezone.now()
        )
    said = words(body(as_(operator)))
    assert "1 pair of accounts may be one person" in said
    assert "3 changes made outside: 1 joined, 2 left" in said
    assert "Proposals to link to look at: 1" in said


def test_thirty_days_are_a_picture_with_a_text_and_the_same_as_a_table(as_, viewer, refused):
    page = body(as_(viewer))
    assert re.search(r'<svg[^>]+role="img" aria-labelledby="[^"]+"', page)
    assert "1 step done, 1 refused." in page
    assert "Steps that ended in the last 30 days" in page
    assert "<script" not in page.split("<svg")[1].split("</svg>")[0]


def test_days_without_a_step_are_a_sentence_and_no_empty_picture(as_, viewer, office):
    page = body(as_(viewer))
    assert "No step ended in these days." in page
    assert "mu-activity" not in page


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({}, "well"),
        ({"state": "paused", "state_reason": "tariff"}, "stopped"),
        ({"state": "maintenance", "state_reason": "stopped_by_operator"}, "in maintenance"),
        ({"state": "retired"}, "retired"),
        ({"read_at": None}, "not read yet"),
        ({"slowed_until": timezone.now() + dt.timedelta(hours=1), "slowed_reason": "throttled"}, "slowed"),
    ],
)
def test_each_system_says_how_it_is_in_a_word(as_, viewer, office, fields, word):
    Connection.objects.update(**fields)
    assert re.search(rf'mu-tag-\w+">{word}</span>', body(as_(viewer)))


def test_a_stopped_system_is_tested_and_resumed_from_here_by_those_who_may(as_, owner, operator, office):
    Connection.objects.update(state="paused", state_reason="tariff")
    address = f"/membership/connection/{office.pk}/resume/"
    assert address in body(as_(owner))
    assert address not in body(as_(operator))


def test_an_empty_panel_says_where_to_begin(as_, owner, operator):
    assert "/membership/connection/connect/" in body(as_(owner))
    assert "An owner connects one" in body(as_(operator))


def test_nothing_hidden_is_told(as_, limited_operator, office, refused):
    page = body(as_(limited_operator(office)))
    assert "Season ended" not in page
    assert "Club app" not in page
    assert "No step ended in these days." in page


def test_it_asks_ten_questions_in_all_when_everything_happens(as_, operator, refused, office):
    Operation.objects.filter(state=OperationState.REFUSED).update(outcome_params={"half_done": True})
    mirrored.account("Ada Lovelace", office, email="ada@example.org")
    link_proposals.propose()
    client = as_(operator)
    with CaptureQueriesContext(connection) as seen:
        body(client)
    assert len(seen) <= 10
