"""Notices: who is told what. Made from the audit log as it grows, so that nothing that happened has to remember them.

`tell` is the one function that makes notices; whoever has an event that is not in the log calls it.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from itertools import starmap
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from membership import conf
from membership.audit import record
from membership.errors import BadValue, Reason
from membership.models import (
    AuditEntry,
    AuditHead,
    Change,
    Connection,
    Drift,
    Notice,
    NoticeChoice,
    NoticeCursor,
    NoticeEvent,
    NoticeState,
    has_right,
    visible_to,
)
from membership.services import audit_damage
from membership.services.outside import to_look_at
from membership.services.shell import audited
from membership.services.typed import clean
from membership.vocab import AuditAction, Chain, ChangeState, ConnectionState, Right

if TYPE_CHECKING:
    from django.contrib.auth.models import User

ENTRIES_AT_ONCE = 500
SHOWN = 5
EMAIL_CHARS = 254
DRIFT_AGAIN_AFTER = timedelta(days=1)
KEPT = timedelta(days=90)

BY_MAIL = frozenset(set(NoticeEvent) - {NoticeEvent.CHANGE_DONE, NoticeEvent.DRIFT})
"""What comes by e-mail where the user chose nothing. On the first page everything is told."""
WAITING = "waiting"
"""State of a change that waits for a second person."""
_STOPPED = ("change.paused", "change.stopped")
"""Entries of changes that stop and ask: as stored, because stages may or may not be there."""
_RIGHTS: Mapping[NoticeEvent, Sequence[Right]] = {
    NoticeEvent.APPROVAL_WANTED: (Right.APPROVE,),
    NoticeEvent.SYSTEM_STOPPED: (Right.ACT, Right.MANAGE_SYSTEMS),
    NoticeEvent.DRIFT: (Right.ACT,),
    NoticeEvent.AUDIT_ALARM: (Right.READ_AUDIT,),
}
"""Events that concern everybody with one of these rights. The others concern whoever asked for the change."""


# who is told


def tell(
    event: NoticeEvent,
    *,
    change: Change | None = None,
    connection: Connection | None = None,
    count: int = 0,
    but: int | None = None,
) -> int:
    """Make the notices of an event for everybody whom it concerns, who may see it, and who wants to be told.

    `but`: the user who did it, and knows. Inside the caller's transaction. Returns how many.
    """
    now = timezone.now()
    told = [
        _notice(user, event, change, connection, count, now)
        for user in _concerned(event, change)
        if user.pk != but and may_see(user, event, change, connection)
    ]
    wanted = [notice for notice in told if notice.is_shown or notice.mail == NoticeState.WAITING]
    Notice.objects.bulk_create(wanted)
    return len(wanted)


def _concerned(event: NoticeEvent, change: Change | None) -> Iterable["User"]:
    if event in _RIGHTS:
        return get_user_model().objects.filter(is_active=True, is_staff=True).select_related("notice_choice")
    asker = change.requested_by if change is not None else None
    return [asker] if asker is not None and asker.is_active else []


def may_see(user: "User", event: NoticeEvent, change: Change | None, connection: Connection | None) -> bool:
    """Whether the event concerns the user, and is about something that the user may see now."""
    if not user.is_active:
        return False
    rights = _RIGHTS.get(event, (Right.SEE,))
    if not any(has_right(user, right) for right in rights):
        return False
    if event == NoticeEvent.APPROVAL_WANTED and change is not None and change.requested_by_id == user.pk:
        return False
    if change is not None and not visible_to(Change.objects.filter(pk=change.pk), user).exists():
        return False
    return connection is None or visible_to(Connection.objects.filter(pk=connection.pk), user).exists()


def _notice(
    user: "User", event: NoticeEvent, change: Change | None, connection: Connection | None, count: int, at: Any
) -> Notice:
    mail, panel = chosen(user)
    by_mail = event in mail and bool(user.email) and conf.mails()
    return Notice(
        user=user,
        event=event,
        change=change,
        connection=connection,
        count=count,
        at=at,
        is_shown=event in panel,
        mail=NoticeState.WAITING if by_mail else NoticeState.NONE,
        next_try_at=at if by_mail else None,
    )


# what happened


def collect() -> bool:
    """Make notices of what the audit log gained, and of changes that wait for approval. True: there was some."""
    known = dict(NoticeCursor.objects.values_list("chain", "seq"))
    heads = dict(AuditHead.objects.exclude(chain=Chain.LOG_IN).values_list("chain", "seq"))
    if not known:
        # The beginning: what happened before anybody could be told is no news.
        NoticeCursor.objects.bulk_create(
            (NoticeCursor(chain=chain, seq=seq) for chain, seq in {Chain.PANEL.value: 0, **heads}.items()),
            ignore_conflicts=True,
        )
        return False
    behind = [(chain, seq) for chain, seq in heads.items() if seq > known.get(chain, 0)]
    return sum([*starmap(_collect_chain, behind), _approvals()]) > 0


def _collect_chain(chain: str, end: int) -> int:
    NoticeCursor.objects.get_or_create(chain=chain, defaults={"seq": 0})
    with transaction.atomic():
        cursor = NoticeCursor.objects.select_for_update().get(chain=chain)
        rows = AuditEntry.objects.filter(chain=chain, seq__gt=cursor.seq, seq__lte=end).order_by("seq")
        with audit_damage.readable():  # an entry that was damaged must not keep the alarm from being told
            new = audit_damage.entries(rows[:ENTRIES_AT_ONCE])
        for entry in new:
            _of_entry(entry)
        if new:
            NoticeCursor.objects.filter(pk=cursor.pk).update(seq=new[-1].seq)
    return len(new)


def _of_entry(entry: AuditEntry) -> None:
    if entry.action == AuditAction.CHANGE_FINISHED or entry.action in _STOPPED:
        change = Change.objects.select_related("requested_by").filter(pk=entry.change_id or 0).first()
        if change is not None:
            tell(_of_change(entry), change=change, but=entry.actor_id)
    elif entry.action == AuditAction.CONNECTION_PAUSED and entry.outcome != ConnectionState.MAINTENANCE:
        connection = Connection.objects.filter(pk=entry.connection_id or 0).first()
        if connection is not None:
            tell(NoticeEvent.SYSTEM_STOPPED, connection=connection, but=entry.actor_id)
    elif entry.action == AuditAction.LOG_VERIFIED and entry.outcome == "broken":
        tell(NoticeEvent.AUDIT_ALARM)
    elif entry.action == AuditAction.READING_FINISHED:
        _drift(entry.connection_id or 0)


def _of_change(entry: AuditEntry) -> NoticeEvent:
    if entry.action in _STOPPED:
        return NoticeEvent.CHANGE_STOPPED
    return NoticeEvent.CHANGE_DONE if entry.outcome == ChangeState.DONE else NoticeEvent.CHANGE_FAILED


def _drift(connection_id: int) -> None:
    """Told once a day at most, when more differences wait for a decision than the number that was set."""
    count = Drift.objects.filter(to_look_at(), connection_id=connection_id).count()
    if count <= conf.notice_drift_above():
        return
    lately = timezone.now() - DRIFT_AGAIN_AFTER
    if Notice.objects.filter(event=NoticeEvent.DRIFT, connection_id=connection_id, at__gt=lately).exists():
        return
    tell(NoticeEvent.DRIFT, connection=Connection.objects.get(pk=connection_id), count=count)


def _approvals() -> int:
    """Changes that wait for a second person, each told once."""
    told = Notice.objects.filter(event=NoticeEvent.APPROVAL_WANTED).values("change_id")
    waiting = Change.objects.filter(state=WAITING).exclude(pk__in=told).order_by("pk")
    with transaction.atomic():
        return sum(tell(NoticeEvent.APPROVAL_WANTED, change=change) for change in waiting[:ENTRIES_AT_ONCE])


def forget_old() -> bool:
    """Delete notices after some months. True: there were some."""
    old = Notice.objects.filter(at__lt=timezone.now() - KEPT).values_list("pk", flat=True)[:ENTRIES_AT_ONCE]
    return Notice.objects.filter(pk__in=list(old)).delete()[0] > 0


# what a user chose


def chosen(user: "User") -> tuple[frozenset[str], frozenset[str]]:
    """Events that the user wants by e-mail, and on the first page."""
    row = NoticeChoice.objects.filter(user=user).first()
    if row is None:
        return frozenset(map(str, BY_MAIL)), frozenset(NoticeEvent.values)
    return frozenset(row.mail), frozenset(row.panel)


def offered(user: "User") -> list[NoticeEvent]:
    """Events that may concern the user."""
    return [event for event in NoticeEvent if any(has_right(user, right) for right in _RIGHTS.get(event, (Right.SEE,)))]


@audited
def choose(*, email: str, mail: Iterable[str], panel: Iterable[str], actor: "User") -> None:
    """Keep what the actor wants to be told, and the address for it. Nobody chooses for others.

    Raises `BadValue` for an address that is none.
    """
    address = clean(email, key=_("e-mail"), at_most=EMAIL_CHARS)
    if address:
        try:
            validate_email(address)
        except ValidationError:
            raise BadValue(Reason.BAD_VALUE, key=_("e-mail"), why=_("it is no address")) from None
    own = set(map(str, offered(actor)))
    wanted = {"mail": sorted(own & set(mail)), "panel": sorted(own & set(panel))}
    with transaction.atomic():
        if address != actor.email:
            actor.email = address
            actor.save(update_fields=["email"])
            said = {"user": actor.get_username(), "email": address}
            entry = record.Entry(AuditAction.USER_EDITED, actor=actor, data={"user": actor.pk}, personal=said)
            record.write(Chain.PANEL, [entry])
        NoticeChoice.objects.update_or_create(user=actor, defaults=wanted)


def put_away(user: "User", ids: Iterable[int] | None = None) -> None:
    """Take notices off the user's first page: these, or all."""
    rows = Notice.objects.filter(user=user, is_shown=True)
    (rows if ids is None else rows.filter(pk__in=list(ids))).update(is_shown=False)


