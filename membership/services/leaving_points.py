"""What is still open about a leaver: worked out from the mirror, the steps and the readings each time it is asked."""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Count, Q, QuerySet

from membership.errors import Reason
from membership.models import Account, Connection, Group, Leaving, LinkProposal, Operation, Participant
from membership.sentences import sentence
from membership.services.inert import inert
from membership.vocab import ConnectionState, OperationState, ProposalState, Verb

GONE = (OperationState.CONFIRMED, OperationState.NOT_NEEDED)


@dataclass(frozen=True, slots=True)
class Point:
    """One thing that stands between a leaver and the certificate. `group`, `system`: what has to be read for it."""

    connection: Connection | None
    reason: Reason
    params: Mapping[str, Any] = field(default_factory=dict)
    group_id: int | None = None
    change_id: int | None = None

    @property
    def words(self) -> str:
        return inert(sentence(self.reason, self.params))


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What a look at one leaver found. `removals`: the newest step that took away each place, `{participant: step}`."""

    accounts: Sequence[Account]
    systems: Sequence[Connection]
    """All that are not retired."""
    removals: Mapping[int, Operation]
    points: Sequence[Point]


def look(leaving: Leaving) -> Knowledge:
    """Everything that is open, whoever may see it. A dozen queries.

    The worker goes on meanwhile. So what was read is asked for first, where they are last: a place that a reading finds
    during the look is not taken for read and empty.
    """
    accounts = list(
        Account.objects.filter(person=leaving.person_id)
        .select_related("connection")
        .defer("connection__secrets", "connection__session")
        .order_by("connection__name", "pk")
    )
    rows = Connection.objects.exclude(state=ConnectionState.RETIRED).defer("secrets", "session")
    systems = list(rows.order_by("name"))
    unread = [*_systems(leaving, accounts, systems), *_proposals(accounts)]
    steps = _removals(accounts, leaving.asked_at)
    there = list(present(accounts).defer("secrets", "group__secrets", "group__connection__secrets"))
    points = [*_places(there, steps), *_steps(there, steps), *unread]
    return Knowledge(accounts, systems, steps, points)


def _removals(accounts: Sequence[Account], since: dt.datetime) -> dict[int, Operation]:
    """The newest removal of each place that was asked for since the leaving began, in whatever change."""
    rows = Operation.objects.filter(
        account__in=accounts,
        verb=Verb.REMOVE,
        participant__isnull=False,
        change__created_at__gte=since,
        change__confirmed_at__isnull=False,
    )
    related = rows.select_related("group", "connection", "change__requested_by", "participant")
    light = related.defer("group__secrets", "connection__secrets", "connection__session", "participant__secrets")
    return {step.participant_id: step for step in light.order_by("pk") if step.participant_id is not None}


def present(accounts: Sequence[Account]) -> QuerySet[Participant]:
    """Where these accounts are now, as far as is known. What a retired system kept is its history, not a place."""
    there = Participant.objects.filter(account__in=accounts, is_present=True, group__is_present=True)
    there = there.exclude(group__connection__state=ConnectionState.RETIRED)
    return there.select_related("group__connection").order_by("group__connection__name", "group__name", "pk")


def _places(there: Sequence[Participant], steps: Mapping[int, Operation]) -> Iterator[Point]:
    for place in there:
        system, step = place.group.connection, steps.get(place.pk)
        about = {"group": str(place.group), "system": system.name}
        change_id = step.change_id if step else None
        if step is not None and step.state in OperationState.open():
            yield Point(system, Reason.LEAVER_UNDER_WAY, about, place.group_id, change_id)
        else:
            yield Point(system, Reason.LEAVER_STILL_IN, about, place.group_id, change_id)


def _steps(there: Sequence[Participant], steps: Mapping[int, Operation]) -> Iterator[Point]:
    """Removals that had not ended when they were looked at, and groups that were left and not read completely since."""
    said = {place.pk for place in there}
    for participant_id, step in steps.items():
        group, at = step.group, step.settled_at
        if participant_id in said or group is None:
            continue
        if step.state in OperationState.open():
            # It ended during the look: the next one sees when, and whether it was read back.
            about = {"group": str(group), "system": step.connection.name}
            yield Point(step.connection, Reason.LEAVER_UNDER_WAY, about, group.pk, step.change_id)
            continue
        if step.state not in GONE or not group.is_present or at is None:
            continue
        if group.read_at is None or group.read_at <= at or group.incomplete_reason:
            about = {"group": str(group)}
            yield Point(step.connection, Reason.LEAVER_NOT_READ_BACK, about, group.pk, step.change_id)


def _systems(leaving: Leaving, accounts: Sequence[Account], systems: Sequence[Connection]) -> Iterator[Point]:
    """Systems of which it is not known who is in each group: the leaver may be there unseen."""
    concerned = {account.connection_id for account in accounts}
    unread = _counts(Group.objects.filter(Q(read_at=None) | ~Q(incomplete_reason=""), is_present=True), "connection_id")
    unmatched = _counts(
        Participant.objects.filter(account=None, is_present=True, group__is_present=True), "group__connection_id"
    )
    for system in systems:
        about = {"system": system.name, "why": _why_not_read(system)}
        since = leaving.begun_at if system.pk in concerned else None
        if system.read_at is None or (since is not None and system.read_at < since):
            yield Point(system, Reason.LEAVER_SYSTEM_NOT_READ, about)
        elif unread.get(system.pk):
            yield Point(system, Reason.LEAVER_GROUPS_UNREAD, {**about, "count": unread[system.pk]})
        if unmatched.get(system.pk):
            yield Point(system, Reason.LEAVER_ROWS_UNMATCHED, {**about, "count": unmatched[system.pk]})


def _counts(rows: QuerySet[Any], column: str) -> dict[int, int]:
    return dict(rows.order_by().values_list(column).annotate(count=Count("pk")))


def _why_not_read(system: Connection) -> str:
    """Why a system cannot be read now; "" where it can."""
    if system.state != ConnectionState.ACTIVE and system.state_reason:
        return sentence(system.state_reason, system.state_params)
    return sentence(system.slowed_reason, system.slowed_params) if system.slowed_reason else ""


def _proposals(accounts: Sequence[Account]) -> Iterator[Point]:
    about = Q(first__in=accounts) | Q(second__in=accounts)
    count = LinkProposal.objects.filter(about, state=ProposalState.OPEN).count() if accounts else 0
    if count:
        yield Point(None, Reason.LEAVER_PROPOSALS_OPEN, {"count": count})
