"""What every remote means by the same answer: throttling and failures of its own."""

import re

from membership.errors import Reason
from membership.providers import pauses, strict_json
from membership.providers.base import RemoteAnswer
from membership.providers.errors import OutcomeUnknown, Throttled

SAID_CHARS = 300
DEFAULT_PAUSE_S = 5.0
MESSAGE_KEYS = ("message", "error", "error_message", "detail", "title")
SCANNED_BYTES = 4096

# Long unbroken runs are tokens more often than words, and a message may repeat the request.
TOKEN_LIKE = re.compile(r"[A-Za-z0-9+/=_~-]{40,}|eyJ[A-Za-z0-9_.=-]{10,}")
TAG = re.compile(r"<[^<>]{0,500}>")


def judge_common(answer: RemoteAnswer, is_write: bool, *, now: float | None = None) -> None:
    """Raise for 429 and 5xx; return for every other status.

    429 is `Throttled`: nothing was done. A 5xx on a write is `OutcomeUnknown`, with `pause_s` if the answer names one:
    the remote may have done it before it failed. A 503 on a reading is `Throttled(UNAVAILABLE)`.
    """
    status = answer.status
    if status != 429 and not 500 <= status <= 599:
        return
    pause_s = pauses.named_pause_s(answer, now=now)
    text = said(answer)
    if status == 429:
        raise Throttled(Reason.THROTTLED, pause_s=pause_s or DEFAULT_PAUSE_S, status=status, said=text)
    if status == 503 and not is_write:
        raise Throttled(Reason.UNAVAILABLE, pause_s=pause_s or DEFAULT_PAUSE_S, status=status, said=text)
    raise OutcomeUnknown(Reason.REMOTE_FAILED, pause_s=pause_s, status=status, said=text)


def said(answer: RemoteAnswer) -> str:
    """What the remote said, in its own words: ≤ 300 characters, one line, nothing that looks like a token."""
    text = TOKEN_LIKE.sub("[…]", TAG.sub(" ", _message(answer)))
    if not text.isprintable():
        text = "".join(character if character.isprintable() else " " for character in text)
    text = " ".join(text.split())
    return text if len(text) <= SAID_CHARS else f"{text[: SAID_CHARS - 1]}…"


def _message(answer: RemoteAnswer) -> str:
    try:
        value = strict_json.loads(answer.body)
    except strict_json.NotStrictJson:
        value = None
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        # Some nest it: {"error": {"message": …}}.
        for holder in (value, value.get("error")):
            if isinstance(holder, dict):
                for key in MESSAGE_KEYS:
                    if isinstance(found := holder.get(key), str) and found:
                        return found
    return answer.body[:SCANNED_BYTES].decode("utf-8", "replace")
