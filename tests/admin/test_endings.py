"""End dates on pages: where people are added, on a participant's page, in lists, on the first page."""

import datetime as dt

import pytest
from django.utils import timezone

from membership.models import Change, Ending, Presence
from membership.plans.wishes import Remove
from membership.services import drafts, endings
from membership.vocab import ChangeKind
from tests import mirrored as m

pytestmark = pytest.mark.django_db

PARTICIPANT, GROUP = "/membership/participant/", "/membership/group/"


@pytest.fixture
def board():
    return m.group("Board", m.system("Office"))


@pytest.fixture
def grace(board):
    row = m.participant(m.account("Grace Hopper", board.connection), board)
    Presence.objects.create(participant=row, since=timezone.now(), began_by="reading")
    return row


@pytest.fixture
def later():
    return timezone.localdate() + dt.timedelta(days=30)


def said(day):
    return f"until {day.day} {day:%b %Y}"


def test_people_are_added_until_a_day_and_the_preview_says_so(as_, operator, board, later):
    ada = m.account("Ada", board.connection)
    fields = {"chosen": ada.pk, "until": later.isoformat()}
    answer = as_(operator).post(f"{GROUP}{board.pk}/add_people/", fields, follow=True)
    assert "Until" in answer.content.decode() and "by a change of its own" in answer.content.decode()
    assert endings.said_in(Change.objects.get()) == later


@pytest.mark.parametrize("typed", ["2000-01-01", "tomorrow", "2026-02-31"])
def test_a_day_that_is_none_or_over_is_asked_again_with_what_was_ticked(as_, operator, board, typed):
    ada = m.account("Ada", board.connection)
    answer = as_(operator).post(f"{GROUP}{board.pk}/add_people/", {"chosen": ada.pk, "until": typed})
    text = answer.content.decode()
    assert "cannot be used" in text and f'value="{ada.pk}" checked' in text.replace("\n", "")
    assert not Change.objects.exists()


def test_an_end_date_is_kept_altered_and_taken_away_on_the_page(as_, operator, grace, later):
    client = as_(operator)
    page = f"{PARTICIPANT}{grace.pk}/"
    assert "No end date" in client.get(page).content.decode()
    client.post(f"{page}set_end/", {"last_day": later.isoformat()})
    text = client.get(page).content.decode()
    assert said(later) in text and "said by" in text
    assert "it is no day" in client.post(f"{page}set_end/", {"last_day": "soon"}, follow=True).content.decode()
    client.post(f"{page}lift_end/")
    assert said(later) not in client.get(page).content.decode()
    assert not endings.live().exists() and Ending.objects.count() == 1


def test_lists_and_pages_say_until_when(as_, operator, viewer, board, grace, later):
    person = m.person("Grace", grace.account)
    endings.set_end(grace, later, actor=operator)
    for user in (operator, viewer):
        client = as_(user)
        pages = (PARTICIPANT, f"{GROUP}{board.pk}/", f"/membership/account/{grace.account_id}/")
        for page in (*pages, f"/membership/person/{person.pk}/"):
            assert said(later) in client.get(page).content.decode(), page
    file = b"".join(as_(operator).post(f"{PARTICIPANT}export/", {"format": "csv"}).streaming_content)
    assert later.isoformat() in file.decode()


def test_a_viewer_sees_no_form(as_, viewer, grace):
    assert "set_end" not in as_(viewer).get(f"{PARTICIPANT}{grace.pk}/").content.decode()
    assert as_(viewer).post(f"{PARTICIPANT}{grace.pk}/set_end/", {"last_day": "2099-01-01"}).status_code == 403


def test_a_removal_that_waits_stands_on_the_first_page_of_everybody_who_may_act(as_, operator, owner, grace):
    drafts.draft(ChangeKind.ENDING, [Remove(grace.pk)], {"kind": "ending", "endings": []}, actor=owner)
    assert "the time of these people is over" in as_(operator).get("/").content.decode()
