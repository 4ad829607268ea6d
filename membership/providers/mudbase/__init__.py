"""Mudbase: chats and their participants."""

from collections.abc import Callable, Mapping

from membership.providers.base import CredentialStore, Door, Provider
from membership.providers.mudbase.client import Mudbase
from membership.providers.mudbase.fields import OPTIONS, SECRETS

__all__ = ["OPTIONS", "PROVIDER", "SECRETS", "build"]

PROVIDER = Mudbase


def build(door: Door, store: CredentialStore, options: Mapping[str, str], now: Callable[[], float]) -> Provider:
    """The provider of one connection."""
    return Mudbase(door, store, options, now)
