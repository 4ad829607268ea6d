import pytest

from membership.errors import ChangeRefused, NotAllowed, Reason
from membership.models import Account, AuditEntry, AuditPersonal, Change, LinkProposal, Person
from membership.services import linking
from membership.services.link_proposals import propose
from membership.services.linking import (
    accept_proposals,
    queue,
    reject_proposals,
    take_back_proposals,
    unlink_account,
)
from membership.vocab import AuditAction, ChangeKind, ProposalState, Role
from tests import mirrored as m

pytestmark = pytest.mark.django_db

ADA = "ada@example.org"


@pytest.fixture
def verein():
    return m.system("Verein", "inwendo")


@pytest.fixture
def two(office, club):
    """Ada in two systems, proposed."""
    accounts = m.account("Ada", office, email=ADA), m.account("Ada L.", club, email=ADA)
    propose()
    return accounts


@pytest.fixture
def three(office, club, verein):
    """Ada in three systems, each pair proposed."""
    accounts = [m.account(f"Ada {n}", system, email=ADA) for n, system in enumerate((office, club, verein))]
    propose()
    return accounts


def proposal(one, other):
    return LinkProposal.objects.get(first_id__in=(one.pk, other.pk), second_id__in=(one.pk, other.pk))


def whose(account):
    return Account.objects.get(pk=account.pk).person


def entries(action):
    return list(AuditEntry.objects.filter(action=action).order_by("pk"))


def test_accepted_accounts_are_one_new_person(vera, two):
    assert accept_proposals(queue(vera), actor=vera) == linking.Decided(done=1, left=0)
    assert whose(two[0]) == whose(two[1]) == Person.objects.get(name="Ada")
    row = LinkProposal.objects.get()
    assert (row.state, row.decided_by_id) == (ProposalState.ACCEPTED, vera.pk)
    assert not queue(vera).exists()


def test_three_accounts_accepted_together_are_one_person_with_one_entry(vera, three):
    assert accept_proposals(queue(vera), actor=vera).done == 3
    person = Person.objects.get()
    assert set(person.accounts.all()) == set(three)
    (entry,) = entries(AuditAction.PERSON_LINKED)
    assert (entry.chain, entry.person_id, entry.actor_id) == ("panel", person.pk, vera.pk)
    assert "Ada" not in entry.sealed
    assert "Ada 2" in AuditPersonal.objects.get(pk=entry.pk).data


def test_what_other_decisions_settled_leaves_the_queue(vera, three):
    accept_proposals([proposal(three[0], three[1])], actor=vera)
    accept_proposals([proposal(three[1], three[2])], actor=vera)
    assert not queue(vera).exists()
    assert proposal(three[0], three[2]).state == ProposalState.OPEN


def test_an_account_joins_the_person_of_the_other(vera, two):
    known = m.person("Countess", two[1])
    accept_proposals(queue(vera), actor=vera)
    assert Person.objects.get() == known == whose(two[0])


def test_two_people_become_one_with_all_accounts_and_the_protection(vera, two, verein):
    third = m.account("Somebody", verein)
    kept, merged = m.person("Ada", two[0]), m.person("Ada L.", two[1], third)
    Person.objects.filter(pk=merged.pk).update(is_protected=True, protected_note="board")
    accept_proposals(queue(vera), actor=vera)
    person = Person.objects.get()
    assert (person.is_protected, person.protected_note) == (True, "board")
    assert set(person.accounts.all()) == {*two, third}
    (entry,) = entries(AuditAction.PERSON_LINKED)
    assert str({kept.pk, merged.pk} - {person.pk}).strip("{}") in entry.sealed


def test_merged_people_to_whom_a_change_refers_are_kept_without_accounts(vera, two):
    m.person("Ada", two[0])
    merged = m.person("Ada L.", two[1])
    Change.objects.create(
        kind=ChangeKind.REMOVAL_EVERYWHERE,
        selection={"kind": "person", "id": merged.pk},
        requested_by=vera,
        created_at=merged.created_at,
    )
    accept_proposals(queue(vera), actor=vera)
    assert Person.objects.filter(pk=merged.pk).exists()
    assert not merged.accounts.exists()


