"""What a call looks like on the wire: target, headers, body. Everything that cannot be sent is refused here."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from urllib.parse import quote, urlencode, urlsplit

from membership import __version__
from membership.errors import Reason
from membership.providers.base import Json, RemoteCall
from membership.providers.errors import Misconfigured, Refused
from membership.providers.ids import is_sendable_id

HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
METHOD = re.compile(r"[A-Z]+")
UNFIT_FOR_HEADERS = re.compile(r"[^\t\x20-\x7e\x80-\xff]")
# The host part of a URL, an IPv6 address without its brackets included; and a path as it may be typed.
HOST = re.compile(r"[0-9a-z._:-]{1,253}")
BASE_PATH = re.compile(r"(?:/[A-Za-z0-9._~!$&'()*+,;=:@-]+)*/?")

PORTS = {"http": 80, "https": 443}
BODILESS = frozenset({"GET", "HEAD", "DELETE", "OPTIONS", "TRACE"})
"""Methods whose request needs no length when it has no body."""
OURS = {"User-Agent": f"Musterbook/{__version__}", "Accept": "application/json"}
# What frames a request, or makes the answer something else than it is, is not for a call to say.
RESERVED_HEADERS = frozenset(
    {
        "accept-encoding",
        "connection",
        "content-length",
        "expect",
        "host",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)


@dataclass(frozen=True, slots=True)
class Origin:
    """The address of a connection, taken apart. `prefix` is the path below which all calls go, without a last slash."""

    scheme: str
    host: str
    port: int
    prefix: str

    @classmethod
    def of(cls, base_url: str) -> "Origin":
        """Raises `Misconfigured(WRONG_ADDRESS)` for anything but http(s)://host[:port][/path]."""
        try:
            parts = urlsplit(base_url)
            port = parts.port
            host = (parts.hostname or "").encode("idna").decode("ascii")
        except ValueError:
            raise Misconfigured(Reason.WRONG_ADDRESS) from None
        path = parts.path
        if (
            parts.scheme not in ("http", "https")
            or not HOST.fullmatch(host)
            or "@" in parts.netloc
            or "?" in base_url
            or "#" in base_url
            or port == 0
            or not BASE_PATH.fullmatch(path)
            or any(segment in (".", "..") for segment in path.split("/"))
        ):
            raise Misconfigured(Reason.WRONG_ADDRESS)
        return cls(parts.scheme, host, port or PORTS[parts.scheme], path.rstrip("/"))

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.named}"

    @property
    def named(self) -> str:
        """As the header Host has it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"


def rendered(method: str, target: str, host: str, headers: Mapping[str, str], payload: bytes | None) -> bytes:
    """The whole request as it goes out."""
    lines = [f"{method} {target} HTTP/1.1", f"Host: {host}", *(f"{name}: {value}" for name, value in headers.items())]
    if payload is not None or method not in BODILESS:
        lines.append(f"Content-Length: {len(payload or b'')}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + (payload or b"")


def target(prefix: str, call: RemoteCall) -> str:
    """Path and query as they go out. Raises `Refused(ID_NOT_SENDABLE)`."""
    path = prefix + "".join([f"/{_segment(segment)}" for segment in call.path])
    if not call.query:
        return path or "/"
    try:
        return f"{path or '/'}?{urlencode(call.query, quote_via=quote, safe='')}"
    except UnicodeEncodeError:
        raise Refused(Reason.ID_NOT_SENDABLE) from None


@lru_cache(maxsize=1024)
def _segment(text: str) -> str:
    if not is_sendable_id(text):
        raise Refused(Reason.ID_NOT_SENDABLE)
    try:
        return quote(text, safe="")
    except UnicodeEncodeError:
        raise Refused(Reason.ID_NOT_SENDABLE) from None


_Pairs = tuple[tuple[str, str], ...]


@lru_cache(maxsize=64)
def headers(own: _Pairs, credentials: _Pairs, *, has_body: bool) -> Mapping[str, str]:
    """All headers but Host and the length. A lane asks for the same ones all the time: not to be changed.

    Raises `Misconfigured(BAD_VALUE, key=…)`, without the value, for what none can carry.
    """
    result = dict(OURS)
    if has_body:
        result["Content-Type"] = "application/json"
    for name, value in (*own, *credentials):
        _put(result, name, value)
    result["Accept-Encoding"] = "identity"
    return MappingProxyType(result)


def _put(result: dict[str, str], name: str, value: str) -> None:
    if not HEADER_NAME.fullmatch(name) or name.lower() in RESERVED_HEADERS or UNFIT_FOR_HEADERS.search(value):
        raise Misconfigured(Reason.BAD_VALUE, key=name)
    # Written like the one it replaces, so that none goes out twice.
    lowered = name.lower()
    result[next((known for known in result if known.lower() == lowered), name)] = value


def body(value: Json) -> bytes | None:
    """The JSON text of a body; None for no body. Raises `Refused(BAD_VALUE)` for what JSON cannot say."""
    if value is None:
        return None
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
    except (ValueError, TypeError, RecursionError):
        raise Refused(Reason.BAD_VALUE, key="body") from None


def method(call: RemoteCall) -> str:
    if not METHOD.fullmatch(call.method):
        raise Refused(Reason.BAD_VALUE, key="method")
    return call.method
