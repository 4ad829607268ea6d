"""Values of kinds that no row of ours has, hostile lines, rows beside the entries: all is named."""

import json
import platform

import pytest
from django.db import connection, transaction

from membership.audit import anchoring, anchors, asked, record, verify
from membership.audit.triggers import ANCHORS, CUTS, ENTRIES, HEADS, PERSONAL, SPANS
from membership.models import AnchorSink
from membership.services import anchor_sinks
from membership.vocab import AuditAction
from tests.audit.conftest import altered
from tests.audit.test_tampers import CHAIN, older_copy, tamperer  # noqa: F401 - a fixture

HUGE = 1 << 62


def at_3(change, table=ENTRIES):
    column = "id" if table == ENTRIES else "entry_id"
    return lambda t: t.run(f"UPDATE {table} SET {change} WHERE {column} = %s", t.id(3))


def exchange_ids(t):
    """Two entries change places in every list; their personal parts go with them."""
    for table, column in ((ENTRIES, "id"), (PERSONAL, "entry_id")):
        for old, new in ((t.id(2), -1), (t.id(3), t.id(2)), (-1, t.id(3))):
            t.run(f"UPDATE {table} SET {column} = %s WHERE {column} = %s", new, old)


def on(table, change, where="n = 2"):
    return lambda t: t.run(f"UPDATE {table} SET {change} WHERE {where}")


BOTH = {
    "ids exchanged": (exchange_ids, CHAIN, 3, "its id"),
    "a number beyond all": (at_3(f"seq = {HUGE}"), CHAIN, 4, "entry 3"),
    "the last number beyond all": (
        lambda t: t.run(f"UPDATE {ENTRIES} SET seq = {HUGE} WHERE id = %s", t.id(6)),
        CHAIN,
        HUGE,
        "missing before it",
    ),
    "a head beyond all": (on(HEADS, f"seq = {HUGE}", f"chain = '{CHAIN}'"), CHAIN, None, "missing at its end"),
    "the signature of the last anchor": (on(ANCHORS, f"sig = {altered('sig')}"), "anchors", None, "anchor 2"),
    "the signature of an anchor": (on(ANCHORS, "sig = 'x'", "n = 1"), "anchors", None, "anchor 1"),
    "the time of an anchor": (on(ANCHORS, "at = '2020-01-01 00:00:00+00:00'"), "anchors", None, "anchor 2"),
    "the number of an anchor": (on(ANCHORS, "n = 9"), "anchors", None, "anchor 2"),
    "what an anchor covers": (on(SPANS, "last = 5"), "anchors", None, "what anchor 2 covers"),
    "which anchor covers it": (on(SPANS, "n = 1"), "anchors", None, "what anchor 1 covers"),
    "the rows of an anchor deleted": (lambda t: t.run(f"DELETE FROM {SPANS} WHERE n = 1"), "anchors", None, "anchor 1"),
    "rows of no anchor": (
        lambda t: t.run(f"INSERT INTO {SPANS} (chain, first, last, n) VALUES ('{CHAIN}', 1, 6, 99)"),
        "anchors",
        None,
        "what anchor 99 covers",
    ),
}

