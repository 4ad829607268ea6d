"""What the first page and the menu say: how the systems are, what runs, what waits for somebody.

The first page may ask ten questions in all, session, user and rights included: five are left for what is told here.
"""

import datetime as dt
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Any

from django.db.models import (
    BooleanField,
    Case,
    CharField,
    Count,
    Exists,
    IntegerField,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Sum,
    TextChoices,
    When,
)
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from membership import conf
from membership.models import (
    Change,
    Connection,
    Group,
    Operation,
    Participant,
    WorkerBeat,
    has_right,
    visible_to,
)
from membership.services import anchor_sinks, approval, erasure, linking, outside, side_by_side
from membership.services.activity import Activity, activity
from membership.vocab import ChangeKind, ChangeState, ConnectionState, DriftKind, OperationState, Right

if TYPE_CHECKING:
    from django.contrib.auth.models import User

LATELY = dt.timedelta(days=7)
SHOWN = 5


class _CountOf(Subquery):
    """The number of rows of a query, as a column."""

    template = "(SELECT COUNT(*) FROM (%(subquery)s) counted)"
    output_field = IntegerField()
    empty_result_set_value = 0


@dataclass(frozen=True, slots=True)
class Badges:
    """What the menu counts, and the worker's last sign of life.

    `drifts` were changed outside and wait for a decision, of which `joined` and `left`; `proposals` to link wait, too.
    """

    waiting: int
    drifts: int
    stopped: int
    worker_seen_at: dt.datetime | None
    worker_silent: bool
    worker_trouble: str = ""
    joined: int = 0
    left: int = 0
    proposals: int = 0
    erasures: int = 0
    """What somebody else asked to have erased, and waits for this user."""
    anchor_problem: str = ""
    """Why anchors of the audit log do not get where they should; empty: they do."""


def badges(user: "User") -> Badges:
    """One query."""
    now = timezone.now()
    silent_since = now - dt.timedelta(seconds=conf.worker_silent_after_s())
    beats = WorkerBeat.objects.filter(at__lte=now + conf.CLOCKS_DIFFER).order_by("-at")
    drifts = outside.open_drifts(user)
    row = side_by_side.ask(
        counted={
            "waiting": _waiting(user, now),
            "drifts": drifts,
            "joined": drifts.filter(kind=DriftKind.JOINED),
            "left": drifts.filter(kind=DriftKind.LEFT),
            "proposals": linking.queue(user) if has_right(user, Right.ACT) else linking.queue(user).none(),
            "erasures": erasure.to_approve(user),
            "stopped": visible_to(Connection.objects.filter(state=ConnectionState.PAUSED), user),
        },
        first={
            "seen_at": beats.values("at"),
            "trouble": beats.filter(at__gt=silent_since).exclude(trouble="").values("trouble"),
            "anchor_problem": anchor_sinks.failing().values("problem"),
        },
    )
    seen_at = row["seen_at"]
    return Badges(
        waiting=row["waiting"],
        drifts=row["drifts"],
        stopped=row["stopped"],
        worker_seen_at=seen_at,
        worker_silent=seen_at is None or seen_at <= silent_since,
        worker_trouble=row["trouble"] or "",
        joined=row["joined"],
        left=row["left"],
        proposals=row["proposals"],
        erasures=row["erasures"],
        anchor_problem=row["anchor_problem"] or "",
    )


def _count(rows: QuerySet[Any]) -> _CountOf:
    return _CountOf(rows.order_by().values("pk"))


class Health(TextChoices):
    """How a system is, in one word: the worst that holds."""

    RETIRED = "retired", _("retired")
    STOPPED = "stopped", _("stopped")
    MAINTENANCE = "maintenance", _("in maintenance")
    SLOWED = "slowed", _("slowed")
    NEW = "new", _("not read yet")
    OLD = "old", _("not read for long")
    WELL = "well", _("well")


_HEALTH = {
    ConnectionState.RETIRED: Health.RETIRED,
    ConnectionState.PAUSED: Health.STOPPED,
    ConnectionState.MAINTENANCE: Health.MAINTENANCE,
}
OLD_AFTER_READINGS = 3
"""A system is not read for long when so many of its readings in a row told nothing whole."""


