"""XLSX, read row by row: the first visible sheet, its cells as text, formulas as the values stored beside them.

An XLSX file is a ZIP archive of XML files (ECMA-376, part 1, 18.3 and 18.4). What it may unpack to is checked before
anything is unpacked, and counted while it is; XML that declares types or entities is refused.
"""

import posixpath
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import IO, NoReturn
from xml.parsers import expat

from membership.errors import ChangeRefused, Reason
from membership.services.rosters.limits import LONGEST_CELL, MOST_COLUMNS, MOST_RATIO, MOST_TEXT, MOST_UNPACKED, Row

_BYTES_AT_ONCE = 64 * 1024
_MAIN = "xl/workbook.xml"
_RELATIONS = "xl/_rels/workbook.xml.rels"
_SHARED = "xl/sharedStrings.xml"
_EXACT_TO = 10**15
_BY_NUMBER = re.compile("_x([0-9a-fA-F]{4})_")

Attributes = Mapping[str, str]


class NoValue(str):
    """A cell that holds a formula, and no value of it."""

    __slots__ = ()


def rows(file: IO[bytes]) -> Iterator[Row]:
    """`(number of the row, its cells)` of the first visible sheet."""
    try:
        with zipfile.ZipFile(file) as book:
            _need_harmless(book)
            sheet = _first_sheet(book)
            shared = _shared_texts(book)
            yield from _Sheet(shared).rows(book, sheet)
    except (zipfile.BadZipFile, zlib.error, expat.ExpatError, NotImplementedError, EOFError, KeyError) as error:
        raise ChangeRefused(Reason.ROSTER_DAMAGED) from error


def _need_harmless(book: zipfile.ZipFile) -> None:
    members = book.infolist()
    packed = sum(member.compress_size for member in members)
    unpacked = sum(member.file_size for member in members)
    if unpacked > MOST_UNPACKED or unpacked > MOST_RATIO * max(packed, 4096):
        raise ChangeRefused(Reason.ROSTER_BOMB)
    if any(member.flag_bits & 1 for member in members):  # encrypted
        raise ChangeRefused(Reason.ROSTER_KIND)


# XML


class _Parser:
    """Streams one member of the archive through expat; `begin`, `end` and `text` get local names without prefixes."""

    def __init__(self) -> None:
        parser = expat.ParserCreate(namespace_separator=" ")
        parser.StartDoctypeDeclHandler = self._refuse
        parser.EntityDeclHandler = self._refuse
        parser.StartElementHandler = lambda name, attributes: self.begin(_local(name), attributes)
        parser.EndElementHandler = lambda name: self.end(_local(name))
        parser.CharacterDataHandler = self.text
        parser.buffer_text = True
        self._parser = parser

    @staticmethod
    def _refuse(*_declared: object) -> NoReturn:
        raise ChangeRefused(Reason.ROSTER_DAMAGED)

    def begin(self, name: str, attributes: Attributes) -> None: ...

    def end(self, name: str) -> None: ...

    def text(self, text: str) -> None: ...

    def read(self, book: zipfile.ZipFile, member: str) -> Iterator[None]:
        """Parse the member, one piece a turn. Sizes in the archive may lie: what comes is counted."""
        seen = 0
        with book.open(member) as source:
            while part := source.read(_BYTES_AT_ONCE):
                seen += len(part)
                if seen > MOST_UNPACKED:
                    raise ChangeRefused(Reason.ROSTER_BOMB)
                self._parser.Parse(part, False)
                yield
            self._parser.Parse(b"", True)
            yield

    def read_all(self, book: zipfile.ZipFile, member: str) -> None:
        for _piece in self.read(book, member):
            pass


def _local(name: str) -> str:
    return name.rpartition(" ")[2]


class _Tags(_Parser):
    """Calls `found(attributes)` for each element of one name."""

    def __init__(self, name: str, found: Callable[[Attributes], None]) -> None:
        super().__init__()
        self._name, self._found = name, found

    def begin(self, name: str, attributes: Attributes) -> None:
        if name == self._name:
            self._found(attributes)


def _first_sheet(book: zipfile.ZipFile) -> str:
    """The member that holds the first sheet which is not hidden."""
    sheets: list[str] = []
    targets: dict[str, str] = {}

    def sheet(attributes: Attributes) -> None:
        if attributes.get("state", "visible") == "visible":
            # Its namespace has two names, one for each variant of the standard.
            sheets.append(next((value for key, value in attributes.items() if key.endswith(" id")), ""))

    def relation(attributes: Attributes) -> None:
        targets[attributes.get("Id", "")] = attributes.get("Target", "")

    _Tags("sheet", sheet).read_all(book, _MAIN)
    _Tags("Relationship", relation).read_all(book, _RELATIONS)
    if not sheets:
        raise ChangeRefused(Reason.ROSTER_NO_ROW)
    target = targets[sheets[0]]
    return target.lstrip("/") if target.startswith("/") else posixpath.normpath(posixpath.join("xl", target))


