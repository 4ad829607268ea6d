import contextlib
import datetime as dt
import hashlib
import hmac
import json
import threading
import time

import pytest
from django.db import DatabaseError, connection, connections, transaction
from django.test.utils import CaptureQueriesContext

from membership import conf
from membership.audit import chain as chains
from membership.audit import record, verify
from membership.errors import AuditUnavailable
from membership.models import AuditEntry, AuditHead, AuditPersonal, Person
from membership.vocab import AuditAction

AT = dt.datetime(2026, 1, 31, 9, 30, 0, 5, tzinfo=dt.UTC)


def put(entry, chain="panel"):
    with transaction.atomic():
        (row,) = record.write(chain, [entry], at=AT)
    return row


def test_the_format_of_a_sealed_entry_never_changes(operator):
    row = put(
        record.Entry(
            AuditAction.CHANGE_REQUESTED,
            actor=operator,
            change_id=12,
            outcome="ok",
            data={"people": 3, "kind": "removal"},
            personal={"reason": "left"},
        )
    )
    part = AuditPersonal.objects.get(pk=row.pk)
    committed = hmac.new(bytes.fromhex(part.salt), f"{part.data}\n{part.text}".encode(), hashlib.sha256).hexdigest()
    assert row.sealed == (
        f'{{"action":"change.requested","actor":{operator.pk},"at":"2026-01-31T09:30:00.000005Z","chain":"panel",'
        f'"data":{{"kind":"removal","people":3}},"kid":"t1","outcome":"ok","personal":"{committed}","prev":"",'
        '"refs":{"change":12},"seq":1,"v":1}'
    )
    assert row.mac == hmac.new(b"a" * 32, row.sealed.encode(), hashlib.sha256).hexdigest()
    assert part.data == '{"actor":"operator","reason":"left"}'


def test_the_key_of_the_tests_is_the_one_that_seals(db):
    assert conf.audit_keys() == {"t1": b"a" * 32}


def test_each_entry_continues_the_one_before(write):
    first, second = write("panel", "Ada", "Bob")
    (third,) = write("panel", "Cem")
    assert [json.loads(row.sealed)["prev"] for row in (first, second, third)] == ["", first.mac, second.mac]
    assert [row.seq for row in (first, second, third)] == [1, 2, 3]


def test_the_head_is_the_last_entry(write, head_of):
    *_, last = write("panel", "Ada", "Bob")
    assert (head_of("panel").seq, head_of("panel").mac) == (last.seq, last.mac)


def test_chains_are_counted_apart(any_db):
    entry = record.Entry(AuditAction.COMMAND_RUN)
    with transaction.atomic():
        written = record.write_all({"panel": [entry, entry], record.connection_chain(4): [entry], "login": []})
    assert {chain: [row.seq for row in rows] for chain, rows in written.items()} == {
        "panel": [1, 2],
        "connection:4": [1],
    }


def test_names_stay_out_of_the_sealed_part(write):
    (row,) = write("panel", "Ada Lovelace")
    assert "Ada" not in row.sealed
    assert "Ada Lovelace" in AuditPersonal.objects.get(pk=row.pk).data


def test_an_entry_without_anything_personal_has_no_personal_part(any_db):
    row = put(record.Entry(AuditAction.COMMAND_RUN))
    assert json.loads(row.sealed)["personal"] is None
    assert not AuditPersonal.objects.exists()


def test_equal_personal_parts_have_different_commitments(write):
    first, second = write("panel", "Ada", "Ada")
    assert json.loads(first.sealed)["personal"] != json.loads(second.sealed)["personal"]


def test_searchable_text_is_folded_and_leaves_answers_out(any_db):
    row = put(record.Entry(AuditAction.COMMAND_RUN, personal={"person": "ÄDA Straße", "answer": {"body": "secretly"}}))
    assert AuditPersonal.objects.get(pk=row.pk).text == "äda strasse"


def test_nul_and_lone_surrogates_are_replaced_visibly(any_db):
    row = put(record.Entry(AuditAction.COMMAND_RUN, data={"a\0": "x\ud800"}, personal={"person": "A\0da\udfff"}))
    assert json.loads(row.sealed)["data"] == {"a␀": "x\ufffd"}
    assert json.loads(AuditPersonal.objects.get(pk=row.pk).data) == {"person": "A␀da\ufffd"}


def test_numbers_that_are_no_json_become_text(any_db):
    row = put(record.Entry(AuditAction.COMMAND_RUN, data={"a": float("nan"), "b": 10**30, "c": 1.5}))
    assert json.loads(row.sealed)["data"] == {"a": "nan", "b": 10**30, "c": 1.5}


