"""A connection row becomes its provider: door, credential store and options put together."""

import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import cache
from importlib import import_module
from types import TracebackType

from django.db import transaction
from django.utils import timezone

from membership.audit import record
from membership.errors import Reason
from membership.models import Connection
from membership.providers.base import Door, Provider, ProviderFactory
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


class Credentials:
    """The `CredentialStore` of one connection row. Reads come from memory; writes are committed and audited."""

    def __init__(self, connection: Connection) -> None:
        self._pk = connection.pk
        self._values: dict[str, str] = {**connection.secrets, **connection.session}

    def get(self, key: str) -> str:
        return self._values.get(key, "")

    def begin_renewal(self) -> bool:
        now = timezone.now()
        with transaction.atomic():
            free = Connection.objects.filter(pk=self._pk, renewing_since=None).update(renewing_since=now)
            if free:
                self._record(how="renewal")
        return bool(free)

    def note_sign_in(self) -> None:
        now = timezone.now()
        with transaction.atomic():
            row = Connection.objects.select_for_update().get(pk=self._pk)
            recent = [at for at in row.sign_ins if at > (now - SIGN_INS_WITHIN).timestamp()]
            if len(recent) >= SIGN_INS_AT_MOST:
                free_in_s = recent[0] + SIGN_INS_WITHIN.total_seconds() - now.timestamp()
                raise Throttled(Reason.SIGN_IN_TOO_OFTEN, pause_s=free_in_s, limit=SIGN_INS_AT_MOST)
            row.sign_ins = [*recent, now.timestamp()]
            row.save(update_fields=["sign_ins"])
            self._record(how="log-in")

    def save(self, values: Mapping[str, str]) -> None:
        with transaction.atomic():
            row = Connection.objects.select_for_update().get(pk=self._pk)
            row.session = {**row.session, **values}
            row.renewing_since = None
            row.own_account_id = values.get("own_account_id", row.own_account_id)
            row.save(update_fields=["session", "renewing_since", "own_account_id"])
        self._values.update(values)

    def _record(self, *, how: str) -> None:
        entry = record.Entry(AuditAction.CONNECTION_SIGNED_IN, connection_id=self._pk, data={"how": how})
        record.write(record.connection_chain(self._pk), [entry])


class Remote:
    """An open connection: its provider over its door. Close it, or use it as a context manager.

    `within_s` shortens the time limit of each request, a reading's body included.
    """

    def __init__(
        self,
        connection: Connection,
        wrap: Callable[[Door], Door] = lambda door: door,
        *,
        within_s: float | None = None,
    ) -> None:
        self._http = HttpDoor(
            connection.base_url,
            internal=connection.internal,
            timeout_s=min(connection.timeout_s, within_s or connection.timeout_s),
            reading_timeout_s=within_s,
            pool_size=connection.concurrency,
        )
        self.provider: Provider = provider_module(connection.provider)(
            wrap(self._http), Credentials(connection), connection.options, time.time
        )

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> "Remote":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
