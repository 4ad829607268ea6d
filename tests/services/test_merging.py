"""Two people who became one are two again, as they were, when the link is taken back."""

import datetime as dt

import pytest
from django.utils import timezone

from membership.models import Account, AuditEntry, Change, Leaving, LeavingState, LinkProposal, Merging, Person
from membership.services import erasure, leaving, people, person_report, search
from membership.services.link_proposals import propose
from membership.services.linking import accept_proposals, queue, take_back_proposals, unlink_account
from membership.vocab import AuditAction, ChangeKind, ProposalState, Role
from tests import mirrored as m
from tests.services.dump import tables_with

pytestmark = pytest.mark.django_db

ADA = "ada@example.org"
LONG_AGO = dt.datetime(2020, 5, 1, tzinfo=dt.UTC)


@pytest.fixture
def verein():
    return m.system("Verein", "inwendo")


@pytest.fixture
def two(office, club):
    """The accounts of two people, proposed to be one."""
    accounts = m.account("A. office", office, email=ADA), m.account("A. club", club, email=ADA)
    m.person("Ada", accounts[0])
    countess = m.person("Countess Lovelace", accounts[1])
    Person.objects.filter(pk=countess.pk).update(created_at=LONG_AGO)
    propose()
    return accounts


def whose(account):
    return Account.objects.get(pk=account.pk).person


def told(person):
    fields = ("pk", "name", "is_protected", "protected_note", "protected_by_id", "protected_at", "created_at")
    return tuple(getattr(Person.objects.get(pk=person.pk), name) for name in fields)


def proposal(one, other):
    return LinkProposal.objects.get(first_id__in=(one.pk, other.pk), second_id__in=(one.pk, other.pk))


def merge_and_part(vera, between=None):
    accept_proposals(queue(vera), actor=vera)
    if between:
        between()
    take_back_proposals(LinkProposal.objects.filter(state=ProposalState.ACCEPTED), actor=vera)


def test_they_are_two_again_with_name_number_and_age(vera, two):
    before = [told(whose(account)) for account in two]
    accept_proposals(queue(vera), actor=vera)
    assert Person.objects.count() == 1  # nothing is left of the other in lists, searches and counts
    take_back_proposals(LinkProposal.objects.all(), actor=vera)
    assert [told(whose(account)) for account in two] == before
    assert whose(two[1]).created_at == LONG_AGO
    assert LinkProposal.objects.get().state == ProposalState.OPEN
    assert not Merging.objects.exists()
    entry = AuditEntry.objects.get(action=AuditAction.PERSON_UNLINKED)
    assert f'"restored":{whose(two[1]).pk}' in entry.sealed and "Countess" not in entry.sealed
    merge_and_part(vera)
    assert [told(whose(account)) for account in two] == before


def test_both_keep_their_protection(vera, two):
    for account, note in zip(two, ("board", "patron"), strict=True):
        people.protect_person(whose(account), note, actor=vera)
    before = [told(whose(account)) for account in two]
    merge_and_part(vera)
    assert [told(whose(account)) for account in two] == before


def test_a_protection_that_was_taken_over_goes_back(vera, two, verein):
    """Who has accounts out of sight is kept, and takes the protection of the other over."""
    hidden = m.account("A. verein", verein)
    hidden.person = whose(two[0])
    hidden.save()
    people.protect_person(whose(two[1]), "patron", actor=vera)
    before = [told(whose(account)) for account in two]
    limited = m.user("limited", systems=[account.connection for account in two])
    accept_proposals(queue(limited), actor=limited)
    assert whose(two[1]).is_protected and whose(two[1]) == whose(hidden)
    take_back_proposals(LinkProposal.objects.all(), actor=vera)
    assert [told(whose(account)) for account in two] == before


def test_all_accounts_that_were_theirs_go_back_and_whoever_joined_through_them(vera, two, verein):
    by_hand, joined = m.account("A. verein", verein), m.account("A. nord", m.system("Nord", "inwendo"))
    by_hand.person = whose(two[1])
    by_hand.save()
    accept_proposals(queue(vera), actor=vera)
    row = LinkProposal.objects.create(first=two[1], second=joined, hint="name", proposed_at=timezone.now())
    accept_proposals([row], actor=vera)
    assert whose(two[0]).accounts.count() == 4
    take_back_proposals([proposal(*two)], actor=vera)
    assert set(whose(two[1]).accounts.all()) == {two[1], by_hand, joined}
    assert set(whose(two[0]).accounts.all()) == {two[0]}
    assert whose(two[1]).name == "Countess Lovelace"


@pytest.mark.parametrize("end", [0, 1])
def test_two_people_tied_by_an_account_of_nobody_are_parted_where_the_link_was(vera, two, verein, end):
    LinkProposal.objects.all().delete()
    alone = m.account("A. verein", verein, email=ADA)
    for each in two:
        LinkProposal.objects.create(first=alone, second=each, hint="email", proposed_at=LONG_AGO)
    before = [whose(each) for each in two]
    accept_proposals(LinkProposal.objects.all(), actor=vera)
    take_back_proposals([proposal(alone, two[end])], actor=vera)
    assert [whose(each) for each in two] == before
    assert whose(alone) == before[1 - end]
    take_back_proposals([proposal(alone, two[1 - end])], actor=vera)
    assert [*map(whose, two), whose(alone)] == [*before, None]


