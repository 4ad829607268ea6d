"""Statements written out, for what a worker asks many times a second.

The ORM builds each of its own anew, in some tenths of a millisecond: a round of the books for twelve steps took 12 ms
of the processor with it, and takes 4.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from django.db import connection

Row = tuple[Any, ...]

_LOCKS = re.compile(r" FOR (?:NO KEY )?UPDATE(?: OF \w+)?$")
_LISTS = {"sqlite": "IN (SELECT value FROM json_each(%s))", "postgresql": "= ANY(%s)"}


class Statement:
    """SQL that both databases understand, but for three words that each of them is told its own way:

    `AMONG %s`    equal to one of a list of ids or of texts; the list is one parameter
    `FOR UPDATE`  at the end, with what may follow it: SQLite has one writer at a time, and no such words
    `PAIRS`       a table of two columns, `column1` and `column2`: see `over`

    Values are as the database takes them: times through `bulk.stored_time`. `fixed` stands in the text, by `{name}`.
    """

    def __init__(self, text: str, **fixed: Any) -> None:
        self._text = " ".join(text.format(**fixed).split())
        self._said: dict[str, str] = {}

    def rows(self, *params: Any) -> list[Row]:
        with connection.cursor() as cursor:
            cursor.execute(self._for_vendor(), self._fit(params))
            found: list[Row] = cursor.fetchall()
        return found

    def run(self, *params: Any) -> int:
        """How many rows it changed."""
        with connection.cursor() as cursor:
            cursor.execute(self._for_vendor(), self._fit(params))
            return int(cursor.rowcount)

    def over(self, pairs: Mapping[int, int | None], *params: Any) -> int:
        """Run it with `PAIRS` made of keys and values, which come after `params`. How many rows it changed."""
        if not pairs:
            return 0
        marks = ", ".join(["(%s, %s)"] * len(pairs))
        values = [value for pair in pairs.items() for value in pair]
        with connection.cursor() as cursor:
            cursor.execute(self._for_vendor().replace("PAIRS", f"(VALUES {marks})"), [*self._fit(params), *values])
            return int(cursor.rowcount)

    def _for_vendor(self) -> str:
        vendor = connection.vendor
        if vendor not in self._said:
            text = self._text.replace("AMONG %s", _LISTS[vendor])
            self._said[vendor] = _LOCKS.sub("", text) if vendor == "sqlite" else text
        return self._said[vendor]

    @staticmethod
    def _fit(params: tuple[Any, ...]) -> list[Any]:
        if connection.vendor == "sqlite":
            return [json.dumps(value) if isinstance(value, list) else value for value in params]
        return list(params)


def listed(states: frozenset[str]) -> str:
    """States for `IN (…)`."""
    return ", ".join(f"'{state}'" for state in sorted(map(str, states)))


def as_flag(value: Any) -> bool | None:
    """A boolean as it was stored: SQLite tells 0 and 1."""
    return None if value is None else bool(value)
