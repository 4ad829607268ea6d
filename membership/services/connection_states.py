"""Systems that rest or end: maintenance, in which changes only queue, and retirement, after which only history is left.

What stops for trouble, and resuming, are in `connections`.
"""

from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.utils import timezone

from membership.errors import Reason
from membership.models import Connection, Operation
from membership.operations import reading, retiring
from membership.services.connections import need_in_use, need_note, need_to_manage, record_event
from membership.services.shell import audited, refuse
from membership.vocab import AuditAction, ConnectionState, OperationState

if TYPE_CHECKING:
    from django.contrib.auth.models import User


@audited
def begin_maintenance(connection: Connection, *, reason: str, actor: "User") -> Connection:
    """From now on nothing is sent or read; changes can be confirmed and wait. What is under way ends as it ends.

    `connections.resume` ends it. Raises `ChangeRefused` when the system is not working now.
    """
    need_to_manage(connection, actor)
    note = need_note(reason)
    with transaction.atomic():
        row = need_in_use(Connection.objects.select_for_update().get(pk=connection.pk))
        if row.state != ConnectionState.ACTIVE:
            refuse(Reason.SYSTEM_NOT_WORKING, system=row.name, state=row.get_state_display())
        _put_state(row, ConnectionState.MAINTENANCE, note, actor)
        record_event(AuditAction.CONNECTION_PAUSED, row, actor, ConnectionState.MAINTENANCE, reason=note)
    return row


@audited
def retire(connection: Connection, *, reason: str, actor: "User") -> Connection:
    """Keep a system for its history alone, for ever: nothing is sent or read again, and its secrets are deleted.

    What waits there is cancelled; what is half done ends so. Raises `ChangeRefused` while steps are under way or in
    doubt: what became of them could never be found out.
    """
    need_to_manage(connection, actor)
    note = need_note(reason)
    with transaction.atomic():
        row = need_in_use(Connection.objects.select_for_update().get(pk=connection.pk))
        under_way = Operation.objects.filter(connection=row, state__in=OperationState.begun()).count()
        if under_way:
            refuse(Reason.STEPS_UNDER_WAY, count=under_way, system=row.name)
        waiting = retiring.waiting_at(row.pk).filter(calls_done=0).count()
        nothing: dict[str, Any] = {"secrets": {}, "session": {}, "sign_ins": [], "renewing_since": None}
        _put_state(row, ConnectionState.RETIRED, note, actor, slowed_until=None, slowed_reason="", **nothing)
        record_event(AuditAction.CONNECTION_RETIRED, row, actor, data={"cancelled": waiting}, reason=note)
    reading.give_up(row, Reason.SYSTEM_RETIRED, system=row.name)
    # Short transactions; should this process end here, the worker's sweep goes on.
    while retiring.withdraw(row.pk):
        pass
    return row


def _put_state(row: Connection, state: ConnectionState, note: str, actor: "User", **fields: Any) -> None:
    fields |= {
        "state": state,
        "state_reason": Reason.STOPPED_BY_OPERATOR,
        "state_params": {"by": actor.get_username(), "note": note},
        "state_since": timezone.now(),
    }
    for key, value in fields.items():
        setattr(row, key, value)
    row.save(update_fields=fields)
