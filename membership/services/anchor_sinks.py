"""Sends anchors to where the database cannot reach: a file, a program's standard input, mail.

A sink that fails is tried again every half minute, and shown until it works. Nothing waits for it, no other sink
either: each is served by a thread of its own.
"""

import contextlib
import logging
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar, NamedTuple

from django.core.mail import EmailMessage
from django.db import DatabaseError, connections
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from membership import conf
from membership.audit import anchor_file, anchoring, anchors, witness
from membership.models import AnchorSink, AuditAnchor

logger = logging.getLogger(__name__)

AT_ONCE = 500
TRY_AGAIN_AFTER = timedelta(seconds=30)
COMMAND_TIMEOUT_S = 10
FORGOTTEN_AFTER = timedelta(days=1)
HANGS_AFTER = timedelta(minutes=1)
AT_IT_FOR = timedelta(seconds=15)
"""So far ahead lies `tried_at` of a command or mailbox while a worker is at it; the others let it go on."""
COMMAND, MAIL, SIGNING = "command", "mail", "signing"
"""`SIGNING` is no sink: its row says why no anchor can be made."""

Send = Callable[[AnchorSink, datetime], int]
"""Sends what a sink has not got, and gives the number of the last anchor that arrived."""


class SinkFailed(Exception):
    """Why anchors could not be sent, in words without secrets."""


def anchor_log() -> bool:
    """Make the anchor that is due, and see that it is sent. For the worker's housekeeping: never waits for a sink.

    Always False: an anchor is no work that somebody waits for.
    """
    now = timezone.now()
    try:
        if anchoring.anchor_due(now=now) is not None:
            AnchorSink.objects.filter(name=SIGNING).update(tried_at=now, failing_since=None, problem="")
    except anchors.BadAnchor as error:
        cannot_sign(error, now)
    _Courier.wake()
    return False


def cannot_sign(error: anchors.BadAnchor, now: datetime) -> None:
    """Have it shown like a sink that fails, since nothing arrives anywhere."""
    row, _made = AnchorSink.objects.get_or_create(name=SIGNING)
    if row.failing_since is None or not _was_just_told(row, now):
        logger.error("no anchors are made: the last one in the database does not hold (%s)", error.why)
        _failed(row, now, _("No more are made, since the last one does not hold: %s") % witness.in_words(error))


def _was_just_told(row: AnchorSink, now: datetime) -> bool:
    return row.tried_at is not None and conf.is_within(TRY_AGAIN_AFTER, since=row.tried_at, now=now)


class _Served(NamedTuple):
    thread: threading.Thread
    newest: int
    began: float

    def is_older_than(self, span: timedelta) -> bool:
        return time.monotonic() - self.began >= span.total_seconds()


class _Courier:
    """A thread for each sink while there is something to send."""

    _lock: ClassVar[threading.Lock] = threading.Lock()
    _served: ClassVar[dict[str, _Served]] = {}

    @classmethod
    def wake(cls) -> None:
        if conf.anchor_key() is None:
            return
        newest = AuditAnchor.objects.order_by("-n").values_list("n", flat=True).first() or 0
        now = timezone.now()
        with cls._lock:
            for name, sink in _sinks() if newest else ():
                before = cls._served.get(name)
                if before is not None and before.thread.is_alive():
                    cls._look_after(name, before, now)
                elif before is None or before.newest != newest or before.is_older_than(TRY_AGAIN_AFTER):
                    thread = threading.Thread(target=cls._go, args=(name, sink), name="anchors", daemon=True)
                    cls._served[name] = _Served(thread, newest, time.monotonic())
                    thread.start()

    @staticmethod
    def _look_after(name: str, served: _Served, now: datetime) -> None:
        if not served.is_older_than(HANGS_AFTER):
            return
        row = AnchorSink.objects.filter(name=name).first()
        if row is not None and not _was_just_told(row, now):
            _failed(row, now, _("It does not answer."))

    @staticmethod
    def _go(name: str, sink: Send) -> None:
        try:
            _serve(name, sink, timezone.now())
        except DatabaseError:
            logger.exception("the sinks of anchors could not be served; trying again")
        finally:
            connections.close_all()


def send(*, now: datetime | None = None) -> bool:
    """Send every sink what it has not got yet. True: each has everything now."""
    moment = now or timezone.now()
    went_well = [_serve(name, sink, moment) for name, sink in _sinks()]
    return all(went_well)


def _sinks() -> list[tuple[str, Send]]:
    found: list[tuple[str, Send]] = [(anchor_file.sink_of(conf.anchor_file()), _to_file)]
    if conf.anchor_command():
        found.append((COMMAND, _to_command))
    if conf.anchor_mail_to():
        found.append((MAIL, _to_mail))
    return found


def _serve(name: str, sink: Send, now: datetime) -> bool:
    row, _made = AnchorSink.objects.get_or_create(name=name)
    if name in (COMMAND, MAIL) and not _take(row, now):
        return True
    try:
        sent_n = sink(row, now)
    # ValueError: what a library cannot put into a mail, or into the arguments of a command.
    except (SinkFailed, OSError, subprocess.SubprocessError, ValueError) as error:
        logger.error("anchors could not be sent (%s)", name.partition(":")[0])
        _failed(row, now, _problem(error))
        return False
    arrived = {"sent_n": sent_n, "sent_at": now} if sent_n != row.sent_n else {}
    AnchorSink.objects.filter(pk=row.pk).update(tried_at=now, failing_since=None, problem="", **arrived)
    return True


