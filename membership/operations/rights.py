"""Whether the account that we use has lost its rights altogether, or only one thing is forbidden to it."""

from membership.errors import NextStep, Reason
from membership.providers.base import Provider
from membership.providers.errors import ProviderError

SIGHT = frozenset({"reads_groups", "lists_groups", "reads_accounts"})
"""Findings of a check without all of which nothing is seen."""


def are_lost(provider: Provider) -> bool:
    """Ask the remote. Raises a `ProviderError` when that fails for another reason than missing rights."""
    try:
        found = provider.check()
    except ProviderError as error:
        if is_forbidden(error):
            return True
        raise
    told = [works for code, works in found.findings if code in SIGHT]
    return bool(told) and not any(told)


def is_forbidden(error: ProviderError) -> bool:
    """Of a call or of a reading."""
    return error.next_step == NextStep.REFUSE or error.reason == Reason.WEAK_TOKEN
