import hashlib
import hmac
import json

import pytest
from django.db import connection, transaction

from membership.audit import parts, record, triggers, verify
from membership.audit.triggers import ENTRIES, HEADS, PERSONAL
from membership.models import AuditEntry, AuditPersonal
from membership.vocab import AuditAction
from tests.audit.conftest import altered

CHAIN = "connection:7"


@pytest.fixture
def log(write):
    """Six entries in a chain, two in another."""
    write("panel", "Zoe", "Yan")
    return write(CHAIN, "Ada", "Bob", "Cem", "Dee", "Eve", "Fay")


def the_fault():
    report = verify.verify()
    assert report.faults, "nothing was found"
    return report.faults[0]


def test_an_untouched_log_is_whole(log):
    report = verify.verify()
    assert report.is_whole
    assert {chain.chain: chain.entries for chain in report.chains} == {"panel": 2, CHAIN: 6}


def test_an_empty_log_is_whole(any_db):
    assert verify.verify().is_whole


def test_a_deleted_personal_part_is_counted_as_erased(log):
    AuditPersonal.objects.filter(pk=log[2].pk).delete()
    report = verify.verify()
    assert report.is_whole
    assert report.erased == 1


def test_parts_that_no_erasure_took_are_told(log):
    with transaction.atomic():
        record.write("panel", [record.Entry(AuditAction.PERSON_ERASED, data={"parts": 2})])
    AuditPersonal.objects.filter(pk__in=[log[2].pk, log[3].pk]).delete()
    assert verify.verify().notes == []
    AuditPersonal.objects.filter(pk=log[4].pk).delete()
    (note,) = verify.verify().notes
    assert note.startswith("Personal parts are missing that no erasure took: 1.")


COLUMNS = {
    "chain": "'login'",
    "seq": "seq + 100",
    "at": "'2020-01-01 00:00:00+00:00'",
    "action": "'log.verified'",
    "actor_id": "99",
    "change_id": "99",
    "operation_id": "99",
    "connection_id": "99",
    "group_id": "99",
    "account_id": "99",
    "person_id": "99",
    "participant_id": "99",
    "outcome": "'done'",
    "sealed": """REPLACE(sealed, '"remove"', '"keep"')""",
    "mac": altered("mac"),
}


def test_every_column_of_an_entry_is_tampered_with_below():
    columns = {field.column for field in AuditEntry._meta.fields} - {"id"}
    assert columns == set(COLUMNS)


@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize("place", [0, 2, 5])
def test_an_edited_column_is_found(log, unguarded, column, place):
    row = log[place]
    unguarded(f"UPDATE {ENTRIES} SET {column} = {COLUMNS[column]} WHERE id = %s", row.pk)
    report = verify.verify()
    assert not report.is_whole
    if column not in ("chain", "seq"):
        assert report.faults[0].entry_id == row.pk


@pytest.mark.parametrize(
    "change",
    [
        "data = REPLACE(data, 'Cem', 'Bob')",
        "text = ''",
        f"salt = {altered('salt')}",
        "salt = 'no hex'",
        "data = '{}', text = ''",
    ],
)
def test_an_edited_personal_part_is_found(log, unguarded, change):
    unguarded(f"UPDATE {PERSONAL} SET {change} WHERE entry_id = %s", log[2].pk)
    assert the_fault().entry_id == log[2].pk


def test_exchanged_personal_parts_are_found(log, unguarded):
    unguarded(f"UPDATE {PERSONAL} SET entry_id = -1 WHERE entry_id = %s", log[1].pk)
    unguarded(f"UPDATE {PERSONAL} SET entry_id = %s WHERE entry_id = %s", log[1].pk, log[2].pk)
    unguarded(f"UPDATE {PERSONAL} SET entry_id = %s WHERE entry_id = -1", log[2].pk)
    assert the_fault().entry_id == log[1].pk


def test_a_personal_part_of_no_entry_is_found(log, unguarded):
    AuditPersonal.objects.create(entry_id=10_000, salt="00", data="{}")
    assert "10000" in the_fault().says


def test_a_personal_part_added_to_an_entry_without_one_is_found(any_db):
    with transaction.atomic():
        (row,) = record.write("panel", [record.Entry(AuditAction.COMMAND_RUN)])
    AuditPersonal.objects.create(entry_id=row.pk, salt="00", data="{}")
    assert the_fault().entry_id == row.pk


@pytest.mark.parametrize(
    ("place", "says"),
    [(0, "missing before it: entry 1"), (2, "missing before it: entry 3"), (5, "missing at its end: entry 6")],
)
def test_a_deleted_entry_is_found(log, unguarded, place, says):
    unguarded(f"DELETE FROM {ENTRIES} WHERE id = %s", log[place].pk)
    assert says in the_fault().says


def test_a_chain_that_was_emptied_is_found(log, unguarded):
    unguarded(f"DELETE FROM {ENTRIES} WHERE chain = %s", CHAIN)
    assert "entries 1 to 6" in the_fault().says


def test_a_chain_without_its_head_is_found(log, unguarded):
    unguarded(f"DELETE FROM {HEADS} WHERE chain = %s", CHAIN)
    assert "no head" in the_fault().says


