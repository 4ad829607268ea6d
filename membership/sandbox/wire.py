"""HTTP/1.1 as bytes: requests read from a socket, answers rendered for one.

Own code instead of `http.server`, because the journal keeps every request as it was sent (order of query and headers,
raw path), and because faults need every byte of an answer in hand.
"""

import json
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, BinaryIO
from urllib.parse import parse_qsl, unquote

Json = Any  # what a JSON text can say
Pairs = Sequence[tuple[str, str]]

MAX_LINE = 65_536
MAX_HEADERS = 200
MAX_BODY = 64 * 1024 * 1024
PLAIN = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
ESCAPED = json.JSONEncoder(ensure_ascii=True, separators=(",", ":"))


class BadRequest(Exception):
    """The bytes on the socket are not a request that this server reads."""


@dataclass(slots=True)
class Request:
    """One request as it was sent. `path` is raw; `segments` are unquoted, without dot segments and a trailing slash."""

    method: str
    target: str
    path: str
    query: list[tuple[str, str]]
    headers: list[tuple[str, str]]
    body: bytes
    peer: str
    keep_alive: bool
    segments: tuple[str, ...] = ()

    def header(self, name: str) -> str | None:
        wanted = name.lower()
        return next((value for key, value in self.headers if key.lower() == wanted), None)

    def first(self, name: str, default: str = "") -> str:
        return next((value for key, value in self.query if key == name), default)

    def has(self, name: str) -> bool:
        return any(key == name for key, _ in self.query)

    def json(self) -> Json:
        """The body as JSON. Raises ValueError when it is none."""
        return json.loads(self.body.decode("utf-8"))


@dataclass(slots=True)
class Answer:
    """A whole answer. Content-Length and Connection are added when it is rendered."""

    status: int
    body: bytes = b""
    headers: list[tuple[str, str]] = field(default_factory=list)

    def head(self, *, length: int | None, keep_alive: bool) -> bytes:
        lines = [f"HTTP/1.1 {self.status} {phrase(self.status)}"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        if length is not None:
            lines.append(f"Content-Length: {length}")
        if not keep_alive:
            lines.append("Connection: close")
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")

    def render(self, *, keep_alive: bool) -> bytes:
        return self.head(length=len(self.body), keep_alive=keep_alive) + self.body


def phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"


def json_answer(status: int, value: Json, headers: Pairs = ()) -> Answer:
    text = PLAIN.encode(value)
    try:
        body = text.encode("utf-8")
    except UnicodeEncodeError:  # a lone surrogate: JSON can say it only as an escape
        body = ESCAPED.encode(value).encode("ascii")
    return Answer(status, body, [("Content-Type", "application/json; charset=utf-8"), *headers])


def text_answer(status: int, text: str, content_type: str = "text/plain; charset=utf-8") -> Answer:
    return Answer(status, text.encode("utf-8"), [("Content-Type", content_type)])


def empty_answer(status: int, headers: Pairs = ()) -> Answer:
    return Answer(status, b"", list(headers))


def read_request(stream: BinaryIO, peer: str, *, go_on: Callable[[], None]) -> Request | None:
    """The next request on a connection; None when the client closed it.

    `go_on` is called when the client waits for "100 Continue". Raises `BadRequest`.
    """
    line = stream.readline(MAX_LINE)
    while line in (b"\r\n", b"\n"):  # RFC 9112, 2.2: empty lines before a request line are ignored
        line = stream.readline(MAX_LINE)
    if not line:
        return None
    if not line.endswith(b"\n"):
        raise BadRequest("request line cut or too long")
    parts = line.decode("latin-1").rstrip("\r\n").split(" ")
    if len(parts) != 3 or not parts[2].startswith("HTTP/1."):
        raise BadRequest("not a request line")
    method, target, version = parts
    headers = _read_headers(stream)
    lower = {name.lower(): value for name, value in headers}
    if lower.get("expect", "").lower() == "100-continue":
        go_on()
    path, _, query = target.partition("?")
    connection = lower.get("connection", "").lower()
    return Request(
        method=method,
        target=target,
        path=path,
        query=parse_qsl(query, keep_blank_values=True),
        headers=headers,
        body=_read_body(stream, lower),
        peer=peer,
        keep_alive=connection != "close" if version == "HTTP/1.1" else connection == "keep-alive",
        segments=segments_of(path),
    )


def segments_of(path: str) -> tuple[str, ...]:
    """Unquoted segments. Dot segments are resolved as front servers do it, quoted ones too: that is their danger."""
    found: list[str] = []
    for raw in path.split("/"):
        segment = unquote(raw, errors="replace")
        if segment == "..":
            del found[-1:]
        elif segment not in ("", "."):
            found.append(segment)
    return tuple(found)


def _read_headers(stream: BinaryIO) -> list[tuple[str, str]]:
    headers: list[tuple[str, str]] = []
    while True:
        line = stream.readline(MAX_LINE)
        if not line.endswith(b"\n") or len(headers) > MAX_HEADERS:
            raise BadRequest("headers cut or too long")
        if line in (b"\r\n", b"\n"):
            return headers
        name, colon, value = line.decode("latin-1").partition(":")
        if not colon or not name or name != name.strip():
            raise BadRequest("not a header line")
        headers.append((name, value.strip()))


def _read_body(stream: BinaryIO, headers: dict[str, str]) -> bytes:
    if "chunked" in headers.get("transfer-encoding", "").lower():
        return _read_chunks(stream)
    try:
        length = int(headers.get("content-length", "0"))
    except ValueError as error:
        raise BadRequest("Content-Length is no number") from error
    if not 0 <= length <= MAX_BODY:
        raise BadRequest("body too large")
    body = stream.read(length) if length else b""
    if len(body) != length:
        raise BadRequest("body cut")
    return body


def _read_chunks(stream: BinaryIO) -> bytes:
    body = bytearray()
    while True:
        try:
            size = int(stream.readline(MAX_LINE).split(b";")[0], 16)
        except ValueError as error:
            raise BadRequest("chunk size is no number") from error
        if size == 0:
            while stream.readline(MAX_LINE) not in (b"\r\n", b"\n", b""):
                pass
            return bytes(body)
        body += stream.read(size)
        stream.readline(MAX_LINE)
        if len(body) > MAX_BODY:
            raise BadRequest("body too large")


def close_quietly(sock: socket.socket) -> None:
    """End a connection for both directions; the other thread that reads it wakes up."""
    with suppress(OSError):  # the client was faster
        sock.shutdown(socket.SHUT_RDWR)
    with suppress(OSError):
        sock.close()