SQLITE = {
    "sealed as bytes": (at_3("sealed = CAST(sealed AS BLOB)"), CHAIN, 3, "no entry has"),
    "sealed no UTF-8": (at_3("sealed = CAST(x'7bff' AS TEXT)"), CHAIN, 3, "cannot be read"),
    "outcome no UTF-8": (at_3("outcome = CAST(x'ff' AS TEXT)"), CHAIN, 3, "outcome"),
    "a seal as bytes": (at_3("mac = CAST(mac AS BLOB)"), CHAIN, 3, "seal"),
    "time of another kind": (at_3("at = x'ff'"), CHAIN, 3, "“at”"),
    "no time": (at_3("at = 'x'"), CHAIN, 3, "“at”"),
    "salt as bytes": (at_3("salt = CAST(salt AS BLOB)", PERSONAL), CHAIN, 3, "personal part"),
    "data no UTF-8": (at_3("data = CAST(x'ff' AS TEXT)", PERSONAL), CHAIN, 3, "personal part"),
    "text for a number": (at_3("seq = 'x'"), CHAIN, 4, "entry 3"),
    "half a number": (at_3("seq = 2.5"), CHAIN, None, "its number is none"),
    "the only number a text": (on(ENTRIES, "seq = 'x'", "chain = 'panel'"), "panel", None, "its number is none"),
    "the only number of a chain that was cut a text": (
        lambda t: [
            t.run(f"INSERT INTO {CUTS} (chain, seq, mac, at) VALUES ('panel', 0, '', '2026-01-01 00:00:00')"),
            t.run(f"UPDATE {ENTRIES} SET seq = 'x' WHERE chain = 'panel'"),
        ],
        "panel",
        None,
        "its number is none",
    ),
    "the last number a text": (
        lambda t: t.run(f"UPDATE {ENTRIES} SET seq = 'x' WHERE id = %s", t.id(6)),
        CHAIN,
        None,
        "its number is none",
    ),
    "the name of the chain as bytes": (at_3("chain = CAST(chain AS BLOB)"), CHAIN, 4, "entry 3"),
    "the name of the chain no UTF-8": (at_3("chain = CAST(x'ff' AS TEXT)"), CHAIN, 4, "entry 3"),
    "a head that is a text": (on(HEADS, "seq = 'x'", f"chain = '{CHAIN}'"), CHAIN, None, "head"),
    "a head's seal no UTF-8": (on(HEADS, "mac = CAST(x'ff' AS TEXT)", f"chain = '{CHAIN}'"), CHAIN, None, "head"),
    "a head's chain as bytes": (on(HEADS, "chain = x'ff'", f"chain = '{CHAIN}'"), CHAIN, None, "no head"),
    "an anchor as bytes": (on(ANCHORS, "text = CAST(text AS BLOB)"), "anchors", None, "anchor 2"),
    "an anchor no UTF-8": (on(ANCHORS, "text = CAST(x'ff' AS TEXT)"), "anchors", None, "anchor 2"),
    "an anchor's number a text": (on(ANCHORS, "n = 'x'"), "anchors", None, "anchor 2"),
    "an anchor's time a text": (on(ANCHORS, "at = 'x'"), "anchors", None, "anchor 2"),
    "a row's number a text": (on(SPANS, "n = 'x'"), "anchors", None, "anchor 2"),
    "a cut of no time": (
        lambda t: t.run(f"INSERT INTO {CUTS} (chain, seq, mac, at) VALUES ('{CHAIN}', 'x', x'ff', 'x')"),
        CHAIN,
        None,
        "cut off",
    ),
}

POSTGRESQL = {
    "a time without end": (at_3("at = 'infinity'"), CHAIN, 3, "“at”"),
    "a time before Christ": (at_3("at = '0044-03-15 BC'"), CHAIN, 3, "“at”"),
    "an anchor without end": (on(ANCHORS, "at = 'infinity'"), "anchors", None, "anchor 2"),
    "a cut without end": (
        lambda t: t.run(f"INSERT INTO {CUTS} (chain, seq, mac, at) VALUES ('{CHAIN}', 3, 'x', 'infinity')"),
        CHAIN,
        None,
        "cut off",
    ),
}
OF_VENDOR = {"sqlite": SQLITE, "postgresql": POSTGRESQL}


def found(chain, seq, says):
    report = verify.verify()
    assert [fault for fault in report.faults if fault.chain == chain and fault.seq == seq and says in fault.says], [
        str(fault) for fault in report.faults
    ]
    return report


@pytest.mark.parametrize("name", BOTH)
def test_it_is_found(tamperer, name):  # noqa: F811
    tamper, *expected = BOTH[name]
    tamper(tamperer)
    found(*expected)


@pytest.mark.parametrize("name", [*SQLITE, *POSTGRESQL])
def test_a_value_of_another_kind_is_found(tamperer, name):  # noqa: F811
    if name not in OF_VENDOR[connection.vendor]:
        pytest.skip("the other database's")
    tamper, *expected = OF_VENDOR[connection.vendor][name]
    tamper(tamperer)
    found(*expected)


def line(text, sig="00"):
    return json.dumps({"anchor": text, "sig": sig})


OF_AN_ANCHOR = '{"v":1,"n":%s,"at":"","kid":"a1","prev":"","heads":%s,"roots":{}}'
LINES = {
    "nothing": "",
    "no JSON": "{",
    "another kind": "null",
    "a list": "[]",
    "nested without end": "[" * 100_000,
    "a number too long to read": "9" * 5_000,
    "a number without end": line(OF_AN_ANCHOR % ("1e999", "{}")),
    "no number": line(OF_AN_ANCHOR % ("NaN", "{}")),
    "a head without end": line(OF_AN_ANCHOR % ("3", '{"panel":[1e999,""]}')),
    "heads of another kind": line(OF_AN_ANCHOR % ("3", "[]")),
    "nested inside": line(OF_AN_ANCHOR % ("3", "[" * 100_000)),
    "half a letter": line("\ud800"),
    "half a letter as a chain": line(OF_AN_ANCHOR % ("3", '{"\ud800":[1,""]}')),
    "a text that is none": json.dumps({"anchor": 5, "sig": ""}),
    "a signature that is none": line(OF_AN_ANCHOR % ("3", "{}"), "x"),
}


