"""All lanes of one process, its heartbeat, and what is done beside."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from datetime import timedelta

from django.db import close_old_connections
from django.db.models import Q
from django.utils import timezone

from membership.errors import Reason
from membership.models import Connection, Operation, Reading, WorkerBeat
from membership.models.statements import Statement
from membership.operations import outbox, reading, stages, trouble, turns
from membership.operations.clock import ClockWatch
from membership.operations.lane import Lane
from membership.operations.lease import identity
from membership.operations.pace import Bucket
from membership.vocab import ConnectionState, OperationState, ReadingState

logger = logging.getLogger(__name__)

LOOK_EVERY_S = 0.5
BEAT_EVERY_S = 5.0
END_WITHIN_S = 8.0
OLD_BEATS = timedelta(days=1)


# The states in the words, and in the order, of the index `reading_open`: SQLite finds it by that.
_READ_THOUGH_STOPPED = Statement(
    """
    SELECT DISTINCT x.id FROM membership_reading r CROSS JOIN membership_connection x
    WHERE r.state IN ('wanted', 'running') AND x.id = r.connection_id AND x.state <> 'active'
    """
)


def end_readings_of_stopped() -> bool:
    """Nobody waits for a reading of a system that is stopped. True: there was one."""
    stopped = [pk for (pk,) in _READ_THOUGH_STOPPED.rows()]
    ended = 0
    for row in Connection.objects.filter(pk__in=stopped) if stopped else ():
        reason = Reason(row.state_reason) if row.state_reason in set(Reason) else Reason.READING_INTERRUPTED
        ended += reading.give_up(row, reason, **row.state_params)
    return ended > 0


class Worker:
    """Starts a lane wherever something is due, and ends by itself when `until_idle`.

    `housekeeping` are functions of floors above that are called about each half second and say whether they did
    something; `only` limits the lanes to these connection ids.
    """

    def __init__(
        self,
        stop: threading.Event,
        *,
        until_idle: bool = False,
        housekeeping: Sequence[Callable[[], bool]] = (),
        only: frozenset[int] | None = None,
    ) -> None:
        self._stop = stop
        self._until_idle = until_idle
        ours: tuple[Callable[[], bool], ...] = (outbox.sweep, stages.advance, end_readings_of_stopped, ClockWatch())
        self._housekeeping = (*ours, *housekeeping)
        self._only = only
        self._name = identity()
        self._lanes: dict[int, Lane] = {}
        self._buckets: dict[int, Bucket] = {}
        self._beat_at = -BEAT_EVERY_S
        self._told = ""

    def run(self) -> None:
        """Work until told to stop, or until idle. What was begun is recorded or returned before this returns."""
        look_every_s = 0.05 if self._until_idle else LOOK_EVERY_S
        try:
            while not self._stop.is_set():
                try:
                    if not self._look() and self._until_idle and not self._is_anything_open():
                        return
                except trouble.STORAGE_ERRORS as error:
                    trouble.here.note(error)
                    logger.exception("the database does not answer as it should; trying again")
                    close_old_connections()
                self._stop.wait(look_every_s)
        finally:
            self._end()

    def _look(self) -> bool:
        """One round. True: something is being done."""
        self._beat()
        # A lane that ends during the tasks may have left something for them: another round is due then.
        busy = sum(task() for task in self._housekeeping) + len(self._lanes) > 0
        self._lanes = {pk: lane for pk, lane in self._lanes.items() if lane.is_alive()}
        for pk in self._due() - self._lanes.keys():
            self._lanes[pk] = Lane(pk, self._name, self._stop, self._buckets)
            self._lanes[pk].start()
        return busy or bool(self._lanes)

    def _due(self) -> set[int]:
        now = timezone.now()
        awake = Connection.objects.filter(state=ConnectionState.ACTIVE).filter(
            Q(slowed_until=None) | Q(slowed_until__lte=now)
        )
        due = set(awake.filter(Q(next_reading_at=None) | Q(next_reading_at__lte=now)).values_list("pk", flat=True))
        wanted = Reading.objects.filter(state__in=ReadingState.open(), connection__in=awake)
        due |= set(wanted.values_list("connection_id", flat=True).distinct())
        due |= turns.due_connections(now)
        return due if self._only is None else due & self._only

    def _is_anything_open(self) -> bool:
        """Whether something on a working connection waits for its time. What waits for a person does not count."""
        active = Connection.objects.filter(state=ConnectionState.ACTIVE)
        if self._only is not None:
            active = active.filter(pk__in=self._only)
        waiting = Q(turns.GOES_ON, state=OperationState.QUEUED)
        under_way = Q(state__in=(OperationState.RUNNING, OperationState.IN_DOUBT))
        return (
            Operation.objects.filter(waiting | under_way, connection__in=active).exists()
            or Reading.objects.filter(connection__in=active, state__in=ReadingState.open()).exists()
        )

    def _beat(self) -> None:
        lately = trouble.here.lately()
        if time.monotonic() - self._beat_at < BEAT_EVERY_S and lately == self._told:
            return
        self._beat_at, self._told = time.monotonic(), lately
        now = timezone.now()
        WorkerBeat.objects.update_or_create(name=self._name, defaults={"at": now, "trouble": lately})
        WorkerBeat.objects.filter(at__lt=now - OLD_BEATS).delete()

    def _end(self) -> None:
        self._stop.set()
        ends = time.monotonic() + END_WITHIN_S
        for lane in self._lanes.values():
            lane.join(max(0.0, ends - time.monotonic()))
        try:
            WorkerBeat.objects.filter(name=self._name).delete()
        except trouble.STORAGE_ERRORS:
            logger.exception("the heartbeat could not be taken back")
        close_old_connections()
