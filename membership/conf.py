"""Each setting of ours, named with its unit."""

import base64
import binascii
from functools import lru_cache

from cryptography.fernet import Fernet, MultiFernet
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

ACT_ON_STEPS_PER_TRANSACTION = 500
"""Rows that one write transaction touches at most, so that a page never waits long for SQLite's one writer."""


def read_every_s() -> float:
    """Seconds between two readings of a system by the worker on its own."""
    return float(settings.MUSTERBOOK["READ_EVERY_S"])


def lease_s() -> float:
    """Seconds that a lane's counter may stand still before another worker takes over."""
    return float(settings.MUSTERBOOK["LEASE_S"])


def plan_good_for_s() -> float:
    """Seconds that a preview may be confirmed."""
    return float(settings.MUSTERBOOK["PLAN_GOOD_FOR_S"])


def type_number_above() -> int:
    """People in a change above which the number has to be typed."""
    return int(settings.MUSTERBOOK["TYPE_NUMBER_ABOVE"])


def smallest_share() -> float:
    """A reading with fewer rows than this share of the last complete one is incomplete."""
    return float(settings.MUSTERBOOK["SMALLEST_SHARE"])


def worker_silent_after_s() -> float:
    """Seconds without a heartbeat after which pages say that the worker is not running."""
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
