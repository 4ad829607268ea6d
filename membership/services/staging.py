"""When a change begins and in which stages it runs; paused, let go on, started before its time."""

import datetime as dt
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db import transaction
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _

from membership import conf
from membership.audit import record
from membership.errors import BadValue, Reason
from membership.models import Change, Operation, Stage
from membership.operations import stages
from membership.sentences import sentence
from membership.services.drafts import change_entry
from membership.services.inert import inert
from membership.services.shell import audited, need_right, need_visible, refuse
from membership.services.typed import clean
from membership.vocab import AuditAction, Chain, ChangeState, Right, StageState

if TYPE_CHECKING:
    from django.contrib.auth.models import User

STAGES_AT_MOST = 20
LONGEST_WAIT = dt.timedelta(days=31)
"""Nothing is confirmed to begin later: the longer it waits, the less the preview says of how things are then."""
NOTE_CHARS = 300
_SIZES = re.compile(r"[0-9]{1,7}(?:[\s,;]+[0-9]{1,7})*")


# asked at the confirmation


def usual_sizes(change: Change) -> tuple[int, ...]:
    """The sizes that the settings give to a change of this size; none: it runs all at once."""
    return conf.stage_sizes() if change.operations_count > conf.stages_above() else ()


def sizes_asked(text: str) -> tuple[int, ...]:
    """Sizes as somebody typed them: "10, 100". Nothing typed: all at once. Raises `BadValue`."""
    typed = text.strip()
    if not typed:
        return ()
    sizes = tuple(int(size) for size in re.split(r"[\s,;]+", typed)) if _SIZES.fullmatch(typed) else ()
    if not sizes or 0 in sizes or len(sizes) > STAGES_AT_MOST:
        why = _("write how many steps come first, such as 10, or 10, 100 for two stages before the rest")
        raise BadValue(Reason.BAD_VALUE, key=_("the stages"), why=why)
    return sizes


def start_asked(text: str) -> dt.datetime | None:
    """A time as a page's field gives it, in the panel's zone. Nothing typed: at once. Raises `BadValue`."""
    typed = text.strip()
    if not typed:
        return None
    try:
        at = parse_datetime(typed)
    except ValueError:
        at = None
    if at is None:
        raise BadValue(Reason.BAD_VALUE, key=_("the start"), why=_("it is no time such as 2026-03-01 18:00"))
    return timezone.make_aware(at) if timezone.is_naive(at) else at


def lay_out(change: Change, sizes: Sequence[int], starts_at: dt.datetime | None) -> dict[str, object]:
    """Keep when a change begins and in which stages it runs. What the audit entry says of it is returned.

    Inside the caller's transaction. Raises `BadValue` for a start that is over, or too far.
    """
    now = timezone.now()
    if starts_at is not None and not now < starts_at <= now + LONGEST_WAIT:
        why = _("it has to be to come, and within %(days)s days") % {"days": LONGEST_WAIT.days}
        raise BadValue(Reason.BAD_VALUE, key=_("the start"), why=why)
    change.starts_at = starts_at
    change.save(update_fields=["starts_at"])
    made = stages.lay_out(change, sizes, now)
    return {
        "stages": [stage.size for stage in made],
        "starts_at": starts_at.isoformat() if starts_at else None,
    }


# while it runs


@audited
def pause_change(change: Change, *, note: str = "", actor: "User") -> Change:
    """Begin nothing more of a change until it is resumed; what was being sent ends as it ends.

    Raises `ChangeRefused` when it does not run.
    """
    need_right(actor, Right.ACT)
    need_visible(change, actor)
    said, now = clean(note, key="note", at_most=NOTE_CHARS), timezone.now()
    params = {"by": actor.get_username(), "note": said}
    with transaction.atomic():
        row = Change.objects.select_for_update().get(pk=change.pk)
        if row.cancel_wanted_at is not None or not stages.hold(row.pk, Reason.PAUSED_BY_OPERATOR, params, now):
            refuse(Reason.NOT_RUNNING)
        _record(AuditAction.CHANGE_PAUSED, row, actor, outcome=Reason.PAUSED_BY_OPERATOR, params=params)
    row.refresh_from_db()
    return row


@audited
def resume_change(change: Change, *, actor: "User") -> Change:
    """Let a paused change go on, also beyond a stage that was not as confirmed.

    Raises `ChangeRefused` when it is not paused.
    """
    need_right(actor, Right.ACT)
    need_visible(change, actor)
    with transaction.atomic():
        row = Change.objects.select_for_update().get(pk=change.pk)
        if row.cancel_wanted_at is not None or not stages.let_go(row, timezone.now()):
            refuse(Reason.NOT_PAUSED)
        _record(AuditAction.CHANGE_RESUMED, row, actor, outcome=row.pause_reason)
    row.refresh_from_db()
    return row


@audited
def start_now(change: Change, *, actor: "User") -> Change:
    """Let a change begin that was confirmed for later. Raises `ChangeRefused` when it does not wait for its time."""
    need_right(actor, Right.ACT)
    need_visible(change, actor)
    with transaction.atomic():
        row = Change.objects.select_for_update().get(pk=change.pk)
        if not waits_for_start(row):
            refuse(Reason.NOT_WAITING_FOR_START)
        row.starts_at = None
        row.save(update_fields=["starts_at"])
        _record(AuditAction.CHANGE_STARTED_NOW, row, actor)
    return row


def waits_for_start(change: Change) -> bool:
    is_later = change.starts_at is not None and change.starts_at > timezone.now()
    return is_later and change.state in ChangeState.moving() and change.cancel_wanted_at is None


def _record(
    action: AuditAction, change: Change, actor: "User", *, outcome: str = "", params: dict[str, str] | None = None
) -> None:
    personal = {"params": params} if params else None
    record.write(Chain.PANEL, [change_entry(action, change, actor=actor, outcome=outcome, personal=personal)])


# told

_HEAVY = ("secrets", "connection__secrets", "connection__session", "group__secrets", "group__attributes")


@dataclass(frozen=True, slots=True)
class Pacing:
    """What a change's page says beside its counts."""

    stages: Sequence[Stage]
    why_paused: str
    differing: Sequence[Operation]
    """Steps of the stage that paused it which are not as confirmed."""
    waits_for_start: bool

    @property
    def current(self) -> Stage | None:
        """The stage that runs or is being read back."""
        return next((each for each in self.stages if each.state in (StageState.RUNNING, StageState.READING)), None)


def pacing(change: Change) -> Pacing:
    """Two queries at most."""
    found = list(change.stages.order_by("number"))
    differing = [pk for stage in found if stage.state == StageState.DIFFERS for pk in stage.differing]
    rows = Operation.objects.filter(pk__in=differing).select_related("connection", "group", "account")
    is_paused = change.state == ChangeState.PAUSED
    return Pacing(
        stages=found,
        why_paused=inert(sentence(change.pause_reason, change.pause_params)) if is_paused else "",
        differing=list(rows.defer(*_HEAVY).order_by("position")) if differing else [],
        waits_for_start=waits_for_start(change),
    )
