"""Backups and restores that are asked for at the wrong time or place, and those that break off."""

import base64
import json
import os
import shutil
import stat
import tarfile
from pathlib import Path

import pytest
from django.core.management import CommandError
from django.db import connection, connections
from django.utils import timezone

from membership.audit import verify
from membership.management.prepare import hold_folder
from membership.models import AuditEntry, Connection, WorkerBeat
from membership.services import backups, database_copies
from tests import mirrored
from tests.audit.conftest import anchored  # noqa: F401 - a fixture
from tests.commands.test_backup import asides_go, backup, names, note, run  # noqa: F401 - fixtures
from tests.conftest import TEMPLATE_SUFFIX

IS_SQLITE = connection.vendor == "sqlite"
only_sqlite = pytest.mark.skipif(not IS_SQLITE, reason="about SQLite's file")
only_postgresql = pytest.mark.skipif(IS_SQLITE, reason="about PostgreSQL's tools")


def database_file():
    return Path(str(connection.settings_dict["NAME"]))


def left_beside(folder):
    return sorted(path.name for path in folder.iterdir())


# where a backup goes


@pytest.mark.parametrize("where", ["missing/x.backup", "file/x.backup"])
def test_a_backup_that_cannot_be_written_is_said_in_a_sentence(fresh_db, tmp_path, where):
    (tmp_path / "file").write_text("")
    with pytest.raises(CommandError, match="could not be written"):
        run("backup", str(tmp_path / where))


def test_a_backup_onto_a_full_disk_leaves_nothing(fresh_db, tmp_path, monkeypatch):
    def full(_handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CommandError, match="No space left"):
        run("backup", str(tmp_path / "x.backup"))
    assert left_beside(tmp_path) == []


@pytest.mark.parametrize("what", ["text", "folder", "tar"])
def test_a_backup_overwrites_nothing_but_backups(fresh_db, tmp_path, what):
    """Nor the database itself, which one may name by mistake."""
    target = tmp_path / "x.backup"
    if what == "folder":
        target.mkdir()
    elif what == "tar":
        (tmp_path / "notes").write_text("of somebody")
        with tarfile.open(target, "w:gz") as tar:
            tar.add(tmp_path / "notes", arcname="notes")
    else:
        target.write_text("of somebody")
    before = None if what == "folder" else target.read_bytes()
    with pytest.raises(CommandError, match="is no backup"):
        run("backup", str(target))
    assert before is None or target.read_bytes() == before


def test_an_older_backup_is_replaced_by_a_newer_one(fresh_db, anchored, tmp_path):  # noqa: F811
    file = tmp_path / "nightly.backup"
    for name in ("Ada", "Bob"):
        note(name)
        assert run("backup", str(file))[0] == 0
    assert run("restore", str(file), "--replace")[0] == 0
    assert names() == ["Ada", "Bob"]


def test_keys_that_cannot_be_written_are_said(fresh_db, tmp_path, monkeypatch):
    monkeypatch.setenv("PHRASE", "correct horse battery")
    run("backup", str(tmp_path / "x.backup"), "--keys", "PHRASE")
    with pytest.raises(CommandError, match="could not be written"):
        run("restore", str(tmp_path / "x.backup"), "--keys", "PHRASE", "--to", str(tmp_path / "no" / "keys.env"))


# while something runs


def test_nothing_is_replaced_while_a_worker_runs_that_cannot_write(backup):  # noqa: F811
    """A damaged log is one of the reasons to restore: then the worker is in trouble, and runs."""
    WorkerBeat.objects.create(name="w", at=timezone.now(), trouble="audit_unavailable")
    with pytest.raises(CommandError, match="is running"):
        run("restore", str(backup), "--replace")
    assert names() == ["Ada", "Bob"]


def test_nothing_is_replaced_while_serve_runs(backup, tmp_path):  # noqa: F811
    """Its worker may be down, and the pages write."""
    with hold_folder(tmp_path), pytest.raises(CommandError, match="already running"):
        run("restore", str(backup), "--replace")
    assert names() == ["Ada", "Bob"]
    assert run("restore", str(backup), "--replace")[0] == 0


# what breaks off


