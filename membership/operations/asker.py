"""Whoever asked for a change answers for it: whether they still may, when it is approved and when it begins."""

from datetime import datetime

from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import BooleanField, Case, Exists, OuterRef, Q, QuerySet, Value, When

from membership.audit import asked, record
from membership.errors import Reason
from membership.models import Change, ChangeConnection, Reach, has_right, visible_to
from membership.operations import stages
from membership.vocab import AuditAction, Chain, ChangeState, Right


def may(change: Change) -> bool:
    """Whether whoever asked for it may still act, in all of its systems. Rights are asked for anew, not remembered."""
    asker = change.requested_by
    if asker is None:
        return True
    return has_right(asker, Right.ACT) and visible_to(Change.objects.filter(pk=change.pk), asker).exists()


def may_each() -> Case:
    """The same of many changes at once, for lists: a column. What counts is `may`."""
    reach = Reach.objects.filter(user=OuterRef("requested_by"))
    reached = Reach.connections.through.objects.filter(reach__user=OuterRef(OuterRef("requested_by")))
    beyond = ChangeConnection.objects.filter(change=OuterRef("pk")).exclude(connection__in=reached.values("connection"))
    by_role = Q(requested_by__in=_holders(Right.ACT)) & Q(requested_by__in=_holders(Right.SEE))
    in_reach = Q(~Exists(reach)) | Q(~Exists(beyond))
    holds = Q(requested_by__is_superuser=True) | (by_role & in_reach)
    is_able = Q(requested_by=None) | (Q(requested_by__is_active=True) & holds)
    return Case(When(is_able, then=Value(True)), default=Value(False), output_field=BooleanField())


def _holders(right: Right) -> QuerySet:
    of_role, own = Q(groups__permissions__codename=right.value), Q(user_permissions__codename=right.value)
    return get_user_model().objects.filter(of_role | own).values("pk")


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
