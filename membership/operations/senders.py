"""The threads of a lane, which send and do nothing else, and how fast they are."""

import queue
import threading
import time
from collections.abc import Callable

from membership.operations.attempts import Job

REMEMBERED_S = 1.0


class Senders:
    """Threads that call `send` with one job after another. Started when there is work for them."""

    def __init__(self, number: int, send: Callable[[Job], None], *, name: str) -> None:
        self._number = number
        self._send = send
        self._name = name
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []

    def put(self, job: Job) -> None:
        self._jobs.put(job)
        if len(self._threads) < self._number:
            thread = threading.Thread(target=self._run, name=f"{self._name}-{len(self._threads)}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            self._send(job)

    def close(self) -> None:
        """Drop the jobs that no thread has begun, and wait for those that are on their way."""
        try:
            while True:
                self._jobs.get_nowait()
        except queue.Empty:
            pass
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            thread.join()


class Pace:
    """How many calls a second were answered lately."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._noted_at = clock()
        self.per_s = 0.0

    def note(self, answers: int) -> None:
        now = self._clock()
        seconds = max(now - self._noted_at, 0.001)
        weight = min(1.0, seconds / REMEMBERED_S)
        self.per_s += (answers / seconds - self.per_s) * weight
        self._noted_at = now
