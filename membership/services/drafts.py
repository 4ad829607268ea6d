"""Drafts: stored, compiled when what they wait for was read, and expired."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

from membership import conf
from membership.audit import record
from membership.errors import Reason
from membership.models import Account, Change, ChangeConnection, Participant, Reading, Roster, visible_to
from membership.plans import compile as plan_compiler
from membership.plans import places
from membership.plans.compile import Plan, Unknown
from membership.plans.wishes import Wish
from membership.services import pending
from membership.services.shell import refuse
from membership.services.titles import title
from membership.vocab import AuditAction, Chain, ChangeKind, ChangeState, ConnectionState, ReadingState

if TYPE_CHECKING:
    from django.contrib.auth.models import User

EXPIRED_AT_ONCE = 100


def draft(
    kind: ChangeKind, wishes: Iterable[Wish], selection: Mapping[str, Any], *, actor: "User", **fields: Any
) -> Change:
    """Plan `wishes`, guards applied, and store the draft: the one road of every verb.

    `selection` says what was selected, for people and for planning again; names that the title needs are added. The
    caller has asked for the right and made sure that the actor sees all of it. Raises `ChangeRefused` when there is
    nothing to plan. What is too large to wait for is compiled by the worker: the draft then has no plan yet.
    """
    wishes = list(wishes)
    if len(wishes) > conf.compile_in_worker_above():
        return _put_off(kind, wishes, selection, actor=actor, **fields)
    plan = plan_compiler.plan(wishes)
    if not plan.kept and not plan.left_out:
        refuse(Reason.NOTHING_SELECTED)
    said = {} if kind == ChangeKind.REMOVAL else _only_group(plan)
    return store_draft(kind, {**selection, **said}, plan, actor=actor, **fields)


def _put_off(
    kind: ChangeKind, wishes: Sequence[Wish], selection: Mapping[str, Any], *, actor: "User", **fields: Any
) -> Change:
    """A draft that the worker compiles. It already says who may see it."""
    with transaction.atomic():
        change = new_draft(kind, selection, actor=actor, **fields)
        pending.put(change, wishes)
        systems = plan_compiler.systems_of(wishes)
        ChangeConnection.objects.bulk_create(note_part(change, pk, None) for pk in sorted(systems))
    return change


def put_off_list(roster: Roster, selection: Mapping[str, Any], *, actor: "User") -> Change:
    """A draft of what a list from a file says, which the worker reads and compiles."""
    with transaction.atomic():
        change = new_draft(ChangeKind.ROSTER, selection, actor=actor)
        pending.put_list(change, roster)
        note_part(change, roster.connection_id, None).save()
    return change


def _only_group(plan: Plan) -> dict[str, str]:
    """The name of the group, where there is one alone."""
    groups = {case.group.pk: case.group.name or case.group.remote_id for case in plan.kept if case.group}
    return {"group": next(iter(groups.values()))} if len(groups) == 1 else {}


def store_draft(kind: ChangeKind, selection: Mapping[str, Any], plan: Plan, *, actor: "User", **fields: Any) -> Change:
    """A compiled draft with its audit entry, in one transaction."""
    with transaction.atomic():
        change = new_draft(kind, selection, actor=actor, **fields)
        finish_draft(change, plan, actor=actor)
    return change


def new_draft(kind: ChangeKind, selection: Mapping[str, Any], *, actor: "User", **fields: Any) -> Change:
    """A draft without a plan yet. Inside the caller's transaction."""
    now = timezone.now()
    return Change.objects.create(
        kind=kind,
        selection=dict(selection),
        requested_by=actor,
        created_at=now,
        stale_at=plan_compiler.good_until(now),
        **fields,
    )


def finish_draft(
    change: Change,
    plan: Plan,
    unknown: Mapping[int, Unknown] | None = None,
    *,
    actor: "User | None",
    stored: Sequence[str] | None = None,
) -> None:
    """Store the plan of a draft, and record that it was drafted. Inside the caller's transaction.

    `stored`: digests of its operations, where these are in the database already.
    """
    plan_compiler.store(change, plan, unknown, stored=stored)
    record.write(Chain.PANEL, [change_entry(AuditAction.CHANGE_DRAFTED, change, actor=actor)])


def change_entry(
    action: AuditAction,
    change: Change,
    *,
    actor: "User | None",
    outcome: str = "",
    data: Mapping[str, Any] | None = None,
    personal: Mapping[str, Any] | None = None,
) -> record.Entry:
    """One entry about a change, with its counts and hash sealed, and what names people apart."""
    about = change.selection
    return record.Entry(
        action,
        actor=actor,
        change_id=change.pk,
        person_id=about.get("id") if about.get("kind") in ("person", "matrix") else None,
        account_id=about.get("id") if about.get("kind") == "account" else None,
        outcome=outcome,
        data={
            "kind": change.kind,
            "plan_hash": change.plan_hash,
            "people": change.people_count,
            "groups": change.groups_count,
            "operations": change.operations_count,
            "left_out": change.left_out_count,
            "retry_of": change.retry_of_id,
            **(data or {}),
        },
        personal={"title": title(change), **(personal or {})},
    )


# everywhere


