"""A person is erased: asked for by one, approved by another. Sealed entries and plan hashes stay, and still verify."""

from collections.abc import Mapping
from contextlib import ExitStack
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import CharField, Q, QuerySet, Value
from django.db.models.functions import Cast, Concat
from django.utils import timezone

from membership.audit import archives, record
from membership.audit import erase as parts
from membership.errors import NotAllowed, Reason
from membership.models import (
    Account,
    Change,
    Erasure,
    LeftOut,
    Merging,
    Operation,
    Participant,
    PendingPlan,
    Person,
    has_right,
    reached_ids,
)
from membership.services import drafts, mentions, telling
from membership.services.rosters import telling as rosters
from membership.services.shell import audited, need_right, refuse
from membership.services.telling import Told
from membership.services.traces import Traces, traces
from membership.services.typed import clean
from membership.vocab import (
    ERASED,
    AuditAction,
    Chain,
    ChangeState,
    ConnectionState,
    ErasureState,
    OperationState,
    Right,
)

if TYPE_CHECKING:
    from django.contrib.auth.models import User

NOTE_CHARS = 300
_NOBODY = Concat(Value("erased-"), Cast("pk", CharField()))
"""In place of an id there: whoever comes back under the old one is somebody new, who was nowhere before."""
_UNDER_WAY = Q(state__in=OperationState.open() - {OperationState.PLANNED}) | Q(
    state=OperationState.PLANNED, change__state__in=ChangeState.open()
)
"""Steps that are, or will be, sent: of a confirmed change a later stage is only planned."""


@audited
def ask(person: Person, note: str = "", *, actor: "User") -> Erasure:
    """Ask that everything stored about `person` be erased. Nothing is erased before somebody else approves.

    Raises `NotAllowed` without the right, and for an actor limited to some systems: an erasure knows no limits. Raises
    `ChangeRefused` while the person is in a group, or a step about them is under way.
    """
    _need_right(actor)
    said = clean(note, key="note", at_most=NOTE_CHARS)
    with transaction.atomic():
        row = Person.objects.select_for_update().get(pk=person.pk)
        _need_own(row.pk)
        _need_free(traces(row))
        if Erasure.objects.filter(person_id=row.pk, state=ErasureState.ASKED).exists():
            refuse(Reason.ALREADY_ASKED_TO_ERASE)
        made = Erasure.objects.create(
            person_id=row.pk, label=row.name, note=said, asked_by_id=actor.pk, asked_at=timezone.now()
        )
        personal = {"person": row.name, "note": said}
        record.write(Chain.PANEL, [_entry(AuditAction.ERASURE_ASKED, made, actor, personal=personal)])
    return made


@audited
def reject(erasure: Erasure, *, actor: "User") -> Erasure:
    """It stays as it is. Whoever asked may say so, too."""
    _need_right(actor)
    with transaction.atomic():
        row = _asked(erasure)
        name = row.label
        _decide(row, ErasureState.REJECTED, actor, timezone.now())
        record.write(Chain.PANEL, [_entry(AuditAction.ERASURE_REJECTED, row, actor, personal={"person": name})])
    return row


@audited
def approve(erasure: Erasure, *, actor: "User") -> Erasure:
    """Erase the person: nobody gets back what is gone.

    Raises `ChangeRefused` for whoever asked, and while the person is in a group or a step about them is under way.
    """
    _need_right(actor)
    if erasure.asked_by_id == actor.pk:
        refuse(Reason.NEEDS_SECOND_PERSON)
    person = Person.objects.filter(pk=erasure.person_id).first()
    # Looking through the whole log and its archives is no part of the transaction, which then is short.
    cut_before = archives.cut_so_far()
    told = telling.look_through(traces(person)) if person else None
    with ExitStack() as held:
        rewritten = _rewrite_archives(person, held)
        try:
            row = _erase_now(erasure, told, rewritten, cut_before, actor)
        except BaseException:
            archives.drop(rewritten)
            raise
        archives.put(rewritten)
    return row


def _erase_now(
    erasure: Erasure,
    told: Told | None,
    rewritten: list[archives.Rewritten],
    cut_before: archives.State,
    actor: "User",
) -> Erasure:
    with transaction.atomic():
        row = _asked(erasure)
        person = Person.objects.select_for_update().filter(pk=row.person_id).first()
        _need_own(row.person_id)
        if person is None or told is None:
            refuse(Reason.ERASED)
        found = traces(person)
        now = timezone.now()
        entries = _stale_drafts(found, now, actor)
        _need_free(found)  # after the lock: none of them is confirmed any more
        row.counts = _erase(found, telling.look_again(found, told), now)
        missing = archives.missing()
        row.counts |= {
            "archived_parts": sum(each.parts for each in rewritten),
            "archives_missing": len(missing),
        }
        row.label, row.note = ERASED, ""
        _decide(row, ErasureState.DONE, actor, now)
        told_of = {"archives": archives.as_data(rewritten), "missing": missing}
        data = {"asked_by": row.asked_by_id, **row.counts, **told_of}
        record.write(Chain.PANEL, [*entries, _entry(AuditAction.PERSON_ERASED, row, actor, data=data)], at=now)
        # After the entry, which waits for whoever is about to write that something was cut off.
        if archives.cut_so_far() != cut_before:
            refuse(Reason.LOG_CUT_MEANWHILE)
    return row


