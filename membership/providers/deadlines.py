"""One thread that ends what outlives its deadline."""

import os
import threading
import time
from typing import Protocol


class Watched(Protocol):
    deadline: float  # monotonic seconds; may be moved back while watched

    def expire(self) -> None:
        """Called once, from the watchdog's thread, when the deadline has passed. Must not block or raise."""
        ...


class Watchdog:
    """Watches any number of deadlines with one daemon thread, which starts when it is first needed.

    It looks at all of them when the earliest one is due. With like timeouts that is about once per timeout, whatever
    the number of calls, and a call costs no more than a place in a set: cheaper than a heap.
    """

    def __init__(self) -> None:
        self._reset()
        # A forked child has neither the thread nor, for sure, a free lock.
        os.register_at_fork(after_in_child=self._reset)

    def _reset(self) -> None:
        self._changed = threading.Condition(threading.Lock())
        self._watched: set[Watched] = set()
        self._thread: threading.Thread | None = None
        self._wakes_at = float("inf")

    def watch(self, watched: Watched) -> None:
        with self._changed:
            self._watched.add(watched)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="door-deadlines", daemon=True)
                self._thread.start()
            elif watched.deadline < self._wakes_at:
                self._changed.notify()

    def forget(self, watched: Watched) -> None:
        with self._changed:
            self._watched.discard(watched)

    def _run(self) -> None:
        changed = self._changed
        with changed:
            while True:
                now = time.monotonic()
                for watched in [one for one in self._watched if one.deadline <= now]:
                    self._watched.discard(watched)
                    watched.expire()
                self._wakes_at = min((one.deadline for one in self._watched), default=float("inf"))
                changed.wait(None if self._wakes_at == float("inf") else max(0.0, self._wakes_at - now))
