"""One attempt at a call, and how its socket is opened and ended."""

import errno
import os
import socket
import threading
import time
from contextlib import suppress

from membership.errors import Reason
from membership.providers.addresses import Address, Resolver
from membership.providers.deadlines import Watchdog
from membership.providers.errors import NotSent

RESOLVER = Resolver()
WATCHDOG = Watchdog()


class Guard:
    """A second handle on a connection's socket, only to shut it down from another thread.

    Its descriptor is a duplicate: TLS takes the first one over, and a number that was closed may already be another
    call's socket.
    """

    __slots__ = ("_lock", "_socket")

    def __init__(self, connected: socket.socket) -> None:
        self._lock = threading.Lock()
        self._socket: socket.socket | None = socket.socket(fileno=os.dup(connected.fileno()))

    def shut_down(self) -> None:
        with self._lock:
            if self._socket is not None:
                # It may have been reset meanwhile.
                with suppress(OSError):
                    self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        with self._lock:
            if self._socket is not None:
                self._socket.close()
                self._socket = None


class Attempt:
    """One call on its way: what it may still do, and what is known of it.

    `began` says whether a byte of the request may have left. It is set in one place, just before the first byte is
    handed to the system, and decides alone between `NotSent` and `OutcomeUnknown`.
    """

    __slots__ = (
        "_guard",
        "_lock",
        "began",
        "deadline",
        "expired",
        "send_before",
        "started",
        "timeout_s",
        "unread",
    )

    def __init__(self, *, started: float, timeout_s: float, send_before: float | None) -> None:
        self.timeout_s = timeout_s
        self.send_before = send_before
        self.started = started
        self.deadline = started + timeout_s
        self.began = False
        self.expired = False
        self.unread = False  # bytes came after the answer
        self._lock = threading.Lock()
        self._guard: Guard | None = None

    def left_s(self) -> float:
        return self.deadline - time.monotonic()

    def hold(self, guard: Guard | None) -> None:
        """From now on this socket ends with the attempt. None: it is another's."""
        with self._lock:
            self._guard = guard
            if guard is not None and self.expired:
                guard.shut_down()

    def expire(self) -> None:
        with self._lock:
            self.expired = True
            if self._guard is not None:
                self._guard.shut_down()


def dial(host: str, port: int, *, internal: bool, attempt: Attempt) -> socket.socket:
    """A connected socket to one of the name's checked addresses. Raises `NotSent`, within the attempt's deadline."""
    addresses = RESOLVER.resolve(host, port, internal=internal, timeout_s=max(0.0, attempt.left_s()))
    failure = NotSent(Reason.CONNECT_TIMEOUT, host=host)
    for position, address in enumerate(addresses):
        # A fair share for each, so that a dead first address leaves time for the second.
        timeout_s = attempt.left_s() / (len(addresses) - position)
        if timeout_s <= 0:
            break
        try:
            return _connect(address, timeout_s)
        except TimeoutError:
            failure = NotSent(Reason.CONNECT_TIMEOUT, host=host)
        except OSError as error:
            refused = error.errno == errno.ECONNREFUSED
            failure = NotSent(Reason.CONNECTION_REFUSED if refused else Reason.NOT_REACHED, host=host)
    raise failure


def _connect(address: Address, timeout_s: float) -> socket.socket:
    connecting = socket.socket(address.family, socket.SOCK_STREAM)
    try:
        connecting.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connecting.settimeout(timeout_s)
        connecting.connect(address.sockaddr)
    except BaseException:
        connecting.close()
        raise
    return connecting
