import pytest
from django.core.management import call_command
from django.db import DatabaseError, connection, transaction

from membership.audit import triggers
from membership.checks import audit_key, audit_triggers
from membership.models import AuditEntry, AuditHead, AuditPersonal

ENTRY, PERSONAL, HEAD, CUT = triggers.ENTRIES, triggers.PERSONAL, triggers.HEADS, triggers.CUTS
SQLITE_ONLY = [
    f"INSERT OR REPLACE INTO {ENTRY} SELECT * FROM {ENTRY}",
    f"REPLACE INTO {PERSONAL} SELECT * FROM {PERSONAL}",
    f"INSERT OR REPLACE INTO {HEAD} SELECT * FROM {HEAD}",
    f"UPDATE OR REPLACE {ENTRY} SET id = id + 1",
]
POSTGRESQL_ONLY = [
    f"TRUNCATE {ENTRY} CASCADE",
    f"TRUNCATE {PERSONAL}",
    f"TRUNCATE {HEAD}",
    f"SET LOCAL session_replication_role = replica; DELETE FROM {ENTRY}",
    f"INSERT INTO {ENTRY} SELECT * FROM {ENTRY} ON CONFLICT (id) DO UPDATE SET outcome = 'x'",
    # A table, a function or an operator of one's own, found before those that the trigger means.
    f"CREATE TEMP TABLE {CUT} AS SELECT 'panel' AS chain, 9 AS seq, 1 AS cutting_id; DELETE FROM {ENTRY}",
    f"CREATE SCHEMA own; CREATE TABLE own.{CUT} AS SELECT 'panel' AS chain, 9 AS seq, 1 AS cutting_id;"
    f" SET LOCAL search_path = own, public; DELETE FROM {ENTRY}",
    "CREATE SCHEMA own; CREATE FUNCTION own.yes(bigint, bigint) RETURNS boolean LANGUAGE sql AS 'SELECT true';"
    " CREATE OPERATOR own.> (LEFTARG = bigint, RIGHTARG = bigint, FUNCTION = own.yes);"
    f" SET LOCAL search_path = own, public, pg_catalog; UPDATE {HEAD} SET seq = 1",
]


def run(sql):
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql)


def snapshot():
    return [list(model.objects.order_by("pk").values()) for model in (AuditEntry, AuditPersonal, AuditHead)]


@pytest.mark.parametrize(
    "sql",
    [
        f"UPDATE {ENTRY} SET outcome = 'x'",
        f"UPDATE {ENTRY} SET sealed = sealed",
        f"DELETE FROM {ENTRY}",
        f"DELETE FROM {ENTRY} WHERE seq = 2",
        f"UPDATE {PERSONAL} SET data = '{{}}'",
        f"UPDATE {PERSONAL} SET entry_id = entry_id + 10",
        f"UPDATE {HEAD} SET seq = 1",
        f"UPDATE {HEAD} SET mac = 'x'",
        f"UPDATE {HEAD} SET chain = 'x', seq = seq + 1",
        f"DELETE FROM {HEAD}",
        *SQLITE_ONLY,
        *POSTGRESQL_ONLY,
    ],
)
def test_the_database_itself_refuses(write, sql):
    if (sql in SQLITE_ONLY and connection.vendor != "sqlite") or (
        sql in POSTGRESQL_ONLY and connection.vendor == "sqlite"
    ):
        pytest.skip("the other database's words")
    write("panel", "Ada", "Bob")
    before = snapshot()
    with pytest.raises(DatabaseError, match="audit"):
        run(sql)
    assert snapshot() == before


def test_a_personal_part_may_be_deleted(write):
    write("panel", "Ada")
    run(f"DELETE FROM {PERSONAL}")
    assert not AuditPersonal.objects.exists()


def test_an_entry_cannot_be_saved_again_or_deleted(write):
    (row,) = write("panel", "Ada")
    with pytest.raises(TypeError):
        row.save()
    with pytest.raises(TypeError):
        row.delete()


def test_every_migrate_installs_them_again(fresh_db):
    drop("musterbook_entry_update")
    assert triggers.missing() == ["musterbook_entry_update"]
    call_command("migrate", verbosity=0, skip_checks=True)
    assert triggers.missing() == []


def test_a_missing_trigger_is_an_error_at_start(any_db):
    assert audit_triggers(app_configs=None, databases=["default"]) == []
    drop("musterbook_entry_delete")
    (found,) = audit_triggers(app_configs=None, databases=["default"])
    assert found.id == "musterbook.E002"
    assert "musterbook_entry_delete" in found.msg


def test_an_altered_trigger_counts_as_missing(any_db):
    drop("musterbook_entry_delete")
    if connection.vendor == "sqlite":
        run(f'CREATE TRIGGER "musterbook_entry_delete" BEFORE DELETE ON {ENTRY} WHEN 0 BEGIN SELECT 1; END')
    else:
        run(
            f'CREATE TRIGGER "musterbook_entry_delete" BEFORE DELETE ON {ENTRY} FOR EACH ROW WHEN (false)'
            ' EXECUTE FUNCTION "musterbook_entry_delete"()'
        )
    assert triggers.missing() == ["musterbook_entry_delete"]


def test_a_trigger_that_is_switched_off_counts_as_missing(any_db):
    if connection.vendor == "sqlite":
        pytest.skip("SQLite has no switch")
    run(f"ALTER TABLE {ENTRY} DISABLE TRIGGER musterbook_entry_delete")
    assert triggers.missing() == ["musterbook_entry_delete"]


def test_a_function_that_was_emptied_counts_as_missing(any_db):
    if connection.vendor == "sqlite":
        pytest.skip("SQLite has no functions of its own")
    run(
        'CREATE OR REPLACE FUNCTION "musterbook_entry_delete"() RETURNS trigger LANGUAGE plpgsql'
        " AS $$BEGIN RETURN OLD; END$$"
    )
    assert triggers.missing() == ["musterbook_entry_delete"]


def test_replaces_that_pass_the_triggers_are_an_error_at_start(fresh_db):
    if connection.vendor != "sqlite":
        pytest.skip("only SQLite has REPLACE")
    run("SELECT 1")
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA recursive_triggers=OFF")
    assert [found.id for found in audit_triggers(app_configs=None, databases=["default"])] == ["musterbook.E003"]


def test_an_unusable_key_is_an_error_at_start(settings):
    assert audit_key(app_configs=None) == []
    settings.AUDIT_KEYS = {"t1": "c2hvcnQ="}
    assert [found.id for found in audit_key(app_configs=None)] == ["musterbook.E001"]


def drop(name):
    on = "" if connection.vendor == "sqlite" else f' ON "{ENTRY}"'
    run(f'DROP TRIGGER "{name}"{on}')


def test_triggers_of_an_earlier_version_are_no_alarm_and_renewed_by_migrate(any_db):
    if connection.vendor == "sqlite":
        pytest.skip("SQLite's are as they were")
    for name in triggers._wanted(connection):
        run(f"ALTER FUNCTION {name}() RESET ALL")
    assert triggers.missing() == []
    assert [found.id for found in audit_triggers(databases=["default"])] == ["musterbook.W005"]
    call_command("migrate", verbosity=0)
    assert audit_triggers(databases=["default"]) == []
    run("ALTER FUNCTION musterbook_entry_delete() SET search_path = pg_temp")
    assert triggers.missing() == ["musterbook_entry_delete"]
    triggers.install()
