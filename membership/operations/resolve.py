"""Nothing in doubt is sent again unread: one reading answers all doubts of a group."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from membership.errors import NextStep, Reason
from membership.models import Operation
from membership.operations import outbox
from membership.operations.entries import operation_entry
from membership.operations.settle import Step, apply
from membership.providers.base import GroupRef, ParticipantRef, Provider, RemoteParticipant
from membership.providers.errors import NotFound, ProviderError
from membership.vocab import AuditAction, OperationState

RESENDS_AT_MOST = 2


def resolve_next(connection_id: int, provider: Provider, token: int) -> bool:
    """Read back the doubts of one group. True: there was one.

    Raises a `ProviderError` when the reading failed: the doubts stay, and are looked at again after a while.
    """
    now = timezone.now()
    due = Operation.objects.filter(
        connection_id=connection_id, state=OperationState.IN_DOUBT, not_before__lte=now
    ).order_by("not_before", "pk")
    first = due.first()
    if first is None:
        return False
    operations = list(due.filter(group_id=first.group_id).select_related("group", "connection", "change", "account"))
    group = operations[0].group
    assert group is not None  # noqa: S101 - every verb so far is about a group
    reference = GroupRef(group.remote_id, group.remote_number)
    subjects = {op.pk: subject_of(op, reference) for op in operations}
    try:
        found = provider.find(reference, list(subjects.values()))
    except NotFound:
        _record(operations, {}, token, group_gone=True, provider=provider)
        return True
    except ProviderError as error:
        if error.next_step not in (NextStep.STOP, NextStep.RENEW, NextStep.PAUSE):
            _look_again_later(operations, connection_id, token)
        raise
    _record(operations, found, token, group_gone=False, provider=provider)
    return True


def subject_of(operation: Operation, group: GroupRef) -> ParticipantRef:
    """The participant that an operation is about, as it was when planned."""
    before = operation.before
    return ParticipantRef(
        group,
        before["row"],
        operation.account.remote_id if operation.account else None,
        is_member=before.get("is_member", True),
        is_manager=before.get("is_manager", False),
    )


@dataclass(frozen=True, slots=True)
class Finding:
    """What a read-back proves about one removal."""

    state: OperationState
    outcome: str
    params: dict[str, Any]
    calls_done: int | None = None


def judge_removal(
    operation: Operation, now_there: RemoteParticipant | None, remaining: Sequence[dict[str, Any]]
) -> Finding:
    """What is proved by a removal's subject as it is now; `remaining`: the calls that would remove it from there."""
    suspicion = operation.suspicion
    if now_there is None:
        outcome = Reason.ALREADY_GONE if suspicion else Reason.READ_BACK_DONE
        return Finding(OperationState.CONFIRMED, outcome, {}, calls_done=len(operation.calls))
    done = _calls_done(operation, now_there, remaining)
    if done is None:
        return Finding(OperationState.FOREIGN, Reason.CHANGED_BY_SOMEONE_ELSE, {})
    if done > operation.calls_done:
        return Finding(OperationState.QUEUED, Reason.READ_BACK_NOT_DONE, {}, calls_done=done)
    if suspicion:
        return Finding(OperationState.REFUSED, suspicion, dict(operation.suspicion_params))
    if operation.resends >= RESENDS_AT_MOST:
        return Finding(OperationState.REFUSED, Reason.SENT_TOO_OFTEN, {"times": operation.resends + 1})
    return Finding(OperationState.QUEUED, Reason.READ_BACK_NOT_DONE, {})


def _calls_done(operation: Operation, there: RemoteParticipant, remaining: Sequence[dict[str, Any]]) -> int | None:
    """How many of the planned calls have had their effect; None: the state does not lie on the plan's way."""
    done = len(operation.calls) - len(remaining)
    if done < operation.calls_done or list(operation.calls[done:]) != list(remaining):
        return None
    if done == 0:
        before = operation.found or operation.before
        if (there.is_member, there.is_manager) != (before.get("is_member"), before.get("is_manager")):
            return None
    return done


def _record(
    operations: Sequence[Operation],
    found: dict[str, RemoteParticipant | None],
    token: int,
    *,
    group_gone: bool,
    provider: Provider,
) -> None:
    now = timezone.now()
    steps, entries = [], []
    for operation in operations:
        there = found.get(operation.before["row"])
        if group_gone:
            finding = Finding(OperationState.REFUSED, Reason.GROUP_NOT_FOUND, {})
        else:
            finding = judge_removal(operation, there, _remaining(provider, operation, there))
        steps.append(_step(operation, finding, there, was_read=not group_gone))
        entries.append(
            operation_entry(
                AuditAction.OPERATION_RESOLVED,
                operation,
                outcome=finding.outcome,
                data={"state": finding.state},
                personal={"found": _facts(there)},
            )
        )
    apply(steps, token, now, first=entries)


def _remaining(provider: Provider, operation: Operation, there: RemoteParticipant | None) -> list[dict[str, Any]]:
    if there is None or operation.group is None:
        return []
    group = GroupRef(operation.group.remote_id, operation.group.remote_number)
    account_id = operation.account.remote_id if operation.account else there.account_id
    reference = ParticipantRef(group, there.remote_id, account_id, there.is_member, there.is_manager)
    return [call.to_json() for call in provider.remove(reference)]


def _facts(there: RemoteParticipant | None) -> dict[str, Any]:
    if there is None:
        return {"is_present": False}
    facts = asdict(there)
    kept = ("is_member", "is_manager", "can_write", "is_muted")
    return {"is_present": True, **{name: facts[name] for name in kept}}


def _step(operation: Operation, finding: Finding, there: RemoteParticipant | None, *, was_read: bool) -> Step:
    extra: dict[str, Any] = {}
    if finding.state == OperationState.FOREIGN:
        # "Send it again" is offered only where the planned calls still fit what was found.
        extra["found"] = {**_facts(there), "fits": len(operation.calls) == 1}
    if finding.state == OperationState.QUEUED and finding.calls_done is None:
        extra["resends"] = operation.resends + 1
    return Step(
        operation,
        finding.state,
        outcome=finding.outcome,
        params=finding.params,
        calls_done=finding.calls_done,
        extra=extra,
        was_read=was_read,
        there=there,
    )


def _look_again_later(operations: Sequence[Operation], connection_id: int, token: int) -> None:
    later = timezone.now() + timedelta(seconds=max(1.0, operations[0].connection.settle_s))
    with transaction.atomic():
        outbox.hold_lane(connection_id, token)
        Operation.objects.filter(pk__in=[op.pk for op in operations], state=OperationState.IN_DOUBT).update(
            not_before=later
        )
