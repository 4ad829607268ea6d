"""The one place that writes audit entries.

A batch is the real function: one query for the heads, one insert of entries, one of personal parts, one update a head.
"""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, connections, router, transaction
from django.utils import timezone

from membership import conf
from membership.audit import chain as chains
from membership.audit import redact
from membership.errors import AuditUnavailable
from membership.models import AuditEntry, AuditHead, AuditPersonal, bulk
from membership.models.statements import Statement
from membership.vocab import AuditAction

if TYPE_CHECKING:
    from django.contrib.auth.models import User

_NOT_SEARCHED = frozenset({"request", "answer"})
_REFS = tuple((name, f"{name}_id") for name in chains.REFS)
_COLUMNS = (
    *("chain", "seq", "at", "action", "actor_id"),
    *(ref for _, ref in _REFS),
    *("outcome", "sealed", "mac"),
)

_at_machine: ContextVar[str] = ContextVar("at_machine", default="")

# SQLite's transactions are IMMEDIATE, one writer at a time.
_HEADS = Statement("SELECT id, chain, seq, mac FROM membership_audithead WHERE chain AMONG %s ORDER BY id FOR UPDATE")
_MOVE_HEAD = Statement("UPDATE membership_audithead SET seq = %s, mac = %s WHERE id = %s AND seq = %s")


class _Head(NamedTuple):
    pk: int
    chain: str
    seq: int
    mac: str


_Row = tuple[Any, ...]
"""An entry in the order of `_COLUMNS`."""
_Part = tuple[str, str, str]
"""Salt, data and searchable text of a personal part."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What is to be recorded. `data` is sealed for ever: codes, counts, hashes, ids. Whatever names a human or quotes
    a remote belongs in `personal`, which can be erased later. The actor's name is added there by itself.
    """

    action: AuditAction
    actor: "User | None" = None
    change_id: int | None = None
    operation_id: int | None = None
    connection_id: int | None = None
    group_id: int | None = None
    account_id: int | None = None
    person_id: int | None = None
    participant_id: int | None = None
    outcome: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)
    personal: Mapping[str, Any] = field(default_factory=dict)


@contextmanager
def at_machine(os_user: str) -> Iterator[None]:
    """What is recorded in here, by this thread, was done by that user of the operating system. Empty: by Musterbook."""
    before = _at_machine.set(os_user)
    try:
        yield
    finally:
        _at_machine.reset(before)


def connection_chain(connection_id: int) -> str:
    """Name of the chain of one connection."""
    return f"connection:{connection_id}"


def write(chain: str, entries: Sequence[Entry], *, at: dt.datetime | None = None) -> Sequence[AuditEntry]:
    """Append `entries` to one chain, in order. See `write_all`."""
    return write_all({chain: entries}, at=at).get(chain, [])


def write_all(
    entries: Mapping[str, Sequence[Entry]], *, at: dt.datetime | None = None
) -> dict[str, Sequence[AuditEntry]]:
    """Append entries to several chains: `{chain: entries in order}`.

    Call it inside the transaction of what is recorded, as its last statement: it holds the chains' heads, locked in id
    order, until the commit. Raises `AuditUnavailable`, and then that transaction is rolled back, even if the error is
    swallowed: what cannot be recorded does not happen.
    """
    wanted = {chain: items for chain, items in entries.items() if items}
    if not wanted:
        return {}
    using = router.db_for_write(AuditEntry)
    if not connections[using].in_atomic_block:
        raise AuditUnavailable(why="not inside a transaction")
    try:
        key_id, key = next(iter(conf.audit_keys().items()))
        return _append(wanted, stamp_at=at or timezone.now(), key_id=key_id, key=key)
    except ImproperlyConfigured as error:
        transaction.set_rollback(True, using=using)
        raise AuditUnavailable(why="no key") from error
    except DatabaseError as error:
        transaction.set_rollback(True, using=using)
        raise AuditUnavailable(why=type(error).__name__) from error


class Written(Sequence[AuditEntry]):
    """The entries of one chain as they were written: made only for who looks at them."""

    def __init__(self, rows: Sequence[_Row], ids: Mapping[tuple[str, int], int], at: dt.datetime) -> None:
        self._rows = rows
        self._ids = ids
        self._at = at

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: Any) -> Any:
        row = self._rows[index]
        entry = AuditEntry(**dict(zip(_COLUMNS, row, strict=True)))
        entry.pk, entry.at, entry._state.adding = self._ids[row[:2]], self._at, False
        return entry