@dataclass(frozen=True, slots=True)
class SystemCard:
    """One system on the first page. `unmatched`: participants of whom the account is not known. `steps`: that wait or
    are under way there."""

    connection: Connection
    groups: int
    participants: int
    unmatched: int
    is_slowed: bool
    steps: int = 0
    health: Health = Health.WELL


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
    """Retired ones come last."""
    running: list[Running]
    waiting: list[Change]
    """Changes that wait for somebody; each has `foreign` and `refused`, the numbers of such steps, and `asker_may`:
    what waits for approval can still be approved."""
    half_done: list[Operation]
    """Steps of which a part was done before the rest was refused: somebody is left out. Each needs its way back, or
    another try; those that have one under way are not here, nor those of some days ago in systems retired since."""
    drifts: int
    joined: int
    left: int
    proposals: int
    erasures: int
    anchor_problem: str
    activity: Activity


def overview(user: "User", known: Badges | None = None) -> Overview:
    """Everything on the first page, with four queries, and one more without the menu's `known` counts."""
    now = timezone.now()
    counts = known or badges(user)
    running, waiting = _changes(user, now)
    return Overview(
        systems=_systems(user, now),
        running=running,
        waiting=waiting,
        half_done=list(_half_done(user, now)),
        drifts=counts.drifts,
        joined=counts.joined,
        left=counts.left,
        proposals=counts.proposals,
        erasures=counts.erasures,
        anchor_problem=counts.anchor_problem if has_right(user, Right.READ_AUDIT) else "",
        activity=activity(user, now),
    )


def _steps(*states: str) -> _CountOf:
    return _count(Operation.objects.filter(change=OuterRef("pk"), state__in=states))


def _systems(user: "User", now: dt.datetime) -> list[SystemCard]:
    groups = Group.objects.filter(connection=OuterRef("pk"), is_present=True).order_by().values("connection")
    unmatched = Participant.objects.filter(is_present=True, account=None, group__connection=OuterRef("pk"))
    under_way = Operation.objects.filter(
        connection=OuterRef("pk"), state__in=(OperationState.QUEUED, *OperationState.begun())
    )
    rows = visible_to(Connection.objects.all(), user).annotate(
        groups_n=Subquery(groups.annotate(n=Count("pk")).values("n")),
        participants_n=Subquery(groups.annotate(n=Sum("participants_count")).values("n")),
        unmatched_n=_count(unmatched),
        steps_n=_count(under_way),
    )
    cards = [
        SystemCard(
            connection=row,
            groups=row.groups_n or 0,
            participants=row.participants_n or 0,
            unmatched=row.unmatched_n,
            is_slowed=_is_slowed(row, now),
            steps=row.steps_n,
            health=health(row, now),
        )
        for row in rows.defer("secrets", "session")
    ]
    return sorted(cards, key=lambda card: card.health == Health.RETIRED)


def health(row: Connection, now: dt.datetime) -> Health:
    """How a system is, in one word."""
    state = _HEALTH.get(ConnectionState(row.state))
    if state is not None:
        return state
    if _is_slowed(row, now):
        return Health.SLOWED
    if row.read_at is None:
        return Health.NEW
    is_old = now - row.read_at > dt.timedelta(seconds=OLD_AFTER_READINGS * conf.read_every_s())
    return Health.OLD if is_old else Health.WELL


def _is_slowed(row: Connection, now: dt.datetime) -> bool:
    return bool(row.slowed_until and row.slowed_until > now)


