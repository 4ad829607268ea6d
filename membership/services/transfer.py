"""Drafts of moves and copies between groups of one system, with the rights that people have. Nothing is queued here."""

import datetime as dt
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from django.db.models import QuerySet
from django.utils.dateparse import parse_date

from membership.errors import Reason
from membership.models import Change, Group, Participant
from membership.plans.wishes import RIGHTS, Add, Barred, Refusal, Remove, Wish, unusual
from membership.services import drafts, endings, selecting
from membership.services.shell import audited, need_right, need_visible
from membership.vocab import ChangeKind, Right

if TYPE_CHECKING:
    from django.contrib.auth.models import User


@audited
def draft_transfer(
    participants: QuerySet[Participant],
    target: Group,
    *,
    keep: bool,
    until: dt.date | None = None,
    actor: "User",
    selection: Mapping[str, Any],
) -> Change:
    """Store the plan by which `participants` join `target` with their rights; unless `keep`, they leave where they are.

    A move is done whole or not at all as far as is known now: where one half is left out, so is the other. Whoever is
    of another system, or of whom the account is not known, is left out by name. People join before anybody leaves.
    `until`: the last day in `target` of those who join it.

    Raises `NotAllowed` when any row is out of the actor's sight, `ChangeRefused` when nothing is selected.
    """
    need_right(actor, Right.ACT)
    need_visible(target, actor)
    endings.checked(until)
    joined = Group.objects.select_related("connection").get(pk=target.pk)
    rows = selecting.participants(participants, selection, actor)
    wishes = [
        wish
        for row in rows.select_related("group").defer("secrets", "attributes", "group__secrets", "group__attributes")
        for wish in _wishes(row, joined, keep=keep)
    ]
    about = {
        **selection,
        "target_id": joined.pk,
        "target": joined.name or joined.remote_id,
        **endings.in_selection(until),
    }
    kind = ChangeKind.COPY if keep else ChangeKind.MOVE
    return drafts.draft(kind, wishes, about, actor=actor)


def again(selection: Mapping[str, Any], *, keep: bool, actor: "User") -> Change:
    """The same once more for rows that were chosen by name, as things are now."""
    rows = Participant.objects.filter(pk__in=selecting.named_ids(selection))
    target = Group.objects.get(pk=selection["target_id"])
    until = parse_date(selection.get("until", ""))
    return draft_transfer(rows, target, keep=keep, until=until, actor=actor, selection=selection)


def _wishes(row: Participant, target: Group, *, keep: bool) -> list[Wish]:
    barred = _barred(row, target)
    if barred is not None:
        return [Barred(row.label, target.pk, barred)]
    together = None if keep else row.account_id
    rights = unusual({name: getattr(row, name) for name in RIGHTS})
    joins = Add(row.account_id or 0, target.pk, rights, together)
    return [joins] if keep else [joins, Remove(row.pk, together)]


def _barred(row: Participant, target: Group) -> Refusal | None:
    if row.group_id == target.pk:
        return Refusal(Reason.ALREADY_SO)
    if not row.is_present:
        return Refusal(Reason.ALREADY_GONE)
    if row.group.connection_id != target.connection_id:
        return Refusal(Reason.ACCOUNT_ELSEWHERE, {"system": target.connection.name})
    return Refusal(Reason.ACCOUNT_NOT_KNOWN) if row.account_id is None else None
