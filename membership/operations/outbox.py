"""The outbox: the only module that moves operations and changes from state to state.

Functions here run inside a transaction of their caller where they say so; the others open one short transaction each.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Count
from django.utils import timezone

from membership import crash
from membership.audit import record
from membership.conf import ACT_ON_STEPS_PER_TRANSACTION as CHUNK
from membership.errors import ChangeRefused, Reason
from membership.models import Change, Operation, bulk
from membership.models.statements import Statement, listed
from membership.operations import asker, exactly, turns
from membership.operations.entries import operation_entry
from membership.operations.indistinct import hold_back
from membership.operations.verbs import standing
from membership.operations.waiting import sort_out
from membership.vocab import AuditAction, Chain, ChangeState, ConnectionState, OperationState, Verb

BEHIND_ANOTHER = timedelta(seconds=5)
"""How long a wish waits before it is looked at again when an earlier one about the same person is open."""


_LANE = Statement("SELECT lane_token, state FROM membership_connection WHERE id = %s FOR NO KEY UPDATE")
_BEGIN = Statement(
    """
    UPDATE membership_operation
    SET state = 'running', lane_token = %s, claimed_at = %s, attempts = attempts + 1, not_before = NULL
    WHERE id AMONG %s
    """
)
_WAITING = Statement("SELECT id FROM membership_change WHERE id AMONG %s AND state = 'queued'")
_NOTHING_OPEN = """
    SELECT id FROM membership_change c WHERE {which} AND state IN ({open}) AND NOT EXISTS (
        SELECT 1 FROM membership_operation o WHERE o.change_id = c.id AND o.state IN ({unsettled}))
