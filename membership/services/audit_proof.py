"""Whether the audit log holds, for the command line."""

from collections.abc import Callable

from django.db import transaction

from membership.audit import record, triggers, verify
from membership.vocab import AuditAction, Chain


def verify_log(*, progress: Callable[[int], None] | None = None) -> verify.Report:
    """Check the whole log, and record that it was checked and what came out."""
    report = verify.verify(progress=progress)
    entry = record.Entry(
        AuditAction.LOG_VERIFIED,
        outcome="whole" if report.is_whole else "broken",
        data={
            "entries": report.entries,
            "erased": report.erased,
            "chains": len(report.chains),
            "faults": len(report.faults),
            "first_bad": next((fault.entry_id for fault in report.faults if fault.entry_id is not None), None),
        },
    )
    with transaction.atomic():
        record.write(Chain.PANEL, [entry])
    return report


def protect_log() -> list[str]:
    """Install the triggers anew. Gives the names of those that were missing or altered, and records them."""
    missing = triggers.missing()
    with transaction.atomic():
        triggers.install()
        entry = record.Entry(AuditAction.COMMAND_RUN, data={"what": "audit protect", "missing": missing})
        record.write(Chain.PANEL, [entry])
    return missing