def _changes(user: "User", now: dt.datetime) -> tuple[list[Running], list[Change]]:
    """What runs, and what waits for a decision, the newest of each: one query."""
    running = visible_to(Change.objects.filter(state__in=ChangeState.open()), user).order_by("-pk")
    waiting = _waiting(user, now).order_by("-pk")
    waits = Case(When(pk__in=waiting.values("pk")[:SHOWN], then=True), default=False, output_field=BooleanField())
    rows = (
        approval.with_askers(Change.objects.all())
        .filter(Q(pk__in=running.values("pk")[:SHOWN]) | Q(pk__in=waiting.values("pk")[:SHOWN]))
        .annotate(
            waits=waits,
            ended=_steps(*OperationState.final()),
            foreign=_steps(OperationState.FOREIGN),
            refused=_steps(OperationState.REFUSED),
        )
        .select_related("requested_by")
        .order_by("-pk")
    )
    found = list(rows)
    under_way = [row for row in found if row.state in ChangeState.open()][:SHOWN]
    return (
        [Running(row, row.ended, row.operations_count) for row in under_way],
        [row for row in found if row.waits],
    )


def _half_done(user: "User", now: dt.datetime) -> QuerySet[Operation]:
    if not has_right(user, Right.ACT):
        return Operation.objects.none()
    dropped = ChangeState.dropped()
    way_back = Change.objects.annotate(of=_as_text(KeyTextTransform("of", "selection"))).filter(
        kind=ChangeKind.WAY_BACK, of=_as_text(OuterRef("pk"))
    )
    retry = Change.objects.filter(retry_of=OuterRef("change_id"))
    # What nobody can put back from here is told for a while.
    out_of_reach = Q(connection__state=ConnectionState.RETIRED, settled_at__lte=now - LATELY)
    # By the change first: few of them ended so, and their steps are found by an index.
    rows = Operation.objects.filter(
        change__state__in=(*ChangeState.open(), ChangeState.DONE_WITH_FAILURES, ChangeState.CANCELLED),
        state=OperationState.REFUSED,
        outcome_params__half_done=True,
    ).exclude(Exists(way_back.exclude(state__in=dropped)) | Exists(retry.exclude(state__in=dropped)) | out_of_reach)
    heavy = ("secrets", "change__selection", "group__secrets", "group__attributes")
    shown = visible_to(rows, user).select_related("change", "group", "connection").order_by("-pk")
    return shown.defer(*heavy, "connection__secrets", "connection__session")[:SHOWN]


def _as_text(value: Any) -> Cast:
    return Cast(value, CharField())


def _waiting(user: "User", now: dt.datetime) -> QuerySet[Change]:
    """Changes that wait for approval, for a decision, for another try, or, the user's own, to be confirmed."""
    steps = Operation.objects.filter(change=OuterRef("pk"))
    foreign = Exists(steps.filter(state=OperationState.FOREIGN))
    refused = Exists(steps.filter(state=OperationState.REFUSED)) & ~Exists(
        Change.objects.filter(retry_of=OuterRef("pk"))
    )
    open_ones = Q(state__in=ChangeState.open()) & Q(foreign)
    to_approve = Q(state=ChangeState.WAITING) & ~Q(requested_by=user)
    failed = Q(state=ChangeState.DONE_WITH_FAILURES, requested_by=user, finished_at__gt=now - LATELY) & Q(refused)
    drafts = Q(state=ChangeState.DRAFT, requested_by=user, operations_count__gt=0, stale_at__gt=now)
    # End dates that nobody could act on by themselves wait for anybody who may.
    drafts |= Q(state=ChangeState.DRAFT, kind=ChangeKind.ENDING, stale_at__gt=now)
    paused = Q(state=ChangeState.PAUSED, cancel_wanted_at=None)
    of_right = {Right.ACT: open_ones | failed | drafts | paused, Right.APPROVE: to_approve}
    mine = [condition for right, condition in of_right.items() if has_right(user, right)]
    if not mine:
        return Change.objects.none()
    return visible_to(Change.objects.filter(reduce(or_, mine)), user)


def waiting_for(user: "User") -> QuerySet[Change]:
    """Changes that wait for this user: to approve, to decide a step, to try again, or, the user's own, to confirm."""
    return _waiting(user, timezone.now())


__all__ = [
    "LATELY",
    "Badges",
    "Health",
    "Overview",
    "Running",
    "SystemCard",
    "badges",
    "health",
    "overview",
    "waiting_for",
]
