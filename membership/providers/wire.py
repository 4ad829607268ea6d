"""What a call looks like on the wire: target, headers, body. Everything that cannot be sent is refused here."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
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
        return cls(parts.scheme, host, port or (443 if parts.scheme == "https" else 80), path.rstrip("/"))

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


def target(prefix: str, call: RemoteCall) -> str:
    """Path and query as they go out. Raises `Refused(ID_NOT_SENDABLE)`."""
    for segment in call.path:
        if not is_sendable_id(segment):
            raise Refused(Reason.ID_NOT_SENDABLE)
    try:
        path = prefix + "".join(f"/{quote(segment, safe='')}" for segment in call.path)
        if not call.query:
            return path or "/"
        return f"{path or '/'}?{urlencode(call.query, quote_via=quote, safe='')}"
    except UnicodeEncodeError:
        raise Refused(Reason.ID_NOT_SENDABLE) from None


def headers(call: RemoteCall, credentials: Mapping[str, str], body: bytes | None) -> dict[str, str]:
    """All headers but Host. Raises `Misconfigured(BAD_VALUE, key=…)`, without the value, for what none can carry."""
    result = dict(OURS)
    if body is not None:
        result["Content-Type"] = "application/json"
    for name, value in call.headers:
        _put(result, name, value)
    for name, value in credentials.items():
        _put(result, name, value)
    result["Accept-Encoding"] = "identity"
    if body is not None:
        result["Content-Length"] = str(len(body))
    return result


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
