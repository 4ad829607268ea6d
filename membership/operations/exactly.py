"""Exactly the plan: what is sent is what was shown, asked for and, where a guard wanted it, approved.

The log has the hash of the plan, the plan's hash has the digest of each step, and each step is digested anew from its
row when it is claimed. The first two are looked at once for each change and process; after that, who rewrites a row
and its digest together is found out, too, because the digests are remembered.
"""

import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence

from membership.audit import asked
from membership.models import Operation
from membership.plans import hashing, standing

STEPS_REMEMBERED = 200_000
"""Digests that are kept in memory, about 200 bytes each; those of the change at hand always are."""

Digests = Mapping[int, str]
"""`{position: digest}` of a plan that is whole; empty of one that is not."""

_known: OrderedDict[tuple[int, str], Digests] = OrderedDict()
_lock = threading.Lock()


def learn(changes: Iterable[tuple[int, str]]) -> dict[int, Digests]:
    """The digests of these changes, `(id, plan hash)` each, as their plans have them. Reads only."""
    return {change_id: _digests(change_id, plan_hash) for change_id, plan_hash in set(changes)}


def _digests(change_id: int, plan_hash: str) -> Digests:
    with _lock:
        if (known := _known.get((change_id, plan_hash))) is not None:
            _known.move_to_end((change_id, plan_hash))
            return known
    rows = Operation.objects.filter(change=change_id).order_by("position").values_list("position", "digest")
    found = dict(rows)
    is_whole = (
        plan_hash != ""
        and asked.hash_to_send(change_id) == plan_hash
        and standing.hash_over(change_id, found.values()) == plan_hash
    )
    if not is_whole:
        return {}  # not kept: a plan that is put right is looked at anew
    with _lock:
        _known[change_id, plan_hash] = found
        while len(_known) > 1 and sum(map(len, _known.values())) > STEPS_REMEMBERED:
            _known.popitem(last=False)
    return found


def altered(operations: Sequence[Operation], plans: Mapping[int, Digests]) -> list[Operation]:
    """Those whose rows are not what the plan has in their place. Group, connection and change should be loaded."""
    return [
        operation
        for operation in operations
        if plans.get(operation.change_id, {}).get(operation.position) != hashing.digest(operation)
    ]
