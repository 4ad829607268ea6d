"""Tables of any kind that is taken, as rows of text: looked at once, then read row by row, in little memory.

Everything that a file can do wrong raises `ChangeRefused` with one sentence.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import IO, Any

from membership.errors import ChangeRefused, Reason
from membership.services.rosters import delimited, workbook
from membership.services.rosters.limits import LONGEST_CELL, MOST_COLUMNS, Row

SAMPLE_ROWS = 5
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_ZIP = b"PK\x03\x04"
_NOT_TABLES = (b"\xd0\xcf\x11\xe0", b"%PDF", b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"\x1f\x8b", b"Rar!", b"7z\xbc\xaf")
"""Beginnings of files that are often taken for lists: old or locked Excel files (OLE), PDF, pictures, archives."""


@dataclass(frozen=True, slots=True)
class Layout:
    """How a file is to be read. `kind`: csv or xlsx. `has_headings`: its first row names the columns."""

    kind: str
    encoding: str = ""
    delimiter: str = ""
    has_headings: bool = True

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Look:
    """What the beginning of a file says."""

    layout: Layout
    headings: Sequence[str]
    sample: Sequence[Sequence[str]]


def look(file: IO[bytes]) -> Look:
    """How the file is to be read, its headings and first rows. Raises `ChangeRefused` for what is no list."""
    layout = layout_of(file)
    first = [cells for _line, cells in _some(rows(file, layout, from_the_top=True), SAMPLE_ROWS + 1)]
    # A row that holds an address is no row of headings.
    has_headings = not (first and any("@" in cell for cell in first[0]))
    layout = Layout(layout.kind, layout.encoding, layout.delimiter, has_headings)
    sample = first[1:] if has_headings else first[:SAMPLE_ROWS]
    if not sample:
        raise ChangeRefused(Reason.ROSTER_NO_ROW)
    width = max(len(cells) for cells in first)
    headings = [*first[0], *[""] * (width - len(first[0]))] if has_headings else [""] * width
    return Look(layout, headings, sample)


def rows(file: IO[bytes], layout: Layout, *, from_the_top: bool = False) -> Iterator[Row]:
    """`(line in the file, its cells)` of all rows that hold anything, headings left out unless `from_the_top`."""
    file.seek(0)
    source = workbook.rows(file) if layout.kind == "xlsx" else delimited.rows(file, layout.encoding, layout.delimiter)
    is_first = layout.has_headings and not from_the_top
    for line, given in source:
        cells = [_plain(cell) for cell in given]
        if any(len(cell) > LONGEST_CELL for cell in cells):
            raise ChangeRefused(Reason.ROSTER_CELL_TOO_LONG, line=line, limit=LONGEST_CELL)
        if not any(cells) and not any(isinstance(cell, workbook.NoValue) for cell in cells):
            continue
        if is_first:
            is_first = False
            continue
        yield line, cells[:MOST_COLUMNS]


def _plain(cell: str) -> str:
    """A cell in one line, without characters that no database keeps."""
    if isinstance(cell, workbook.NoValue):
        return cell
    plain = " ".join(cell.split())
    return plain if plain.isprintable() else _CONTROL.sub("", plain)


def _some(source: Iterator[Row], count: int) -> Iterator[Row]:
    for _number, row in zip(range(count), source, strict=False):
        yield row


def layout_of(file: IO[bytes]) -> Layout:
    """How a file is to be read, with headings on top. Raises `ChangeRefused` for what is no list."""
    file.seek(0)
    beginning = file.read(8)
    if beginning.startswith(_ZIP):
        return Layout("xlsx")
    if not beginning:
        raise ChangeRefused(Reason.ROSTER_NO_ROW)
    if beginning.startswith(_NOT_TABLES):
        raise ChangeRefused(Reason.ROSTER_KIND)
    encoding = delimited.encoding_of(file)
    return Layout("csv", encoding, delimited.delimiter_of(file, encoding))
