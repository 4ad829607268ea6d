"""Changes in stages: what may begin now, what is read back after each stage, and what makes a change wait.

Stages are ranges of positions. What is released may be begun; a later stage's operations stay planned until the stage
before was read back as confirmed, or somebody said: go on.
"""

from collections import Counter
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from membership import conf, crash
from membership.audit import record
from membership.errors import Reason
from membership.models import Change, Group, Operation, Reading, Stage
from membership.operations.compare import not_as_wished
from membership.vocab import (
    AuditAction,
    Chain,
    ChangeState,
    OperationState,
    ReadingKind,
    ReadingState,
    StageState,
    Verb,
)

KEPT = 100
"""So many differing operations of a stage are named."""
FAILED = (OperationState.REFUSED, OperationState.OVERTAKEN, OperationState.FOREIGN)
UNSETTLED = (OperationState.PLANNED, OperationState.QUEUED, OperationState.RUNNING, OperationState.IN_DOUBT)
WENT_WELL = (OperationState.CONFIRMED, OperationState.NOT_NEEDED)


# laid out


def lay_out(change: Change, sizes: Sequence[int], now: datetime) -> list[Stage]:
    """Cut a plan into stages of these sizes and a rest. Nothing is cut where it fits into the first.

    A stage grows by what its operations wait for: nobody waits for somebody of a later stage. Inside the caller's
    transaction.
    """
    total = Operation.objects.filter(change=change).count()
    ends = _ends(total, sizes, _waits(change) if sizes else {})
    if len(ends) < 2:
        return []
    begins = [0, *ends]
    stages = [
        Stage(change=change, number=number, begins=begin, ends=end)
        for number, (begin, end) in enumerate(zip(begins, ends, strict=False), start=1)
    ]
    stages[0].state, stages[0].released_at = StageState.RUNNING, now
    Stage.objects.bulk_create(stages)
    change.released_to = ends[0]
    change.save(update_fields=["released_to"])
    return stages


def _ends(total: int, sizes: Sequence[int], waits: Mapping[int, int]) -> list[int]:
    ends: list[int] = []
    end = 0
    for size in sizes:
        end = _closed(end + size, waits)
        if end >= total:
            break
        ends.append(end)
    return [*ends, total]


def _closed(end: int, waits: Mapping[int, int]) -> int:
    """The end of a stage that holds everything that its operations wait for."""
    while (needed := max((first + 1 for place, first in waits.items() if place < end), default=0)) > end:
        end = needed
    return end


def _waits(change: Change) -> dict[int, int]:
    rows = Operation.objects.filter(change=change, before__after__isnull=False)
    return dict(rows.order_by().values_list("position", "before__after"))


# paused and released


def hold(change_id: int, reason: Reason, params: Mapping[str, Any], now: datetime) -> bool:
    """Pause a change that moves. What has begun ends as it ends. Inside the caller's transaction."""
    moving = Change.objects.filter(pk=change_id, state__in=ChangeState.moving())
    return bool(
        moving.update(state=ChangeState.PAUSED, paused_at=now, pause_reason=reason.value, pause_params=dict(params))
    )


def let_go(change: Change, now: datetime) -> bool:
    """Let a paused change go on, with its next stage where a stage paused it. Inside the caller's transaction."""
    has_begun = Operation.objects.filter(change=change, claimed_at__isnull=False).exists()
    state = ChangeState.RUNNING if has_begun else ChangeState.QUEUED
    paused = Change.objects.filter(pk=change.pk, state=ChangeState.PAUSED)
    if not paused.update(state=state, paused_at=None, pause_reason="", pause_params={}):
        return False
    released_to = change.released_to or 0
    if Stage.objects.filter(change=change, ends=released_to, state=StageState.DIFFERS).exists():
        _release_next(change.pk, released_to, now)
    return True


def _release_next(change_id: int, begins: int, now: datetime) -> None:
    following = Stage.objects.filter(change_id=change_id, begins=begins, state=StageState.WAITING).first()
    if following is not None:
        Stage.objects.filter(pk=following.pk).update(state=StageState.RUNNING, released_at=now)
        Change.objects.filter(pk=change_id).update(released_to=following.ends)


# looked at


def advance() -> bool:
    """Have the groups of stages that have ended read, and judge those that were read. True: something was done."""
    done = 0
    begun = Stage.objects.filter(state__in=(StageState.RUNNING, StageState.READING))
    for stage in begun.exclude(change__confirmed_at=None).order_by("pk"):  # what waits for approval has not begun
        done += _end(stage) if stage.state == StageState.RUNNING else _judge(stage)
    return bool(done)


def _steps(stage: Stage) -> QuerySet[Operation]:
    return Operation.objects.filter(change_id=stage.change_id, position__gte=stage.begins, position__lt=stage.ends)


