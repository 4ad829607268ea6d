"""Checks of the whole log: asked for at the panel, done by the worker beside its other work, or at the command line."""

import logging
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, ClassVar

from django.contrib.auth import get_user_model
from django.db import DatabaseError, connections, transaction
from django.db.models import Q, Subquery
from django.utils import timezone

from membership import conf
from membership.audit import archives, record, verify
from membership.errors import AuditUnavailable, Reason
from membership.models import AuditCheck, AuditCut, Connection
from membership.services import audit_log
from membership.services.command_line import os_user
from membership.services.shell import audited, need_right, refuse
from membership.vocab import AuditAction, Chain, Right

if TYPE_CHECKING:
    from django.contrib.auth.models import User

logger = logging.getLogger(__name__)

SILENT_AFTER = timedelta(seconds=60)
"""Without a sign of life for so long a check is begun anew: whoever did it has died."""
BEAT_EVERY = timedelta(seconds=1)
KEPT_FAULTS = 20
_PLACE = re.compile(
    r"(?P<chain>connection:(?P<system>[0-9]{1,18})|\w+) #(?P<seq>[0-9]+): (?P<says>.*?)"
    r"(?: \((?P<entry>[0-9]{1,18})\))?",
    re.DOTALL,
)
"""A fault as it is stored: where, what, and the entry's number in brackets."""


@audited
def ask_check(*, actor: "User") -> AuditCheck:
    """Have the worker check the log. Raises `NotAllowed` without the right to read it, and `ChangeRefused` while one is
    under way."""
    need_right(actor, Right.READ_AUDIT)
    with transaction.atomic():
        if AuditCheck.objects.filter(ended_at=None).exists():
            refuse(Reason.BEING_VERIFIED)
        cut_off = sum(AuditCut.objects.values_list("seq", flat=True))
        total = max(0, verify.total() - cut_off)
        check = AuditCheck.objects.create(
            asked_by_id=actor.pk, asked_by=actor.get_username(), asked_at=timezone.now(), total=total
        )
        entry = record.Entry(AuditAction.VERIFICATION_REQUESTED, actor=actor, data={"check": check.pk})
        record.write(Chain.PANEL, [entry])
    return check


def latest() -> tuple[AuditCheck | None, AuditCheck | None]:
    """The check that is under way, and the last one that ended: one query."""
    ended = AuditCheck.objects.exclude(ended_at=None).order_by("-ended_at", "-pk").values("pk")[:1]
    rows = list(AuditCheck.objects.filter(Q(ended_at=None) | Q(pk=Subquery(ended))))
    return next((row for row in rows if not row.ended_at), None), next((row for row in rows if row.ended_at), None)


@dataclass(frozen=True, slots=True)
class ToldFault:
    """One thing that does not hold, for a page; `entry_id` is the first entry that shows it, where there is one."""

    text: str
    entry_id: int | None


def told_faults(check: AuditCheck) -> list[ToldFault]:
    """What a check found, with chains called by their names."""
    found = [_PLACE.fullmatch(fault) or fault for fault in check.faults]
    numbers = {int(each["system"]) for each in found if not isinstance(each, str) and each["system"]}
    systems = dict(Connection.objects.filter(pk__in=numbers).values_list("pk", "name")) if numbers else {}
    return [ToldFault(each, None) if isinstance(each, str) else _told(each, systems) for each in found]


def _told(found: re.Match[str], systems: dict[int, str]) -> ToldFault:
    text = f"{audit_log.chain_label(found['chain'], systems)} #{found['seq']}: {found['says']}"
    return ToldFault(text, int(found["entry"]) if found["entry"] else None)


