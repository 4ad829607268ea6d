"""Connections to one remote: dialled, wrapped in TLS where the address says so, used again while that is safe."""

import select
import ssl
import time
from collections import deque
from contextlib import suppress
from typing import Any

from membership.errors import Reason
from membership.providers import sockets
from membership.providers.answering import CertainAnswer
from membership.providers.errors import NotSent, ProviderError
from membership.providers.sockets import Attempt, Guard

# A server that closes idle connections after five seconds is common; a request that meets the close is in doubt.
IDLE_S = 3.0


class Line:
    """One connection, for one attempt at a time."""

    __slots__ = ("_guard", "_sock", "idle_since")

    def __init__(self, sock: Any, guard: Guard) -> None:
        self._sock = sock
        self._guard = guard
        self.idle_since = 0.0

    def ask(self, attempt: Attempt, method: str, request: bytes, *, now: float) -> CertainAnswer:
        """Send the whole request, and read the head of its answer. `now`: by what `send_before` is measured."""
        if attempt.send_before is not None and now >= attempt.send_before:
            raise NotSent(Reason.TOO_LATE_TO_SEND)
        if attempt.expired or attempt.left_s() <= 0:
            raise NotSent(Reason.CONNECT_TIMEOUT)
        self._sock.settimeout(attempt.timeout_s)
        attempt.began = True
        # The remote may answer and close before it has read all.
        with suppress(BrokenPipeError, ConnectionResetError):
            self._sock.sendall(request)
        answer = CertainAnswer(self._sock, attempt, method=method)
        try:
            answer.begin()
        except BaseException:
            answer.close()
            raise
        return answer

    def join(self, attempt: Attempt) -> None:
        """From now on it ends with this attempt."""
        attempt.hold(self._guard)

    def is_fresh(self) -> bool:
        """Whether it may be used again: not idle for long, and nothing came that nobody asked for, its end included."""
        if time.monotonic() - self.idle_since > IDLE_S:
            return False
        poll = select.poll()
        poll.register(self._sock, select.POLLIN | select.POLLPRI)
        return not poll.poll(0)

    def close(self) -> None:
        self._guard.close()
        self._sock.close()


class Lines:
    """The connections to one address; safe for threads. Keeps at most `places` of them for later."""

    def __init__(
        self, scheme: str, host: str, port: int, *, internal: bool, places: int, timeout_s: float, ca_file: str
    ) -> None:
        self._host = host
        self._port = port
        self._internal = internal
        self._timeout_s = timeout_s
        self._places = places
        self._idle: deque[Line] = deque()
        self._is_closed = False
        # Made once: loading the authorities takes longer than a handshake.
        self._tls = _tls(ca_file) if scheme == "https" else None

    def take(self, attempt: Attempt) -> Line:
        """One that may be used, joined to the attempt. Raises `NotSent`."""
        while True:
            try:
                line = self._idle.pop()
            except IndexError:
                return self._dialled(attempt)
            if line.is_fresh():
                line.join(attempt)
                return line
            line.close()

    def put_back(self, line: Line) -> None:
        line.idle_since = time.monotonic()
        if self._is_closed or len(self._idle) >= self._places:
            line.close()
        else:
            self._idle.append(line)

    def close(self) -> None:
        """Those under way end by themselves."""
        self._is_closed = True
        with suppress(IndexError):
            while True:
                self._idle.pop().close()

    def _dialled(self, attempt: Attempt) -> Line:
        connected = sockets.dial(self._host, self._port, internal=self._internal, attempt=attempt)
        guard = Guard(connected)
        attempt.hold(guard)
        if self._tls is None:
            return Line(connected, guard)
        try:
            connected.settimeout(self._timeout_s)
            return Line(self._tls.wrap_socket(connected, server_hostname=self._host.rstrip(".")), guard)
        except BaseException as error:
            attempt.hold(None)
            guard.close()
            connected.close()
            if isinstance(error, Exception):
                raise _tls_failure(error, self._host, attempt) from None
            raise


def _tls(ca_file: str) -> ssl.SSLContext:
    # Certificate and name are verified by this protocol. Not `create_default_context`: it heeds SSLKEYLOGFILE.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(ca_file)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.hostname_checks_common_name = False
    context.set_alpn_protocols(["http/1.1"])
    return context


def _tls_failure(error: Exception, host: str, attempt: Attempt) -> ProviderError:
    if isinstance(error, ssl.SSLCertVerificationError):
        return NotSent(Reason.TLS_FAILED, host=host, detail=error.verify_message)
    late = isinstance(error, TimeoutError) or attempt.expired
    detail = "timed out" if late else str(getattr(error, "reason", None) or type(error).__name__)
    return NotSent(Reason.TLS_FAILED, host=host, detail=detail)
