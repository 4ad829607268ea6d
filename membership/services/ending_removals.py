"""End dates whose day is over: each removal is a change of its own, guarded like any other.

It is asked for in the name of whoever set the date, where they still may act and nothing stands in the way. Otherwise
it waits as a preview, and the first page says so.
"""

import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone
from django.utils.translation import gettext as _

from membership.audit import record
from membership.errors import MusterbookError, Reason
from membership.models import AuditEntry, Change, Ending, Participant, Presence, has_right, visible_to
from membership.plans import compile as plan_compiler
from membership.plans.wishes import Remove
from membership.services import changes, drafts, endings
from membership.vocab import (
    AuditAction,
    Chain,
    ChangeKind,
    ChangeState,
    ConnectionState,
    EndingState,
    OperationState,
    Right,
)

if TYPE_CHECKING:
    from django.contrib.auth.models import User

LOOK_EVERY_S = 10.0
_looked_at = -LOOK_EVERY_S
CLOSED_AT_ONCE = 200
HALF_DONE = Q(operation__state=OperationState.REFUSED, operation__outcome_params__half_done=True)
"""Added, but refused the rights that were wished with it: they are there."""
WAS_THERE = Q(operation__state=OperationState.NOT_NEEDED) | Q(
    operation__state=OperationState.CONFIRMED, operation__outcome=Reason.ALREADY_SO
)
"""Somebody else had added them before it was our turn: they stay, as whoever is there at the preview."""
CAME = Q(operation=None) | Q(operation__state=OperationState.CONFIRMED) & ~WAS_THERE | HALF_DONE


def look() -> bool:
    """Act on what is due, not more often than every ten seconds: for the worker. True: something was done."""
    global _looked_at  # noqa: PLW0603 - how long ago this process looked
    if time.monotonic() - _looked_at < LOOK_EVERY_S:
        return False
    _looked_at = time.monotonic()
    return act_on_due()


def act_on_due() -> bool:
    """Close the end dates that are over, make removals of those that are due. True: something was done.

    Called twice it does nothing twice: an end date with its removal is no longer open.
    """
    closed, reopened = close_over(), _reopen()
    made = sum(_remove(found) for found in _due().values())
    return bool(closed + reopened + made)


def close_over() -> int:
    """Close the end dates of people who are gone, never came or never will, were there without us, or whose removal
    somebody threw away or rejected."""
    there = Participant.objects.filter(group=OuterRef("group"), account=OuterRef("account"), is_present=True)
    failed = WAS_THERE | Q(operation__state__in=(OperationState.OVERTAKEN, OperationState.CANCELLED))
    failed |= Q(operation__state=OperationState.REFUSED, operation__outcome_params__half_done__isnull=True)
    # Where the addition's row was not told, the mirror does not know yet that they are there.
    has_come = CAME & (Q(operation=None) | Q(operation__participant__isnull=False))
    thrown_away = Q(removal__state__in=(ChangeState.CANCELLED, ChangeState.REJECTED), removal__confirmed_at=None)
    not_approved = Q(operation__change__state__in=ChangeState.dropped(), operation__change__confirmed_at=None)
    over = not_approved | failed | has_come & ~Exists(there) | thrown_away
    rows = endings.live().filter(over | Q(connection__state=ConnectionState.RETIRED))
    return _close(rows.values_list("pk", flat=True)[:CLOSED_AT_ONCE])


def _close(ids: Iterable[int]) -> int:
    now, found = timezone.now(), list(ids)
    if not found:
        return 0
    with transaction.atomic():
        locked = endings.live().select_for_update(of=("self",)).filter(pk__in=found)
        rows = list(locked.select_related("group", "account").order_by("pk"))
        Ending.objects.filter(pk__in=[row.pk for row in rows]).update(state=EndingState.CLOSED, closed_at=now)
        entries = [
            endings.entry(AuditAction.ENDING_CLOSED, row, row.account.label or row.account.remote_id, actor=None)
            for row in rows
        ]
        record.write(Chain.PANEL, entries, at=now)
    return len(rows)


