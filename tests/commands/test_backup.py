"""Backup and restore with the real database and its own tools."""

import json
import stat
import tarfile
import threading
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, connections, transaction
from django.utils import timezone

from membership.audit import anchor_file, anchoring, record, triggers, verify
from membership.models import AuditAnchor, AuditEntry, AuditPersonal, Person, WorkerBeat
from membership.services import anchor_sinks, backups
from membership.services.command_line import os_user
from membership.vocab import AuditAction
from tests.audit.conftest import anchored  # noqa: F401 - a fixture

PASSPHRASE = "correct horse battery"


def run(*words):
    out, err = StringIO(), StringIO()
    try:
        call_command(*words, stdout=out, stderr=err)
    except SystemExit as exit_:
        return exit_.code, out.getvalue() + err.getvalue()
    return 0, out.getvalue() + err.getvalue()


def note(person):
    Person.objects.create(name=person)
    with transaction.atomic():
        record.write("panel", [record.Entry(AuditAction.COMMAND_RUN, personal={"person": person})])


@pytest.fixture(autouse=True)
def asides_go(tmp_path, settings):
    """What is put aside goes with the test."""
    settings.VAR_DIR = tmp_path
    yield
    name = Path(str(connection.settings_dict["NAME"]))
    for left in name.parent.glob(f"{name.name}.before-*"):
        left.unlink()


@pytest.fixture
def backup(fresh_db, anchored, tmp_path):  # noqa: F811
    """A backup with Ada; Bob came later, and an anchor names both."""
    note("Ada")
    anchoring.make()
    anchor_sinks.send()
    file = tmp_path / "made.backup"
    code, said = run("backup", str(file))
    assert code == 0, said
    note("Bob")
    anchoring.make()
    anchor_sinks.send()
    return file


def names():
    return list(Person.objects.order_by("name").values_list("name", flat=True))


def test_a_backup_holds_database_and_anchors_and_only_names_the_keys(backup, settings):
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
    with tarfile.open(backup) as tar:
        assert sorted(tar.getnames()) == ["anchors.jsonl", "database", "manifest.json"]
        manifest = json.load(tar.extractfile("manifest.json"))
        everything = b"".join(tar.extractfile(name).read() for name in tar.getnames())
    assert manifest["vendor"] == connection.vendor
    assert [key.split(":")[0] for key in manifest["keys"]["AUDIT_KEYS"]] == ["t1"]
    for key in (*settings.AUDIT_KEYS.values(), *settings.ANCHOR_KEYS.values(), *settings.FIELD_KEYS):
        assert key.encode() not in everything


def test_what_is_put_back_is_verified_and_says_what_was_given_up(backup, anchored):  # noqa: F811
    code, said = run("restore", str(backup), "--replace")
    assert code == 0, said
    assert names() == ["Ada"]
    assert "1 anchors held for what came after" in said
    assert triggers.missing() == []
    entry = AuditEntry.objects.get(action="database.restored")
    assert json.loads(entry.sealed)["data"]["anchors_given_up"] == [2, 2]
    assert json.loads(AuditPersonal.objects.get(pk=entry.pk).data) == {"os_user": os_user()}
    report = verify.verify()
    assert report.is_whole, report.faults
    assert "Anchors 2 to 2 hold for a state that was given up" in report.notes[0]
    note("Cem")
    anchoring.make()
    assert anchor_sinks.send()
    assert verify.verify().is_whole
    assert len(list(anchor_file.lines(anchored.file))) == AuditAnchor.objects.count() == 4


def test_what_was_there_is_kept_aside_for_its_owner_alone(backup):
    said = run("restore", str(backup), "--replace")[1]
    (aside,) = [line.split(" is in ")[1].rstrip(".") for line in said.splitlines() if "was there before" in line]
    assert Path(aside).stat().st_size > 10_000
    assert stat.S_IMODE(Path(aside).stat().st_mode) == 0o600


def test_an_older_copy_put_back_by_hand_is_noticed(backup):
    """What the command does openly, somebody else might do quietly."""
    with backups.backup_file.opened(backup, backup.parent) as (_manifest, members):
        backups.database_copies.put_in(members["database"])
    assert names() == ["Ada"]
    report = verify.verify()
    assert "anchor 2 names them" in str(report.faults[0])
    assert not anchor_sinks.send()


def test_with_a_passphrase_the_keys_are_in_it(fresh_db, anchored, tmp_path, monkeypatch, settings):  # noqa: F811
    monkeypatch.setenv("PHRASE", PASSPHRASE)
    file, target = tmp_path / "with-keys.backup", tmp_path / "keys.env"
    assert run("backup", str(file), "--keys", "PHRASE")[0] == 0
    assert run("restore", str(file), "--keys", "PHRASE", "--to", str(target))[0] == 0
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    found = dict(line.split("=", 1) for line in target.read_text().splitlines())
    assert found["AUDIT_KEYS"] == "t1:" + settings.AUDIT_KEYS["t1"]
    assert found["FIELD_KEYS"] == settings.FIELD_KEYS[0]
    with pytest.raises(CommandError, match="nothing is overwritten"):
        run("restore", str(file), "--keys", "PHRASE", "--to", str(target))
    monkeypatch.setenv("PHRASE", "another passphrase")
    with pytest.raises(CommandError, match="does not open"):
        run("restore", str(file), "--keys", "PHRASE", "--to", str(tmp_path / "other.env"))


def test_nothing_is_replaced_unasked(backup):
    with pytest.raises(CommandError, match="--replace"):
        run("restore", str(backup))
    assert names() == ["Ada", "Bob"]


def test_nothing_is_replaced_while_a_worker_runs(backup):
    WorkerBeat.objects.create(name="w", at=timezone.now())
    with pytest.raises(CommandError, match="is running"):
        run("restore", str(backup), "--replace")
    assert names() == ["Ada", "Bob"]


def test_without_the_keys_of_the_backup_nothing_is_replaced(backup, settings):
    settings.AUDIT_KEYS = {"t2": settings.AUDIT_KEYS["t1"]}
    with pytest.raises(CommandError, match="AUDIT_KEYS t1"):
        run("restore", str(backup), "--replace")
    assert names() == ["Ada", "Bob"]


@pytest.mark.parametrize("damage", ["cut", "flip", "empty"])
def test_a_damaged_backup_is_refused_before_anything_is_touched(backup, damage):
    data = backup.read_bytes()
    place = len(data) // 2
    # More than one byte: another way to say "the same zeros again" would be no damage.
    flipped = data[:place] + bytes(byte ^ 0xFF for byte in data[place : place + 64]) + data[place + 64 :]
    backup.write_bytes({"cut": data[:-2000], "flip": flipped, "empty": b""}[damage])
    with pytest.raises(CommandError, match="no backup"):
        run("restore", str(backup), "--replace")
    assert names() == ["Ada", "Bob"]


def test_a_backup_taken_while_others_write_verifies(fresh_db, anchored, tmp_path):  # noqa: F811
    ended = threading.Event()

    def write():
        try:
            while not ended.is_set():
                note("Eve")
                anchoring.make()
                anchor_sinks.send()
        finally:
            connections.close_all()

    thread = threading.Thread(target=write)
    thread.start()
    try:
        file = tmp_path / "busy.backup"
        assert run("backup", str(file))[0] == 0
    finally:
        ended.set()
        thread.join(60)
    code, said = run("restore", str(file), "--replace")
    assert code == 0, said