@pytest.mark.parametrize("since", [None, 4])
@pytest.mark.parametrize("name", LINES)
def test_a_hostile_line_of_the_file_is_found(tamperer, name, since):  # noqa: F811
    tamperer.file.write_text(f"{''.join(tamperer.lines())}{LINES[name]}\n")
    assert any("line 3 of the file" in str(fault) for fault in verify.verify(since=since).faults)


# no false alarm


def test_a_server_that_writes_times_in_another_style_is_no_fault(tamperer):  # noqa: F811
    if connection.vendor != "postgresql":
        pytest.skip("the other database's")
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL datestyle = 'SQL, DMY'; SET LOCAL timezone = 'Asia/Kolkata'")
    assert verify.verify().faults == []


def test_since_an_anchor_of_a_state_that_was_given_up_everything_is_read(tamperer, write):  # noqa: F811
    """An older copy was put back by `restore`, and the log went on: nothing of that is a fault."""
    later = anchors.parse(tamperer.lines()[1])
    older_copy(tamperer)
    anchoring.give_up([later])
    write(CHAIN, "Gus")
    anchoring.make()
    assert anchor_sinks.send()
    assert verify.verify().is_whole
    report = verify.verify(since=2)
    assert (report.faults, report.entries) == ([], 6)
    assert "Anchors 2 to 2 hold for a state that was given up" in report.notes[0]


def test_another_machine_is_ahead_with_a_file_of_its_own(tamperer, write):  # noqa: F811
    """Workers of several machines share the database; each appends to the file that its own settings name."""
    write("panel")
    anchoring.make()
    AnchorSink.objects.create(name=f"file:another-machine:{tamperer.file}", sent_n=3)
    assert verify.verify().is_whole
    tamperer.file.write_text(tamperer.lines()[0])
    found("anchors", None, "ends with anchor 1, and it had 2")


def test_a_machine_that_is_called_otherwise_now_still_knows_how_far_its_file_was(tamperer, monkeypatch):  # noqa: F811
    monkeypatch.setattr("platform.node", lambda: "renamed")
    tamperer.file.write_text(tamperer.lines()[0])
    found("anchors", None, "ends with anchor 1, and it had 2")


def test_what_asked_for_a_change_and_is_no_text_any_more_asks_for_nothing(any_db, unguarded):
    """Else it would stop all that its system has to do."""
    if connection.vendor != "sqlite":
        pytest.skip("the other database takes no such text")
    entry = record.Entry(AuditAction.CHANGE_REQUESTED, change_id=3, data={"plan_hash": "x"})
    with transaction.atomic():
        record.write("panel", [entry])
    assert asked.hash_to_send(3) == "x"
    unguarded(f"UPDATE {ENTRIES} SET sealed = CAST(x'ff' AS TEXT) WHERE change_id = 3")
    assert asked.hash_to_send(3) == ""


@pytest.mark.parametrize("name", ["anchors.jsonl", "elsewhere.jsonl"])
def test_a_machine_that_never_had_a_file_says_so_and_raises_no_alarm(tamperer, anchored, settings, monkeypatch, name):  # noqa: F811
    here, file = platform.node(), tamperer.file
    monkeypatch.setattr("platform.node", lambda: "web-2")
    file.unlink()
    anchored.set(settings, ANCHOR_FILE=file.with_name(name))
    report = verify.verify()
    assert (report.faults, len(report.notes)) == ([], 1)
    assert f"no file of anchors ({file.with_name(name)})" in report.notes[0]
    assert f"{here}:{file} (up to anchor 2)" in report.notes[0]


def test_how_far_a_file_in_a_deep_folder_was_is_known(tamperer, anchored, settings):  # noqa: F811
    deep = tamperer.file.parent / ("d" * 200) / "anchors.jsonl"
    anchored.set(settings, ANCHOR_FILE=deep)
    assert anchor_sinks.send()
    deep.write_text("".join(tamperer.lines()[:1]))
    found("anchors", None, "ends with anchor 1, and it had 2")


def test_a_file_of_anchors_that_cannot_be_read_is_found_and_the_rest_is_looked_at(tamperer):  # noqa: F811
    tamperer.file.unlink()
    tamperer.file.mkdir()
    at_3("outcome = 'x'")(tamperer)
    report = found("anchors", None, "the file cannot be read: Is a directory")
    assert str(report.faults[0]).startswith("connection:7 #3: its column “outcome”")
    assert report.anchors == 2
