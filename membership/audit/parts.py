"""Checks a stretch of one chain, entry by entry, as fast as Python can: a million entries are checked as a whole.

Rows are read as the database has them, without models: see `rows.py`.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import OperationalError, connections, router
from django.utils.translation import gettext as _

from membership.audit import chain as chains
from membership.audit import rows
from membership.audit.triggers import ENTRIES, PERSONAL
from membership.models import AuditEntry

SIZE = 10_000
"""Entries of one stretch: what is held in memory at once."""
_FETCH = 500
_SEALED_KEYS = frozenset(
    {"v", "chain", "seq", "prev", "at", "kid", "action", "actor", "refs", "outcome", "data", "personal"}
)
_REFS = tuple(f"{name}_id" for name in chains.REFS)
_COLUMNS = ("seq", "at", "action", "actor_id", "outcome", *_REFS)

Row = tuple[Any, ...]
"""id, the columns, sealed, mac; then salt, data and text of the personal part, None where there is none."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Entries of a chain from `first` to `last`; None: whatever comes before, or after."""

    chain: str
    first: int | None
    last: int | None
    wanted: frozenset[int] = frozenset()
    """Numbers of entries of which the seal is asked for."""


@dataclass(slots=True)
class Found:
    """What a stretch holds. The first fault is `(seq, id, what is wrong)`; seq is None where it is no number."""

    entries: int = 0
    erased: int = 0
    first_seq: int = 0
    first_id: int = 0
    first_prev: str = ""
    last_seq: int = 0
    last_id: int = 0
    last_mac: str = ""
    fault: tuple[int | None, int, str] | None = None
    sound_seq: int = 0
    """The last number before the first fault."""
    macs: dict[int, str] = field(default_factory=dict)


def check(stretch: Stretch, keys: dict[str, bytes]) -> Found:
    """Read and check every entry of the stretch."""
    try:
        return _check(stretch, keys)
    except OperationalError:  # SQLite: a text that is no UTF-8. To be ready for it from the start would be slower.
        with rows.any_text():
            return _check(stretch, keys)


def _check(stretch: Stretch, keys: dict[str, bytes]) -> Found:
    found = Found()
    seq: int | None = None
    mac, entry_id = "", 0
    for row in read(stretch):
        found.entries += 1
        if not isinstance(row[1], int):
            if found.fault is None:
                found.fault, found.sound_seq = (None, row[0], _("its number is none.")), seq or 0
            continue
        sealed = _opened(row[-5])
        if found.fault is None:
            says = _place(row, sealed, seq, mac, entry_id) or fault(stretch.chain, row, sealed, keys)
            if says:
                found.fault, found.sound_seq = (row[1], row[0], says), seq or 0
        if seq is None:
            found.first_seq, found.first_id, found.first_prev = row[1], row[0], str(sealed.get("prev", ""))
        if row[-3] is None and sealed.get("personal"):
            found.erased += 1
        seq, mac, entry_id = row[1], row[-4], row[0]
        if seq in stretch.wanted:
            found.macs[seq] = mac
    if seq is not None:
        found.last_seq, found.last_mac, found.last_id = seq, mac, entry_id
    return found


def read(stretch: Stretch) -> Iterator[Row]:
    conditions, values = ["e.chain = %s"], [stretch.chain]  # type: list[str], list[Any]
    for sign, bound in ((">=", stretch.first), ("<=", stretch.last)):
        if bound is not None:
            conditions.append(f"e.seq {sign} %s")
            values.append(bound)
    return _rows(" AND ".join(conditions), values)


def one(entry_id: int) -> Row | None:
    return next(_rows("e.id = %s", [entry_id]), None)


def _rows(condition: str, values: Sequence[Any]) -> Iterator[Row]:
    connection = connections[router.db_for_read(AuditEntry)]
    # Text in both cases: a value of a time's type would be converted, and lose what cannot be.
    at, parts = _SQLITE if connection.vendor == "sqlite" else _POSTGRESQL
    columns = ", ".join(at if name == "at" else f"e.{name}" for name in _COLUMNS)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT e.id, {columns}, e.sealed, e.mac, p.salt, p.data, p.text"  # noqa: S608 - our own names
            f' FROM "{ENTRIES}" e LEFT JOIN {parts}'
            f" WHERE {condition} ORDER BY e.seq, e.id",
            values,
        )
        while rows := cursor.fetchmany(_FETCH):
            yield from rows


