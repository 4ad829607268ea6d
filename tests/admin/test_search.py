"""One search over everything: as a page, and as a fragment below the box."""

import pytest
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from membership.models import Change, ChangeConnection
from tests import mirrored

FRAGMENT = {"HX-Request": "true"}


@pytest.fixture
def known(ada, operator):
    """Ada as a person, and a change about her with a ticket."""
    mirrored.person("Ada Lovelace", ada.account)
    change = Change.objects.create(
        kind="removal", state="done", reason="Ada left", ticket="HELP-812", requested_by=operator,
        created_at=timezone.now(),
    )  # fmt: skip
    ChangeConnection.objects.create(change=change, connection=ada.group.connection)
    return change


def body(client, text, **headers):
    answer = client.get("/search/", {"q": text}, headers=headers)
    assert answer.status_code == 200
    return answer.content.decode()


def test_the_page_finds_people_accounts_groups_changes_and_tickets(as_, viewer, ada, known):
    client = as_(viewer)
    said = body(client, "ada")
    assert f"/membership/person/{ada.account.person_id}/" in said
    assert f"/membership/account/{ada.account_id}/" in said
    assert f"/membership/change/{known.pk}/" in said
    assert f"/membership/group/{ada.group_id}/" in body(client, "train")
    assert "/membership/change/?q=HELP-812" in body(client, "HELP-8")


def test_the_fragment_is_no_whole_page(as_, viewer, known):
    said = body(as_(viewer), "ada", **FRAGMENT)
    assert "Ada Lovelace" in said
    assert "<html" not in said


def test_every_page_has_the_box(as_, viewer, ada):
    for page in ("/", "/membership/participant/", f"/membership/group/{ada.group_id}/"):
        assert 'aria-keyshortcuts="/"' in as_(viewer).get(page).content.decode()


@pytest.mark.parametrize("text", ["", "   ", "nobody-is-called-so", "\0", "%", "<script>", "x" * 5000])
def test_what_is_not_found_is_said_and_nothing_breaks(as_, viewer, known, text):
    said = body(as_(viewer), text)
    assert "<script>" not in said.split("<main")[1]
    assert "/membership/person/" not in said.split("<main")[1]


def test_hidden_rows_are_not_found(as_, limited_operator, office, known):
    said = body(as_(limited_operator(office)), "ada").split("<main")[1]
    assert "Lovelace" not in said
    assert "Ada left" not in said


def test_more_than_is_shown_leads_to_the_list(as_, viewer, office):
    for number in range(30):
        mirrored.group(f"Team {number}", office)
    assert "/membership/group/?q=team" in body(as_(viewer), "team")


def test_whoever_has_no_role_finds_nothing(as_, stranger, known):
    assert as_(stranger).get("/search/?q=ada").status_code == 302


def test_it_asks_one_question_a_kind(as_, viewer, known):
    client = as_(viewer)
    cache.clear()
    with CaptureQueriesContext(connection) as seen:
        body(client, "ada", **FRAGMENT)
    assert len(seen) <= 5 + 5
