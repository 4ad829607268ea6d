"""Retention: what is cut off lies in an archive that proves itself, and the rest verifies from the cut."""

import json
import threading
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import DatabaseError, IntegrityError, connection, connections, transaction
from django.utils import timezone

from membership.audit import anchoring, cutting, handing_over, verify
from membership.errors import ChangeRefused, Reason
from membership.models import AuditCut, AuditEntry, AuditPersonal
from membership.services import anchor_sinks, audit_export
from membership.services.audit_retention import cut_log
from tests.audit.test_handing_over import SEAL_KEY, bare, stranger  # noqa: F401 - fixtures

LONG_AGO = timezone.now() - timedelta(days=400)
CHAIN = "connection:7"
ENTRY, CUT = "membership_auditentry", "membership_auditcut"


@pytest.fixture
def log(write, anchored):
    """Old entries under an old anchor, one of them without its personal part, and younger ones under another."""
    old = write(CHAIN, "Ada", "Bob", "Cem")
    write("panel", "Zoe")
    anchoring.make(now=LONG_AGO)
    young = write(CHAIN, "Dee", "Eve")
    anchoring.make()
    anchor_sinks.send()
    AuditPersonal.objects.filter(pk=old[1].pk).delete()
    return old, young


def seqs(chain=CHAIN):
    return list(AuditEntry.objects.filter(chain=chain).order_by("seq").values_list("seq", flat=True))


def run(sql, *params):
    with connection.cursor() as cursor:
        cursor.execute(sql, params)


def test_what_is_old_goes_into_archives_and_the_rest_verifies_from_the_cut(log, anchored, stranger):  # noqa: F811
    archives = cut_log(days=365)
    assert [(each.chain, each.first, each.last) for each in archives] == [(CHAIN, 1, 3), ("panel", 1, 1)]
    assert seqs() == [4, 5]
    assert not AuditPersonal.objects.filter(data__contains="Ada").exists()
    report = verify.verify()
    assert report.is_whole, report.faults
    assert {chain.chain: chain.begins_after for chain in report.chains} == {CHAIN: 3, "panel": 1}
    good, said = stranger(archives[0].path.read_bytes(), "--seal-key", SEAL_KEY, "--anchors", anchored.file)
    assert good, said
    assert "connection:7: 1 to 3" in said
    assert b"Ada" in archives[0].path.read_bytes()
    assert b"Bob" not in archives[0].path.read_bytes()
    assert oct(archives[0].path.stat().st_mode)[-3:] == "600"


def test_that_it_was_cut_is_an_entry_with_the_digests_of_the_archives(log):
    archives = cut_log(days=365)
    entry = AuditEntry.objects.get(action="log.cut")
    data = json.loads(entry.sealed)["data"]
    assert data["cuts"] == {CHAIN: [3, log[0][2].mac], "panel": [1, archives[1].mac]}
    assert data["archives"][CHAIN] == [1, 3, archives[0].sha256]
    assert data["count"] == 4


def test_life_goes_on_after_a_cut(log, write, stranger, auditor):  # noqa: F811
    cut_log(days=365, chains=["panel"])
    assert (seqs(), seqs("panel")[0]) == ([1, 2, 3, 4, 5], 2)
    cut_log(days=365)
    write(CHAIN, "Fay")
    write("panel", "Yan")
    anchoring.make()
    assert verify.verify().is_whole
    rows = AuditEntry.objects.all()
    _name, _type, content = audit_export.export_with_proof(rows, actor=auditor, query="", format="jsonl")
    assert "connection:7: 4 to 6" in stranger(b"".join(content))[1]
    assert [each.last for each in cut_log(days=0)] == [6, 5]
    assert seqs() == []
    assert verify.verify().is_whole
    write(CHAIN, "Gus")
    assert seqs() == [7]
    assert verify.verify().is_whole


