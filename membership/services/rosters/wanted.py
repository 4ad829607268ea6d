"""What a matched list asks for: its wishes, read row by row. Reads only."""

from collections.abc import Iterator

from django.db.models import Q, QuerySet

from membership.errors import Reason
from membership.models import Participant, Roster, RosterMode, RosterRow, RosterState, RowOutcome
from membership.plans.wishes import Add, Barred, Refusal, Remove, Wish
from membership.vocab import ERASED

ROWS_AT_ONCE = 5000


def is_whole(roster_id: int) -> bool:
    """Whether all rows of a list that was planned are there: of half of them others would leave."""
    roster = Roster.objects.filter(pk=roster_id, state=RosterState.DONE, is_emptied=False).first()
    if roster is None or is_erased_in(roster.pk):
        return False
    return RosterRow.objects.filter(roster=roster).count() == roster.rows_count


def is_erased_in(roster_id: int) -> bool:
    """Whether somebody was erased from its rows: whom these meant, or may have meant, is no longer known."""
    meant = (RowOutcome.FOUND, RowOutcome.PROPOSED, RowOutcome.AMBIGUOUS)
    said = {"said_name": ERASED, "said_id": "", "said_email": ""}
    return RosterRow.objects.filter(roster=roster_id, outcome__in=meant, **said).exists()


def certain(roster: Roster) -> QuerySet[RosterRow]:
    """Rows of which it is known whom they mean: found, or proposed and confirmed."""
    sure = Q(outcome=RowOutcome.FOUND) | Q(outcome=RowOutcome.PROPOSED, is_ticked=True)
    return RosterRow.objects.filter(sure, roster=roster).order_by("line")


def wishes(roster: Roster) -> Iterator[Wish]:
    """Who joins, who leaves, and who is left out by name."""
    if roster.mode == RosterMode.REMOVE:
        yield from _leaving_by_list(roster)
        return
    yield from _joining(roster)
    if roster.mode == RosterMode.EXACTLY:
        yield from _leaving_others(roster)


def _leaving_by_list(roster: Roster) -> Iterator[Wish]:
    there = certain(roster).exclude(participant=None).values_list("participant_id", flat=True)
    for pk in there.iterator(chunk_size=ROWS_AT_ONCE):
        if pk is not None:
            yield Remove(pk)


def _joining(roster: Roster) -> Iterator[Wish]:
    outside = certain(roster).filter(participant=None).exclude(account=None)
    columns = outside.values_list("account_id", "account__label", "left_at", "is_ticked")
    for account_id, label, left_at, is_ticked in columns.iterator(chunk_size=ROWS_AT_ONCE):
        if left_at is not None and not is_ticked:
            yield Barred(label or "", roster.group_id, Refusal(Reason.LEFT_BY_THEMSELVES, {"at": left_at.isoformat()}))
        elif account_id is not None:
            yield Add(account_id, roster.group_id)


def _leaving_others(roster: Roster) -> Iterator[Wish]:
    """Everybody in the group whom no row names; whoever an unclear row may mean, or nobody knows, stays by name."""
    places, accounts = set(), set()
    for named_place, named_account in certain(roster).values_list("participant_id", "account_id").iterator():
        places.add(named_place)
        accounts.add(named_account)
    unclear = _unclear(roster)
    present = Participant.objects.filter(group_id=roster.group_id, is_present=True).order_by("pk")
    rows: Iterator[tuple[int, int | None, str]] = present.values_list("pk", "account_id", "label").iterator(
        chunk_size=ROWS_AT_ONCE
    )
    for pk, account_id, label in rows:
        if pk in places or (account_id is not None and account_id in accounts):
            continue
        if pk in unclear:
            yield Barred(label, roster.group_id, Refusal(Reason.ROW_UNCLEAR))
        elif account_id is None:
            yield Barred(label, roster.group_id, Refusal(Reason.PLACE_UNMATCHED))
        else:
            yield Remove(pk)


def _unclear(roster: Roster) -> set[int]:
    """Places that a row without a certain meaning may mean."""
    rows = RosterRow.objects.filter(roster=roster)
    found: set[int] = set()
    for may_mean in rows.filter(outcome=RowOutcome.AMBIGUOUS).values_list("may_mean", flat=True):
        found.update(may_mean)
    proposed = rows.filter(outcome=RowOutcome.PROPOSED, is_ticked=False).exclude(participant=None)
    found.update(pk for pk in proposed.values_list("participant_id", flat=True) if pk is not None)
    return found
