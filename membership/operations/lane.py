"""One connection's turn: lease, recovery, sign-in, push, resolve, read; and what stops or slows it."""

import logging
import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from django.db import connections, transaction
from django.utils import timezone

from membership import crash
from membership.audit import record
from membership.errors import NextStep, Reason
from membership.models import Connection, Operation, Reading
from membership.operations import outbox, reading, rights, trouble
from membership.operations.lease import Lease
from membership.operations.outbox import LaneLost
from membership.operations.pace import Bucket, PacedDoor, Reads
from membership.operations.resolve import resolve_next
from membership.operations.runner import Runner
from membership.providers.errors import Misconfigured, ProviderError
from membership.remotes import Credentials, Remote
from membership.vocab import AuditAction, ConnectionState, OperationState

logger = logging.getLogger(__name__)

REST_AT_FIRST_S = 1.0
REST_AT_MOST_S = 60.0
UNAVAILABLE_TOO_LONG_S = 30 * 60
SETTINGS = ("base_url", "internal", "options", "secrets", "rate_per_s", "burst", "concurrency", "timeout_s")
"""What a lane is opened with: once it is edited, the lane ends, and begins anew with what it is by then."""


class Lane(threading.Thread):
    """Works one connection until nothing is due, then ends. Owns its database connection."""

    def __init__(self, connection_id: int, owner: str, stop: threading.Event, buckets: dict[int, Bucket]) -> None:
        super().__init__(name=f"lane-{connection_id}", daemon=True)
        self._connection_id = connection_id
        self._stop_event = stop
        self._lease = Lease(connection_id, owner)
        self._bucket = buckets.setdefault(connection_id, Bucket(1, 1))
        self._renewed = False
        self._taken_at_renewal = 0
        self._rights_looked_at = False
        self._failures = 0
        self._unavailable_since: float | None = None
        self._tests_seen = 0
        self._settings: dict[str, Any] | None = None
        self._taken_beside = 0
        """Requests that were not part of a reading."""

    def run(self) -> None:
        try:
            self._work()
        except LaneLost:
            logger.warning("lane %s: another worker owns it now", self._connection_id)
        except trouble.STORAGE_ERRORS as error:
            # Nothing leaves without its intent, so it is safe to end here; the worker starts the lane anew.
            trouble.here.note(error)
            logger.exception("lane %s: the database does not answer as it should", self._connection_id)
            self._stop_event.wait(1.0)
        except Exception:
            logger.exception("lane %s: ended by a fault", self._connection_id)
            self._stop_event.wait(5.0)
        finally:
            connections.close_all()

    def _work(self) -> None:
        while not self._lease.acquire():
            if self._stop_event.wait(0.5) or not self._is_active():
                return
        try:
            with self._opened() as (remote, runner):
                crash.point("lane.taken")
                may_live_s = self._lease.owner_may_live_s
                outbox.recover(self._connection_id, self._lease.token, owner_may_live_s=may_live_s)
                crash.point("lane.recovered")
                self._turns(remote, runner)
        finally:
            crash.point("lane.releasing")
            self._lease.release()

    @contextmanager
    def _opened(self) -> Iterator[tuple[Remote, Runner]]:
        row = Connection.objects.get(pk=self._connection_id)
        self._settings = {name: getattr(row, name) for name in SETTINGS}
        self._bucket.adjust(row.rate_per_s, row.burst)
        self._tests_seen = row.tests_made
        if row.slowed_until:
            self._bucket.rest(max(0.0, (row.slowed_until - timezone.now()).total_seconds()))
        threads = min(row.concurrency, max(1, math.ceil(row.rate_per_s)))
        ended, reads = threading.Event(), Reads()
        credentials = Credentials(row, hold=self._hold_to_sign_in)
        with Remote(
            row, lambda door: PacedDoor(door, self._bucket, self._stop_event, ended, reads), credentials=credentials
        ) as remote:
            runner = Runner(
                row.pk,
                remote.provider,
                self._lease,
                self._stop_event,
                threads=threads,
                rate_per_s=row.rate_per_s,
                reads=reads,
            )
            try:
                yield remote, runner
            finally:
                ended.set()
                runner.close()

    def _turns(self, remote: Remote, runner: Runner) -> None:
        """Writes before doubts before readings, until nothing is due or the lane has to rest."""
        steps: Iterator[None] | None = None
        while not self._stop_event.is_set() and self._is_active():
            self._lease.keep()
            self._deduct_tests()
            try:
                with self._beside_a_reading():
                    if not remote.provider.is_signed_in():
                        remote.provider.sign_in()
                    if self._send_and_resolve(remote, runner):
                        continue
                steps = steps or self._next_reading(remote)
                if steps is None:
                    return
                if not self._advance(steps):
                    steps = None
            except ProviderError as error:
                steps = None
                self._meet(error, remote)

    @contextmanager
    def _beside_a_reading(self) -> Iterator[None]:
        """What is asked in here belongs to no reading, even if one is under way."""
        before = self._bucket.taken
        try:
            yield
        finally:
            self._taken_beside += self._bucket.taken - before

    def _send_and_resolve(self, remote: Remote, runner: Runner) -> bool:
        """True: there was something to do. Raises what stops the lane for now."""
        promoted = outbox.promote(self._connection_id)
        sent, trouble = runner.push()
        if runner.was_accepted:
            self._token_works()
        if trouble:
            raise trouble
        if sent:
            self._went_well()
        resolved = resolve_next(self._connection_id, remote.provider, self._lease.token, lambda: self._bucket.taken)
        if resolved:
            self._token_works()
        return resolved or sent or promoted

    def _advance(self, steps: Iterator[None]) -> bool:
        """One step of a reading. False: it ended."""
        try:
            next(steps)
        except StopIteration:
            self._went_well()
            return False
        self._token_works()
        return True

    def _next_reading(self, remote: Remote) -> Iterator[None] | None:
        row = Connection.objects.get(pk=self._connection_id)
        due: Reading | None = reading.next_due(row, timezone.now())
        if due is None:
            return None
        return reading.run(due, remote.provider, lane_token=self._lease.token, requests=self._read_so_far)

    def _read_so_far(self) -> int:
        return self._bucket.taken - self._taken_beside

    def _is_active(self) -> bool:
        """Whether the system works, with the settings that this lane was opened with."""
        active = Connection.objects.filter(pk=self._connection_id, state=ConnectionState.ACTIVE)
        now = active.values(*SETTINGS).first()
        return now is not None and self._settings in (None, now)

    def _hold_to_sign_in(self) -> None:
        """Raises `LaneLost` where tokens of this lane would be stored as those of another address or account."""
        outbox.hold_lane(self._connection_id, self._lease.token)
        if Connection.objects.values(*SETTINGS).get(pk=self._connection_id) != self._settings:
            raise LaneLost

    def _deduct_tests(self) -> None:
        made = Connection.objects.values_list("tests_made", flat=True).get(pk=self._connection_id)
        self._bucket.deduct(made - self._tests_seen)
        self._tests_seen = made

    def _went_well(self) -> None:
        self._failures = 0
        self._renewed = self._rights_looked_at = False
        self._unavailable_since = None
        Connection.objects.filter(pk=self._connection_id).exclude(slowed_reason="").update(
            slowed_until=None, slowed_reason="", slowed_params={}
        )

    def _token_works(self) -> None:
        """What a renewal gave was accepted since: what takes longer than its life may renew it again."""
        if self._bucket.taken > self._taken_at_renewal:
            self._renewed = False

    def _meet(self, error: ProviderError, remote: Remote) -> None:
        """Do what the error says may be done next. Of settings that were edited meanwhile it says nothing any more."""
        if error.reason == Reason.NOT_STARTED or not self._is_active():
            return
        if error.next_step == NextStep.STOP:
            self._pause(error)
        elif error.next_step == NextStep.RENEW:
            self._renew(error, remote)
        elif rights.is_forbidden(error):
            self._look_at_rights(error, remote)
        elif self._is_unavailable_too_long(error):
            self._pause(Misconfigured(Reason.LONG_UNAVAILABLE))
        else:
            self._rest(error)

    def _renew(self, error: ProviderError, remote: Remote) -> None:
        """Once: a token that is refused right after a renewal will not become better."""
        if self._renewed:
            self._pause(Misconfigured(Reason.TOKEN_NOT_ACCEPTED, **error.params))
            return
        self._renewed = True
        try:
            remote.provider.renew()
            self._taken_at_renewal = self._bucket.taken
        except ProviderError as failed:
            if failed.next_step == NextStep.RENEW:
                failed = Misconfigured(Reason.TOKEN_NOT_ACCEPTED, **failed.params)
            self._meet(failed, remote)

    def _look_at_rights(self, error: ProviderError, remote: Remote) -> None:
        """A refusal concerns one operation, unless the account has lost its rights altogether."""
        if self._rights_looked_at:
            return
        self._rights_looked_at = True
        try:
            if rights.are_lost(self._connection_id, remote.provider, lambda: self._bucket.taken):
                self._pause(Misconfigured(Reason.RIGHTS_MISSING, **error.params))
        except ProviderError as failed:
            self._meet(failed, remote)

    def _is_unavailable_too_long(self, error: ProviderError) -> bool:
        if error.reason != Reason.UNAVAILABLE and error.params.get("status") != 503:
            self._unavailable_since = None
            return False
        self._unavailable_since = self._unavailable_since or time.monotonic()
        return time.monotonic() - self._unavailable_since > UNAVAILABLE_TOO_LONG_S

    def _rest(self, error: ProviderError) -> None:
        """Rest as long as the remote asks, else longer with each failure. Waits here, keeping the lease."""
        self._failures += 1
        seconds = error.pause_s or min(REST_AT_MOST_S, REST_AT_FIRST_S * 2 ** (self._failures - 1))
        self._bucket.rest(seconds)
        until = timezone.now() + timedelta(seconds=seconds)
        Connection.objects.filter(pk=self._connection_id).update(
            slowed_until=until, slowed_reason=error.reason, slowed_params=dict(error.params)
        )
        ends = time.monotonic() + seconds
        while (left := ends - time.monotonic()) > 0 and not self._stop_event.wait(min(left, 1.0)):
            self._lease.keep()
            if not self._is_active() or not self._has_work():
                return

    def _has_work(self) -> bool:
        return (
            Operation.objects.filter(connection_id=self._connection_id, state__in=OperationState.open()).exists()
            or Reading.objects.filter(connection_id=self._connection_id, state__in=("wanted", "running")).exists()
        )

    def _pause(self, error: ProviderError) -> None:
        """Stop this connection until somebody has looked. Its operations stay queued."""
        now = timezone.now()
        with transaction.atomic():
            outbox.hold_lane(self._connection_id, self._lease.token)
            Connection.objects.filter(pk=self._connection_id, state=ConnectionState.ACTIVE).update(
                state=ConnectionState.PAUSED,
                state_reason=error.reason,
                state_params=dict(error.params),
                state_since=now,
            )
            entry = record.Entry(
                AuditAction.CONNECTION_PAUSED,
                connection_id=self._connection_id,
                outcome=error.reason,
                personal={"said": str(error.params.get("said", ""))},
            )
            crash.point("pause.inside")
            record.write(record.connection_chain(self._connection_id), [entry], at=now)
        crash.point("pause.done")
