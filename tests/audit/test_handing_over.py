"""Exports that prove themselves, checked by the stand-alone script where nothing of ours can be imported."""

import csv
import hashlib
import hmac
import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import cryptography
import pytest
from django.db import connection, transaction

from membership.audit import anchoring, record
from membership.errors import BadValue
from membership.models import AuditEntry, AuditPersonal
from membership.services import anchor_sinks, audit_export, audit_log, audit_proof
from membership.vocab import AuditAction, Role
from tests import mirrored
from tests.audit.conftest import altered

SCRIPT = Path(__file__).resolve().parent.parent.parent / "tools" / "verify_audit.py"
SEAL_KEY = "t1:YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE="


@pytest.fixture(scope="session")
def bare(tmp_path_factory):
    """A folder with `cryptography` and what it is made of, and nothing else."""
    folder, home = tmp_path_factory.mktemp("bare"), Path(cryptography.__file__).parent.parent
    for name in ("cryptography", "cffi", *(path.name for path in home.glob("_cffi_backend*"))):
        (folder / name).symlink_to(home / name)
    return folder


@pytest.fixture
def stranger(bare, tmp_path, anchored):
    """`stranger(data, *options)`: what the script says of an export, and whether it is good."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    shutil.copy(SCRIPT, folder)

    def check(data, *options, name="export.jsonl", key=None):
        (folder / name).write_bytes(data)
        public = key or next(f"{key_id}:{text}" for key_id, text in audit_proof.public_keys().items())
        done = subprocess.run(
            [sys.executable, "-S", "verify_audit.py", name, "--key", public, *map(str, options)],
            cwd=folder,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(bare)},
            capture_output=True,
            text=True,
        )
        assert "Traceback" not in done.stderr, done.stderr
        assert (done.returncode == 0) == ("GOOD" in done.stdout)
        return done.returncode == 0, done.stdout + done.stderr

    return check


@pytest.fixture
def made(auditor):
    def make(rows=None, format="jsonl", query="q=x", actor=None):
        rows = AuditEntry.objects.all() if rows is None else rows
        return b"".join(audit_export.export_with_proof(rows, actor=actor or auditor, query=query, format=format)[2])

    return make


@pytest.fixture
def log(write, anchored):
    """Two anchors: seven entries under the first, three under the second."""
    write("panel", "Zoe", "Yan")
    rows = write("connection:7", "Ada", "Bob", "Cem", "Dee", "Eve")
    anchoring.make()
    rows += write("connection:7", "Fay", "Gus", "=Hal")
    anchoring.make()
    return rows


def test_the_script_is_one_short_file_and_nothing_of_ours_can_be_imported(bare):
    assert len(SCRIPT.read_text().splitlines()) <= 100
    for name in ("membership", "django"):
        done = subprocess.run([sys.executable, "-S", "-c", f"import {name}"], cwd=bare, env={}, capture_output=True)
        assert b"ModuleNotFoundError" in done.stderr


def test_the_whole_log_is_good_with_and_without_the_key_of_the_seals(log, made, stranger, anchored):
    data = made()
    anchor_sinks.send()
    said = stranger(data)
    assert said == (True, "connection:7: 1 to 8\npanel: 1 to 2\nGOOD: 10 entries, 2 anchors\n")
    assert stranger(data, "--seal-key", SEAL_KEY, "--anchors", anchored.file)[0]


@pytest.mark.parametrize(("format", "name"), [("jsonl", "some.jsonl"), ("csv-proof", "some.csv")])
def test_what_a_search_found_is_good_and_says_what_is_not_in_it(log, made, stranger, auditor, format, name):
    found = audit_log.find(auditor, text="cem") | audit_log.find(auditor, text="gus")
    good, said = stranger(made(found, format), name=name)
    assert good, said
    assert "connection:7: 3 to 3, 7 to 7" in said
    assert "2 entries, 2 anchors" in said


def test_an_entry_whose_personal_part_was_erased_is_still_good(log, made, stranger):
    AuditPersonal.objects.filter(pk=log[1].pk).delete()
    data = made()
    assert stranger(data)[0]
    assert b"Bob" not in data


def resealed(data, change):
    """An export in which `change(lines)` was done, its end as it would have to be."""
    lines = [json.loads(line) for line in data.decode().splitlines()]
    change(lines)
    texts = [json.dumps(line, sort_keys=True, separators=(",", ":"), ensure_ascii=False) for line in lines[:-1]]
    digest = hashlib.sha256("".join(f"{text}\n" for text in texts).encode()).hexdigest()
    end = json.dumps({"end": {"rows": len(texts) - 1, "sha256": digest}})
    return "".join(f"{text}\n" for text in [*texts, end]).encode()


def swap(lines):
    lines[1], lines[2] = lines[2], lines[1]


def alter(name, old, new):
    def change(lines):
        assert old in lines[3][name]
        lines[3][name] = lines[3][name].replace(old, new)

    return change


FORGERIES = {
    "an outcome": alter("sealed", '"outcome":""', '"outcome":"x"'),
    "a name": alter("data", "Cem", "Bob"),
    "a salt": lambda lines: lines[3].update(salt="00" * 16),
    "two exchanged": swap,
    "one twice": lambda lines: lines.insert(3, lines[3]),
    "its number": alter("sealed", '"seq":3', '"seq":33'),
    "its seal": lambda lines: lines[3].update(mac="0" * 64),
    "an anchor": lambda lines: lines[1].update(anchor=lines[1]["anchor"].replace('"n":1', '"n":3')),
    "no proof": lambda lines: lines[3].update(under=None, path=[]),
    "a wrong way": lambda lines: lines[3].update(path=lines[4]["path"]),
    "another's anchor": lambda lines: lines[3].update(under=2),
    "what was erased says something": lambda lines: lines[3].update(salt=None),
    "a member beside it": lambda lines: lines[3].update(says="Bob did it"),
    "a second entry in it": lambda lines: lines[3].update(export={}, entry=lines[4]),
    "an entry in the first line": lambda lines: lines[0].update(lines[3]),
}


@pytest.mark.parametrize("what", FORGERIES)
def test_a_forged_export_is_bad_even_with_a_new_end(log, made, stranger, what):
    data = made()
    assert stranger(resealed(data, lambda lines: None))[0]
    good, said = stranger(resealed(data, FORGERIES[what]))
    assert not good
    assert "line " in said


def test_what_stands_twice_in_a_line_is_bad_whichever_a_reader_takes(log, made, stranger):
    lines = made().decode().splitlines()
    lines[3] = lines[3].replace('"data":', '"data":"{\\"person\\":\\"Bob\\"}","data":', 1)
    digest = hashlib.sha256("".join(f"{line}\n" for line in lines[:-1]).encode()).hexdigest()
    end = json.dumps({"end": {"rows": 10, "sha256": digest}})
    assert json.loads(lines[3])["data"] != '{"person":"Bob"}'
    assert not stranger("".join(f"{line}\n" for line in [*lines[:-1], end]).encode())[0]


def test_an_entry_in_the_last_line_is_bad(log, made, stranger):
    *lines, end = made().decode().splitlines(keepends=True)
    more = json.dumps(json.loads(lines[3]) | json.loads(end))
    assert not stranger(f"{''.join(lines)}{more}\n".encode())[0]


def test_with_a_key_for_seals_a_seal_of_a_key_that_was_not_given_is_bad(log, made, stranger):
    """Also one that was made with no key at all, of an entry whose seal no other line names."""

    def reseal(lines):
        lines[-2]["mac"] = hmac.new(b"", lines[-2]["sealed"].encode(), "sha256").hexdigest()

    alone = made(AuditEntry.objects.filter(pk=log[2].pk))
    assert stranger(alone, "--seal-key", SEAL_KEY)[0]
    good, said = stranger(resealed(alone, reseal), "--seal-key", SEAL_KEY.replace("t1:", "t0:"))
    assert (good, "t1" in said) == (False, True)


def test_how_many_have_lost_their_personal_part_is_said(log, made, stranger):
    """Whoever hands it over can take them out, as an erasure does: what is left holds, and the number is seen."""

    def strip(lines):
        for place in (2, 3):
            lines[place] |= dict.fromkeys(("salt", "data", "text"))

    good, said = stranger(resealed(made(), strip))
    assert good
    assert "GOOD: 10 entries, 2 anchors, 2 personal parts are erased" in said


HOSTILE = {
    "nothing": b"",
    "nested without end": b"[" * 100_000,
    "nested in an entry": b'{"sealed":"' + b"[" * 100_000 + b'"}',
    "a number too long": b"9" * 5_000,
    "a number without end": b'{"export":1e999}\n{"end":1e999}\n',
    "an end that is a list": b'{"export":{}}\n{"end":[1]}\n',
    "an end that is a number": b'{"export":{}}\n{"end":NaN}\n',
    "no UTF-8": b'{"export":"\xff"}\n',
    "half a letter": b'{"export":{}}\n{"anchor":"\\ud800","sig":"","under":1}\n',
    "an anchor of another kind": b'{"export":{}}\n{"anchor":"[]","sig":"","under":[]}\n',
    "NUL": b"\0\n\0\n",
}


@pytest.mark.parametrize("name", ["export.jsonl", "export.csv"])
@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_file_is_bad_in_one_line(anchored, stranger, what, name):
    good, said = stranger(HOSTILE[what], name=name)
    assert (good, said.count("BAD: "), said.count("\n")) == (False, 1, 1)
    assert len(said) < 500


@pytest.mark.parametrize("what", [*HOSTILE, "a list"])
def test_a_hostile_kept_file_is_bad_in_one_line(log, made, stranger, tmp_path, what):
    kept = tmp_path / "kept.jsonl"
    kept.write_bytes(HOSTILE.get(what, b"[]"))
    good, said = stranger(made(), "--anchors", kept)
    assert (good, said.count("BAD: "), said.count("\n")) == (False, 1, 1)


def test_anchors_may_be_kept_as_they_came_by_mail(log, made, stranger, tmp_path, anchored):
    anchor_sinks.send()
    kept = tmp_path / "kept.jsonl"
    kept.write_text(anchored.file.read_text().replace("\n", "\n\n").strip())
    assert stranger(made(), "--anchors", kept)[0]


def test_an_export_that_was_cut_off_is_bad(log, made, stranger):
    data = made()
    assert not stranger(data[: data.rindex(b"\n", 0, -1) + 1])[0]
    assert not stranger(b"\n".join(line for place, line in enumerate(data.split(b"\n")) if place != 3))[0]


def test_a_key_that_did_not_sign_is_bad(log, made, stranger, settings, anchored):
    settings.ANCHOR_KEYS = {"a1": anchored.other_key, "a0": settings.ANCHOR_KEYS["a1"]}
    other = f"a1:{audit_proof.public_keys()['a1']}"
    settings.ANCHOR_KEYS = {"a1": settings.ANCHOR_KEYS["a0"]}
    assert not stranger(made(), key=other)[0]


def test_anchors_that_the_kept_file_does_not_have_are_bad(log, made, stranger, anchored):
    anchor_sinks.send()
    first, _second = anchored.file.read_text().splitlines()
    anchored.file.write_text(f"{first}\n")
    good, said = stranger(made(), "--anchors", anchored.file)
    assert (good, "the kept file has other anchors" in said) == (False, True)


def test_what_the_csv_shows_beside_the_proof_is_checked_too(log, made, stranger):
    data = made(format="csv-proof")
    rows = list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"))))
    assert [row["seq"] for row in rows[1:-1]] == [*map(str, range(1, 9)), "1", "2"]
    assert "Cem" in rows[3]["says"]
    assert stranger(data, name="export.csv")[0]
    altered = data.replace(b"operation.confirmed,", b"operation.refused,", 1)
    assert altered != data
    assert not stranger(altered, name="export.csv")[0]


def rewritten(data, change):
    """A CSV in which `change(rows)` was done; what is proved in it stays."""
    rows = list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline="")))
    change(rows)
    file = io.StringIO(newline="")
    csv.writer(file).writerows(rows)
    return file.getvalue().encode("utf-8-sig")


def another_column(rows):
    for row in rows:
        row.insert(2, row[2])
        row[3] = "action" if row[3] == "action" else "operation.refused"
    for row in rows:
        row[2], row[3] = row[3], row[2]


CSV_FORGERIES = {
    "an entry in the first line": lambda rows: rows[1].__setitem__(slice(0, 8), rows[4][:8]),
    "an entry in the last line": lambda rows: rows[-1].__setitem__(slice(0, 8), rows[4][:8]),
    "a column twice": another_column,
    "a cell beside it": lambda rows: rows[4].append("Bob did it"),
    "another name of a column": lambda rows: rows[0].__setitem__(4, "accomplice"),
    "an entry without a proof": lambda rows: rows.insert(4, [*rows[4][:8], ""]),
}


@pytest.mark.parametrize("what", CSV_FORGERIES)
def test_a_csv_that_shows_what_nothing_proves_is_bad(log, made, stranger, what):
    data = made(format="csv-proof")
    assert stranger(rewritten(data, lambda rows: None), name="export.csv")[0]
    assert not stranger(rewritten(data, CSV_FORGERIES[what]), name="export.csv")[0]


def test_no_cell_of_the_csv_begins_a_formula(made, anchored, make_user):
    with transaction.atomic():
        record.write("panel", [record.Entry(AuditAction.COMMAND_RUN, actor=make_user("=1+1", Role.OWNER))])
    rows = list(csv.DictReader(io.StringIO(made(format="csv-proof").decode("utf-8-sig"))))
    assert rows[1]["actor"] == "'=1+1"
    assert not [cell for row in rows for cell in row.values() if cell.startswith(("=", "+", "-", "@"))]


def test_what_has_no_anchor_yet_gets_one_first(write, made, anchored, stranger):
    write("panel", "Ada")
    assert stranger(made())[0]


def test_without_a_key_for_anchors_the_export_says_that_nothing_covers_it(write, made, stranger, settings, anchored):
    keys, settings.ANCHOR_KEYS = settings.ANCHOR_KEYS, {}
    write("panel", "Ada")
    data = made()
    settings.ANCHOR_KEYS = keys
    assert "no anchor covers it" in stranger(data)[1]


def test_where_the_last_anchor_was_altered_the_rest_can_still_be_handed_over(log, made, stranger, unguarded):
    unguarded(f"UPDATE membership_auditanchor SET sig = {altered('sig')} WHERE n = 2")
    assert stranger(made(AuditEntry.objects.filter(pk=log[2].pk)))[0]
    assert "InvalidSignature" in stranger(made())[1]


def test_where_the_anchor_of_an_entry_was_taken_out_the_file_says_that_none_covers_it(log, made, stranger, unguarded):
    unguarded("UPDATE membership_auditspan SET n = 99 WHERE n = 1")
    data = made()
    assert len(data.splitlines()) == 12
    assert "no anchor covers it" in stranger(data)[1]


@pytest.mark.parametrize(("format", "name"), [("jsonl", "all.jsonl"), ("csv-proof", "all.csv")])
@pytest.mark.parametrize("damage", ["'{'", "CAST(x'ff' AS TEXT)"])
def test_what_was_damaged_is_in_the_file_and_the_rest_can_be_handed_over(
    log, made, stranger, unguarded, damage, format, name
):
    if "CAST" in damage and connection.vendor != "sqlite":
        pytest.skip("the other database takes no such text")
    unguarded(f"UPDATE membership_auditentry SET sealed = {damage} WHERE id = %s", log[-1].pk)
    said = stranger(made(format=format), name=name)[1]
    assert said.startswith("BAD: line 7: ValueError('it does not lie under anchor 2')")  # with the root of all of it
    assert stranger(made(AuditEntry.objects.filter(chain="panel"), format), name=name)[0]


def test_the_export_is_in_the_log_and_only_what_its_maker_may_read_is_in_it(log, made, limited_operator, viewer):
    limited = limited_operator(mirrored.system("Office"))
    data = made(actor=limited).decode()
    assert "Ada" not in data
    entry = AuditEntry.objects.get(action="export.made")
    assert json.loads(entry.sealed)["data"] == {"what": "auditentry", "rows": 0, "format": "jsonl", "proof": True}
    with pytest.raises(BadValue):
        made(format="exe")
    assert json.loads(made(actor=viewer).splitlines()[-1])["end"]["rows"] == 0


def test_it_is_streamed_with_few_queries(write, auditor, anchored, django_assert_max_num_queries):
    write("connection:7", *["Ada"] * 1200)
    anchoring.make()
    with django_assert_max_num_queries(40):
        _name, _type, content = audit_export.export_with_proof(
            AuditEntry.objects.all(), actor=auditor, query="", format="jsonl"
        )
        first = next(content)
        assert len(first.splitlines()) == 500
        assert sum(1 for _part in content) == 2
