"""What all parts of a reading share: whose lane it is, how much is written at once, and how a list is taken in."""

import logging
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from typing import Any, TypeVar

from django.core.exceptions import ValidationError
from django.db import DataError, IntegrityError, connection, transaction

from membership import crash
from membership.conf import ACT_ON_STEPS_PER_TRANSACTION as ROWS_AT_MOST
from membership.errors import Reason
from membership.mirror import writer
from membership.mirror.listing import Listing, Named, Tally
from membership.models import Connection, Reading
from membership.operations import outbox
from membership.providers.base import Provider
from membership.providers.errors import (
    Incomplete,
    Misconfigured,
    NotSent,
    NotSignedIn,
    OutcomeUnknown,
    ProviderError,
    Throttled,
)
from membership.vocab import ReadingKind, ReadingState

logger = logging.getLogger(__name__)

FOR_THE_LANE = (Misconfigured, NotSignedIn, Throttled)
"""Errors that say something about the whole connection: the lane handles them, then goes on with the same reading."""

NOT_STORABLE = (DataError, IntegrityError, ValidationError, ValueError, OverflowError)
"""What a column or a database says to a value that it cannot take."""

ROWS_AT_ONCE = 100  # rows of an answer that are compared together
YIELD_EVERY = 50  # rows, where nobody counts requests
WRITE_S = 0.035  # aimed at, so that a transaction seldom takes longer than 50 ms
GAP_S = 0.005  # SQLite has one writer: without a gap a page never gets its turn
LATER_AT_MOST = 20
LATER_S = 1.0
FAILURES_AT_MOST = 3  # lists in a row that could not be read at all

Steps = Iterator[None]
Item = TypeVar("Item", bound=Named)
Told = TypeVar("Told")


class StandBack(Exception):
    """The reading ends here for now, and is taken up again later."""


class GiveUp(Exception):
    """The remote does not answer: the rest of the reading would say so again and again."""

    def __init__(self, problem: writer.Problem) -> None:
        super().__init__(problem)
        self.problem = problem


