import csv
import io
import json
import time
import tracemalloc
import zipfile
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree

import pytest
from django.db import connection
from django.utils import timezone

from membership.audit import record
from membership.errors import AuditUnavailable, BadValue
from membership.models import AuditEntry, AuditPersonal, Participant
from membership.services import export_workbook
from membership.services.exports import FORMATS, export
from membership.vocab import AuditAction
from tests import mirrored as m

NAMES = (("Name", "label"), ("Group", "group__name"), ("Manager", "is_manager"), ("Read", "last_read_at"))
READ_AT = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
SPACE = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"

pytestmark = pytest.mark.django_db


@pytest.fixture
def chess():
    return m.group("Chess", m.system())


def people():
    return Participant.objects.order_by("pk")


def made(actor, format, rows=None, columns=NAMES, **fields):
    given = {"list_name": "Participants", "query": "q=a", **fields}
    return export(people() if rows is None else rows, columns, actor=actor, format=format, **given)


def content(actor, format, **fields):
    return b"".join(made(actor, format, **fields)[2])


def read_csv(data):
    assert data.startswith(b"\xef\xbb\xbf")
    return list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline="")))


def read_xlsx(data, sheet=1):
    """Rows of texts; a number as the archive has it."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        tree = ElementTree.fromstring(archive.read(f"xl/worksheets/sheet{sheet}.xml"))  # noqa: S314 - our own file
        assert not list(tree.iter(f"{SPACE}f")), "a formula"
        return [["".join(cell.itertext()) for cell in row] for row in tree.iter(f"{SPACE}row")]


def entries():
    return list(AuditEntry.objects.filter(action=AuditAction.EXPORT_MADE))


def test_a_list_is_the_same_in_all_formats(vera, chess):
    m.participant("Ödön", chess, is_manager=True, last_read_at=READ_AT)
    m.participant("Zoë", chess)
    local = timezone.localtime(READ_AT)
    rows = read_csv(content(vera, "csv"))
    assert (
        rows
        == [
            ["Name", "Group", "Manager", "Read"],
            ["Zoë", "Chess", "no", ""],
            ["Ödön", "Chess", "yes", local.isoformat(sep=" ", timespec="seconds")],
        ]
        or rows[1][0] == "Ödön"
    )
    assert sorted(json.loads(content(vera, "json")), key=lambda row: row["Name"])[0] == {
        "Name": "Zoë",
        "Group": "Chess",
        "Manager": False,
        "Read": None,
    }
    sheet = read_xlsx(content(vera, "xlsx"))
    assert sheet[0] == ["Name", "Group", "Manager", "Read"]
    assert {row[0] for row in sheet[1:]} == {"Zoë", "Ödön"}


def test_the_file_is_named_by_list_and_time_and_has_its_type(vera):
    name, content_type, _rows = made(vera, "csv")
    assert name.startswith("musterbook-participants-")
    assert name.endswith(".csv")
    assert content_type == "text/csv; charset=utf-8"
    assert {made(vera, each)[0].rpartition(".")[2] for each in FORMATS} == set(FORMATS)


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "＝"])
@pytest.mark.parametrize("format", ["csv", "xlsx"])
def test_no_cell_starts_a_formula(vera, chess, format, start):
    m.participant(f"{start}HYPERLINK(1)", chess)
    read = {"csv": read_csv, "xlsx": read_xlsx}[format]
    cell = read(content(vera, format))[1][0]
    assert cell.startswith("'")
    assert "HYPERLINK(1)" in cell


def test_numbers_stay_numbers(vera, chess):
    m.participant("Ada", chess)
    columns = [("Below", lambda row: -5), ("Half", lambda row: 0.5), ("Id", lambda row: 12345678901234567)]
    assert read_csv(content(vera, "csv", columns=columns))[1] == ["-5", "0.5", "12345678901234567"]
    assert read_xlsx(content(vera, "xlsx", columns=columns))[1] == ["-5", "0.5", "12345678901234567"]
    assert json.loads(content(vera, "json", columns=columns)) == [{"Below": -5, "Half": 0.5, "Id": 12345678901234567}]


@pytest.mark.parametrize("format", FORMATS)
def test_hostile_characters_are_visible_in_the_file(vera, chess, format):
    m.participant("a\u202ednuor \x1b[31m \ufffe \ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16"), chess)
    data = content(vera, format)
    if format == "xlsx":
        shown = read_xlsx(data)[1][0]
    else:
        shown = data.decode()
    assert "‹U+202E›" in shown
    assert "‹U+001B›" in shown
    assert "\x1b" not in shown
    assert "😀" in shown


def test_values_may_come_from_functions_and_from_json(vera, chess):
    m.participant("Ada", chess, attributes={"a": ["=1", 2]})
    columns = [("Who", lambda row: row.label.upper()), ("Group", "group__name"), ("All", "attributes")]
    assert read_csv(content(vera, "csv", columns=columns))[1] == ["ADA", "Chess", '{"a": ["=1", 2]}']
    assert json.loads(content(vera, "json", columns=columns))[0]["All"] == {"a": ["=1", 2]}


def test_a_path_that_leads_nowhere_is_an_empty_cell(vera, chess):
    m.participant("Ada", chess)
    columns = [("Who", "label"), ("Mail", "account__email"), ("Upper", lambda row: "x")]
    assert read_csv(content(vera, "csv", columns=columns))[1] == ["Ada", "", "x"]


@pytest.mark.parametrize("format", FORMATS)
def test_an_empty_list_is_a_file_that_can_be_read(vera, format):
    data = content(vera, format)
    rows = {"csv": read_csv, "xlsx": read_xlsx, "json": json.loads}[format](data)
    assert rows in ([], [["Name", "Group", "Manager", "Read"]])


def test_only_what_the_actor_may_see_is_exported(chess, stranger):
    m.participant("Ada", chess)
    m.participant("Bea", m.group("Other", m.system("Club", "mudbase")))
    limited = m.user("limited", systems=[chess.connection])
    assert [row[0] for row in read_csv(content(limited, "csv"))] == ["Name", "Ada"]
    assert len(read_csv(content(stranger, "csv"))) == 1


def test_an_export_is_in_the_log_before_its_first_byte(vera, chess):
    m.participant("Ada", chess)
    made(vera, "csv", query="system=1&q=Ada")
    (entry,) = entries()
    assert (entry.chain, entry.actor_id) == ("panel", vera.pk)
    assert '"rows":1' in entry.sealed
    assert '"format":"csv"' in entry.sealed
    assert "q=Ada" not in entry.sealed
    assert "q=Ada" in AuditPersonal.objects.get(pk=entry.pk).data


def test_what_cannot_be_recorded_is_not_exported(vera, chess, monkeypatch):
    def unavailable(*args, **kwargs):
        raise AuditUnavailable

    monkeypatch.setattr(record, "write", unavailable)
    with pytest.raises(AuditUnavailable):
        made(vera, "csv")


def test_an_unknown_format_is_refused(vera):
    with pytest.raises(BadValue):
        made(vera, "exe")
    assert not entries()


def test_a_list_longer_than_a_sheet_goes_on_on_the_next(vera, chess, monkeypatch):
    monkeypatch.setattr(export_workbook, "ROWS_OF_A_SHEET", 4)
    for number in range(7):
        m.participant(f"P{number}", chess)
    data = content(vera, "xlsx")
    assert [row[0] for row in read_xlsx(data, 1)] == ["Name", "P0", "P1", "P2"]
    assert [row[0] for row in read_xlsx(data, 3)] == ["Name", "P6"]


def test_a_full_sheet_is_followed_by_no_empty_one(vera, chess, monkeypatch):
    monkeypatch.setattr(export_workbook, "ROWS_OF_A_SHEET", 4)
    m.crowd(3, chess)
    with zipfile.ZipFile(io.BytesIO(content(vera, "xlsx"))) as archive:
        assert [name for name in archive.namelist() if "worksheets" in name] == ["xl/worksheets/sheet1.xml"]


def test_a_sheet_too_large_for_its_archive_goes_on_on_the_next(vera, chess, monkeypatch):
    monkeypatch.setattr(export_workbook, "BYTES_OF_A_SHEET", 1)
    m.crowd(export_workbook.ROWS_AT_ONCE + 2, chess)
    data = content(vera, "xlsx")
    assert [len(read_xlsx(data, number)) for number in (1, 2)] == [export_workbook.ROWS_AT_ONCE + 1, 3]


def test_times_are_times_and_what_looks_like_an_escape_stays_as_it_is(vera, chess):
    m.participant('_x0041_ <&> "Ada"  ', chess, last_read_at=READ_AT)
    _head, (name, _group, _manager, read_at) = read_xlsx(content(vera, "xlsx"))
    assert name == '_x005F_x0041_ <&> "Ada"  '
    there = datetime(1899, 12, 30) + timedelta(days=float(read_at))
    assert abs(there - timezone.localtime(READ_AT).replace(tzinfo=None)) < timedelta(milliseconds=1)


def test_a_long_cell_is_cut_where_a_sheet_holds_no_more(vera, chess):
    m.participant("Ada", chess)
    cell = read_xlsx(content(vera, "xlsx", columns=[("Long", lambda row: "x" * 40_000)]))[1][0]
    assert len(cell) == 32_767


def test_an_export_that_is_left_leaves_nothing_behind(vera, chess):
    m.crowd(2000, chess)
    for format in FORMATS:
        rows = made(vera, format)[2]
        next(rows)
        rows.close()


@pytest.mark.parametrize("format", ["csv", "json", "xlsx"])
def test_memory_stays_flat_however_long_the_list(vera, chess, format):
    m.crowd(6_000, chess)
    tracemalloc.start()
    size = sum(len(part) for part in made(vera, format)[2])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert size > 50_000
    assert peak < 3_000_000


@pytest.mark.parametrize("format", FORMATS)
def test_the_first_bytes_of_a_long_list_come_at_once(vera, chess, format):
    m.crowd(8_000, chess)
    rows = made(vera, format)[2]
    began = time.monotonic()
    assert len(next(rows) + next(rows)) < 100_000
    assert time.monotonic() - began < 0.5
    rows.close()
    assert connection.is_usable()
