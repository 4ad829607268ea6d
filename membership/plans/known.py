"""What guards have to know beyond the cases themselves, asked for with few queries."""

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from django.contrib.auth import get_user_model
from django.db.models import QuerySet

from membership.models import Connection, Group, Operation, Participant, Person, Presence
from membership.plans import subjects
from membership.plans.cases import Case, Looked, Providers
from membership.plans.facts import chunks
from membership.plans.limits import Rules
from membership.vocab import ChangeState, OperationState, PresenceCause, Verb


class Asked(NamedTuple):
    """The last wish of a confirmed change about somebody in a group, which is still open."""

    change_id: int
    verb: str


@dataclass(frozen=True, slots=True)
class Known:
    connections: Mapping[int, Connection]
    providers: Providers
    asked: Mapping[tuple[int | None, str], Asked]
    awaited: Mapping[
        tuple[int | None, str, str], int
    ]  # {(group id, subject, verb): the change that waits for approval}
    being_deleted: Mapping[int | None, int]  # {group id: the change that asks for it}
    being_created: Mapping[tuple[int, str], int]  # {(connection id, subject): the change that asks for it}
    managers_staying: Mapping[int, int]  # {group id: managers that no open operation removes or demotes}
    gone: Mapping[int, Mapping[str, Any]]  # {participant id: when it left, and how}
    notes: Mapping[tuple[str, int], Mapping[str, Any]]  # {("person" or "group", id): by, at, note}
    protected_inside: Mapping[int, str]  # {group id: somebody protected who is in it}
    rules: Rules


def learn(looked: Looked, rules: Rules, *, with_waiting: bool = True) -> Known:
    """`with_waiting`: also what changes ask for that wait for approval."""
    cases = looked.cases
    groups = sorted({case.group_id for case in cases if case.group_id is not None})
    creating = {case.connection_id for case in cases if case.verb == Verb.CREATE_GROUP}
    states = ChangeState.open() | ({ChangeState.WAITING} if with_waiting else set())
    asked, awaited, leaving, being_deleted = _open_operations(groups, states)
    losing = sorted({case.group_id for case in cases if case.is_losing and case.group_id is not None})
    return Known(
        connections=looked.connections,
        providers=looked.providers,
        asked=asked,
        awaited=awaited,
        being_deleted=being_deleted,
        being_created=_being_created(creating, states),
        managers_staying=_managers_staying(losing, leaving),
        gone=_departures([case.place.pk for case in cases if case.place and not case.place.is_present]),
        notes=_protections(_protected_people(cases), _protected_groups(cases)),
        protected_inside=_protected_inside(
            [case.group_id for case in cases if case.verb == Verb.DELETE_GROUP and case.group_id is not None]
        ),
        rules=rules,
    )


def _protected_people(cases: Sequence[Case]) -> set[int]:
    accounts = [case.account for case in cases if case.account]
    return {each.person_id for each in accounts if each.person_is_protected and each.person_id is not None}


def _protected_groups(cases: Sequence[Case]) -> set[int]:
    return {case.group.pk for case in cases if case.group and case.group.is_protected}


def _open_operations(
    groups: list[int], states: Set[str]
) -> tuple[
    dict[tuple[int | None, str], Asked],
    dict[tuple[int | None, str, str], int],
    set[int | None],
    dict[int | None, int],
]:
    """What confirmed changes still ask for in these groups, what those ask for that wait for approval, the participants
    that the confirmed ones remove or demote, and the groups that they delete."""
    awaited: dict[tuple[int | None, str, str], int] = {}
    deleting: dict[int | None, int] = {}
    asked: dict[tuple[int | None, str], Asked] = {}
    leaving: set[int | None] = set()
    for ids in chunks(groups):
        rows = Operation.objects.filter(
            group_id__in=ids, state__in=OperationState.open(), change__state__in=states
        ).order_by("pk")
        columns = ("group_id", "subject", subjects.ACCOUNT_NOW, "change_id", "participant_id", "verb", "wanted")
        for group_id, named, account_id, change_id, participant_id, verb, wanted, state in rows.values_list(
            *columns, "change__state"
        ):
            subject = subjects.now(named, account_id)
            if state == ChangeState.WAITING:
                awaited[(group_id, subject, verb)] = change_id
                continue
            asked[(group_id, subject)] = Asked(change_id, verb)
            if verb == Verb.REMOVE or (verb == Verb.UPDATE and wanted.get("is_manager") is False):
                leaving.add(participant_id)
            elif verb == Verb.DELETE_GROUP:
                deleting[group_id] = change_id
    return asked, awaited, leaving, deleting


def _being_created(connections: set[int], states: Set[str]) -> dict[tuple[int, str], int]:
    rows = Operation.objects.filter(
        connection_id__in=connections,
        group=None,
        verb=Verb.CREATE_GROUP,
        state__in=OperationState.open(),
        change__state__in=states,
    )
    columns = rows.values_list("connection_id", "subject", "change_id") if connections else ()
    return {(connection_id, subject): change_id for connection_id, subject, change_id in columns}


def _managers_staying(groups: list[int], leaving: set[int | None]) -> dict[int, int]:
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


def _protected_inside(groups: Iterable[int]) -> dict[int, str]:
    rows = Participant.objects.filter(
        group_id__in=list(groups), is_present=True, account__person__is_protected=True
    ).order_by("-label")
    return dict(rows.values_list("group_id", "account__person__name")) if groups else {}


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