def _end(stage: Stage) -> int:
    if _steps(stage).filter(state__in=UNSETTLED).exists():
        return 0
    now = timezone.now()
    with transaction.atomic():
        ended = Stage.objects.filter(pk=stage.pk, state=StageState.RUNNING).update(
            state=StageState.READING, ended_at=now
        )
        if not ended:
            return 0
        Reading.objects.bulk_create(
            Reading(
                connection_id=connection_id,
                group_id=group_id,
                change_id=stage.change_id,
                kind=ReadingKind.GROUP,
                state=ReadingState.WANTED,
                asked_at=now,
            )
            for connection_id, group_id in _concerned(stage)
        )
        crash.point("stage.ending")
    return 1


def _concerned(stage: Stage) -> list[tuple[int, int]]:
    """(connection, group) of what went well. What was deleted is not there to be read."""
    rows = _steps(stage).filter(state__in=WENT_WELL, group__is_present=True).exclude(verb=Verb.DELETE_GROUP)
    return list(rows.order_by("group_id").values_list("connection_id", "group_id").distinct())


@dataclass(frozen=True, slots=True)
class _Found:
    failures: int
    settled: int
    differing: Sequence[int]
    unread: Sequence[int]
    given_up: Set[int]
    """Groups that a stage before could not read, either: somebody let the change go on without."""

    @property
    def why(self) -> tuple[Reason, dict[str, Any]] | None:
        """What is wrong, the worst first; None where all is as confirmed."""
        if self.differing:
            return Reason.STAGE_DIFFERS, {"count": len(self.differing)}
        if self.failures > conf.stage_failures_above() * self.settled:
            return Reason.STAGE_FAILED, {"count": self.failures, "total": self.settled}
        return (Reason.STAGE_NOT_READ, {"count": len(self.unread)}) if set(self.unread) - self.given_up else None


def _judge(stage: Stage) -> int:
    readings = Reading.objects.filter(change_id=stage.change_id, state__in=ReadingState.open())
    if stage.ended_at is None or readings.filter(asked_at=stage.ended_at).exists():
        return 0
    found, now = _look(stage), timezone.now()
    why = found.why
    state = StageState.AS_WISHED if why is None else StageState.DIFFERS
    with transaction.atomic():
        change = Change.objects.select_for_update().get(pk=stage.change_id)
        judged = Stage.objects.filter(pk=stage.pk, state=StageState.READING).update(
            state=state,
            judged_at=now,
            failures=found.failures,
            differences=len(found.differing),
            differing=list(found.differing[:KEPT]),
            unread=len(found.unread),
            unread_groups=list(found.unread[:KEPT]),
        )
        if not judged:
            return 0
        entries = [_entry(stage, state, found, why)]
        goes_on = change.state in ChangeState.open() and change.cancel_wanted_at is None
        if goes_on and Stage.objects.filter(change=change, begins=stage.ends).exists():
            if why is None:
                _release_next(change.pk, stage.ends, now)
            elif hold(change.pk, why[0], {"stage": stage.number, **why[1]}, now):
                data = {"stage": stage.number, **why[1]}
                entries.append(
                    record.Entry(AuditAction.CHANGE_PAUSED, change_id=change.pk, outcome=why[0].value, data=data)
                )
        crash.point("stage.judging")
        record.write(Chain.PANEL, entries, at=now)
    return 1


def _look(stage: Stage) -> _Found:
    states = Counter(_steps(stage).values_list("state", flat=True))
    groups = [group_id for _connection, group_id in _concerned(stage)]
    stale = Q(read_at=None) | Q(read_at__lt=stage.ended_at)
    unread = list(
        Group.objects.filter(stale, pk__in=groups, is_present=True).order_by("pk").values_list("pk", flat=True)
    )
    before = Stage.objects.filter(change=stage.change_id, number__lt=stage.number).values_list(
        "unread_groups", flat=True
    )
    read = _steps(stage).filter(state__in=WENT_WELL).exclude(group__in=unread)
    return _Found(
        failures=sum(states[state] for state in FAILED),
        settled=sum(states.values()),
        differing=not_as_wished(read),
        unread=unread,
        given_up={pk for groups in before for pk in groups},
    )


def _entry(
    stage: Stage, state: StageState, found: _Found, why: tuple[Reason, Mapping[str, Any]] | None
) -> record.Entry:
    fine = Reason.STAGE_LEFT_UNREAD.value if found.unread else state.value
    return record.Entry(
        AuditAction.CHANGE_STAGE_FINISHED,
        change_id=stage.change_id,
        outcome=why[0].value if why else fine,
        data={
            "stage": stage.number,
            "count": len(found.differing) or (found.failures if why else 0) or len(found.unread),
            "total": found.settled,
            "failures": found.failures,
            "differences": len(found.differing),
            "unread": len(found.unread),
            "groups": found.unread[:KEPT],
        },
    )
