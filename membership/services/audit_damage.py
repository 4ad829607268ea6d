"""Entries of the log as pages read them, whatever somebody did to them in the database: the rest is still listed."""

import datetime as dt
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import DataError
from django.db.models import QuerySet

from membership import conf
from membership.audit import chain as chains
from membership.audit import parts as checks
from membership.audit import rows
from membership.models import AuditEntry, AuditPersonal

_TEXTS = ("chain", "action", "outcome", "sealed", "mac")
_NUMBERS = ("seq", "actor_id", *(f"{name}_id" for name in chains.REFS))
_NO_TIME = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_YEARS = range(1970, 9000)
"""Of other times none can be said in every zone, and no entry has one."""


@contextmanager
def readable() -> Iterator[None]:
    """In here SQLite gives a text that is no UTF-8 with what cannot be read as `\\xff`, instead of an error."""
    with rows.any_text(errors="backslashreplace"):
        yield


def entries(found: "QuerySet[AuditEntry]") -> list[AuditEntry]:
    """The entries, each with what its columns can hold."""
    try:
        read = list(found)
    except (ValueError, TypeError, DataError):  # a time that is none
        read = list(found.defer("at"))
        times = rows.times([row.pk for row in read])
        for row in read:
            row.at = times.get(row.pk) or _NO_TIME
    for row in read:
        _set_right(row)
    return read


def parts(entry_ids: Iterable[int]) -> dict[int, AuditPersonal]:
    """Their personal parts, by entry."""
    found = AuditPersonal.objects.in_bulk(list(entry_ids))
    for part in found.values():
        part.salt, part.data, part.text = _text(part.salt), _text(part.data), _text(part.text)
    return found


def fault(row: AuditEntry, part: AuditPersonal | None) -> str:
    """What is wrong with one entry by itself, in words; empty when nothing is. Asks the database nothing."""
    at = row.at.astimezone(dt.UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
    refs = (getattr(row, f"{name}_id") for name in chains.REFS)
    personal = (part.salt, part.data, part.text) if part else (None, None, None)
    read = (row.pk, row.seq, at, row.action, row.actor_id, row.outcome, *refs, row.sealed, row.mac, *personal)
    return checks.fault(row.chain, read, checks.opened_row(read), conf.audit_keys())


def _set_right(row: AuditEntry) -> None:
    for name in _TEXTS:
        setattr(row, name, _text(getattr(row, name)))
    for name in _NUMBERS:
        if not isinstance(getattr(row, name), int | None):
            setattr(row, name, 0)  # nothing has this number
    if not isinstance(row.at, dt.datetime) or row.at.year not in _YEARS:
        row.at = _NO_TIME


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode(errors="backslashreplace")
    return value if isinstance(value, str) else str(value)