class _Texts(_Parser):
    """The shared texts, in order. Phonetic hints (rPh) are not part of them."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._pieces: list[str] = []
        self._size = 0
        self._total = 0
        self._in_text = False
        self._hints = 0

    def begin(self, name: str, attributes: Attributes) -> None:
        if name == "si":
            self._pieces, self._size = [], 0
        elif name == "rPh":
            self._hints += 1
        self._in_text = name == "t" and not self._hints

    def end(self, name: str) -> None:
        self._in_text = False
        if name == "rPh":
            self._hints -= 1
        elif name == "si":
            self.found.append(_text("".join(self._pieces)))

    def text(self, text: str) -> None:
        if not self._in_text:
            return
        self._total += len(text)
        if self._total > MOST_TEXT:
            raise ChangeRefused(Reason.ROSTER_BOMB)
        # One more than a cell may have: where one uses the text, it is found too long.
        kept = text[: LONGEST_CELL + 1 - self._size]
        self._size += len(kept)
        self._pieces.append(kept)


def _shared_texts(book: zipfile.ZipFile) -> list[str]:
    if _SHARED not in book.namelist():
        return []
    texts = _Texts()
    texts.read_all(book, _SHARED)
    return texts.found


class _Sheet(_Parser):
    """Rows of one sheet: each is given on when it has ended, so that memory does not grow with their number."""

    def __init__(self, shared: list[str]) -> None:
        super().__init__()
        self._shared = shared
        self._done: list[Row] = []
        self._line = 0
        self._cells: list[str] = []
        self._column = 0
        self._type = ""
        self._has_formula = self._has_value = False
        self._pieces: list[str] = []
        self._size = 0
        self._reads = False
        self._hints = 0

    def rows(self, book: zipfile.ZipFile, member: str) -> Iterator[Row]:
        for _piece in self.read(book, member):
            done, self._done = self._done, []
            yield from done

    def begin(self, name: str, attributes: Attributes) -> None:
        self._reads = False
        if name == "row":
            number = attributes.get("r", "")
            self._line = int(number) if number.isdecimal() else self._line + 1
            self._cells, self._column = [], 0
        elif name == "c":
            self._column = _column(attributes.get("r", "")) or self._column + 1
            self._type = attributes.get("t", "n")
            self._has_formula = self._has_value = False
            self._pieces, self._size = [], 0
        elif name == "f":
            self._has_formula = True
        elif name == "rPh":
            self._hints += 1
        elif name in ("v", "t") and not self._hints:
            self._has_value = self._reads = True

    def end(self, name: str) -> None:
        self._reads = False
        if name == "rPh":
            self._hints -= 1
        elif name == "c":
            self._put(self._value())
        elif name == "row":
            self._done.append((self._line, self._cells))

    def text(self, text: str) -> None:
        if not self._reads:
            return
        self._size += len(text)
        if self._size > LONGEST_CELL:
            raise ChangeRefused(Reason.ROSTER_CELL_TOO_LONG, line=self._line, limit=LONGEST_CELL)
        self._pieces.append(text)

    def _value(self) -> str:
        said = "".join(self._pieces)
        if self._has_formula and not said and not (self._type == "str" and self._has_value):
            return NoValue()
        if self._type == "s":
            number = int(said) if said.strip().isdecimal() else -1
            if not 0 <= number < len(self._shared):
                raise ChangeRefused(Reason.ROSTER_DAMAGED)
            return self._shared[number]
        return _number(said) if self._type == "n" else _text(said)

    def _put(self, value: str) -> None:
        # Empty cells need not be written: the reference says how many were left out.
        missing = min(self._column, MOST_COLUMNS + 1) - 1 - len(self._cells)
        if missing > 0:
            self._cells += [""] * missing
        if len(self._cells) < MOST_COLUMNS:
            self._cells.append(value)


def _column(reference: str) -> int:
    """2 for "B7"; 0 where there is none."""
    number = 0
    for letter in reference:
        if not "A" <= letter <= "Z":
            break
        number = number * 26 + ord(letter) - 64
    return number


def _number(said: str) -> str:
    """A number as people write it: ids are whole, and a spreadsheet may store 42 as 42.0 or 4.2E1."""
    try:
        value = float(said)
    except ValueError:
        return said
    return str(int(value)) if value.is_integer() and abs(value) < _EXACT_TO else said


def _text(said: str) -> str:
    """A text as it shows itself: what XML has no sign for is written by number (ECMA-376, part 1, 22.9.2.19)."""
    return _BY_NUMBER.sub(lambda found: chr(int(found[1], 16)), said) if "_x" in said else said
