"""CSV as it comes: in four encodings, with whatever stands between its cells."""

import codecs
import csv
import io
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import IO, cast

from membership.errors import ChangeRefused, Reason
from membership.services.rosters.limits import LONGEST_CELL, Row

DELIMITERS = (";", ",", "\t", "|")
_HEAD_BYTES = 64 * 1024
_HEAD_LINES = 20
_BYTES_AT_ONCE = 256 * 1024
_UTF_32 = (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)
_NO_TEXT = frozenset(map(chr, range(32))) - set("\t\n\r\f\v\x1b")
_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


def encoding_of(file: IO[bytes]) -> str:
    """The encoding in which the whole file can be read. Raises `ChangeRefused` when there is none."""
    file.seek(0)
    head = file.read(_HEAD_BYTES)
    for encoding in _candidates(head):
        if _reads(file, encoding) and not _is_binary(head, encoding):
            return encoding
    raise ChangeRefused(Reason.ROSTER_ENCODING)


def _candidates(head: bytes) -> Sequence[str]:
    if head.startswith(_UTF_32):
        return ()
    for mark, encoding in _MARKS:
        if head.startswith(mark):
            return (encoding,)
    if b"\0" in head:
        # UTF-16 without a mark: every other byte of Latin letters is zero.
        return ("utf-16-be",) if head[0::2].count(0) > head[1::2].count(0) else ("utf-16-le",)
    return ("utf-8", "cp1252")


def _reads(file: IO[bytes], encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    file.seek(0)
    try:
        while part := file.read(_BYTES_AT_ONCE):
            decoder.decode(part)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _is_binary(head: bytes, encoding: str) -> bool:
    """Whether it only happens to decode: text has hardly any control characters."""
    text = head.decode(encoding, "ignore")
    return sum(character in _NO_TEXT for character in text) > len(text) / 100


def delimiter_of(file: IO[bytes], encoding: str) -> str:
    """What stands between cells: what divides the first lines most evenly."""
    file.seek(0)
    text = file.read(_HEAD_BYTES).decode(encoding, "ignore")
    lines = text.splitlines()[:_HEAD_LINES]
    if lines and (named := _named(lines[0])):
        return named
    return max(DELIMITERS, key=lambda delimiter: _evenness(lines, delimiter))


def _named(line: str) -> str:
    """The delimiter that a first line such as "sep=;" names: spreadsheets write it."""
    word, _equals, sign = line.lower().partition("sep=")
    return sign if not word and sign in DELIMITERS else ""


def _evenness(lines: Sequence[str], delimiter: str) -> tuple[float, int]:
    """The share of lines with the usual number of cells, and that number. One cell a line divides nothing."""
    try:
        widths = Counter(len(cells) for cells in csv.reader(lines, delimiter=delimiter) if cells)
    except csv.Error:
        return (0, 0)
    width, count = widths.most_common(1)[0] if widths else (0, 0)
    return (count / widths.total(), width) if width > 1 else (0, 0)


def rows(file: IO[bytes], encoding: str, delimiter: str) -> Iterator[Row]:
    """Every row with the number of its last line. The file stays open."""
    text = io.TextIOWrapper(cast("io.BufferedReader", file), encoding=encoding, newline="")
    reader = csv.reader(text, delimiter=delimiter)
    try:
        for cells in reader:
            if reader.line_num == 1 and len(cells) < 3 and _named(delimiter.join(cells)):
                continue
            yield reader.line_num, cells
    except csv.Error as error:
        # The only thing that this reader finds wrong: a cell beyond its own limit.
        raise ChangeRefused(Reason.ROSTER_CELL_TOO_LONG, line=reader.line_num, limit=LONGEST_CELL) from error
    finally:
        # Else the file would be closed with the text above it; where it is already, there is nothing to keep.
        with suppress(ValueError):
            text.detach()
