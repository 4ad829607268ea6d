"""Retention: what is older than so many days goes from the log into archives, by the command line; pages tell of it."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from django.db.models import Max, Min
from django.utils import timezone
from django.utils.translation import gettext as _

from membership import conf
from membership.audit import anchoring, cutting, verify
from membership.errors import BadValue, Reason
from membership.models import AuditAnchor, AuditCut, AuditEntry, AuditHead, Change
from membership.services.shell import audited, refuse
from membership.vocab import AuditAction, Chain, ChangeState

_ASKED = (AuditAction.CHANGE_REQUESTED, AuditAction.CHANGE_APPROVED, AuditAction.CHANGE_RESUMED)
"""Entries without which nothing more of a change is sent."""


@audited
def cut_log(*, days: int, chains: Sequence[str] = ()) -> list[cutting.Archive]:
    """Cut off what the newest anchor older than `days` covers, from these chains or from all.

    The log is verified first. Raises `ChangeRefused` where it does not hold, where no anchor is so old, where a change
    that was asked for before it is not done yet, or where an archive cannot be read back; nothing is cut off then.
    Raises `BadValue` for a chain that does not exist.
    """
    _need_chains(chains)
    report = verify.verify()
    if not report.is_whole:
        refuse(Reason.LOG_NOT_WHOLE, fault=str(report.faults[0]))
    for row in _older_than(days):
        anchor = anchoring.content(row)
        if cutting.fits(anchor):
            break
    else:
        refuse(Reason.NO_ANCHOR_SO_OLD, days=days)
    if not chains or Chain.PANEL in chains:
        _need_done(anchor.heads.get(Chain.PANEL, (0, ""))[0])
    try:
        return cutting.cut_at(anchor, chains=chains)
    except (cutting.ArchiveBroken, OSError) as error:
        refuse(Reason.ARCHIVE_BROKEN, why=str(error))


def _need_chains(chains: Sequence[str]) -> None:
    known = set(AuditHead.objects.filter(chain__in=chains).values_list("chain", flat=True))
    for name in chains:
        if name not in known:
            raise BadValue(Reason.BAD_VALUE, key="chain", why=_("the log has no chain “%(name)s”") % {"name": name})


def cut_at() -> datetime | None:
    """When entries were cut off last; None: the log goes back to its beginning."""
    found: datetime | None = AuditCut.objects.aggregate(last=Max("at"))["last"]
    return found


def is_cut_off(entry_id: int) -> bool:
    """Whether the log was cut, and begins after that entry."""
    oldest = AuditEntry.objects.order_by("pk").values_list("pk", flat=True).first()
    return oldest is not None and 0 < entry_id < oldest and AuditCut.objects.exists()


def _older_than(days: int) -> Iterator[AuditAnchor]:
    """Anchors before the first one that is not so old, newest first."""
    now = timezone.now()
    try:
        before = now - timedelta(days=days)
    except OverflowError:
        return iter(())
    # Their numbers say which came first: one that a clock wrote that was wrong for a while is as old as its neighbours.
    younger = AuditAnchor.objects.filter(at__gt=before, at__lte=max(before, now + conf.CLOCKS_DIFFER))
    first_n: int | None = younger.aggregate(first=Min("n"))["first"]
    rows = AuditAnchor.objects.filter(at__lte=before).order_by("-n")
    return (rows if first_n is None else rows.filter(n__lt=first_n)).iterator()


def _need_done(last: int) -> None:
    """Raises `ChangeRefused` while a change needs what was asked for it at or before entry `last` of the panel."""
    asked = AuditEntry.objects.filter(chain=Chain.PANEL, seq__lte=last, action__in=_ASKED)
    not_done = Change.objects.filter(state__in=ChangeState.open() | {ChangeState.WAITING}).values("pk")
    oldest = asked.filter(change_id__in=not_done).order_by("seq").first()
    if oldest is not None:
        refuse(Reason.LOG_STILL_NEEDED, change=oldest.change_id)
