import pytest

from membership.errors import BadValue, ChangeRefused, NotAllowed, Reason
from membership.models import Account, AuditEntry, AuditPersonal, Person
from membership.services.people import (
    link_accounts,
    protect_group,
    protect_person,
    unprotect_group,
    unprotect_person,
)
from membership.vocab import AuditAction, Role
from tests import mirrored as m

pytestmark = pytest.mark.django_db


def entries(action):
    return AuditEntry.objects.filter(action=action).order_by("pk")


def test_linked_accounts_are_one_person_and_each_link_is_recorded(vera, office, club):
    accounts = [m.account("Ada", office), m.account("Ada L.", club)]
    person = link_accounts(accounts, name=" Ada Lovelace ", actor=vera)
    assert person.name == "Ada Lovelace"
    assert set(person.accounts.all()) == set(accounts)
    found = entries(AuditAction.PERSON_LINKED)
    assert [(row.person_id, row.account_id, row.actor_id) for row in found] == [
        (person.pk, account.pk, vera.pk) for account in accounts
    ]
    assert "Ada" not in found[0].sealed
    assert "Ada" in AuditPersonal.objects.get(pk=found[0].pk).data


def test_accounts_are_linked_to_the_person_that_one_of_them_has(vera, office, club):
    first, second = m.account("Ada", office), m.account("Ada L.", club)
    known = m.person("Ada", first)
    assert link_accounts([first, second], name="Somebody", actor=vera) == known
    assert [row.account_id for row in entries(AuditAction.PERSON_LINKED)] == [second.pk]
    assert Person.objects.get().name == "Ada"


def test_accounts_of_different_people_are_not_linked(vera, office, club):
    first, second = m.account("Ada", office), m.account("Bea", club)
    m.person("Ada", first)
    m.person("Bea", second)
    with pytest.raises(BadValue):
        link_accounts([first, second], name="Ada", actor=vera)
    assert entries(AuditAction.REQUEST_REFUSED).count() == 1


@pytest.mark.parametrize("name", ["", "  ", "\u200b"])
def test_a_new_person_needs_a_name(vera, office, name):
    with pytest.raises(BadValue):
        link_accounts([m.account("Ada", office)], name=name, actor=vera)
    assert not Person.objects.exists()


def test_no_accounts_are_no_person(vera):
    with pytest.raises(ChangeRefused):
        link_accounts([], name="Ada", actor=vera)


def test_an_account_out_of_sight_cannot_be_linked(office, club):
    limited = m.user("limited", systems=[club])
    with pytest.raises(NotAllowed):
        link_accounts([m.account("Ada", office), m.account("Ada", club)], name="Ada", actor=limited)
    assert not Account.objects.exclude(person=None).exists()


@pytest.mark.parametrize("role", [Role.VIEWER, Role.AUDITOR])
def test_who_may_not_act_cannot_link(office, role):
    with pytest.raises(NotAllowed):
        link_accounts([m.account("Ada", office)], name="Ada", actor=m.user("tom", role))


def test_a_protected_person_carries_by_whom_when_and_why(vera, office):
    person = protect_person(m.person("Grace", m.account("Grace", office)), " board member ", actor=vera)
    person.refresh_from_db()
    assert (person.is_protected, person.protected_note, person.protected_by_id) == (True, "board member", vera.pk)
    assert person.protected_at is not None
    (found,) = entries(AuditAction.PERSON_PROTECTED)
    assert (found.person_id, found.actor_id) == (person.pk, vera.pk)
    assert "board" not in found.sealed
    assert "board member" in AuditPersonal.objects.get(pk=found.pk).data


def test_a_lifted_protection_leaves_nothing_behind_but_its_entry(vera, office):
    person = protect_person(m.person("Grace", m.account("Grace", office)), "board", actor=vera)
    unprotect_person(person, "left the board", actor=vera)
    person.refresh_from_db()
    assert (person.is_protected, person.protected_note, person.protected_by_id) == (False, "", None)
    (found,) = entries(AuditAction.PERSON_UNPROTECTED)
    assert "left the board" in AuditPersonal.objects.get(pk=found.pk).data


def test_a_group_is_protected_and_released_the_same_way(vera, office):
    board = protect_group(m.group("Board", office), "elected", actor=vera)
    board.refresh_from_db()
    assert (board.is_protected, board.protected_note) == (True, "elected")
    unprotect_group(board, actor=vera)
    board.refresh_from_db()
    assert not board.is_protected
    assert entries(AuditAction.GROUP_PROTECTED).get().group_id == board.pk
    assert entries(AuditAction.GROUP_UNPROTECTED).get().connection_id == office.pk


def test_lifting_what_is_not_protected_records_nothing(vera, office):
    unprotect_group(m.group("Board", office), actor=vera)
    assert not entries(AuditAction.GROUP_UNPROTECTED).exists()


@pytest.mark.parametrize("role", [Role.VIEWER, Role.APPROVER, Role.AUDITOR])
def test_only_who_may_protect_protects(office, role):
    person = m.person("Grace", m.account("Grace", office))
    with pytest.raises(NotAllowed) as refused:
        protect_person(person, actor=m.user("tom", role))
    assert refused.value.reason == Reason.NO_RIGHT
    person.refresh_from_db()
    assert not person.is_protected
    assert entries(AuditAction.REQUEST_REFUSED).get().person_id == person.pk


def test_a_group_out_of_sight_cannot_be_released(office, club, vera):
    board = protect_group(m.group("Board", office), actor=vera)
    with pytest.raises(NotAllowed):
        unprotect_group(board, actor=m.user("limited", systems=[club]))
    board.refresh_from_db()
    assert board.is_protected


def test_a_note_that_does_not_fit_is_refused(vera, office):
    with pytest.raises(BadValue):
        protect_group(m.group("Board", office), "x" * 301, actor=vera)
