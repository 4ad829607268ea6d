"""Each setting of ours, named with its unit."""

import base64
import binascii
import shlex
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path

from cryptography.fernet import Fernet, MultiFernet
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

ACT_ON_STEPS_PER_TRANSACTION = 500
"""Rows that one write transaction touches at most, so that a page never waits long for SQLite's one writer."""

CLOCKS_DIFFER = timedelta(minutes=1)
"""How far the clocks of two machines may lie apart. What is later than that was written before a clock was set back."""


def is_within(span: timedelta, *, since: datetime, now: datetime) -> bool:
    """Whether less than that is over. Not where `since` is yet to come: then a clock was set back meanwhile."""
    return -CLOCKS_DIFFER < now - since < span


def read_every_s() -> float:
    """Seconds between two readings of a system by the worker on its own."""
    return float(settings.MUSTERBOOK["READ_EVERY_S"])


def lease_s() -> float:
    """Seconds that a lane's counter may stand still before another worker takes over."""
    return float(settings.MUSTERBOOK["LEASE_S"])


def plan_good_for_s() -> float:
    """Seconds that a preview may be confirmed."""
    return float(settings.MUSTERBOOK["PLAN_GOOD_FOR_S"])


def approval_good_for_s() -> float:
    """Seconds that a change may wait for its approval."""
    return float(settings.MUSTERBOOK["APPROVAL_GOOD_FOR_S"])


def compile_in_worker_above() -> int:
    """Wishes in one plan above which the worker compiles it, while the page says how far it is."""
    return int(settings.MUSTERBOOK["COMPILE_IN_WORKER_ABOVE"])


def type_number_above() -> int:
    """People in a change above which the number has to be typed."""
    return int(settings.MUSTERBOOK["TYPE_NUMBER_ABOVE"])


def stages_above() -> int:
    """Steps in a change above which it runs in stages unless somebody chose otherwise."""
    return int(settings.MUSTERBOOK["STAGES_ABOVE"])


def stage_sizes() -> tuple[int, ...]:
    """Steps of the first stages of such a change; the last stage is the rest."""
    return tuple(size for size in map(int, settings.MUSTERBOOK["STAGE_SIZES"]) if size > 0)


def stage_failures_above() -> float:
    """Share of a stage's steps that may fail without the change being paused."""
    return float(settings.MUSTERBOOK["STAGE_FAILURES_ABOVE"])


def smallest_share() -> float:
    """A reading with fewer rows than this share of the last complete one is incomplete."""
    return float(settings.MUSTERBOOK["SMALLEST_SHARE"])


def worker_silent_after_s() -> float:
    """Seconds without a heartbeat after which pages say that no worker gives a sign of life."""
    return float(settings.MUSTERBOOK["WORKER_SILENT_AFTER_S"])


def roster_max_mb() -> int:
    """Megabytes that an uploaded list may have."""
    return int(settings.MUSTERBOOK["ROSTER_MAX_MB"])


def roster_max_rows() -> int:
    """Rows that an uploaded list may have."""
    return int(settings.MUSTERBOOK["ROSTER_MAX_ROWS"])


def roster_kept_days() -> float:
    """Days after which the contents of an uploaded list are deleted."""
    return float(settings.MUSTERBOOK["ROSTER_KEPT_DAYS"])


def mails() -> bool:
    """Whether a mail server is set."""
    return bool(settings.MUSTERBOOK["MAILS"])


def notice_drift_above() -> int:
    """Differences made outside in one system above which users are told."""
    return int(settings.MUSTERBOOK["NOTICE_DRIFT_ABOVE"])


@lru_cache(maxsize=4)
def _fernet(keys: tuple[str, ...]) -> MultiFernet:
    try:
        return MultiFernet([Fernet(key) for key in keys])
    except ValueError as error:
        raise ImproperlyConfigured(
            "FIELD_KEYS must be Fernet keys (32 bytes, url-safe base64), separated by commas; the first one encrypts."
        ) from error


def fernet() -> MultiFernet:
    """Encrypts secrets in the database; the first key writes, all keys read."""
    return _fernet(tuple(settings.FIELD_KEYS))


@lru_cache(maxsize=4)
def _decode_audit_keys(pairs: tuple[tuple[str, str], ...]) -> dict[str, bytes]:
    try:
        keys = {key_id: base64.urlsafe_b64decode(text) for key_id, text in pairs}
    except (binascii.Error, ValueError) as error:
        raise ImproperlyConfigured("AUDIT_KEYS must be `id:key` pairs, each key url-safe base64.") from error
    if not keys or any(len(key) < 32 for key in keys.values()):
        raise ImproperlyConfigured("AUDIT_KEYS needs at least one `id:key` pair, each key of 32 bytes or more.")
    return keys


def audit_keys() -> dict[str, bytes]:
    """`{key id: key}` of the audit log's HMAC; the first one seals new entries."""
    return _decode_audit_keys(tuple(settings.AUDIT_KEYS.items()))


PUBLIC = "public."
"""Begins the text of a key of which only the public half is left: it verifies, and signs nothing."""


@lru_cache(maxsize=4)
def _decode_anchor_keys(
    pairs: tuple[tuple[str, str], ...],
) -> tuple[tuple[str, Ed25519PrivateKey] | None, dict[str, Ed25519PublicKey]]:
    signing: tuple[str, Ed25519PrivateKey] | None = None
    public: dict[str, Ed25519PublicKey] = {}
    try:
        for key_id, text in pairs:
            raw = base64.urlsafe_b64decode(text.removeprefix(PUBLIC))
            if text.startswith(PUBLIC):
                public[key_id] = Ed25519PublicKey.from_public_bytes(raw)
                continue
            private = Ed25519PrivateKey.from_private_bytes(raw)
            public[key_id] = private.public_key()
            signing = signing or (key_id, private)
    except ValueError as error:
        raise ImproperlyConfigured(
            "ANCHOR_KEYS must be `id:key` pairs, each key 32 bytes in url-safe base64; the first one signs."
        ) from error
    return signing, public


def anchor_key() -> tuple[str, Ed25519PrivateKey] | None:
    """`(id, key)` that signs anchors of the audit log; None: none are made."""
    return _decode_anchor_keys(tuple(settings.ANCHOR_KEYS.items()))[0]


def anchor_public_keys() -> dict[str, Ed25519PublicKey]:
    """`{key id: key}` of all keys that anchors may be signed with."""
    return _decode_anchor_keys(tuple(settings.ANCHOR_KEYS.items()))[1]


def anchor_file() -> Path:
    """Where anchors are appended to, a line each."""
    return Path(settings.MUSTERBOOK["ANCHOR_FILE"])


def anchor_command() -> list[str]:
    """The program, with its arguments, that takes new anchors as lines of its standard input; empty: none."""
    try:
        return shlex.split(settings.MUSTERBOOK["ANCHOR_COMMAND"])
    except ValueError as error:
        raise ImproperlyConfigured(f"ANCHOR_COMMAND must be a command line as a shell takes it: {error}.") from error


def anchor_mail_to() -> list[str]:
    """Addresses that the newest anchor is mailed to."""
    return [address for address in settings.MUSTERBOOK["ANCHOR_MAIL_TO"] if address]


def anchor_mail_every_s() -> float:
    """Seconds between two such mails, at least."""
    return float(settings.MUSTERBOOK["ANCHOR_MAIL_EVERY_S"])


def archive_dir() -> Path:
    """Where entries go that are cut off the audit log."""
    return Path(settings.MUSTERBOOK["ARCHIVE_DIR"])
