"""What guards found in a plan: what it demands, and one plan let through against what forbids it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from django.db import transaction
from django.utils import timezone

from membership.audit import record
from membership.errors import Reason
from membership.models import Change, Decision, Finding
from membership.plans import limits
from membership.services import queueing
from membership.services.drafts import change_entry
from membership.services.shell import audited, need_right, need_visible, refuse
from membership.services.typed import clean
from membership.vocab import AuditAction, Chain, ChangeState, DecisionKind, GuardLevel, Right

if TYPE_CHECKING:
    from django.contrib.auth.models import User

SAID_CHARS = 1000


def findings(change: Change) -> list[Finding]:
    """What guards found, the strictest first, with the rows that its sentences name."""
    rows = Finding.objects.filter(change=change).select_related("connection", "group")
    heavy = ("connection__secrets", "connection__session", "group__secrets", "group__attributes")
    return sorted(rows.defer(*heavy), key=lambda row: (-GuardLevel(row.level).rank, row.position))


def strictest(change: Change) -> GuardLevel:
    """The strictest that any guard demands of this plan."""
    return limits.strictest(Finding.objects.filter(change=change).values_list("level", flat=True))


def decisions(change: Change) -> tuple[Decision | None, Decision | None]:
    """Who let exactly this plan through, and who approved or rejected it. What is about another hash does not count."""
    rows = Decision.objects.filter(change=change, plan_hash=change.plan_hash).select_related("by")
    of_kind = {row.kind: row for row in rows.order_by("pk")}
    decided = of_kind.get(DecisionKind.APPROVED) or of_kind.get(DecisionKind.REJECTED)
    return of_kind.get(DecisionKind.OVERRIDDEN), decided


def is_forbidden(change: Change) -> bool:
    """Whether a guard forbids this plan and nobody overrode that."""
    return strictest(change) == GuardLevel.FORBID and decisions(change)[0] is None


def need_not_forbidden(change: Change) -> None:
    if is_forbidden(change):
        refuse(Reason.GUARD_FORBIDS)


def needs_approval(change: Change) -> bool:
    """Whether a guard asks for a second person. To override what forbids takes no approval away."""
    return Finding.objects.filter(change=change, level=GuardLevel.APPROVAL).exists()


def overridden(change: Change) -> Sequence[Finding]:
    """What an override lets through."""
    return [row for row in findings(change) if row.level == GuardLevel.FORBID]


@audited
def override_guards(change: Change, *, actor: "User", reason: str, expected_hash: str) -> Decision:
    """Let exactly this plan through against the guards that forbid it; a new preview of the same has to be let through
    anew. Nothing is queued by it, and what asks for approval goes on asking.

    Raises `NotAllowed` without the right, `ChangeRefused` where nothing is forbidden, no reason is given, or the plan
    is not the one that was shown.
    """
    need_right(actor, Right.OVERRIDE)
    need_visible(change, actor)
    said = clean(reason, key="reason", at_most=SAID_CHARS)
    with transaction.atomic():
        draft = Change.objects.select_for_update().get(pk=change.pk)
        if draft.state != ChangeState.DRAFT:
            refuse(Reason.PLAN_STALE if draft.state == ChangeState.STALE else Reason.NOT_A_DRAFT)
        if draft.compiled_at is None:
            refuse(Reason.PLAN_NOT_READY)
        if queueing.out_of_time(draft) is not None:
            refuse(Reason.PLAN_STALE)
        if not said:
            refuse(Reason.REASON_EMPTY)
        if not is_forbidden(draft):
            refuse(Reason.NOTHING_FORBIDDEN)
        queueing.need_unaltered(draft, expected_hash)
        found = decide(draft, DecisionKind.OVERRIDDEN, actor=actor, said=said)
        data = {"guards": sorted({row.guard for row in overridden(draft)})}
        entry = change_entry(AuditAction.CHANGE_OVERRIDDEN, draft, actor=actor, data=data, personal={"reason": said})
        record.write(Chain.PANEL, [entry])
    return found


def decide(change: Change, kind: DecisionKind, *, actor: "User", said: str) -> Decision:
    """Keep what was decided about the plan as it is. Inside the caller's transaction."""
    return Decision.objects.create(
        change=change, kind=kind, plan_hash=change.plan_hash, by=actor, at=timezone.now(), said=said
    )
