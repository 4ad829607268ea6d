"""Strict JSON: what is ambiguous is refused, what no database can store is replaced visibly.

Refused: NaN and infinities, duplicate keys, integers beyond 64 bit, floats that overflow, nesting deeper than
`MAX_DEPTH`, text that is not UTF-8, cut short, or followed by more. NUL and lone surrogates become U+FFFD.
"""

import json
import math
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any, NoReturn

import ijson

from membership.errors import Reason
from membership.providers.base import Json
from membership.providers.errors import OutcomeUnknown

MAX_DEPTH = 64
MAX_KEYS = 100_000  # of one object: their names are kept to find duplicates
MAX_ITEM_BYTES = 8 * 1024 * 1024
SMALLEST, LARGEST = -(2**63), 2**63 - 1
INTEGER_DIGITS = len(str(SMALLEST))

HOSTILE_ESCAPE = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")
# A pair of surrogates, then NUL and lone surrogates, then every other escape: so that `\\u0000` (a backslash, then
# text) is not taken for a NUL.
ESCAPE = re.compile(
    rb"(?P<pair>\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})"
    rb"|(?P<hostile>\\u0000|\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
    rb"|\\.",
    re.DOTALL,
)
WHITESPACE = b" \t\r\n"
REPLACEMENT = rb"\ufffd"
# A string that never ends is taken to the end: searched again from each quote in it, it would take minutes.
STRING = re.compile(rb'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)', re.DOTALL)
ALL_BRACKETS_ALIKE = bytes.maketrans(b"{}", b"[]")
NO_BRACKETS = bytes(byte for byte in range(256) if byte not in b"[]{}")
HIGH_SURROGATE = re.compile(rb"\\u[dD][89abAB][0-9a-fA-F]{2}")
HALF_PAIR = 6
LONGEST_ESCAPE = 2 * HALF_PAIR


class NotStrictJson(OutcomeUnknown):
    """The text is not what `strict_json` lets pass. Never carries a part of the text."""

    def __init__(self, detail: str, **params: Any) -> None:
        super().__init__(Reason.ANSWER_UNREADABLE, detail=detail, **params)


def loads(body: bytes) -> Json:
    """The value of a small text (≤ 1 MiB). Raises `NotStrictJson`."""
    if HOSTILE_ESCAPE.search(body):
        body = _replace_hostile(body)
    # `json` is recursive: depth is counted before, cheaply for texts that cannot be deep.
    if body.count(b"[") + body.count(b"{") > MAX_DEPTH and _is_too_deep(body):
        raise NotStrictJson("too deep")
    try:
        return json.loads(
            body.decode("utf-8"),
            object_pairs_hook=_object_without_duplicates,
            parse_constant=_refuse_constant,
            parse_int=_integer,
            parse_float=lambda text: _number(float(text)),
        )
    except NotStrictJson:
        raise
    except (ValueError, RecursionError):
        raise NotStrictJson("not JSON") from None


def items(chunks: Iterable[bytes], prefix: str) -> Iterator[Json]:
    """The values below `prefix` one by one, with flat memory. Raises `NotStrictJson`.

    "item": elements of a top-level array; "data.chats.item": nested; "": the whole value. Everything else is checked as
    strictly, but not kept. Also raises when nothing stands at `prefix`, and for texts that are no array or object.
    """
    walker = _Walker(tuple(prefix.split(".")) if prefix else ())
    events = ijson.sendable_list()
    parser = ijson.basic_parse_coro(events)
    silent_bytes = 0
    last = b""
    for chunk in _without_hostile_escapes(chunks):
        # Up to the last byte that says something. It has to be the one that ends the value: a string that is opened
        # after the end, and not closed, is no error to the parser.
        text = last + chunk
        told = text.rstrip(WHITESPACE)
        last = text[max(0, len(told) - 1) :]
        if len(told) > 1:  # to the parser, nothing at all is the end
            with _parsing():
                parser.send(told[:-1])
        # One huge string gives no event, however long it grows.
        silent_bytes = 0 if events else silent_bytes + len(chunk)
        walker.item_bytes += len(chunk)
        if max(silent_bytes, walker.item_bytes, len(last)) > MAX_ITEM_BYTES:
            raise NotStrictJson("one value is too large")
        yield from walker.take(events)
        del events[:]
    if walker.has_ended:
        raise NotStrictJson("more than one value")
    with _parsing():
        parser.send(last or b" ")
        parser.close()
    yield from walker.take(events)
    if not walker.found:
        raise NotStrictJson("not where it should be")


@contextmanager
def _parsing() -> Iterator[None]:
    try:
        yield
    except Exception:
        # Besides its own errors the parser lets through what Python's number and text types raise, and for an integer
        # of 5000 digits a SystemError.
        raise NotStrictJson("not JSON") from None


class _Frame:
    """One open array or object: `on_path` if it is part of the prefix, `value` if it is being kept."""

    __slots__ = ("is_array", "key", "names", "on_path", "value")

    def __init__(self, *, is_array: bool, on_path: bool, value: Json) -> None:
        self.is_array = is_array
        self.on_path = on_path
        self.value = value
        self.key = ""
        self.names: set[str] = set()


