import time
from datetime import timedelta

import pytest
from django.utils import timezone

from membership.models import Account, Connection, LinkProposal
from membership.services import link_proposals
from membership.services.link_proposals import fold, propose, propose_after_readings
from membership.vocab import ProposalHint, ProposalState
from tests import mirrored as m


def pairs(hint=None):
    rows = LinkProposal.objects.filter(hint=hint) if hint else LinkProposal.objects.all()
    return {(row.first.label, row.second.label) for row in rows}


@pytest.mark.pure
@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ADA@Example.org", "ada@example.org"),
        (" Ada  Lovelace", "ada\tlovelace "),
        ("JOSÉ", "jose\u0301"),
        ("STRASSE", "Straße"),
        ("ИВАН", "иван"),
    ],
)
def test_case_blanks_and_composition_make_no_difference(one, other):
    assert fold(one) == fold(other)


@pytest.mark.pure
@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ada@example.org", "аda@example.org"),  # Cyrillic a
        ("kim@example.org", "\u212aim@example.org"),  # Kelvin sign
        ("sam@example.org", "\u017fam@example.org"),  # long s
        ("fil@example.org", "\ufb01l@example.org"),  # ligature fi
        ("lin@example.org", "lın@example.org"),  # dotless i
        ("lin@example.org", "l\u0130n@example.org"),
        ("ada@example.org", "ada\u200b@example.org"),  # zero-width space
        ("ada", "ａｄａ"),  # full-width letters
        ("jose", "josé"),
    ],
)
def test_look_alike_letters_are_never_equal(one, other):
    assert fold(one) != fold(other)


@pytest.mark.django_db
def test_equal_addresses_of_two_systems_are_proposed(office, club):
    m.account("Ada", office, email="Ada@Example.org")
    m.account("Countess", club, email="ada@example.org")
    assert propose() == 1
    assert pairs(ProposalHint.SAME_EMAIL) == {("Ada", "Countess")}
    assert propose() == 0


@pytest.mark.django_db
def test_accounts_of_one_system_are_never_proposed(office):
    for _ in range(2):
        m.account("Ada", office, email="ada@example.org")
    assert propose() == 0


@pytest.mark.django_db
def test_an_equal_rare_name_is_a_weak_hint(office, club):
    m.account("Ada Lovelace", office)
    m.account("ada  LOVELACE", club)
    assert propose() == 1
    assert LinkProposal.objects.get().hint == ProposalHint.SAME_NAME


@pytest.mark.django_db
def test_a_name_that_many_have_is_no_hint(office, club):
    for system in (office, office, club, club):
        m.account("Anna Schmidt", system)
    assert propose() == 0


@pytest.mark.django_db
def test_an_address_that_very_many_share_is_no_hint(office, club):
    for number in range(link_proposals.OWN_EMAIL):
        m.account(f"Member {number}", office, email="office@example.org")
    m.account("Somebody", club, email="office@example.org")
    assert propose() == 0


@pytest.mark.parametrize("email", [None, "", " ", "none"])
@pytest.mark.django_db
def test_what_is_no_address_is_no_hint(office, club, email):
    m.account("Ada", office, email=email)
    m.account("Bea", club, email=email)
    assert propose() == 0


@pytest.mark.django_db
def test_our_own_and_vanished_accounts_are_not_proposed(office, club):
    m.account("Musterbook Service", office, is_own=True)
    m.account("Musterbook Service", club, is_own=True)
    m.account("Ada", office)
    m.account("Ada", club, is_present=False)
    assert propose() == 0


@pytest.mark.django_db
def test_accounts_of_the_same_person_are_not_proposed(office, club):
    m.person("Ada", m.account("Ada", office), m.account("Ada", club))
    assert propose() == 0


@pytest.mark.django_db
def test_a_name_that_matched_first_becomes_an_address_that_matches(office, club):
    m.account("Ada", office, email="ada@example.org")
    other = m.account("Ada", club)
    propose()
    Account.objects.filter(pk=other.pk).update(email="ADA@example.org")
    assert propose() == 0
    assert LinkProposal.objects.get().hint == ProposalHint.SAME_EMAIL


@pytest.mark.django_db
def test_a_proposal_that_is_no_longer_true_is_withdrawn_but_a_decision_is_not(office, club):
    for name in ("Ada", "Bea"):
        m.account(name, office)
        m.account(name, club)
    propose()
    LinkProposal.objects.filter(first__label="Bea").update(state=ProposalState.REJECTED)
    Account.objects.filter(connection=club).update(label="Renamed")
    propose()
    assert [row.state for row in LinkProposal.objects.all()] == [ProposalState.REJECTED]


@pytest.mark.django_db
def test_only_what_concerns_the_named_systems_is_proposed(office, club):
    verein = m.system("Verein", "inwendo")
    for system in (office, club):
        m.account("Ada", system)
    for system in (club, verein):
        m.account("Bea", system)
    assert propose([verein.pk]) == 1
    assert pairs() == {("Bea", "Bea")}


# after readings


@pytest.fixture
def forgotten(monkeypatch):
    monkeypatch.setattr(link_proposals, "_read_until", {})


def read(system, at):
    Connection.objects.filter(pk=system.pk).update(accounts_read_at=at)


@pytest.mark.django_db
def test_a_reading_that_brought_an_account_brings_its_proposal(office, club, forgotten):
    began = timezone.now()
    m.account("Ada", office, email="ada@example.org", seen_at=began)
    read(office, began)
    assert not propose_after_readings()
    later = began + timedelta(minutes=30)
    m.account("Ada L.", club, email="ada@example.org", seen_at=later)
    read(club, later)
    assert propose_after_readings()
    assert pairs() == {("Ada", "Ada L.")}


@pytest.mark.django_db
def test_what_did_not_change_costs_one_query(office, club, forgotten, django_assert_num_queries):
    for system in (office, club):
        m.account("Ada", system)
        read(system, timezone.now())
    assert propose_after_readings()
    with django_assert_num_queries(1):
        assert not propose_after_readings()


def test_the_worker_proposes_after_reading_real_systems(world):
    world.work(propose_after_readings)
    assert pairs(ProposalHint.SAME_EMAIL) >= {("Ada Lovelace", "Ada Lovelace")}


@pytest.mark.scale
@pytest.mark.django_db
def test_fifty_thousand_accounts_are_compared_in_seconds(office, club):
    now = timezone.now()
    for system in (office, club):
        Account.objects.bulk_create(
            Account(
                connection=system,
                remote_id=str(n),
                label=f"Ödön {n}",
                email=f"m{n}.{system.pk}@example.org",
                seen_at=now,
            )
            for n in range(25_000)
        )
    Account.objects.filter(remote_id="7").update(email="same@example.org")
    Account.objects.filter(connection=club).update(label="Member")
    began = time.process_time()
    assert propose() == 1
    assert time.process_time() - began < 5