def test_what_has_no_place_in_json_is_a_programming_error(any_db):
    with pytest.raises(TypeError), transaction.atomic():
        record.write("panel", [record.Entry(AuditAction.COMMAND_RUN, data={"a": object()})])


def test_a_long_answer_is_cut_and_says_so(any_db):
    row = put(record.Entry(AuditAction.COMMAND_RUN, personal={"answer": {"status": 200, "body": "x" * 50_000}}))
    body = json.loads(AuditPersonal.objects.get(pk=row.pk).data)["answer"]["body"]
    assert body == "x" * 8192 + " … (+41808)"


def test_many_short_texts_together_are_cut_too(any_db):
    row = put(
        record.Entry(AuditAction.COMMAND_RUN, personal={"answer": {"body": [{"n": "x" * 50}] * 5000}, "person": "Ada"})
    )
    data = AuditPersonal.objects.get(pk=row.pk).data
    assert len(data) < 40_000
    assert json.loads(data)["person"] == "Ada"


def test_outside_a_transaction_nothing_is_written(fresh_db):
    with pytest.raises(AuditUnavailable):
        record.write("panel", [record.Entry(AuditAction.COMMAND_RUN)])
    assert not AuditEntry.objects.exists()


def test_no_entries_are_no_query(any_db):
    with CaptureQueriesContext(connection) as queries:
        assert record.write("panel", []) == []
    assert len(queries) == 0


@pytest.mark.parametrize("table", ["membership_auditentry", "membership_auditpersonal", "membership_audithead"])
def test_where_the_log_cannot_be_written_nothing_happens(fresh_db, table):
    put(record.Entry(AuditAction.COMMAND_RUN))  # the head exists
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {table} RENAME TO hidden")
    with pytest.raises(AuditUnavailable), transaction.atomic():
        Person.objects.create(name="Ada")
        record.write("panel", [record.Entry(AuditAction.COMMAND_RUN, personal={"a": "b"})])
    assert not Person.objects.exists()


def test_a_swallowed_failure_still_rolls_back(fresh_db, settings):
    settings.AUDIT_KEYS = {}
    with transaction.atomic():
        Person.objects.create(name="Ada")
        with contextlib.suppress(AuditUnavailable):
            record.write("panel", [record.Entry(AuditAction.COMMAND_RUN)])
    assert not Person.objects.exists()


def test_a_rolled_back_entry_leaves_no_gap(fresh_db, write):
    write("panel", "Ada")
    with pytest.raises(DatabaseError), transaction.atomic():
        record.write("panel", [record.Entry(AuditAction.COMMAND_RUN)])
        raise DatabaseError
    write("panel", "Bob")
    assert verify.verify().is_whole
    assert AuditHead.objects.get(chain="panel").seq == 2


def test_a_new_key_seals_and_the_old_one_still_verifies(any_db, write, settings):
    write("panel", "Ada")
    settings.AUDIT_KEYS = {"t2": "YmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmI=", **settings.AUDIT_KEYS}
    (row,) = write("panel", "Bob")
    assert json.loads(row.sealed)["kid"] == "t2"
    assert verify.verify().is_whole


def test_a_batch_takes_four_statements(any_db, write):
    write("connection:7", "Ada")
    with CaptureQueriesContext(connection) as queries:
        write("connection:7", *["Ada"] * 30)
    assert len([query for query in queries if "SAVEPOINT" not in query["sql"]]) <= 4


def test_rivals_share_new_chains_without_a_gap(fresh_db):
    def work():
        try:
            for _ in range(10):
                with transaction.atomic():
                    record.write_all({name: [record.Entry(AuditAction.COMMAND_RUN)] * 2 for name in ("b", "a", "c")})
        except Exception as error:
            failures.append(error)
        finally:
            connections.close_all()

    failures = []
    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    assert dict(AuditHead.objects.values_list("chain", "seq")) == {"a": 80, "b": 80, "c": 80}
    assert verify.verify().is_whole


def test_a_thousand_entries_are_sealed_within_a_second(any_db, write):
    write("connection:7", "Ada")
    began = time.process_time()
    write("connection:7", *["Ada"] * 1000)
    assert time.process_time() - began < 1


def test_canonical_json_has_sorted_keys_and_no_spaces():
    assert chains.canonical({"b": [1, None], "a": "ä\n"}) == '{"a":"ä\\n","b":[1,null]}'
