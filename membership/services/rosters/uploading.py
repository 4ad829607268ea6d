"""What people do with lists: upload one, choose its columns, confirm proposals. The worker does the rest."""

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, NoReturn

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from membership import conf
from membership.audit import record
from membership.errors import BadValue, ChangeRefused, Reason
from membership.models import Group, Roster, RosterMode, RosterPart, RosterRow, RosterState
from membership.services import endings
from membership.services.rosters import columns as chosen
from membership.services.rosters import kept
from membership.services.rosters.entries import entry
from membership.services.shell import audited, need_right, need_visible, refuse
from membership.services.typed import clean
from membership.vocab import AuditAction, Chain, Right

if TYPE_CHECKING:
    from django.contrib.auth.models import User

PART_BYTES = 512 * 1024
NAME_CHARS = 200
_MB = 1024 * 1024


@audited
def upload(
    group: Group,
    mode: str,
    file_name: str,
    pieces: Iterable[bytes],
    *,
    until: dt.date | None = None,
    actor: "User",
) -> Roster:
    """Store an uploaded file for `group`. Nothing of it is read here: the worker does that.

    `until`: the last day there of those whom the list adds.

    Raises `BadValue` for an unknown mode or such a day, `ChangeRefused` for a file that is empty or larger than the
    limit; nothing is kept then.
    """
    need_right(actor, Right.ACT)
    need_visible(group, actor)
    if mode not in RosterMode.values:
        raise BadValue(Reason.BAD_VALUE, key=_("what it says"), why=", ".join(RosterMode.values))
    endings.checked(until)
    if until is not None and mode == RosterMode.REMOVE:
        raise BadValue(Reason.BAD_VALUE, key=_("the end date"), why=_("by this list nobody joins"))
    roster = Roster.objects.create(
        connection_id=group.connection_id,
        group=group,
        mode=mode,
        until=until,
        file_name=clean(file_name[-NAME_CHARS:], key=_("file"), at_most=NAME_CHARS) or _("list"),
        asked_by=actor,
        asked_at=timezone.now(),
        # Until all of it is there no worker touches it.
        state=RosterState.FAILED,
    )
    size = _store(roster, pieces)
    with transaction.atomic():
        roster.state, roster.file_bytes = RosterState.UPLOADED, size
        roster.save(update_fields=["state", "file_bytes"])
        said = {"file": roster.file_name}
        data = {"roster": roster.pk, "mode": mode, "bytes": size}
        record.write(Chain.PANEL, [entry(AuditAction.ROSTER_UPLOADED, roster, actor=actor, data=data, personal=said)])
    return roster


def _store(roster: Roster, pieces: Iterable[bytes]) -> int:
    """Store the file in parts, each in a transaction of its own. Returns its bytes; what is refused is not kept."""
    size = number = 0
    for piece in pieces:
        for start in range(0, len(piece), PART_BYTES):
            part = piece[start : start + PART_BYTES]
            size += len(part)
            if size > conf.roster_max_mb() * _MB:
                _take_back(roster, Reason.ROSTER_TOO_LARGE, limit=conf.roster_max_mb())
            RosterPart.objects.create(roster=roster, number=number, data=part)
            number += 1
    if not size:
        _take_back(roster, Reason.ROSTER_NO_ROW)
    return size


def _take_back(roster: Roster, reason: Reason, **params: Any) -> NoReturn:
    roster.delete()
    refuse(reason, **params)


@audited
def choose_columns(
    roster: Roster, columns: Mapping[str, int], *, has_headings: bool | None = None, actor: "User"
) -> Roster:
    """Say which column means what; it is remembered for the system where the file has headings.

    Raises `ChangeRefused` when a column is chosen twice, when none by which people are found is chosen, or when the
    list does not ask for them now.
    """
    need_right(actor, Right.ACT)
    need_visible(roster, actor)
    with transaction.atomic():
        row = _locked(roster)
        if row.state != RosterState.COLUMNS:
            refuse(Reason.ROSTER_NOT_ASKING)
        if has_headings is not None and has_headings != row.layout["has_headings"]:
            kept.turn_headings(row, has_headings)
        row.columns = chosen.checked(columns, row.headings)
        chosen.remember(row.connection, row.headings, row.columns)
        _go(row, RosterState.MATCHING)
        data = {"roster": row.pk, "columns": dict(row.columns)}
        record.write(Chain.PANEL, [entry(AuditAction.ROSTER_MAPPED, row, actor=actor, data=data)])
    return row


@audited
def choose_again(roster: Roster, *, actor: "User") -> Roster:
    """Go back to the question which column means what, as long as the file is there. A preview stays as it is."""
    need_right(actor, Right.ACT)
    need_visible(roster, actor)
    with transaction.atomic():
        row = _locked(roster)
        if row.state not in (RosterState.ASKING, RosterState.DONE):
            refuse(Reason.ROSTER_NOT_ASKING)
        if row.is_emptied or not row.parts.exists():
            refuse(Reason.ROSTER_GONE)
        _go(row, RosterState.COLUMNS)
    return row


@audited
def confirm_rows(roster: Roster, ids: Iterable[int], *, actor: "User") -> Roster:
    """Take these rows' proposals for certain: a name that means this person, somebody who left and is put back.

    What is not ticked is left out by name. Raises `ChangeRefused` when the list does not ask now, or for other rows.
    """
    need_right(actor, Right.ACT)
    need_visible(roster, actor)
    wanted = set(ids)
    with transaction.atomic():
        row = _locked(roster)
        if row.state != RosterState.ASKING:
            refuse(Reason.ROSTER_NOT_ASKING)
        asked = kept.asked_about(row)
        if asked.filter(pk__in=wanted).count() < len(wanted):
            raise ChangeRefused(Reason.REQUEST_FORGED)
        asked.filter(pk__in=wanted).update(is_ticked=True)
        _go(row, RosterState.PLANNING)
        ticked = RosterRow.objects.filter(roster=row, is_ticked=True)
        people = list(ticked.values_list("account_id", flat=True)[:1000])
        data = {"roster": row.pk, "ticked": len(wanted), "accounts": people}
        record.write(Chain.PANEL, [entry(AuditAction.ROSTER_TICKED, row, actor=actor, data=data)])
    return row


def _locked(roster: Roster) -> Roster:
    rows = Roster.objects.select_for_update(of=("self",)).select_related("connection", "group")
    return rows.defer("connection__secrets", "connection__session", "group__secrets").get(pk=roster.pk)


def _go(roster: Roster, state: RosterState) -> None:
    roster.state, roster.reason, roster.reason_params = state, "", {}
    roster.claimed_at, roster.attempts = None, 0
    roster.save()
