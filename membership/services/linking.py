"""Decisions about proposals to link accounts: accepted, rejected, taken back; and one account unlinked by hand.

A proposal names two accounts. Once it is accepted, `first` is the one that stayed with its person, `second` the one
that joined: taking it back parts the second from the first.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from membership.audit import record
from membership.errors import NotAllowed, Reason
from membership.models import Account, Change, Leaving, LeavingState, LinkProposal, Merging, Person, visible_to
from membership.services import merging
from membership.services.decisions import Decided
from membership.services.link_groups import Joining, joinings, reached_from
from membership.services.shell import audited, need_right, need_visible, refuse
from membership.vocab import AuditAction, Chain, ProposalState, Right

if TYPE_CHECKING:
    from django.contrib.auth.models import User

AT_ONCE = 100
"""Proposals that one transaction decides."""


def proposals(user: "User", *states: ProposalState) -> QuerySet[LinkProposal]:
    """Proposals that the user may see, with what a list shows of both accounts. Without `states`: of all."""
    rows = visible_to(LinkProposal.objects.all(), user)
    if states:
        rows = rows.filter(state__in=states)
    sides = [f"{side}__{name}" for side in ("first", "second") for name in ("connection", "person")]
    heavy = [f"{side}__{name}" for side in ("first", "second") for name in _HEAVY]
    return rows.select_related(*sides).defer(*heavy).order_by("hint", "pk")


_HEAVY = ("attributes", "connection__secrets", "connection__session")


def queue(user: "User") -> QuerySet[LinkProposal]:
    """What waits for a decision, the stronger hints first. What other decisions settled meanwhile is left out."""
    apart = Q(first__person=None) | Q(second__person=None) | ~Q(first__person=F("second__person"))
    return proposals(user, ProposalState.OPEN).filter(apart, first__is_present=True, second__is_present=True)


@audited
def accept_proposals(chosen: Iterable[LinkProposal], *, actor: "User") -> Decided:
    """Link the accounts of each proposal to one person: the one that some of them have, else a new one.

    Where both sides have a person, the two become one, who keeps all accounts and any protection. Left are proposals
    that would merge people who have accounts out of the actor's sight. Raises `NotAllowed` when the actor may not see
    all of the accounts that are proposed.
    """
    return _decide(chosen, actor, ProposalState.OPEN, _accept)


@audited
def reject_proposals(chosen: Iterable[LinkProposal], *, actor: "User") -> Decided:
    """Say that these are different people: they are not proposed again."""
    return _decide(chosen, actor, ProposalState.OPEN, _reject)


@audited
def take_back_proposals(chosen: Iterable[LinkProposal], *, actor: "User") -> Decided:
    """Part again what accepted proposals linked, and put them back into the queue.

    The account that joined leaves the person, and takes along what other accepted proposals tie to it alone. A person
    that was made for the link is gone again with it. Who was a person before the two became one is that person again,
    with number, name, protection and accounts; proposals that tied them otherwise are open again, too.

    Raises `NotAllowed` for a protected person where the actor may not protect: unlinking would undo the protection.
    """
    return _decide(chosen, actor, ProposalState.ACCEPTED, _take_back)


@audited
def unlink_account(account: Account, *, actor: "User") -> None:
    """The account belongs to no person any more; proposals that tied it to the person are open again.

    Raises `ChangeRefused` when it belongs to none, `NotAllowed` as `take_back_proposals` does.
    """
    need_right(actor, Right.ACT)
    need_visible(account, actor)
    with transaction.atomic():
        row = Account.objects.select_for_update(of=("self",)).get(pk=account.pk)
        if row.person_id is None:
            refuse(Reason.NOTHING_TO_DO)
        person = Person.objects.select_for_update().get(pk=row.person_id)
        record.write(Chain.PANEL, [_part(person, {row.pk}, actor, made_at=None)])


def _decide(
    chosen: Iterable[LinkProposal],
    actor: "User",
    state: ProposalState,
    decide: "Callable[[list[LinkProposal], User, datetime], tuple[int, list[record.Entry]]]",
) -> Decided:
    """Decide in transactions of a limited size: what one has done stays, whatever becomes of the next."""
    need_right(actor, Right.ACT)
    ids = sorted({proposal.pk for proposal in chosen})
    if not ids:
        refuse(Reason.NOTHING_SELECTED)
    if visible_to(LinkProposal.objects.filter(pk__in=ids), actor).count() < len(ids):
        raise NotAllowed(Reason.NOT_VISIBLE)
    done = 0
    for start in range(0, len(ids), AT_ONCE):
        now = timezone.now()
        with transaction.atomic():
            locked = LinkProposal.objects.select_for_update(of=("self",)).filter(pk__in=ids[start : start + AT_ONCE])
            number, entries = decide(list(locked.filter(state=state).order_by("pk")), actor, now)
            record.write(Chain.PANEL, entries, at=now)
        done += number
    return Decided(done=done, left=len(ids) - done)


# accepted


def _accept(rows: list[LinkProposal], actor: "User", now: datetime) -> tuple[int, list[record.Entry]]:
    ids = {pk for row in rows for pk in (row.first_id, row.second_id)}
    accounts = list(Account.objects.select_for_update(of=("self",)).filter(pk__in=ids).order_by("pk"))
    people = {account.person_id for account in accounts if account.person_id is not None}
    known = {person.pk: person for person in Person.objects.select_for_update().filter(pk__in=people).order_by("pk")}
    hidden = _with_hidden_accounts(people, actor)
    done, entries = 0, []
    for joining in joinings(rows, accounts, known, hidden):
        entries.append(_join(joining, actor, now))
        done += len(joining.proposals)
    return done, entries


def _with_hidden_accounts(person_ids: Iterable[int], actor: "User") -> set[int]:
    of_them = Account.objects.filter(person_id__in=list(person_ids))
    hidden = of_them.exclude(pk__in=visible_to(of_them, actor).values("pk"))
    return {pk for pk in hidden.values_list("person_id", flat=True) if pk is not None}


def _join(joining: Joining, actor: "User", now: datetime) -> record.Entry:
    person = joining.kept or _new_person(joining.accounts, now)
    joined = [account for account in joining.accounts if account.person_id != person.pk]
    merged = [each.pk for each in joining.merged]
    merging.remember(person, joining.merged, now)
    Account.objects.filter(Q(pk__in=[account.pk for account in joined]) | Q(person_id__in=merged)).update(person=person)
    _take_over_protection(person, joining.merged)
    _take_over_leaving(person, joining.merged)
    _delete_unless_needed(joining.merged)
    _mark_accepted(joining.proposals, {account.pk: _rank(account, person) for account in joining.accounts}, actor, now)
    return record.Entry(
        AuditAction.PERSON_LINKED,
        actor=actor,
        person_id=person.pk,
        data={
            "accounts": [account.pk for account in joined],
            "proposals": [row.pk for row in joining.proposals],
            "merged": merged,
        },
        personal={
            "person": person.name,
            "accounts": [account.label for account in joined],
            "merged": [each.name for each in joining.merged],
        },
    )


def _rank(account: Account, kept: Person) -> int:
    """Who comes first stayed: accounts of the person who is kept, then those of other people, then those of nobody."""
    return 0 if account.person_id == kept.pk else 1 if account.person_id is not None else 2


def _mark_accepted(rows: Sequence[LinkProposal], ranks: Mapping[int, int], actor: "User", now: datetime) -> None:
    _of(rows).update(state=ProposalState.ACCEPTED, decided_by_id=actor.pk, decided_at=now)
    for row in rows:
        if ranks[row.second_id] < ranks[row.first_id]:
            _of([row]).update(first_id=row.second_id, second_id=row.first_id)


def _of(rows: Sequence[LinkProposal]) -> QuerySet[LinkProposal]:
    return LinkProposal.objects.filter(pk__in=[row.pk for row in rows])


def _new_person(accounts: Sequence[Account], now: datetime) -> Person:
    name = next(filter(None, (account.label.strip() for account in accounts)), accounts[0].email or str(accounts[0]))
    person = Person.objects.create(name=name[: Person._meta.get_field("name").max_length])
    # By this a person is known as made for the link, when the link is taken back.
    Person.objects.filter(pk=person.pk).update(created_at=now)
    return person


def _take_over_protection(person: Person, merged: Sequence[Person]) -> None:
    """Two people become one: who was protected stays so."""
    protector = next((each for each in merged if each.is_protected), None)
    if protector is None or person.is_protected:
        return
    fields = ("is_protected", "protected_note", "protected_by_id", "protected_at")
    for name in fields:
        setattr(person, name, getattr(protector, name))
    person.save(update_fields=fields)


def _take_over_leaving(person: Person, merged: Sequence[Person]) -> None:
    """Two people become one: a leaver stays one, until all accounts are gone. What was certified stays whose it was."""
    rows = Leaving.objects.filter(state=LeavingState.OPEN)
    first = rows.filter(person__in=[each.pk for each in merged]).order_by("pk").first()
    if first is not None and not rows.filter(person=person).exists():
        Leaving.objects.filter(pk=first.pk).update(person=person, looked_at=None)


# rejected


def _reject(rows: list[LinkProposal], actor: "User", now: datetime) -> tuple[int, list[record.Entry]]:
    _of(rows).update(state=ProposalState.REJECTED, decided_by_id=actor.pk, decided_at=now)
    ids = {pk for row in rows for pk in (row.first_id, row.second_id)}
    labels = dict(Account.objects.filter(pk__in=ids).values_list("pk", "label"))
    return len(rows), [
        record.Entry(
            AuditAction.PROPOSAL_REJECTED,
            actor=actor,
            account_id=row.first_id,
            data={"proposal": row.pk, "accounts": [row.first_id, row.second_id], "hint": row.hint},
            personal={"person": labels[row.first_id], "accounts": [labels[row.first_id], labels[row.second_id]]},
        )
        for row in rows
    ]


# taken back


def _take_back(rows: list[LinkProposal], actor: "User", _now: datetime) -> tuple[int, list[record.Entry]]:
    entries = []
    for row in rows:
        person_ids = dict(
            Account.objects.select_for_update(of=("self",))
            .filter(pk__in=(row.first_id, row.second_id))
            .order_by("pk")
            .values_list("pk", "person_id")
        )
        person_id = person_ids[row.second_id]
        if person_id is not None and person_id == person_ids[row.first_id]:
            person = Person.objects.select_for_update().get(pk=person_id)
            former = merging.made_by(row, person, _ties(person).exclude(pk=row.pk))
            moved = _moved(row, person, former, actor)
            former = former or merging.whole_among(moved, person)
            entries.append(_part(person, moved, actor, made_at=row.decided_at, proposal=row, former=former))
        _open_again([row.pk])
    return len(rows), entries


def _moved(row: LinkProposal, person: Person, former: Merging | None, actor: "User") -> set[int]:
    """The accounts that leave: with the second one, or those that were `former`'s."""
    ties = _ties(person).exclude(pk=row.pk)
    if former is not None:
        theirs = set(person.accounts.filter(pk__in=former.accounts).values_list("pk", flat=True))
        free = ties.exclude(Q(first__in=former.others) | Q(second__in=former.others))
        tied = theirs.union(*(reached_from(pk, free) for pk in theirs))
    else:
        tied = reached_from(row.second_id, ties)
        if row.first_id in tied:  # other proposals tie them all together: only this one account leaves
            tied = {row.second_id}
    if visible_to(Account.objects.filter(pk__in=tied), actor).count() < len(tied):
        raise NotAllowed(Reason.NOT_VISIBLE)
    return tied


