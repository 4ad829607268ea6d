"""The one place that opens a socket.

Every call ends as a whole answer, as `NotSent` (no byte of it left) or as `OutcomeUnknown` (it left, and no usable
answer came). Nothing is sent twice, no redirect is followed, no cookie kept, no environment variable heeded.
"""

import http.client
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, BinaryIO
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.cookies import RequestsCookieJar
from requests.structures import CaseInsensitiveDict
from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError
from urllib3.response import BaseHTTPResponse
from urllib3.util.ssl_ import create_urllib3_context

from membership.errors import Reason
from membership.providers import sockets, spool, wire
from membership.providers.answering import CertainAnswer, this_thread
from membership.providers.base import RemoteAnswer, RemoteCall
from membership.providers.errors import NotSent, OutcomeUnknown, ProviderError, Refused
from membership.providers.sockets import Attempt, Guard

ANSWER_BYTES = 1024 * 1024
READING_BYTES = 256 * 1024 * 1024
CHUNK_BYTES = 64 * 1024
# A server that closes idle connections after five seconds is common; a request that meets the close is in doubt.
IDLE_S = 3.0
READING_DEADLINES = 10


class _Dialled:
    """What both connection classes do their own way: dialling, the mark, and the guard of the socket."""

    internal: bool
    idle_since = 0.0
    guard: Guard | None = None
    in_attempt: Attempt | None = None
    response_class = CertainAnswer
    sock: Any

    def __init__(self, *args: Any, internal: bool, clock: Callable[[], float], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.internal = internal
        self.clock = clock

    def _new_conn(self) -> Any:
        attempt = this_thread.attempt
        connected = sockets.dial(self._dns_host, self.port, internal=self.internal, attempt=attempt)  # type: ignore[attr-defined]
        self.guard = Guard(connected)
        self.join(attempt)
        return connected

    def join(self, attempt: Attempt) -> None:
        self.in_attempt = attempt
        attempt.hold(self.guard, on_end=self.leave)

    def leave(self) -> None:
        """The attempt is over. The guard stays as long as the socket does."""
        if self.in_attempt is not None:
            self.in_attempt.hold(None)
            self.in_attempt = None
        if self.sock is None:
            self._drop_guard()

    def _drop_guard(self) -> None:
        if self.guard is not None:
            self.guard.close()
            self.guard = None

    def close(self) -> None:
        super().close()  # type: ignore[misc]
        # http.client closes a connection before the body is read if nothing may follow on it; the socket lives on in
        # the answer, and must still end with the attempt.
        if self.in_attempt is None:
            self._drop_guard()

    def putrequest(self, method: str, url: str, *args: Any, **kwargs: Any) -> None:
        # Libraries below us normalise URLs. What they made of this one must be what was built.
        if url != this_thread.attempt.target:
            raise Refused(Reason.ID_NOT_SENDABLE)
        super().putrequest(method, url, *args, **kwargs)  # type: ignore[misc]

    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()  # type: ignore[attr-defined]
        attempt = this_thread.attempt
        if not attempt.began:
            if attempt.send_before is not None and self.clock() >= attempt.send_before:
                raise NotSent(Reason.TOO_LATE_TO_SEND)
            if attempt.expired or attempt.left_s() <= 0:
                raise NotSent(Reason.CONNECT_TIMEOUT)
            attempt.began = True
        super().send(data)  # type: ignore[misc]


class _PlainConnection(_Dialled, HTTPConnection):  # type: ignore[misc]
    pass


class _TLSConnection(_Dialled, HTTPSConnection):  # type: ignore[misc]
    def connect(self) -> None:
        try:
            super().connect()
        except ProviderError:
            raise
        except ssl.SSLCertVerificationError as error:
            raise NotSent(Reason.TLS_FAILED, host=self.host, detail=error.verify_message) from None
        except Exception as error:
            late = isinstance(error, TimeoutError) or this_thread.attempt.expired
            detail = "timed out" if late else str(getattr(error, "reason", None) or type(error).__name__)
            raise NotSent(Reason.TLS_FAILED, host=self.host, detail=detail) from None


class _Pooled:
    """Connections that may be used again are few: fresh, silent, and with nothing left of an answer."""

    pool: Any

    def _get_conn(self, timeout: float | None = None) -> Any:
        conn = super()._get_conn(timeout)  # type: ignore[misc]
        if conn.sock is not None:
            if time.monotonic() - conn.idle_since > IDLE_S:
                conn.close()
            else:
                conn.join(this_thread.attempt)
        return conn

    def _put_conn(self, conn: Any) -> None:
        # More threads than places: urllib3 would close it, too, but warn each time.
        is_surplus = self.pool is not None and self.pool.full()
        if conn is not None:
            if is_surplus or this_thread.attempt.unread or this_thread.attempt.expired:
                conn.close()
            conn.leave()
            conn.idle_since = time.monotonic()
        if not is_surplus:
            super()._put_conn(conn)  # type: ignore[misc]


class _PlainPool(_Pooled, HTTPConnectionPool):
    ConnectionCls = _PlainConnection


class _TLSPool(_Pooled, HTTPSConnectionPool):
    ConnectionCls = _TLSConnection


class _Adapter(HTTPAdapter):
    """Everything goes to the one pool of the connection's own address."""

    def __init__(self, pool: HTTPConnectionPool) -> None:
        super().__init__(max_retries=0)
        self._pool = pool

    def get_connection_with_tls_context(self, *_args: Any, **_kwargs: Any) -> HTTPConnectionPool:
        return self._pool

    def cert_verify(self, *args: Any, **kwargs: Any) -> None:
        """The pool's own TLS context does; requests would load the authorities again for each connection."""

    def build_response(self, req: requests.PreparedRequest, resp: Any) -> requests.Response:
        """Only what the session needs. No headers: it would read a redirect's body whole, though told not to follow."""
        response = requests.Response()
        response.status_code = resp.status
        response.raw = resp
        response.request = req
        response.connection = self
        return response

    def close(self) -> None:
        self._pool.close()
        super().close()


class _NoCookies(RequestsCookieJar):
    def extract_cookies(self, *args: Any) -> None:
        pass


class HttpDoor:
    """The `Door` to one connection's address; safe for threads.

    `internal` allows loopback, link-local and private addresses. `timeout_s` is the whole time a call may take, name,
    TLS, headers and body together; a reading's body may take `reading_timeout_s` as long as bytes keep coming. `clock`
    is what `send_before` is measured by. `ca_file` replaces the well-known authorities.
    """

    def __init__(
        self,
        base_url: str,
        *,
        internal: bool,
        timeout_s: float,
        pool_size: int,
        clock: Callable[[], float] = time.monotonic,
        spool_dir: str | None = None,
        reading_timeout_s: float | None = None,
        ca_file: str | None = None,
    ) -> None:
        self._origin = wire.Origin.of(base_url)
        self._timeout_s = float(timeout_s)
        self._reading_timeout_s = reading_timeout_s or READING_DEADLINES * self._timeout_s
        self._spool_dir = spool_dir
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.cookies = _NoCookies()
        adapter = _Adapter(_pool(self._origin, pool_size, ca_file, internal=internal, clock=clock))
        self._session.mount("http://", adapter)
        self._session.mount("https://", adapter)

    def send(
        self, call: RemoteCall, *, credentials: Mapping[str, str], send_before: float | None = None
    ) -> RemoteAnswer:
        with self._answered(call, credentials, send_before) as (attempt, raw):
            body = b"".join(_body(raw, ANSWER_BYTES))
            _check_end(attempt, raw)
            return RemoteAnswer(raw.status, _headers(raw), body)

    def read(self, call: RemoteCall, *, credentials: Mapping[str, str]) -> spool.SpooledReader:
        with self._answered(call, credentials, None) as (attempt, raw):
            attempt.deadline = attempt.started + max(self._timeout_s, self._reading_timeout_s)
            stream: BinaryIO = spool.new_spool(self._spool_dir)
            try:
                for chunk in _body(raw, READING_BYTES):
                    stream.write(chunk)
                _check_end(attempt, raw)
            except BaseException:
                stream.close()
                raise
            return spool.SpooledReader(raw.status, _headers(raw), stream)

    def close(self) -> None:
        """Close idle connections. Calls under way end by themselves."""
        self._session.close()

    @contextmanager
    def _answered(
        self, call: RemoteCall, credentials: Mapping[str, str], send_before: float | None
    ) -> Iterator[tuple[Attempt, BaseHTTPResponse]]:
        """Send, and hand out the answer with its body unread. Every error inside becomes a `ProviderError`."""
        started = time.monotonic()
        prepared = self._prepare(call, credentials)
        target = (prepared.url or "")[len(self._origin.url) :]
        attempt = Attempt(target, started=started, timeout_s=self._timeout_s, send_before=send_before)
        this_thread.attempt = attempt
        sockets.WATCHDOG.watch(attempt)
        raw: BaseHTTPResponse | None = None
        try:
            answer = self._session.send(
                prepared, stream=True, timeout=self._timeout_s, allow_redirects=False, verify=True, proxies={}
            )
            raw = answer.raw
            _check_start(raw)
            yield attempt, raw
        except ProviderError:
            _abandon(raw)
            raise
        except Exception as error:
            _abandon(raw)
            # Without its cause: texts of the libraries may hold header values.
            raise _classified(error, attempt) from None
        except BaseException:
            _abandon(raw)
            raise
        finally:
            sockets.WATCHDOG.forget(attempt)
            attempt.end()

    def _prepare(self, call: RemoteCall, credentials: Mapping[str, str]) -> requests.PreparedRequest:
        # Filled in by hand: requests would normalise the URL and add headers of its own.
        prepared = requests.PreparedRequest()
        prepared.method = wire.method(call)
        prepared.url = self._origin.url + wire.target(self._origin.prefix, call)
        prepared.body = wire.body(call.body)
        prepared.headers = CaseInsensitiveDict(wire.headers(call, credentials, prepared.body))
        return prepared


def _pool(
    origin: wire.Origin, pool_size: int, ca_file: str | None, *, internal: bool, clock: Callable[[], float]
) -> HTTPConnectionPool:
    settings: dict[str, Any] = {"maxsize": pool_size, "block": False, "internal": internal, "clock": clock}
    if origin.scheme == "http":
        return _PlainPool(origin.host, origin.port, **settings)
    # Made once: loading the authorities takes longer than a handshake.
    context = create_urllib3_context(cert_reqs=ssl.CERT_REQUIRED)
    context.load_verify_locations(ca_file or DEFAULT_CA_BUNDLE_PATH)
    return _TLSPool(origin.host, origin.port, ssl_context=context, cert_reqs="CERT_REQUIRED", **settings)


def _check_start(raw: BaseHTTPResponse) -> None:
    """What status and headers alone make unusable, before a byte of the body is read."""
    if 300 <= raw.status <= 399:
        raise OutcomeUnknown(
            Reason.ANSWER_REDIRECTED, status=raw.status, location=_host_of(raw.headers.get("location", ""))
        )
    # Never asked for, and never inflated: a small body may become a huge one.
    if raw.headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
        raise OutcomeUnknown(Reason.ANSWER_UNREADABLE, status=raw.status, detail="content-encoding")


def _body(raw: BaseHTTPResponse, limit: int) -> Iterator[bytes]:
    too_large = OutcomeUnknown(Reason.ANSWER_TOO_LARGE, status=raw.status, limit=limit)
    if (raw.length_remaining or 0) > limit:
        raise too_large
    size = 0
    while chunk := raw.read(CHUNK_BYTES, decode_content=False):
        size += len(chunk)
        if size > limit:
            raise too_large
        yield chunk


def _check_end(attempt: Attempt, raw: BaseHTTPResponse) -> None:
    if attempt.expired:
        # A body without a length ends with the connection, and that was ended by us.
        raise OutcomeUnknown(Reason.ANSWER_TIMEOUT, status=raw.status)
    if attempt.unread:
        raise OutcomeUnknown(Reason.ANSWER_UNREADABLE, status=raw.status, detail="unread bytes")


def _headers(raw: BaseHTTPResponse) -> dict[str, str]:
    return {name.lower(): value for name, value in raw.headers.itermerged()}


def _host_of(location: str) -> str:
    try:
        host = urlsplit(location).hostname or ""
    except ValueError:
        return ""
    return host if wire.HOST.fullmatch(host) else ""


def _abandon(raw: BaseHTTPResponse | None) -> None:
    """Close the connection. The pool makes a new one when it needs one."""
    if raw is not None:
        with suppress(Exception):
            raw.close()


def _classified(error: Exception, attempt: Attempt) -> ProviderError:
    """The mark alone says whether it may have been done; the error only says why."""
    causes = [cause for cause in _causes(error) if not _is_wrapper(cause)]
    detail = type(causes[-1] if causes else error).__name__
    if not attempt.began:
        return NotSent(Reason.CONNECT_TIMEOUT if attempt.expired else Reason.NOT_REACHED, detail=detail)
    if attempt.expired or any(isinstance(cause, TimeoutError) for cause in causes):
        return OutcomeUnknown(Reason.ANSWER_TIMEOUT)
    if any(isinstance(cause, OSError | http.client.IncompleteRead) for cause in causes):
        return OutcomeUnknown(Reason.ANSWER_LOST, detail=detail)
    return OutcomeUnknown(Reason.ANSWER_UNREADABLE, detail=detail)


def _is_wrapper(error: BaseException) -> bool:
    """Errors of the libraries say nothing but what they wrap, though some call themselves OSError."""
    if isinstance(error, http.client.HTTPException):
        return False
    return isinstance(error, requests.RequestException | HTTPError)


def _causes(error: BaseException) -> list[BaseException]:
    """The error and all that it wraps, outermost first."""
    found: list[BaseException] = []
    open_ones: list[Any] = [error]
    while open_ones and len(found) < 20:
        one = open_ones.pop()
        if isinstance(one, BaseException) and one not in found:
            found.append(one)
            open_ones += [*one.args, one.__context__, one.__cause__]
    return found
