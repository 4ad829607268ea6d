"""Audit entries about lists."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from membership.audit import record
from membership.models import Roster
from membership.vocab import AuditAction

if TYPE_CHECKING:
    from django.contrib.auth.models import User


def entry(
    action: AuditAction,
    roster: Roster,
    *,
    actor: "User | None",
    outcome: str = "",
    data: Mapping[str, Any] | None = None,
    personal: Mapping[str, Any] | None = None,
) -> record.Entry:
    """One entry about a list."""
    return record.Entry(
        action,
        actor=actor,
        connection_id=roster.connection_id,
        group_id=roster.group_id,
        change_id=roster.change_id,
        outcome=outcome,
        data=data or {"roster": roster.pk},
        personal={"group_name": str(roster.group), **(personal or {})},
    )
