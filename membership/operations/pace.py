"""One limit over all of a lane's requests."""

import threading
import time
from collections.abc import Callable, Mapping

from django.db import connection

from membership.errors import Reason
from membership.providers.base import Door, Reader, RemoteAnswer, RemoteCall
from membership.providers.errors import NotSent


class Bucket:
    """A token bucket that threads share. Starts with one token: after a restart nothing is known of what was sent."""

    def __init__(self, rate_per_s: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate_per_s
        self._burst = max(1.0, float(burst))
        self._clock = clock
        self._tokens = 1.0
        self._filled_at = clock()
        self._rest_until = 0.0
        self._lock = threading.Lock()
        self.taken = 0

    def wait_s(self) -> float:
        """Take a token and return 0, or return the seconds until one may be there."""
        with self._lock:
            now = self._clock()
            if now < self._rest_until:
                return self._rest_until - now
            self._tokens = min(self._burst, self._tokens + (now - self._filled_at) * self._rate)
            self._filled_at = now
            if self._tokens < 1:
                return (1 - self._tokens) / self._rate
            self._tokens -= 1
            self.taken += 1
            return 0.0

    def adjust(self, rate_per_s: float, burst: int) -> None:
        """The limits may have been edited since."""
        with self._lock:
            self._rate, self._burst = rate_per_s, max(1.0, float(burst))

    def deduct(self, count: int) -> None:
        """Somebody else used `count` requests of this limit."""
        with self._lock:
            self._tokens -= count

    def rest(self, seconds: float) -> None:
        """No request for so long. A longer rest that already runs stays."""
        with self._lock:
            self._rest_until = max(self._rest_until, self._clock() + seconds)


class PacedDoor:
    """A door that waits for the lane's limit, and never opens inside a transaction, nor after `stop` or `ended`."""

    def __init__(self, door: Door, bucket: Bucket, stop: threading.Event, ended: threading.Event | None = None) -> None:
        self._door = door
        self._bucket = bucket
        self._stop = stop
        self._ended = ended or threading.Event()

    def send(
        self, call: RemoteCall, *, credentials: Mapping[str, str], send_before: float | None = None
    ) -> RemoteAnswer:
        self._wait()
        return self._door.send(call, credentials=credentials, send_before=send_before)

    def read(self, call: RemoteCall, *, credentials: Mapping[str, str]) -> Reader:
        self._wait()
        return self._door.read(call, credentials=credentials)

    def _wait(self) -> None:
        if connection.in_atomic_block:
            raise RuntimeError("A remote call inside a transaction: the database must never wait for a remote.")
        while not self._stop.is_set() and not self._ended.is_set():
            seconds = self._bucket.wait_s()
            if not seconds:
                return
            self._stop.wait(min(seconds, 1.0))
        raise NotSent(Reason.NOT_STARTED)
