"""The queue of proposals to link: what it shows, what is decided on it, and how that is taken back."""

import pytest

from membership.models import Account, AuditEntry, LinkProposal, Person
from membership.services import link_proposals
from membership.vocab import ProposalState
from tests import mirrored

QUEUE = "/membership/linkproposal/"


@pytest.fixture
def pair(office, ada):
    """Ada in both systems, by the same address."""
    board = mirrored.group("Board", office)
    mirrored.participant(mirrored.account("Ada Lovelace", office, email="ADA@example.org"), board)
    link_proposals.propose()
    return LinkProposal.objects.get()


def post(client, action, *rows, query=""):
    data = {"action": action, "_selected_action": [row.pk for row in rows], "index": "0"}
    return client.post(f"{QUEUE}{query}", data, follow=True).content.decode()


def body(client, query=""):
    return client.get(f"{QUEUE}{query}").content.decode()


def test_the_queue_shows_both_sides_with_address_system_and_groups_and_why(as_, viewer, pair):
    said = body(as_(viewer))
    for word in ("same e-mail", "ada@example.org", "ADA@example.org", "Office", "Club app", "Board", "Trainers"):
        assert word in said
    assert "A new person, with both accounts." in said


def test_accepted_in_bulk_they_are_one_person(as_, operator, pair):
    said = post(as_(operator), "accept", pair)
    assert "1 pair is one person now." in said
    assert "?state=accepted" in said
    assert Person.objects.get().accounts.count() == 2
    assert AuditEntry.objects.filter(action="person.linked", actor_id=operator.pk).exists()


def test_rejected_ones_are_gone_from_the_queue_and_listed_as_such(as_, operator, pair):
    client = as_(operator)
    assert "1 pair will not be proposed again." in post(client, "reject", pair)
    assert "Nobody seems to have accounts in two systems" in body(client)
    assert "different people" in body(client, "?state=rejected")
    assert "Link: the same person" not in body(client, "?state=rejected")


def test_a_link_is_taken_back_in_bulk(as_, operator, pair):
    client = as_(operator)
    post(client, "accept", pair)
    assert "Take the link back" in body(client, "?state=accepted")
    assert "1 link is taken back." in post(client, "take_back", pair, query="?state=accepted")
    assert not Account.objects.exclude(person=None).exists()
    assert "ada@example.org" in body(client)


def test_what_somebody_else_decided_meanwhile_is_told(as_, operator, pair):
    LinkProposal.objects.update(state=ProposalState.REJECTED)
    said = as_(operator).post(f"{QUEUE}{pair.pk}/accept/", follow=True).content.decode()
    assert "1 was left as it is" in said


def test_all_that_match_are_decided_not_only_one_page(as_, operator, office, club):
    for number in range(60):
        for system in (office, club):
            mirrored.account(f"Member {number}", system, email=f"{number}@example.org")
    link_proposals.propose()
    client = as_(operator)
    first = LinkProposal.objects.first()
    data = {"action": "accept", "_selected_action": [first.pk], "select_across": "1", "index": "0"}
    assert "60 pairs are one person each now." in client.post(QUEUE, data, follow=True).content.decode()
    assert Person.objects.count() == 60


def test_a_viewer_sees_the_queue_and_decides_nothing(as_, viewer, pair):
    client = as_(viewer)
    assert "Link: the same person" not in body(client)
    data = {"action": "accept", "_selected_action": [pair.pk], "index": "0"}
    assert client.post(QUEUE, data).status_code == 403
    assert client.post(f"{QUEUE}{pair.pk}/accept/").status_code == 403
    assert not Person.objects.exists()


def test_whoever_cannot_see_both_systems_knows_nothing_of_the_proposal(as_, limited_operator, club, pair):
    client = as_(limited_operator(club))
    assert "ada@example.org" not in body(client)
    assert client.post(f"{QUEUE}{pair.pk}/accept/").status_code == 403


def test_a_button_leads_back_to_a_page_of_ours_alone(as_, operator, pair):
    client = as_(operator)
    answer = client.post(f"{QUEUE}{pair.pk}/reject/", {"next": "https://elsewhere.example/"})
    assert answer["Location"] == QUEUE
    LinkProposal.objects.update(state=ProposalState.OPEN)
    answer = client.post(f"{QUEUE}{pair.pk}/reject/", {"next": "/membership/person/"})
    assert answer["Location"] == "/membership/person/"


@pytest.mark.parametrize(("query", "found"), [("?hint=same_email", 1), ("?hint=same_name", 0), ("?q=ada@", 1)])
def test_filters_find_what_they_mean(as_, viewer, pair, query, found):
    assert as_(viewer).get(f"{QUEUE}{query}").context["cl"].result_count == found


@pytest.mark.parametrize("side", ["office", "club"])
def test_the_filter_by_system_looks_at_both_sides(as_, viewer, pair, office, club, side):
    system = {"office": office, "club": club}[side]
    assert as_(viewer).get(f"{QUEUE}?system={system.pk}").context["cl"].result_count == 1
