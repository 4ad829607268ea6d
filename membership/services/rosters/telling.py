"""Uploaded lists that name a person although no row of theirs is matched: their files, first rows and headings."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import timedelta

from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from membership.errors import ChangeRefused, Reason
from membership.models import Roster, RosterPart, RosterRow, RosterState
from membership.services.rosters import kept, sheets

UPLOADED_WITHIN = timedelta(minutes=5)
Tells = Callable[[str], bool]


def lists_that_tell(tells: Tells, *which: Q) -> Iterator[int]:
    """Numbers of lists in whose headings, first rows or file somebody is named. Files whose rows are matched are not
    read: the rows say whom they mean."""
    uploading = Q(state=RosterState.FAILED, reason="", asked_at__gt=timezone.now() - UPLOADED_WITHIN)
    has_file = Exists(RosterPart.objects.filter(roster=OuterRef("pk")))
    is_matched = Exists(RosterRow.objects.filter(roster=OuterRef("pk")))
    rows = Roster.objects.filter(*which).exclude(uploading).annotate(is_unread=has_file & ~is_matched)
    for roster in rows.iterator():
        shown = [roster.headings, *roster.sample]
        if _any(tells, shown) or (roster.is_unread and _is_told_in_file(tells, roster)):
            yield roster.pk


def empty(roster_ids: set[int]) -> None:
    """The files of lists, and what is shown of them. What was to be matched cannot be used any more."""
    RosterPart.objects.filter(roster_id__in=roster_ids).delete()
    rows = Roster.objects.filter(pk__in=roster_ids)
    for roster in rows:
        headings = [""] * len(roster.headings)
        Roster.objects.filter(pk=roster.pk).update(sample=[], headings=headings)
    unmatched = ~Exists(RosterRow.objects.filter(roster=OuterRef("pk")))
    rows.filter(unmatched).exclude(state=RosterState.DONE).update(
        state=RosterState.FAILED, reason=Reason.ROSTER_GONE, reason_params={}, claimed_at=None
    )


def _any(tells: Tells, rows: Iterable[Sequence[str]]) -> bool:
    # A name may stand in two columns.
    return any(tells(" ".join(map(str, cells))) for cells in rows)


def _is_told_in_file(tells: Tells, roster: Roster) -> bool:
    with kept.contents(roster) as file:
        try:
            rows = sheets.rows(file, sheets.layout_of(file), from_the_top=True)
            return _any(tells, (cells for _line, cells in rows))
        except ChangeRefused:
            return roster.state == RosterState.FAILED  # nobody can read it, and nobody needs it any more