def _take(row: AnchorSink, now: datetime) -> bool:
    """Whether no other worker of this database is at it: each anchor is to arrive once. Files have a lock instead."""
    # What lies further ahead was written before a clock was set back.
    if row.tried_at is not None and now < row.tried_at < now + AT_IT_FOR + conf.CLOCKS_DIFFER:
        return False
    mine = AnchorSink.objects.filter(pk=row.pk, tried_at=row.tried_at, sent_n=row.sent_n)
    return bool(mine.update(tried_at=now + AT_IT_FOR))


def _problem(error: Exception) -> str:
    if isinstance(error, anchors.BadAnchor):
        return witness.in_words(error)
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) if isinstance(error, SinkFailed) else type(error).__name__


def _failed(row: AnchorSink, now: datetime, problem: str) -> None:
    AnchorSink.objects.filter(pk=row.pk).update(
        tried_at=now, failing_since=row.failing_since or now, problem=problem[:200]
    )


def _after(n: int) -> list[anchors.Signed]:
    """The next anchors, their signatures checked: what was altered in the database is not passed on."""
    rows = list(AuditAnchor.objects.filter(n__gt=n).order_by("n")[:AT_ONCE])
    for row in rows:
        anchoring.content(row)
    return [anchoring.signed(row) for row in rows]


def _to_file(_row: AnchorSink, _now: datetime) -> int:
    """What stands in the file says how far it is: one that was lost is written anew from the signed rows."""
    path, keys = conf.anchor_file(), conf.anchor_public_keys()
    while True:
        last = anchor_file.last_line(path)
        n = _last_in_file(last, keys)
        new = _after(n)
        if not new:
            return n
        anchor_file.append(path, new, after=last)  # where another worker was faster, it is looked at again


def _last_in_file(last: str | None, keys: anchors.PublicKeys) -> int:
    """Number of the anchor on the last line, which the database has to have."""
    if last is None:
        return 0
    found = anchors.parse(last)
    n = anchors.opened(found, keys).n
    same = AuditAnchor.objects.filter(n=n).first()
    if same is None or same.text != found.text:
        raise SinkFailed(
            _(
                "The file has anchors that the database does not have: an older copy of the database was put back,"
                " or its end was cut off. See docs/audit.md."
            )
        )
    return n


def _to_command(row: AnchorSink, now: datetime) -> int:
    n = row.sent_n
    while new := _after(n):
        _run(conf.anchor_command(), (each.line for each in new))
        n += len(new)
        AnchorSink.objects.filter(pk=row.pk).update(sent_n=n, sent_at=now, tried_at=timezone.now() + AT_IT_FOR)
    return n


def _run(command: Sequence[str], lines: Iterable[str]) -> None:
    # A session of its own: a shell is ended with what it started, else each try would leave that behind.
    with subprocess.Popen(  # noqa: S603 - the owner of the machine named it in the settings
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            process.communicate("".join(f"{line}\n" for line in lines), timeout=COMMAND_TIMEOUT_S)
        except subprocess.TimeoutExpired as error:
            raise SinkFailed(_("The command did not end within %(s)s seconds.") % {"s": COMMAND_TIMEOUT_S}) from error
        finally:
            if process.returncode != 0:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(process.pid, signal.SIGKILL)
    if process.returncode:
        raise SinkFailed(_("The command ended with code %(code)s.") % {"code": process.returncode})


def _to_mail(row: AnchorSink, now: datetime) -> int:
    """The newest anchor names all before it: one in a while is enough."""
    newest = AuditAnchor.objects.order_by("-n").first()
    every = timedelta(seconds=conf.anchor_mail_every_s())
    is_early = row.sent_at is not None and conf.is_within(every, since=row.sent_at, now=now)
    if newest is None or newest.n == row.sent_n or is_early:
        return row.sent_n
    anchoring.content(newest)
    text = _("Keep this mail: it proves the audit log as it was at %(at)s.") % {"at": newest.at.isoformat()}
    mail = EmailMessage(
        subject=_("Anchor %(n)s of the audit log") % {"n": newest.n},
        body=f"{text}\n\n{anchoring.signed(newest).line}\n",
        to=conf.anchor_mail_to(),
    )
    mail.send()  # smtplib's errors are OSErrors
    return newest.n


@dataclass(frozen=True, slots=True)
class Anchoring:
    """How far it is. `state`: "off" without a key, "failing" while a sink fails, else "ok"."""

    state: str
    newest: AuditAnchor | None
    failing: list[AnchorSink]


def failing() -> QuerySet[AnchorSink]:
    """The sinks that do not get what they should. One that was not tried for a day is no longer used."""
    return AnchorSink.objects.filter(tried_at__gte=timezone.now() - FORGOTTEN_AFTER).exclude(failing_since=None)


def standing() -> Anchoring:
    """For monitoring and the command line; two queries."""
    if conf.anchor_key() is None:
        return Anchoring("off", None, [])
    rows = list(failing().order_by("name"))
    return Anchoring("failing" if rows else "ok", AuditAnchor.objects.order_by("-n").first(), rows)
