"""Bookkeeping alone: claims and results in batches, against the same functions with one operation a transaction."""

import statistics
import time
from collections.abc import Iterator

from bench import ground
from bench.result import Result, medians, ratios
from membership.models import Operation
from membership.operations import outbox
from membership.operations.attempts import Attempt
from membership.operations.lease import Lease
from membership.operations.settle import settle
from membership.providers.base import Verdict
from membership.vocab import OperationState

BATCH = 64
ANSWER = {"status": 200, "body": {"id": 7, "full_name": "Person"}}


def measure(database: str, *, rounds: int, number: int) -> Iterator[Result]:
    batched, single = medians(rounds, [lambda: _run(BATCH, number), lambda: _run(1, max(20, number // 20))])
    ratio, each = ratios(single, batched)
    control = f"one a transaction {statistics.median(single):.2f} ms"
    subject = f"{BATCH} a transaction {statistics.median(batched):.2f} ms"
    yield Result("bookkeeping alone, of one transaction an operation", database, ratio, "x", control, subject, 12, each)


def _run(batch: int, number: int) -> float:
    """Milliseconds an operation."""
    system = ground.make_connection("http://127.0.0.1:9")
    change = ground.confirmed_removal(ground.make_members(system, number, groups=10))
    lease = Lease(system.pk, "bench")
    if not lease.acquire():
        raise RuntimeError("the lane is taken")
    began = time.perf_counter()
    while operations := outbox.claim(system.pk, lease.token, batch):
        settle([_answered(one) for one in operations], {one.pk: one for one in operations}, lease.token)
    seconds = time.perf_counter() - began
    lease.release()
    if ground.ended(change) != {OperationState.CONFIRMED: number}:
        raise RuntimeError(f"the change ended as {ground.ended(change)}")
    return seconds / number * 1000


def _answered(operation: Operation) -> Attempt:
    return Attempt(operation.pk, verdict=Verdict.CONFIRMED, status=200, answer=ANSWER)
