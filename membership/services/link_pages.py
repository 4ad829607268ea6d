"""What pages show of proposals to link: the groups of both sides, what accepting one would do, those of one person."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from django.db.models import Count, F, Q, Window
from django.db.models.functions import RowNumber
from django.utils.translation import gettext as _

from membership.models import Account, LinkProposal, Participant, Person
from membership.services import linking
from membership.services.inert import inert
from membership.vocab import ProposalState

if TYPE_CHECKING:
    from django.contrib.auth.models import User

GROUPS_NAMED = 3
SHOWN = 20


@dataclass(frozen=True, slots=True)
class Places:
    """Where an account takes part: the first few groups by name, and how many more there are."""

    names: list[str] = field(default_factory=list)
    more: int = 0


NOWHERE = Places()


def places_of(accounts: Iterable[Account]) -> Mapping[int, Places]:
    """`{account id: where it is}`, with one query. Accounts in no group are not in it."""
    rows = Participant.objects.filter(
        account__in=[account.pk for account in accounts], is_present=True, group__is_present=True
    ).annotate(
        nth=Window(RowNumber(), partition_by=F("account_id"), order_by=["group__name", "pk"]),
        total=Window(Count("pk"), partition_by=F("account_id")),
    )
    found: dict[int, Places] = {}
    named = rows.filter(nth__lte=GROUPS_NAMED).order_by("account_id", "nth")
    for account_id, name, total in named.values_list("account_id", "group__name", "total"):
        if account_id is not None:
            names = [*found.get(account_id, NOWHERE).names, inert(name)]
            found[account_id] = Places(names, total - len(names))
    return found


def what_accepting_does(proposal: LinkProposal) -> str:
    """One sentence, by who of the two has a person already."""
    one, other = proposal.first.person, proposal.second.person
    if one is not None and other is not None:
        if one.pk == other.pk:
            return _("They are the same person already.")
        return _("Two people become one.")
    known = one or other
    if known is not None:
        return _("Joins %(name)s.") % {"name": inert(known.name)}
    return _("A new person, with both accounts.")


def of_person(person: Person, user: "User") -> tuple[list[LinkProposal], list[LinkProposal]]:
    """What is proposed about this person, and what was accepted: two short lists."""
    either = Q(first__person=person) | Q(second__person=person)
    waiting = linking.queue(user).filter(either)[:SHOWN]
    accepted = linking.proposals(user, ProposalState.ACCEPTED).filter(first__person=person, second__person=person)
    return list(waiting), list(accepted.order_by("-decided_at", "-pk")[:SHOWN])


def other_side(proposal: LinkProposal, person: Person) -> Account:
    """The account that is not this person's yet."""
    return proposal.second if proposal.first.person_id == person.pk else proposal.first
