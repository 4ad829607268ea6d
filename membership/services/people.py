"""People of ours: accounts linked to a person, and what is protected."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, TypeVar

from django.db import transaction
from django.db.models import Count, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from membership.audit import record
from membership.errors import BadValue, NotAllowed, Reason
from membership.models import Account, Group, Merging, Person, reached_ids, visible_to
from membership.services.shell import audited, need_right, need_visible, refuse
from membership.services.typed import clean
from membership.vocab import AuditAction, Chain, Right

if TYPE_CHECKING:
    from django.contrib.auth.models import User

P = TypeVar("P", Person, Group)

NAME_CHARS = 300
NOTE_CHARS = 300


def apart(rows: QuerySet[Person]) -> QuerySet[Person]:
    """Without those who are part of somebody else, and are only kept because a change or a leaver's row names them."""
    return rows.exclude(pk__in=Merging.objects.values("former_id"))


def listed(rows: QuerySet[Person], user: "User") -> QuerySet[Person]:
    """People as lists show them, with `accounts_n`: how many of their accounts the user may see."""
    within = reached_ids(user)
    seen = Q() if within is None else Q(accounts__connection_id__in=within)
    return apart(rows).annotate(accounts_n=Count("accounts", filter=seen, distinct=True))


@audited
def link_accounts(accounts: Iterable[Account], *, name: str, actor: "User") -> Person:
    """One person for these accounts: the one that some of them have already, else a new one called `name`.

    Raises `NotAllowed` when the actor may not see all of them; `BadValue` when they belong to different people, or when
    a new person would have no name.
    """
    need_right(actor, Right.ACT)
    ids = {account.pk for account in accounts}
    if not ids:
        refuse(Reason.NOTHING_SELECTED)
    said_name = clean(name, key="name", at_most=NAME_CHARS)
    with transaction.atomic():
        locked = Account.objects.select_for_update(of=("self",)).filter(pk__in=ids)
        rows = list(visible_to(locked, actor).order_by("pk"))
        if len(rows) < len(ids):
            raise NotAllowed(Reason.NOT_VISIBLE)
        person = _person_of(rows, said_name)
        free = [row for row in rows if row.person_id is None]
        Account.objects.filter(pk__in=[row.pk for row in free]).update(person=person)
        record.write(Chain.PANEL, [_linked_entry(person, row, actor) for row in free])
    return person


def _person_of(accounts: list[Account], name: str) -> Person:
    people = {account.person_id for account in accounts if account.person_id is not None}
    if len(people) > 1:
        raise BadValue(Reason.BAD_VALUE, key="accounts", why=_("they belong to different people"))
    if people:
        return Person.objects.get(pk=people.pop())
    if not name:
        raise BadValue(Reason.BAD_VALUE, key="name", why=_("it is empty"))
    return Person.objects.create(name=name)


def _linked_entry(person: Person, account: Account, actor: "User") -> record.Entry:
    return record.Entry(
        AuditAction.PERSON_LINKED,
        actor=actor,
        person_id=person.pk,
        account_id=account.pk,
        connection_id=account.connection_id,
        personal={"person": person.name, "account": account.label},
    )


@audited
def protect_person(person: Person, note: str = "", *, actor: "User") -> Person:
    """From now on no plan removes this person. `note` says why, and is shown with it."""
    return _protect(person, AuditAction.PERSON_PROTECTED, note, actor=actor)


@audited
def unprotect_person(person: Person, note: str = "", *, actor: "User") -> Person:
    """Lift the protection of a person. `note` goes into the audit log."""
    return _unprotect(person, AuditAction.PERSON_UNPROTECTED, note, actor=actor)


@audited
def protect_group(group: Group, note: str = "", *, actor: "User") -> Group:
    """From now on no plan changes who is in this group. `note` says why, and is shown with it."""
    return _protect(group, AuditAction.GROUP_PROTECTED, note, actor=actor)


@audited
def unprotect_group(group: Group, note: str = "", *, actor: "User") -> Group:
    """Lift the protection of a group. `note` goes into the audit log."""
    return _unprotect(group, AuditAction.GROUP_UNPROTECTED, note, actor=actor)


def _protect(row: P, action: AuditAction, note: str, *, actor: "User") -> P:
    need_right(actor, Right.PROTECT)
    need_visible(row, actor)
    said = clean(note, key="note", at_most=NOTE_CHARS)
    with transaction.atomic():
        locked = type(row)._default_manager.select_for_update().get(pk=row.pk)
        before = locked.protected_note if locked.is_protected else None
        locked.is_protected = True
        locked.protected_note = said
        locked.protected_by_id = actor.pk
        locked.protected_at = timezone.now()
        _save(locked)
        record.write(Chain.PANEL, [_protection_entry(action, locked, actor, note=said, note_before=before)])
    return locked


def _unprotect(row: P, action: AuditAction, note: str, *, actor: "User") -> P:
    need_right(actor, Right.PROTECT)
    need_visible(row, actor)
    said = clean(note, key="note", at_most=NOTE_CHARS)
    with transaction.atomic():
        locked = type(row)._default_manager.select_for_update().get(pk=row.pk)
        before = locked.protected_note
        if not locked.is_protected:
            return locked
        locked.is_protected = False
        locked.protected_note = ""
        locked.protected_by_id = None
        locked.protected_at = None
        _save(locked)
        record.write(Chain.PANEL, [_protection_entry(action, locked, actor, note=said, note_before=before)])
    return locked


def _save(row: Person | Group) -> None:
    row.save(update_fields=["is_protected", "protected_note", "protected_by_id", "protected_at"])


def _protection_entry(
    action: AuditAction, row: Person | Group, actor: "User", *, note: str, note_before: str | None
) -> record.Entry:
    return record.Entry(
        action,
        actor=actor,
        person_id=row.pk if isinstance(row, Person) else None,
        group_id=row.pk if isinstance(row, Group) else None,
        connection_id=row.connection_id if isinstance(row, Group) else None,
        personal={"name": row.name, "note": note, "note_before": note_before or ""},
    )
