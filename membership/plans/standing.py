"""Whether a stored plan is still what was shown, and still true."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from membership.models import Change, Finding, LeftOut, Operation
from membership.plans import compile, hashing, limits
from membership.plans.cases import Case, Providers
from membership.plans.limits import Found
from membership.plans.stored import COLUMNS, wishes_of
from membership.vocab import ChangeState


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
    return hash_over(change.pk, digests)


def hash_over(change_id: int, digests: Iterable[str]) -> str:
    """The hash of a plan of these digests and of what is stored as left out and as found by guards."""
    left_out = LeftOut.objects.filter(change=change_id).order_by("position")
    lines = [
        hashing.left_out_line(*row) for row in left_out.values_list("position", "connection_id", "group_id", "reason")
    ]
    findings = Finding.objects.filter(change=change_id).order_by("position")
    found = [
        hashing.finding_line(*row)
        for row in findings.values_list("guard", "level", "connection_id", "group_id", "params")
    ]
    return hashing.plan_hash(digests, lines, found)


@dataclass(frozen=True, slots=True)
class Standing:
    """How a stored plan stands against what the mirror and the guards say now."""

    overtaken: int
    """How many operations would not be planned as they are: changed underneath, gone, or guarded."""
    grown: Sequence[Found]
    """Guards that demand more than what was shown."""


def look(change: Change) -> Standing:
    """Hold the stored plan against what would be planned now. Reads only.

    What waits for approval itself is not stopped by others that wait, too: who is approved first, goes.
    """
    rows = list(Operation.objects.filter(change=change).order_by("position").values(*COLUMNS, "subject", "before"))
    now = compile.still_planned(wishes_of(rows), with_waiting=change.state == ChangeState.DRAFT)
    found = {_key(case, now.providers): case for case in now.kept}
    true_still = [row for row in rows if _is_true(row, found.get(_row_key(row)))]
    shown: dict[tuple[str, int | None, int | None], str] = {
        (guard, connection_id, group_id): level
        for guard, connection_id, group_id, level in Finding.objects.filter(change=change).values_list(
            "guard", "connection_id", "group_id", "level"
        )
    }
    return Standing(len(rows) - len(true_still), limits.grown(now.findings, shown))


_Key = tuple[str, int, int | None, str]


def _key(case: Case, providers: Providers) -> _Key:
    return (case.verb.value, case.connection_id, case.group_id, case.subject(providers[case.connection_id]))


def _row_key(row: Mapping[str, Any]) -> _Key:
    return (row["verb"], row["connection_id"], row["group_id"], row["subject"])


def _is_true(row: Mapping[str, Any], case: Case | None) -> bool:
    before = {name: value for name, value in row["before"].items() if name != compile.AFTER}
    return case is not None and case.before() == before and case.wanted() == row["wanted"]
