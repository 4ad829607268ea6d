"""Which column of a list means what: guessed, chosen, and remembered for the system."""

import re
from collections.abc import Mapping, Sequence

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from membership.errors import BadValue, ChangeRefused, Reason
from membership.models import Connection, RosterColumns
from membership.services.rosters.workbook import NoValue

USES: Mapping[str, str | Promise] = {
    "id": _("Id there"),
    "email": _("E-mail"),
    "name": _("Name"),
    "surname": _("Family name, where it has a column of its own"),
}
Columns = Mapping[str, int]
"""`{use: number of the column, from 0}`."""

_GUESSES: Mapping[str, re.Pattern[str]] = {
    "email": re.compile(r"e-?mail|mail(adresse)?|почта|correo|courriel", re.IGNORECASE),
    "surname": re.compile(r"nachname|familienname|(last|family|sur)[ _-]?name|фамилия|apellidos?", re.IGNORECASE),
    "name": re.compile(r"(full|first|given|display)?[ _-]?name|vorname|имя|фио|nombre|nom", re.IGNORECASE),
    "id": re.compile(r"id|id there|id of the account|(account|user|person)[ _-]?id|kennung", re.IGNORECASE),
}
# What our own exports put before text that a spreadsheet would take for a formula.
_APOSTROPHE = re.compile(r"'(?=[=+\-@\t\r\n＝＋－＠])")


def guess(headings: Sequence[str], sample: Sequence[Sequence[str]]) -> dict[str, int]:
    """What the headings say; an e-mail column also by its contents."""
    found: dict[str, int] = {}
    for use, words in _GUESSES.items():
        # The more special headings come later in a file of ours: "id of the account" outranks "id there".
        fitting = [n for n, heading in enumerate(headings) if words.fullmatch(heading) and n not in found.values()]
        if fitting:
            found[use] = fitting[-1] if use == "id" else fitting[0]
    if "email" not in found:
        counts: list[int] = [sum(len(row) > n and "@" in row[n] for row in sample) for n in range(len(headings))]
        most = max(counts, default=0)
        if most:
            found["email"] = counts.index(most)
    return found


def remembered(connection: Connection, headings: Sequence[str]) -> dict[str, int] | None:
    """The columns that were chosen for this system before; None where this file does not have all of them, once."""
    row = RosterColumns.objects.filter(connection=connection).first()
    if row is None or not row.headings:
        return None
    if any(headings.count(heading) != 1 for heading in row.headings.values()):
        return None
    return {use: headings.index(heading) for use, heading in row.headings.items()}


def remember(connection: Connection, headings: Sequence[str], columns: Columns) -> None:
    """Keep them by their headings; without headings there is nothing to remember. Inside the caller's transaction."""
    named = {use: headings[column] for use, column in columns.items()}
    if all(named.values()):
        RosterColumns.objects.update_or_create(connection=connection, defaults={"headings": named})


def checked(columns: Mapping[str, int], headings: Sequence[str]) -> dict[str, int]:
    """The columns as they can be used. Raises `ChangeRefused` for one that is chosen twice, or where nobody could be
    found by them; `BadValue` for one that the file does not have."""
    used: dict[int, str] = {}
    for use, column in columns.items():
        if use not in USES or not 0 <= column < len(headings):
            raise BadValue(Reason.BAD_VALUE, key=str(USES.get(use, use)), why=str(column))
        if column in used:
            raise ChangeRefused(Reason.ROSTER_COLUMN_TWICE, column=headings[column] or f"{column + 1}")
        used[column] = use
    if not {"id", "email", "name"} & columns.keys():
        raise ChangeRefused(Reason.ROSTER_NO_COLUMN)
    return dict(columns)


class Said:
    """What one row says of a person."""

    __slots__ = ("email", "id", "name")

    def __init__(self, line: int, cells: Sequence[str], columns: Columns) -> None:
        """Raises `ChangeRefused` where one of the cells is a formula without its value."""
        self.id = _cell(line, cells, columns.get("id"))
        self.email = _cell(line, cells, columns.get("email")).casefold()
        given, family = _cell(line, cells, columns.get("name")), _cell(line, cells, columns.get("surname"))
        self.name = f"{given} {family}".strip() if family else given

    def __bool__(self) -> bool:
        return bool(self.id or self.email or self.name)


def _cell(line: int, cells: Sequence[str], column: int | None) -> str:
    if column is None or column >= len(cells):
        return ""
    cell = cells[column]
    if isinstance(cell, NoValue) or cell.startswith("="):
        raise ChangeRefused(Reason.ROSTER_FORMULA, line=line)
    return _APOSTROPHE.sub("", cell, count=1) if cell.startswith("'") else cell
