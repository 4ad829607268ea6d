"""Proposals and links on a person's page."""

import pytest

from membership.models import LinkProposal, Person
from membership.services import link_proposals
from membership.vocab import ProposalState
from tests import mirrored


@pytest.fixture
def person(office, ada):
    """Ada, with one account linked and one proposed."""
    board = mirrored.group("Board", office)
    mirrored.participant(mirrored.account("Ada there", office, email="ADA@example.org"), board)
    made = mirrored.person("Ada Lovelace", ada.account)
    link_proposals.propose()
    return made


def body(client, person):
    answer = client.get(f"/membership/person/{person.pk}/")
    assert answer.status_code == 200
    return answer.content.decode()


def test_a_person_page_shows_what_is_proposed_with_the_groups_of_the_other_side(as_, viewer, person):
    said = body(as_(viewer), person)
    assert "1 proposal to link" in said
    assert "Ada there" in said
    assert "Board" in said
    assert "Link: the same person" not in said


def test_it_is_accepted_and_taken_back_from_there(as_, operator, person):
    client = as_(operator)
    proposal = LinkProposal.objects.get()
    answer = client.post(f"/membership/linkproposal/{proposal.pk}/accept/")
    assert answer["Location"] == f"/membership/person/{person.pk}/"
    assert "1 proposal was accepted" in body(client, person)
    here = {"next": f"/membership/person/{person.pk}/"}
    assert client.post(f"/membership/linkproposal/{proposal.pk}/take_back/", here)["Location"] == here["next"]
    assert person.accounts.count() == 1
    assert LinkProposal.objects.get().state == ProposalState.OPEN


def test_it_is_rejected_from_there(as_, operator, person):
    client = as_(operator)
    client.post(f"/membership/linkproposal/{LinkProposal.objects.get().pk}/reject/")
    assert "proposal to link" not in body(client, person)


def test_an_account_is_unlinked_and_the_person_without_accounts_is_gone(as_, operator, person, ada):
    answer = as_(operator).post(f"/membership/person/{person.pk}/unlink/", {"account": ada.account_id}, follow=True)
    assert answer.redirect_chain[-1][0] == f"/membership/account/{ada.account_id}/"
    assert "belongs to nobody now" in answer.content.decode()
    assert not Person.objects.exists()


@pytest.mark.parametrize("number", ["", "x", "999999"])
def test_an_account_of_somebody_else_is_not_unlinked_here(as_, operator, person, number):
    assert as_(operator).post(f"/membership/person/{person.pk}/unlink/", {"account": number}).status_code == 403


def test_a_viewer_unlinks_nobody(as_, viewer, person, ada):
    assert as_(viewer).post(f"/membership/person/{person.pk}/unlink/", {"account": ada.account_id}).status_code == 403
    assert person.accounts.count() == 1
