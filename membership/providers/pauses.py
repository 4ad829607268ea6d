"""How long a remote asks us to wait, from every dialect that the remotes speak."""

import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

from membership.providers import strict_json
from membership.providers.base import Json, RemoteAnswer

SHORTEST_S = 1.0
LONGEST_S = 15 * 60.0

NUMBER = re.compile(r"-?[0-9]{1,20}(?:\.[0-9]{1,9})?")
# Above these a number is no span but a time: the epoch in seconds (since 2001), in milliseconds.
EPOCH_FROM = 1_000_000_000
EPOCH_MS_FROM = 100_000_000_000
# In order of trust. `X-RateLimit-Reset` is the epoch with Kaiten and a span elsewhere; its size tells.
WINDOW_HEADERS = ("x-ratelimit-reset-after", "x-ratelimit-reset")
PAUSE_HEADERS = ("retry-after", "x-ratelimit-reset-after", "x-ratelimit-reset", "ratelimit-reset")


def named_pause_s(answer: RemoteAnswer, *, now: float | None = None) -> float | None:
    """Seconds that the answer asks us to wait, 1 s to 15 min; None when it names none that can be read.

    Times are measured against the answer's own `Date`, so that clocks may differ; `now` (epoch seconds) stands in.
    What lies in the past is the shortest pause.
    """
    sent_at = _epoch_of_date(answer.headers.get("date", ""))
    reference = sent_at if sent_at is not None else now
    for name in PAUSE_HEADERS:
        if name == "x-ratelimit-reset-after" and (pause := _from_body(answer.body, reference)) is not None:
            return pause  # Mudbase names it in the body alone
        if (pause := _read(answer.headers.get(name, ""), reference)) is not None:
            return pause
    return None


def requests_left(headers: Mapping[str, str]) -> int | None:
    """What `X-RateLimit-Remaining` says, if it says something."""
    text = headers.get("x-ratelimit-remaining", "").strip()
    return int(text) if re.fullmatch(r"[0-9]{1,9}", text) else None


def window_left(headers: Mapping[str, str], *, now: float) -> tuple[int, float] | None:
    """How many requests the remote still takes, and for how many seconds (1 s to 15 min) that has to do.

    None when the headers do not say both.
    """
    left = requests_left(headers)
    if left is None:
        return None
    sent_at = _epoch_of_date(headers.get("date", ""))
    for name in WINDOW_HEADERS:
        if (seconds := _read(headers.get(name, ""), now if sent_at is None else sent_at)) is not None:
            return left, seconds
    return None


def _from_body(body: bytes, reference: float | None) -> float | None:
    if b"retryAfter" not in body:
        return None
    try:
        value = strict_json.loads(body)
    except strict_json.NotStrictJson:
        return None
    for holder in (value, _inner(value, "details"), _inner(value, "error")):
        named = _inner(holder, "retryAfter")
        if isinstance(named, int | float | str) and not isinstance(named, bool):
            return _read(str(named), reference)
    return None


def _inner(value: Json, key: str) -> Json:
    return value.get(key) if isinstance(value, dict) else None


def _read(text: str, reference: float | None) -> float | None:
    text = text.strip()
    if NUMBER.fullmatch(text):
        return _span(float(text), reference)
    at = _epoch_of_date(text)
    if at is not None:
        return None if reference is None else _clamp(at - reference)
    # The same header twice: the first one that can be read.
    for part in text.split(","):
        if NUMBER.fullmatch(part.strip()):
            return _span(float(part), reference)
    return None


def _span(number: float, reference: float | None) -> float | None:
    if number >= EPOCH_MS_FROM:
        number /= 1000
    if number >= EPOCH_FROM:
        return None if reference is None else _clamp(number - reference)
    return _clamp(number)


def _clamp(seconds: float) -> float:
    return min(max(seconds, SHORTEST_S), LONGEST_S)


def _epoch_of_date(text: str) -> float | None:
    if not 16 <= len(text) <= 60:
        return None
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