@pytest.mark.parametrize("step", ["call_command", "_anchors_ahead", "_record", "_put_anchors"])
def test_where_it_breaks_off_all_is_as_it_was(backup, anchored, monkeypatch, step):  # noqa: F811
    def breaks(*_args, **_more):
        raise KeyboardInterrupt

    monkeypatch.setattr(backups, step, breaks)
    before = left_beside(backup.parent)
    with pytest.raises(KeyboardInterrupt):
        run("restore", str(backup), "--replace")
    assert names() == ["Ada", "Bob"]
    assert verify.verify().is_whole
    assert set(left_beside(backup.parent)) - {"serve.lock"} == set(before)
    if IS_SQLITE:
        # What other workers of the test run have in this folder comes and goes.
        name = database_file().name
        own = {each.removeprefix(name) for each in left_beside(database_file().parent) if each.startswith(name)}
        assert own <= {"", "-wal", "-shm", TEMPLATE_SUFFIX}


@only_sqlite
def test_without_room_for_the_new_database_the_old_one_stays(backup, monkeypatch):  # noqa: F811
    def full(_handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CommandError, match="No space left"):
        run("restore", str(backup), "--replace")
    monkeypatch.undo()
    assert names() == ["Ada", "Bob"]
    assert not database_file().with_name(f"{database_file().name}.new").exists()


def only_tools(tmp_path, monkeypatch, *names, psql=""):
    """Only these tools of PostgreSQL are found, and `psql` as a script, in which {} is the real one."""
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in names:
        (tools / name).symlink_to(shutil.which(name))
    if psql:
        (tools / "psql").write_text("#!/bin/sh\n" + psql.format(shutil.which("psql")))
        (tools / "psql").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:/bin:/usr/bin" if psql else str(tools))


@only_postgresql
def test_without_a_tool_the_old_database_stays(backup, monkeypatch, tmp_path):  # noqa: F811
    """Only what makes the copy aside is there."""
    only_tools(tmp_path, monkeypatch, "pg_dump")
    with pytest.raises(CommandError, match="not installed"):
        run("restore", str(backup), "--replace")
    assert names() == ["Ada", "Bob"]


@only_postgresql
def test_a_load_that_is_killed_leaves_the_old_database(backup, monkeypatch, tmp_path):  # noqa: F811
    """Between emptying and loading nobody sees an empty database."""
    killed = 'for a; do case $a in --file=*load.sql) kill -9 $$;; esac; done\nexec {} "$@"\n'
    only_tools(tmp_path, monkeypatch, "pg_dump", "pg_restore", psql=killed)
    with pytest.raises(CommandError, match="psql"):
        run("restore", str(backup), "--replace")
    assert names() == ["Ada", "Bob"]
    assert not list(Path(tmp_path).glob("*.dump"))


@only_postgresql
def test_a_load_that_was_done_although_its_tool_failed_keeps_the_old_database_aside(backup, monkeypatch, tmp_path):  # noqa: F811
    """As where the connection is lost after the commit, and before its answer."""
    only_tools(tmp_path, monkeypatch, "pg_dump", "pg_restore", psql='{} "$@"\necho "connection lost" >&2\nexit 2\n')
    with pytest.raises(CommandError, match=r"connection lost .*what was there before is in ") as refused:
        run("restore", str(backup), "--replace")
    assert names() == ["Ada"]
    (aside,) = tmp_path.glob("*.dump")
    assert str(aside) in str(refused.value)
    monkeypatch.undo()
    database_copies.put_back(aside)
    assert names() == ["Ada", "Bob"]


# what does not fit


def test_a_line_of_the_anchors_that_was_altered_is_named_by_the_verification(backup, anchored):  # noqa: F811
    with anchored.file.open("a") as file:
        file.write("no anchor\n")
    code, said = run("restore", str(backup), "--replace")
    assert code == 1
    assert "line 3 of the file" in said
    assert names() == ["Ada"]
    assert AuditEntry.objects.filter(action="database.restored").count() == 1


def test_a_backup_of_a_newer_version_is_refused_before_anything_is_touched(fresh_db, anchored, tmp_path):  # noqa: F811
    note("Ada")
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO django_migrations (app, name, applied) VALUES ('membership', '9999_later', %s)",
            [timezone.now()],
        )
    run("backup", str(tmp_path / "x.backup"))
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE name = '9999_later'")
    note("Bob")
    with pytest.raises(CommandError, match="9999_later"):
        run("restore", str(tmp_path / "x.backup"), "--replace")
    assert names() == ["Ada", "Bob"]


def test_the_public_half_of_an_older_key_of_anchors_is_enough(backup, anchored, settings):  # noqa: F811
    """As docs/operations.md has it changed."""
    settings.ANCHOR_KEYS = {"a2": anchored.other_key, "a1": anchored.public_text("a1")}
    code, said = run("restore", str(backup), "--replace")
    assert code == 0, said
    assert names() == ["Ada"]


