"""Kaiten: user groups, their members and their admins."""

from collections.abc import Callable, Mapping

from membership.providers.base import CredentialStore, Door, Provider
from membership.providers.kaiten.client import Kaiten
from membership.providers.kaiten.fields import OPTIONS, SECRETS

__all__ = ["OPTIONS", "PROVIDER", "SECRETS", "build"]

PROVIDER = Kaiten


def build(door: Door, store: CredentialStore, options: Mapping[str, str], now: Callable[[], float]) -> Provider:
    """The provider of one connection."""
    return Kaiten(door, store, options, now)
