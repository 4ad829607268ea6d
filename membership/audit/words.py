"""The index behind the log's text search: fast for rare words, and in step with what is erased.

SQLite: an FTS5 table of trigrams over `AuditPersonal.text`. Filling it costs several times what writing an entry costs,
so the worker does that beside its work, chunk by chunk; what is not in it yet is looked through one by one. Deleting a
personal part takes its words out at once, by a trigger; their traces leave the index's own pages with the next
merging, which the worker does, too.

PostgreSQL: a GIN index of `pg_trgm`, which keeps itself in step. Where that extension cannot be made, searching works
and is slow, and a system check says so.
"""

import json
from collections.abc import Collection, Sequence
from typing import Any

from django.db import DEFAULT_DB_ALIAS, DatabaseError, connections, router, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Q
from django.db.models.expressions import RawSQL

from membership.models import AuditIndex, AuditPersonal

PERSONAL = AuditPersonal._meta.db_table
STATE = AuditIndex._meta.db_table
TABLE = "membership_auditwords"
TRIGGER = "musterbook_words_delete"
GIN = "audit_words"

SHORTEST = 3
"""Letters of a word that trigrams can find."""
COMMON = 10_000
"""From so many entries on words are common: only the newest of them are looked at, unless all are wanted."""
WALKED = 300_000
"""Among so many of the newest entries PostgreSQL looks for common words: its index knows no order."""
GATHERED = 50_000
"""So many that hold the words PostgreSQL gives in no order sooner than it looks for the newest of them."""
GREATEST = 2**63 - 1
_CHUNK = 500
_MERGED_PAGES = 200

_DELETE = (
    f'CREATE TRIGGER "{TRIGGER}" AFTER DELETE ON "{PERSONAL}"'  # noqa: S608 - our own names
    f' WHEN OLD.entry_id <= (SELECT upto FROM "{STATE}")'
    f' BEGIN INSERT INTO "{TABLE}" ("{TABLE}", rowid, text) VALUES (\'delete\', OLD.entry_id, OLD.text); END'
)


# making and keeping it


def install(using: str = DEFAULT_DB_ALIAS) -> bool:
    """Make what is missing. Safe to repeat. False: this PostgreSQL lets us make no index."""
    connection = connections[using]
    if STATE not in connection.introspection.table_names():
        return False  # before its migration
    AuditIndex.objects.using(using).get_or_create(pk=1)
    if connection.vendor == "sqlite":
        _install_sqlite(connection)
        return True
    return _install_postgresql(connection)


def _install_sqlite(connection: BaseDatabaseWrapper) -> None:
    with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
        cursor.execute("SELECT name, sql FROM sqlite_master WHERE name IN (%s, %s)", [TABLE, TRIGGER])
        found = dict(cursor.fetchall())
        if TABLE in found and found.get(TRIGGER) == _DELETE:
            return
        # A trigger that was away, for instance because its table was rebuilt, let the index fall behind.
        cursor.execute(f'DROP TRIGGER IF EXISTS "{TRIGGER}"')
        cursor.execute(f'DROP TABLE IF EXISTS "{TABLE}"')
        cursor.execute(
            f'CREATE VIRTUAL TABLE "{TABLE}" USING fts5'
            f"(text, content='{PERSONAL}', content_rowid='entry_id', tokenize='trigram case_sensitive 1')"
        )
        cursor.execute(f'UPDATE "{STATE}" SET upto = 0')  # noqa: S608 - our own name
        cursor.execute(_DELETE)


def _install_postgresql(connection: BaseDatabaseWrapper) -> bool:
    try:
        with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
            cursor.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
            cursor.execute(f'CREATE INDEX IF NOT EXISTS "{GIN}" ON "{PERSONAL}" USING gin (text gin_trgm_ops)')
    except DatabaseError:
        return False
    return True


def is_there(using: str = DEFAULT_DB_ALIAS) -> bool:
    connection = connections[using]
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("SELECT count(*) FROM sqlite_master WHERE name IN (%s, %s)", [TABLE, TRIGGER])
            return bool(cursor.fetchone()[0] == 2)
        cursor.execute("SELECT to_regclass(%s)", [f'"{GIN}"'])
        return cursor.fetchone()[0] is not None


