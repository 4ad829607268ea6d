"""Leavers: people who are removed from everything, until every system confirmed that they are gone.

Where a system cannot be reached, the rest goes on. What could not be known or done is taken up again when the system
can be read: as a preview in the name of whoever asked, which somebody confirms. Nobody is removed from a place that no
preview showed.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q
from django.utils import timezone

from membership.audit import record
from membership.errors import Reason
from membership.models import (
    Account,
    Change,
    Connection,
    Group,
    Leaving,
    LeavingState,
    Operation,
    Person,
    Reading,
    has_right,
    visible_to,
)
from membership.services import drafts, leaving_points, selecting
from membership.services.leaving_certificate import entry, issue
from membership.services.leaving_points import Knowledge
from membership.services.refresh import request_refresh
from membership.services.removal import draft_everywhere
from membership.services.shell import audited, need_right, refuse
from membership.vocab import (
    AuditAction,
    Chain,
    ChangeKind,
    ChangeState,
    ConnectionState,
    OperationState,
    ReadingKind,
    Right,
)

if TYPE_CHECKING:
    from django.contrib.auth.models import User

LOOK_EVERY = timedelta(seconds=60)
ASK_EVERY = timedelta(minutes=10)
"""Between two requests to read for the same leaver: the worker reads every system by itself, too."""
THROWN_AWAY_FOR = timedelta(days=1)
"""Whoever threw a follow-up away does not find it again at once."""
AT_ONCE = 20
COMMITTED_WITHIN = timedelta(seconds=3)
"""What carries a time before that of a look may have been committed after it: so much is looked at twice."""


@audited
def draft_leaving(persons: Iterable[Person], *, actor: "User") -> Change:
    """Store the plan by which these people leave everything that the actor may see, and note that they are leavers.

    They are followed until it is certified that they are gone. Somebody who is a leaver already is taken up again.
    Raises `NotAllowed` for people out of sight, `ChangeRefused` when nobody is named.
    """
    need_right(actor, Right.ACT)
    people = selecting.seen(persons, actor)
    if not people:
        refuse(Reason.NOTHING_SELECTED)
    with transaction.atomic():
        change = _draft(people, actor)
        for person in people:
            _note(person, change, actor)
    return change


def again(selection: Mapping[str, Any], *, actor: "User") -> Change:
    """The same people once more, as things are now."""
    return draft_leaving(Person.objects.filter(pk__in=selection["ids"]), actor=actor)


def _draft(people: list[Person], actor: "User") -> Change:
    ids = [person.pk for person in people]
    selection: dict[str, Any] = {"kind": "leavers", "ids": ids}
    if len(people) == 1:
        selection["label"] = people[0].name
    known = Account.objects.filter(person_id__in=ids).count()
    return draft_everywhere(ChangeKind.LEAVER, selection, accounts_count=known, actor=actor)


def _note(person: Person, change: Change, actor: "User") -> None:
    row = Leaving.objects.select_for_update().filter(person=person, state=LeavingState.OPEN).first()
    if row is not None:
        row.change, row.looked_at = change, None
        row.save(update_fields=["change", "looked_at"])
        return
    row = Leaving.objects.create(person=person, change=change, asked_by=actor, asked_at=change.created_at)
    record.write(Chain.PANEL, [entry(AuditAction.LEAVING_BEGUN, row, actor=actor)])


# followed up by the worker


def follow_up() -> bool:
    """Look at leavers about whom something may be new: certify, have read, preview what is left. True: it did."""
    now = timezone.now()
    read = Reading.objects.filter(ended_at__gt=OuterRef("looked_at"))
    gone = Operation.objects.filter(account__person=OuterRef("person"), settled_at__gt=OuterRef("looked_at"))
    is_new = (
        Q(looked_at=None)
        | Q(looked_at__lt=now - LOOK_EVERY)
        | Q(change__confirmed_at__gt=F("looked_at"))
        | Q(change__finished_at__gt=F("looked_at"))
        | Q(Exists(read))
        | Q(Exists(gone))
    )
    due = Leaving.objects.filter(is_new, state=LeavingState.OPEN).order_by("looked_at", "pk")
    rows = list(due.select_related("person", "asked_by", "change")[:AT_ONCE])
    return sum([_look_at(row, now) for row in rows]) > 0


def _look_at(leaving: Leaving, now: datetime) -> bool:
    """True: something was done about it."""
    Leaving.objects.filter(pk=leaving.pk).update(looked_at=now - COMMITTED_WITHIN)
    if leaving.begun_at is None and not _begin(leaving, now):
        return leaving.state != LeavingState.OPEN
    known = leaving_points.look(leaving)
    if not known.accounts:
        return _drop(leaving, now)  # all unlinked, or another person's by now
    if not known.points:
        return issue(leaving, known)
    return _have_read(known, now) or _preview_rest(leaving, now)


def _begin(leaving: Leaving, now: datetime) -> bool:
    """Whether something was asked for by now, or nothing had to be; a preview that nobody wanted drops the leaver."""
    change = leaving.change
    has_nothing = change.compiled_at is not None and not change.operations_count
    began = change.confirmed_at or (change.compiled_at if has_nothing else None)
    if began is not None:
        leaving.begun_at = began
        Leaving.objects.filter(pk=leaving.pk, begun_at=None).update(begun_at=began)
        return True
    if change.state in ChangeState.final():
        _drop(leaving, now)
    return False


def _drop(leaving: Leaving, now: datetime) -> bool:
    with transaction.atomic():
        leaving.state = LeavingState.DROPPED
        dropped = Leaving.objects.filter(pk=leaving.pk, state=LeavingState.OPEN).update(
            state=leaving.state, ended_at=now
        )
        if dropped:
            record.write(Chain.PANEL, [entry(AuditAction.LEAVING_DROPPED, leaving, actor=None)])
    return bool(dropped)


def _have_read(known: Knowledge, now: datetime) -> bool:
    """Ask for what has to be read, where it can be read now."""
    # Where steps are on their way, a reading now would have to be made again.
    busy = {step.connection_id for step in known.removals.values() if step.state in OperationState.open()}
    active = {row.pk for row in known.systems if row.state == ConnectionState.ACTIVE} - busy
    active = {pk for pk in active if not _is_asked(pk, known, now)}
    wanted = [point for point in known.points if point.connection is not None and point.connection.pk in active]
    systems = {p.connection.pk for p in wanted if p.reason == Reason.LEAVER_SYSTEM_NOT_READ and p.connection}
    groups = {p.group_id for p in wanted if p.reason == Reason.LEAVER_NOT_READ_BACK and p.group_id is not None}
    rows = Group.objects.filter(pk__in=groups).exclude(connection_id__in=systems)
    if not systems and not rows:
        return False
    request_refresh(connections=Connection.objects.filter(pk__in=systems), groups=rows, actor=None)
    return True


def _is_asked(connection_id: int, known: Knowledge, now: datetime) -> bool:
    """Whether a reading of this system was asked for lately, and after the last removal there."""
    steps = (step for step in known.removals.values() if step.connection_id == connection_id)
    since = max([now - ASK_EVERY, *(step.settled_at for step in steps if step.settled_at is not None)])
    kinds = (ReadingKind.SYSTEM, ReadingKind.GROUP)
    return Reading.objects.filter(connection_id=connection_id, kind__in=kinds, asked_at__gt=since).exists()


def _preview_rest(leaving: Leaving, now: datetime) -> bool:
    """Preview what is left and can be removed, in the name of whoever asked. Nothing is sent before a click."""
    change, actor = leaving.change, leaving.asked_by
    if change.state in ChangeState.unsent() | ChangeState.open():
        return False
    if change.confirmed_at is None and change.finished_at is not None and change.finished_at > now - THROWN_AWAY_FOR:
        return False
    if not has_right(actor, Right.ACT) or not visible_to(Person.objects.filter(pk=leaving.person_id), actor).exists():
        return False
    plan = drafts.plan_everywhere(Change(selection={"kind": "leavers", "ids": [leaving.person_id]}), actor)
    left = {case.participant_id for case in plan.kept if case.participant_id is not None}
    refused = Operation.objects.filter(
        participant_id__in=left, state=OperationState.REFUSED, change__created_at__gte=leaving.asked_at
    )
    # What was refused is tried again on its change's page, by whoever settled it over there.
    if not left - set(refused.values_list("participant_id", flat=True)):
        return False
    draft_leaving([leaving.person], actor=actor)
    return True
