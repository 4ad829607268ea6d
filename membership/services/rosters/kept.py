"""What is kept of a list: its file until it is planned and confirmed, its rows for some days, its counts for good."""

import tempfile
from datetime import timedelta
from typing import IO

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from membership import conf
from membership.audit import record
from membership.models import Roster, RosterMode, RosterPart, RosterRow, RosterState, RowOutcome
from membership.services.rosters.entries import entry
from membership.services.rosters.sheets import SAMPLE_ROWS
from membership.vocab import AuditAction, Chain, ChangeState

FILE_KEPT = timedelta(days=1)
ROWS_AT_ONCE = 500


def contents(roster: Roster) -> IO[bytes]:
    """The uploaded file, on disk under no name: it is gone when it is closed, however this process ends."""
    file = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
    for data in RosterPart.objects.filter(roster=roster).order_by("number").values_list("data", flat=True).iterator():
        file.write(bytes(data))
    file.seek(0)
    return file


def turn_headings(roster: Roster, has_headings: bool) -> None:
    """The first row names the columns, or is somebody after all. Saved by the caller."""
    if has_headings:
        roster.headings, roster.sample = roster.sample[0], roster.sample[1:]
    else:
        roster.sample = [roster.headings, *roster.sample][:SAMPLE_ROWS]
        roster.headings = [""] * len(roster.headings)
    roster.layout = {**roster.layout, "has_headings": has_headings}


def asked_about(roster: Roster) -> QuerySet[RosterRow]:
    """Rows that only count where somebody ticks them: found by name, or of somebody who left outside Musterbook."""
    left = Q(outcome=RowOutcome.FOUND, left_at__isnull=False)
    proposed = Q(outcome=RowOutcome.PROPOSED)
    if roster.mode == RosterMode.REMOVE:
        # Who is not in the group cannot leave it: nothing to ask.
        return RosterRow.objects.filter(proposed, roster=roster, participant__isnull=False).order_by("line")
    changes_nothing = proposed & Q(participant__isnull=False) if roster.mode == RosterMode.ADD else Q(pk=None)
    return RosterRow.objects.filter(proposed | left, roster=roster).exclude(changes_nothing).order_by("line")


def delete_rows(roster: Roster) -> None:
    """All rows of the list, a few at a time: a page that writes meanwhile does not wait."""
    rows = RosterRow.objects.filter(roster=roster)
    while ids := list(rows.values_list("pk", flat=True)[: ROWS_AT_ONCE * 4]):
        RosterRow.objects.filter(pk__in=ids).delete()


def tidy() -> bool:
    """Delete what is not needed any more: files of lists that are settled or a day old, rows after some days.

    True: there was something. Also a list that was never uploaded whole.
    """
    now = timezone.now()
    has_file = Exists(RosterPart.objects.filter(roster=OuterRef("pk")))
    unconfirmed = Q(change__state=ChangeState.DRAFT) | Q(state__in=RosterState.of_the_worker())
    waiting = unconfirmed | Q(state__in=(RosterState.COLUMNS, RosterState.ASKING))
    settled = Roster.objects.filter(~waiting | Q(asked_at__lt=now - FILE_KEPT), asked_at__lt=now - timedelta(minutes=5))
    done = 0
    for roster in settled.filter(has_file):
        RosterPart.objects.filter(roster=roster).delete()
        done += 1
    old = Roster.objects.filter(is_emptied=False, asked_at__lt=now - timedelta(days=conf.roster_kept_days()))
    for roster in old.select_related("group"):
        empty(roster)
        done += 1
    return bool(done)


def empty(roster: Roster) -> None:
    """Delete file, sample and rows of a list; what was counted stays."""
    RosterPart.objects.filter(roster=roster).delete()
    delete_rows(roster)
    with transaction.atomic():
        Roster.objects.filter(pk=roster.pk).update(is_emptied=True, sample=[])
        record.write(Chain.PANEL, [entry(AuditAction.ROSTER_EMPTIED, roster, actor=None)])
