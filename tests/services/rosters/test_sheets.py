"""Files as they come, read as rows of text; and what is refused, in one sentence each."""

import io
import random
import zipfile

import pytest

from membership.errors import ChangeRefused, Reason
from membership.services import export_workbook
from membership.services.rosters import sheets
from membership.services.rosters.limits import LONGEST_CELL
from tests.services.rosters.conftest import csv_of, xlsx_of

pytestmark = pytest.mark.pure

HEADINGS = ("Kennung", "Name", "E-Mail")
ROWS = (("7", "Zoë Müller", "zoe@example.org"), ("8", "José “Pepe” Ñandú", "jose@example.org"))


def read(content):
    file = io.BytesIO(content)
    seen = sheets.look(file)
    return seen, [cells for _line, cells in sheets.rows(file, seen.layout)]


def refusal(content):
    with pytest.raises(ChangeRefused) as refused:
        read(content)
    return refused.value.reason


@pytest.mark.parametrize("delimiter", [";", ",", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
def test_every_encoding_and_delimiter_is_recognised(encoding, delimiter):
    seen, rows = read(csv_of(HEADINGS, *ROWS, delimiter=delimiter, encoding=encoding))
    assert tuple(seen.headings) == HEADINGS
    assert [tuple(row) for row in rows] == list(ROWS)


def test_letters_that_utf_16_has_beyond_latin_are_read():
    _seen, rows = read(csv_of(("имя", "почта"), ("Иван Петров", "ivan@example.org"), encoding="utf-16"))
    assert rows == [["Иван Петров", "ivan@example.org"]]


def test_quotes_blank_lines_and_the_hint_of_spreadsheets_are_understood():
    text = 'sep=;\r\nName;E-Mail\r\n\r\n"Müller; Zoë";" zoe@example.org "\r\n;\r\n"two\r\nlines";x@example.org\r\n'
    seen, rows = read(text.encode())
    assert rows == [["Müller; Zoë", "zoe@example.org"], ["two lines", "x@example.org"]]
    assert seen.layout.delimiter == ";"


def test_a_file_without_headings_has_its_first_row_as_somebody():
    seen, rows = read(csv_of(("Ada", "ada@example.org"), ("Zoë", "zoe@example.org")))
    assert (list(seen.headings), len(rows)) == (["", ""], 2)


def test_a_workbook_is_read_as_it_shows_itself():
    content = xlsx_of(
        HEADINGS,
        (7, "Zoë Müller", "zoe@example.org"),
        (8.5, lambda s, r, c: s.write_rich_string(r, c, "José ", "Ñan", "dú"), ""),
        ("", "", "only@example.org"),
        ("'=x",
         lambda s, r, c: s.write_formula(r, c, '=A1&"x"', value="Ada"), lambda s, r, c: s.write_boolean(r, c, 1)),
    )  # fmt: skip
    seen, rows = read(content)
    assert tuple(seen.headings) == HEADINGS
    assert rows == [
        ["7", "Zoë Müller", "zoe@example.org"],
        ["8.5", "José Ñandú"],
        ["", "", "only@example.org"],
        ["'=x", "Ada", "1"],
    ]


def test_a_workbook_of_inline_texts_and_a_hidden_first_sheet_is_read():
    file = io.BytesIO()
    import xlsxwriter

    book = xlsxwriter.Workbook(file, {"constant_memory": True})
    hidden, shown = book.add_worksheet("a"), book.add_worksheet("b")
    hidden.write_string(0, 0, "nobody")
    for row, cells in enumerate((HEADINGS, *ROWS)):
        shown.write_row(row, 0, cells)
    hidden.hide()
    shown.activate()
    shown.set_first_sheet()
    book.close()
    _seen, rows = read(file.getvalue())
    assert rows[0] == list(ROWS[0])


def test_our_own_exports_are_read_as_they_were_written():
    rows = [("_x0041_", "Zoë <&> Müller", "two\nlines"), ("7", "_x", "_x0041_x0042_")]
    _seen, read_again = read(b"".join(export_workbook.write(HEADINGS, iter(rows))))
    assert read_again == [["_x0041_", "Zoë <&> Müller", "two lines"], ["7", "_x", "_x0041_x0042_"]]


def with_member(name, data, method=zipfile.ZIP_DEFLATED):
    """An ordinary workbook in which one member is replaced."""
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(xlsx_of(HEADINGS, *ROWS))) as source, zipfile.ZipFile(made, "w", method) as target:
        for member in source.namelist():
            target.writestr(member, data if member == name else source.read(member))
    return made.getvalue()


SHEET = "xl/worksheets/sheet1.xml"
LAUGHS = (
    '<!DOCTYPE a [<!ENTITY x "xxxxxxxxxx"><!ENTITY y "&x;&x;&x;">]><worksheet><sheetData>&y;</sheetData></worksheet>'
)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", Reason.ROSTER_NO_ROW),
        (b"\r\n;;\r\n", Reason.ROSTER_NO_ROW),
        (csv_of(HEADINGS), Reason.ROSTER_NO_ROW),
        (xlsx_of(HEADINGS), Reason.ROSTER_NO_ROW),
        (b"%PDF-1.7 ...", Reason.ROSTER_KIND),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 old or locked Excel", Reason.ROSTER_KIND),
        (b"name\r\n\x81\x8d\x8f\x90", Reason.ROSTER_ENCODING),
        ("name\r\nZoë\r\n".encode("utf-32"), Reason.ROSTER_ENCODING),
        ("name;m\r\nZoë;x\r\n".encode("utf-16") + b"\x00", Reason.ROSTER_ENCODING),
        (random.Random(5).randbytes(5000), Reason.ROSTER_ENCODING),
        (csv_of(HEADINGS, ("1", "x" * 10_000_000, "")), Reason.ROSTER_CELL_TOO_LONG),
        (csv_of(HEADINGS, ("1", "x" * (LONGEST_CELL + 1), "")), Reason.ROSTER_CELL_TOO_LONG),
        (b'a;b\r\n1;"never closed\r\n' + b"x;y\r\n" * 200_000, Reason.ROSTER_CELL_TOO_LONG),
        (with_member(SHEET, f'<worksheet><sheetData><row><c t="inlineStr"><is><t>{"x" * 10_000_000}</t></is></c></row>'
                            "</sheetData></worksheet>", zipfile.ZIP_STORED), Reason.ROSTER_CELL_TOO_LONG),
        (with_member("xl/sharedStrings.xml", f"<sst><si><t>{'ab' * 5_000_000}</t></si>{'<si><t>x</t></si>' * 9}</sst>",
                     zipfile.ZIP_STORED), Reason.ROSTER_CELL_TOO_LONG),
        (with_member(SHEET, LAUGHS), Reason.ROSTER_DAMAGED),
        (with_member(SHEET, "<worksheet><sheetData><row>"), Reason.ROSTER_DAMAGED),
        (with_member(SHEET, '<worksheet><sheetData><row><c t="s"><v>999</v></c></row></sheetData></worksheet>'),
         Reason.ROSTER_DAMAGED),
        (xlsx_of(HEADINGS, *ROWS)[:900], Reason.ROSTER_DAMAGED),
        (with_member(SHEET, "<worksheet>" + " " * 20_000_000 + "</worksheet>"), Reason.ROSTER_BOMB),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_refused_for_its_reason(content, reason):
    assert refusal(content) == reason


def test_a_workbook_that_lies_about_its_size_is_stopped_while_it_is_unpacked(monkeypatch):
    monkeypatch.setattr("membership.services.rosters.workbook._need_harmless", lambda book: None)
    monkeypatch.setattr("membership.services.rosters.workbook.MOST_UNPACKED", 1_000_000)
    assert refusal(with_member(SHEET, "<worksheet>" + " " * 2_000_000 + "</worksheet>")) == Reason.ROSTER_BOMB


def test_all_texts_of_a_workbook_together_have_a_limit(monkeypatch):
    monkeypatch.setattr("membership.services.rosters.workbook.MOST_TEXT", 1000)
    many = "".join(f"<si><t>{'x' * 100}</t></si>" for _ in range(20))
    assert refusal(with_member("xl/sharedStrings.xml", f"<sst>{many}</sst>")) == Reason.ROSTER_BOMB