def _reopen() -> int:
    """A preview that became too old is made anew."""
    dropped = Ending.objects.filter(state=EndingState.DUE, removal__state=ChangeState.STALE)
    ids = list(dropped.values_list("pk", flat=True))
    return Ending.objects.filter(pk__in=ids, state=EndingState.DUE).update(state=EndingState.OPEN, removal=None)


def _due() -> dict[tuple[int, int], list[Ending]]:
    """Those whose day is over, by who set them and by system: one that is stopped holds up nobody else's."""
    rows = Ending.objects.filter(state=EndingState.OPEN, last_day__lt=timezone.localdate())
    found: dict[tuple[int, int], list[Ending]] = defaultdict(list)
    for row in rows.filter(CAME).order_by("pk"):
        found[row.set_by_id, row.connection_id].append(row)
    return found


def _remove(due: Sequence[Ending]) -> int:
    places, again = _places(due)
    closed = _close(again)
    if not places:
        return closed
    author = get_user_model().objects.get(pk=due[0].set_by_id)
    # Planned outside of the transaction, which then is short.
    plan = plan_compiler.plan(Remove(pk) for pk in places.values())
    with transaction.atomic():
        mine = Ending.objects.select_for_update(of=("self",)).filter(pk__in=places, state=EndingState.OPEN)
        still = list(mine.order_by("pk").values_list("pk", flat=True))
        if still != sorted(places):
            return closed  # somebody was quicker; the next look sees the rest
        change = drafts.store_draft(ChangeKind.ENDING, {"kind": "ending", "endings": still}, plan, actor=author)
        Ending.objects.filter(pk__in=still).update(state=EndingState.DUE, removal=change)
    if not _may_be_done(due):
        _confirm(change, author)
    return closed + len(places)


def _may_be_done(due: Sequence[Ending]) -> bool:
    """Whether they were due when a backup was put back: the state that was given up may have removed these people, and
    somebody may have put them back since. So somebody looks."""
    restored = AuditEntry.objects.filter(action=AuditAction.DATABASE_RESTORED).order_by("-pk")
    at = restored.values_list("at", flat=True).first()
    return at is not None and any(row.set_at < at and row.last_day < timezone.localdate(at) for row in due)


def _places(due: Sequence[Ending]) -> tuple[dict[int, int], list[int]]:
    """`{end date: the participant}`, and the end dates of people who left and came again since: those are over."""
    rows = Participant.objects.filter(
        group__in={row.group_id for row in due}, account__in={row.account_id for row in due}, is_present=True
    )
    present = {(row.group_id, row.account_id): row.pk for row in rows.only("group", "account")}
    stretches = {
        each.participant_id: each for each in Presence.objects.filter(participant__in=present.values(), until=None)
    }
    places: dict[int, int] = {}
    over: list[int] = []
    for row in due:
        pk = present.get((row.group_id, row.account_id))
        if pk is None or not _holds(row, stretches.get(pk)):
            over.append(row.pk)
        else:
            places[row.pk] = pk
    return places, over


def _holds(ending: Ending, stretch: Presence | None) -> bool:
    """Whether they are there since before the end date was set, or since the addition that it came with."""
    if stretch is None or stretch.since <= ending.set_at:
        return stretch is not None
    if ending.operation_id is None:
        return False
    if ending.operation is not None and ending.operation.participant_id is None:
        return True  # which row the addition made was not told: a reading found it later
    settled_at = ending.operation.settled_at if ending.operation else None
    return stretch.began_operation_id == ending.operation_id or (settled_at is not None and stretch.since <= settled_at)


def _confirm(change: Change, author: "User") -> None:
    """Ask for it in the name of whoever set the date. What stands in the way leaves it as a preview."""
    may_act = author.is_active and has_right(author, Right.ACT)
    if not (may_act and change.operations_count and visible_to(Change.objects.filter(pk=change.pk), author).exists()):
        return
    try:
        changes.confirm_change(change, actor=author, reason=_("End date reached"), expected_hash=change.plan_hash)
    except MusterbookError:
        return  # recorded with its reason; somebody looks at the preview