def accounts_meant(selection: Mapping[str, Any], actor: "User") -> QuerySet[Account]:
    """The accounts of an "everywhere" that the actor may see."""
    if selection["kind"] == "leavers":
        return visible_to(Account.objects.filter(person_id__in=selection["ids"]), actor)
    meant = Account.objects.filter(**{"person_id" if selection["kind"] == "person" else "pk": selection["id"]})
    return visible_to(meant, actor)


def plan_everywhere(change: Change, actor: "User") -> Plan:
    """What is known of where these accounts take part, as far as `actor` may see. Reads only."""
    accounts = accounts_meant(change.selection, actor)
    there = Participant.objects.filter(account__in=accounts.values("pk"), is_present=True, group__is_present=True)
    return plan_compiler.plan_removal(visible_to(there, actor))


def compile_ready() -> bool:
    """Compile the drafts for which everything was read that can be read now. True: there was one."""
    # A stopped system reads nothing: its part of the preview says "not known".
    still_read = Reading.objects.filter(
        change=OuterRef("pk"), state__in=ReadingState.open(), connection__state=ConnectionState.ACTIVE
    )
    waiting = Change.objects.filter(state=ChangeState.DRAFT, compiled_at=None, pending=None).exclude(Exists(still_read))
    done = int(_compiler.go_on())
    for change in waiting.select_related("requested_by").order_by("pk"):
        if change.requested_by is not None:
            done += _compile_waiting(change, change.requested_by)
    return bool(done)


def _finish_pending(change: Change, plan: Plan | None, stored: Sequence[str]) -> None:
    """The last transaction of a plan that the worker compiled. None: what it was to be made from is gone."""
    if plan is None:
        stale = make_stale(change, now=timezone.now(), why="list_gone", actor=None)
        record.write(Chain.PANEL, [stale] if stale else [])
        return
    if change.kind not in (ChangeKind.REMOVAL, ChangeKind.REMOVAL_EVERYWHERE):
        change.selection = {**change.selection, **_only_group(plan)}
        change.save(update_fields=["selection"])
    finish_draft(change, plan, actor=change.requested_by, stored=stored)


_compiler = pending.Compiler(_finish_pending)


def _compile_waiting(change: Change, author: "User") -> int:
    plan = plan_everywhere(change, author)
    unknown = _linked_since(change, author) | _not_read(change)
    with transaction.atomic():
        still = Change.objects.select_for_update().filter(pk=change.pk, state=ChangeState.DRAFT, compiled_at=None)
        if not still.exists():
            return 0
        finish_draft(change, plan, unknown, actor=author)
    return 1


def _linked_since(change: Change, author: "User") -> dict[int, Unknown]:
    """`{connection id: why}` of systems in which the person had no account when it was asked what has to be read."""
    linked = accounts_meant(change.selection, author).exclude(connection__in=change.parts.values("connection_id"))
    unread = places.not_known(list(linked), timezone.now())
    return {account.connection_id: Unknown(Reason.PLACES_NOT_KNOWN, {}) for account in unread}


def _not_read(change: Change) -> dict[int, Unknown]:
    """`{connection id: why}` of systems that were asked where the person takes part, and did not tell all."""
    unknown: dict[int, Unknown] = {}
    for reading in change.readings.exclude(state=ReadingState.COMPLETE).select_related("connection"):
        system = reading.connection
        if reading.state in ReadingState.open():
            unknown[system.pk] = Unknown(system.state_reason or Reason.PLACES_NOT_KNOWN, system.state_params)
        else:
            unknown[system.pk] = Unknown(reading.reason or Reason.READING_FAILED, reading.reason_params)
    return unknown


def note_part(change: Change, connection_id: int, unknown: Unknown | None) -> ChangeConnection:
    """A part of a draft that is not compiled yet: it already says who may see the draft."""
    return ChangeConnection(
        change=change,
        connection_id=connection_id,
        unknown_reason=unknown.reason if unknown else "",
        unknown_params=dict(unknown.params) if unknown else {},
    )


# too old


def expire_drafts() -> bool:
    """Mark the drafts, and what waits for approval, whose time has run out. True: there was one."""
    now = timezone.now()
    old = Change.objects.filter(state__in=ChangeState.unsent(), stale_at__lt=now)
    if not old.exists():
        return False
    with transaction.atomic():
        rows = list(old.select_for_update().order_by("pk")[:EXPIRED_AT_ONCE])
        entries = [entry for change in rows if (entry := make_stale(change, now=now, why="time", actor=None))]
        record.write(Chain.PANEL, entries, at=now)
    return bool(entries)


def make_stale(
    change: Change, *, now: datetime, why: str, actor: "User | None", data: Mapping[str, Any] | None = None
) -> record.Entry | None:
    """Flip a draft, or what waits for approval, to stale. Returns the entry to write last in the caller's transaction;
    None: it was neither now."""
    flipped = Change.objects.filter(pk=change.pk, state__in=ChangeState.unsent()).update(
        state=ChangeState.STALE, finished_at=now
    )
    if not flipped:
        return None
    change.state, change.finished_at = ChangeState.STALE, now
    return change_entry(AuditAction.CHANGE_STALE, change, actor=actor, outcome=why, data=data)
