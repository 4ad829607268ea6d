"""What was said of a change, as the log has it: whoever alters rows of the database cannot alter that."""

from collections.abc import Iterator, Sequence
from typing import Any

from membership import conf
from membership.audit import chain as chains
from membership.audit import rows
from membership.models import AuditEntry
from membership.vocab import AuditAction, ChangeState

_ASKED = (AuditAction.CHANGE_REQUESTED, AuditAction.CHANGE_APPROVED)


def hash_to_send(change_id: int) -> str:
    """The hash of the plan that was asked for and, where that waited for it, approved by somebody else; else "".

    Only entries whose seal holds count: their place in the chain is `verify`'s business.
    """
    asked: dict[str, Any] | None = None
    approved: dict[str, Any] | None = None
    for entry in _sealed(change_id, _ASKED):
        if entry["action"] == AuditAction.CHANGE_REQUESTED:
            asked, approved = entry, None
        else:
            approved = entry
    if asked is None:
        return ""
    plan_hash = str(asked["data"].get("plan_hash", ""))
    if asked["outcome"] != ChangeState.WAITING:
        return plan_hash
    is_approved = (
        approved is not None
        and approved["data"].get("plan_hash") == plan_hash
        and approved["actor"] not in (None, asked["actor"])
    )
    return plan_hash if is_approved else ""


def was_let_go_on(change_id: int, reason: str) -> bool:
    """Whether somebody let the change go on after it was paused for `reason`."""
    return any(entry["outcome"] == reason for entry in _sealed(change_id, (AuditAction.CHANGE_RESUMED,)))


def _sealed(change_id: int, actions: Sequence[AuditAction]) -> Iterator[dict[str, Any]]:
    """What the entries of these kinds say, oldest first, of those that our keys sealed."""
    keys = conf.audit_keys()
    entries = AuditEntry.objects.filter(change_id=change_id, action__in=actions).order_by("pk")
    with rows.any_text():  # one that was damaged stops its change alone, not all that its system has to do
        found = list(entries.values_list("sealed", "mac"))
    for sealed, mac in found:
        entry = chains.opened(sealed, mac, keys)
        if entry and entry["action"] in actions and entry["refs"].get("change") == change_id:
            yield entry
