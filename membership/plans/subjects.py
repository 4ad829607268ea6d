"""Whom a step is about, by the name that is known now.

Where rows do not say whose they are, a plan names somebody `row:<id>` until the account is known, and the next plan
names the same one `account:<id>`. What a stored plan says stays, because its digests hold it: whoever looks for other
steps about the same person asks here.
"""

from collections.abc import Collection

from django.db.models import Q

ACCOUNT_NOW = "participant__account__remote_id"
"""Of an operation: the account of its row, known by now."""


def now(subject: str, account_id: str | None) -> str:
    """The subject that a plan of today would have. `account_id`: what `ACCOUNT_NOW` says."""
    return f"account:{account_id}" if account_id is not None and subject.startswith("row:") else subject


def stored_as(subjects: Collection[str]) -> Q:
    """Operations whose subject may be one of these now: ask `now` of each."""
    accounts = [name.removeprefix("account:") for name in subjects if name.startswith("account:")]
    return Q(subject__in=subjects) | Q(subject__startswith="row:", participant__account__remote_id__in=accounts)