class Look:
    """One pass over one reading. `requests()` counts what the lane has sent so far, if somebody counts."""

    def __init__(
        self, reading: Reading, provider: Provider, token: int, requests: Callable[[], int] | None = None
    ) -> None:
        self.reading = reading
        self.connection: Connection = Connection.objects.get(pk=reading.connection_id)
        self.provider = provider
        self.accounts = writer.AccountIndex(self.connection)
        self.problem: writer.Problem | None = None
        self.rows_seen = reading.rows_seen
        self.rows_changed = reading.rows_changed
        self._token = token
        self._requests = requests
        self._requests_before = requests() if requests else 0
        self._requests_at_yield = self._requests_before
        self._requests_kept = reading.requests
        self._rows_since_yield = 0
        self._later: list[Callable[[], None]] = []
        self._caught_up_at = time.monotonic()
        self._failures = 0
        self._last_failure: writer.Problem | None = None
        self.lists_ended = 0
        self.gave_up = False
        self._size = ROWS_AT_MOST // 5

    @property
    def started_at(self) -> datetime:
        assert self.reading.started_at is not None  # noqa: S101 - `run` set it
        return self.reading.started_at

    @property
    def requests(self) -> int:
        sent = self._requests() - self._requests_before if self._requests else 0
        return self.reading.requests + sent

    def note(self, problem: writer.Problem) -> None:
        """Say why the reading is incomplete. The first reason stays."""
        self.problem = self.problem or problem

    def stand_back(self) -> None:
        """Raise `StandBack` when a shorter reading is wanted, for which somebody waits."""
        if self.reading.kind != ReadingKind.SYSTEM:
            return
        shorter = Reading.objects.filter(connection=self.connection, state__in=ReadingState.open())
        if shorter.exclude(kind=ReadingKind.SYSTEM).exists():
            raise StandBack

    # writing

    @contextmanager
    def writing(self) -> Iterator[None]:
        """One short transaction under the lane's token. Raises `LaneLost` when another worker owns the lane."""
        with transaction.atomic():
            outbox.hold_lane(self.connection.pk, self._token)
            yield
        if connection.vendor == "sqlite":
            time.sleep(GAP_S)

    def in_chunks(self, rows: Sequence[Any], write: Callable[[Sequence[Any]], Tally]) -> None:
        """Write rows, each chunk in a transaction that is short: the last one's time decides the next one's size."""
        start = 0
        while start < len(rows):
            chunk = rows[start : start + self._size]
            began = time.perf_counter()
            with self.writing():
                tally = write(chunk)
                crash.point("reading.chunk_inside")
            crash.point("reading.chunk")
            self._fit(len(chunk), time.perf_counter() - began - GAP_S)
            self.rows_changed += tally.changed
            start += len(chunk)

    def _fit(self, rows: int, seconds: float) -> None:
        if rows * 2 > self._size:
            self._size = max(20, min(ROWS_AT_MOST, int(rows * WRITE_S / max(seconds, 0.001))))

    def flush(self, listing: Listing[Any], *, down_to: int = 0) -> None:
        """Write what is pending, until at most `down_to` rows are."""
        while len(listing.pending) > down_to:
            chunk = listing.next_chunk(self._size)
            try:
                self.in_chunks(chunk, listing.write)
            except NOT_STORABLE:
                self._write_alone(chunk, listing)

    def _write_alone(self, chunk: Sequence[Any], listing: Listing[Any]) -> None:
        """One hostile row must not keep the others out: it is counted, and the list is not complete."""
        for item in chunk:
            try:
                self.in_chunks([item], listing.write)
            except NOT_STORABLE as error:
                listing.bad += 1
                logger.warning("reading %s: a row could not be stored (%s)", self.reading.pk, type(error).__name__)

    def later(self, write: Callable[[], None]) -> None:
        """Write a little thing soon, together with others: how groups ended, of which most change nothing else."""
        self._later.append(write)
        self._catch_up_in_time()

    def catch_up(self) -> None:
        """Write what was left for later, and how many requests were made: a kill takes little of that with it."""
        self._caught_up_at = time.monotonic()
        if not self._later and self.requests == self._requests_kept:
            return
        with self.writing():
            for write in self._later:
                write()
            Reading.objects.filter(pk=self.reading.pk).update(requests=self.requests)
            crash.point("reading.catch_up")
        self._later.clear()
        self._requests_kept = self.requests

    def _catch_up_in_time(self) -> None:
        if len(self._later) >= LATER_AT_MOST or time.monotonic() - self._caught_up_at > LATER_S:
            self.catch_up()

    # reading

    def take_in(
        self, ask: Callable[[], Iterator[Item]], listing: Listing[Item]
    ) -> Generator[None, None, writer.Problem | None]:
        """Take a whole list in; return why it was not complete. Yields before each further request.

        What came before an error is kept for the mirror. Raises the errors that are for the lane, and `StandBack`.
        """
        batch: list[Item] = []
        error = None
        try:
            with closing(told_by(ask)) as source:
                for item in source:
                    batch.append(item)
                    if len(batch) >= ROWS_AT_ONCE:
                        self._compare(batch, listing)
                        batch = []
                    if self.may_yield():
                        yield
        except ProviderError as raised:
            error = raised
        self._compare(batch, listing)
        self.flush(listing)
        if error is not None:
            return self.judge(error)
        self.ended_well()
        return None

    def judge(self, error: ProviderError) -> writer.Problem:
        """Why a list is not complete. Raises what is for the lane, and `StandBack` when the lane stops."""
        if isinstance(error, FOR_THE_LANE):
            raise error
        if error.reason is Reason.NOT_STARTED:
            raise StandBack
        self._failures = self._failures + 1 if isinstance(error, NotSent | OutcomeUnknown) else 0
        self._last_failure = error.reason, dict(error.params)
        return self._last_failure

    def ended_well(self) -> None:
        self.lists_ended += 1
        self._failures = 0

    def go_on(self) -> None:
        """Raise `GiveUp` when the remote could not be reached or understood several times in a row."""
        if self._failures >= FAILURES_AT_MOST and self._last_failure is not None:
            raise GiveUp(self._last_failure)

    def _compare(self, batch: Sequence[Item], listing: Listing[Item]) -> None:
        self.rows_seen += len(batch)
        listing.take(batch)
        self.flush(listing, down_to=ROWS_AT_MOST)
        self._catch_up_in_time()

    def may_yield(self) -> bool:
        """Whether a request was sent since the last yield: then the next one may have to wait for something better."""
        if self._requests is None:
            self._rows_since_yield += 1
            return self._rows_since_yield % YIELD_EVERY == 0
        sent, before = self._requests(), self._requests_at_yield
        self._requests_at_yield = sent
        return sent != before


def told_by(ask: Callable[[], Iterator[Told]]) -> Generator[Told, None, None]:
    """What a provider's list tells. A fault of ours in it is one list that failed, not the end of the lane."""
    try:
        yield from ask()
    except ProviderError:
        raise
    except Exception as error:
        logger.exception("a list could not be read")
        raise Incomplete(Reason.READING_FAILED) from error