_SQLITE = "e.at || ''", f'"{PERSONAL}" p ON p.entry_id = e.id'
_POSTGRESQL = (
    rows.TIME_ON_POSTGRESQL.format("e.at"),
    # One by one. Else it may read all parts of the log for each stretch, and "OFFSET 0" keeps it from that.
    f'LATERAL (SELECT salt, data, text FROM "{PERSONAL}" WHERE entry_id = e.id OFFSET 0) p ON true',  # noqa: S608
)
"""Time and personal part, as each database gives them."""


def _place(row: Row, sealed: dict[str, Any], before: int | None, mac: str, id_before: int) -> str:
    """What is wrong with where the entry stands after the one before it."""
    seq = row[1]
    if before is None:
        return ""
    if seq <= before:
        return _("there are two entries of this number.")
    if seq != before + 1:
        return _("missing before it: %(which)s.") % {"which": numbers(before + 1, seq - 1)}
    if sealed and sealed.get("prev") != mac:
        return _("it does not continue the entry before it.")
    return "" if row[0] > id_before else id_altered()


def id_altered() -> str:
    # Ids are not sealed, and lists go by them. A chain's head is locked while its entries get theirs: they only grow.
    return _("its id is not above that of the entry before it: one of them was altered.")


def fault(chain: str, row: Row, sealed: dict[str, Any], keys: dict[str, bytes]) -> str:
    """What is wrong with one entry by itself, in words; empty when nothing is."""
    try:
        return _fault(chain, row, sealed, keys)
    except (TypeError, ValueError, AttributeError):  # bytes, or no UTF-8, where SQLite should have a text
        return _("it holds what no entry has.")


def _fault(chain: str, row: Row, sealed: dict[str, Any], keys: dict[str, bytes]) -> str:
    text, mac, salt, data, searched = row[-5:]
    if not sealed.keys() >= _SEALED_KEYS or not isinstance(sealed["refs"], dict):
        return _("its sealed part cannot be read.")
    key = keys.get(str(sealed["kid"]))
    if key is None:
        return _("it was sealed with the key “%(key)s”, which is not in AUDIT_KEYS.") % {"key": sealed["kid"]}
    if chains.mac(key, text) != mac:
        return _("its seal does not fit: it was altered, or sealed without the key.")
    refs = sealed["refs"]
    sealed_values = (sealed["seq"], sealed["at"], sealed["action"], sealed["actor"], sealed["outcome"])
    shown = (row[1], _as_sealed(row[2]), *row[3:6])
    if shown != sealed_values or sealed["chain"] != chain or tuple(map(refs.get, chains.REFS)) != row[6:-5]:
        return _("its column “%(name)s” was altered.") % {"name": _altered(chain, row, sealed)}
    if salt is not None and not _fits(salt, data, searched, sealed["personal"]):
        return _("its personal part was altered.")
    return ""


def _as_sealed(at: str | None) -> str:
    """A time as the database shows it, as entries have it; PostgreSQL shows nothing for one without end."""
    if at is None:
        return ""
    day, _space, clock = at.partition(" ")
    return f"{day}T{clock}Z" if "." in clock else f"{day}T{clock}.000000Z"


def _altered(chain: str, row: Row, sealed: dict[str, Any]) -> str:
    if sealed["chain"] != chain:
        return "chain"
    shown = dict(zip(_COLUMNS, (row[1], _as_sealed(row[2]), *row[3:-5]), strict=True))
    was = {name: sealed.get("actor" if name == "actor_id" else name) for name in _COLUMNS}
    was |= {f"{name}_id": sealed["refs"].get(name) for name in chains.REFS}
    return next((name for name in _COLUMNS if shown[name] != was[name]), "")


def _fits(salt: str, data: str, searched: str, committed: str | None) -> bool:
    try:
        return committed is not None and chains.commitment(salt, data, searched) == committed
    except (TypeError, ValueError):
        return False


def opened_row(row: Row) -> dict[str, Any]:
    return _opened(row[-5])


def _opened(sealed: str) -> dict[str, Any]:
    try:
        opened = json.loads(sealed)
    except (TypeError, ValueError, RecursionError):
        return {}
    return opened if isinstance(opened, dict) else {}


def numbers(first: int, last: int) -> str:
    if first == last:
        return _("entry %(seq)d") % {"seq": first}
    return _("entries %(first)d to %(last)d") % {"first": first, "last": last}


__all__ = ["SIZE", "Found", "Row", "Stretch", "check", "fault", "id_altered", "numbers", "one", "opened_row", "read"]
