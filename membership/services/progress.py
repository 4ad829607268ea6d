"""How far a change is: counted, in words, with what holds it up."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count
from django.utils import timezone
from django.utils.translation import gettext as _

from membership.models import Change, Connection, Operation
from membership.sentences import sentence
from membership.services.inert import inert
from membership.services.step_words import duration, seconds
from membership.vocab import ChangeKind, ChangeState, ConnectionState, OperationState

_WAITING = (OperationState.PLANNED, OperationState.QUEUED)
_SENT_SOON = (*_WAITING, OperationState.RUNNING)


@dataclass(frozen=True, slots=True)
class Tally:
    """One state and its number, for a tag: "23 done"."""

    state: str
    count: int
    word: str


@dataclass(frozen=True, slots=True)
class PartProgress:
    """One system's share. `note` is empty while nothing holds it up."""

    connection: Connection
    total: int
    remaining: int
    is_paused: bool
    left_s: float | None
    note: str

    @property
    def rate_per_s(self) -> float:
        return self.connection.rate_per_s


@dataclass(frozen=True, slots=True)
class Progress:
    """`finished` counts steps that ended, however they did. `left_s` None: nothing is left, or it cannot be told."""

    total: int
    finished: int
    tallies: tuple[Tally, ...]
    parts: tuple[PartProgress, ...]
    left_s: float | None
    stalled: bool
    needs_decision: int

    @property
    def remaining(self) -> int:
        return self.total - self.finished

    @property
    def left(self) -> str:
        """Such as "about 7 s left"; empty where it cannot be told."""
        return _("about %(time)s left") % {"time": duration(self.left_s)} if self.left_s is not None else ""

    def count(self, state: str) -> int:
        return next((tally.count for tally in self.tallies if tally.state == state), 0)

    def share(self, state: str) -> float:
        """Percent of all steps in this state, for a bar."""
        return 100 * self.count(state) / self.total if self.total else 0.0


def progress(change: Change) -> Progress:
    """How far `change` is, with three queries at most."""
    now = timezone.now()
    rows = (
        Operation.objects.filter(change=change)
        .order_by()
        .values_list("connection_id", "state")
        .annotate(number=Count("pk"))
    )
    counts: dict[int, Counter[str]] = {}
    for connection_id, state, number in rows:
        counts.setdefault(connection_id, Counter())[state] += number
    connections = Connection.objects.filter(pk__in=counts).order_by("name", "pk")
    parts = tuple(_part(connection, counts[connection.pk], change, now) for connection in connections)
    all_counts = sum(counts.values(), Counter())
    remaining = sum(all_counts[state] for state in OperationState.open())
    unfinished = [part for part in parts if part.remaining and _is_released(part, change)]
    lefts = [part.left_s for part in parts if part.left_s is not None]
    is_moving = change.state in ChangeState.moving()
    return Progress(
        total=sum(all_counts.values()),
        finished=sum(all_counts.values()) - remaining,
        tallies=tuple(
            Tally(state.value, all_counts[state], _tally_word(change, state, all_counts[state]))
            for state in OperationState
            if all_counts[state]
        ),
        parts=parts,
        left_s=max(lefts) if lefts and is_moving else None,
        stalled=is_moving and bool(unfinished) and all(part.is_paused for part in unfinished),
        needs_decision=all_counts[OperationState.FOREIGN],
    )


def _is_released(part: PartProgress, change: Change) -> bool:
    """Whether something open of it may begin: what a later stage holds back does not stand on a stopped system."""
    if change.released_to is None:
        return True
    rows = Operation.objects.filter(change=change, connection=part.connection, position__lt=change.released_to)
    return rows.filter(state__in=OperationState.open()).exists()


def _tally_word(change: Change, state: OperationState, count: int) -> str:
    only_removes = change.kind in ChangeKind.only_remove()
    word = _("already gone") if state == OperationState.NOT_NEEDED and only_removes else str(state.label)
    return _("%(count)d %(state)s") % {"count": count, "state": word}


def _part(connection: Connection, counts: Counter[str], change: Change, now: datetime) -> PartProgress:
    remaining = sum(counts[state] for state in OperationState.open())
    is_paused = connection.state != ConnectionState.ACTIVE
    holds = bool(remaining) and change.state in ChangeState.open()
    return PartProgress(
        connection=connection,
        total=sum(counts.values()),
        remaining=remaining,
        is_paused=is_paused,
        left_s=None if is_paused else _left_s(connection, counts, now),
        note=inert(_note(connection, now)) if holds else "",
    )


def _left_s(connection: Connection, counts: Counter[str], now: datetime) -> float | None:
    """An estimate from the limit; None where nothing is left that goes on by itself."""
    soon = sum(counts[state] for state in _SENT_SOON)
    doubts = counts[OperationState.IN_DOUBT]
    if not soon and not doubts:
        return None
    rest_s = max(0.0, (connection.slowed_until - now).total_seconds()) if connection.slowed_until else 0.0
    return rest_s + max(soon / connection.rate_per_s, connection.settle_s if doubts else 0.0)


def _note(connection: Connection, now: datetime) -> str:
    """What holds a system up, in words."""
    if connection.state == ConnectionState.MAINTENANCE:
        return _("%(system)s is in maintenance; its steps wait until it is resumed.") % {"system": connection.name}
    if connection.state == ConnectionState.RETIRED:
        return _("%(system)s is retired; its steps are not sent any more.") % {"system": connection.name}
    if connection.state == ConnectionState.PAUSED:
        why = sentence(connection.state_reason, connection.state_params) if connection.state_reason else ""
        stopped = _("%(system)s is stopped; its steps wait.") % {"system": connection.name}
        return f"{stopped} {why}".strip()
    if connection.slowed_until and connection.slowed_until > now:
        why = sentence(connection.slowed_reason, connection.slowed_params) if connection.slowed_reason else ""
        slowed = _("%(system)s is slowed down: it rests for %(wait)s, the other systems go on.") % {
            "system": connection.name,
            "wait": seconds(connection.slowed_until, now),
        }
        return f"{slowed} {why}".strip()
    return ""
