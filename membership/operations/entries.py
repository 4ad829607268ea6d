"""What the audit log says about one operation."""

from collections.abc import Mapping
from typing import Any

from membership.audit import record
from membership.models import Operation
from membership.providers import keeping
from membership.vocab import AuditAction

SENT = AuditAction.OPERATION_INTENDED


def operation_entry(
    action: AuditAction,
    operation: Operation,
    *,
    outcome: str = "",
    data: Mapping[str, Any] | None = None,
    personal: Mapping[str, Any] | None = None,
) -> record.Entry:
    """An entry about `operation`. Names, requests and answers go to the part that can be erased."""
    return record.Entry(
        action,
        change_id=operation.change_id,
        operation_id=operation.pk,
        connection_id=operation.connection_id,
        group_id=operation.group_id,
        account_id=operation.account_id,
        participant_id=operation.participant_id,
        person_id=operation.account.person_id if operation.account else None,
        outcome=outcome,
        data={
            "verb": operation.verb,
            "position": operation.position,
            "attempt": operation.attempts,
            "digest": operation.digest,
            **(data or {}),
        },
        personal={
            "person": operation.subject_label,
            "group_name": operation.group.name if operation.group else "",
            "before": operation.before,
            "after": operation.wanted,
            **(
                {"request": [keeping.of_call(call) for call in operation.calls]}
                if action == AuditAction.OPERATION_INTENDED
                else {}
            ),
            **(personal or {}),
        },
    )
