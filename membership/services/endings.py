"""Until when somebody is in a group: said with an addition or on a page, and changed or taken away there.

What happens when the day is over is in `ending_removals`.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models import OuterRef, QuerySet, Subquery
from django.utils import timezone
from django.utils.dateparse import parse_date
from django.utils.translation import gettext as _

from membership.audit import record
from membership.errors import BadValue, Reason
from membership.models import Change, Ending, Operation, Participant
from membership.operations import outbox
from membership.services import titles
from membership.services.drafts import make_stale
from membership.services.shell import audited, need_right, need_visible, refuse
from membership.vocab import AuditAction, Chain, EndingState, OperationState, Right, Verb

if TYPE_CHECKING:
    from django.contrib.auth.models import User

LONGEST = dt.timedelta(days=3660)
LIVE = (EndingState.OPEN, EndingState.DUE)
AT_ONCE = 500


def checked(last_day: dt.date | None) -> dt.date | None:
    """The day, where one is said. Raises `BadValue` for one that is over, or ten years off."""
    today = timezone.localdate()
    if last_day is not None and not today <= last_day <= today + LONGEST:
        why = _("it has to be today or later, and within ten years")
        raise BadValue(Reason.BAD_VALUE, key=_("the end date"), why=why)
    return last_day


# with an addition


def in_selection(last_day: dt.date | None) -> dict[str, str]:
    """What a draft keeps of the end date that it was asked with."""
    return {} if last_day is None else {"until": last_day.isoformat()}


def said_in(change: Change) -> dt.date | None:
    """The end date that a change was asked with; another try has that of the first."""
    about = change.selection
    return parse_date(str(about.get("until") or about.get("what", {}).get("until") or ""))


def bind(change: Change, *, actor: "User") -> None:
    """Bind the end date of a change that is being confirmed to those whom it adds. Inside the caller's transaction.

    Whoever is in the group already is not added, and gets no end date by it; where that turns out later,
    the worker closes it.
    """
    last_day = said_in(change)
    if last_day is None:
        return
    checked(last_day)
    now = timezone.now()
    added = Operation.objects.filter(change=change, verb=Verb.ADD).exclude(account=None).exclude(group=None)
    steps = list(
        added.select_related("group", "connection").only("account", "subject_label", "group", "connection__name")
    )
    for start in range(0, len(steps), AT_ONCE):
        chunk = steps[start : start + AT_ONCE]
        pairs = {(step.group_id, step.account_id) for step in chunk}
        old = Ending.objects.filter(
            group__in={pair[0] for pair in pairs}, account__in={pair[1] for pair in pairs}, state__in=LIVE
        )
        replaced = [each.pk for each in old if (each.group_id, each.account_id) in pairs]
        Ending.objects.filter(pk__in=replaced).update(state=EndingState.LIFTED, closed_at=now)
        Ending.objects.bulk_create(
            Ending(
                connection_id=step.connection_id,
                group_id=step.group_id or 0,
                account_id=step.account_id or 0,
                last_day=last_day,
                set_by=actor,
                set_at=now,
                operation=step,
            )
            for step in chunk
        )
    of_group: dict[int, list[Operation]] = defaultdict(list)
    for step in steps:
        of_group[step.group_id or 0].append(step)
    record.write(Chain.PANEL, [_bound(found, last_day, actor) for found in of_group.values()], at=now)


def _bound(steps: Sequence[Operation], last_day: dt.date, actor: "User") -> record.Entry:
    first, alone = steps[0], len(steps) == 1
    return record.Entry(
        AuditAction.ENDING_SET,
        actor=actor,
        change_id=first.change_id,
        connection_id=first.connection_id,
        group_id=first.group_id,
        account_id=first.account_id if alone else None,
        data={"last_day": last_day.isoformat(), "count": len(steps)},
        personal={
            "person": first.subject_label if alone else titles.people(len(steps)),
            "people": [step.subject_label for step in steps],
            "group_name": first.group.name if first.group else "",
        },
    )


# on a page


@audited
def set_end(participant: Participant, last_day: dt.date, *, actor: "User") -> Ending:
    """Say until when somebody who is in a group stays; an earlier end date is replaced.

    Raises `BadValue` for a day that is over, `ChangeRefused` where they are gone, whose place it is is not known, or
    their removal is being sent.
    """
    need_right(actor, Right.ACT)
    need_visible(participant, actor)
    checked(last_day)
    row, now = _there(participant), timezone.now()
    with transaction.atomic():
        entries = _lift(row, now, actor, replaced=True)
        made = Ending.objects.create(
            connection_id=row.group.connection_id,
            group=row.group,
            account_id=row.account_id or 0,
            last_day=last_day,
            set_by=actor,
            set_at=now,
        )
        entries[Chain.PANEL].append(entry(AuditAction.ENDING_SET, made, row.label, actor=actor))
        record.write_all(entries, at=now)
    return made


@audited
def lift_end(participant: Participant, *, actor: "User") -> None:
    """Take the end date of somebody in a group away. Raises `ChangeRefused` where there is none, or their removal is
    being sent."""
    need_right(actor, Right.ACT)
    need_visible(participant, actor)
    row, now = _there(participant), timezone.now()
    with transaction.atomic():
        entries = _lift(row, now, actor, replaced=False)
        if not entries[Chain.PANEL]:
            refuse(Reason.NOTHING_TO_DO)
        record.write_all(entries, at=now)


def _there(participant: Participant) -> Participant:
    row = Participant.objects.select_related("group", "account").get(pk=participant.pk)
    if not row.is_present:
        refuse(Reason.ALREADY_GONE)
    if row.account is None:
        refuse(Reason.ACCOUNT_NOT_KNOWN)
    return row


def _lift(row: Participant, now: dt.datetime, actor: "User", *, replaced: bool) -> dict[str, list[record.Entry]]:
    """End what was said before; returns what to write last. A removal that nobody confirmed yet can no longer be, of a
    confirmed one this step is withdrawn. Raises `ChangeRefused` where that has begun."""
    entries: dict[str, list[record.Entry]] = {Chain.PANEL: []}
    found = Ending.objects.filter(group=row.group_id, account=row.account_id, state__in=LIVE)
    for ending in found.select_for_update(of=("self",)).select_related("removal", "group"):
        ending.state, ending.closed_at = EndingState.LIFTED, now
        ending.save(update_fields=["state", "closed_at"])
        if not replaced:
            entries[Chain.PANEL].append(entry(AuditAction.ENDING_LIFTED, ending, row.label, actor=actor))
        if ending.removal is None:
            continue
        stale = make_stale(ending.removal, now=now, why="changed", actor=actor)
        if stale is not None:
            entries[Chain.PANEL].append(stale)
        else:
            entries[record.connection_chain(ending.connection_id)] = _withdraw(ending, ending.removal, now)
    return entries


def _withdraw(ending: Ending, removal: Change, now: dt.datetime) -> list[record.Entry]:
    about = {"group_id": ending.group_id, "account_id": ending.account_id}
    entries = outbox.withdraw_removal(removal, **about, why=Reason.END_DATE_ALTERED, at=now)
    if entries is None:
        refuse(Reason.BEING_REMOVED)
    return entries


def entry(action: AuditAction, ending: Ending, label: str, *, actor: "User | None", outcome: str = "") -> record.Entry:
    """One entry about an end date."""
    return record.Entry(
        action,
        actor=actor,
        change_id=ending.removal_id,
        connection_id=ending.connection_id,
        group_id=ending.group_id,
        account_id=ending.account_id,
        outcome=outcome,
        data={"last_day": ending.last_day.isoformat(), "ending": ending.pk},
        personal={"person": label, "group_name": ending.group.name},
    )


# told

_CAME = (OperationState.CONFIRMED, OperationState.NOT_NEEDED)


def live() -> QuerySet[Ending]:
    """End dates that hold for somebody who is there by now."""
    return Ending.objects.filter(state__in=LIVE)


def last_day_of_rows() -> Subquery:
    """The end date as a column of participants."""
    mine = live().filter(group=OuterRef("group"), account=OuterRef("account"))
    return Subquery(mine.values("last_day")[:1])


def endings_of(places: Iterable[Participant]) -> dict[int, Ending]:
    """`{participant: its end date}`. One query."""
    rows = [place for place in places if place.account_id is not None]
    found = live().filter(group__in={row.group_id for row in rows}, account__in={row.account_id for row in rows})
    known: dict[tuple[Any, Any], Ending] = {
        (each.group_id, each.account_id): each for each in (found.select_related("set_by", "removal") if rows else ())
    }
    return {row.pk: known[row.group_id, row.account_id] for row in rows if (row.group_id, row.account_id) in known}
