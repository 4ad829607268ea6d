"""What the pages of changes read: the preview with its notes, the steps, what needs a person, recent reasons."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from django.db.models import Q, QuerySet, TextField
from django.db.models.functions import Cast
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from membership import conf
from membership.models import (
    Change,
    ChangeConnection,
    Connection,
    Group,
    LeftOut,
    Operation,
    PendingPlan,
    Reading,
    WorkerBeat,
    has_right,
    visible_to,
)
from membership.sentences import sentence
from membership.services import taking_back, titles
from membership.services.endings import said_in
from membership.services.guard_pages import Guarding, guarding_of
from membership.services.inert import inert
from membership.services.staging import usual_sizes
from membership.services.step_words import duration
from membership.services.warnings import Warn, warnings
from membership.vocab import ChangeKind, ChangeState, ConnectionState, OperationState, ReadingState, Right, Verb

if TYPE_CHECKING:
    from django.contrib.auth.models import User

RECENT_REASONS = 5
_REASONS_LOOKED_AT = 100
_NAMED_GROUPS = 5


@dataclass(frozen=True, slots=True)
class Note:
    """One line under "Before you confirm". Tones: warning, bad, info."""

    tone: str
    text: str


@dataclass(frozen=True, slots=True)
class PreviewPart:
    """One system's card: how many leave, how long it takes, how old the knowledge is, and what is not known."""

    part: ChangeConnection
    heading: str
    takes: str
    unknown: str

    @property
    def connection(self) -> Connection:
        return self.part.connection


@dataclass(frozen=True, slots=True)
class Preview:
    """Everything a preview page says beside its steps and what is left out."""

    change: Change
    title: str
    question: str
    parts: Sequence[PreviewPart]
    notes: Sequence[Note]
    warnings: Sequence[Warn]
    """What is shown in red above all notes."""
    readings: Sequence[Reading]
    number_to_type: int | None
    stages: str
    """The sizes of the first stages that are proposed, as they are typed; "" for all at once."""
    name_to_type: str
    """The name of the group that is to be deleted; "" where nothing is deleted."""
    may_confirm: bool
    guarding: Guarding
    pending: PendingPlan | None
    """The worker compiles it, or will when what it waits for was read: how far that is."""

    @property
    def is_reading(self) -> bool:
        """The plan waits for readings: "reading…"."""
        return self.change.state == ChangeState.DRAFT and self.change.compiled_at is None


def number_to_type(change: Change) -> int | None:
    """The number that has to be typed to confirm; None where no typing is asked for."""
    return change.people_count if change.people_count > conf.type_number_above() else None


def name_to_type(change: Change) -> str:
    """The name of the group that has to be typed to have it deleted, as pages show it; "" where none is deleted."""
    if change.kind not in _MAY_DELETE:
        return ""
    deleted = Operation.objects.filter(change=change, verb=Verb.DELETE_GROUP).order_by("position")
    names = list(deleted.values_list("subject_label", flat=True)[:1])
    return inert(names[0]) if names else ""


_MAY_DELETE = (ChangeKind.GROUP, ChangeKind.RETRY, ChangeKind.WAY_BACK, ChangeKind.TAKE_BACK)


def preview(change: Change, *, actor: "User") -> Preview:
    """What the preview of `change` says. The caller has made sure that the actor may see it."""
    parts = list(change.parts.select_related("connection").order_by("connection__name", "connection_id"))
    is_draft = change.state == ChangeState.DRAFT
    ready = is_draft and change.compiled_at is not None
    readings = list(change.readings.select_related("connection", "account", "group").order_by("pk"))
    return Preview(
        change=change,
        title=titles.title(change),
        question=titles.question(change),
        parts=[_preview_part(part, change) for part in parts],
        notes=_notes(change, parts, readings) if change.state in ChangeState.unsent() else [],
        warnings=warnings(change) if change.state in ChangeState.unsent() else [],
        readings=readings,
        number_to_type=number_to_type(change) if ready else None,
        stages=", ".join(map(str, usual_sizes(change))) if ready else "",
        name_to_type=name_to_type(change) if ready else "",
        may_confirm=ready and change.operations_count > 0 and has_right(actor, Right.ACT),
        guarding=guarding_of(change, actor),
        pending=_pending(change),
    )


def _pending(change: Change) -> PendingPlan | None:
    if change.compiled_at is not None:
        return None
    return PendingPlan.objects.defer("wishes", "secrets").filter(change=change).first()


def _preview_part(part: ChangeConnection, change: Change) -> PreviewPart:
    system = part.connection
    count = part.operations_count
    if not part.groups_count:
        groups = _("in %(system)s")
    elif change.kind in ChangeKind.only_remove():
        groups = ngettext(
            "from %(count)d group in %(system)s", "from %(count)d groups in %(system)s", part.groups_count
        )
    else:
        groups = ngettext("in %(count)d group of %(system)s", "in %(count)d groups of %(system)s", part.groups_count)
    takes = _("about %(time)s at %(rate)g per second") % {
        "time": duration(max(count, part.calls_count) / system.rate_per_s),
        "rate": system.rate_per_s,
    }
    return PreviewPart(
        part=part,
        heading=inert(groups % {"count": part.groups_count, "system": system.name}),
        takes=takes if count else "",
        unknown=inert(sentence(part.unknown_reason, part.unknown_params)) if part.unknown_reason else "",
    )


