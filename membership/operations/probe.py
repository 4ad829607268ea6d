"""A look at one system on request: whether address, credentials and rights work, within a time limit.

The only remote calls that a web request makes. They read, and may log in; they never renew a token, which is the lane
owner's alone: two renewals at once would lose both.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db import connection as database

from membership.errors import NextStep, Reason
from membership.models import Connection
from membership.operations.pace import Bucket
from membership.providers.base import CheckResult, CredentialStore, Door, Reader, RemoteAnswer, RemoteCall
from membership.providers.errors import OutcomeUnknown, ProviderError
from membership.providers.wire import Origin
from membership.remotes import Remote

START_WITHIN_S = 6.0
"""No request begins later than this; none takes longer than the next: together at most ten seconds."""
ANSWER_WITHIN_S = 4.0
SLOWEST_RATE_PER_S = 2.0


@dataclass(frozen=True, slots=True)
class Probe:
    """What was found. `reason` is empty when the system works; `requests` were made."""

    requests: int
    sign_ins: int = 0
    """How many of the requests signed in."""
    reason: str = ""
    params: Mapping[str, Any] = field(default_factory=dict)
    findings: tuple[tuple[str, bool], ...] = ()
    own_account_id: str = ""


def probe(connection: Connection, credentials: CredentialStore | None = None) -> Probe:
    """Look at a system. Never raises a `ProviderError`: why it does not work is the answer.

    With `credentials` the row need not be stored: nothing of it is written.
    """
    if database.in_atomic_block:
        raise RuntimeError("A remote call inside a transaction: the database must never wait for a remote.")
    door = _Hasty(connection.rate_per_s)
    try:
        with Remote(connection, wrap=door.around, within_s=ANSWER_WITHIN_S, credentials=credentials) as remote:
            result = _check(remote)
    except ProviderError as error:
        return Probe(door.requests, door.sign_ins, error.reason.value, dict(error.params))
    return Probe(door.requests, door.sign_ins, findings=result.findings, own_account_id=result.own_account_id or "")


def _check(remote: Remote) -> CheckResult:
    provider = remote.provider
    if not provider.is_signed_in():
        provider.sign_in()
        return provider.check()
    try:
        return provider.check()
    except ProviderError as error:
        if error.next_step != NextStep.RENEW:
            raise
    provider.sign_in()  # the token ran out
    return provider.check()


def is_address(base_url: str) -> bool:
    """Whether the door could call this address at all."""
    try:
        Origin.of(base_url)
    except ProviderError:
        return False
    return True


class _Hasty:
    """A door that counts, spaces its requests, and opens no more once the time is up."""

    def __init__(self, rate_per_s: float) -> None:
        # A very slow limit is not waited for: the lane takes these requests from it later.
        self._bucket = Bucket(max(rate_per_s, SLOWEST_RATE_PER_S), 1)
        self._ends_at = time.monotonic() + START_WITHIN_S
        self.requests = self.sign_ins = 0

    def around(self, door: Door) -> Door:
        self._door = door
        return self

    def send(
        self, call: RemoteCall, *, credentials: Mapping[str, str], send_before: float | None = None
    ) -> RemoteAnswer:
        self._begin()
        self.sign_ins += 1  # nothing else is ever written here
        return self._door.send(call, credentials=credentials, send_before=send_before)

    def read(self, call: RemoteCall, *, credentials: Mapping[str, str]) -> Reader:
        self._begin()
        return self._door.read(call, credentials=credentials)

    def _begin(self) -> None:
        turn = self._bucket.take()
        if turn > self._ends_at:
            raise OutcomeUnknown(Reason.ANSWER_TIMEOUT)
        time.sleep(max(0.0, turn - time.monotonic()))
        self.requests += 1
