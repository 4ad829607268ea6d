"""What a remote said, fit to be stored and shown: one line, short, without control characters and without our secrets."""

import json
import unicodedata
from collections.abc import Iterable

from membership.providers.base import Json, RemoteAnswer

MAX_CHARS = 300
HIDDEN = "[…]"
SHORTEST_SECRET = 4  # shorter ones would blank out ordinary words
MAX_PARSED = 65_536
KEYS = ("message", "error", "detail", "title", "details", "code")


def said_in(answer: RemoteAnswer, *, secrets: Iterable[str] = ()) -> str:
    """The message in an answer: of a JSON object or a bare string; "" for an empty body or a page of HTML."""
    text = answer.text.strip()
    if not text or text.startswith("<"):
        return ""
    return plain(_message(text), secrets=secrets)


def plain(text: str, *, secrets: Iterable[str] = ()) -> str:
    for secret in secrets:
        if len(secret) >= SHORTEST_SECRET:
            text = text.replace(secret, HIDDEN)
    # Category C: control characters, direction marks, surrogates, unassigned.
    visible = "".join(" " if unicodedata.category(character).startswith("C") else character for character in text[:5000])
    line = " ".join(visible.split())
    return line if len(line) <= MAX_CHARS else line[: MAX_CHARS - 1] + "…"


def _message(text: str) -> str:
    if len(text) > MAX_PARSED:
        return text
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return _first_text(value)


def _first_text(value: Json) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "; ".join(each for each in value if isinstance(each, str))
    if isinstance(value, dict):
        return next((found for key in KEYS if (found := _first_text(value.get(key)))), "")
    return ""
