"""The page of a change in stages: what it says, and what can be done on it."""

import pytest
from django.utils import timezone

from membership.errors import Reason
from membership.models import Change
from membership.vocab import ChangeState
from tests import mirrored as m
from tests.services.asking import draft

pytestmark = pytest.mark.django_db


@pytest.fixture
def asked(as_, operator):
    """A change of three steps, confirmed on its page: one first, then the rest."""
    board = m.group("Board", m.system("Office"))
    rows = [m.participant(m.account(name, board.connection), board) for name in ("Ada", "Bea", "Cyd")]
    change = draft(operator, *rows)
    page = f"/membership/change/{change.pk}/"
    answers = {"reason": "left", "plan_hash": change.plan_hash, "stages": "1", "starts_at": ""}
    as_(operator).post(f"{page}confirm/", answers)
    change.refresh_from_db()
    return change, page


def text(client, page):
    return " ".join(client.get(page).content.decode().split())


def test_the_stages_that_were_typed_are_on_the_page_and_nothing_is_ended_yet(as_, operator, asked):
    change, page = asked
    assert (change.state, change.released_to) == (ChangeState.QUEUED, 1)
    said = text(as_(operator), page)
    assert "Stage 1: 1 step" in said and "Stage 2: 2 steps" in said and "Take this change back" not in said


def test_a_change_is_paused_and_goes_on_by_buttons_and_waits_on_the_first_page(as_, operator, asked):
    change, page = asked
    client = as_(operator)
    client.post(f"{page}pause/")
    said = text(client, page)
    assert "Paused by operator" in said and "Go on with 3 steps" in said and ">Pause<" not in said
    assert "Paused: let it go on, or cancel the rest." in text(client, "/")
    client.post(f"{page}resume/")
    assert Change.objects.get(pk=change.pk).state == ChangeState.QUEUED
    client.post(f"{page}cancel_rest/")
    assert Change.objects.get(pk=change.pk).state == ChangeState.CANCELLED


def test_a_stage_that_could_not_be_read_back_is_let_go_on_by_a_button_that_says_so(as_, operator, asked):
    change, page = asked
    params = {"stage": 1, "count": 1}
    Change.objects.update(state=ChangeState.PAUSED, pause_reason=Reason.STAGE_NOT_READ, pause_params=params)
    change.stages.filter(number=1).update(state="differs", unread=1, judged_at=timezone.now())
    said = text(as_(operator), page)
    assert "Go on without reading back: 3 steps" in said and "1 group could not be read" in said
    as_(operator).post(f"{page}resume/")
    assert Change.objects.get(pk=change.pk).released_to == 3


@pytest.mark.parametrize("what", ["pause", "resume", "start_now", "take_back", "retry_file"])
def test_a_viewer_can_do_none_of_it(as_, viewer, asked, what):
    change, page = asked
    assert as_(viewer).post(f"{page}{what}/").status_code == 403
    assert Change.objects.get(pk=change.pk).state == ChangeState.QUEUED


def test_a_viewer_may_have_the_result_file(as_, viewer, asked):
    _change, page = asked
    answer = as_(viewer).post(f"{page}result_file/")
    content = b"".join(answer.streaming_content).decode("utf-8-sig")
    assert (
        answer["Content-Disposition"].startswith("attachment")
        and content.count("waiting") + content.count("planned") == 3
    )


def test_without_a_file_one_sentence_says_so(as_, operator, asked):
    _change, page = asked
    said = as_(operator).post(f"{page}retry_file/", follow=True).content.decode()
    assert "The file cannot be used" in said and "Nothing was planned." in said
