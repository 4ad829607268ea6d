"""What can be done with a change: confirm it, throw it away, cancel its rest, decide a step that others changed."""

import datetime as dt
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.utils import timezone

from membership.audit import record
from membership.errors import BadValue, Reason
from membership.models import Change, Operation
from membership.operations import outbox
from membership.operations.entries import operation_entry
from membership.services import endings, guarding, queueing, staging
from membership.services.again import draft_retry, recompile
from membership.services.change_pages import name_to_type, number_to_type, recent_reasons
from membership.services.drafts import change_entry, compile_ready, expire_drafts
from membership.services.inert import inert
from membership.services.progress import progress
from membership.services.shell import audited, need_right, need_visible, refuse
from membership.services.typed import clean
from membership.vocab import AuditAction, Chain, ChangeState, OperationState, Right

if TYPE_CHECKING:
    from django.contrib.auth.models import User

__all__ = [
    "DECISIONS",
    "cancel_rest",
    "compile_ready",
    "confirm_change",
    "decide_foreign",
    "draft_retry",
    "expire_drafts",
    "name_to_type",
    "number_to_type",
    "progress",
    "recent_reasons",
    "recompile",
    "throw_away",
    "waits_for_approval",
]

REASON_CHARS = 1000
TICKET_CHARS = 100
DECISIONS = ("accept", "again", "leave")

_NOT_BEGUN = (OperationState.PLANNED, OperationState.QUEUED)


@audited
def confirm_change(
    change: Change,
    *,
    actor: "User",
    reason: str,
    ticket: str = "",
    expected_hash: str,
    typed_number: int | str | None = None,
    typed_name: str = "",
    stage_sizes: Sequence[int] | None = None,
    starts_at: dt.datetime | None = None,
) -> Change:
    """Queue what the preview shows. Nothing is sent here: the worker makes the calls after commit.

    Where a guard asks for a second person, the change waits for one instead (`approval`). Where a guard forbids the
    plan, and nobody overrode that, it is refused.

    `stage_sizes`: how many steps come first, each stage read back before the next; () for all at once, None as the
    settings say for a change of this size. `starts_at`: nothing begins before.

    Whoever may act and see all of it may confirm: the entry "requested" names who did, "previewed" who drafted it.
    `expected_hash` is that of the page that was shown; `typed_number` and `typed_name` answer its `number_to_type` and
    `name_to_type`.

    Raises `ChangeRefused` or `BadValue`, and then nothing is queued. Where the plan's time has run out, or something
    changed underneath, the draft is stale from then on.
    """
    need_right(actor, Right.ACT)
    need_visible(change, actor)
    said_why = clean(reason, key="reason", at_most=REASON_CHARS)
    said_ticket = clean(ticket, key="ticket", at_most=TICKET_CHARS)
    with transaction.atomic():
        draft = Change.objects.select_for_update().get(pk=change.pk)
        _need_draft(draft)
        stale = queueing.out_of_time(draft)
        if stale is None:
            _need_answers(draft, said_why, typed_number, typed_name)
            queueing.need_unaltered(draft, expected_hash)
            stale = queueing.overtaken(draft)
        if stale is None:
            guarding.need_not_forbidden(draft)
            sizes = staging.usual_sizes(draft) if stage_sizes is None else stage_sizes
            paced = staging.lay_out(draft, sizes, starts_at)
            endings.bind(draft, actor=actor)
            draft.requested_by, draft.reason, draft.ticket = actor, said_why, said_ticket
            _ask(draft, actor=actor, paced=paced)
        else:
            # Committed, while what was asked for is refused after it.
            queueing.make_stale_now(draft, stale, actor=actor)
    if stale is not None:
        refuse(Reason.PLAN_STALE, **stale)
    return draft


def _need_draft(draft: Change) -> None:
    if draft.confirmed_at is not None or draft.state == ChangeState.WAITING:
        refuse(Reason.ALREADY_CONFIRMED)
    if draft.state == ChangeState.STALE:
        refuse(Reason.PLAN_STALE)
    if draft.state != ChangeState.DRAFT:
        refuse(Reason.NOT_A_DRAFT)
    if draft.compiled_at is None:
        refuse(Reason.PLAN_NOT_READY)


def _need_answers(draft: Change, reason: str, typed_number: int | str | None, typed_name: str) -> None:
    if not draft.operations_count:
        refuse(Reason.NOTHING_TO_DO)
    if not reason:
        refuse(Reason.REASON_EMPTY)
    number = number_to_type(draft)
    if number is not None and str(typed_number if typed_number is not None else "").strip() != str(number):
        refuse(Reason.NUMBER_NOT_TYPED, number=number)
    name = name_to_type(draft)
    if name and _plain(typed_name) != _plain(name):
        refuse(Reason.NAME_NOT_TYPED, name=name)


