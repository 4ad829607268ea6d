"""What a scheduler may call. The rows of the database stay the truth: to call something twice does no harm."""

import signal
import threading
from collections.abc import Callable, Collection, Sequence
from datetime import timedelta
from types import FrameType

from django.utils import timezone

from membership.audit import record, words
from membership.errors import Reason
from membership.models import Connection, Reading
from membership.operations import retiring
from membership.operations.aside import Aside
from membership.operations.worker import Worker
from membership.services import (
    anchor_sinks,
    audit_checks,
    drafts,
    ending_removals,
    leaving,
    link_proposals,
    notice_mail,
    notices,
    sessions,
)
from membership.services.refresh import request_refresh
from membership.services.rosters import kept
from membership.services.rosters import work as lists
from membership.vocab import ReadingState

GIVE_UP_AFTER = timedelta(seconds=10)

HOUSEKEEPING: tuple[Callable[[], bool], ...] = (
    drafts.compile_ready,
    drafts.expire_drafts,
    ending_removals.look,
    link_proposals.propose_after_readings,
    retiring.sweep,
    sessions.close_counts,
    Aside(lists.work_on_lists, lists.is_any_due),
    kept.tidy,
    anchor_sinks.anchor_log,
    audit_checks.work,
    words.keep_up,
    leaving.follow_up,
    notices.collect,
    notices.forget_old,
    Aside(notice_mail.send_due, notice_mail.is_any_due),
)
"""Done beside the lanes, about each half second; each says whether it did something."""


def run_worker(
    stop: threading.Event | None = None,
    *,
    until_idle: bool = False,
    only: Collection[int] | None = None,
    beside: Sequence[Callable[[], bool]] = (),
) -> None:
    """Work all lanes (or those of the connections `only`) until `stop` is set, or until nothing is left to do.

    On return everything that was begun is recorded, or returned to its queue.
    """
    limited = None if only is None else frozenset(only)
    tasks = (*HOUSEKEEPING, *beside)
    with record.at_machine(""):  # what a worker does it does by itself, also where somebody started it
        Worker(stop or threading.Event(), until_idle=until_idle, housekeeping=tasks, only=limited).run()


def read_now(connections: Sequence[Connection], stop: threading.Event) -> list[Reading]:
    """Read these systems here and now, and return their readings in order.

    Where another worker has a system's lane, this waits for it. One that does not answer is given up after a few tries:
    its reading is still open then, and its connection's `slowed_reason` says why. `stop` is set on return.
    """
    wanted = [reading.pk for reading in request_refresh(connections=connections, actor=None)]

    def end_with_them() -> bool:
        open_ones = Reading.objects.filter(pk__in=wanted, state__in=ReadingState.open())
        if all(_is_hopeless(reading) for reading in open_ones.select_related("connection")):
            stop.set()
        return False

    run_worker(stop, until_idle=True, only=[row.pk for row in connections], beside=[end_with_them])
    stop.set()
    found = Reading.objects.select_related("connection").in_bulk(wanted)
    return [found[pk] for pk in wanted]


def _is_hopeless(reading: Reading) -> bool:
    """The lane cannot even begin: what it rests for is no pause that the remote asked for."""
    trouble = reading.connection.slowed_reason
    late = reading.asked_at < timezone.now() - GIVE_UP_AFTER
    return late and reading.state == ReadingState.WANTED and trouble not in ("", Reason.THROTTLED)


def stop_on_signals() -> threading.Event:
    """An event that SIGTERM and SIGINT set: for the main thread of a process that works."""
    stop = threading.Event()

    def ask(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, ask)
    signal.signal(signal.SIGINT, ask)
    return stop
