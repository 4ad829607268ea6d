"""Which account of a person joins a group: people are asked for by name, systems know accounts."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from membership.errors import Reason
from membership.models import Account, Group, Participant, Person, visible_to
from membership.plans.facts import chunks
from membership.plans.wishes import Add, Barred, Refusal, Wish

if TYPE_CHECKING:
    from django.contrib.auth.models import User

Rights = Mapping[str, bool]


def joining(persons: Sequence[Person], groups: Sequence[tuple[Group, Rights]], actor: "User") -> list[Wish]:
    """Each of `persons` joins each of `groups` with its rights, by the one account that they have there.

    Whoever has none there, or several of which none is in the group and not one alone is active, is named as left out.
    The groups' connections should be loaded.
    """
    accounts = _accounts(persons, {group.connection_id for group, _ in groups}, actor)
    places = _places(accounts, [group for group, _ in groups])
    return [
        _wish(person, group, rights, accounts[person.pk, group.connection_id], places)
        for group, rights in groups
        for person in persons
    ]


def _accounts(
    persons: Sequence[Person], connections: set[int], actor: "User"
) -> dict[tuple[int | None, int], list[Account]]:
    """`{(person id, connection id): their accounts there, as far as the actor may see}`."""
    found: dict[tuple[int | None, int], list[Account]] = defaultdict(list)
    for ids in chunks(person.pk for person in persons):
        rows = Account.objects.filter(person_id__in=ids, connection_id__in=connections, is_present=True)
        for account in visible_to(rows.defer("attributes"), actor).order_by("pk"):
            found[account.person_id, account.connection_id].append(account)
    return found


def _places(
    accounts: Mapping[tuple[int | None, int], list[Account]], groups: Sequence[Group]
) -> set[tuple[int, int | None]]:
    """`(group id, account id)` of the places of people with several accounts in one system."""
    several = [account.pk for there in accounts.values() if len(there) > 1 for account in there]
    found: set[tuple[int, int | None]] = set()
    for ids in chunks(several):
        rows = Participant.objects.filter(account_id__in=ids, group__in=groups, is_present=True)
        found |= set(rows.values_list("group_id", "account_id"))
    return found


def _wish(
    person: Person,
    group: Group,
    rights: Rights,
    accounts: Sequence[Account],
    places: set[tuple[int, int | None]],
) -> Wish:
    system = {"system": group.connection.name}
    if not accounts:
        return Barred(person.name, group.pk, Refusal(Reason.NO_ACCOUNT_THERE, system))
    chosen = [account for account in accounts if (group.pk, account.pk) in places]
    chosen = chosen or [account for account in accounts if account.active] or list(accounts)
    if len(chosen) > 1 and (group.pk, chosen[0].pk) not in places:
        return Barred(person.name, group.pk, Refusal(Reason.SEVERAL_ACCOUNTS_THERE, system))
    return Add(chosen[0].pk, group.pk, rights)