def test_people_with_accounts_out_of_sight_on_both_sides_are_not_merged(two, verein):
    m.person("Ada", two[0], m.account("A", verein))
    m.person("Bea", two[1], m.account("B", verein))
    limited = m.user("limited", systems=[two[0].connection, two[1].connection])
    assert accept_proposals(queue(limited), actor=limited) == linking.Decided(done=0, left=1)
    assert Person.objects.count() == 2
    assert LinkProposal.objects.get().state == ProposalState.OPEN


def test_a_person_with_accounts_out_of_sight_takes_the_other_in(two, verein):
    hidden = m.account("A", verein)
    m.person("Ada", two[0])
    person = m.person("Bea", two[1], hidden)
    limited = m.user("limited", systems=[two[0].connection, two[1].connection])
    accept_proposals(queue(limited), actor=limited)
    assert Person.objects.get() == person
    assert set(person.accounts.all()) == {*two, hidden}


def test_proposals_out_of_sight_are_neither_shown_nor_decided(two, office):
    limited = m.user("limited", systems=[office])
    assert not queue(limited).exists()
    for decide in (accept_proposals, reject_proposals, take_back_proposals):
        with pytest.raises(NotAllowed):
            decide(LinkProposal.objects.all(), actor=limited)
    assert LinkProposal.objects.get().state == ProposalState.OPEN


@pytest.mark.parametrize("role", [Role.VIEWER, Role.AUDITOR, Role.APPROVER])
def test_who_may_not_act_decides_nothing(two, role):
    tom = m.user("tom", role)
    for decide in (accept_proposals, reject_proposals, take_back_proposals):
        with pytest.raises(NotAllowed):
            decide(LinkProposal.objects.all(), actor=tom)
    with pytest.raises(NotAllowed):
        unlink_account(two[0], actor=tom)
    assert len(entries(AuditAction.REQUEST_REFUSED)) == 4


def test_rejected_proposals_do_not_come_again(vera, two):
    assert reject_proposals(queue(vera), actor=vera).done == 1
    assert propose() == 0
    assert not queue(vera).exists()
    (entry,) = entries(AuditAction.PROPOSAL_REJECTED)
    assert "Ada" not in entry.sealed


def test_a_proposal_decided_meanwhile_is_left_and_counted(vera, two):
    chosen = list(queue(vera))
    reject_proposals(chosen, actor=vera)
    assert accept_proposals(chosen, actor=vera) == linking.Decided(done=0, left=1)
    assert not Person.objects.exists()


def test_no_proposals_are_nothing_selected(vera):
    with pytest.raises(ChangeRefused) as refused:
        accept_proposals([], actor=vera)
    assert refused.value.reason == Reason.NOTHING_SELECTED


def test_a_link_taken_back_leaves_things_as_they_were(vera, two):
    accept_proposals(queue(vera), actor=vera)
    take_back_proposals(LinkProposal.objects.all(), actor=vera)
    assert whose(two[0]) is whose(two[1]) is None
    assert not Person.objects.exists()
    row = LinkProposal.objects.get()
    assert (row.state, row.decided_by_id, row.decided_at) == (ProposalState.OPEN, None, None)
    (entry,) = entries(AuditAction.PERSON_UNLINKED)
    assert f'"accounts":[{two[0].pk},{two[1].pk}]' in entry.sealed


def test_who_was_a_person_before_stays_one_when_a_link_is_taken_back(vera, two):
    person = m.person("Countess", two[1])
    accept_proposals(queue(vera), actor=vera)
    take_back_proposals(LinkProposal.objects.all(), actor=vera)
    assert (whose(two[0]), whose(two[1])) == (None, person)


