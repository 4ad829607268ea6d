"""What the pages of a change say of its guards: what they found, who let it through, who approved or rejected it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.contrib.auth import get_user_model
from django.db.models import Q

from membership.errors import Reason
from membership.models import Change, Decision, Finding, has_right
from membership.sentences import sentence
from membership.services import approval, guard_words, guarding
from membership.services.guard_words import SHOWN, Line
from membership.services.inert import inert
from membership.vocab import ChangeState, Guard, GuardLevel, Right

if TYPE_CHECKING:
    from django.contrib.auth.models import User


@dataclass(frozen=True, slots=True)
class Guarding:
    """The guards' part of a page. The last fields are about what the reader may do."""

    lines: Sequence[Line]
    more: int
    """Findings beyond those that are shown."""
    needs_approval: bool
    override: Decision | None
    decision: Decision | None
    """Approved, or rejected."""
    is_forbidden: bool = False
    """It cannot be confirmed as it stands."""
    old_groups: int = 0
    """Groups that have to be read before people leave them."""
    has_approver: bool = True
    """Whether anybody else could approve it."""
    may_override: bool = False
    may_decide: bool = False
    is_asker: bool = False
    asker_lost: str = ""
    """Why it cannot be approved: whoever asked may not do it any more."""
    may_read: bool = False


def guarding_of(change: Change, actor: "User") -> Guarding:
    """The guards' part of a page before the change is queued."""
    found = guarding.findings(change)
    is_draft = change.state == ChangeState.DRAFT
    needs = any(row.level == GuardLevel.APPROVAL for row in found)
    override, decision = guarding.decisions(change)
    old = [row for row in found if row.guard == Guard.OLD_READING]
    may_act = has_right(actor, Right.ACT)
    return Guarding(
        **_told(found),
        needs_approval=needs,
        override=override,
        decision=decision,
        is_forbidden=is_draft and override is None and any(row.level == GuardLevel.FORBID for row in found),
        old_groups=len(old),
        has_approver=not (is_draft and needs) or _has_approver(actor),
        may_override=has_right(actor, Right.OVERRIDE),
        may_decide=change.state == ChangeState.WAITING and approval.may_decide(change, actor),
        is_asker=change.requested_by_id == actor.pk,
        asker_lost=_asker_lost(change) if change.state == ChangeState.WAITING else "",
        may_read=is_draft and bool(old) and may_act and has_right(actor, Right.REFRESH),
    )


def _asker_lost(change: Change) -> str:
    if approval.asker_may(change):
        return ""
    return inert(sentence(Reason.ASKER_MAY_NOT, {"by": str(change.requested_by)}))


def decided(change: Change) -> Guarding:
    """The guards' part of a page of a change that was queued."""
    found = guarding.findings(change)
    override, decision = guarding.decisions(change)
    return Guarding(
        **_told(found),
        needs_approval=any(row.level == GuardLevel.APPROVAL for row in found),
        override=override,
        decision=decision,
    )


def _told(found: Sequence[Finding]) -> dict[str, Any]:
    lines = guard_words.lines(found)
    return {"lines": lines[:SHOWN], "more": max(0, len(lines) - SHOWN)}


def _has_approver(asker: "User") -> bool:
    """Whether somebody else at the panel has the right to approve. What they may see is not looked at."""
    may = Q(is_superuser=True) | Q(groups__permissions__codename=Right.APPROVE.value)
    return get_user_model().objects.filter(may, is_active=True).exclude(pk=asker.pk).exists()