def _notes(change: Change, parts: Sequence[ChangeConnection], readings: Sequence[Reading]) -> list[Note]:
    notes = [Note("warning", _unknown_note(part)) for part in parts if part.unknown_reason]
    if change.touches_hidden:
        notes.append(
            Note("warning", _("There are accounts in systems that you may not see. They are not part of this change."))
        )
    notes += [Note("warning", inert(text)) for part in parts if (text := _waits_note(part.connection))]
    notes += _group_notes(change)
    last_day = said_in(change)
    if last_day is not None:
        text = _(
            "Until %(day)s: whoever joins by this change is removed when that day is over, by a change of its own."
        )
        notes.append(Note("info", text % {"day": date_format(last_day, "j M Y")}))
    notes += [Note("info", text) for text in taking_back.what_cannot_come_back(change)]
    waits = change.compiled_at is None and any(reading.state in ReadingState.open() for reading in readings)
    if waits and is_worker_silent():
        notes.append(Note("bad", _("The worker is not running, so nothing is read. Start it, and this page goes on.")))
    elif is_worker_silent():
        notes.append(Note("warning", _("The worker is not running: nothing is sent until it is started.")))
    return notes


def _waits_note(system: Connection) -> str:
    """Why nothing is sent to a system for now; "" while it works."""
    if system.state == ConnectionState.PAUSED:
        return _("%(system)s is stopped: its steps wait until it goes on.") % {"system": system.name}
    if system.state == ConnectionState.MAINTENANCE:
        return _("%(system)s is in maintenance: its steps are queued, and wait until somebody resumes it.") % {
            "system": system.name
        }
    return ""


def _unknown_note(part: ChangeConnection) -> str:
    head = _("%(system)s could not be asked for everything: more places may exist there. They are not known, and stay.")
    why = sentence(part.unknown_reason, part.unknown_params)
    return inert(f"{head % {'system': part.connection.name}} {why}".strip())


def _group_notes(change: Change) -> list[Note]:
    """Groups of the plan that are archived, or were not read completely."""
    concerned = Group.objects.filter(pk__in=Operation.objects.filter(change=change).order_by().values("group_id"))
    archived = list(concerned.filter(archived=True).values_list("name", flat=True))
    doubtful = list(concerned.filter(Q(read_at=None) | ~Q(incomplete_reason="")).values_list("name", flat=True))
    notes = []
    if archived:
        notes.append(Note("info", _("Archived, and changed all the same: %(groups)s.") % {"groups": _names(archived)}))
    if doubtful:
        text = _("Not read completely, so others may be there: %(groups)s.") % {"groups": _names(doubtful)}
        notes.append(Note("info", text))
    return notes


def _names(names: Sequence[str]) -> str:
    shown = ", ".join(inert(name) for name in names[:_NAMED_GROUPS])
    more = len(names) - _NAMED_GROUPS
    return _("%(names)s and %(count)d more") % {"names": shown, "count": more} if more > 0 else shown


def is_worker_silent() -> bool:
    """Whether no worker has given a sign for too long."""
    since = timezone.now() - timedelta(seconds=conf.worker_silent_after_s())
    return not WorkerBeat.objects.filter(at__gte=since).exists()


def steps(
    change: Change, *, state: str = "", connection_id: int | None = None, group_id: int | None = None, search: str = ""
) -> QuerySet[Operation]:
    """The steps of a change in their order, with what their words need, filtered."""
    rows = Operation.objects.filter(change=change).select_related(
        "connection", "group", "participant", "account__person", "change"
    )
    rows = rows.defer("connection__secrets", "connection__session", "group__secrets", "participant__secrets")
    if state:
        rows = rows.filter(state=state)
    if connection_id is not None:
        rows = rows.filter(connection_id=connection_id)
    if group_id is not None:
        rows = rows.filter(group_id=group_id)
    words = search.split()
    if words:
        rows = rows.annotate(calls_text=Cast("calls", TextField()))
    for word in words:
        rows = rows.filter(Q(subject_label__icontains=word) | Q(group__name__icontains=word) | _in_calls(word))
    return rows.order_by("position")


def _in_calls(word: str) -> Q:
    """Calls that name all parts of a word such as "DELETE", an id, or "groups/17/users". They are stored as JSON."""
    found = Q()
    for part in filter(None, word.split("/")):
        found &= Q(calls_text__icontains=part) | Q(calls_text__icontains=json.dumps(part)[1:-1])
    return found or Q(pk=None)


def needs_you(change: Change) -> QuerySet[Operation]:
    """Steps that wait for a person: changed by someone else, or refused."""
    waiting = (OperationState.FOREIGN, OperationState.REFUSED)
    return steps(change).filter(state__in=waiting).order_by("state", "position")


def left_outs(change: Change) -> QuerySet[LeftOut]:
    """What the plan does not contain, in order."""
    return LeftOut.objects.filter(change=change).select_related("connection", "group").order_by("position")


def recent_reasons(actor: "User") -> list[str]:
    """The last distinct reasons, the actor's own first, then everybody's that the actor may see; at most five."""
    given = visible_to(Change.objects.exclude(reason=""), actor).order_by("-pk").values_list("reason", flat=True)
    own = given.filter(requested_by=actor)[:_REASONS_LOOKED_AT]
    found = dict.fromkeys(own)
    if len(found) < RECENT_REASONS:
        found |= dict.fromkeys(given[:_REASONS_LOOKED_AT])
    return list(found)[:RECENT_REASONS]


def recent_changes(actor: "User") -> QuerySet[Change]:
    """Changes that somebody confirmed, newest first."""
    asked = Change.objects.exclude(confirmed_at=None).select_related("requested_by")
    return visible_to(asked, actor).order_by("-pk")


def open_drafts(actor: "User") -> QuerySet[Change]:
    """The actor's own previews that can still be confirmed."""
    return visible_to(Change.objects.filter(state=ChangeState.DRAFT, requested_by=actor), actor).order_by("-pk")