def _plain(name: str) -> str:
    """A name as two people type it alike: one form of each letter, single blanks."""
    return " ".join(unicodedata.normalize("NFC", inert(name)).split())


def waits_for_approval(change: Change) -> bool:
    """Whether a second person has to look at it now."""
    return Change.objects.filter(pk=change.pk, state=ChangeState.WAITING).exists()


def _ask(draft: Change, *, actor: "User", paced: Mapping[str, Any]) -> None:
    """Queue it, or have it wait for a second person."""
    waits = guarding.needs_approval(draft)
    draft.save(update_fields=["requested_by", "reason", "ticket"])
    if waits:
        queueing.await_approval(draft)
    else:
        queueing.queue(draft)
    said = {"reason": draft.reason, "ticket": draft.ticket}
    outcome = ChangeState.WAITING.value if waits else ""
    entry = change_entry(AuditAction.CHANGE_REQUESTED, draft, actor=actor, outcome=outcome, data=paced, personal=said)
    record.write(Chain.PANEL, [entry])


@audited
def throw_away(change: Change, *, actor: "User") -> Change:
    """Cancel a preview, or withdraw what waits for approval. Raises `ChangeRefused` when it is neither any more."""
    need_right(actor, Right.ACT)
    need_visible(change, actor)
    now = timezone.now()
    with transaction.atomic():
        draft = Change.objects.select_for_update().get(pk=change.pk)
        if draft.state not in ChangeState.unsent():
            refuse(Reason.NOT_A_DRAFT)
        outcome = "withdrawn" if draft.state == ChangeState.WAITING else "thrown_away"
        draft.state, draft.finished_at = ChangeState.CANCELLED, now
        draft.save(update_fields=["state", "finished_at"])
        _record_cancelled(draft, actor=actor, outcome=outcome, count=draft.operations_count)
    _cancel_in_chunks(draft)
    return draft


@audited
def cancel_rest(change: Change, *, actor: "User") -> Change:
    """Cancel what has not begun; what was sent already ends as it ends. Raises `ChangeRefused` when nothing runs."""
    need_right(actor, Right.ACT)
    need_visible(change, actor)
    with transaction.atomic():
        running = Change.objects.select_for_update().get(pk=change.pk)
        if running.state not in ChangeState.open():
            refuse(Reason.NOT_RUNNING)
        if running.cancel_wanted_at is None:
            running.cancel_wanted_at = timezone.now()
            running.save(update_fields=["cancel_wanted_at"])
            rest = Operation.objects.filter(change=running, state__in=_NOT_BEGUN).count()
            _record_cancelled(running, actor=actor, outcome="rest", count=rest)
    _cancel_in_chunks(running)
    running.refresh_from_db()
    return running


def _record_cancelled(change: Change, *, actor: "User", outcome: str, count: int) -> None:
    data: Mapping[str, Any] = {"cancelled": count}
    entry = change_entry(AuditAction.CHANGE_CANCELLED, change, actor=actor, outcome=outcome, data=data)
    record.write(Chain.PANEL, [entry])


def _cancel_in_chunks(change: Change) -> None:
    # Short transactions; should this process end here, the worker's sweep goes on.
    while outbox.cancel_rest(change):
        pass


@audited
def decide_foreign(operation: Operation, decision: str, *, actor: "User") -> Operation:
    """Settle a step that somebody else changed: "accept" it as done, send it "again", or "leave" things as they are.

    Raises `ChangeRefused` when the step does not wait for a decision.
    """
    need_right(actor, Right.ACT)
    need_visible(operation, actor)
    if decision not in DECISIONS:
        raise BadValue(Reason.BAD_VALUE, key="decision", why=", ".join(DECISIONS))
    now = timezone.now()
    with transaction.atomic():
        locked = Operation.objects.select_for_update(of=("self",)).select_related("account", "group")
        step = locked.get(pk=operation.pk)
        if step.state != OperationState.FOREIGN:
            refuse(Reason.NOT_FOREIGN)
        outbox.decide_foreign(step, decision, by=actor.get_username(), at=now)
        found = {"found": step.found}
        entry = operation_entry(AuditAction.OPERATION_DECIDED, step, outcome=decision, personal=found)
        record.write(record.connection_chain(step.connection_id), [replace(entry, actor=actor)], at=now)
    outbox.close_finished([step.change_id])
    step.refresh_from_db()
    return step
