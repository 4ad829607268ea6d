"""Additions whose row does not say whose it is: while one of them is in doubt, no other is sent in that group.

Where rows do not name their accounts, a row that appeared can be told only by what else appeared meanwhile: a second
addition of ours would make a second such row, and nobody could say any more which of the two was done.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from membership.models import Operation
from membership.remotes import provider_class
from membership.vocab import OperationState, Verb

LOOK_AGAIN = timedelta(seconds=1)


def hold_back(candidates: Sequence[Operation], now: datetime) -> list[Operation]:
    """Those that may begin. Additions to a group in which such a doubt is open are looked at again in a while.

    Inside the caller's transaction. What was claimed before the doubt arose and has not begun, the runner returns.
    """
    additions = [op for op in candidates if _makes_an_indistinct_row(op)]
    if not additions:
        return list(candidates)
    doubtful = set(
        Operation.objects.filter(
            connection_id=additions[0].connection_id,
            group_id__in={op.group_id for op in additions},
            verb=Verb.ADD,
            state=OperationState.IN_DOUBT,
            calls_done=0,
        ).values_list("group_id", flat=True)
    )
    held = {op.pk for op in additions if op.group_id in doubtful}
    if held:
        Operation.objects.filter(pk__in=held).update(not_before=now + LOOK_AGAIN)
    return [op for op in candidates if op.pk not in held]


def _makes_an_indistinct_row(operation: Operation) -> bool:
    """Its first call: from the second on the row is known by its id."""
    is_first = operation.verb == Verb.ADD and not operation.calls_done
    return is_first and not provider_class(operation.connection.provider).capabilities.rows_name_accounts