def test_where_it_breaks_off_the_log_stays_whole_and_the_next_cut_goes_on(log, monkeypatch):
    monkeypatch.setattr(cutting, "AT_ONCE", 1)
    some, calls = cutting._delete_some, []

    def breaks(row):
        calls.append(row)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return some(row)

    monkeypatch.setattr(cutting, "_delete_some", breaks)
    with pytest.raises(KeyboardInterrupt):
        cut_log(days=365)
    assert seqs() == [3, 4, 5]
    assert verify.verify().is_whole
    with pytest.raises(KeyboardInterrupt):
        calls.clear()
        cut_log(days=365)
    monkeypatch.setattr(cutting, "_delete_some", some)
    assert cut_log(days=365) == []
    assert (seqs(), verify.verify().is_whole) == ([4, 5], True)


def test_an_export_while_a_cut_is_half_done_has_none_of_what_goes(log, monkeypatch, stranger, auditor):  # noqa: F811
    """Of an anchor whose entries are gone in part nothing could be shown."""
    monkeypatch.setattr(cutting, "AT_ONCE", 1)
    some = cutting._delete_some
    monkeypatch.setattr(cutting, "_delete_some", lambda row: some(row) and 0)
    cut_log(days=365)
    assert seqs() == [2, 3, 4, 5]
    _name, _type, content = audit_export.export_with_proof(
        AuditEntry.objects.all(), actor=auditor, query="", format="jsonl"
    )
    good, said = stranger(b"".join(content))
    assert good, said
    assert "connection:7: 4 to 5" in said


def test_a_cut_while_an_export_is_sent_takes_nothing_from_it(fresh_db, log, monkeypatch, stranger, auditor):  # noqa: F811
    monkeypatch.setattr(handing_over, "AT_ONCE", 1)
    _name, _type, content = audit_export.export_with_proof(
        AuditEntry.objects.all(), actor=auditor, query="", format="jsonl"
    )
    data = next(content) + next(content)
    cut = threading.Thread(target=cut_alone)
    cut.start()
    cut.join()
    assert seqs() == [1, 2, 3, 4, 5]  # still as it was then
    good, said = stranger(data + b"".join(content))
    assert good, said
    assert "connection:7: 1 to 5" in said
    assert seqs() == [4, 5]


def cut_alone():
    """By a connection of its own."""
    try:
        cut_log(days=365)
    finally:
        connections.close_all()


def test_without_an_anchor_so_old_nothing_is_cut_off(log):
    with pytest.raises(ChangeRefused) as refused:
        cut_log(days=500)
    assert refused.value.reason == Reason.NO_ANCHOR_SO_OLD
    assert seqs() == [1, 2, 3, 4, 5]


def test_of_a_log_that_does_not_hold_nothing_is_cut_off(log, unguarded):
    unguarded(f"UPDATE {ENTRY} SET outcome = 'x' WHERE id = %s", log[1][0].pk)
    with pytest.raises(ChangeRefused) as refused:
        cut_log(days=365)
    assert refused.value.reason == Reason.LOG_NOT_WHOLE
    assert seqs() == [1, 2, 3, 4, 5]


def test_without_its_archive_nothing_is_cut_off(log, anchored, settings, tmp_path):
    (tmp_path / "archive").write_text("a file where the folder should be")
    with pytest.raises(ChangeRefused) as refused:
        cut_log(days=365)
    assert refused.value.reason == Reason.ARCHIVE_BROKEN
    assert seqs() == [1, 2, 3, 4, 5]
    assert AuditEntry.objects.filter(action="request.refused", outcome="archive_broken").count() == 1


def test_an_archive_that_cannot_be_read_back_is_not_believed(log, monkeypatch):
    monkeypatch.setattr(cutting.handing_over, "lines", lambda entries, **more: iter([cutting.handing_over.Line("{}")]))
    with pytest.raises(ChangeRefused) as refused:
        cut_log(days=365)
    assert refused.value.reason == Reason.ARCHIVE_BROKEN
    assert (seqs(), AuditCut.objects.count()) == ([1, 2, 3, 4, 5], 0)