def keep_up() -> bool:
    """Put the next entries into the index, and merge it where something was erased. True: there was something to do.

    A short transaction each time: pages that write do not wait for it.
    """
    using = router.db_for_write(AuditPersonal)
    if connections[using].vendor != "sqlite" or not is_there(using):
        return False
    state = AuditIndex.objects.using(using).get(pk=1)
    newest = AuditPersonal.objects.using(using).order_by("-pk").values_list("pk", flat=True).first() or 0
    if newest > state.upto:
        return _index_next(using)
    return _merge(using) if state.merge_wanted else False


def _index_next(using: str) -> bool:
    with transaction.atomic(using=using), connections[using].cursor() as cursor:
        cursor.execute(f'SELECT upto FROM "{STATE}" WHERE id = 1')  # noqa: S608 - our own name
        upto = cursor.fetchone()[0]
        newer = AuditPersonal.objects.using(using).filter(pk__gt=upto).order_by("pk")
        last = list(newer.values_list("pk", flat=True)[:_CHUNK])[-1:]
        if not last:
            return False
        # SQLite hands the texts over by itself: one that was damaged is none to Python.
        cursor.execute(
            f'INSERT INTO "{TABLE}" (rowid, text)'  # noqa: S608 - our own names
            f' SELECT entry_id, text FROM "{PERSONAL}" WHERE entry_id > %s AND entry_id <= %s',
            [upto, *last],
        )
        AuditIndex.objects.using(using).filter(pk=1).update(upto=last[0])
    return True


def want_merge() -> None:
    """Something was erased: its traces are to leave the index's pages. Inside the caller's transaction."""
    AuditIndex.objects.filter(pk=1).update(merge_wanted=True)


def _merge(using: str) -> bool:
    """One part of merging everything into one piece, which holds nothing that was deleted."""
    with transaction.atomic(using=using), connections[using].cursor() as cursor:
        before = _changes(cursor)
        # A negative number begins to merge all there is, whatever its size; the next ones go on with it.
        state = AuditIndex.objects.using(using).get(pk=1)
        pages = -_MERGED_PAGES if state.merge_begun_at_upto != state.upto else _MERGED_PAGES
        cursor.execute(f'INSERT INTO "{TABLE}" ("{TABLE}", rank) VALUES (\'merge\', %s)', [pages])  # noqa: S608
        is_done = _changes(cursor) - before < 2 and pages > 0
        changed = {"merge_wanted": False, "merge_begun_at_upto": -1} if is_done else {"merge_begun_at_upto": state.upto}
        AuditIndex.objects.using(using).filter(pk=1).update(**changed)
    return True


def _changes(cursor: Any) -> int:
    cursor.execute("SELECT total_changes()")
    return int(cursor.fetchone()[0])


# searching


def newest(words: Sequence[str], *, low: int = 0, high: int = GREATEST) -> tuple[list[int], bool]:
    """Ids of the newest entries that hold each of the folded `words`, newest first, and whether these are all of them.

    `words` are at least `SHORTEST` letters long each; only entries numbered from `low` to `high` count. Of words that
    are common, but were not of late, PostgreSQL gives some older entries for want of newer ones.
    """
    with connections[router.db_for_read(AuditPersonal)].cursor() as cursor:
        look = _newest_sqlite if cursor.db.vendor == "sqlite" else _newest_postgresql
        found, is_all = look(cursor, words, low, high)
    return sorted(found, reverse=True)[:COMMON], is_all


_Newest = tuple[Collection[int], bool]


def _newest_sqlite(cursor: Any, words: Sequence[str], low: int, high: int) -> _Newest:
    (indexed, phrase), (newer, newer_words) = _sqlite(words)
    # Bounded below once: of two such bounds SQLite may take the wider one, and walk through everything.
    cursor.execute(f"{newer} AND +entry_id >= %s AND +entry_id <= %s", [*newer_words, low, high])
    found = [row[0] for row in cursor.fetchall()]
    bounds = [low, high, COMMON + 1]
    cursor.execute(f"{indexed} AND rowid BETWEEN %s AND %s ORDER BY rowid DESC LIMIT %s", [*phrase, *bounds])
    found += [row[0] for row in cursor.fetchall()]
    return found, len(found) <= COMMON


