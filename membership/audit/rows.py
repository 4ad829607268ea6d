"""The log's tables as the database has them, past the models: what a model would convert could hide what was altered,
and what it cannot convert would end the look at the rest.
"""

import datetime as dt
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import groupby
from typing import Any, NamedTuple

from django.db import connections, router
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Func, TextField

from membership.audit.triggers import ENTRIES, HEADS
from membership.models import AuditAnchor, AuditEntry, AuditSpan

_CHUNK = 500


TIME_ON_POSTGRESQL = "to_char({} AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')"
"""A time as text, as SQLite has it."""


class Head(NamedTuple):
    """Where a chain stands, as its head says."""

    seq: int
    mac: str

    @property
    def can_be(self) -> bool:
        return isinstance(self.seq, int) and isinstance(self.mac, str)


class AnchorRow(NamedTuple):
    n: int
    at: str
    text: str
    sig: str

    @property
    def can_be(self) -> bool:
        return isinstance(self.n, int) and isinstance(self.text, str) and isinstance(self.sig, str)

    @property
    def made_at(self) -> dt.datetime | None:
        return _time(self.at)


def _time(text: Any) -> dt.datetime | None:
    try:
        at = dt.datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None
    return at if at.tzinfo else at.replace(tzinfo=dt.UTC)


class _AtAsText(Func):
    """A time as text: one that was altered may be none that a time of Python's can hold."""

    template = "%(expressions)s || ''"

    def as_postgresql(self, compiler: Any, connection: Any, **more: Any) -> Any:
        return self.as_sql(compiler, connection, template=TIME_ON_POSTGRESQL.format("%(expressions)s"), **more)


Covered = frozenset[tuple[str, int, int]]
"""Chain, first and last entry of what one anchor covers."""


@contextmanager
def any_text(errors: str = "surrogateescape") -> Iterator[None]:
    """In here SQLite gives a text that is no UTF-8 as one that fits no seal, instead of an error."""
    connection = _connection()
    if connection.vendor != "sqlite":
        yield
        return
    connection.ensure_connection()
    before = connection.connection.text_factory
    connection.connection.text_factory = partial(str, encoding="utf-8", errors=errors)
    try:
        yield
    finally:
        connection.connection.text_factory = before


def is_text(value: object) -> bool:
    """Whether it is what the name of a chain, a sealed part or a seal can be."""
    try:
        return isinstance(value, str) and bool(value.encode())
    except UnicodeEncodeError:
        return False


def heads() -> dict[str, Head]:
    return {chain: Head(seq, mac) for chain, seq, mac in _all(f"SELECT chain, seq, mac FROM {HEADS}")}  # noqa: S608


def head(chain: str) -> Head | None:
    return next((Head(*row) for row in _all(f"SELECT seq, mac FROM {HEADS} WHERE chain = %s", chain)), None)  # noqa: S608


def ends() -> dict[str, tuple[Any, int]]:
    """The last number of each chain that has entries, and how many these are."""
    found = _all(f"SELECT chain, max(seq), count(*) FROM {ENTRIES} GROUP BY chain")  # noqa: S608
    return {chain: (last, count) for chain, last, count in found}


def one_of(chain: Any) -> int:
    """Id of the first entry of what is no chain's name, on SQLite."""
    name = chain if isinstance(chain, bytes) else str(chain).encode(errors="surrogateescape")
    (found,) = _all(f"SELECT min(id) FROM {ENTRIES} WHERE CAST(chain AS BLOB) = %s", name)  # noqa: S608
    return int(found[0])


def number_after(chain: str, begin: int | None, entries: int) -> Any:
    """The number of the entry that stands so many behind `begin`, or behind the first; None: there is none."""
    behind, values, skip = ("", [], entries) if begin is None else (" AND seq > %s", [begin], entries - 1)
    # Both numbers are ours: a bound offset would keep PostgreSQL from planning for it.
    sql = f"SELECT seq FROM {ENTRIES} WHERE chain = %s{behind} ORDER BY seq LIMIT 1 OFFSET {skip}"  # noqa: S608
    return next((seq for (seq,) in _all(sql, chain, *values)), None)


def anchors(n: int | None = None) -> Iterator[AnchorRow]:
    """The anchors by number, or that one alone."""
    found = AuditAnchor.objects.order_by("n") if n is None else AuditAnchor.objects.filter(n=n)
    columns = found.annotate(at_text=_AtAsText("at", output_field=TextField())).values_list(
        "n", "at_text", "text", "sig"
    )
    return (AnchorRow(*row) for row in columns.iterator(chunk_size=_CHUNK))


def times(entry_ids: Sequence[int]) -> dict[int, dt.datetime | None]:
    """When the entries were written; None where that is no time."""
    found = AuditEntry.objects.filter(pk__in=entry_ids).order_by()
    texts = found.annotate(at_text=_AtAsText("at", output_field=TextField())).values_list("pk", "at_text")
    return {pk: _time(text) for pk, text in texts}


def covered() -> Iterator[tuple[int, Covered]]:
    """What the rows of the database say that each anchor covers, by number of the anchor."""
    found = AuditSpan.objects.order_by("n").values_list("n", "chain", "first", "last").iterator(chunk_size=_CHUNK)
    return ((n, frozenset(row[1:] for row in of_one)) for n, of_one in groupby(found, key=lambda row: row[0]))


def covered_by(n: int) -> Covered:
    return frozenset(AuditSpan.objects.filter(n=n).values_list("chain", "first", "last"))


def _all(sql: str, *values: Any) -> list[tuple[Any, ...]]:
    with _connection().cursor() as cursor:
        cursor.execute(sql, values)
        return list(cursor.fetchall())


def _connection() -> BaseDatabaseWrapper:
    return connections[router.db_for_read(AuditEntry)]
