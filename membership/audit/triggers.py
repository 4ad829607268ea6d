"""Database triggers that refuse to change the log. Installed after every migrate: a table rebuild drops them silently.

On SQLite `INSERT OR REPLACE` deletes without asking a trigger unless `recursive_triggers` is on: the settings turn it
on for every connection of ours.

Entries may be deleted in one case: while a cut of their chain that covers them is being made (`audit/cutting.py`). The
row that says so as ours do cannot be committed, so the door closes with the transaction that opened it; `verify` finds
one that was committed otherwise.
"""

from typing import NamedTuple

from django.db import DEFAULT_DB_ALIAS, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from membership.models import AuditAnchor, AuditCut, AuditEntry, AuditHead, AuditPersonal, AuditSpan

ENTRIES = AuditEntry._meta.db_table
PERSONAL = AuditPersonal._meta.db_table
HEADS = AuditHead._meta.db_table
ANCHORS = AuditAnchor._meta.db_table
SPANS = AuditSpan._meta.db_table
CUTS = AuditCut._meta.db_table


class Rule(NamedTuple):
    """What one table refuses. `unless` is the condition under which the event is allowed."""

    name: str
    table: str
    event: str
    says: str
    unless: str = ""


ROW_RULES = (
    Rule("musterbook_entry_update", ENTRIES, "UPDATE", "audit entries are never changed"),
    Rule(
        "musterbook_entry_delete",
        ENTRIES,
        "DELETE",
        "audit entries are never deleted",
        unless=f'EXISTS (SELECT 1 FROM "{CUTS}" WHERE chain = OLD.chain AND seq >= OLD.seq AND cutting_id IS NOT NULL)',  # noqa: S608 - our own name
    ),
    Rule("musterbook_personal_update", PERSONAL, "UPDATE", "personal parts of audit entries are never changed"),
    Rule(
        "musterbook_head_update",
        HEADS,
        "UPDATE",
        "the head of an audit chain only moves forward",
        unless="NEW.id = OLD.id AND NEW.chain = OLD.chain AND NEW.seq > OLD.seq",
    ),
    Rule("musterbook_head_delete", HEADS, "DELETE", "the head of an audit chain is never deleted"),
    Rule("musterbook_anchor_update", ANCHORS, "UPDATE", "anchors of the audit log are never changed"),
    Rule("musterbook_anchor_delete", ANCHORS, "DELETE", "anchors of the audit log are never deleted"),
    Rule("musterbook_span_update", SPANS, "UPDATE", "anchors of the audit log are never changed"),
    Rule("musterbook_span_delete", SPANS, "DELETE", "anchors of the audit log are never deleted"),
    Rule(
        "musterbook_cut_update",
        CUTS,
        "UPDATE",
        "the cut of an audit chain only moves forward",
        unless="NEW.id = OLD.id AND NEW.chain = OLD.chain"
        " AND (NEW.seq > OLD.seq OR (NEW.seq = OLD.seq AND NEW.mac = OLD.mac))",
    ),
    Rule("musterbook_cut_delete", CUTS, "DELETE", "the cut of an audit chain is never deleted"),
)
SQLITE_RULES = (
    # A personal part may be deleted, so REPLACE would pass as a deletion and an insert.
    Rule(
        "musterbook_personal_replace",
        PERSONAL,
        "INSERT",
        "personal parts of audit entries are never replaced",
        unless=f'NOT EXISTS (SELECT 1 FROM "{PERSONAL}" WHERE entry_id = NEW.entry_id)',  # noqa: S608 - our own name
    ),
)
TRUNCATE_RULES = tuple(
    Rule(f"musterbook_{word}_truncate", table, "TRUNCATE", "the audit log is never emptied")
    for word, table in (
        ("entry", ENTRIES),
        ("personal", PERSONAL),
        ("head", HEADS),
        ("anchor", ANCHORS),
        ("span", SPANS),
        ("cut", CUTS),
    )
)


_ROW, _BEFORE = 1, 2
_EVENT_BITS = {"DELETE": 8, "UPDATE": 16, "TRUNCATE": 32}
"""Bits of `pg_trigger.tgtype`. Source: PostgreSQL's catalog/pg_trigger.h."""


class Trigger(NamedTuple):
    """One trigger as a database makes it, and how its catalogue shows it afterwards."""

    table: str
    statements: list[str]
    shown: tuple[object, ...]
    formerly: tuple[object, ...] | None = None
    """How an earlier version of ours made it."""


def install(using: str = DEFAULT_DB_ALIAS) -> None:
    """Make or renew every trigger. Safe to repeat."""
    connection = connections[using]
    with transaction.atomic(using=using), connection.cursor() as cursor:
        for name, trigger in _wanted(connection).items():
            on = "" if connection.vendor == "sqlite" else f' ON "{trigger.table}"'
            cursor.execute(f'DROP TRIGGER IF EXISTS "{name}"{on}')
            for statement in trigger.statements:
                cursor.execute(statement)