def _rewrite_archives(person: Person | None, held: ExitStack) -> list[archives.Rewritten]:
    if person is None:
        return []
    try:
        return archives.rewrite(traces(person).is_in, held)
    except (OSError, ValueError) as error:
        refuse(Reason.ARCHIVE_NOT_ERASED, why=str(error))


def archives_missing() -> list[str]:
    """Archives of the log that an erasure would not reach, because they are not where they were put."""
    return archives.missing()


def comes_back(person: Person) -> list[Account]:
    """Accounts that still exist in their systems: they stay in the mirror, and can only be deleted over there."""
    live = Account.objects.filter(person=person, is_present=True).exclude(connection__state=ConnectionState.RETIRED)
    return list(live.select_related("connection").order_by("connection__name", "label"))


def waiting(person: Person) -> Erasure | None:
    return Erasure.objects.filter(person_id=person.pk, state=ErasureState.ASKED).first()


def second_people(actor: "User") -> int:
    """How many others could approve what the actor asks for."""
    others = get_user_model().objects.filter(is_active=True).exclude(pk=actor.pk)
    return sum(has_right(user, Right.ERASE) and reached_ids(user) is None for user in others)


def to_approve(user: "User") -> QuerySet[Erasure]:
    """What others asked for, and the user may decide about."""
    may = has_right(user, Right.ERASE) and reached_ids(user) is None
    return (
        Erasure.objects.filter(state=ErasureState.ASKED).exclude(asked_by_id=user.pk) if may else Erasure.objects.none()
    )


def _need_right(actor: "User") -> None:
    need_right(actor, Right.ERASE)
    if reached_ids(actor) is not None:
        raise NotAllowed(Reason.NO_RIGHT, right=Right.ERASE.value)


def _need_own(person_id: int) -> None:
    """Whoever became part of somebody else has nothing of their own that could be erased."""
    merging = Merging.objects.filter(former_id=person_id).select_related("person").first()
    if merging is not None:
        refuse(Reason.PERSON_MERGED, name=merging.person.name)


def _need_free(found: Traces) -> None:
    present = Participant.objects.filter(pk__in=found.participants, is_present=True, group__is_present=True)
    count = present.exclude(group__connection__state=ConnectionState.RETIRED).count()
    if count:
        refuse(Reason.STILL_IN_GROUPS, count=count)
    under_way = Operation.objects.filter(_UNDER_WAY, pk__in=found.steps).count()
    if under_way:
        refuse(Reason.STEPS_UNDER_WAY, count=under_way)


def _asked(erasure: Erasure) -> Erasure:
    row = Erasure.objects.select_for_update().get(pk=erasure.pk)
    if row.state != ErasureState.ASKED:
        refuse(Reason.ALREADY_DECIDED)
    return row


def _decide(row: Erasure, state: ErasureState, actor: "User", now: datetime) -> None:
    row.state, row.decided_by_id, row.decided_at = state, actor.pk, now
    row.save(update_fields=["state", "decided_by_id", "decided_at", "label", "note", "counts"])


def _entry(
    action: AuditAction,
    row: Erasure,
    actor: "User",
    *,
    data: Mapping[str, Any] | None = None,
    personal: Mapping[str, Any] | None = None,
) -> record.Entry:
    return record.Entry(
        action,
        actor=actor,
        person_id=row.person_id,
        data={"erasure": row.pk, **(data or {})},
        personal=personal or {},
    )


def _stale_drafts(found: Traces, now: datetime, actor: "User") -> list[record.Entry]:
    """Previews that would act on the person can no longer be confirmed, nor approved."""
    waiting = Operation.objects.filter(pk__in=found.steps, state=OperationState.PLANNED).values("change_id")
    pending = {plan.pk: plan.change_id for plan in found.pending_plans()}
    of_them = Q(pk__in=waiting) | Q(pk__in=pending.values())
    rows = Change.objects.select_for_update().filter(of_them, state__in=ChangeState.unsent()).order_by("pk")
    entries = [drafts.make_stale(change, now=now, why="erased", actor=actor) for change in rows]
    PendingPlan.objects.filter(pk__in=pending).delete()
    # Their titles would write the name anew.
    return [
        record.Entry(entry.action, actor=actor, change_id=entry.change_id, outcome=entry.outcome)
        for entry in entries
        if entry is not None
    ]


