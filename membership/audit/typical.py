"""What SQLite's planner is told about the log: figures of a typical one. It else guesses them, or reads for seconds.

Without them it takes "one of these systems" for something rare, collects a million entries, and sorts them. Source:
"The Query Planner Can Use Statistics", https://www.sqlite.org/optoverview.html: such figures may be put in by hand.
"""

from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections, transaction

from membership.models import AuditEntry

_ROWS = 1_000_000
_OF_ONE_VALUE = {
    ("chain", "seq"): (200_000, 1),
    ("connection_id", "id"): (200_000, 1),
    ("actor_id", "id"): (200_000, 1),
    ("action", "id"): (100_000, 1),
    ("group_id",): (5_000,),
    ("change_id",): (500,),
    ("person_id",): (400,),
    ("account_id",): (400,),
    ("participant_id",): (400,),
    ("operation_id",): (3,),
    ("at",): (1,),
}
"""How many entries have the same value in the first of an index's columns, in the first two, …"""
_OUTCOMES = ("outcome", "id"), "50000 10000 1"
"""The index of outcomes leaves out the empty ones."""


def tell_planner(using: str = DEFAULT_DB_ALIAS) -> None:
    """Safe to repeat. PostgreSQL counts by itself."""
    connection = connections[using]
    table = AuditEntry._meta.db_table
    if connection.vendor != "sqlite" or table not in connection.introspection.table_names():
        return
    figures = {columns: " ".join(map(str, (_ROWS, *counts))) for columns, counts in _OF_ONE_VALUE.items()}
    figures[_OUTCOMES[0]] = _OUTCOMES[1]
    with transaction.atomic(using=using), connection.cursor() as cursor:
        found = _indexes(cursor, table)
        told = [(table, name, figures[columns]) for name, columns in found.items() if columns in figures]
        # Makes the table of figures where there is none yet; the first thousand rows are all that it looks at.
        cursor.execute("PRAGMA analysis_limit = 1000")
        cursor.execute(f'ANALYZE "{table}"')
        cursor.execute("DELETE FROM sqlite_stat1 WHERE tbl = %s", [table])
        cursor.executemany("INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES (%s, %s, %s)", told)
        cursor.execute("ANALYZE sqlite_schema")  # has this connection read them


def _indexes(cursor: Any, table: str) -> dict[str, tuple[str, ...]]:
    """`{name: columns in their order}`."""
    cursor.execute(
        "SELECT list.name, info.name FROM pragma_index_list(%s) AS list, pragma_index_info(list.name) AS info"
        " ORDER BY list.name, info.seqno",
        [table],
    )
    found: dict[str, tuple[str, ...]] = {}
    for name, column in cursor.fetchall():
        found[name] = (*found.get(name, ()), column)
    return found
