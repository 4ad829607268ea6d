"""Sends what the outbox has claimed. One thread keeps the books, the others only send."""

import dataclasses
import math
import queue
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from membership import crash
from membership.errors import NextStep, Reason
from membership.models import Operation
from membership.operations import outbox
from membership.operations.attempts import Attempt, Job, attempt
from membership.operations.lease import Lease
from membership.operations.pace import Reads
from membership.operations.senders import Pace, Senders
from membership.operations.settle import settle
from membership.providers.base import Provider, Verdict
from membership.providers.errors import NotSent, ProviderError
from membership.vocab import Verb

STOPPING = frozenset({NextStep.STOP, NextStep.RENEW, NextStep.PAUSE, NextStep.RETRY})
TURN_S = 10.0
"""How long a lane sends before it looks at doubts and at its connection's state again."""
GATHER_S = 0.02
"""How long further answers are waited for, so that one transaction settles many."""
QUEUE_EVERY_S = 0.5
"""How often confirmed changes are looked for while others are sent: a small one goes before the rest of a large one."""
GATHER_LONGER_S = 0.05
"""The same while the threads have work left: fewer and larger transactions, of which each has its price."""


def _halts(error: ProviderError) -> bool:
    """Whether nothing more may leave after such an answer: the next one would be the same."""
    return error.next_step in STOPPING or error.pause_s is not None


def _stops_the_lane(error: ProviderError) -> bool:
    """Whether the lane claims no more after such an answer, and decides what to do first."""
    return _halts(error) or error.reason == Reason.FORBIDDEN


def _graver(known: ProviderError | None, new: ProviderError | None) -> ProviderError | None:
    """Which of the two the lane has to meet: that something was not begun only follows from another trouble."""
    if known is None or (new is not None and new.reason != Reason.NOT_STARTED):
        return new
    return known


class Runner:
    """The sending half of one lane, for as long as it holds its lease.

    Intents run ahead only by what starts within about a second, refilled as answers come, so that a kill leaves few
    doubts behind.
    """

    def __init__(
        self,
        connection_id: int,
        provider: Provider,
        lease: Lease,
        stop: threading.Event,
        *,
        threads: int,
        rate_per_s: float = math.inf,
        reads: Reads | None = None,
    ) -> None:
        self._connection_id = connection_id
        self._provider = provider
        self._lease = lease
        self._stop = stop
        self._threads = max(1, threads)
        self._rate_per_s = rate_per_s
        self._senders = Senders(self._threads, self._send, name=f"lane-{connection_id}")
        self._answers: queue.SimpleQueue[tuple[Attempt, float]] = queue.SimpleQueue()
        self._running: dict[int, Operation] = {}
        self._pace = Pace(self._threads)
        self._reads = reads or Reads()
        self._queue_at = 0.0
        self._halted = threading.Event()
        self.was_accepted = False
        """Whether the remote took a call of the last push, and with it the token."""

    @property
    def window(self) -> int:
        """How many intents may be open: one a thread, and what the threads will have taken by the next look.

        Never more than the limit of the lane lets start within a second.
        """
        return min(self._threads + self._pace.ahead, max(self._threads, int(min(self._rate_per_s, sys.maxsize))))

    def push(self) -> tuple[bool, ProviderError | None]:
        """Send until nothing can be claimed, the turn is over, or an answer stops the lane.

        Returns (whether something was sent, that error).

        Whatever was begun is settled when this returns. Raises `LaneLost`.
        """
        sent, trouble, self.was_accepted = False, None, False
        self._pace.rest()
        self._halted.clear()
        turn_ends = time.monotonic() + TURN_S
        while True:
            self._lease.keep()
            if not (trouble or self._halted.is_set() or self._stop.is_set()) and time.monotonic() < turn_ends:
                sent = self._refill() or sent
            if not self._running:
                return sent, trouble
            trouble = _graver(trouble, self._settle_some())

    def _refill(self) -> bool:
        """Claim what the window has room for. True: there was something."""
        self._pace.round_began()
        window, running = self.window, len(self._running)
        room = window - running
        if running > self._threads and room < (window - self._threads) / 2:
            return False  # the threads have enough: a larger claim later costs less
        if time.monotonic() >= self._queue_at:
            self._queue()
        claimed = outbox.claim(self._connection_id, self._lease.token, room)
        if len(claimed) < room and self._queue():
            more = outbox.claim(self._connection_id, self._lease.token, room - len(claimed))
            claimed = [*claimed, *more]
        self._start(claimed)
        return bool(claimed)

    def _queue(self) -> bool:
        self._queue_at = time.monotonic() + QUEUE_EVERY_S
        return outbox.promote(self._connection_id)

    def _start(self, operations: Sequence[Operation], reads: Mapping[int, int] = MappingProxyType({})) -> None:
        """`reads`: `{operation id: readings that no entry tells yet}`."""
        for operation in operations:
            self._running[operation.pk] = operation
            self._senders.put(Job.of(operation, reads.get(operation.pk, 0)), goes_on=operation.calls_done > 0)

    def _send(self, job: Job) -> None:
        began, reads_before = time.monotonic(), self._reads.count
        if self._halted.is_set():
            answer = Attempt(job.operation_id, error=NotSent(Reason.NOT_STARTED))
        else:
            answer = attempt(self._provider, job, self._lease.send_before)
        answer = dataclasses.replace(answer, reads=job.reads + self._reads.count - reads_before)
        self._halt_after(job, answer)
        self._answers.put((answer, time.monotonic() - began))

    def _halt_after(self, job: Job, answer: Attempt) -> None:
        """At once, not when the books have come to it: of what no thread has begun nothing is sent any more."""
        is_doubt = answer.verdict == Verdict.LOOK or answer.next_step == NextStep.READ_BACK
        if (answer.error is not None and _halts(answer.error)) or (is_doubt and self._makes_an_indistinct_row(job)):
            self._halted.set()

    def _makes_an_indistinct_row(self, job: Job) -> bool:
        """While such an addition is in doubt no other may be sent in its group (`indistinct.py`): nor one claimed
        before."""
        return job.verb == Verb.ADD and job.is_first and not self._provider.capabilities.rows_name_accounts

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
        self._start(going_on, {item.operation_id: item.reads for item in batch})
        trouble = None
        for item in batch:
            if item.error is None:
                self.was_accepted = True
            elif _stops_the_lane(item.error):
                trouble = _graver(trouble, item.error)
        return trouble

    def _gather(self) -> list[Attempt]:
        """Wait for an answer, and a moment for others."""
        try:
            batch = [self._answers.get(timeout=1.0)]
        except queue.Empty:
            return []
        if len(batch) + self._answers.qsize() < len(self._running):
            time.sleep(GATHER_LONGER_S if len(self._running) - len(batch) > self._threads else GATHER_S)
        while len(batch) < len(self._running):
            try:
                batch.append(self._answers.get_nowait())
            except queue.Empty:
                break
        self._pace.answered([seconds for _, seconds in batch])
        return [answer for answer, _ in batch]

    def close(self) -> None:
        """Wait for what is on its way, at most the time limit of a request; nothing leaves any more.

        What was not settled is in doubt for the next owner, who reads it back: so no call may leave after that.
        """
        self._senders.close()