# what goes


def _erase(found: Traces, told: Told, now: datetime) -> dict[str, int]:
    """How many rows of each kind were emptied."""
    texts = list(telling.told_in(found, told))
    for text in texts:
        mentions.erase(found, text)
    counts = {
        "changes": _erase_changes(found, told.changes | found.changes, now),
        "texts": len(texts),
        "left_outs": _erase_left_outs(found),
        "drifts": _erase_drifts(found),
        "proposals": found.proposals().delete()[0],
        "list_rows": _erase_list_rows(found, told),
        # A certificate names every place. That it was issued, and its hash, stay in the log.
        "leavings": found.leavings().delete()[0],
    }
    entries = {*told.entries, *found.entries().values_list("pk", flat=True)}
    counts["steps"] = _erase_steps(found, now)
    counts["places"] = _erase_places(found)
    counts["accounts"] = _erase_accounts(found)
    counts["parts"] = parts.erase(entries)
    found.mergings().delete()
    Person.objects.filter(pk__in=found.people).delete()
    return counts


def _erase_changes(found: Traces, ids: frozenset[int], now: datetime) -> int:
    rows = list(Change.objects.select_for_update().filter(pk__in=ids))
    for change in rows:
        if change.pk in found.changes or found.is_told_in(change.reason):
            change.reason = ERASED if change.reason else ""
        if change.pk in found.changes and "label" in change.selection:
            change.selection["label"] = ERASED  # also a name that they no longer have
        if found.is_told_in(change.ticket):
            change.ticket = ERASED
        change.selection = found.without(change.selection)
        change.pause_params = found.without(change.pause_params)
        change.erased_at = now
        change.save(update_fields=["reason", "ticket", "selection", "pause_params", "erased_at"])
    return len(rows)


def _erase_left_outs(found: Traces) -> int:
    return LeftOut.objects.filter(pk__in=found.left_outs().values("pk")).update(subject_label=ERASED, reason_params={})


def _erase_drifts(found: Traces) -> int:
    done = 0
    for drift in found.drifts().select_related("participant"):
        is_nobodys = drift.participant is None or drift.participant.account_id is None
        if drift.participant_id in found.participants or (is_nobodys and drift.label in found.names):
            drift.label, drift.before, drift.after = ERASED, {}, {}
        if drift.remote_actor in found.names:
            drift.remote_actor = ERASED
        drift.save(update_fields=["label", "before", "after", "remote_actor"])
        done += 1
    return done


def _erase_list_rows(found: Traces, told: Told) -> int:
    """Rows of uploaded lists; the files that they came from, and what is shown of these, go as a whole."""
    rows = found.list_rows()
    rosters.empty({*told.lists, *rows.values_list("roster_id", flat=True)})
    return rows.update(said_id="", said_email="", said_name=ERASED, may_mean=[], account=None, participant=None)


def _erase_steps(found: Traces, now: datetime) -> int:
    """The digest stays: it is what the plan's hash, sealed in the log, was worked out from."""
    gone = {row.remote_id for row in Account.objects.filter(pk__in=found.accounts)}
    for step in Operation.objects.filter(pk__in=found.creations):
        # The group, and the others in it, stay.
        step.wanted["members"] = [member for member in step.wanted["members"] if member not in gone]
        step.calls, step.salt, step.erased_at = [], "", now
        step.save(update_fields=["wanted", "calls", "salt", "erased_at"])
    return len(found.creations) + Operation.objects.filter(pk__in=found.operations).update(
        subject=ERASED,
        subject_label=ERASED,
        wanted={},
        before={},
        calls=[],
        results={},
        found={},
        secrets={},
        suspicion_params={},
        outcome_params={},
        salt="",
        account=None,
        participant=None,
        erased_at=now,
    )


def _erase_places(found: Traces) -> int:
    """Rows of groups in which the person was. They say that somebody was there, and when."""
    gone = Participant.objects.filter(pk__in=found.participants)
    return gone.update(
        remote_id=_NOBODY, label=ERASED, attributes={}, secrets={}, content_hash="", account=None, last_read_at=None
    )


def _erase_accounts(found: Traces) -> int:
    """Accounts that still exist there lose only the link to the person: the next reading would tell all else again."""
    rows = Account.objects.filter(pk__in=found.accounts)
    rows.update(person=None)
    live = rows.filter(is_present=True).exclude(connection__state=ConnectionState.RETIRED)
    return (
        Account.objects.filter(pk__in=found.accounts)
        .exclude(pk__in=list(live.values_list("pk", flat=True)))
        .update(remote_id=_NOBODY, label=ERASED, email=None, attributes={}, content_hash="", email_blocked_at=None)
    )
