"""Cuts at odd times and in odd places: two at once, wrong clocks, other archives, older copies, changes not done."""

import fcntl
import json
import os
import stat
import threading
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, connections, transaction
from django.utils import timezone

from membership import conf
from membership.audit import anchoring, anchors, archives, asked, cutting, record, verify, words
from membership.errors import BadValue, ChangeRefused, Reason
from membership.models import AuditAnchor, AuditCut, AuditEntry, AuditSpan, Change, Person
from membership.services import anchor_sinks, audit_checks
from membership.services.audit_retention import cut_log
from membership.vocab import AuditAction, ChangeState
from tests.audit.test_cutting import CHAIN, LONG_AGO, log, seqs  # noqa: F401 - fixtures
from tests.audit.test_handing_over import bare, stranger  # noqa: F401 - fixtures


def refused(reason, **options):
    with pytest.raises(ChangeRefused) as said:
        cut_log(**{"days": 365, **options})
    assert said.value.reason == reason
    return said.value


def archive(name="connection-7-1-3.jsonl"):
    return conf.archive_dir() / name


def files():
    return sorted(path.name for path in conf.archive_dir().iterdir())


def numbers(path):
    return [
        json.loads(line["sealed"])["seq"] for line in map(json.loads, path.read_text().splitlines()) if "mac" in line
    ]


# two at once


def test_of_two_cuts_at_once_none_spoils_the_archive_of_the_other(log, monkeypatch):  # noqa: F811
    """The second one begins when the first has read its archive back, and goes on when that one is ready."""
    read_back, begun = cutting._read_back, []

    def and_then_another_begins(path, expected):
        read_back(path, expected)
        if not begun:
            begun.append(True)
            refused(Reason.ARCHIVE_BROKEN)

    monkeypatch.setattr(cutting, "_read_back", and_then_another_begins)
    made = cut_log(days=365)
    assert [(each.chain, numbers(each.path)) for each in made] == [(CHAIN, [1, 2, 3]), ("panel", [1])]
    assert (seqs(), files()) == ([4, 5], ["connection-7-1-3.jsonl", "panel-1-1.jsonl"])
    assert verify.verify().is_whole


def test_a_cut_on_another_machine_that_was_faster_is_not_cut_again(log, monkeypatch, settings, tmp_path):  # noqa: F811
    """Each has its own folder: the database is all that they share."""
    here, written, begun = conf.archive_dir(), cutting._archive, []

    def and_then_the_other_is_ready(*args):
        made = written(*args)
        if not begun:
            begun.append(True)
            settings.MUSTERBOOK = {**settings.MUSTERBOOK, "ARCHIVE_DIR": tmp_path / "there"}
            cut_log(days=365)
            settings.MUSTERBOOK = {**settings.MUSTERBOOK, "ARCHIVE_DIR": here}
        return made

    monkeypatch.setattr(cutting, "_archive", and_then_the_other_is_ready)
    refused(Reason.ARCHIVE_BROKEN)
    assert numbers(tmp_path / "there" / "connection-7-1-3.jsonl") == [1, 2, 3]
    assert files() == []
    assert AuditEntry.objects.filter(action=AuditAction.LOG_CUT).count() == 1
    assert verify.verify().is_whole


# what is there already


def test_an_archive_of_that_name_with_other_entries_is_not_overwritten(log):  # noqa: F811
    """Of another installation that shares the folder, or of a state that was given up."""
    conf.archive_dir().mkdir()
    archive().write_text('{"export":{}}\n{"sealed":"of another log","mac":"x"}\n')
    said = refused(Reason.ARCHIVE_BROKEN)
    assert "is there already" in said.params["why"]
    assert "of another log" in archive().read_text()
    assert (seqs(), AuditCut.objects.count(), files()) == ([1, 2, 3, 4, 5], 0, ["connection-7-1-3.jsonl"])


@pytest.mark.parametrize("nth", [1, 2])
@pytest.mark.parametrize(
    "step",
    [
        *("archives.alone", "_read_back", "archives.unfinished", "_record", "_to_disk", "record.write", "finish"),
        "_delete_some",
    ],
)
def test_wherever_a_cut_is_killed_the_log_is_whole_and_the_next_one_ends_it(log, monkeypatch, step, nth):  # noqa: F811
    *where, name = step.split(".")
    module, calls = (getattr(cutting, *where) if where else cutting), []
    real = getattr(module, name)

    def killed(*args, **more):
        calls.append(True)
        if len(calls) == nth:
            raise KeyboardInterrupt
        return real(*args, **more)

    with monkeypatch.context() as patched:
        patched.setattr(module, name, killed)
        try:
            cut_log(days=365)
        except KeyboardInterrupt:
            assert (seqs()[-2:], verify.verify().is_whole) == ([4, 5], True)
    cut_log(days=365)
    assert (seqs(), seqs("panel")[0]) == ([4, 5], 2)
    assert (numbers(archive()), files()) == ([1, 2, 3], ["connection-7-1-3.jsonl", "panel-1-1.jsonl"])
    assert verify.verify().is_whole
    assert archives.missing() == []


