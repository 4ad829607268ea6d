"""The threads of a lane, which send and do nothing else, and how fast they are."""

import itertools
import queue
import threading
import time
from collections.abc import Callable, Sequence

from membership.operations.attempts import Job

_GOES_ON, _BEGINS, _ENDS = range(3)
"""The order in which threads take what waits."""
AHEAD_AT_MOST_S = 1.0
AHEAD_AT_MOST = 256
"""Intents that no thread has begun: so many more doubts does a killed worker leave, for one reading a group."""


class Senders:
    """Threads that call `send` with one job after another. Started when there is work for them."""

    def __init__(self, number: int, send: Callable[[Job], None], *, name: str) -> None:
        self._number = number
        self._send = send
        self._name = name
        self._jobs: queue.PriorityQueue[tuple[int, int, Job | None]] = queue.PriorityQueue()
        self._numbers = itertools.count()
        self._threads: list[threading.Thread] = []

    def put(self, job: Job, *, goes_on: bool = False) -> None:
        """`goes_on`: of what has begun already; it goes before what has not, so that little is half done at a time."""
        self._jobs.put((_GOES_ON if goes_on else _BEGINS, next(self._numbers), job))
        if len(self._threads) < self._number:
            thread = threading.Thread(target=self._run, name=f"{self._name}-{len(self._threads)}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def _run(self) -> None:
        while (job := self._jobs.get()[-1]) is not None:
            self._send(job)

    def close(self) -> None:
        """Drop the jobs that no thread has begun, and wait for those that are on their way."""
        try:
            while True:
                self._jobs.get_nowait()
        except queue.Empty:
            pass
        for _ in self._threads:
            self._jobs.put((_ENDS, next(self._numbers), None))
        for thread in self._threads:
            thread.join()


class Pace:
    """How fast the threads could go, and how long the books take meanwhile: by both, how far intents run ahead."""

    def __init__(self, threads: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._threads = threads
        self._clock = clock
        self._call_s = 0.0
        self._round_s = 0.0
        self._round_began: float | None = None

    def answered(self, seconds: Sequence[float]) -> None:
        """So long did calls take, waiting for the limit included."""
        if seconds:
            self._call_s = _mean(self._call_s, sum(seconds) / len(seconds))

    def round_began(self) -> None:
        """The books begin anew: claim, gather, settle."""
        now = self._clock()
        if self._round_began is not None:
            self._round_s = _mean(self._round_s, now - self._round_began)
        self._round_began = now

    def rest(self) -> None:
        """Nothing is sent for a while: that is no round."""
        self._round_began = None

    @property
    def ahead(self) -> int:
        """How many calls the threads will begin until the books are round twice; at most what a second starts."""
        if not self._call_s:
            return 0  # till something was answered: it may be a no to everything
        return min(AHEAD_AT_MOST, int(self._threads / self._call_s * min(AHEAD_AT_MOST_S, 2 * self._round_s)))


def _mean(before: float, now: float) -> float:
    return (before + now) / 2 if before else now
