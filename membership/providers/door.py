"""The one place that opens a socket.

Every call ends as a whole answer, as `NotSent` (no byte of it left) or as `OutcomeUnknown` (it left, and no usable
answer came). Nothing is sent twice, no redirect is followed, no cookie kept, no environment variable heeded: below this
stand one transport of ours for requests' session and the standard library's reading of answers (`lines.py`,
`answering.py`), and nothing that could do so.
"""

import http.client
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, BinaryIO, cast
from urllib.parse import urlsplit

import requests
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict
from requests.utils import DEFAULT_CA_BUNDLE_PATH

from membership.errors import Reason
from membership.providers import sockets, spool, wire
from membership.providers.answering import CertainAnswer
from membership.providers.base import RemoteAnswer, RemoteCall
from membership.providers.errors import NotSent, OutcomeUnknown, ProviderError
from membership.providers.lines import Line, Lines
from membership.providers.sockets import Attempt

ANSWER_BYTES = 1024 * 1024
READING_BYTES = 256 * 1024 * 1024
CHUNK_BYTES = 64 * 1024
READING_DEADLINES = 10


class _Prepared(requests.PreparedRequest):
    """A request and the attempt that it is."""

    body: bytes | None

    def __init__(self, attempt: Attempt) -> None:
        super().__init__()
        self.attempt = attempt


class _Answered(requests.Response):
    """Only what the session needs. No headers: it would read a redirect's body whole, though told not to follow."""

    raw: CertainAnswer

    def __init__(self, raw: CertainAnswer, line: Line) -> None:
        super().__init__()
        self.status_code = raw.status
        self.raw = raw
        self.line = line


class _Transport(BaseAdapter):
    """What a session sends goes out on a line of ours, once."""

    def __init__(self, origin: wire.Origin, lines: Lines, clock: Callable[[], float]) -> None:
        super().__init__()
        self._origin = origin
        self._lines = lines
        self._clock = clock

    def send(self, request: requests.PreparedRequest, *_args: Any, **_settings: Any) -> _Answered:
        if not isinstance(request, _Prepared) or request.method is None or request.url is None:
            raise TypeError("only what the door prepared is sent")
        target = request.url[len(self._origin.url) :]
        payload = wire.rendered(request.method, target, self._origin.named, request.headers, request.body)
        line = self._lines.take(request.attempt)
        try:
            return _Answered(line.ask(request.attempt, request.method, payload, now=self._clock()), line)
        except BaseException:
            line.close()
            raise

    def close(self) -> None:
        self._lines.close()


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
        self._lines = Lines(
            self._origin.scheme,
            self._origin.host,
            self._origin.port,
            internal=internal,
            places=pool_size,
            timeout_s=self._timeout_s,
            ca_file=ca_file or DEFAULT_CA_BUNDLE_PATH,
        )
        self._session = requests.Session()
        self._session.trust_env = False
        transport = _Transport(self._origin, self._lines, clock)
        self._session.mount("http://", transport)
        self._session.mount("https://", transport)

    def send(
        self, call: RemoteCall, *, credentials: Mapping[str, str], send_before: float | None = None
    ) -> RemoteAnswer:
        with self._answered(call, credentials, send_before) as (attempt, raw):
            body = b"".join(_body(raw, ANSWER_BYTES))
            _check_end(attempt, raw)
            return RemoteAnswer(raw.status, raw.merged_headers(), body)

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
            return spool.SpooledReader(raw.status, raw.merged_headers(), stream)

    def close(self) -> None:
        """Close idle connections. Calls under way end by themselves."""
        self._session.close()

    @contextmanager
    def _answered(
        self, call: RemoteCall, credentials: Mapping[str, str], send_before: float | None
    ) -> Iterator[tuple[Attempt, CertainAnswer]]:
        """Send, and hand out the answer with its body unread. Every error inside becomes a `ProviderError`."""
        started = time.monotonic()
        attempt = Attempt(started=started, timeout_s=self._timeout_s, send_before=send_before)
        prepared = self._prepare(call, credentials, attempt)
        sockets.WATCHDOG.watch(attempt)
        answer: _Answered | None = None
        is_whole = False
        try:
            sent = self._session.send(prepared, stream=True, allow_redirects=False, proxies={})
            answer = cast("_Answered", sent)
            _check_start(answer.raw)
            yield attempt, answer.raw
            is_whole = answer.raw.isclosed() and not answer.raw.will_close and not attempt.expired
        except ProviderError:
            raise
        except Exception as error:
            # Without its cause: texts of the libraries may hold header values.
            raise _classified(error, attempt) from None
        finally:
            sockets.WATCHDOG.forget(attempt)
            attempt.hold(None)
            if answer is not None:
                self._end(answer, is_whole=is_whole)

    def _end(self, answer: _Answered, *, is_whole: bool) -> None:
        """The line may be used again where nothing of its answer is left."""
        with suppress(Exception):
            answer.raw.close()
        if is_whole:
            self._lines.put_back(answer.line)
        else:
            answer.line.close()

    def _prepare(self, call: RemoteCall, credentials: Mapping[str, str], attempt: Attempt) -> _Prepared:
        # Filled in by hand: requests would normalise the URL and add headers of its own.
        prepared = _Prepared(attempt)
        prepared.method = wire.method(call)
        prepared.url = self._origin.url + wire.target(self._origin.prefix, call)
        prepared.body = wire.body(call.body)
        own, known = call.headers, tuple(credentials.items())
        prepared.headers = CaseInsensitiveDict(wire.headers(own, known, has_body=prepared.body is not None))
        return prepared