# words


def words(notice: Notice) -> str:
    """One sentence, with numbers and the name that the panel gave a system; nothing that a remote said."""
    said = {
        "number": notice.change_id or 0,
        "system": " ".join(notice.connection.name.split()) if notice.connection else "",
        "count": notice.count,
    }
    return _sentences()[NoticeEvent(notice.event)] % said


def _sentences() -> Mapping[NoticeEvent, str]:
    return {
        NoticeEvent.APPROVAL_WANTED: _("Change %(number)d waits for your approval."),
        NoticeEvent.CHANGE_DONE: _("Change %(number)d is done."),
        NoticeEvent.CHANGE_FAILED: _("Change %(number)d ended, and not everything was done."),
        NoticeEvent.CHANGE_STOPPED: _("Change %(number)d stopped and asks what to do."),
        NoticeEvent.SYSTEM_STOPPED: _("%(system)s stopped: nothing is sent to it until it is resumed."),
        NoticeEvent.DRIFT: _("%(count)d differences were made outside in %(system)s and wait for a decision."),
        NoticeEvent.AUDIT_ALARM: _("The audit log was altered: look at it now."),
    }


def address_of(notice: Notice) -> str:
    """Where the notice leads to, below the panel's own address."""
    if notice.change_id:
        return f"/membership/change/{notice.change_id}/"
    if notice.event == NoticeEvent.DRIFT:
        return "/membership/drift/"
    return f"/membership/connection/{notice.connection_id}/" if notice.connection_id else "/membership/auditentry/"


