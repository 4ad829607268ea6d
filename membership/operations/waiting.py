"""Steps that wait for another step of their change: nobody leaves by a move before they have joined."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from membership.models import Operation
from membership.vocab import OperationState

LOOK_AGAIN = timedelta(seconds=1)
WENT_WELL = frozenset({OperationState.CONFIRMED, OperationState.NOT_NEEDED})


def sort_out(candidates: Sequence[Operation], now: datetime) -> tuple[list[Operation], list[Operation]]:
    """(those that may begin, those whose step before did not go well). The others are looked at again in a while.

    The plan says in `before["after"]` which position has to go well first. Inside the caller's transaction.
    """
    first = {op.pk: op.before["after"] for op in candidates if "after" in op.before and not op.calls_done}
    if not first:
        return list(candidates), []
    rows = Operation.objects.filter(change__in={op.change_id for op in candidates}, position__in=set(first.values()))
    states = {
        (change_id, position): state
        for change_id, position, state in rows.values_list("change_id", "position", "state")
    }
    ready: list[Operation] = []
    hopeless: list[Operation] = []
    waiting: list[Operation] = []
    for op in candidates:
        state = states.get((op.change_id, first[op.pk])) if op.pk in first else OperationState.CONFIRMED
        if state in WENT_WELL:
            ready.append(op)
        else:
            (waiting if state in OperationState.open() else hopeless).append(op)
    if waiting:
        Operation.objects.filter(pk__in=[op.pk for op in waiting]).update(not_before=now + LOOK_AGAIN)
    return ready, hopeless
