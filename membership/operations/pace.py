"""One limit over all of a lane's requests."""

import threading
import time
from collections.abc import Callable, Mapping

from django.db import connection

from membership.errors import Reason
from membership.providers import pauses
from membership.providers.base import Door, Reader, RemoteAnswer, RemoteCall
from membership.providers.errors import NotSent

WHOLE_SECONDS = 1.0
"""By how much the end of a remote's window may be rounded up: waiting for all of it would waste windows of a second."""


class Bucket:
    """The rate and burst of one lane, shared by its threads: each takes the time at which it may send.

    Starts without a burst: after a restart nothing is known of what was sent. What the remote says of its own limit may
    make it slower for a while, never faster than what was configured.
    """

    def __init__(self, rate_per_s: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._rate = rate_per_s
        self._ahead_s = _ahead_s(rate_per_s, burst)
        self._next_at = clock() + self._ahead_s
        """When the next request would be due if there were no burst; those may come `_ahead_s` earlier."""
        self._rest_until = 0.0
        self._slow_rate = rate_per_s
        self._slow_until = 0.0
        self._lock = threading.Lock()
        self.taken = 0

    def take(self) -> float:
        """Take a turn; returns the time of the clock at which it has come."""
        with self._lock:
            now = self._clock()
            at = max(now, self._next_at - self._ahead_s, self._rest_until)
            rate = min(self._rate, self._slow_rate) if at < self._slow_until else self._rate
            self._next_at = max(at, self._next_at) + 1 / rate
            self.taken += 1
            return at

    def left_s(self, at: float) -> float | None:
        """Seconds until a turn that was taken has come; None when a rest has begun meanwhile: take another."""
        with self._lock:
            if at < self._rest_until:
                self.taken -= 1
                return None
            return max(0.0, at - self._clock())

    def adjust(self, rate_per_s: float, burst: int) -> None:
        """The limits may have been edited since. A larger burst has to be saved up first."""
        with self._lock:
            ahead_s = _ahead_s(rate_per_s, burst)
            self._next_at += ahead_s - self._ahead_s
            self._rate, self._ahead_s = rate_per_s, ahead_s

    def deduct(self, count: int) -> None:
        """Somebody else used `count` requests of this limit."""
        if count:
            with self._lock:
                self._next_at = max(self._next_at, self._clock()) + count / self._rate

    def rest(self, seconds: float) -> None:
        """No request for so long. A longer rest that already runs stays."""
        with self._lock:
            self._rest_until = max(self._rest_until, self._clock() + seconds)

    def learn(self, left: int, seconds: float) -> None:
        """The remote takes `left` more requests within `seconds`: others may use the same limit."""
        surely_s = seconds - WHOLE_SECONDS
        if surely_s <= 0:
            return
        if left <= 0:
            self.rest(surely_s)
            return
        with self._lock:
            self._slow_rate, self._slow_until = left / surely_s, self._clock() + surely_s


def _ahead_s(rate_per_s: float, burst: int) -> float:
    return (max(1.0, float(burst)) - 1) / rate_per_s


class Reads(threading.local):
    """How many readings the calling thread has begun."""

    count = 0


class PacedDoor:
    """A door that waits for the lane's limit, and never opens inside a transaction, nor after `stop` or `ended`."""

    def __init__(
        self,
        door: Door,
        bucket: Bucket,
        stop: threading.Event,
        ended: threading.Event | None = None,
        reads: Reads | None = None,
    ) -> None:
        self._door = door
        self._reads = reads or Reads()
        self._bucket = bucket
        self._stop = stop
        self._ended = ended or threading.Event()

    def send(
        self, call: RemoteCall, *, credentials: Mapping[str, str], send_before: float | None = None
    ) -> RemoteAnswer:
        self._wait()
        answer = self._door.send(call, credentials=credentials, send_before=send_before)
        self._learn(answer.headers)
        return answer

    def read(self, call: RemoteCall, *, credentials: Mapping[str, str]) -> Reader:
        self._wait()
        self._reads.count += 1
        reader = self._door.read(call, credentials=credentials)
        self._learn(reader.headers)
        return reader

    def _learn(self, headers: Mapping[str, str]) -> None:
        if (told := pauses.window_left(headers, now=time.time())) is not None:
            self._bucket.learn(*told)

    def _wait(self) -> None:
        if connection.in_atomic_block:
            raise RuntimeError("A remote call inside a transaction: the database must never wait for a remote.")
        turn: float | None = None
        while not self._stop.is_set() and not self._ended.is_set():
            turn = self._bucket.take() if turn is None else turn
            seconds = self._bucket.left_s(turn)
            if seconds is None:
                turn = None
            elif not seconds:
                return
            else:
                self._stop.wait(min(seconds, 1.0))
        raise NotSent(Reason.NOT_STARTED)
