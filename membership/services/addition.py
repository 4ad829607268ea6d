"""Drafts of additions: accounts or people join groups. Nothing is queued here."""

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from django.utils.dateparse import parse_date

from membership.errors import Reason
from membership.models import Account, Change, Group, Person
from membership.plans.wishes import Add, Wish
from membership.services import drafts, endings, selecting, who
from membership.services.shell import audited, need_right, refuse
from membership.vocab import ChangeKind, Right

if TYPE_CHECKING:
    from django.contrib.auth.models import User


@audited
def draft_addition(
    *,
    accounts: Iterable[Account] = (),
    persons: Iterable[Person] = (),
    groups: Iterable[Group],
    rights: Mapping[str, bool] | None = None,
    until: dt.date | None = None,
    actor: "User",
) -> Change:
    """Store the plan by which `accounts`, and the accounts of `persons`, join each of `groups`, guards applied.

    `rights`: those of `is_manager`, `can_write`, `is_muted` that are wished; somebody who is there already gets them by
    an alteration, and is left out where nothing is wished. An account of another system than the group's, and a person
    without an account there, are left out by name.

    `until`: their last day there, kept for those whom the change adds once it is confirmed.

    Raises `NotAllowed` when any row is out of the actor's sight, `ChangeRefused` when nothing is selected.
    """
    need_right(actor, Right.ACT)
    endings.checked(until)
    wished = selecting.rights(rights or {})
    joined = selecting.seen(groups, actor, "connection")
    known = selecting.seen(accounts, actor)
    people = selecting.seen(persons, actor)
    if not joined or not (known or people):
        refuse(Reason.NOTHING_SELECTED)
    wishes: list[Wish] = [Add(account.pk, group.pk, wished) for group in joined for account in known]
    wishes += who.joining(people, [(group, wished) for group in joined], actor)
    selection = {
        "kind": "addition",
        "accounts": [account.pk for account in known],
        "persons": [person.pk for person in people],
        "groups": [group.pk for group in joined],
        "wanted": wished,
        **endings.in_selection(until),
    }
    return drafts.draft(ChangeKind.ADDITION, wishes, selection, actor=actor)


def again(selection: Mapping[str, Any], *, actor: "User") -> Change:
    """The same once more, as things are now."""
    return draft_addition(
        accounts=Account.objects.filter(pk__in=selection["accounts"]),
        persons=Person.objects.filter(pk__in=selection["persons"]),
        groups=Group.objects.filter(pk__in=selection["groups"]),
        rights=selection["wanted"],
        until=parse_date(selection.get("until", "")),
        actor=actor,
    )