def for_overview(user: "User") -> tuple[list[Notice], int]:
    """What the first page tells the user, newest first; and, for whoever manages users, how many e-mails of the last
    week could not be sent. One query."""
    rows = Q(user=user, is_shown=True) & _in_sight(user)
    manages = has_right(user, Right.MANAGE_USERS)
    if manages:
        rows |= Q(mail=NoticeState.FAILED, at__gt=timezone.now() - timedelta(days=7))
    found = list(_with_what_they_name(Notice.objects.filter(rows))[:50])
    shown = [row for row in found if row.user_id == user.pk and row.is_shown]
    failed = [row for row in found if row.mail == NoticeState.FAILED] if manages else []
    return shown[:SHOWN], len(failed)


def _in_sight(user: "User") -> Q:
    """Notices that name nothing which the user may no longer see."""
    changes, systems = visible_to(Change.objects.all(), user), visible_to(Connection.objects.all(), user)
    in_sight = Q(change=None) | Q(change__in=changes.order_by().values("pk"))
    return in_sight & (Q(connection=None) | Q(connection__in=systems.order_by().values("pk")))


def _with_what_they_name(rows: QuerySet[Notice]) -> QuerySet[Notice]:
    return rows.select_related("connection").defer("connection__secrets", "connection__session").order_by("-pk")


def link_of(notice: Notice) -> str:
    return f"{settings.PUBLIC_URL}{address_of(notice)}"
