"""Whether the account that we use has lost its rights altogether, or only one thing is forbidden to it."""

from collections.abc import Callable, Sequence

from django.db import transaction

from membership.audit import record
from membership.errors import NextStep, Reason
from membership.providers.base import Provider
from membership.providers.errors import ProviderError
from membership.vocab import AuditAction

SIGHT = frozenset({"reads_groups", "lists_groups", "reads_accounts"})
"""Findings of a check without all of which nothing is seen."""


def are_lost(connection_id: int, provider: Provider, requests: Callable[[], int]) -> bool:
    """Ask the remote, and record it as a test. `requests()` counts what the lane has sent so far.

    Raises a `ProviderError` when that fails for another reason than missing rights.
    """
    asked_before = requests()
    try:
        found = provider.check().findings
    except ProviderError as error:
        _record(connection_id, requests() - asked_before, error.reason)
        if is_forbidden(error):
            return True
        raise
    _record(connection_id, requests() - asked_before, "", found)
    told = [works for code, works in found if code in SIGHT]
    return bool(told) and not any(told)


def _record(connection_id: int, requests: int, outcome: str, findings: Sequence[tuple[str, bool]] = ()) -> None:
    entry = record.Entry(
        AuditAction.CONNECTION_TESTED,
        connection_id=connection_id,
        outcome=outcome,
        data={"requests": requests, "sign_ins": 0, "findings": dict(findings)},
    )
    with transaction.atomic():
        record.write(record.connection_chain(connection_id), [entry])


def is_forbidden(error: ProviderError) -> bool:
    """Of a call or of a reading."""
    return error.next_step == NextStep.REFUSE or error.reason == Reason.WEAK_TOKEN