def test_accounts_that_other_proposals_tie_to_the_one_that_leaves_go_with_it(vera, three):
    m.person("Countess", three[0])
    accept_proposals([proposal(three[0], three[1])], actor=vera)
    accept_proposals([proposal(three[1], three[2])], actor=vera)
    take_back_proposals([proposal(three[0], three[1])], actor=vera)
    assert whose(three[0]).name == "Countess"
    assert whose(three[1]) == whose(three[2]) != whose(three[0])
    assert whose(three[1]) is not None
    assert {proposal(three[0], each).state for each in three[1:]} == {ProposalState.OPEN}


def test_one_account_leaves_alone_when_all_are_tied_to_each_other(vera, three):
    m.person("Countess", three[0])
    accept_proposals(queue(vera), actor=vera)
    joined = proposal(three[0], three[2]).second
    take_back_proposals([proposal(three[0], three[2])], actor=vera)
    assert joined == three[2]
    assert (whose(three[0]).name, whose(three[1]).name, whose(three[2])) == ("Countess", "Countess", None)
    assert proposal(three[1], three[2]).state == ProposalState.OPEN
    assert proposal(three[0], three[1]).state == ProposalState.ACCEPTED


def test_an_accepted_proposal_turned_round_is_not_proposed_anew(vera, two):
    m.person("Countess", two[1])
    accept_proposals(queue(vera), actor=vera)
    assert LinkProposal.objects.get().first == two[1]
    take_back_proposals(LinkProposal.objects.all(), actor=vera)
    assert propose() == 0
    assert LinkProposal.objects.count() == 1


def test_an_unlinked_account_has_no_person_and_its_proposals_are_open_again(vera, three):
    accept_proposals(queue(vera), actor=vera)
    unlink_account(three[1], actor=vera)
    assert whose(three[1]) is None
    assert whose(three[0]) == whose(three[2]) == Person.objects.get()
    assert set(queue(vera)) == {proposal(three[1], three[0]), proposal(three[1], three[2])}
    (entry,) = entries(AuditAction.PERSON_UNLINKED)
    assert entry.account_id == three[1].pk


def test_a_person_without_accounts_is_gone_unless_protected(vera, office, club):
    gone, stays = m.account("Ada", office), m.account("Bea", club)
    m.person("Ada", gone)
    m.person("Bea", stays, is_protected=True)
    unlink_account(gone, actor=vera)
    unlink_account(stays, actor=vera)
    assert [person.name for person in Person.objects.all()] == ["Bea"]


def test_unlinking_from_a_protected_person_needs_the_right_to_protect(vera, two, monkeypatch):
    accept_proposals(queue(vera), actor=vera)
    Person.objects.update(is_protected=True)
    vera.groups.get().permissions.remove(vera.groups.get().permissions.get(codename="protect"))
    without = type(vera).objects.get(pk=vera.pk)
    with pytest.raises(NotAllowed):
        unlink_account(two[0], actor=without)
    with pytest.raises(NotAllowed):
        take_back_proposals(LinkProposal.objects.all(), actor=without)
    assert whose(two[0]) == whose(two[1]) == Person.objects.get()


def test_an_account_of_nobody_cannot_be_unlinked(vera, two):
    with pytest.raises(ChangeRefused):
        unlink_account(two[0], actor=vera)


def test_a_long_queue_is_accepted_in_several_transactions(vera, office, club):
    for system in (office, club):
        Account.objects.bulk_create(
            Account(
                connection=system, remote_id=str(n), label=f"M {n}", email=f"m{n}@example.org", seen_at=m.timezone.now()
            )
            for n in range(230)
        )
    propose()
    assert accept_proposals(queue(vera), actor=vera).done == 230
    assert Person.objects.count() == 230
    assert len(entries(AuditAction.PERSON_LINKED)) == 230


def test_the_queue_is_read_with_one_query(vera, three, django_assert_num_queries):
    vera.has_perm("membership.see_panel")
    list(queue(vera)[:1])
    with django_assert_num_queries(1):
        for row in queue(vera):
            str(row.first.connection), str(row.second.person)
