"""Drafts of removals: what is selected becomes a stored plan that can be previewed. Nothing is queued here."""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from membership.audit import record
from membership.errors import NotAllowed, Reason
from membership.models import (
    Account,
    Change,
    ChangeConnection,
    Operation,
    Participant,
    Person,
    Reading,
    visible_to,
)
from membership.plans import compile as plan_compiler
from membership.plans import places
from membership.plans.compile import Unknown
from membership.services import drafts
from membership.services.shell import audited, need_right, need_visible, refuse
from membership.vocab import AuditAction, ChangeKind, ChangeState, ConnectionState, OperationState, ReadingKind, Right

if TYPE_CHECKING:
    from django.contrib.auth.models import User

_ROW_ID = re.compile(r"[0-9]{1,18}")
_TRIED_AGAIN = (OperationState.REFUSED, OperationState.OVERTAKEN, OperationState.CANCELLED)


@audited
def draft_removal(participants: QuerySet[Participant], *, actor: "User", selection: Mapping[str, Any]) -> Change:
    """Store the plan that removes `participants` from their groups, guards applied.

    `selection` says what was selected: `{"kind": "query", "query": GET string, "count": N}` or `{"kind": "ids",
    "ids": [...]}`. Raises `NotAllowed` when any of them is out of the actor's sight: a page does not offer those.
    Raises `ChangeRefused` when nothing is selected.
    """
    need_right(actor, Right.ACT)
    _need_all_visible(participants, selection, actor)
    return _draft(ChangeKind.REMOVAL, participants, selection, actor=actor)


@audited
def draft_removal_everywhere(*, person: Person | None = None, account: Account | None = None, actor: "User") -> Change:
    """Store the plan that removes one person, or one account, from everywhere the actor may see.

    Where the places of an account are not known completely, the worker reads them first: the draft then has readings
    and no plan yet (`compiled_at` None), and `compile_ready` plans it when they have ended.
    """
    need_right(actor, Right.ACT)
    row = person or account
    if row is None:
        refuse(Reason.NOTHING_SELECTED)
    need_visible(row, actor)
    selection = {"kind": "person" if person else "account", "id": row.pk, "label": str(row)}
    accounts = list(drafts.accounts_meant(selection, actor).select_related("connection"))
    hidden = person is not None and person.accounts.count() > len(accounts)
    unread = places.not_known(accounts, timezone.now())
    with transaction.atomic():
        change = drafts.new_draft(ChangeKind.REMOVAL_EVERYWHERE, selection, actor=actor, touches_hidden=hidden)
        if _ask_places(change, accounts, unread, actor=actor):
            return change
        drafts.finish_draft(change, drafts.plan_everywhere(change, actor), actor=actor)
    return change


@audited
def draft_retry(change: Change, *, actor: "User") -> Change:
    """Store a plan that tries again what was refused, overtaken or cancelled in `change`, as the mirror has it now."""
    need_right(actor, Right.ACT)
    change = _current(change, actor)
    left = Operation.objects.filter(change=change, state__in=_TRIED_AGAIN)
    if change.confirmed_at is None or not left.exists():
        refuse(Reason.NOTHING_TO_RETRY)
    again = Participant.objects.filter(pk__in=left.order_by().values("participant_id"))
    selection = {"kind": "retry", "of": change.pk}
    return _draft(ChangeKind.RETRY, again, selection, actor=actor, retry_of=change)


@audited
def recompile(change: Change, *, actor: "User") -> Change:
    """Store a new plan of what a preview that can no longer be confirmed selected, as the mirror has it now.

    The rows that were planned are planned again: a stored query is not run a second time.
    """
    need_right(actor, Right.ACT)
    change = _current(change, actor)
    if change.confirmed_at is not None or change.state not in (ChangeState.STALE, ChangeState.CANCELLED):
        refuse(Reason.NOT_A_DRAFT)
    kind, about = change.kind, change.selection
    if kind == ChangeKind.REMOVAL_EVERYWHERE:
        meant: dict[str, Any] = {about["kind"]: _meant(about)}
        return draft_removal_everywhere(actor=actor, **meant)
    rows = Q(pk__in=Operation.objects.filter(change=change).order_by().values("participant_id"))
    again = Participant.objects.filter(rows | Q(pk__in=_named_ids(about)))
    return _draft(ChangeKind(kind), again, about, actor=actor, retry_of=change.retry_of)


