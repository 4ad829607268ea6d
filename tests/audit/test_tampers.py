"""Everything that somebody who owns the database may try, and some who own more: all of it is found, by name.

Each tamper begins with a log that holds, goes past the triggers, and leaves them as they were. It is run with the
anchors kept outside the database, as in an installation.
"""

import hashlib
import hmac
import json
import os
import threading

import pytest
from django.db import connection, connections, transaction

from membership.audit import anchor_file, anchoring, anchors, record, triggers, verify
from membership.audit.triggers import ANCHORS, CUTS, ENTRIES, HEADS, PERSONAL, SPANS
from membership.models import AuditAnchor, AuditEntry, AuditHead, AuditPersonal
from membership.services import anchor_sinks
from membership.vocab import AuditAction

CHAIN = "connection:7"
KEY = b"a" * 32
COLUMNS = [field.column for field in AuditEntry._meta.fields if field.column != "id"]
TABLES = (ENTRIES, PERSONAL, HEADS, ANCHORS, SPANS, CUTS)


class Tamperer:
    """Who owns the database, and knows the code."""

    def __init__(self, log, run, file):
        self.log, self.run, self.file = log, run, file

    def id(self, seq):
        return self.log[seq - 1].pk

    def delete(self, *seqs):
        for seq in seqs:
            self.run(f"DELETE FROM {PERSONAL} WHERE entry_id = %s", self.id(seq))
            self.run(f"DELETE FROM {ENTRIES} WHERE id = %s", self.id(seq))

    def head(self, seq, mac, chain=CHAIN):
        self.run(f"UPDATE {HEADS} SET seq = %s, mac = %s WHERE chain = %s", seq, mac, chain)

    def copy(self, seq, to):
        names = ", ".join(name for name in COLUMNS if name != "seq")
        self.run(
            f"INSERT INTO {ENTRIES} ({names}, seq) SELECT {names}, {to} FROM {ENTRIES} WHERE id = %s", self.id(seq)
        )

    def reseal(self, seq, key, prev=None, **values):
        """Seal an entry anew, its columns with it: gives its new mac."""
        row = AuditEntry.objects.get(pk=self.id(seq))
        sealed = json.loads(row.sealed) | values | ({} if prev is None else {"prev": prev})
        text = json.dumps(sealed, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        mac = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
        self.run(
            f"UPDATE {ENTRIES} SET sealed = %s, mac = %s, outcome = %s, seq = %s WHERE id = %s",
            text,
            mac,
            sealed["outcome"],
            sealed["seq"],
            row.pk,
        )
        return mac

    def rechain(self, first, last, key, **values):
        """Seal a part of the chain anew, with its head."""
        prev = self.log[first - 2].mac if first > 1 else ""
        for seq in range(first, last + 1):
            prev = self.reseal(seq, key, prev, **values)
        self.head(last, prev)

    def lines(self):
        return self.file.read_text().splitlines(keepends=True)


def edit_everything(t):
    part = AuditPersonal.objects.get(pk=t.id(3))
    data, salt = part.data.replace("Cem", "Bob"), part.salt
    text = part.text.replace("cem", "bob")
    committed = hmac.new(bytes.fromhex(salt), f"{data}\n{text}".encode(), hashlib.sha256).hexdigest()
    t.run(f"UPDATE {PERSONAL} SET data = %s, text = %s WHERE entry_id = %s", data, text, t.id(3))
    t.reseal(3, b"guess", personal=committed, outcome="x")


def reorder(t):
    """Two entries change places, all columns but their numbers in the chain."""
    t.run(f"UPDATE {ENTRIES} SET seq = 99 WHERE id = %s", t.id(2))
    t.run(f"UPDATE {ENTRIES} SET seq = 2 WHERE id = %s", t.id(3))
    t.run(f"UPDATE {ENTRIES} SET seq = 3 WHERE id = %s", t.id(2))


def insert(t):
    for seq in range(6, 3, -1):
        t.run(f"UPDATE {ENTRIES} SET seq = {seq + 1} WHERE id = %s", t.id(seq))
    t.copy(3, 4)
    t.head(7, t.log[5].mac)


def cut_the_tail(t):
    t.delete(5, 6)
    t.head(4, t.log[3].mac)


def wipe(t):
    for table in TABLES:
        t.run(f"DELETE FROM {table}")


def older_copy(t):
    """As the database was at the first anchor, its own anchors, too."""
    cut_the_tail(t)
    for table in (ANCHORS, SPANS):
        t.run(f"DELETE FROM {table} WHERE n > 1")


def swap_chains(t):
    for table in (ENTRIES, HEADS):
        t.run(f"UPDATE {table} SET chain = 'x' WHERE chain = 'panel'")
        t.run(f"UPDATE {table} SET chain = 'panel' WHERE chain = %s", CHAIN)
        t.run(f"UPDATE {table} SET chain = %s WHERE chain = 'x'", CHAIN)


def forge_in_file(t):
    lines = t.lines()
    t.file.write_text("".join([*lines[:-1], lines[-1].replace('\\"n\\":2', '\\"n\\":2 ')]))


def forge_with_another_key(t):
    """An anchor for a state without the last two entries, signed with a key of one's own."""
    cut_the_tail(t)
    key = anchors.Ed25519PrivateKey.generate()
    second = anchoring.content(AuditAnchor.objects.get(n=2))
    heads = dict(second.heads) | {CHAIN: (4, t.log[3].mac)}
    forged = anchors.sign(anchors.Anchor(2, second.at, "a1", second.prev, heads), key)
    t.run(f"UPDATE {ANCHORS} SET text = %s, sig = %s WHERE n = 2", forged.text, forged.sig)
    t.file.write_text(f"{t.lines()[0]}{forged.line}\n")


def drop(table):
    return lambda t: t.run(f"DELETE FROM {table} WHERE n = 1")


TAMPERS = {
    "edit a column": (lambda t: t.run(f"UPDATE {ENTRIES} SET outcome = 'x' WHERE id = %s", t.id(3)), 3, "outcome"),
    "edit the sealed JSON": (
        lambda t: t.run(f"UPDATE {ENTRIES} SET sealed = REPLACE(sealed, 'remove', 'add') WHERE id = %s", t.id(3)),
        3,
        "seal does not fit",
    ),
    "edit the personal part": (
        lambda t: t.run(f"UPDATE {PERSONAL} SET data = REPLACE(data, 'Cem', 'Bob') WHERE entry_id = %s", t.id(3)),
        3,
        "personal part",
    ),
    "edit all of it": (edit_everything, 3, "without the key"),
    "delete the first": (lambda t: t.delete(1), 2, "entry 1"),
    "delete one in the middle": (lambda t: t.delete(3), 4, "entry 3"),
    "delete one that an anchor names": (lambda t: t.delete(4), 5, "entry 4"),
    "delete the last": (lambda t: t.delete(6), None, "entry 6"),
    "cut the tail with its head": (cut_the_tail, None, "entries 5 to 6; anchor 2"),
    "reorder": (reorder, 2, "does not continue"),
    "insert": (insert, 4, "does not continue"),
    "repeat the last": (lambda t: (t.copy(6, 7), t.head(7, t.log[5].mac)), 7, "does not continue"),
    "chain again without the key": (lambda t: t.rechain(1, 6, b"guess", outcome="x"), 1, "without the key"),
    "chain again with the key": (lambda t: t.rechain(1, 6, KEY, outcome="x"), 1, "entries 1 to 4: anchor 1 names"),
    "chain the end again with the key": (lambda t: t.rechain(6, 6, KEY, outcome="x"), 5, "entries 5 to 6: anchor 2"),
    "fix the head": (lambda t: t.head(6, "0" * 64), None, "its head"),
    "move the head back": (lambda t: t.head(5, t.log[4].mac), None, "its head says otherwise"),
    "delete the head": (lambda t: t.run(f"DELETE FROM {HEADS} WHERE chain = %s", CHAIN), None, "no head"),
    "wipe": (wipe, None, "entries 1 to 6; anchor 1"),
    "put an older copy back": (older_copy, None, "entries 5 to 6; anchor 2"),
    "swap chains": (swap_chains, 1, "column “chain”"),
    "forge an anchor in the file": (forge_in_file, "anchors", "line 2 of the file: the signature of anchor 2"),
    "forge an anchor with another key": (forge_with_another_key, "anchors", "made without the key"),
    "take an anchor out of the file": (
        lambda t: t.file.write_text("".join(t.lines()[1:])),
        "anchors",
        "anchor 2 stands in the wrong place",
    ),
    "repeat an anchor in the file": (
        lambda t: t.file.write_text("".join(t.lines() + t.lines()[-1:])),
        "anchors",
        "line 3 of the file: anchor 2 stands in the wrong place",
    ),
    "cut the file's end": (lambda t: t.file.write_text(t.lines()[0]), "anchors", "ends with anchor 1, and it had 2"),
    "delete the file": (lambda t: t.file.unlink(), "anchors", "ends with anchor 0, and it had 2"),
    "alter an anchor in the database": (
        lambda t: t.run(f"UPDATE {ANCHORS} SET text = REPLACE(text, '\"n\":2', '\"n\":2 ') WHERE n = 2"),
        "anchors",
        "anchor 2 is in the file, and altered or missing",
    ),
    "delete an anchor in the database": (drop(ANCHORS), "anchors", "anchor 1 is in the file, and altered or missing"),
}


@pytest.fixture
def tamperer(write, anchored, unguarded):
    """A log of six entries, four of them under one anchor and two under another; and a short one."""
    write("panel", "Zoe")
    log = write(CHAIN, "Ada", "Bob", "Cem", "Dee")
    anchoring.make()
    log += write(CHAIN, "Eve", "Fay")
    anchoring.make()
    assert anchor_sinks.send()
    report = verify.verify()
    assert (report.is_whole, report.anchors) == (True, 2)
    return Tamperer(log, unguarded, anchored.file)


@pytest.mark.parametrize("name", TAMPERS)
def test_a_tamper_is_found_and_its_first_entry_named(tamperer, name):
    tamper, first, says = TAMPERS[name]
    tamper(tamperer)
    report = verify.verify()
    found = [fault for fault in report.faults if says in str(fault)]
    assert found, [str(fault) for fault in report.faults]
    chain = "anchors" if first == "anchors" else CHAIN
    assert found[0].chain == chain
    if isinstance(first, int):
        assert found[0].seq == first
        assert not [fault for fault in report.faults if fault.chain == CHAIN and fault is not found[0]]


@pytest.mark.parametrize("rule", [*triggers.ROW_RULES, *triggers.TRUNCATE_RULES, *triggers.SQLITE_RULES])
def test_a_trigger_that_was_dropped_is_found(tamperer, rule):
    if rule.name not in triggers._wanted(connection):
        pytest.skip("the other database's")
    on = "" if connection.vendor == "sqlite" else f' ON "{rule.table}"'
    with connection.cursor() as cursor:
        cursor.execute(f'DROP TRIGGER "{rule.name}"{on}')
    assert [str(fault) for fault in verify.verify().faults] == [
        f"The trigger {rule.name} is missing, altered or switched off."
    ]


def test_without_the_file_and_with_the_keys_a_forgery_passes_and_the_kept_copy_of_the_file_shows_it(tamperer):
    """The limit that docs/audit.md tells: who holds database, keys and anchors can forge. A copy kept elsewhere shows
    it."""
    kept = tamperer.file.read_text()
    tamperer.rechain(1, 6, KEY, outcome="x")
    for table in (ANCHORS, SPANS, "membership_anchorsink"):
        tamperer.run(f"DELETE FROM {table}")
    tamperer.file.unlink()
    anchoring.make()
    anchor_sinks.send()
    assert verify.verify().is_whole
    tamperer.file.write_text(kept)
    assert "entries 1 to 4: anchor 1 names another one" in str(verify.verify().faults[0])


def test_since_an_anchor_only_what_came_after_is_read_and_what_it_names_must_be_there(tamperer):
    tamperer.run(f"UPDATE {ENTRIES} SET outcome = 'x' WHERE id = %s", tamperer.id(2))
    assert not verify.verify().is_whole
    report = verify.verify(since=1)
    assert (report.is_whole, report.entries, report.anchors) == (True, 4, 2)
    tamperer.reseal(4, KEY, outcome="x")
    assert str(verify.verify(since=1).faults[0]).startswith("connection:7 #4: entry 4: anchor 1 names another one")
    assert "anchors: there is no anchor 9" in map(str, verify.verify(since=9).faults)


def test_two_processes_find_the_same_as_one(fresh_db, tamperer, monkeypatch):
    monkeypatch.setattr("membership.audit.parts.SIZE", 2)
    tamperer.delete(3)
    tamperer.run(f"UPDATE {ENTRIES} SET outcome = 'x' WHERE chain = 'panel'")
    alone, together = verify.verify(processes=1), verify.verify(processes=2)
    assert [str(fault) for fault in alone.faults] == [str(fault) for fault in together.faults]
    assert alone.entries == together.entries == 6
    assert len(alone.faults) == 2


def test_a_chain_of_many_stretches_is_joined_without_a_gap(write, anchored, unguarded, monkeypatch):
    monkeypatch.setattr("membership.audit.parts.SIZE", 3)
    log = write(CHAIN, *"ABCDEFGHIJ")
    anchoring.make()
    assert verify.verify().is_whole
    for seq in (4, 7, 10):  # the edges of stretches
        with transaction.atomic():
            unguarded(f"DELETE FROM {PERSONAL} WHERE entry_id = %s", log[seq - 1].pk)
            unguarded(f"DELETE FROM {ENTRIES} WHERE id = %s", log[seq - 1].pk)
            assert f"entry {seq}" in str(verify.verify().faults[0])
            transaction.set_rollback(True)


# no false alarm

LONG = bool(os.environ.get("LONG"))


@pytest.mark.crash
@pytest.mark.timeout(7200)
def test_eight_writers_at_once_leave_a_log_that_holds(fresh_db, anchored):
    """Verified while they write, and after each round. The long form has a thousand rounds."""
    rounds, writes = (1000, 3) if LONG else (2, 4)
    failures, names = [], ("panel", "login", CHAIN)

    def work(number):
        try:
            for turn in range(writes):
                entry = record.Entry(AuditAction.COMMAND_RUN, data={"n": number}, personal={"person": f"{number}"})
                with transaction.atomic():
                    record.write_all({name: [entry] * (1 + turn % 2) for name in names})
        except Exception as error:
            failures.append(error)
        finally:
            connections.close_all()

    for turn in range(rounds):
        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        anchor_sinks.anchoring.make()
        last = AuditAnchor.objects.order_by("-n").first()
        since = last.n if last is not None and turn % 50 else None
        meanwhile = verify.verify(since=since)
        for thread in threads:
            thread.join(120)
        assert failures == []
        after = verify.verify(since=since)
        assert meanwhile.faults == after.faults == [], f"round {turn}"
        assert anchor_sinks.send()
    expected = rounds * 8 * sum(1 + turn % 2 for turn in range(writes))
    assert dict(AuditHead.objects.values_list("chain", "seq")) == dict.fromkeys(names, expected)
    assert sum(1 for _ in anchor_file.lines(anchored.file)) == AuditAnchor.objects.count()
    assert verify.verify().is_whole
