"""Drafts of removals: what is selected becomes a stored plan that can be previewed. Nothing is queued here."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from membership.audit import record
from membership.errors import Reason
from membership.models import Account, Change, ChangeConnection, Participant, Person, Reading
from membership.plans import places
from membership.plans.compile import Unknown
from membership.plans.wishes import Remove
from membership.services import drafts, selecting
from membership.services.shell import audited, need_right, need_visible, refuse
from membership.vocab import AuditAction, ChangeKind, ConnectionState, ReadingKind, Right

if TYPE_CHECKING:
    from django.contrib.auth.models import User


@audited
def draft_removal(participants: QuerySet[Participant], *, actor: "User", selection: Mapping[str, Any]) -> Change:
    """Store the plan that removes `participants` from their groups, guards applied.

    `selection` says what was selected: `{"kind": "query", "query": GET string, "count": N}` or `{"kind": "ids",
    "ids": [...]}`. Raises `NotAllowed` when any of them is out of the actor's sight: a page does not offer those.
    Raises `ChangeRefused` when nothing is selected.
    """
    need_right(actor, Right.ACT)
    rows = selecting.participants(participants, selection, actor)
    wishes = [Remove(pk) for pk in rows.values_list("pk", flat=True)]
    return drafts.draft(ChangeKind.REMOVAL, wishes, selection, actor=actor)


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
    known = person.accounts.count() if person else 1
    return draft_everywhere(ChangeKind.REMOVAL_EVERYWHERE, selection, accounts_count=known, actor=actor)


def draft_everywhere(kind: ChangeKind, selection: Mapping[str, Any], *, accounts_count: int, actor: "User") -> Change:
    """Store the draft by which the accounts that `selection` means leave everything. The caller asked for the right.

    `accounts_count`: how many there are in all; of those that the actor may not see the preview says so.
    """
    accounts = list(drafts.accounts_meant(selection, actor).select_related("connection"))
    hidden = accounts_count > len(accounts)
    unread = places.not_known(accounts, timezone.now())
    with transaction.atomic():
        change = drafts.new_draft(kind, selection, actor=actor, touches_hidden=hidden)
        if _ask_places(change, accounts, unread, actor=actor):
            return change
        drafts.finish_draft(change, drafts.plan_everywhere(change, actor), actor=actor)
    return change


def again(selection: Mapping[str, Any], *, actor: "User") -> Change:
    """The same removal from everywhere once more, as things are now."""
    if selection["kind"] == "person":
        return draft_removal_everywhere(person=Person.objects.get(pk=selection["id"]), actor=actor)
    return draft_removal_everywhere(account=Account.objects.get(pk=selection["id"]), actor=actor)


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
