"""Whoever asked for a change answers for it: whether they still may, when it is approved and when it begins."""

from datetime import datetime

from django.db import transaction

from membership.audit import asked, record
from membership.errors import Reason
from membership.models import Change, has_right, visible_to
from membership.operations import stages
from membership.vocab import AuditAction, Chain, ChangeState, Right


def may(change: Change) -> bool:
    """Whether whoever asked for it may still act, in all of its systems. Rights are asked for anew, not remembered."""
    asker = change.requested_by
    if asker is None:
        return True
    return has_right(asker, Right.ACT) and visible_to(Change.objects.filter(pk=change.pk), asker).exists()


def stop_where_gone(change_id: int, now: datetime) -> bool:
    """Pause a change of which nothing has begun when whoever asked for it may not act any more. True: it was paused.

    Who then lets it go on may act, and answers for it: it is not stopped again.
    """
    change = Change.objects.select_related("requested_by").filter(pk=change_id, state=ChangeState.QUEUED).first()
    if change is None or may(change) or asked.was_let_go_on(change_id, Reason.ASKER_MAY_NOT):
        return False
    by = change.requested_by.get_username() if change.requested_by else ""
    entry = record.Entry(
        AuditAction.CHANGE_PAUSED, change_id=change_id, outcome=Reason.ASKER_MAY_NOT, personal={"params": {"by": by}}
    )
    with transaction.atomic():
        if not stages.hold(change_id, Reason.ASKER_MAY_NOT, {"by": by}, now):
            return False
        record.write(Chain.PANEL, [entry], at=now)
    return True
