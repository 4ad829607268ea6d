"""Providers that can say their calls but send none: a preview cannot write, whatever it does."""

import time
from collections.abc import Mapping
from typing import NoReturn

from membership.errors import Reason
from membership.models import Connection
from membership.providers.base import Provider, RemoteCall
from membership.providers.errors import NotSent
from membership.remotes import provider_module


class ShutDoor:
    """A `Door` through which nothing leaves."""

    def send(self, call: RemoteCall, *, credentials: Mapping[str, str], send_before: float | None = None) -> NoReturn:
        raise NotSent(Reason.NOT_STARTED)

    def read(self, call: RemoteCall, *, credentials: Mapping[str, str]) -> NoReturn:
        raise NotSent(Reason.NOT_STARTED)


class NoCredentials:
    """A `CredentialStore` without secrets: calls are written without them."""

    def get(self, key: str) -> str:
        return ""

    def begin_renewal(self) -> NoReturn:
        raise NotSent(Reason.NOT_STARTED)

    def save(self, values: Mapping[str, str]) -> NoReturn:
        raise NotSent(Reason.NOT_STARTED)

    def note_sign_in(self) -> NoReturn:
        raise NotSent(Reason.NOT_STARTED)


def drafter(connection: Connection) -> Provider:
    """The provider of a connection, to ask what it can do and which calls a wish becomes."""
    return provider_module(connection.provider)(ShutDoor(), NoCredentials(), connection.options, time.time)
