"""What a retired system leaves behind in the outbox: what waits there is cancelled, or half done for good; its changes
are closed."""

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from membership.audit import record
from membership.conf import ACT_ON_STEPS_PER_TRANSACTION as CHUNK
from membership.errors import Reason
from membership.models import Connection, Operation
from membership.operations import outbox
from membership.operations.entries import operation_entry
from membership.vocab import AuditAction, ChangeState, ConnectionState, OperationState


def waiting_at(connection_id: int) -> QuerySet[Operation]:
    """Operations of confirmed changes that have not begun, or wait for a decision."""
    states = (OperationState.QUEUED, OperationState.FOREIGN)
    confirmed = Q(state=OperationState.PLANNED, change__state__in=ChangeState.open())
    return Operation.objects.filter(confirmed | Q(state__in=states), connection_id=connection_id)


def withdraw(connection_id: int, *, limit: int = CHUNK) -> int:
    """End one chunk of what waits at a retired system. Returns how many: call it until 0.

    What has not begun is cancelled. Of what had a call confirmed nobody will send or read the rest: it is half done.
    """
    now = timezone.now()
    with transaction.atomic():
        row = Connection.objects.select_for_update().get(pk=connection_id)
        if row.state != ConnectionState.RETIRED:
            return 0
        # The lane claims under the lock of the same row, and only while the system works: nothing slips through.
        waiting = waiting_at(connection_id).select_for_update(of=("self",))  # somebody may decide one of them just now
        found = list(waiting.order_by("pk").values_list("pk", "change_id", "calls_done")[:limit])
        why = {"outcome": Reason.SYSTEM_RETIRED, "settled_at": now, "secrets": {}}
        Operation.objects.filter(pk__in=[pk for pk, _change, done in found if not done]).update(
            state=OperationState.CANCELLED, outcome_params={"system": row.name}, **why
        )
        half_done = Operation.objects.filter(pk__in=[pk for pk, _change, done in found if done])
        half_done.update(state=OperationState.REFUSED, outcome_params={"system": row.name, "half_done": True}, **why)
        entries = [
            operation_entry(
                AuditAction.OPERATION_REFUSED, step, outcome=Reason.SYSTEM_RETIRED, data={"half_done": True}
            )
            for step in half_done.select_related("group", "account").order_by("pk")
        ]
        record.write(record.connection_chain(connection_id), entries, at=now)
    outbox.close_finished({change_id for _pk, change_id, _done in found})
    return len(found)


def sweep() -> bool:
    """Go on with what a process that ended has left. True: there was something."""
    retired = Connection.objects.filter(state=ConnectionState.RETIRED).values_list("pk", flat=True)
    return sum(withdraw(pk) for pk in retired if waiting_at(pk).exists()) > 0