def _current(change: Change, actor: "User") -> Change:
    """The change as it is now: pages may hold an older one."""
    need_visible(change, actor)
    return Change.objects.get(pk=change.pk)


def _meant(selection: Mapping[str, Any]) -> Person | Account:
    if selection["kind"] == "person":
        return Person.objects.get(pk=selection["id"])
    return Account.objects.get(pk=selection["id"])


def _draft(
    kind: ChangeKind,
    participants: QuerySet[Participant],
    selection: Mapping[str, Any],
    *,
    actor: "User",
    retry_of: Change | None = None,
) -> Change:
    plan = plan_compiler.plan_removal(visible_to(_by_ids(participants), actor))
    if not plan.kept and not plan.left_out:
        refuse(Reason.NOTHING_SELECTED)
    return drafts.store_draft(kind, selection, plan, actor=actor, retry_of=retry_of)


def _by_ids(participants: QuerySet[Participant]) -> QuerySet[Participant]:
    """The same rows, whatever else the queryset is: sliced, ordered, annotated."""
    return Participant.objects.filter(pk__in=participants.values("pk"))


def _need_all_visible(participants: QuerySet[Participant], selection: Mapping[str, Any], actor: "User") -> None:
    """Ids that the pages never showed to this user mean a forged request."""
    asked = _by_ids(participants)
    named = _named_ids(selection)
    hidden = asked.exclude(pk__in=visible_to(asked, actor).values("pk")).exists()
    if hidden or visible_to(Participant.objects.filter(pk__in=named), actor).count() < len(named):
        raise NotAllowed(Reason.NOT_VISIBLE)


def _named_ids(selection: Mapping[str, Any]) -> set[int]:
    if selection.get("kind") != "ids":
        return set()
    texts = [str(each) for each in selection["ids"]]
    if not all(_ROW_ID.fullmatch(text) for text in texts):
        refuse(Reason.REQUEST_FORGED)
    return {int(text) for text in texts}


def _ask_places(change: Change, accounts: Sequence[Account], unread: Sequence[Account], *, actor: "User") -> bool:
    """Note the draft's systems, and have read what is not known where a system can be read. True: something is read.

    Inside the caller's transaction.
    """
    systems = {account.connection_id: account.connection for account in accounts}
    stopped = {
        account.connection_id: Unknown(
            account.connection.state_reason or Reason.PLACES_NOT_KNOWN, account.connection.state_params
        )
        for account in unread
        if account.connection.state != ConnectionState.ACTIVE
    }
    ChangeConnection.objects.bulk_create(drafts.note_part(change, pk, stopped.get(pk)) for pk in systems)
    asked = [account for account in unread if account.connection_id not in stopped]
    readings = Reading.objects.bulk_create(_places_reading(change, account, actor) for account in asked)
    entries: dict[str, list[record.Entry]] = defaultdict(list)
    for row in readings:
        entries[record.connection_chain(row.connection_id)].append(_reading_entry(row, actor))
    record.write_all(entries)
    return bool(readings)


def _places_reading(change: Change, account: Account, actor: "User") -> Reading:
    return Reading(
        connection_id=account.connection_id,
        kind=ReadingKind.PLACES,
        account=account,
        change=change,
        asked_by=actor,
        asked_at=change.created_at,
    )


def _reading_entry(reading: Reading, actor: "User") -> record.Entry:
    return record.Entry(
        AuditAction.READING_REQUESTED,
        actor=actor,
        change_id=reading.change_id,
        connection_id=reading.connection_id,
        account_id=reading.account_id,
        data={"kind": reading.kind, "reading": reading.pk},
    )
