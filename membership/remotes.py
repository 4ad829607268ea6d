"""A connection row becomes its provider: door, credential store and options put together."""

import time
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from functools import cache
from importlib import import_module
from types import TracebackType

from django.db import transaction
from django.utils import timezone

from membership import crash
from membership.audit import record
from membership.errors import Reason
from membership.models import Connection
from membership.providers.base import CredentialStore, Door, Provider, ProviderFactory
from membership.providers.door import HttpDoor
from membership.providers.errors import Throttled
from membership.vocab import PROVIDERS, AuditAction

SIGN_INS_AT_MOST = 3
SIGN_INS_WITHIN = timedelta(minutes=15)


@cache
def provider_module(kind: str) -> ProviderFactory:
    """The factory of a provider, imported when first used."""
    factory: ProviderFactory = import_module(PROVIDERS[kind].path).build
    return factory


@cache
def provider_class(kind: str) -> type[Provider]:
    """What a provider says of itself without a connection: capabilities, options, secrets."""
    cls: type[Provider] = import_module(PROVIDERS[kind].path).PROVIDER
    return cls


def recent_sign_ins(sign_ins: Iterable[float], now: datetime) -> list[float]:
    """Those of the log-ins (epoch seconds) that still count."""
    # None was later than now, but where the clock was set back: such a time must not count for days.
    return sorted(at for at in sign_ins if abs(at - now.timestamp()) < SIGN_INS_WITHIN.total_seconds())


def too_many_sign_ins(oldest: float, now: datetime) -> Throttled:
    """What is raised instead of one log-in more: it could lock the account there."""
    free_in_s = oldest + SIGN_INS_WITHIN.total_seconds() - now.timestamp()
    return Throttled(Reason.SIGN_IN_TOO_OFTEN, pause_s=free_in_s, limit=SIGN_INS_AT_MOST)


class Credentials:
    """The `CredentialStore` of one connection row. Reads come from memory; writes are committed and audited.

    `hold` is called first in each transaction that writes: it raises when the lane is somebody else's by now, whose
    tokens must not be overwritten.
    """

    def __init__(self, connection: Connection, *, hold: Callable[[], object] = lambda: None) -> None:
        self._pk = connection.pk
        self._hold = hold
        self._values: dict[str, str] = {**connection.secrets, **connection.session}

    def get(self, key: str) -> str:
        return self._values.get(key, "")

    def begin_renewal(self) -> bool:
        now = timezone.now()
        with transaction.atomic():
            self._hold()
            free = Connection.objects.filter(pk=self._pk, renewing_since=None).update(renewing_since=now)
            if free:
                self._record(how="renewal")
        crash.point("renewal.begun")
        return bool(free)

    def note_sign_in(self) -> None:
        now = timezone.now()
        with transaction.atomic():
            self._hold()
            row = Connection.objects.select_for_update().get(pk=self._pk)
            recent = recent_sign_ins(row.sign_ins, now)
            if len(recent) >= SIGN_INS_AT_MOST:
                raise too_many_sign_ins(recent[0], now)
            row.sign_ins = [*recent, now.timestamp()]
            row.save(update_fields=["sign_ins"])
            self._record(how="log-in")
        crash.point("sign_in.noted")

    def save(self, values: Mapping[str, str]) -> None:
        crash.point("renewal.answered")
        with transaction.atomic():
            self._hold()
            row = Connection.objects.select_for_update().get(pk=self._pk)
            row.session = {**row.session, **values}
            row.renewing_since = None
            row.own_account_id = values.get("own_account_id", row.own_account_id)
            row.save(update_fields=["session", "renewing_since", "own_account_id"])
        crash.point("renewal.saved")
        self._values.update(values)

    def _record(self, *, how: str) -> None:
        entry = record.Entry(AuditAction.CONNECTION_SIGNED_IN, connection_id=self._pk, data={"how": how})
        record.write(record.connection_chain(self._pk), [entry])


class Remote:
    """An open connection: its provider over its door. Close it, or use it as a context manager.

    `within_s` shortens the time limit of each request, a reading's body included. `credentials` stand in for those of
    the row, which is then only read.
    """

    def __init__(
        self,
        connection: Connection,
        wrap: Callable[[Door], Door] = lambda door: door,
        *,
        within_s: float | None = None,
        credentials: CredentialStore | None = None,
    ) -> None:
        self._http = HttpDoor(
            connection.base_url,
            internal=connection.internal,
            timeout_s=min(connection.timeout_s, within_s or connection.timeout_s),
            reading_timeout_s=within_s,
            pool_size=connection.concurrency,
        )
        self.provider: Provider = provider_module(connection.provider)(
            wrap(self._http), credentials or Credentials(connection), connection.options, time.time
        )

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> "Remote":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