def test_another_key_of_that_name_is_not_enough(backup, anchored, settings):  # noqa: F811
    settings.ANCHOR_KEYS = {"a1": anchored.other_key}
    with pytest.raises(CommandError, match="ANCHOR_KEYS a1"):
        run("restore", str(backup), "--replace")


def test_where_keys_are_lost_the_backup_can_be_put_back_and_that_is_in_the_log(
    fresh_db,
    anchored,  # noqa: F811
    tmp_path,
    settings,
):
    mirrored.system("Office", secrets={"token": "hidden"})
    run("backup", str(tmp_path / "x.backup"))
    settings.FIELD_KEYS = [base64.urlsafe_b64encode(b"n" * 32).decode()]
    with pytest.raises(CommandError, match="--keys-lost"):
        run("restore", str(tmp_path / "x.backup"), "--replace")
    code, said = run("restore", str(tmp_path / "x.backup"), "--replace", "--keys-lost")
    assert code == 0, said
    assert Connection.objects.get().secrets == {}
    data = json.loads(AuditEntry.objects.get(action="database.restored").sealed)["data"]
    assert [key.split()[0] for key in data["keys_lost"]] == ["FIELD_KEYS"]


@pytest.mark.parametrize("name", ["AUDIT_KEYS", "ANCHOR_KEYS"])
def test_a_lost_key_of_the_log_is_named_by_the_verification_and_life_goes_on(backup, anchored, settings, name):  # noqa: F811
    new = {
        "AUDIT_KEYS": {"t9": "YmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmI="},
        "ANCHOR_KEYS": {"a9": anchored.other_key},
    }
    setattr(settings, name, new[name])
    code, said = run("restore", str(backup), "--replace", "--keys-lost")
    assert code == 1
    assert f"which is not in {name}" in said
    assert names() == ["Ada"]
    note("Cem")
    assert AuditEntry.objects.filter(action="database.restored").count() == 1


# what is there


@only_sqlite
def test_a_damaged_database_is_kept_aside_and_replaced(backup):  # noqa: F811
    connections.close_all()
    for suffix in ("-wal", "-shm"):
        database_file().with_name(database_file().name + suffix).unlink(missing_ok=True)
    database_file().write_bytes(b"no database" * 1000)
    code, said = run("restore", str(backup), "--replace")
    assert code == 0, said
    assert names() == ["Ada"]
    (aside,) = database_file().parent.glob(f"{database_file().name}.before-*")
    assert aside.read_bytes() == b"no database" * 1000


@only_sqlite
def test_whoever_may_read_the_database_stays_the_same(backup):  # noqa: F811
    file = database_file()
    file.chmod(0o640)
    if os.geteuid() == 0:
        os.chown(file, 12345, 12346)
    assert run("restore", str(backup), "--replace")[0] == 0
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    if os.geteuid() == 0:
        assert (file.stat().st_uid, file.stat().st_gid) == (12345, 12346)
    file.chmod(0o600)


@only_postgresql
@pytest.mark.parametrize("name", ["a=b 'c\\d\" /x", "postgres://elsewhere/x", "-x"])
def test_a_database_of_any_name_is_copied(fresh_db, tmp_path, monkeypatch, name):
    quoted = connection.ops.quote_name(name) if '"' not in name else '"{}"'.format(name.replace('"', '""'))
    with connection._nodb_cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {quoted}")
    try:
        monkeypatch.setitem(connection.settings_dict, "NAME", name)
        database_copies.copy_out(tmp_path / "made.dump")
        assert (tmp_path / "made.dump").stat().st_size > 500
        assert database_copies._aside().parent == tmp_path
    finally:
        monkeypatch.undo()
        with connection._nodb_cursor() as cursor:
            cursor.execute(f"DROP DATABASE {quoted} WITH (FORCE)")


@only_postgresql
def test_the_tools_are_told_where_and_how_and_never_the_password(fresh_db, monkeypatch):
    options = {**connection.settings_dict["OPTIONS"], "sslmode": "verify-full", "sslrootcert": "/x/root.crt"}
    with monkeypatch.context() as patched:
        patched.setitem(connection.settings_dict, "PASSWORD", "geheim")
        patched.setitem(connection.settings_dict, "OPTIONS", options)
        place = database_copies._place()
    assert "sslmode=verify-full" in place
    assert "sslrootcert=/x/root.crt" in place
    assert "geheim" not in place
