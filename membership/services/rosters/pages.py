"""What the pages of lists read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from membership.models import Roster, RosterRow, RosterState, RowOutcome
from membership.sentences import sentence
from membership.services.inert import inert
from membership.services.rosters import kept
from membership.services.rosters.columns import USES

ASKED_AT_ONCE = 1000
"""Proposals that one page shows: more names than these want a column with e-mail addresses."""


@dataclass(frozen=True, slots=True)
class Column:
    number: int
    heading: str


@dataclass(frozen=True, slots=True)
class Tally:
    outcome: str
    word: str
    count: int


@dataclass(frozen=True, slots=True)
class RosterPage:
    roster: Roster
    why: str
    """Why it could not be used, or has to be asked again."""
    columns: Sequence[Column]
    sample: Sequence[Sequence[tuple[str, str]]]
    """The first rows, each cell with the heading of its column."""
    uses: Sequence[tuple[str, str, int | None]]
    """(use, its words, the column that is chosen or guessed)."""
    tallies: Sequence[Tally]
    asked: Sequence[RosterRow]
    asked_count: int
    has_file: bool

    @property
    def inside(self) -> int:
        return int(self.roster.counts.get("inside", 0))

    @property
    def is_working(self) -> bool:
        return self.roster.state in RosterState.of_the_worker()


def roster_page(roster: Roster) -> RosterPage:
    """Everything the page of a list says, as its state is."""
    asks_columns, asks_rows = roster.state == RosterState.COLUMNS, roster.state == RosterState.ASKING
    asked = _asked(roster) if asks_rows else RosterRow.objects.none()
    columns = _columns(roster) if asks_columns else []
    return RosterPage(
        roster=roster,
        why=inert(sentence(roster.reason, roster.reason_params)) if roster.reason else "",
        columns=columns,
        sample=[_with_headings(columns, cells) for cells in roster.sample] if asks_columns else [],
        uses=[(use, str(words), roster.columns.get(use)) for use, words in USES.items()],
        tallies=_tallies(roster.counts),
        asked=list(asked[:ASKED_AT_ONCE]),
        asked_count=asked.count() if asks_rows else 0,
        has_file=not roster.is_emptied and roster.parts.exists(),
    )


def rows(roster: Roster) -> QuerySet[RosterRow]:
    """The rows for a downloaded sheet, in the order of the file."""
    return RosterRow.objects.filter(roster=roster).select_related("account").order_by("line")


def outcome_words(row: RosterRow) -> str:
    """What became of a row, for the sheet."""
    word = str(RowOutcome(row.outcome).label)
    if row.outcome == RowOutcome.DUPLICATE and row.first_line:
        return _("%(word)s: as in line %(line)d") % {"word": word, "line": row.first_line}
    if row.outcome == RowOutcome.PROPOSED:
        return _("%(word)s, confirmed") % {"word": word} if row.is_ticked else word
    if row.left_at and not row.is_ticked:
        return _("%(word)s, but left outside Musterbook: not put back") % {"word": word}
    return word


def _asked(roster: Roster) -> QuerySet[RosterRow]:
    return kept.asked_about(roster).select_related("account", "participant").defer("participant__secrets")


def _columns(roster: Roster) -> list[Column]:
    return [
        Column(number, heading or _("Column %(number)d") % {"number": number + 1})
        for number, heading in enumerate(roster.headings)
    ]


def _with_headings(columns: Sequence[Column], cells: Sequence[str]) -> list[tuple[str, str]]:
    return [(column.heading, cells[column.number] if column.number < len(cells) else "") for column in columns]


def _tallies(counts: Mapping[str, int]) -> list[Tally]:
    return [
        Tally(outcome.value, str(outcome.label), counts[outcome.value])
        for outcome in RowOutcome
        if counts.get(outcome.value)
    ]
