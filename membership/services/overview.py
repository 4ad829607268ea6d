"""What the first page and the menu say: how the systems are, what runs, what waits for somebody."""

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.contrib.auth import get_user_model
from django.db.models import Count, Exists, IntegerField, OuterRef, Q, QuerySet, Subquery, Sum
from django.utils import timezone

from membership import conf
from membership.models import (
    Change,
    Connection,
    Drift,
    Group,
    Operation,
    Participant,
    WorkerBeat,
    has_right,
    visible_to,
)
from membership.vocab import ChangeState, ConnectionState, OperationState, Right

if TYPE_CHECKING:
    from django.contrib.auth.models import User

LATELY = dt.timedelta(days=7)
SHOWN = 5


class _CountOf(Subquery):
    """The number of rows of a query, as a column."""

    template = "(SELECT COUNT(*) FROM (%(subquery)s) counted)"
    output_field = IntegerField()


@dataclass(frozen=True, slots=True)
class Badges:
    """What the menu counts, and the worker's last sign of life."""

    waiting: int
    drifts: int
    stopped: int
    worker_seen_at: dt.datetime | None
    worker_silent: bool


def badges(user: "User") -> Badges:
    """One query."""
    now = timezone.now()
    row = (
        get_user_model()
        .objects.filter(pk=user.pk)
        .annotate(
            waiting=_CountOf(_waiting(user, now).values("pk")),
            drifts=_CountOf(_drifts(user, now).values("pk")),
            stopped=_CountOf(visible_to(Connection.objects.filter(state=ConnectionState.PAUSED), user).values("pk")),
            seen_at=Subquery(WorkerBeat.objects.order_by("-at").values("at")[:1]),
        )
        .values("waiting", "drifts", "stopped", "seen_at")
        .get()
    )
    seen_at = row["seen_at"]
    silent = seen_at is None or (now - seen_at).total_seconds() > conf.worker_silent_after_s()
    return Badges(row["waiting"], row["drifts"], row["stopped"], seen_at, silent)


@dataclass(frozen=True, slots=True)
class SystemCard:
    """One system on the first page. `unmatched`: participants of whom the account is not known."""

    connection: Connection
    groups: int
    participants: int
    unmatched: int
    is_slowed: bool


@dataclass(frozen=True, slots=True)
class Running:
    """A change that is under way: how many of its steps have ended."""

    change: Change
    done: int
    total: int

    @property
    def percent(self) -> int:
        return 100 * self.done // self.total if self.total else 0


@dataclass(frozen=True, slots=True)
class Overview:
    systems: list[SystemCard]
    running: list[Running]
    waiting: list[Change]
    """Changes that wait for somebody; each has `foreign` and `refused`, the numbers of such steps."""
    drifts: int
    joined: int
    left: int


def overview(user: "User") -> Overview:
    """Everything on the first page, with five queries."""
    now = timezone.now()
    drifts = _drifts(user, now).aggregate(
        all=Count("pk"), joined=Count("pk", filter=Q(kind="joined")), left=Count("pk", filter=Q(kind="left"))
    )
    return Overview(
        systems=_systems(user, now),
        running=_running(user),
        waiting=list(
            _waiting(user, now)
            .annotate(
                foreign=_steps(OperationState.FOREIGN),
                refused=_steps(OperationState.REFUSED),
            )
            .select_related("requested_by")
            .order_by("-pk")[:SHOWN]
        ),
        drifts=drifts["all"],
        joined=drifts["joined"],
        left=drifts["left"],
    )


def _steps(state: OperationState) -> _CountOf:
    return _CountOf(Operation.objects.filter(change=OuterRef("pk"), state=state).order_by().values("pk"))


def _systems(user: "User", now: dt.datetime) -> list[SystemCard]:
    groups = Group.objects.filter(connection=OuterRef("pk"), is_present=True).order_by().values("connection")
    unmatched = Participant.objects.filter(is_present=True, account=None, group__connection=OuterRef("pk"))
    rows = visible_to(Connection.objects.all(), user).annotate(
        groups_n=Subquery(groups.annotate(n=Count("pk")).values("n")),
        participants_n=Subquery(groups.annotate(n=Sum("participants_count")).values("n")),
        unmatched_n=_CountOf(unmatched.order_by().values("pk")),
    )
    return [
        SystemCard(
            connection=row,
            groups=row.groups_n or 0,
            participants=row.participants_n or 0,
            unmatched=row.unmatched_n,
            is_slowed=bool(row.slowed_until and row.slowed_until > now),
        )
        for row in rows.defer("secrets", "session")
    ]


def _running(user: "User") -> list[Running]:
    ended = Operation.objects.filter(change=OuterRef("pk"), state__in=OperationState.final()).order_by().values("pk")
    rows = visible_to(Change.objects.filter(state__in=ChangeState.open()), user).annotate(ended=_CountOf(ended))
    return [Running(row, row.ended, row.operations_count) for row in rows.order_by("-pk")[:SHOWN]]


def _waiting(user: "User", now: dt.datetime) -> QuerySet[Change]:
    """Changes that wait for a decision, for another try, or, the user's own, to be confirmed."""
    steps = Operation.objects.filter(change=OuterRef("pk"))
    foreign = Exists(steps.filter(state=OperationState.FOREIGN))
    refused = Exists(steps.filter(state=OperationState.REFUSED)) & ~Exists(
        Change.objects.filter(retry_of=OuterRef("pk"))
    )
    open_ones = Q(state__in=ChangeState.open()) & Q(foreign)
    failed = Q(state=ChangeState.DONE_WITH_FAILURES, requested_by=user, finished_at__gt=now - LATELY) & Q(refused)
    drafts = Q(state=ChangeState.DRAFT, requested_by=user, operations_count__gt=0, stale_at__gt=now)
    if not has_right(user, Right.ACT):
        return Change.objects.none()
    return visible_to(Change.objects.filter(open_ones | failed | drafts), user)


def _drifts(user: "User", now: dt.datetime) -> QuerySet[Drift]:
    return visible_to(Drift.objects.filter(noticed_at__gt=now - LATELY), user).order_by()


__all__ = ["LATELY", "Badges", "Overview", "Running", "SystemCard", "badges", "overview"]