def test_an_account_of_nobody_tied_to_one_of_two_people_leaves_alone(vera, two, verein):
    alone = m.account("A. verein", verein, email=ADA)
    LinkProposal.objects.create(first=alone, second=two[1], hint="email", proposed_at=LONG_AGO)
    accept_proposals(queue(vera), actor=vera)
    take_back_proposals([proposal(alone, two[1])], actor=vera)
    assert whose(alone) is None
    assert whose(two[0]) == whose(two[1])


def test_three_people_who_became_one_are_three_again_in_whatever_order(vera, two, verein):
    third = m.account("A. verein", verein, email=ADA)
    m.person("Third", third)
    propose()
    before = {account.pk: told(whose(account)) for account in (*two, third)}

    def are_as_before():
        return {account.pk: told(whose(account)) for account in (*two, third)} == before

    merge_and_part(vera)
    assert are_as_before()
    # One after the other: first two, whom the third takes in then, and back in the order in which they came.
    Person.objects.filter(name="Third").update(is_protected=True)
    before[third.pk] = told(whose(third))
    accept_proposals([proposal(*two)], actor=vera)
    accept_proposals([proposal(two[0], third)], actor=vera)
    assert Person.objects.get().name == "Third"
    for first, then in (((two), (two[0], third)), ((two[0], third), (two))):
        take_back_proposals([proposal(*first)], actor=vera)
        take_back_proposals([proposal(*then)], actor=vera)
        assert are_as_before() and not Merging.objects.exists()
        accept_proposals([proposal(*two)], actor=vera)
        accept_proposals([proposal(two[0], third)], actor=vera)


def test_a_leaver_stays_one(vera, two):
    leaving.draft_leaving([whose(two[1])], actor=vera)
    leaver = whose(two[1])
    merge_and_part(vera)
    assert Leaving.objects.get(state=LeavingState.OPEN).person == leaver == whose(two[1])


def test_whom_a_change_names_is_the_same_person_again(vera, two):
    countess = whose(two[1])
    selection = {"kind": "person", "id": countess.pk}
    Change.objects.create(
        kind=ChangeKind.REMOVAL_EVERYWHERE, selection=selection, requested_by=vera, created_at=LONG_AGO
    )
    merge_and_part(vera)
    assert whose(two[1]) == countess


def test_accounts_unlinked_by_hand_belong_to_nobody_and_nothing_is_kept_of_who_they_were(vera, two):
    accept_proposals(queue(vera), actor=vera)
    unlink_account(two[1], actor=vera)
    assert whose(two[1]) is None and not Merging.objects.exists()


def test_whoever_lost_an_account_by_hand_is_restored_with_the_others(vera, two, verein):
    by_hand = m.account("A. verein", verein)
    by_hand.person = whose(two[1])
    by_hand.save()
    accept_proposals(queue(vera), actor=vera)
    unlink_account(by_hand, actor=vera)
    take_back_proposals([proposal(*two)], actor=vera)
    assert (whose(two[1]).name, whose(by_hand)) == ("Countess Lovelace", None)
    by_hand.refresh_from_db()
    people.link_accounts([two[1], by_hand], name="", actor=vera)
    accept_proposals(queue(vera), actor=vera)
    for each in (by_hand, two[1]):
        unlink_account(each, actor=vera)
    assert not Merging.objects.exists()


def test_an_erasure_takes_whoever_became_part_of_the_person_along(vera, two, settings):
    settings.AUDIT_ARCHIVES = None
    countess = whose(two[1])
    people.protect_person(countess, "Countess Lovelace founded it", actor=vera)
    people.unprotect_person(countess, actor=vera)
    leaving.draft_leaving([countess], actor=vera)
    accept_proposals(queue(vera), actor=vera)
    person, olga, otto = whose(two[0]), m.user("olga", Role.OWNER), m.user("otto", Role.OWNER)
    assert tables_with("Countess Lovelace")
    reported = person_report.report(person, actor=olga)
    assert [row["name"] for row in reported["merged"]] == ["Countess Lovelace"]
    erasure.approve(erasure.ask(person, actor=olga), actor=otto)
    assert tables_with("Countess Lovelace") == []


def test_no_list_shows_who_is_part_of_somebody_also_where_a_change_still_names_them(vera, two, client):
    selection = {"kind": "person", "id": whose(two[1]).pk}
    Change.objects.create(
        kind=ChangeKind.REMOVAL_EVERYWHERE, selection=selection, requested_by=vera, created_at=LONG_AGO
    )
    somebody = m.person("Somebody", m.account("Somebody", two[0].connection))
    accept_proposals(queue(vera), actor=vera)
    assert search.find("Countess", user=vera) == []
    client.force_login(vera)
    for page in ("/membership/person/", f"/membership/person/same_groups/?ids={somebody.pk}"):
        told = client.get(page).content.decode()
        assert "Ada" in told and "Countess" not in told