def _check_start(raw: CertainAnswer) -> None:
    """What status and headers alone make unusable, before a byte of the body is read."""
    if 300 <= raw.status <= 399:
        raise OutcomeUnknown(
            Reason.ANSWER_REDIRECTED, status=raw.status, location=_host_of(raw.headers.get("location", ""))
        )
    # Never asked for, and never inflated: a small body may become a huge one.
    if raw.headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
        raise OutcomeUnknown(Reason.ANSWER_UNREADABLE, status=raw.status, detail="content-encoding")


def _body(raw: CertainAnswer, limit: int) -> Iterator[bytes]:
    too_large = OutcomeUnknown(Reason.ANSWER_TOO_LARGE, status=raw.status, limit=limit)
    if (raw.length or 0) > limit:
        raise too_large
    size = 0
    while chunk := raw.read(CHUNK_BYTES):
        size += len(chunk)
        if size > limit:
            raise too_large
        yield chunk


def _check_end(attempt: Attempt, raw: CertainAnswer) -> None:
    if attempt.expired:
        # A body without a length ends with the connection, and that was ended by us.
        raise OutcomeUnknown(Reason.ANSWER_TIMEOUT, status=raw.status)
    if raw.length:
        raise OutcomeUnknown(Reason.ANSWER_LOST, status=raw.status, detail=http.client.IncompleteRead.__name__)
    if attempt.unread:
        raise OutcomeUnknown(Reason.ANSWER_UNREADABLE, status=raw.status, detail="unread bytes")


def _host_of(location: str) -> str:
    try:
        host = urlsplit(location).hostname or ""
    except ValueError:
        return ""
    return host if wire.HOST.fullmatch(host) else ""


def _classified(error: Exception, attempt: Attempt) -> ProviderError:
    """The mark alone says whether it may have been done; the error only says why."""
    detail = type(error).__name__
    if not attempt.began:
        return NotSent(Reason.CONNECT_TIMEOUT if attempt.expired else Reason.NOT_REACHED, detail=detail)
    if attempt.expired or isinstance(error, TimeoutError):
        return OutcomeUnknown(Reason.ANSWER_TIMEOUT)
    if isinstance(error, OSError | http.client.IncompleteRead):
        return OutcomeUnknown(Reason.ANSWER_LOST, detail=detail)
    return OutcomeUnknown(Reason.ANSWER_UNREADABLE, detail=detail)
