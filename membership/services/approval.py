"""Four eyes: a second person approves or rejects exactly the plan that somebody asked for."""

from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models import BooleanField, Case, QuerySet, Value, When
from django.utils import timezone

from membership.audit import record
from membership.errors import Reason
from membership.models import Change, has_right, visible_to
from membership.operations import asker
from membership.services import guarding, queueing
from membership.services.drafts import change_entry
from membership.services.shell import audited, need_right, need_visible, refuse
from membership.services.typed import clean
from membership.vocab import AuditAction, Chain, ChangeState, DecisionKind, Right

if TYPE_CHECKING:
    from django.contrib.auth.models import User


def may_decide(change: Change, user: "User") -> bool:
    """Whether this user is a second person for this change. Never whoever asked for it."""
    return has_right(user, Right.APPROVE) and change.requested_by_id != user.pk


def waiting_for(user: "User") -> QuerySet[Change]:
    """Changes that this user may approve or reject, newest first."""
    waiting = Change.objects.filter(state=ChangeState.WAITING).exclude(requested_by=user).order_by("-pk")
    return visible_to(waiting, user) if has_right(user, Right.APPROVE) else waiting.none()


def asker_may(change: Change) -> bool:
    """Whether whoever asked for it may still do it: else it cannot be approved."""
    return asker.may(change)


def with_askers(changes: QuerySet[Change]) -> QuerySet[Change]:
    """The same of many, as `asker_may`; True of what does not wait for approval. No query more."""
    waits = When(state=ChangeState.WAITING, then=asker.may_each())
    return changes.annotate(asker_may=Case(waits, default=Value(True), output_field=BooleanField()))


@audited
def approve_change(change: Change, *, actor: "User", expected_hash: str, comment: str = "") -> Change:
    """Queue the plan that waits, as whoever asked for it would have. The worker sends it after commit.

    `expected_hash` is that of the page that was shown. Raises `NotAllowed` without the right or out of sight,
    `ChangeRefused` when the actor asked for it, whoever did may not act any more, nothing waits, or the plan is another
    one. Where its time has run out,
    something changed underneath, or guards demand more by now, the change is stale from then on.
    """
    said = _need_second_person(change, actor, comment)
    with transaction.atomic():
        waiting = _locked(change, actor)
        stale = queueing.out_of_time(waiting)
        if stale is None:
            queueing.need_unaltered(waiting, expected_hash)
            stale = queueing.overtaken(waiting)
        if stale is None:
            if not asker.may(waiting):
                refuse(Reason.ASKER_MAY_NOT, by=str(waiting.requested_by))
            guarding.need_not_forbidden(waiting)
            queueing.queue(waiting)
            _record(waiting, DecisionKind.APPROVED, actor=actor, said=said)
        else:
            # Committed, while what was asked for is refused after it.
            queueing.make_stale_now(waiting, stale, actor=actor)
    if stale is not None:
        refuse(Reason.PLAN_STALE, **stale)
    return waiting


@audited
def reject_change(change: Change, *, actor: "User", expected_hash: str, comment: str) -> Change:
    """End what waits, with a comment for whoever asked. Nothing of it is ever sent; a new preview is another change.

    Raises as `approve_change` does, and when no comment is given.
    """
    said = _need_second_person(change, actor, comment)
    with transaction.atomic():
        waiting = _locked(change, actor)
        if not said:
            refuse(Reason.COMMENT_EMPTY)
        if not expected_hash or expected_hash != waiting.plan_hash:
            refuse(Reason.PLAN_ALTERED)
        waiting.state, waiting.finished_at = ChangeState.REJECTED, timezone.now()
        waiting.save(update_fields=["state", "finished_at"])
        _record(waiting, DecisionKind.REJECTED, actor=actor, said=said)
    return waiting


def _need_second_person(change: Change, actor: "User", comment: str) -> str:
    need_right(actor, Right.APPROVE)
    need_visible(change, actor)
    return clean(comment, key="comment", at_most=guarding.SAID_CHARS)


def _locked(change: Change, actor: "User") -> Change:
    waiting = Change.objects.select_for_update().get(pk=change.pk)
    if waiting.state == ChangeState.STALE:
        refuse(Reason.PLAN_STALE)
    if waiting.state != ChangeState.WAITING:
        refuse(Reason.NOT_WAITING)
    if waiting.requested_by_id == actor.pk:
        refuse(Reason.OWN_REQUEST)
    return waiting


_ACTIONS = {
    DecisionKind.APPROVED: AuditAction.CHANGE_APPROVED,
    DecisionKind.REJECTED: AuditAction.CHANGE_REJECTED,
}


def _record(change: Change, kind: DecisionKind, *, actor: "User", said: str) -> None:
    guarding.decide(change, kind, actor=actor, said=said)
    data = {"requested_by": change.requested_by_id}
    entry = change_entry(_ACTIONS[kind], change, actor=actor, data=data, personal={"reason": said})
    record.write(Chain.PANEL, [entry])