def _append(
    wanted: Mapping[str, Sequence[Entry]], *, stamp_at: dt.datetime, key_id: str, key: bytes
) -> dict[str, Sequence[AuditEntry]]:
    heads = _lock_heads(sorted(wanted))
    rows: list[_Row] = []
    parts: list[_Part | None] = []
    written: dict[str, list[_Row]] = {}
    moved: list[tuple[_Head, int, str]] = []
    seal = _Seal(stamp_at, key_id, key)
    for head in heads:
        seq, prev = head.seq, head.mac
        written[head.chain] = of_chain = []
        for entry in wanted[head.chain]:
            seq += 1
            row, part = seal.sealed(entry, head.chain, seq, prev)
            prev = row[-1]
            of_chain.append(row)
            parts.append(part)
        rows += of_chain
        moved.append((head, seq, prev))
    ids = _insert(rows, parts)
    for head, seq, last_mac in moved:
        if not _MOVE_HEAD.run(seq, last_mac, head.pk, head.seq):
            raise DatabaseError("the head of a chain moved under its lock")
    return {chain: Written(of_chain, ids, stamp_at) for chain, of_chain in written.items()}


def _insert(rows: Sequence[_Row], parts: Sequence[_Part | None]) -> Mapping[tuple[str, int], int]:
    """One statement for entries, one for personal parts, which go by the entries' ids: those are returned."""
    returned = bulk.insert_returning(AuditEntry, _COLUMNS, rows, ("chain", "seq", "id"))
    ids = {(chain, seq): pk for chain, seq, pk in returned}
    personal = [(ids[row[:2]], *part) for row, part in zip(rows, parts, strict=True) if part is not None]
    bulk.insert_rows(AuditPersonal, ("entry_id", "salt", "data", "text"), personal)
    return ids


def _lock_heads(names: list[str]) -> list[_Head]:
    """The heads of these chains, locked in id order; made where there is none yet."""
    heads = [_Head(*row) for row in _HEADS.rows(names)]
    if len(heads) < len(names):
        known = {head.chain for head in heads}
        # A rival's uncommitted row is waited for, then skipped.
        AuditHead.objects.bulk_create(
            [AuditHead(chain=name) for name in names if name not in known], ignore_conflicts=True
        )
        heads = [_Head(*row) for row in _HEADS.rows(names)]
    return heads


class _Seal:
    """Seals entries of one moment with one key."""

    def __init__(self, at: dt.datetime, key_id: str, key: bytes) -> None:
        self._at = bulk.stored_time(AuditEntry, at)
        self._stamp = chains.stamp(at)
        self._key_id = key_id
        self._key = key

    def sealed(self, entry: Entry, chain: str, seq: int, prev: str) -> tuple[_Row, _Part | None]:
        refs = [getattr(entry, ref) for _, ref in _REFS]
        actor_id = entry.actor.pk if entry.actor is not None else None
        outcome = chains.clean_text(str(entry.outcome))[:60]
        part, committed = _personal(entry)
        sealed = chains.canonical(
            {
                "v": chains.VERSION,
                "chain": chain,
                "seq": seq,
                "prev": prev,
                "at": self._stamp,
                "kid": self._key_id,
                "action": entry.action.value,
                "actor": actor_id,
                "refs": {name: value for (name, _), value in zip(_REFS, refs, strict=True) if value is not None},
                "outcome": outcome,
                "data": redact.fitting(dict(entry.data)),
                "personal": committed,
            }
        )
        mac = chains.mac(self._key, sealed)
        return (chain, seq, self._at, entry.action.value, actor_id, *refs, outcome, sealed, mac), part


def _personal(entry: Entry) -> tuple[_Part | None, str | None]:
    """Salt, data and searchable text of the personal part, and the commitment to it."""
    content = redact.fitting(dict(entry.personal))
    if entry.actor is not None:
        content["actor"] = redact.fitting(entry.actor.get_username())
    if os_user := _at_machine.get():
        content["os_user"] = redact.fitting(os_user)
    if not content:
        return None, None
    content, text = redact.fit(content)
    salt = chains.new_salt()
    searched = chains.fold("\n".join(_texts([v for k, v in content.items() if k not in _NOT_SEARCHED])))
    return (salt, text, searched), chains.commitment(salt, text, searched)


def _texts(value: Any) -> list[str]:
    """All texts in it, in order."""
    if type(value) is str:
        return [value]
    if type(value) is dict:
        value = value.values()
    elif type(value) is not list:
        return []
    found: list[str] = []
    for item in value:
        if type(item) is str:
            found.append(item)
        elif item is not None and item is not True and item is not False:
            found += _texts(item)
    return found
