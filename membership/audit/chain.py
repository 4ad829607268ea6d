"""What an entry looks like once it is sealed. The format is final: old entries must verify for ever.

`sealed` is canonical JSON (UTF-8, keys sorted, no spaces, no ASCII escapes but the ones JSON demands):

    v         1, the version of this format
    chain     name of the chain
    seq       number in the chain, from 1, without a gap
    prev      mac of the entry before it; empty for the first
    at        UTC, microseconds, `2026-01-31T09:30:00.000000Z`
    kid       id of the key that sealed it
    action    `vocab.AuditAction`
    actor     id of the panel's user, or null: the worker, or nobody known
    refs      ids of what it is about: only those that are set
    outcome   a code, or empty
    data      codes, counts, hashes, ids; never personal
    personal  commitment to the personal part, or null where there is none

mac = HMAC-SHA256(key, sealed), in hex.
commitment = HMAC-SHA256(salt, personal JSON + newline + searchable text), in hex: with the part and its salt deleted
nobody can guess it back, and the chain still verifies.
"""

import datetime as dt
import hmac
import json
import re
import secrets
import unicodedata
from collections.abc import Mapping
from enum import Enum
from typing import Any
from uuid import UUID

from django.utils.functional import Promise

VERSION = 1
REFS = ("change", "operation", "connection", "group", "account", "person", "participant")

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


def clean_text(text: str) -> str:
    """`text` as every database can store it: NUL and lone surrogates are replaced visibly."""
    if "\0" in text:
        text = text.replace("\0", "\u2400")
    if not text.isascii() and _LONE_SURROGATE.search(text):
        text = _LONE_SURROGATE.sub("\ufffd", text)
    return text


def clean(value: Any) -> Any:
    """`value` in plain JSON types, texts cleaned. Raises TypeError for what has no place in an entry."""
    if isinstance(value, Enum):
        value = value.value
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, str):
        return clean_text(str(value))
    if isinstance(value, float):
        return value if value - value == 0 else str(value)  # NaN and infinities are no JSON
    if isinstance(value, Mapping):
        return {clean_text(str(key)): clean(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [clean(item) for item in value]
    if isinstance(value, (set, frozenset)):
        return sorted((clean(item) for item in value), key=str)
    if isinstance(value, dt.datetime):
        return stamp(value)
    if isinstance(value, (Promise, UUID, dt.date)):
        return clean_text(str(value))
    raise TypeError(f"{type(value).__name__} cannot stand in an audit entry")


def canonical(value: Any) -> str:
    """The one JSON text of a cleaned value."""
    return _encode(value)


# Made once: an encoder is not cheap, and entries are many.
_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode


def stamp(at: dt.datetime) -> str:
    return at.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def mac(key: bytes, sealed: str) -> str:
    return hmac.digest(key, sealed.encode(), "sha256").hex()


def opened(sealed: str, seal: str, keys: Mapping[str, bytes]) -> dict[str, Any] | None:
    """What an entry says that one of `keys` sealed so; None: it is none of ours. Its place is `verify`'s business."""
    try:
        content: dict[str, Any] = json.loads(sealed)
        return content if hmac.compare_digest(mac(keys[content["kid"]], sealed), seal) else None
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def new_salt() -> str:
    return secrets.token_hex(16)


def commitment(salt: str, personal: str, searched: str) -> str:
    """What the sealed part keeps of the personal part. Raises ValueError where `salt` is no hex."""
    return hmac.digest(bytes.fromhex(salt), f"{personal}\n{searched}".encode(), "sha256").hex()


def fold(text: str) -> str:
    """`text` as searches compare it."""
    return unicodedata.normalize("NFC", text).casefold()