def test_what_a_cut_that_was_killed_left_unfinished_goes_with_the_next(log):  # noqa: F811
    conf.archive_dir().mkdir()
    archive("connection-7-1-2.jsonl.part").write_text("Ada")
    held = archive("connection-8-1-2.jsonl.part")
    with held.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        cut_log(days=365)
    assert files() == ["connection-7-1-3.jsonl", held.name, "panel-1-1.jsonl"]


def test_nothing_of_an_archive_that_could_not_be_written_stays(log, monkeypatch):  # noqa: F811
    def full(_handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert "No space left" in refused(Reason.ARCHIVE_BROKEN).params["why"]
    assert (seqs(), files()) == ([1, 2, 3, 4, 5], [])


def test_the_names_of_the_archives_are_on_the_disk_before_their_entries_go(log, monkeypatch):  # noqa: F811
    synced, real = [], os.fsync

    def note(handle):
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            synced.append((files(), seqs()))
        real(handle)

    monkeypatch.setattr(os, "fsync", note)
    cut_log(days=365)
    assert synced == [(["connection-7-1-3.jsonl", "panel-1-1.jsonl"], [1, 2, 3, 4, 5])]


def test_a_file_that_another_cut_holds_is_left_alone(log):  # noqa: F811
    conf.archive_dir().mkdir()
    part = archive("connection-7-1-3.jsonl.part")
    with part.open("w") as file:
        file.write("half")
        file.flush()
        fcntl.flock(file, fcntl.LOCK_EX)
        assert "another cut" in refused(Reason.ARCHIVE_BROKEN).params["why"]
        assert part.read_text() == "half"
    assert len(cut_log(days=365)) == 2  # whoever held it is gone


# clocks, and days that cannot be


def test_an_anchor_of_a_clock_that_was_wrong_for_a_while_lets_nothing_young_go(write, anchored):
    write(CHAIN, "Ada")
    anchoring.make(now=LONG_AGO)
    write(CHAIN, "Bob")
    anchoring.make(now=timezone.now() - timedelta(days=1))
    write(CHAIN, "Cem")
    anchoring.make(now=timezone.now() - timedelta(days=20_000))
    anchor_sinks.send()
    assert [each.last for each in cut_log(days=365)] == [1]
    assert seqs() == [2, 3]


def test_an_anchor_of_the_future_keeps_nothing_old_for_ever(write, anchored):
    write(CHAIN, "Ada")
    anchoring.make(now=timezone.now() + timedelta(days=3650))
    write(CHAIN, "Bob")
    anchoring.make(now=LONG_AGO)
    write(CHAIN, "Cem")
    anchoring.make(now=timezone.now())
    anchor_sinks.send()
    assert [each.last for each in cut_log(days=365)] == [2]


@pytest.mark.parametrize("days", [1_000_000, 10**12])
def test_more_days_than_there_were_are_none(log, days):  # noqa: F811
    refused(Reason.NO_ANCHOR_SO_OLD, days=days)


def test_a_chain_that_does_not_exist_is_named_instead_of_ready(log, capsys):  # noqa: F811
    with pytest.raises(BadValue):
        cut_log(days=365, chains=["connection:77"])
    with pytest.raises(CommandError, match="connection:77"):
        call_command("audit", "cut", "--days", "365", "--chain", "connection:77")
    call_command("audit", "cut", "--days", "365", "--chain", CHAIN)
    call_command("audit", "cut", "--days", "365", "--chain", CHAIN)
    assert "Nothing that old" in capsys.readouterr().out.splitlines()[-1]


# after an older copy was put back


def test_no_cut_goes_through_the_middle_of_what_one_anchor_covers(write, anchored, stranger):  # noqa: F811
    """Its later half could not be shown any more, nor be cut off: an anchor that was given up names such a place."""
    write(CHAIN, "Ada", "Bob")
    given_up = anchoring._next(0, "", {}, conf.anchor_key(), LONG_AGO)
    write(CHAIN, "Cem")
    later = [anchors.sign(given_up, conf.anchor_key()[1])]
    anchoring.give_up(later)  # as `restore` does, where the copy has the entries and not the anchor
    anchor_sinks.send()
    assert AuditAnchor.objects.get(n=1).at < timezone.now() - timedelta(days=365)
    assert list(AuditSpan.objects.filter(chain=CHAIN).values_list("first", "last")) == [(1, 3)]
    refused(Reason.NO_ANCHOR_SO_OLD)
    assert seqs() == [1, 2, 3]
    assert [numbers(each.path) for each in cut_log(days=0, chains=[CHAIN])] == [[1, 2, 3]]


# changes that are not done


def asked_for(state, age=LONG_AGO, action=AuditAction.CHANGE_REQUESTED):
    change = Change.objects.create(kind="removal", state=state, plan_hash="x" * 64, created_at=age)
    with transaction.atomic():
        record.write("panel", [record.Entry(action, change_id=change.pk, data={"plan_hash": "x" * 64})])
    anchoring.make(now=age)
    anchor_sinks.send()
    return change


@pytest.mark.parametrize("state", [ChangeState.WAITING, ChangeState.QUEUED, ChangeState.RUNNING, ChangeState.PAUSED])
def test_what_a_change_that_is_not_done_was_asked_for_with_stays(write, anchored, state):
    """Without it the worker would refuse the rest as altered."""
    change = asked_for(state)
    assert refused(Reason.LOG_STILL_NEEDED).params == {"change": change.pk}
    assert asked.hash_to_send(change.pk) == "x" * 64
    write(CHAIN, "Ada")
    anchoring.make(now=LONG_AGO)
    anchor_sinks.send()
    assert [each.chain for each in cut_log(days=365, chains=[CHAIN])] == [CHAIN]
    Change.objects.filter(pk=change.pk).update(state=ChangeState.DONE)
    assert [each.chain for each in cut_log(days=365)] == ["panel"]


# beside others


def test_pages_get_their_turn_while_entries_go(fresh_db, write, anchored, monkeypatch):
    """One transaction after the other without a gap lets nobody else write on SQLite before the last of them."""
    monkeypatch.setattr(cutting, "AT_ONCE", 20)
    write(CHAIN, *(str(number) for number in range(3000)))
    anchoring.catch_up()
    anchor_sinks.send()
    wrote, ended, some = [], threading.Event(), cutting._delete_some

    def pages():
        try:
            while not ended.wait(0.001):
                Person.objects.create(name="Ada")
                wrote.append(True)
        finally:
            connections.close_all()

    page = threading.Thread(target=pages)

    def begins(row):
        if not page.is_alive():
            page.start()
        return some(row)

    monkeypatch.setattr(cutting, "_delete_some", begins)
    try:
        cut_log(days=0)
    finally:
        ended.set()
        page.join(60)
    assert len(wrote) > 75  # of 150 pieces


# what is left behind


def test_what_was_cut_off_is_not_left_in_the_pages_of_sqlite(fresh_db, write, anchored):
    if connection.vendor != "sqlite":
        pytest.skip("PostgreSQL frees its pages by VACUUM; docs/audit.md says so")
    write(CHAIN, *(f"Zacharias Quirinus {number}" for number in range(50)))
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA secure_delete = OFF")  # as SQLite is, where it was not built otherwise
    anchoring.make()
    anchor_sinks.send()
    cut_log(days=0)
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert b"Zacharias" not in Path(str(connection.settings_dict["NAME"])).read_bytes()


# verifying meanwhile, and afterwards


def test_a_cut_in_the_middle_of_a_verification_is_no_fault(log):  # noqa: F811
    told = []

    def cut_meanwhile(count):
        told.append(count)
        if len(told) == 1:
            cut_log(days=365)

    report = verify.verify(progress=cut_meanwhile)
    assert report.is_whole, report.faults
    assert {chain.chain: chain.begins_after for chain in report.chains} == {CHAIN: 3, "panel": 1}


def test_a_fault_is_a_fault_also_while_something_is_cut_off(log, unguarded):  # noqa: F811
    unguarded("UPDATE membership_auditentry SET outcome = 'x' WHERE id = %s", log[1][1].pk)
    told = []

    def cut_meanwhile(count):
        told.append(count)
        if len(told) == 1:
            cutting.cut_at(anchoring.content(AuditAnchor.objects.get(n=1)))

    assert "outcome" in str(verify.verify(progress=cut_meanwhile).faults[0])


def test_what_was_cut_off_is_not_counted_as_still_to_be_verified(log, auditor):  # noqa: F811
    cut_log(days=365)
    assert (
        audit_checks.ask_check(actor=auditor).total == AuditEntry.objects.count() - 1
    )  # but what says that it was asked


def test_what_an_erasure_left_beside_the_archives_keeps_nobody_from_verifying(log):  # noqa: F811
    (conf.archive_dir() / "connection-7-1-3.jsonl.new").mkdir(parents=True)
    assert audit_checks.verify_log().is_whole


def test_what_was_cut_off_leaves_the_index_of_words(write, anchored):
    if connection.vendor != "sqlite":
        pytest.skip("PostgreSQL's index keeps itself in step")
    write(CHAIN, "Qwertyuiop Zxcvbnm")
    anchoring.make(now=LONG_AGO)
    write(CHAIN, "Zoë")
    anchoring.make()
    anchor_sinks.send()
    while words.keep_up():
        pass
    cut_log(days=365)
    while words.keep_up():
        pass
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM membership_auditwords_data WHERE instr(block, x'717765') > 0")  # "qwe"
        assert cursor.fetchone()[0] == 0
