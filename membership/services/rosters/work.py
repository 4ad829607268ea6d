"""What the worker does with lists: it looks at a file, matches its rows, and has the preview made.

One list at a time; another worker takes it over when there was no sign of life for a while. Every step can be repeated.
"""

import json
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import connection as database
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from membership import conf
from membership.audit import record
from membership.errors import AuditUnavailable, ChangeRefused, MusterbookError, Reason
from membership.models import Roster, RosterMode, RosterRow, RosterState, bulk
from membership.services.rosters import columns, kept, sheets
from membership.services.rosters.columns import Said
from membership.services.rosters.entries import entry
from membership.services.rosters.knowing import Candidates
from membership.services.rosters.matching import Matcher, Meant
from membership.services.rosters.planning import draft_roster
from membership.vocab import AuditAction, Chain

logger = logging.getLogger(__name__)

CLAIMED_FOR = timedelta(seconds=120)
ATTEMPTS = 3
ROWS_AT_ONCE = 500
GAP_S = 0.005
"""Between two write transactions, so that a page that writes gets its turn."""
SHOWN_CHARS = 200
_ASKED_AGAIN = (Reason.ROSTER_FORMULA, Reason.ROSTER_NOBODY)
"""What other columns may cure: the list asks for them again."""


def work_on_lists() -> bool:
    """Do the next step of one list. True: there was one."""
    roster = _claim()
    if roster is None:
        return False
    try:
        _STEPS[RosterState(roster.state)](roster)
    except AuditUnavailable:
        raise
    except MusterbookError as error:
        refuse_list(roster, error.reason, error.params)
    return True


def work_until_it_asks(roster: Roster) -> Roster:
    """All steps of one list, here and now, until it is done or somebody has to answer: for the command line."""
    while True:
        row = Roster.objects.select_related("group", "connection", "asked_by").get(pk=roster.pk)
        if row.state not in RosterState.of_the_worker():
            return row
        if not work_on_lists():
            time.sleep(0.1)  # a worker has it


def is_any_due() -> bool:
    """Whether a list waits for the worker."""
    return _due(timezone.now()).exists()


def _due(now: datetime) -> QuerySet[Roster]:
    free = Q(claimed_at=None) | Q(claimed_at__lt=now - CLAIMED_FOR)
    return Roster.objects.filter(free, state__in=RosterState.of_the_worker())


def _claim() -> Roster | None:
    now = timezone.now()
    due = _due(now)
    for roster in due.select_related("group", "connection", "asked_by").order_by("pk")[:5]:
        claimed = due.filter(pk=roster.pk, state=roster.state).update(claimed_at=now, attempts=F("attempts") + 1)
        if not claimed:
            continue
        if roster.attempts >= ATTEMPTS:
            logger.error("list %s broke off %s times", roster.pk, roster.attempts)
            refuse_list(roster, Reason.ROSTER_BROKE_OFF, {})
            continue
        roster.claimed_at = now
        return roster
    return None


def refuse_list(roster: Roster, reason: Reason, params: Mapping[str, Any]) -> None:
    """The list cannot be used as it is: nothing is changed by it, and its page says why."""
    asks = reason in _ASKED_AGAIN
    if not asks:
        kept.delete_rows(roster)
    with transaction.atomic():
        Roster.objects.filter(pk=roster.pk).update(
            state=RosterState.COLUMNS if asks else RosterState.FAILED,
            reason=reason,
            reason_params=dict(params),
            claimed_at=None,
            attempts=0,
        )
        data = {"roster": roster.pk, "file_bytes": roster.file_bytes}
        said = {"params": dict(params), "file": roster.file_name}
        refused = entry(
            AuditAction.ROSTER_REFUSED, roster, actor=roster.asked_by, outcome=reason.value, data=data, personal=said
        )
        record.write(Chain.PANEL, [refused])


def _look(roster: Roster) -> None:
    with kept.contents(roster) as file:
        seen = sheets.look(file)
    headings = [heading[:SHOWN_CHARS] for heading in seen.headings]
    known = columns.remembered(roster.connection, headings)
    _flip(
        roster,
        RosterState.COLUMNS if known is None else RosterState.MATCHING,
        layout=seen.layout.to_json(),
        headings=headings,
        sample=[[str(cell)[:SHOWN_CHARS] for cell in cells] for cells in seen.sample],
        columns=columns.guess(headings, seen.sample) if known is None else known,
    )