def verify_log(
    *, progress: Callable[[int], None] | None = None, since: int | None = None, check: AuditCheck | None = None
) -> verify.Report:
    """Check the log here and now, and record that it was checked and what came out.

    Without `check` somebody at the command line has it done. A look `since` an anchor is no check that pages tell of,
    unless it found something.
    """
    row = check or AuditCheck(asked_by=os_user()[:150], asked_at=timezone.now())
    try:
        archives.finish()
    except (OSError, ValueError, TypeError, LookupError, AttributeError):  # a tampered entry may say anything
        logger.exception("what an erasure left beside the archives could not be put in its place")
    report = verify.verify(progress=progress, since=since)
    with transaction.atomic():
        row.entries, row.anchors, row.ended_at = report.entries, report.anchors, timezone.now()
        row.faults = [_in_words(fault) for fault in report.faults[:KEPT_FAULTS]]
        row.faults_count, row.notes = len(report.faults), report.notes
        if since is None or report.faults:  # who read a part can say that the log does not hold, not that it is whole
            row.save()
        record.write(Chain.PANEL, [_entry(report, row, since)])
    return report


def _in_words(fault: verify.Fault) -> str:
    return f"{fault} ({fault.entry_id})" if fault.entry_id is not None else str(fault)


def _entry(report: verify.Report, row: AuditCheck, since: int | None) -> record.Entry:
    return record.Entry(
        AuditAction.LOG_VERIFIED,
        actor=get_user_model().objects.filter(pk=row.asked_by_id or 0).first(),
        outcome="whole" if report.is_whole else "broken",
        data={
            "entries": report.entries,
            "erased": report.erased,
            "chains": len(report.chains),
            "anchors": report.anchors,
            "since": since,
            "faults": len(report.faults),
            "first_bad": next((fault.entry_id for fault in report.faults if fault.entry_id is not None), None),
        },
        personal={} if row.asked_by_id else {"os_user": row.asked_by},
    )


def work() -> bool:
    """Begin the check that was asked for, in a thread of its own. For the worker's housekeeping.

    True while one is under way here: a worker that ends when idle waits for it.
    """
    return _Checker.wake()


class _Checker:
    _lock: ClassVar[threading.Lock] = threading.Lock()
    _thread: ClassVar[threading.Thread | None] = None

    @classmethod
    def wake(cls) -> bool:
        with cls._lock:
            if cls._thread is not None and cls._thread.is_alive():
                return True
            check = _claim()
            if check is None:
                return False
            cls._thread = threading.Thread(target=_do, args=(check,), name="verify", daemon=True)
            cls._thread.start()
            return True


def _claim() -> AuditCheck | None:
    """One that waits, or whose worker died; no other worker has it then."""
    now = timezone.now()
    for row in AuditCheck.objects.filter(ended_at=None).order_by("pk"):
        if row.beat_at is not None and conf.is_within(SILENT_AFTER, since=row.beat_at, now=now):
            continue
        if AuditCheck.objects.filter(pk=row.pk, ended_at=None, beat_at=row.beat_at).update(beat_at=now, done=0):
            row.beat_at = now
            return row
    return None


def _do(check: AuditCheck) -> None:
    beat = _Beat(check)
    try:
        verify_log(progress=beat, check=check)
    except (DatabaseError, AuditUnavailable):
        logger.exception("the audit log could not be verified; trying again")
    finally:
        beat.stop()
        connections.close_all()


class _Beat:
    """Says every second that the check goes on, and how far it is."""

    def __init__(self, check: AuditCheck) -> None:
        self._pk, self._done, self._ended = check.pk, 0, threading.Event()
        self._thread = threading.Thread(target=self._go, name="verify-beat", daemon=True)
        self._thread.start()

    def __call__(self, done: int) -> None:
        self._done = done

    def stop(self) -> None:
        self._ended.set()
        self._thread.join()

    def _go(self) -> None:
        try:
            while not self._ended.wait(BEAT_EVERY.total_seconds()):
                AuditCheck.objects.filter(pk=self._pk, ended_at=None).update(beat_at=timezone.now(), done=self._done)
        except DatabaseError:
            logger.exception("the progress of the verification could not be told")
        finally:
            connections.close_all()