class _Walker:
    """Builds the wanted values out of parser events; skips, but checks, the others."""

    def __init__(self, prefix: tuple[str, ...]) -> None:
        self.prefix = prefix
        self.stack: list[_Frame] = []
        self.found = False
        self.has_ended = False
        self.item_bytes = 0

    def take(self, events: list[tuple[str, Json]]) -> Iterator[Json]:
        for event, value in events:
            if event == "map_key":
                self._name(value)
            elif event in ("start_map", "start_array"):
                self._open(is_array=event == "start_array")
            elif event in ("end_map", "end_array"):
                frame = self.stack.pop()
                self.has_ended = not self.stack
                if frame.value is not None and not self._is_kept():
                    yield frame.value
            else:
                if not self.stack:
                    raise NotStrictJson("no array or object")
                scalar = _number(value) if event == "number" else value
                if self._is_kept():
                    self._store(scalar)
                elif self._is_wanted():
                    self.found = True
                    yield scalar
            if not self._is_kept():
                self.item_bytes = 0

    def _name(self, name: str) -> None:
        frame = self.stack[-1]
        if name in frame.names:
            raise NotStrictJson("a key stands twice")
        if len(frame.names) >= MAX_KEYS:
            raise NotStrictJson("too many keys")
        frame.names.add(name)
        frame.key = name

    def _open(self, *, is_array: bool) -> None:
        if len(self.stack) >= MAX_DEPTH:
            raise NotStrictJson("too deep")
        on_path = self._child_is_on_path()
        value: Json = None
        if self._is_kept():
            value = [] if is_array else {}
            self._store(value)
        elif self._is_wanted():
            value = [] if is_array else {}
            self.found = True
        elif on_path and is_array and self.prefix[len(self.stack) :] == ("item",):
            self.found = True  # an empty array is an answer, too
        self.stack.append(_Frame(is_array=is_array, on_path=on_path, value=value))

    def _is_kept(self) -> bool:
        """Whether what comes next belongs to a value that is being kept."""
        return bool(self.stack) and self.stack[-1].value is not None

    def _child_is_on_path(self) -> bool:
        depth = len(self.stack)
        if depth == 0:
            return True
        frame = self.stack[-1]
        if not frame.on_path or depth > len(self.prefix):
            return False
        segment = self.prefix[depth - 1]
        # "item" is no key: an object that has one is not the list that was asked for.
        return segment == "item" if frame.is_array else segment == frame.key != "item"

    def _is_wanted(self) -> bool:
        return len(self.stack) == len(self.prefix) and self._child_is_on_path()

    def _store(self, value: Json) -> None:
        frame = self.stack[-1]
        if frame.is_array:
            frame.value.append(value)
        else:
            frame.value[frame.key] = value


def _number(value: int | float | Decimal) -> int | float:
    if isinstance(value, int):
        if not SMALLEST <= value <= LARGEST:
            raise NotStrictJson("an integer is too large")
        return value
    value = float(value)
    if not math.isfinite(value):
        raise NotStrictJson("a number is too large")
    return value


def _object_without_duplicates(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise NotStrictJson("a key stands twice")
    return value


def _refuse_constant(_name: str) -> NoReturn:
    raise NotStrictJson("not a number")


def _integer(text: str) -> int:
    if len(text) > INTEGER_DIGITS:
        raise NotStrictJson("an integer is too large")
    return int(_number(int(text)))


def _is_too_deep(body: bytes) -> bool:
    """Whether more than `MAX_DEPTH` brackets are open at once. Exact for JSON; anything else is refused anyway."""
    brackets = STRING.sub(b"", body).translate(ALL_BRACKETS_ALIKE, delete=NO_BRACKETS)
    for _level in range(MAX_DEPTH):
        brackets = brackets.replace(b"[]", b"")
        if not brackets:
            return False
    return True


def _replace_hostile(text: bytes) -> bytes:
    return ESCAPE.sub(lambda match: REPLACEMENT if match.group("hostile") else match.group(), text)


def _without_hostile_escapes(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The same text with NUL and lone surrogates replaced, wherever the chunks were cut."""
    rest = b""
    for chunk in chunks:
        text = rest + chunk
        cut = _before_open_escape(text)
        rest = text[cut:]
        head = text[:cut]
        if head:
            yield _replace_hostile(head) if HOSTILE_ESCAPE.search(head) else head
    if rest:
        yield _replace_hostile(rest)


def _before_open_escape(text: bytes) -> int:
    """Where to cut, so that neither an escape nor a pair of them is cut in two."""
    first = text.find(b"\\", max(0, len(text) - LONGEST_ESCAPE + 1))
    if first < 0:
        return len(text)
    cut = first if _begins_escape(text, first) else first + 1
    # What is kept may be the second half of a pair.
    before = cut - HALF_PAIR
    if before >= 0 and HIGH_SURROGATE.fullmatch(text, before, cut) and _begins_escape(text, before):
        return before
    return cut


def _begins_escape(text: bytes, position: int) -> bool:
    """Whether the backslash there begins an escape: they come in pairs (an escaped one) from the start of their run."""
    run_start = len(text[:position].rstrip(b"\\"))
    return (position - run_start) % 2 == 0
