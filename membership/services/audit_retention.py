"""Retention: what is older than so many days goes from the log into archives. For the command line."""

from collections.abc import Sequence
from datetime import timedelta

from django.utils import timezone

from membership.audit import anchoring, cutting, verify
from membership.errors import Reason
from membership.models import AuditAnchor
from membership.services.shell import audited, refuse


@audited
def cut_log(*, days: int, chains: Sequence[str] = ()) -> list[cutting.Archive]:
    """Cut off what the newest anchor older than `days` covers, from these chains or from all.

    The log is verified first. Raises `ChangeRefused` where it does not hold, where no anchor is so old, or where an
    archive cannot be read back; nothing is cut off then.
    """
    report = verify.verify()
    if not report.is_whole:
        refuse(Reason.LOG_NOT_WHOLE, fault=str(report.faults[0]))
    before = timezone.now() - timedelta(days=days)
    for row in AuditAnchor.objects.filter(at__lte=before).order_by("-n").iterator():
        anchor = anchoring.content(row)
        if cutting.fits(anchor):
            break
    else:
        refuse(Reason.NO_ANCHOR_SO_OLD, days=days)
    try:
        return cutting.cut_at(anchor, chains=chains)
    except (cutting.ArchiveBroken, OSError) as error:
        refuse(Reason.ARCHIVE_BROKEN, why=str(error))
