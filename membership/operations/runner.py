"""Sends what the outbox has claimed. One thread keeps the books, the others only send."""

import queue
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from membership import crash
from membership.errors import NextStep, Reason
from membership.models import Operation
from membership.operations import outbox
from membership.operations.attempts import Attempt, Job, attempt
from membership.operations.lease import Lease
from membership.operations.settle import settle
from membership.providers.base import Provider
from membership.providers.errors import ProviderError

STOPPING = frozenset({NextStep.STOP, NextStep.RENEW, NextStep.PAUSE, NextStep.RETRY})
TURN_S = 5.0
"""How long a lane sends before it looks at doubts and at its connection's state again."""
GATHER_S = 0.02
"""How long further answers are waited for, so that one transaction settles many."""


def _stops_the_lane(error: ProviderError) -> bool:
    """Whether the lane claims no more after such an answer, and decides what to do first."""
    return error.next_step in STOPPING or error.pause_s is not None or error.reason == Reason.FORBIDDEN


class Runner:
    """The sending half of one lane, for as long as it holds its lease.

    Intents run ahead only by what starts within about a second, refilled as answers come, so that a kill leaves few
    doubts behind.
    """

    def __init__(
        self, connection_id: int, provider: Provider, lease: Lease, stop: threading.Event, *, window: int
    ) -> None:
        self._connection_id = connection_id
        self._provider = provider
        self._lease = lease
        self._stop = stop
        self._window = max(1, window)
        self._pool = ThreadPoolExecutor(self._window, thread_name_prefix=f"lane-{connection_id}")
        self._answers: queue.SimpleQueue[Attempt] = queue.SimpleQueue()
        self._running: dict[int, Operation] = {}

    def push(self) -> tuple[bool, ProviderError | None]:
        """Send until nothing can be claimed, the turn is over, or an answer stops the lane.

        Returns (whether something was sent, that error).

        Whatever was begun is settled when this returns. Raises `LaneLost`.
        """
        sent, trouble = False, None
        turn_ends = time.monotonic() + TURN_S
        while True:
            self._lease.keep()
            if trouble is None and not self._stop.is_set() and time.monotonic() < turn_ends:
                claimed = outbox.claim(self._connection_id, self._lease.token, self._window - len(self._running))
                sent = sent or bool(claimed)
                self._start(claimed)
            if not self._running:
                return sent, trouble
            trouble = self._settle_some() or trouble

    def _start(self, operations: Sequence[Operation]) -> None:
        for operation in operations:
            self._running[operation.pk] = operation
            self._pool.submit(self._send, Job.of(operation))

    def _send(self, job: Job) -> None:
        self._answers.put(attempt(self._provider, job, self._lease.send_before))

    def _settle_some(self) -> ProviderError | None:
        """Settle the answers that are there; start the next calls of operations that have some left."""
        batch = self._gather()
        if not batch:
            return None
        crash.point("settle.before")
        going_on = settle(batch, self._running, self._lease.token)
        for item in batch:
            del self._running[item.operation_id]
        if going_on:
            crash.point("calls.next")
        self._start(going_on)
        return next((item.error for item in batch if item.error and _stops_the_lane(item.error)), None)

    def _gather(self) -> list[Attempt]:
        batch: list[Attempt] = []
        try:
            batch.append(self._answers.get(timeout=1.0))
            while len(batch) < len(self._running):
                batch.append(self._answers.get(timeout=GATHER_S))
        except queue.Empty:
            pass
        return batch

    def close(self) -> None:
        """Wait for what is on its way, at most the time limit of a request; nothing leaves any more.

        What was not settled is in doubt for the next owner, who reads it back: so no call may leave after that.
        """
        self._pool.shutdown(wait=True, cancel_futures=True)
