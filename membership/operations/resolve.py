"""Nothing in doubt is sent again unread: one reading answers all doubts of a group."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from membership import crash
from membership.audit import record
from membership.errors import NextStep, Reason
from membership.models import Group, Operation
from membership.operations import outbox
from membership.operations.entries import operation_entry
from membership.operations.findings import Finding, Seen, judge
from membership.operations.settle import Step, apply
from membership.operations.verbs import RIGHTS
from membership.providers.base import (
    AccountRef,
    Ambiguous,
    GroupRef,
    ParticipantRef,
    Provider,
    RemoteParticipant,
)
from membership.providers.errors import NotFound, ProviderError, Refused
from membership.vocab import AuditAction, OperationState, ReadingState, Verb


def resolve_next(connection_id: int, provider: Provider, token: int, requests: Callable[[], int] = lambda: 0) -> bool:
    """Read back the doubts of one group. True: there was one. `requests()` counts what the lane has sent so far.

    Raises a `ProviderError` when the reading failed: the doubts stay, and are looked at again after a while.
    """
    due = Operation.objects.filter(
        connection_id=connection_id, state=OperationState.IN_DOUBT, not_before__lte=timezone.now()
    ).order_by("not_before", "pk")
    first = due.first()
    if first is None:
        return False
    operations = list(due.filter(group=first.group_id).select_related("group", "connection", "change", "account"))
    crash.point("resolve.before")
    asked_before = requests()
    try:
        seen = _read(operations, provider)
    except ProviderError as error:
        _record_failed(first, error, requests() - asked_before)
        if error.next_step not in (NextStep.STOP, NextStep.RENEW, NextStep.PAUSE):
            _look_again_later(operations, token)
        raise
    crash.point("resolve.read")
    _record(operations, seen, token, requests() - asked_before)
    return True


# reading


def _read(operations: Sequence[Operation], provider: Provider) -> dict[int, Seen]:
    seen = {op.pk: _read_group(op, provider) for op in operations if op.verb in Verb.of_groups()}
    about_people = [op for op in operations if op.verb not in Verb.of_groups()]
    if about_people:
        try:
            seen |= _read_people(about_people, provider)
        except NotFound:
            seen |= {op.pk: Seen(group_gone=True) for op in about_people}
    return seen


def _read_people(operations: Sequence[Operation], provider: Provider) -> dict[int, Seen]:
    """One reading of the group for all of them; an addition whose row does not name its account is asked for alone."""
    alone = [op for op in operations if op.verb == Verb.ADD and provider.capabilities.looks_before_add]
    seen = {op.pk: _read_added(op, provider) for op in alone}
    together = [op for op in operations if op.pk not in seen]
    if together:
        subjects = {op.pk: _subject(op) for op in together}
        found = provider.find(_group_ref(together[0]), list(subjects.values()))
        for op in together:
            there = found.get(subjects[op.pk].remote_id)
            seen[op.pk] = Seen(there=there, remaining=_remaining(provider, op, there))
    return seen


def _read_added(operation: Operation, provider: Provider) -> Seen:
    account = operation.account
    if account is None:
        return Seen()
    try:
        found = provider.find_added(_group_ref(operation), AccountRef(account.remote_id), ())
    except Refused as error:
        if error.reason is not Reason.FILTER_IGNORED:
            raise
        return Seen(undecided=True)
    if isinstance(found, Ambiguous):
        return Seen(ambiguous=True)
    return Seen(there=found, repeats_effect=True)


def _read_group(operation: Operation, provider: Provider) -> Seen:
    if operation.verb == Verb.CREATE_GROUP:
        return _read_created(operation, provider)
    try:
        return Seen(group=provider.get_group(_group_ref(operation)))
    except NotFound:
        return Seen(group_gone=True)


def _read_created(operation: Operation, provider: Provider) -> Seen:
    """Groups have no key that we could give: a new one of that name, which the mirror does not know, is ours."""
    known = set(Group.objects.filter(connection_id=operation.connection_id).values_list("remote_id", flat=True))
    named = [group for group in provider.groups() if group.name == operation.wanted["name"]]
    new = [group for group in named if group.remote_id not in known]
    return Seen(group=new[0] if len(new) == 1 else None, ambiguous=len(new) > 1, repeats_effect=True)


def _group_ref(operation: Operation) -> GroupRef:
    group = operation.group
    if group is None:
        raise TypeError(f"operation {operation.pk} has no group")
    return GroupRef(group.remote_id, group.remote_number)


def _subject(operation: Operation) -> ParticipantRef:
    """Whom the operation is about, as planned. Where rows name their accounts, a row's id is the account's."""
    before, account_id = operation.before, operation.account.remote_id if operation.account else None
    return ParticipantRef(
        _group_ref(operation),
        before.get("row") or account_id or "",
        account_id,
        is_member=before.get("is_member", True),
        is_manager=before.get("is_manager", False),
    )


def _remaining(provider: Provider, operation: Operation, there: RemoteParticipant | None) -> list[dict[str, Any]]:
    if there is None or operation.verb != Verb.REMOVE:
        return []
    account_id = operation.account.remote_id if operation.account else there.account_id
    reference = ParticipantRef(_group_ref(operation), there.remote_id, account_id, there.is_member, there.is_manager)
    return [call.to_json() for call in provider.remove(reference)]


# recording


def _record(operations: Sequence[Operation], seen: dict[int, Seen], token: int, requests: int) -> None:
    """The first of the entries says how many requests the reading took, for all of them."""
    now = timezone.now()
    steps: list[Step] = []
    entries: list[record.Entry] = []
    for operation in operations:
        finding = judge(operation, seen[operation.pk])
        steps.append(_step(operation, finding, seen[operation.pk]))
        entries.append(
            operation_entry(
                AuditAction.OPERATION_RESOLVED,
                operation,
                outcome=finding.outcome,
                data={"state": finding.state, "requests": 0 if entries else requests},
                personal={"found": _facts(seen[operation.pk].there)},
            )
        )
    apply(steps, token, now, first=entries)


def _record_failed(doubt: Operation, error: ProviderError, requests: int) -> None:
    """A reading back that told nothing. What was never sent is not told of."""
    if not requests:
        return
    entry = record.Entry(
        AuditAction.READING_FINISHED,
        connection_id=doubt.connection_id,
        group_id=doubt.group_id,
        outcome=ReadingState.FAILED,
        data={"kind": "read_back", "reason": error.reason, "requests": requests},
    )
    with transaction.atomic():
        record.write(record.connection_chain(doubt.connection_id), [entry])


def _facts(there: RemoteParticipant | None) -> dict[str, Any]:
    if there is None:
        return {"is_present": False}
    return {"is_present": True, **{name: getattr(there, name) for name in RIGHTS}}


def _step(operation: Operation, finding: Finding, seen: Seen) -> Step:
    extra: dict[str, Any] = {}
    if finding.state == OperationState.FOREIGN:
        # "Send it again" is offered only where the planned calls still fit what was found.
        fits = len(operation.calls) == 1 and seen.there is not None
        is_there_twice = seen.ambiguous and operation.verb == Verb.ADD
        now = {"is_present": True, "is_member": True} if is_there_twice else _facts(seen.there)
        extra["found"] = {**now, "fits": fits}
    if finding.state == OperationState.QUEUED and finding.calls_done is None:
        extra["resends"] = operation.resends + 1
    if finding.results is not None:
        extra["results"] = finding.results
    step = Step(
        operation,
        finding.state,
        outcome=finding.outcome,
        params=finding.params,
        calls_done=finding.calls_done,
        extra=extra,
        was_read=operation.verb not in Verb.of_groups() and not (seen.group_gone or seen.undecided),
        there=seen.there,
        group=seen.group,
    )
    if finding.look_again:
        step.not_before = timezone.now() + timedelta(seconds=operation.connection.settle_s)
    return step


def _look_again_later(operations: Sequence[Operation], token: int) -> None:
    connection = operations[0].connection
    later = timezone.now() + timedelta(seconds=max(1.0, connection.settle_s))
    with transaction.atomic():
        outbox.hold_lane(connection.pk, token)
        Operation.objects.filter(pk__in=[op.pk for op in operations], state=OperationState.IN_DOUBT).update(
            not_before=later
        )
