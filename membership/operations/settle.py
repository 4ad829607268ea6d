"""What attempts mean for their operations: one transaction a batch of answers."""

import dataclasses
import logging
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import DatabaseError, DataError, transaction
from django.utils import timezone

from membership import crash
from membership.audit import record
from membership.errors import AuditUnavailable, NextStep, Reason
from membership.mirror import writer
from membership.models import Operation, Reading, bulk
from membership.models.statements import Statement
from membership.operations import outbox, trouble
from membership.operations.attempts import NEW_ID, Attempt
from membership.operations.entries import operation_entry
from membership.operations.verbs import News, tell_mirror, wished_rights
from membership.providers.base import RemoteGroup, RemoteParticipant, Verdict
from membership.vocab import AuditAction, OperationState, ReadingKind, ReadingState, Verb

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
    OperationState.OVERTAKEN: AuditAction.OPERATION_OVERTAKEN,
}

_UNSETTLED = Statement("SELECT id FROM membership_operation WHERE id AMONG %s AND state = %s")


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
    """What a read-back found, when `was_read`; the row that an addition made."""
    group: RemoteGroup | None = None
    reads: int = 0
    """Readings that the attempt took."""

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
    steps = [
        dataclasses.replace(step_after(item, running[item.operation_id], now), reads=item.reads) for item in attempts
    ]
    try:
        apply(steps, token, now)
    except (DatabaseError, AuditUnavailable, ValueError) as error:
        if not isinstance(error, (DataError, ValueError)):  # those are a value's fault
            trouble.here.note(error)
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
    done = operation.calls_done + 1
    needs_id = done < len(operation.calls) and NEW_ID in operation.calls[done].get("slots", ())
    untold = item.there is None and (needs_id or item.was_there)
    if item.verdict == Verdict.LOOK or untold:
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
    step = Step(operation, OperationState.RUNNING, calls_done=done, answer=item.answer)
    step.there, step.group = item.there, item.group
    if needs_id and item.there is not None:
        step.extra["results"] = {**operation.results, "values": {NEW_ID: item.there.remote_id}}
    if item.was_there and not _has_wished_rights(operation, item.there):
        return _found_otherwise(step)
    if done >= len(operation.calls) or item.was_there:
        step.state = OperationState.CONFIRMED
        if item.verdict == Verdict.ALREADY_SO and not operation.resends:
            step.outcome = Reason.ALREADY_GONE if operation.verb == Verb.REMOVE else Reason.ALREADY_SO
    return step


def _has_wished_rights(operation: Operation, there: RemoteParticipant | None) -> bool:
    return there is None or all(getattr(there, name) == value for name, value in wished_rights(operation).items())


def _found_otherwise(step: Step) -> Step:
    """Somebody else added the person meanwhile, with other rights: not ours to change unasked."""
    step.state, step.outcome, step.calls_done = OperationState.OVERTAKEN, Reason.PRECONDITION_GONE, None
    step.extra = {}
    return step


def _after_error(item: Attempt, operation: Operation, now: datetime) -> Step:
    error = item.error
    assert error is not None  # noqa: S101 - for the type checker
    state = STATE_AFTER[error.next_step]
    step = Step(operation, state, outcome=error.reason, params=dict(error.params), answer=item.answer)
    if state == OperationState.IN_DOUBT:
        step.not_before = now + timedelta(seconds=operation.connection.settle_s)
    if state == OperationState.REFUSED and item.said:
        step.params.setdefault("said", item.said)
    if state == OperationState.REFUSED and operation.calls_done:
        # Half done: what is there now is read before it is called so.
        step.state, step.not_before = OperationState.IN_DOUBT, now
        step.suspicion, step.suspicion_params = error.reason, step.params
    return step


def apply(steps: Sequence[Step], token: int, now: datetime, first: Sequence[record.Entry] = ()) -> None:
    """Commit where operations go, what the mirror learns and the log, in one transaction. `first`: entries before.

    May be repeated after an error: what was committed after all is not recorded twice.
    """
    if not steps:
        return
    connection_id = steps[0].operation.connection_id
    part, before = ("resolve", OperationState.IN_DOUBT) if first else ("settle", OperationState.RUNNING)
    ids = [step.operation.pk for step in steps]
    with transaction.atomic():
        outbox.hold_lane(connection_id, token)
        unsettled = {pk for (pk,) in _UNSETTLED.rows(ids, before.value)}
        due = [step for step in steps if step.operation.pk in unsettled]
        _move_all(due, now)
        _read_again(_tell_mirror(due, now), connection_id, now)
        crash.point(f"{part}.inside")
        entries = [_entry(step) for step in due if step.state != OperationState.RUNNING]
        record.write(record.connection_chain(connection_id), [*first, *entries], at=now)
        crash.point(f"{part}.written")
    crash.point(f"{part}.committed")
    trouble.here.over()
    for step in steps:
        step.operation.state = step.state
        step.operation.calls_done = step.calls_done if step.calls_done is not None else step.operation.calls_done
        step.operation.results = step.extra.get("results", step.operation.results)
    outbox.close_finished({step.operation.change_id for step in steps if step.state in OperationState.final()})


def _move_all(steps: Sequence[Step], now: datetime) -> None:
    """One UPDATE for all that end alike: most of a batch does."""
    alike: dict[tuple[Any, ...], list[Step]] = defaultdict(list)
    for step in steps:
        alike[_likeness(step)].append(step)
    for group in alike.values():
        bulk.update_alike(Operation, _columns(group[0], now), [step.operation.pk for step in group])


def _likeness(step: Step) -> tuple[Any, ...]:
    """The same for two steps that are stored alike."""
    own = step.operation.pk if step.extra else None
    said = (repr(step.params), repr(step.suspicion_params)) if step.params or step.suspicion_params else None
    return step.state, step.outcome, step.suspicion, step.not_before, step.calls_done, step.half_done, said, own


def _columns(step: Step, now: datetime) -> dict[str, Any]:
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
        fields |= {"settled_at": now, "secrets": {}}
    return fields


def _tell_mirror(steps: Sequence[Step], now: datetime) -> set[int | None]:
    """Write what was confirmed or read. Returns the groups that have to be read again to know more."""
    news = News(now)
    unclear: set[int | None] = set()
    for step in steps:
        operation = step.operation
        if step.state == OperationState.RUNNING and operation.verb == Verb.ADD and step.there is not None:
            # Added, its rights follow: known at once, or a reading would take the row for somebody else's doing.
            tell_mirror(news, operation, step.there, None)
        elif step.state != OperationState.CONFIRMED:
            if step.was_read:
                _put_read(news, step)
        elif not tell_mirror(news, operation, step.there, step.group):
            unclear.add(operation.group_id)
    news.write()
    return unclear


def _put_read(news: News, step: Step) -> None:
    """Keep what was read back. What calls of the operation have done by then is owed to it."""
    operation, there = step.operation, step.there
    owed_to = operation.pk if step.calls_done or operation.calls_done else None
    if operation.participant_id:
        writer.put_found(operation.participant_id, there, at=news.at, operation_id=owed_to)
    elif operation.verb == Verb.ADD and there is not None and owed_to:
        tell_mirror(news, operation, there, None)


def _read_again(group_ids: set[int | None], connection_id: int, now: datetime) -> None:
    if not group_ids:
        return
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
        data={
            "status": step.answer.get("status"),
            "half_done": step.half_done,
            **({"requests": step.reads} if step.reads else {}),
        },
        personal={"answer": step.answer, "said": step.params.get("said", "")},
    )