def _ties(person: Person) -> QuerySet[LinkProposal]:
    return LinkProposal.objects.filter(state=ProposalState.ACCEPTED, first__person=person, second__person=person)


def _part(
    person: Person,
    moved: set[int],
    actor: "User",
    *,
    made_at: datetime | None,
    proposal: LinkProposal | None = None,
    former: Merging | None = None,
) -> record.Entry:
    """Part accounts from their person. They are `former` again; else several stay together, as a new person.

    Returns the entry to write last.
    """
    if person.is_protected:
        need_right(actor, Right.PROTECT)
    leaving = list(Account.objects.filter(pk__in=moved).order_by("pk"))
    moved = {account.pk for account in leaving}
    reopened = list(
        _ties(person)
        .filter(Q(first_id__in=moved) ^ Q(second_id__in=moved))  # between those who leave and those who stay
        .values_list("pk", flat=True)
    )
    if former is not None:
        new: Person | None = merging.restore(former)
    else:
        new = Person.objects.create(name=leaving[0].label[:300] or person.name) if len(moved) > 1 else None
    Account.objects.filter(pk__in=moved).update(person=new)
    merging.go_along(person, moved, new)
    _open_again(reopened)
    moved |= _drop_if_left_alone(person, made_at)
    return record.Entry(
        AuditAction.PERSON_UNLINKED,
        actor=actor,
        person_id=person.pk,
        account_id=leaving[0].pk if len(leaving) == 1 else None,
        data={
            "accounts": sorted(moved),
            "proposals": sorted({*reopened, *([proposal.pk] if proposal else [])}),
            "new_person": new.pk if new and former is None else None,
            "restored": new.pk if new and former is not None else None,
        },
        personal={"person": person.name, "accounts": [account.label for account in leaving]},
    )


def _open_again(proposal_ids: Sequence[int]) -> None:
    LinkProposal.objects.filter(pk__in=proposal_ids).update(
        state=ProposalState.OPEN, decided_by_id=None, decided_at=None
    )


def _drop_if_left_alone(person: Person, made_at: datetime | None) -> set[int]:
    """A person without accounts says nothing, nor does one who was made at `made_at` for a link that is gone.

    Returns the accounts that lose the person by it.
    """
    lost: set[int] = set()
    left = list(person.accounts.values_list("pk", flat=True)[:2])
    made_for_it = len(left) == 1 and person.created_at == made_at and not person.is_protected
    if made_for_it and not _is_referred_to(person):
        person.accounts.update(person=None)
        left, lost = [], set(left)
    if not left and not person.is_protected:
        _delete_unless_needed([person])
    return lost


def _delete_unless_needed(people: Sequence[Person]) -> None:
    """Delete people without accounts, but those to whom a change refers, which can be planned again, and leavers."""
    for person in people:
        if not _is_referred_to(person):
            person.delete()


def _is_referred_to(person: Person) -> bool:
    is_leaver = Leaving.objects.filter(person=person).exists()
    return is_leaver or Change.objects.filter(selection__kind="person", selection__id=person.pk).exists()