# matching


def _match(roster: Roster) -> None:
    kept.delete_rows(roster)
    known = Candidates(roster.group, roster.columns)
    matcher = Matcher(known, RosterMode(roster.mode))
    store = _Store(roster, known)
    with kept.contents(roster) as file:
        for line, cells in sheets.rows(file, sheets.Layout(**roster.layout)):
            if store.count >= conf.roster_max_rows():
                raise ChangeRefused(Reason.ROSTER_TOO_MANY_ROWS, limit=conf.roster_max_rows())
            said = Said(line, cells, roster.columns)
            store.add(line, said, matcher.match(line, said))
    store.flush()
    if not store.count:
        raise ChangeRefused(Reason.ROSTER_NO_ROW)
    if not store.somebody:
        raise ChangeRefused(Reason.ROSTER_NOBODY, rows=store.count, system=roster.connection.name)
    counts = {**matcher.counts, "inside": store.inside, "left": store.left}
    asks = kept.asked_about(roster).exists()
    data = {"roster": roster.pk, "rows": store.count, "counts": counts}
    _flip(
        roster,
        RosterState.ASKING if asks else RosterState.PLANNING,
        entries=[entry(AuditAction.ROSTER_MATCHED, roster, actor=roster.asked_by, data=data)],
        rows_count=store.count,
        counts=counts,
    )


class _Store:
    """Writes rows in short transactions, and gives signs of life."""

    def __init__(self, roster: Roster, known: Candidates) -> None:
        self._roster, self._known = roster, known
        self._rows: list[dict[str, Any]] = []
        self.count = self.inside = self.left = 0
        self.somebody = False

    def add(self, line: int, said: Said, meant: Meant) -> None:
        self.count += 1
        known, number = self._known, meant.number
        is_first = number is not None and meant.first_line is None
        place = None if number is None else known.place[number]
        left_at = known.left(number) if is_first and number is not None else None
        self.somebody = self.somebody or is_first
        self.inside += is_first and place is not None
        self.left += left_at is not None
        self._rows.append(
            {
                "roster_id": self._roster.pk,
                "line": line,
                "said_id": said.id[:200],
                "said_email": said.email[:320],
                "said_name": said.name[:600],
                "outcome": meant.outcome.value,
                "account_id": None if number is None else known.account[number],
                "participant_id": place,
                "left_at": _in_database(left_at),
                "may_mean": json.dumps([p for n in meant.may_mean if (p := known.place[n]) is not None]),
                "first_line": meant.first_line,
            }
        )
        if len(self._rows) >= ROWS_AT_ONCE:
            self.flush()

    def flush(self) -> None:
        with transaction.atomic():
            bulk.insert(RosterRow, self._rows)
            Roster.objects.filter(pk=self._roster.pk).update(claimed_at=timezone.now(), rows_count=self.count)
        self._rows = []
        time.sleep(GAP_S)


def _in_database(at: datetime | None) -> Any:
    return RosterRow._meta.get_field("left_at").get_db_prep_value(at, database)


# planning


def _plan(roster: Roster) -> None:
    change = draft_roster(roster, actor=roster.asked_by)
    _flip(roster, RosterState.DONE, change=change)


def _flip(roster: Roster, state: RosterState, *, entries: Sequence[record.Entry] = (), **fields: Any) -> None:
    """To the next state, unless somebody else moved the list meanwhile."""
    with transaction.atomic():
        moved = Roster.objects.filter(pk=roster.pk, state=roster.state).update(
            state=state, claimed_at=None, attempts=0, reason="", reason_params={}, **fields
        )
        if moved and entries:
            record.write(Chain.PANEL, entries)


_STEPS: Mapping[RosterState, Callable[[Roster], None]] = {
    RosterState.UPLOADED: _look,
    RosterState.MATCHING: _match,
    RosterState.PLANNING: _plan,
}
