"""What attempts mean for their operations: one transaction a batch of answers."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import DatabaseError, transaction
from django.utils import timezone

from membership.audit import record
from membership.errors import AuditUnavailable, NextStep, Reason
from membership.mirror import writer
from membership.models import Operation, Reading
from membership.operations import outbox
from membership.operations.attempts import Attempt
from membership.operations.entries import operation_entry
from membership.providers.base import RemoteParticipant, Verdict
from membership.vocab import AuditAction, OperationState, ReadingKind, ReadingState

logger = logging.getLogger(__name__)

STATE_AFTER = {
    NextStep.RETRY: OperationState.QUEUED,
    NextStep.PAUSE: OperationState.QUEUED,
    NextStep.RENEW: OperationState.QUEUED,
    NextStep.STOP: OperationState.QUEUED,
    NextStep.READ_BACK: OperationState.IN_DOUBT,
    NextStep.REFUSE: OperationState.REFUSED,
}
ACTION_FOR = {
    OperationState.QUEUED: AuditAction.OPERATION_RETURNED,
    OperationState.IN_DOUBT: AuditAction.OPERATION_IN_DOUBT,
    OperationState.REFUSED: AuditAction.OPERATION_REFUSED,
    OperationState.CONFIRMED: AuditAction.OPERATION_CONFIRMED,
    OperationState.FOREIGN: AuditAction.OPERATION_FOREIGN,
}


@dataclass(slots=True)
class Step:
    """Where one operation goes, and what the log says about it."""

    operation: Operation
    state: OperationState
    outcome: str = ""
    params: dict[str, Any] = field(default_factory=dict)
    suspicion: str = ""
    suspicion_params: dict[str, Any] = field(default_factory=dict)
    not_before: datetime | None = None
    calls_done: int | None = None
    answer: dict[str, Any] = field(default_factory=dict)
    extra: dict[str, Any] = field(default_factory=dict)
    """Further columns."""
    was_read: bool = False
    there: RemoteParticipant | None = None
    """What a read-back found, when `was_read`."""

    @property
    def half_done(self) -> bool:
        return self.state == OperationState.REFUSED and bool(self.operation.calls_done)


def settle(attempts: Sequence[Attempt], running: dict[int, Operation], token: int) -> list[Operation]:
    """Record a batch of answers. Returns the operations whose next call may be sent now.

    A batch that cannot be committed is settled one by one, and a row that fails alone without its answer's text: one
    hostile value never stops a lane. Raises `LaneLost` when another worker owns the lane, `AuditUnavailable` when
    nothing can be recorded at all.
    """
    now = timezone.now()
    steps = [step_after(item, running[item.operation_id], now) for item in attempts]
    try:
        apply(steps, token, now)
    except (DatabaseError, AuditUnavailable, ValueError):
        logger.exception("a batch of %s answers could not be committed: one by one now", len(steps))
        for step in steps:
            _settle_alone(step, token, now)
    return [step.operation for step in steps if step.state == OperationState.RUNNING]


def _settle_alone(step: Step, token: int, now: datetime) -> None:
    try:
        apply([step], token, now)
    except (DatabaseError, AuditUnavailable, ValueError):
        step.answer, step.params, step.suspicion_params = {}, {}, {}
        step.outcome = step.outcome or Reason.SETTLED_WITHOUT_ANSWER
        apply([step], token, now)


def step_after(item: Attempt, operation: Operation, now: datetime) -> Step:
    """What one attempt means for its operation."""
    if item.error is not None:
        return _after_error(item, operation, now)
    if item.verdict == Verdict.LOOK:
        said = {"status": item.status, "said": item.said}
        return Step(
            operation,
            OperationState.IN_DOUBT,
            outcome=Reason.REMOTE_SAID_NO,
            params=said,
            suspicion=Reason.REMOTE_SAID_NO,
            suspicion_params=said,
            not_before=now,
            answer=item.answer,
        )
    done = operation.calls_done + 1
    state = OperationState.CONFIRMED if done >= len(operation.calls) else OperationState.RUNNING
    outcome = Reason.ALREADY_GONE if item.verdict == Verdict.ALREADY_SO and done == len(operation.calls) else ""
    return Step(operation, state, outcome=outcome, calls_done=done, answer=item.answer)


def _after_error(item: Attempt, operation: Operation, now: datetime) -> Step:
    error = item.error
    assert error is not None  # noqa: S101 - for the type checker
    state = STATE_AFTER[error.next_step]
    step = Step(operation, state, outcome=error.reason, params=dict(error.params), answer=item.answer)
    if state == OperationState.IN_DOUBT:
        step.not_before = now + timedelta(seconds=operation.connection.settle_s)
    if state == OperationState.REFUSED and item.said:
        step.params.setdefault("said", item.said)
    return step


def apply(steps: Sequence[Step], token: int, now: datetime, first: Sequence[record.Entry] = ()) -> None:
    """Commit where operations go, what the mirror learns and the log, in one transaction. `first`: entries before."""
    if not steps:
        return
    connection_id = steps[0].operation.connection_id
    with transaction.atomic():
        outbox.hold_lane(connection_id, token)
        for step in steps:
            _move(step, now)
        confirmed = [step.operation for step in steps if step.state == OperationState.CONFIRMED]
        writer.remove_confirmed([(op.participant_id, op.pk) for op in confirmed if op.participant_id], at=now)
        for step in steps:
            if step.was_read and step.state != OperationState.CONFIRMED and step.operation.participant_id:
                writer.put_found(step.operation.participant_id, step.there, at=now)
        _read_again({step.operation.group_id for step in steps if _mirror_may_be_wrong(step)}, connection_id, now)
        entries = [_entry(step) for step in steps if step.state != OperationState.RUNNING]
        record.write(record.connection_chain(connection_id), [*first, *entries], at=now)
    for step in steps:
        step.operation.state = step.state
        step.operation.calls_done = step.calls_done if step.calls_done is not None else step.operation.calls_done
    outbox.close_finished({step.operation.change_id for step in steps if step.state in OperationState.final()})


def _move(step: Step, now: datetime) -> None:
    fields: dict[str, Any] = {
        "state": step.state,
        "outcome": step.outcome,
        "outcome_params": {**step.params, **({"half_done": True} if step.half_done else {})},
        "suspicion": step.suspicion,
        "suspicion_params": step.suspicion_params,
        "not_before": step.not_before,
        **step.extra,
    }
    if step.calls_done is not None:
        fields["calls_done"] = step.calls_done
    if step.state in OperationState.final():
        fields["settled_at"] = now
    Operation.objects.filter(pk=step.operation.pk).update(**fields)


def _mirror_may_be_wrong(step: Step) -> bool:
    return step.half_done and not step.was_read


def _read_again(group_ids: set[int | None], connection_id: int, now: datetime) -> None:
    Reading.objects.bulk_create(
        Reading(
            connection_id=connection_id, group_id=pk, kind=ReadingKind.GROUP, state=ReadingState.WANTED, asked_at=now
        )
        for pk in group_ids
        if pk is not None
    )


def _entry(step: Step) -> record.Entry:
    return operation_entry(
        ACTION_FOR[step.state],
        step.operation,
        outcome=step.outcome,
        data={"status": step.answer.get("status"), "half_done": step.half_done},
        personal={"answer": step.answer, "said": step.params.get("said", "")},
    )
