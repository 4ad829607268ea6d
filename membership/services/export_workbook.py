"""A list as an XLSX file that is sent while it is made, so that no proxy waits in vain for its first byte.

Rows go into the archive as they are read. What stands around them, from styles to the directory of sheets, is taken
from an empty workbook that xlsxwriter makes.
"""

import datetime as dt
import io
import math
import re
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import islice
from typing import Any
from xml.sax.saxutils import escape

import xlsxwriter
from xlsxwriter.utility import xl_col_to_name

from membership.services import export_cells as cells

ROWS_AT_ONCE = 500
ROWS_OF_A_SHEET = 1_048_576
"""Of XLSX, with the header: what goes beyond stands on a further sheet."""
BYTES_OF_A_SHEET = 1 << 30
"""An archive that nobody can wind back holds no larger part than 2 GiB without marks that some spreadsheets refuse."""

_KNOWS_THE_SHEETS = ("[Content_Types].xml", "docProps/app.xml", "xl/workbook.xml", "xl/_rels/workbook.xml.rels")
_SHEET = "xl/worksheets/sheet{}.xml"
_EPOCH = dt.datetime(1899, 12, 30)
_NOT_IN_TEXT = re.compile("[\x00-\x08\x0b-\x1f]")
_LOOKS_ESCAPED = re.compile("_(?=x[0-9a-fA-F]{4}_)")


class _Sink:
    """What an archive is written to: bytes that wait to be sent."""

    def __init__(self) -> None:
        self._waiting = bytearray()

    def write(self, data: bytes) -> int:
        self._waiting += data
        return len(data)

    def flush(self) -> None:
        """Nothing is kept back: bytes leave by `take`."""

    def take(self) -> bytes:
        data, self._waiting = bytes(self._waiting), bytearray()
        return data


def write(headers: Sequence[str], rows: Iterator[Sequence[Any]]) -> Iterator[bytes]:
    """The file in pieces. Memory is flat: rows are read as their bytes are asked for."""
    sink, sheets, batch = _Sink(), 0, _take(rows, ROWS_OF_A_SHEET - 1)
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:  # type: ignore[call-overload]  # writes are all it asks
        _copy(_workbook(headers, 1), archive, is_last=False)
        while batch or not sheets:
            sheets += 1
            before, style, after = _frame(headers, sheets)
            number, size = 1, 0
            with archive.open(_SHEET.format(sheets), "w") as sheet:
                sheet.write(before)
                while batch and number < ROWS_OF_A_SHEET and size < BYTES_OF_A_SHEET:
                    size += sheet.write(_rows(batch, number + 1, style))
                    number += len(batch)
                    yield sink.take()
                    batch = _take(rows, ROWS_OF_A_SHEET - number or ROWS_OF_A_SHEET - 1)
                sheet.write(after)
        _copy(_workbook(headers, sheets), archive, is_last=True)
    yield sink.take()


def _take(rows: Iterator[Sequence[Any]], room: int) -> list[Sequence[Any]]:
    return list(islice(rows, min(room, ROWS_AT_ONCE)))


# around the rows


def _workbook(headers: Sequence[str], sheets: int) -> zipfile.ZipFile:
    """A workbook with headers and, on each sheet, one row with a time, which lends its style."""
    file = io.BytesIO()
    with closing(xlsxwriter.Workbook(file, {"constant_memory": True})) as book:
        bold, times = book.add_format({"bold": True}), book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
        for _number in range(sheets):
            sheet = book.add_worksheet()
            sheet.freeze_panes(1, 0)
            for column, header in enumerate(headers):
                sheet.write_string(0, column, cells.text(header), bold)
            sheet.write_datetime(1, 0, _EPOCH.replace(year=2000), times)
    return zipfile.ZipFile(file)


def _copy(book: zipfile.ZipFile, archive: zipfile.ZipFile, *, is_last: bool) -> None:
    """The parts that name the sheets come last, when it is known how many there are."""
    for name in book.namelist():
        if not name.startswith("xl/worksheets/") and (name in _KNOWS_THE_SHEETS) == is_last:
            archive.writestr(name, book.read(name))


def _frame(headers: Sequence[str], number: int) -> tuple[bytes, str, bytes]:
    """What stands before the rows of a sheet and after them, and the style of a time. The first sheet is open."""
    text = _workbook(headers, 2).read(_SHEET.format(min(number, 2))).decode()
    before, row, after = re.split(r'(<row r="2".*</row>)', re.sub("<dimension [^>]*/>", "", text))
    style = re.search(r's="(\d+)"', row)
    return before.encode(), style[1] if style else "0", after.encode()


# rows


def _rows(batch: Sequence[Sequence[Any]], first: int, style: str) -> bytes:
    written = []
    for number, row in enumerate(batch, start=first):
        own = "".join(
            _cell(f"{xl_col_to_name(column)}{number}", cells.for_xlsx(value), style) for column, value in enumerate(row)
        )
        written.append(f'<row r="{number}">{own}</row>')
    return "".join(written).encode(errors="replace")


def _cell(place: str, value: cells.Cell, style: str) -> str:
    if isinstance(value, str):
        return f'<c r="{place}" t="inlineStr"><is><t xml:space="preserve">{_text(value)}</t></is></c>' if value else ""
    if isinstance(value, dt.datetime):
        return f'<c r="{place}" s="{style}"><v>{(value - _EPOCH) / dt.timedelta(days=1):.10f}</v></c>'
    return f'<c r="{place}"><v>{value!r}</v></c>' if math.isfinite(value) else ""


def _text(value: str) -> str:
    """As XML holds it: what it has no sign for is written as spreadsheets do, by number."""
    value = _LOOKS_ESCAPED.sub("_x005F_", value)
    return escape(_NOT_IN_TEXT.sub(lambda found: f"_x{ord(found[0]):04X}_", value))
