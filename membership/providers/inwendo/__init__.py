"""inwendo Vereinssoftware: chatrooms and their participants."""

from collections.abc import Callable, Mapping

from membership.providers.base import CredentialStore, Door, Provider
from membership.providers.inwendo.client import Inwendo
from membership.providers.inwendo.fields import OPTIONS, SECRETS

__all__ = ["OPTIONS", "PROVIDER", "SECRETS", "build"]

PROVIDER = Inwendo


def build(door: Door, store: CredentialStore, options: Mapping[str, str], now: Callable[[], float]) -> Provider:
    """The provider of one connection."""
    return Inwendo(door, store, options, now)
