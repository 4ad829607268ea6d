"""Two people who become one: who the other was is kept, and restored when the link is taken back.

Between that they are no person: no list, search or count knows about them. What belongs to accounts (places, end dates,
steps) goes where the accounts go.
"""

from collections.abc import Collection, Sequence
from datetime import datetime

from django.db.models import QuerySet

from membership.models import Account, Leaving, LeavingState, LinkProposal, Merging, Person
from membership.services.link_groups import reached_from

_SAID = ("name", "is_protected", "protected_note", "protected_by_id", "protected_at", "created_at")
_PROTECTION = {"is_protected": False, "protected_note": "", "protected_by_id": None, "protected_at": None}


def remember(kept: Person, merged: Sequence[Person], now: datetime) -> None:
    """Keep who `merged` were, before their accounts become those of `kept`. Inside the caller's transaction."""
    ids = [person.pk for person in merged]
    owners = dict(
        Account.objects.filter(person_id__in=[kept.pk, *ids]).order_by("pk").values_list("pk", "person_id")
        if merged
        else ()
    )
    leavers = Leaving.objects.filter(person__in=ids, state=LeavingState.OPEN)
    leaving = dict(leavers.values_list("person_id", "pk") if merged else ())
    # Whoever became part of one of them before is part of who is kept, and goes back with them.
    Merging.objects.filter(person__in=ids).update(person=kept)
    Merging.objects.bulk_create(
        Merging(
            person=kept,
            former_id=person.pk,
            accounts=[pk for pk, owner in owners.items() if owner == person.pk],
            others=[pk for pk, owner in owners.items() if owner != person.pk],
            leaving_id=leaving.get(person.pk),
            merged_at=now,
            **{name: getattr(person, name) for name in _SAID},
        )
        for person in merged
    )


def made_by(proposal: LinkProposal, person: Person, ties: QuerySet[LinkProposal]) -> Merging | None:
    """Who became part of `person` by this accepted proposal; None: nobody would be parted but an account alone.

    It ties an account of theirs to one of the others, or to an account of nobody that `ties` (what else is accepted)
    tie to the others, and to nobody of theirs.
    """
    ends = {proposal.first_id, proposal.second_id}
    rows = list(person.mergings.filter(merged_at=proposal.decided_at).order_by("pk")) if proposal.decided_at else []
    for merging in sorted(rows, key=lambda each: proposal.second_id not in each.accounts):
        theirs, others, far = set(merging.accounts), set(merging.others), ends - set(merging.accounts)
        if len(far) != 1:
            continue
        reached = far if far <= others else reached_from(next(iter(far)), ties)
        if reached & others and not reached & theirs:
            return merging
    return None


def whole_among(accounts: Collection[int], person: Person) -> Merging | None:
    """The last of those who became part of `person` all of whose accounts are among these."""
    there = _accounts(person)
    for merging in person.mergings.order_by("-merged_at", "-pk"):
        theirs = there.intersection(merging.accounts)
        if theirs and theirs.issubset(accounts):
            return merging
    return None


def restore(merging: Merging) -> Person:
    """The person that they were, without accounts yet. Inside the caller's transaction."""
    kept = merging.person
    said = {name: getattr(merging, name) for name in _SAID}
    person, is_new = Person.objects.get_or_create(pk=merging.former_id, defaults=said)
    if is_new:
        Person.objects.filter(pk=person.pk).update(created_at=merging.created_at)
    _give_protection_back(kept, merging)
    rows = Leaving.objects.filter(state=LeavingState.OPEN)
    if merging.leaving_id is not None and not rows.filter(person=person).exists():
        rows.filter(pk=merging.leaving_id, person=kept).update(person=person, looked_at=None)
    merging.delete()
    return person


def _give_protection_back(kept: Person, merging: Merging) -> None:
    """What was taken over, and is still the same decision, is only the other's again."""
    is_theirs = kept.protected_at is not None and all(
        getattr(kept, name) == getattr(merging, name) for name in _PROTECTION
    )
    if not is_theirs:
        return
    for name, value in _PROTECTION.items():
        setattr(kept, name, value)
    kept.save(update_fields=list(_PROTECTION))


def go_along(kept: Person, moved: Collection[int], new: Person | None) -> None:
    """Accounts were parted from `kept`: who left with the last of theirs is part of `new` now, or of nobody."""
    left = _accounts(kept)
    for merging in kept.mergings.all():
        if not left.isdisjoint(merging.accounts):
            continue
        if new is None or set(merging.accounts).isdisjoint(moved):
            merging.delete()
        else:
            merging.person = new
            merging.save(update_fields=["person"])


def _accounts(person: Person) -> set[int]:
    return set(person.accounts.values_list("pk", flat=True))
