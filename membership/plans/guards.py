"""What is left out of a plan, and why. A guard never drops a wish silently: it names the reason.

The order of `GUARDS` decides which reason is told when several hold.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import QuerySet

from membership.errors import Reason
from membership.models import Connection, Group, Operation, Participant, Person, Presence
from membership.plans.wishes import Providers, Wish, chunks
from membership.providers.ids import is_sendable_id
from membership.vocab import ChangeState, OperationState, PresenceCause


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a wish is left out, with what its sentence needs."""

    reason: Reason
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Known:
    """What guards have to know beyond the wishes themselves, asked for with few queries."""

    providers: Providers
    own_accounts: Mapping[int, str]  # {connection id: remote id}
    asked: Mapping[tuple[int, str], int]  # {(group id, subject): the change that asks for it}
    managers_staying: Mapping[int, int]  # {group id: managers that no open operation removes}
    gone: Mapping[int, Mapping[str, Any]]  # {participant id: when it left, and how}
    notes: Mapping[tuple[str, int], Mapping[str, Any]]  # {("person" or "group", id): by, at, note}


def sift(wishes: Sequence[Wish], connections: Mapping[int, Connection], providers: Providers) -> dict[int, Refusal]:
    """`{participant id: why it is left out}`. `wishes` in the order of the plan: the last manager in it stays."""
    known = _learn(wishes, connections, providers)
    refusals: dict[int, Refusal] = {}
    staying = dict(known.managers_staying)
    for wish in wishes:
        refusal = next((found for guard in GUARDS if (found := guard(wish, known))), None)
        if refusal is None and wish.is_manager:
            if staying.get(wish.group_id, 0) <= 1:
                refusal = Refusal(Reason.LAST_MANAGER)
            else:
                staying[wish.group_id] -= 1
        if refusal is not None:
            refusals[wish.participant_id] = refusal
    return refusals


def already_gone(wish: Wish, known: Known) -> Refusal | None:
    if not wish.is_present:
        return Refusal(Reason.ALREADY_GONE, known.gone.get(wish.participant_id, {}))
    return None if wish.group_is_present else Refusal(Reason.GROUP_NOT_FOUND)


def already_asked(wish: Wish, known: Known) -> Refusal | None:
    change = known.asked.get((wish.group_id, wish.subject(known.providers[wish.connection_id])))
    return None if change is None else Refusal(Reason.ALREADY_ASKED, {"change": change})


def own_account(wish: Wish, known: Known) -> Refusal | None:
    own = known.own_accounts.get(wish.connection_id, "")
    is_own = wish.account_is_own or (own and wish.account_ref(known.providers[wish.connection_id]) == own)
    return Refusal(Reason.OWN_ACCOUNT) if is_own else None


def person_protected(wish: Wish, known: Known) -> Refusal | None:
    if not wish.person_is_protected or wish.person_id is None:
        return None
    return Refusal(Reason.PERSON_PROTECTED, known.notes.get(("person", wish.person_id), {}))


def group_protected(wish: Wish, known: Known) -> Refusal | None:
    if not wish.group_is_protected:
        return None
    return Refusal(Reason.GROUP_PROTECTED, known.notes.get(("group", wish.group_id), {}))


def managed_elsewhere(wish: Wish, _known: Known) -> Refusal | None:
    return Refusal(Reason.MANAGED_ELSEWHERE) if wish.group_managed_elsewhere else None


def not_offered(wish: Wish, known: Known) -> Refusal | None:
    return None if known.providers[wish.connection_id].capabilities.remove else Refusal(Reason.NOT_OFFERED)


def id_not_sendable(wish: Wish, _known: Known) -> Refusal | None:
    """One rule for all remotes: also where an id would travel in a body, an odd one may reach a URL behind it."""
    ids = (wish.group_remote_id, wish.remote_id, wish.account_remote_id)
    sendable = all(is_sendable_id(each) for each in ids if each is not None)
    return None if sendable else Refusal(Reason.ID_NOT_SENDABLE)


Guard = Callable[[Wish, Known], Refusal | None]
GUARDS: tuple[Guard, ...] = (
    already_gone,
    already_asked,
    own_account,
    person_protected,
    group_protected,
    managed_elsewhere,
    not_offered,
    id_not_sendable,
)


def _learn(wishes: Sequence[Wish], connections: Mapping[int, Connection], providers: Providers) -> Known:
    groups = sorted({wish.group_id for wish in wishes})
    asked, leaving = _open_operations(groups)
    return Known(
        providers=providers,
        own_accounts={pk: connection.own_account_id for pk, connection in connections.items()},
        asked=asked,
        managers_staying=_managers_staying(sorted({wish.group_id for wish in wishes if wish.is_manager}), leaving),
        gone=_departures([wish.participant_id for wish in wishes if not wish.is_present]),
        notes=_protections(
            {wish.person_id for wish in wishes if wish.person_is_protected and wish.person_id is not None},
            {wish.group_id for wish in wishes if wish.group_is_protected},
        ),
    )


def _open_operations(groups: list[int]) -> tuple[dict[tuple[int, str], int], set[int]]:
    """What confirmed changes still ask for in these groups, and the participants that they remove."""
    asked: dict[tuple[int, str], int] = {}
    leaving: set[int] = set()
    for ids in chunks(groups):
        rows = Operation.objects.filter(
            group_id__in=ids, state__in=OperationState.open(), change__state__in=ChangeState.open()
        ).values_list("group_id", "subject", "change_id", "participant_id")
        for group_id, subject, change_id, participant_id in rows.order_by("pk"):
            asked.setdefault((group_id, subject), change_id)
            leaving.add(participant_id)
    return asked, leaving


def _managers_staying(groups: list[int], leaving: set[int]) -> dict[int, int]:
    staying = dict.fromkeys(groups, 0)
    for ids in chunks(groups):
        rows = Participant.objects.filter(group_id__in=ids, is_manager=True, is_present=True)
        for group_id, participant_id in rows.order_by().values_list("group_id", "pk"):
            staying[group_id] += participant_id not in leaving
    return staying


def _departures(participants: list[int]) -> dict[int, dict[str, Any]]:
    found: dict[int, dict[str, Any]] = {}
    for ids in chunks(participants):
        rows = Presence.objects.filter(participant_id__in=ids).exclude(until=None).order_by("until", "pk")
        for participant_id, until, ended_by in rows.values_list("participant_id", "until", "ended_by"):
            if until is None:
                continue
            found[participant_id] = {"at": until.isoformat(), "how": ended_by or PresenceCause.UNKNOWN.value}
    return found


def _protections(persons: set[int], groups: set[int]) -> dict[tuple[str, int], dict[str, Any]]:
    """By whom, when and why; names of users as they are now."""
    marks: dict[tuple[str, int], tuple[int | None, datetime | None, str]] = {}
    kinds: tuple[tuple[str, QuerySet[Any], set[int]], ...] = (
        ("person", Person.objects.all(), persons),
        ("group", Group.objects.all(), groups),
    )
    for kind, queryset, wanted in kinds:
        for ids in chunks(sorted(wanted)):
            columns = queryset.values_list("pk", "protected_by_id", "protected_at", "protected_note")
            marks.update({(kind, pk): (by, at, note) for pk, by, at, note in columns.filter(pk__in=ids).order_by()})
    users = get_user_model().objects.filter(pk__in={by for by, _, _ in marks.values() if by is not None})
    names = {user.pk: user.get_username() for user in users} if marks else {}
    return {
        key: {"by": names.get(by, "") if by else "", "at": at.isoformat() if at else "", "note": note}
        for key, (by, at, note) in marks.items()
    }