def _newest_postgresql(cursor: Any, words: Sequence[str], low: int, high: int) -> _Newest:
    # A walk from the newest on finds common words soon, and for a rare one goes through everything.
    recent: list[int] = []
    if _estimated(cursor, words) > GATHERED:
        recent = _recent(cursor, words, low, high)
        if len(recent) > COMMON // 2:
            return recent, False
    some = _some(cursor, words, low, high)
    if len(some) <= GATHERED:
        return some, len(some) <= COMMON
    return {*some, *(recent or _recent(cursor, words, low, high))}, False


def _estimated(cursor: Any, words: Sequence[str]) -> int:
    """How many entries hold the words, as far as the planner knows."""
    sql, patterns = _postgresql(words)
    cursor.execute(f"EXPLAIN (FORMAT JSON) {sql}", patterns)
    return int(cursor.fetchone()[0][0]["Plan"]["Plan Rows"])


def _recent(cursor: Any, words: Sequence[str], low: int, high: int) -> list[int]:
    cursor.execute(f'SELECT max(entry_id) FROM "{PERSONAL}" WHERE entry_id <= %s', [high])  # noqa: S608 - our own name
    walked = max(low, (cursor.fetchone()[0] or 0) - WALKED)
    return _some(cursor, words, walked, high, "ORDER BY entry_id DESC", COMMON)


def _some(
    cursor: Any, words: Sequence[str], low: int, high: int, order: str = "", at_most: int = GATHERED
) -> list[int]:
    """One more than `at_most` says that there are more."""
    sql, patterns = _postgresql(words)
    cursor.execute(f"{sql} AND entry_id BETWEEN %s AND %s {order} LIMIT %s", [*patterns, low, high, at_most + 1])
    return [row[0] for row in cursor.fetchall()]


def all_of(words: Sequence[str]) -> Q:
    """The entries that hold each of the words, however many."""
    if connections[router.db_for_read(AuditPersonal)].vendor == "sqlite":
        (indexed, phrase), (newer, newer_words) = _sqlite(words)
        sql, params = f"{indexed} UNION ALL {newer}", [*phrase, *newer_words]
    else:
        sql, params = _postgresql(words)
    return Q(pk__in=RawSQL(sql, params))  # noqa: S611 # nosec B611 - our own names


_Asked = tuple[str, list[str]]


def _sqlite(words: Sequence[str]) -> tuple[_Asked, _Asked]:
    """Of the index, and of what is not in it yet."""
    phrase = " ".join('"{}"'.format(word.replace('"', '""')) for word in words)
    held = " AND ".join("instr(text, %s) > 0" for _word in words)
    indexed = f'SELECT rowid FROM "{TABLE}" WHERE "{TABLE}" MATCH %s'  # noqa: S608 - our own name
    newer = f'SELECT entry_id FROM "{PERSONAL}" WHERE entry_id > (SELECT upto FROM "{STATE}") AND {held}'  # noqa: S608
    return (indexed, [phrase]), (newer, list(words))


def _postgresql(words: Sequence[str]) -> _Asked:
    held = " AND ".join("text LIKE %s" for _word in words)
    sql = f'SELECT entry_id FROM "{PERSONAL}" WHERE {held}'  # noqa: S608 - our own name
    return sql, [f"%{_literal(word)}%" for word in words]


def _literal(word: str) -> str:
    for sign in "\\%_":
        word = word.replace(sign, f"\\{sign}")
    return word


def among(ids: Sequence[int]) -> Q:
    """The entries of these ids, however many: one parameter."""
    if connections[router.db_for_read(AuditPersonal)].vendor == "sqlite":
        return Q(pk__in=RawSQL("SELECT value FROM json_each(%s)", [json.dumps(list(ids))]))
    return Q(pk__in=RawSQL("SELECT unnest(%s::bigint[])", [list(ids)]))
