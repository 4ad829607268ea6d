"""Whether a stored plan is still what was shown, and still true."""

from collections.abc import Mapping
from typing import Any

from membership.models import Change, LeftOut, Operation
from membership.plans import compile, hashing
from membership.plans.cases import Case, Providers
from membership.plans.stored import COLUMNS, wishes_of


def stored_hash(change: Change) -> str:
    """The plan's hash, worked out anew from the stored rows."""
    rows = (
        Operation.objects.filter(change=change)
        .order_by("position")
        .values_list(
            "position",
            "connection_id",
            "connection__provider",
            "group__remote_id",
            "verb",
            "subject",
            "wanted",
            "before",
            "calls",
            "salt",
            "digest",
            "erased_at",
        )
    )
    digests = [
        kept
        if erased is not None  # what it was worked out from is gone; the plan's hash is in the log, and holds it
        else hashing.digest_of(
            position=position,
            connection_id=connection_id,
            provider=provider,
            group=group,
            verb=verb,
            subject=subject,
            wanted=wanted,
            before=before,
            calls=calls,
            salt=salt,
        )
        for position, connection_id, provider, group, verb, subject, wanted, before, calls, salt, kept, erased in rows
    ]
    left_out = LeftOut.objects.filter(change=change).order_by("position")
    lines = [
        hashing.left_out_line(*row) for row in left_out.values_list("position", "connection_id", "group_id", "reason")
    ]
    return hashing.plan_hash(digests, lines)


def overtaken_count(change: Change) -> int:
    """How many operations of a draft would not be planned as they are now: changed underneath, gone, or guarded."""
    rows = list(Operation.objects.filter(change=change).order_by("position").values(*COLUMNS, "subject", "before"))
    kept, providers = compile.still_planned(wishes_of(rows))
    found = {_key(case, providers): case for case in kept}
    true_still = [row for row in rows if _is_true(row, found.get(_row_key(row)))]
    return len(rows) - len(true_still)


_Key = tuple[str, int, int | None, str]


def _key(case: Case, providers: Providers) -> _Key:
    return (case.verb.value, case.connection_id, case.group_id, case.subject(providers[case.connection_id]))


def _row_key(row: Mapping[str, Any]) -> _Key:
    return (row["verb"], row["connection_id"], row["group_id"], row["subject"])


def _is_true(row: Mapping[str, Any], case: Case | None) -> bool:
    before = {name: value for name, value in row["before"].items() if name != compile.AFTER}
    return case is not None and case.before() == before and case.wanted() == row["wanted"]