def missing(using: str = DEFAULT_DB_ALIAS) -> list[str]:
    """Names of triggers that are absent, altered or switched off."""
    connection = connections[using]
    shown = _shown(connection)
    wanted = _wanted(connection).items()
    return [
        name for name, trigger in wanted if shown.get(name) not in (trigger.shown, trigger.formerly or trigger.shown)
    ]


def outdated(using: str = DEFAULT_DB_ALIAS) -> list[str]:
    """Names of triggers that an earlier version made: they hold, but not against all that these do."""
    connection = connections[using]
    shown = _shown(connection)
    wanted = _wanted(connection).items()
    return [name for name, trigger in wanted if trigger.formerly and shown.get(name) == trigger.formerly]


def tables_exist(using: str = DEFAULT_DB_ALIAS) -> bool:
    """False before the first migrate."""
    with connections[using].cursor() as cursor:
        return set(connections[using].introspection.table_names(cursor)) >= {
            ENTRIES,
            PERSONAL,
            HEADS,
            ANCHORS,
            SPANS,
            CUTS,
        }


def replaces_meet_triggers(using: str = DEFAULT_DB_ALIAS) -> bool:
    """Whether `INSERT OR REPLACE` on this connection is refused as the deletion it is."""
    if connections[using].vendor != "sqlite":
        return True
    with connections[using].cursor() as cursor:
        cursor.execute("PRAGMA recursive_triggers")
        return bool(cursor.fetchone()[0])


def _wanted(connection: BaseDatabaseWrapper) -> dict[str, Trigger]:
    if connection.vendor == "sqlite":
        return {rule.name: _sqlite(rule) for rule in (*ROW_RULES, *SQLITE_RULES)}
    with connection.cursor() as cursor:
        cursor.execute("SELECT quote_ident(current_schema())")
        (schema,) = cursor.fetchone()
    return {rule.name: _postgresql(rule, schema) for rule in (*ROW_RULES, *TRUNCATE_RULES)}


def _sqlite(rule: Rule) -> Trigger:
    when = f" WHEN NOT ({rule.unless})" if rule.unless else ""
    statement = (
        f'CREATE TRIGGER "{rule.name}" BEFORE {rule.event} ON "{rule.table}"{when}'
        f" BEGIN SELECT RAISE(ABORT, '{rule.says}'); END"
    )
    return Trigger(rule.table, [statement], (rule.table, statement))


def _postgresql(rule: Rule, schema: str) -> Trigger:
    per = "STATEMENT" if rule.event == "TRUNCATE" else "ROW"
    row = "OLD" if rule.event == "DELETE" else "NEW"  # NEW is null in a deletion, and null skips it silently
    unless = f"IF {rule.unless} THEN RETURN {row}; END IF; " if rule.unless else ""
    body = f"BEGIN {unless}RAISE EXCEPTION '{rule.says}' USING ERRCODE = 'integrity_constraint_violation'; END"
    # Else a temporary table of the same name, which anybody may make, would be the one that is looked into.
    path = f"pg_catalog, {schema}, pg_temp"
    statements = [
        f'CREATE OR REPLACE FUNCTION "{rule.name}"() RETURNS trigger LANGUAGE plpgsql SET search_path = {path}'
        f" AS $body${body}$body$",
        f'CREATE TRIGGER "{rule.name}" BEFORE {rule.event} ON "{rule.table}" FOR EACH {per}'
        f' EXECUTE FUNCTION "{rule.name}"()',
        # ALWAYS: also where session_replication_role is replica.
        f'ALTER TABLE "{rule.table}" ENABLE ALWAYS TRIGGER "{rule.name}"',
    ]
    kind = _EVENT_BITS[rule.event] | _BEFORE | (_ROW if per == "ROW" else 0)
    shown = (rule.table, body, kind, "A", False)
    return Trigger(rule.table, statements, (*shown, [f"search_path={path}"]), formerly=(*shown, None))


def _shown(connection: BaseDatabaseWrapper) -> dict[str, tuple[object, ...]]:
    return _shown_by_sqlite(connection) if connection.vendor == "sqlite" else _shown_by_postgresql(connection)


def _shown_by_sqlite(connection: BaseDatabaseWrapper) -> dict[str, tuple[object, ...]]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT name, tbl_name, sql FROM sqlite_master WHERE type = 'trigger'")
        return {name: (table, sql) for name, table, sql in cursor.fetchall()}


def _shown_by_postgresql(connection: BaseDatabaseWrapper) -> dict[str, tuple[object, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT t.tgname, c.relname, p.prosrc, t.tgtype, t.tgenabled,"
            " t.tgqual IS NOT NULL OR t.tgattr::text <> '', p.proconfig"
            " FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_proc p ON p.oid = t.tgfoid"
            " JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE NOT t.tgisinternal AND n.nspname = ANY (current_schemas(false))"
        )
        return {row[0]: tuple(row[1:]) for row in cursor.fetchall()}
