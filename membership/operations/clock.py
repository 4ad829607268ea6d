"""After the clock was set back: nothing waits for the old time.

Times in rows are the wall clock's. What was written while the clock was a day ahead would keep a step, a pause or a
reading waiting for that day. No wait of ours is that long, so what lies further ahead than any may is due anew. The
audit log keeps the times that it was given: its order is that of its numbers.
"""

import logging
import time
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from membership import conf
from membership.mirror import writer
from membership.models import Connection, Operation, Reading, WorkerBeat
from membership.vocab import OperationState, ReadingState

logger = logging.getLogger(__name__)

LONGEST_PAUSE = timedelta(minutes=15)
"""What remotes ask for is clamped to this; log-ins are counted for as long."""
WAITING = (OperationState.QUEUED, OperationState.IN_DOUBT)


class ClockWatch:
    """Housekeeping, free of cost while the clock runs on. Looks when a process begins, which knows nothing of before,
    and when the wall clock fell behind the monotonic one. True: something was due anew."""

    def __init__(self) -> None:
        self._ahead: float | None = None

    def __call__(self) -> bool:
        now = timezone.now()
        ahead = now.timestamp() - time.monotonic()
        was_set_back = self._ahead is None or ahead < self._ahead - conf.CLOCKS_DIFFER.total_seconds()
        ended = end_long_waits(now) if was_set_back else 0
        self._ahead = ahead if was_set_back else max(ahead, self._ahead or ahead)
        return ended > 0


def end_long_waits(now: datetime) -> int:
    """Make due what waits longer than anything may. Returns how many times were put right."""
    with transaction.atomic():
        ended = _steps(now) + _pauses(now) + _readings(now)
        ended += writer.none_after(now + conf.CLOCKS_DIFFER, now=now)
        ended += WorkerBeat.objects.filter(at__gt=now + conf.CLOCKS_DIFFER).delete()[0]
    if ended:
        logger.warning("the clock was set back: %s times of later were put right", ended)
    return ended


def _steps(now: datetime) -> int:
    """A step waits for a settle time at most, or for what an owner that vanished may still do."""
    far = Operation.objects.filter(state__in=WAITING, not_before__gt=now + conf.CLOCKS_DIFFER).order_by()
    latest = dict(far.values_list("connection_id").annotate(at=Max("not_before")))
    ended = 0
    for row in Connection.objects.filter(pk__in=latest):
        wait = timedelta(seconds=max(row.settle_s, conf.lease_s() + row.timeout_s))
        late = far.filter(connection=row, not_before__gt=now + wait + conf.CLOCKS_DIFFER)
        # A doubt gets its settle time once more: how much of it is over nobody knows.
        ended += late.update(not_before=now + wait)
    # What was settled after a reading began is newer than the reading: not for a day.
    return ended + Operation.objects.filter(settled_at__gt=now + conf.CLOCKS_DIFFER).update(settled_at=now)


def _pauses(now: datetime) -> int:
    paused = Connection.objects.filter(slowed_until__gt=now + LONGEST_PAUSE + conf.CLOCKS_DIFFER)
    return paused.update(slowed_until=now)


def _readings(now: datetime) -> int:
    """The next periodic one; and one that began tomorrow, for which everything that is read would be too old."""
    longest = 2 * timedelta(seconds=conf.read_every_s()) + conf.CLOCKS_DIFFER
    ended = Connection.objects.filter(next_reading_at__gt=now + longest).update(next_reading_at=now)
    begun = Reading.objects.filter(state__in=ReadingState.open(), started_at__gt=now + conf.CLOCKS_DIFFER)
    return ended + begun.update(started_at=None)
