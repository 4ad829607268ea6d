"""What confirming and approving have in common: the plan is looked at once more, then it is queued, or waits."""

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.utils import timezone

from membership import conf
from membership.audit import record
from membership.errors import Reason
from membership.models import Change
from membership.operations import outbox
from membership.plans import standing
from membership.services.drafts import make_stale
from membership.services.shell import refuse
from membership.vocab import Chain

if TYPE_CHECKING:
    from django.contrib.auth.models import User


def out_of_time(change: Change) -> dict[str, Any] | None:
    """Why the plan's time has run out; None: it has not."""
    is_old = change.stale_at is not None and change.stale_at <= timezone.now()
    return {"why": "time"} if is_old else None


def overtaken(change: Change) -> dict[str, Any] | None:
    """Why the plan is no longer what would be planned, or guards demand more than was shown; None: all is as shown."""
    found = standing.look(change)
    if found.overtaken:
        return {"why": "changed", "count": found.overtaken}
    if found.grown:
        return {"why": "guards", "guards": sorted({each.guard.value for each in found.grown})}
    return None


def need_unaltered(change: Change, expected_hash: str) -> None:
    """What was shown is what is stored is what was planned. Raises `ChangeRefused` where it is not."""
    if not expected_hash or expected_hash != change.plan_hash or standing.stored_hash(change) != change.plan_hash:
        refuse(Reason.PLAN_ALTERED)


def make_stale_now(change: Change, stale: dict[str, Any], *, actor: "User") -> None:
    """The plan can no longer be confirmed or approved, and the log says why. Inside the caller's transaction."""
    entry = make_stale(change, now=timezone.now(), why=stale["why"], actor=actor, data=stale)
    record.write(Chain.PANEL, [entry] if entry else [])


def queue(change: Change) -> None:
    """From now on the worker sends it: the one way into the queue. Inside the caller's transaction."""
    outbox.claim_plan(change, expected_hash=change.plan_hash)


def await_approval(change: Change) -> None:
    """A second person has to look at it. Inside the caller's transaction."""
    until = timezone.now() + timedelta(seconds=conf.approval_good_for_s())
    outbox.await_approval(change, expected_hash=change.plan_hash, stale_at=until)