"""
_STATES = {"open": listed(ChangeState.open()), "unsettled": listed(OperationState.open())}
_FINISHED = Statement(_NOTHING_OPEN, which="id AMONG %s", **_STATES)
_ALL_FINISHED = Statement(_NOTHING_OPEN, which="1 = 1", **_STATES)
_TO_CANCEL = Statement(
    "SELECT id FROM membership_change WHERE state IN ({open}) AND cancel_wanted_at IS NOT NULL", open=_STATES["open"]
)


class LaneLost(Exception):
    """Another worker owns the lane now: nothing of ours is accepted any more."""


def hold_lane(connection_id: int, token: int) -> str:
    """Lock the connection row, prove that the lane is still ours, return the connection's state.

    Inside the caller's transaction. Raises `LaneLost`.
    """
    [(lane_token, state)] = _LANE.rows(connection_id)
    if lane_token != token:
        raise LaneLost
    return str(state)


def claim_plan(change: Change, *, expected_hash: str) -> None:
    """Flip a draft, or what waits for approval, to queued, once. Inside the caller's transaction.

    Raises `ChangeRefused` when it is neither any more, or not the plan that was shown.
    """
    now = timezone.now()
    _flip(change, expected_hash, ChangeState.unsent(), state=ChangeState.QUEUED, confirmed_at=now)


def await_approval(change: Change, *, expected_hash: str, stale_at: datetime) -> None:
    """Have a confirmed draft wait for a second person until `stale_at`. Inside the caller's transaction.

    Raises `ChangeRefused` as `claim_plan` does.
    """
    now, drafts = timezone.now(), frozenset({ChangeState.DRAFT.value})
    _flip(change, expected_hash, drafts, state=ChangeState.WAITING, waiting_since=now, stale_at=stale_at)


def _flip(change: Change, expected_hash: str, states: frozenset[str], **fields: Any) -> None:
    rows = Change.objects.filter(pk=change.pk, state__in=states, plan_hash=expected_hash)
    if not rows.update(**fields):
        state = Change.objects.values_list("state", flat=True).get(pk=change.pk)
        raise ChangeRefused(Reason.PLAN_ALTERED if state in states else Reason.ALREADY_CONFIRMED)
    for name, value in fields.items():
        setattr(change, name, value)


def promote(connection_id: int) -> bool:
    """Queue one chunk of the planned operations of confirmed changes that may begin, small changes first. True: there
    was one. A change whose asker may not act any more is paused instead."""
    now = timezone.now()
    first = turns.next_to_queue(connection_id, now)
    if first is None:
        return False
    if asker.stop_where_gone(first, now):
        return True
    with transaction.atomic():
        ids = turns.to_queue(connection_id, first, now, CHUNK)
        if ids:
            Operation.objects.filter(pk__in=ids).update(state=OperationState.QUEUED)
            superseded = _supersede(connection_id, ids)
            crash.point("promote.inside")
    if ids:
        close_finished(superseded)
    return bool(ids)


def _supersede(connection_id: int, ids: Sequence[int]) -> set[int]:
    """Cancel what nobody has begun, and what one of the newly queued `ids` wants undone. Returns the changes concerned.

    The newer wish stays: it finds that it is so already, or waits for what was begun before.
    """
    now = timezone.now()
    older = turns.opposites(connection_id, ids)
    entries = _withdraw(older, Reason.SUPERSEDED, now)
    record.write(record.connection_chain(connection_id), entries, at=now)
    return {operation.change_id for operation in older}


def _withdraw(operations: Sequence[Operation], why: Reason, now: datetime) -> list[record.Entry]:
    """Cancel operations that are locked, and that nobody has begun."""
    Operation.objects.filter(pk__in=[operation.pk for operation in operations]).update(
        state=OperationState.CANCELLED, outcome=why, settled_at=now, secrets={}
    )
    return [operation_entry(AuditAction.OPERATION_SUPERSEDED, operation, outcome=why) for operation in operations]


def withdraw_removal(
    change: Change, *, group_id: int, account_id: int, why: Reason, at: datetime
) -> list[record.Entry] | None:
    """Cancel the removal of one account from one group in a confirmed change. Inside the caller's transaction.

    Returns what to write last into the chain of its connection; None: it has begun, and ends as it ends. A change in
    which nothing is open by it is closed by the worker's sweep.
    """
    removals = Operation.objects.select_for_update(of=("self",), no_key=True).select_related("group", "account")
    rows = removals.filter(change=change, group=group_id, account=account_id, state__in=OperationState.open())
    found = list(rows.order_by("pk"))
    if any(op.calls_done or op.state not in (OperationState.PLANNED, OperationState.QUEUED) for op in found):
        return None
    return _withdraw(found, why, at)


def claim(connection_id: int, token: int, limit: int) -> list[Operation]:
    """Begin up to `limit` operations: their intents are committed when this returns, so their calls may leave.

    Those that are already so or whose precondition is gone end here. Operations of one subject begin in order. One
    whose row is not what was asked for and approved ends refused, and nothing of it is sent.
    """
    now = timezone.now()
    ids, hashes = turns.next_turn(connection_id, now, limit)
    if not ids:
        return []
    # What a plan holds is learned before the transaction: of a large one that takes some hundredths of a second.
    plans = exactly.learn(hashes.items())
    crash.point("claim.before")
    with transaction.atomic():
        if hold_lane(connection_id, token) != ConnectionState.ACTIVE:
            return []
        candidates = turns.locked(connection_id, ids)
        altered = exactly.altered(candidates, plans)
        if altered:
            candidates = [op for op in candidates if op not in altered]
        candidates, behind = turns.first_of_each_subject(candidates)
        if behind:
            Operation.objects.filter(pk__in=behind).update(not_before=now + BEHIND_ANOTHER)
        candidates, hopeless = sort_out(candidates, now)
        candidates = hold_back(candidates, now)
        sendable, entries = [], [_refuse_altered(op, now) for op in altered]
        entries += [_end(op, OperationState.OVERTAKEN, now, Reason.STEP_BEFORE_FAILED) for op in hopeless]
        states = standing(candidates)
        for operation in candidates:
            state = states[operation.pk]
            if state == OperationState.QUEUED:
                sendable.append(operation)
            else:
                entries.append(_end(operation, state, now))
        _begin(sendable, token, now)
        entries += [operation_entry(AuditAction.OPERATION_INTENDED, operation) for operation in sendable]
        if entries:
            crash.point("claim.inside")
            record.write(record.connection_chain(connection_id), entries, at=now)
            crash.point("claim.written")
    crash.point("claim.committed")
    close_finished({op.change_id for op in (*candidates, *hopeless, *altered)} - {op.change_id for op in sendable})
    return sendable


def _begin(operations: Sequence[Operation], token: int, now: datetime) -> None:
    if not operations:
        return
    _BEGIN.run(token, bulk.stored_time(Operation, now), [operation.pk for operation in operations])
    # Asked first: a change begins once, and a statement that may write takes a lock each time.
    if waiting := [pk for (pk,) in _WAITING.rows(list({op.change_id for op in operations}))]:
        Change.objects.filter(pk__in=waiting, state=ChangeState.QUEUED).update(state=ChangeState.RUNNING)
    for operation in operations:
        operation.attempts += 1
        operation.state = OperationState.RUNNING


def _refuse_altered(operation: Operation, now: datetime) -> record.Entry:
    half_done = {"half_done": True} if operation.calls_done else {}
    Operation.objects.filter(pk=operation.pk).update(
        state=OperationState.REFUSED, outcome=Reason.NOT_IN_PLAN, outcome_params=half_done, settled_at=now, secrets={}
    )
    return operation_entry(
        AuditAction.OPERATION_ALTERED,
        operation,
        outcome=Reason.NOT_IN_PLAN,
        data={"plan_hash": operation.change.plan_hash, **half_done},
        personal={"calls": operation.calls},
    )


def _end(operation: Operation, state: OperationState, now: datetime, why: Reason | None = None) -> record.Entry:
    reason = why or _why_not_sent(operation, state)
    Operation.objects.filter(pk=operation.pk).update(state=state, outcome=reason, settled_at=now, secrets={})
    action = AuditAction.OPERATION_NOT_NEEDED if state == OperationState.NOT_NEEDED else AuditAction.OPERATION_OVERTAKEN
    return operation_entry(action, operation, outcome=reason)


def _why_not_sent(operation: Operation, state: OperationState) -> Reason:
    if state == OperationState.OVERTAKEN:
        return Reason.PRECONDITION_GONE
    return Reason.ALREADY_GONE if operation.verb in (Verb.REMOVE, Verb.DELETE_GROUP) else Reason.ALREADY_SO


def recover(connection_id: int, token: int, *, owner_may_live_s: float = 0.0) -> int:
    """What an earlier owner left running may have been sent: it is in doubt now. Returns how many.

    `owner_may_live_s`: how long calls of the owner just before may still leave, when it did not give the lane back.
    """
    now = timezone.now()
    with transaction.atomic():
        hold_lane(connection_id, token)
        left = list(
            Operation.objects.filter(
                connection_id=connection_id, state=OperationState.RUNNING, lane_token__lt=token
            ).select_related("group", "change", "connection", "account")
        )
        if not left:
            return 0
        has_vanished = any(op.lane_token == token - 1 for op in left)
        settle_s = left[0].connection.settle_s
        settle = timedelta(seconds=max(settle_s, owner_may_live_s if has_vanished else 0.0))
        Operation.objects.filter(pk__in=[op.pk for op in left]).update(
            state=OperationState.IN_DOUBT, suspicion="", outcome=Reason.WORKER_DIED, not_before=now + settle
        )
        crash.point("recover.inside")
        record.write(
            record.connection_chain(connection_id),
            [operation_entry(AuditAction.OPERATION_IN_DOUBT, op, outcome=Reason.WORKER_DIED) for op in left],
            at=now,
        )
        crash.point("recover.written")
    return len(left)


def cancel_rest(change: Change, *, limit: int = CHUNK) -> int:
    """Cancel one chunk of what has not begun. Returns how many: call it until 0. What is half done goes on.

    A confirmed change must carry `cancel_wanted_at` before, so that the worker claims no more of it meanwhile.
    """
    now = timezone.now()
    with transaction.atomic():
        ids = list(
            Operation.objects.select_for_update(of=("self",))
            .filter(change=change, state__in=(OperationState.PLANNED, OperationState.QUEUED), calls_done=0)
            .values_list("pk", flat=True)[:limit]
        )
        # A worker may be claiming these right now: the state is asked again in the update.
        cancelled = Operation.objects.filter(
            pk__in=ids, state__in=(OperationState.PLANNED, OperationState.QUEUED), calls_done=0
        ).update(state=OperationState.CANCELLED, outcome=Reason.CANCELLED, settled_at=now)
        crash.point("cancel.inside")
    crash.point("cancel.committed")
    if not ids:
        close_finished([change.pk])
    return cancelled


def decide_foreign(operation: Operation, decision: str, *, by: str, at: datetime) -> None:
    """What an operator decided about a step that somebody else changed. Inside the caller's transaction.

    "accept" counts it as done, "again" sends it against what was found, "leave" leaves things as they are.
    """
    fields: dict[str, Any] = {"outcome": Reason.DECIDED_BY_OPERATOR, "outcome_params": {"by": by}}
    if decision == "again":
        if not operation.found.get("fits"):
            raise ChangeRefused(Reason.PRECONDITION_GONE)
        fields |= {"state": OperationState.QUEUED, "not_before": None}
    else:
        state = OperationState.CONFIRMED if decision == "accept" else OperationState.CANCELLED
        fields |= {"state": state, "settled_at": at}
    moved = Operation.objects.filter(pk=operation.pk, state=OperationState.FOREIGN).update(**fields)
    if not moved:
        raise ChangeRefused(Reason.NOT_FOREIGN)


@dataclass(frozen=True, slots=True)
class Counts:
    """How the operations of a change stand: `{state: number}`."""

    of: dict[str, int]

    def __getitem__(self, state: str) -> int:
        return self.of.get(state, 0)

    @property
    def failed(self) -> int:
        return self[OperationState.REFUSED] + self[OperationState.OVERTAKEN] + self[OperationState.CANCELLED]


def counts(change_id: int) -> Counts:
    rows = Operation.objects.filter(change_id=change_id).order_by().values_list("state").annotate(n=Count("pk"))
    return Counts(dict(rows))


def close_finished(change_ids: Iterable[int]) -> int:
    """Close those of the changes in which nothing is open. Returns how many."""
    ids = list(change_ids)
    return sum(_close(pk) for (pk,) in _FINISHED.rows(ids)) if ids else 0


def sweep() -> bool:
    """Repeat what an ended process may have left: cancellations and closings. True: something was done."""
    cancelled = [pk for (pk,) in _TO_CANCEL.rows()]
    done = sum(cancel_rest(change) for change in Change.objects.filter(pk__in=cancelled)) if cancelled else 0
    return bool(done + sum(_close(pk) for (pk,) in _ALL_FINISHED.rows()))


def _close(change_id: int) -> int:
    now = timezone.now()
    with transaction.atomic():
        change = Change.objects.select_for_update().get(pk=change_id)
        tally = counts(change_id)
        if change.state not in ChangeState.open() or any(tally[state] for state in OperationState.open()):
            return 0
        if change.cancel_wanted_at and tally[OperationState.CANCELLED]:
            change.state = ChangeState.CANCELLED
        else:
            change.state = ChangeState.DONE_WITH_FAILURES if tally.failed else ChangeState.DONE
        change.finished_at = now
        change.save(update_fields=["state", "finished_at"])
        entry = record.Entry(
            AuditAction.CHANGE_FINISHED, change_id=change_id, outcome=change.state, data={"counts": tally.of}
        )
        crash.point("close.inside")
        record.write(Chain.PANEL, [entry], at=now)
    crash.point("close.committed")
    return 1