# the door in the triggers


def make_cut(seq=3, cutting="NULL"):
    run(
        f"INSERT INTO {CUT} (chain, seq, mac, at, cutting_id) VALUES (%s, %s, 'x', %s, {cutting})",
        CHAIN,
        seq,
        timezone.now(),
    )


def test_a_door_that_was_left_open_is_found(log):
    """It can be committed where it refers to a row that is there, such as itself."""
    cut_log(days=365)
    assert verify.verify().is_whole
    run(f"UPDATE {CUT} SET cutting_id = id WHERE chain = %s", CHAIN)
    (fault,) = verify.verify().faults
    assert str(fault) == f"{CHAIN}: its entries can be deleted: somebody left open what a cut opens for a moment."


def test_a_cut_alone_opens_nothing(log):
    make_cut()
    with pytest.raises(DatabaseError, match="never deleted"), transaction.atomic():
        run(f"DELETE FROM {ENTRY} WHERE chain = %s AND seq = 1", CHAIN)


@pytest.mark.parametrize("where", ["chain = 'connection:7' AND seq = 4", "chain = 'panel'"])
def test_an_open_cut_lets_go_only_what_it_covers(log, where):
    with pytest.raises(DatabaseError, match="never deleted"), transaction.atomic():
        make_cut(cutting="-1")
        run(f"DELETE FROM {ENTRY} WHERE {where}")


def test_a_cut_that_is_open_cannot_be_committed(fresh_db, log):
    with pytest.raises(IntegrityError), transaction.atomic():
        make_cut(cutting="-1")
        run(f"DELETE FROM {ENTRY} WHERE chain = %s AND seq <= 3", CHAIN)
    assert seqs() == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    "sql",
    [
        f"UPDATE {CUT} SET seq = 2",
        f"UPDATE {CUT} SET mac = 'y'",
        f"UPDATE {CUT} SET chain = 'y', seq = 9",
        f"DELETE FROM {CUT}",
    ],
)
def test_the_database_refuses_to_take_a_cut_back(log, sql):
    make_cut()
    with pytest.raises(DatabaseError, match="cut"), transaction.atomic():
        run(sql)


def test_whoever_goes_through_the_door_without_the_key_is_found(log):
    """The triggers alone cannot tell: the missing sealed entry does."""
    with transaction.atomic():
        make_cut(cutting="-1")
        run(f"DELETE FROM membership_auditpersonal WHERE entry_id = %s", log[0][0].pk)  # noqa: F541
        run(f"DELETE FROM {ENTRY} WHERE chain = %s AND seq <= 3", CHAIN)
        run(f"UPDATE {CUT} SET cutting_id = NULL")
    report = verify.verify()
    assert "missing before it: entries 1 to 3" in str(report.faults[0])


def test_a_cut_that_was_moved_or_removed_is_found(log, unguarded):
    cut_log(days=365)
    unguarded(f"UPDATE {CUT} SET seq = 4 WHERE chain = %s", CHAIN)
    assert "no sealed entry bears out" in str(verify.verify().faults)
    unguarded(f"DELETE FROM {CUT}")
    assert "no sealed entry bears out" in str(verify.verify().faults)


def test_more_gone_than_was_cut_off_is_found(log, unguarded):
    cut_log(days=365)
    unguarded(f"DELETE FROM membership_auditpersonal WHERE entry_id = {log[1][0].pk}")
    unguarded(f"DELETE FROM {ENTRY} WHERE id = %s", log[1][0].pk)
    assert "missing before it: entry 4" in str(verify.verify().faults[0])


def test_the_command_says_where_the_archives_are(log, tmp_path):
    out = StringIO()
    call_command("audit", "cut", "--days", "365", stdout=out)
    assert f"connection:7: entries 1 to 3 are in {tmp_path / 'archive' / 'connection-7-1-3.jsonl'}" in out.getvalue()