@pytest.mark.parametrize("change", ["seq = 5", "seq = 7", "mac = 'x'"])
def test_a_head_that_was_moved_is_found(log, unguarded, change):
    unguarded(f"UPDATE {HEADS} SET {change} WHERE chain = %s", CHAIN)
    assert the_fault().chain == CHAIN


def test_exchanged_entries_are_found(log, unguarded):
    unguarded(f"UPDATE {ENTRIES} SET seq = 99 WHERE id = %s", log[1].pk)
    unguarded(f"UPDATE {ENTRIES} SET seq = 2 WHERE id = %s", log[2].pk)
    unguarded(f"UPDATE {ENTRIES} SET seq = 3 WHERE id = %s", log[1].pk)
    assert the_fault().seq == 2


def test_a_repeated_entry_is_found(log, unguarded):
    columns = ", ".join(field.column for field in AuditEntry._meta.fields if field.column not in ("id", "seq"))
    unguarded(f"INSERT INTO {ENTRIES} ({columns}, seq) SELECT {columns}, 7 FROM {ENTRIES} WHERE id = %s", log[5].pk)
    assert the_fault().seq == 7


def test_an_entry_added_with_its_head_but_without_the_key_is_found(log, unguarded):
    forge_end(log[-1], unguarded, key=b"guess")
    assert the_fault().seq == 7
    assert "without the key" in the_fault().says


def test_an_end_sealed_with_the_key_would_pass_so_the_key_is_what_protects(log, unguarded):
    forge_end(log[-1], unguarded, key=b"a" * 32)
    assert verify.verify().is_whole


def test_a_chain_sealed_anew_without_the_key_is_found(log, unguarded):
    prev = ""
    for row in log:
        sealed = json.loads(row.sealed) | {"prev": prev, "outcome": "x"}
        text = json.dumps(sealed, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        prev = hmac.new(b"guess", text.encode(), hashlib.sha256).hexdigest()
        unguarded(f"UPDATE {ENTRIES} SET sealed = %s, mac = %s, outcome = 'x' WHERE id = %s", text, prev, row.pk)
    unguarded(f"UPDATE {HEADS} SET mac = %s WHERE chain = %s", prev, CHAIN)
    assert the_fault().seq == 1


def test_an_unknown_key_is_named(log, settings):
    settings.AUDIT_KEYS = {"other": settings.AUDIT_KEYS["t1"]}
    assert "“t1”" in the_fault().says


def test_a_sealed_part_that_is_no_json_is_found(log, unguarded):
    unguarded(f"UPDATE {ENTRIES} SET sealed = 'x' WHERE id = %s", log[0].pk)
    assert "cannot be read" in the_fault().says


@pytest.mark.parametrize("name", [rule.name for rule in triggers.ROW_RULES])
def test_a_dropped_trigger_is_found(log, name):
    table = next(rule.table for rule in triggers.ROW_RULES if rule.name == name)
    with connection.cursor() as cursor:
        cursor.execute(f'DROP TRIGGER "{name}"' + ("" if connection.vendor == "sqlite" else f' ON "{table}"'))
    assert name in the_fault().says


def test_only_the_first_fault_of_a_chain_is_told(log, unguarded):
    unguarded(f"UPDATE {ENTRIES} SET outcome = 'x' WHERE chain = %s", CHAIN)
    assert [fault.entry_id for fault in verify.verify().faults] == [log[0].pk]


def test_an_end_cut_off_together_with_its_head_needs_an_anchor_to_be_found(log, unguarded):
    # Without a key for anchors, as here, nothing outside the database knows of it: tests/audit/test_tampers.py has one.
    unguarded(f"DELETE FROM {ENTRIES} WHERE id = %s", log[5].pk)
    unguarded(f"DELETE FROM {PERSONAL} WHERE entry_id = %s", log[5].pk)
    unguarded(f"UPDATE {HEADS} SET seq = 5, mac = %s WHERE chain = %s", log[4].mac, CHAIN)
    assert verify.verify().is_whole


def test_entries_written_meanwhile_are_no_fault(log, write, monkeypatch):
    check = parts.check

    def grows(stretch, keys):
        write(CHAIN, "Gus")
        write("login", "Hal")
        found = check(stretch, keys)
        write(CHAIN, "Ida")
        return found

    monkeypatch.setattr(parts, "check", grows)
    assert verify.verify().is_whole
    assert verify.verify().entries > 8


def forge_end(last, unguarded, *, key):
    sealed = json.loads(last.sealed) | {"seq": 7, "prev": last.mac, "personal": None}
    text = json.dumps(sealed, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    mac = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    columns = ", ".join(f.column for f in AuditEntry._meta.fields if f.column not in ("id", "seq", "sealed", "mac"))
    unguarded(
        f"INSERT INTO {ENTRIES} ({columns}, seq, sealed, mac) SELECT {columns}, 7, %s, %s FROM {ENTRIES} WHERE id = %s",
        text,
        mac,
        last.pk,
    )
    unguarded(f"UPDATE {HEADS} SET seq = 7, mac = %s WHERE chain = %s", mac, CHAIN)
