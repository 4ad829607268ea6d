"""Which accounts become one person when several proposals are accepted together. Pure: rows in, groups out."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from django.db.models import QuerySet

from membership.models import Account, LinkProposal, Person


@dataclass(frozen=True, slots=True)
class Joining:
    """Accounts that become one person. `kept` None: a new one. `merged`: people who become part of `kept`."""

    accounts: Sequence[Account]
    proposals: Sequence[LinkProposal]
    kept: Person | None
    merged: Sequence[Person]


def joinings(
    proposals: Sequence[LinkProposal],
    accounts: Sequence[Account],
    people: Mapping[int, Person],
    hidden: set[int],
) -> Iterator[Joining]:
    """One for each person that comes about. `hidden`: ids of people who have accounts out of the actor's sight; two of
    them are not merged, and their proposals are in no joining.
    """
    by_id = {account.pk: account for account in accounts}
    # Accounts of the same person belong together from the start, whatever the proposals say.
    links = [(row.first_id, row.second_id) for row in proposals]
    of_person: dict[int, list[int]] = defaultdict(list)
    for account in accounts:
        if account.person_id is not None:
            of_person[account.person_id].append(account.pk)
    links += [(group[0], other) for group in of_person.values() for other in group[1:]]
    for ids in _connected(by_id, links):
        found = sorted({pk for each in ids if (pk := by_id[each].person_id) is not None})
        if len(hidden.intersection(found)) > 1:
            continue
        kept = _kept([people[pk] for pk in found], hidden)
        yield Joining(
            accounts=[by_id[pk] for pk in sorted(ids)],
            proposals=[row for row in proposals if row.first_id in ids],
            kept=kept,
            merged=[people[pk] for pk in found if kept is not None and pk != kept.pk],
        )


def _kept(people: Sequence[Person], hidden: set[int]) -> Person | None:
    """Who has accounts out of sight, else who is protected, else the oldest."""
    return min(people, key=lambda each: (each.pk not in hidden, not each.is_protected, each.pk), default=None)


def reached_from(account_id: int, ties: QuerySet[LinkProposal]) -> set[int]:
    """The accounts that these proposals tie to one, itself included."""
    links = list(ties.values_list("first_id", "second_id"))
    everyone = {account_id, *(pk for link in links for pk in link)}
    return next(group for group in _connected(everyone, links) if account_id in group)


def _connected(nodes: Iterable[int], links: Iterable[tuple[int, int]]) -> list[set[int]]:
    beside: dict[int, set[int]] = {node: set() for node in nodes}
    for one, other in links:
        beside[one].add(other)
        beside[other].add(one)
    groups: list[set[int]] = []
    seen: set[int] = set()
    for node in beside:
        if node in seen:
            continue
        group, waiting = {node}, [node]
        while waiting:
            new = beside[waiting.pop()] - group
            group |= new
            waiting += new
        seen |= group
        groups.append(group)
    return groups
