"""End dates on pages: where people are added, on a participant's page, in lists, on the first page."""

import datetime as dt

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from membership.models import Bundle, Change, Ending, Presence, Roster, RosterState
from membership.plans.wishes import Remove
from membership.services import drafts, endings
from membership.services.again import recompile
from membership.services.rosters import uploading, work
from membership.vocab import ChangeKind, ChangeState, Verb
from tests import mirrored as m
from tests.services.asking import confirm

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


ROADS = {
    "move": lambda board, grace, other: (f"{PARTICIPANT}move/?ids={grace.pk}", {"chosen": other.pk}),
    "copy": lambda board, grace, other: (f"{PARTICIPANT}copy/?ids={grace.pk}", {"chosen": other.pk}),
    "same groups": lambda board, grace, other: (
        f"/membership/person/same_groups/?ids={lone(board, 'Ida').pk}",
        {"chosen": m.person("Grace", grace.account).pk},
    ),
    "groups of a person": lambda board, grace, other: (
        f"/membership/person/add_to_groups/?ids={lone(board, 'Ida').pk}",
        {"chosen": other.pk},
    ),
    "groups of an account": lambda board, grace, other: (
        f"/membership/account/add_to_groups/?ids={grace.account_id}",
        {"chosen": other.pk},
    ),
    "bundle to people": lambda board, grace, other: (
        f"/membership/bundle/{bundle_of(other).pk}/assign/",
        {"chosen": lone(board, "Ida").pk},
    ),
    "people get a bundle": lambda board, grace, other: (
        f"/membership/person/assign_bundle/?ids={lone(board, 'Ida').pk}",
        {"chosen": bundle_of(other).pk},
    ),
    "list from a file": lambda board, grace, other: (
        f"/membership/roster/new/?group={other.pk}",
        {"mode": "exactly", "file": SimpleUploadedFile("list.csv", f"id\n{grace.account.remote_id}\n".encode())},
    ),
}
"""Every page that asks whom or where to add: what is posted there so that somebody joins."""


def lone(board, name):
    return m.person(name, m.account(name, board.connection))


def bundle_of(group):
    made = Bundle.objects.create(name="Trainer")
    made.items.create(group=group)
    return made


def drafted():
    """The preview; of a list once the worker has looked at it."""
    while work.work_on_lists():
        for roster in Roster.objects.filter(state=RosterState.COLUMNS):
            uploading.choose_columns(roster, {"id": 0}, actor=roster.asked_by)
    return Change.objects.latest("pk")


@pytest.mark.parametrize("road", ROADS)
def test_wherever_people_are_added_they_can_be_added_until_a_day(as_, operator, board, grace, later, road):
    address, fields = ROADS[road](board, grace, m.group("Other", board.connection))
    assert 'name="until"' in as_(operator).get(address).content.decode()
    as_(operator).post(address, {**fields, "until": later.isoformat()})
    change = drafted()
    confirm(change, operator)
    joined = set(change.operations.filter(verb=Verb.ADD).values_list("group_id", "account_id"))
    assert joined and joined == set(Ending.objects.filter(last_day=later).values_list("group_id", "account_id"))
    throw_out(change)
    assert endings.said_in(recompile(change, actor=operator)) == later


def throw_out(change):
    Ending.objects.all().delete()
    Change.objects.filter(pk=change.pk).update(state=ChangeState.STALE, confirmed_at=None)


@pytest.mark.parametrize("road", ROADS)
def test_nowhere_for_a_day_that_is_over(as_, operator, board, grace, road):
    address, fields = ROADS[road](board, grace, m.group("Other", board.connection))
    answer = as_(operator).post(address, {**fields, "until": "2000-01-01"})
    assert "the end date cannot be used" in answer.content.decode()
    assert not Change.objects.exists() and not Roster.objects.exists()


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
