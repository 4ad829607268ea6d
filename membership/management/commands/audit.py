"""Checks and protects the audit log."""

import sys
from typing import Any

from django.core.management.base import CommandParser

from membership.management.base import PanelCommand
from membership.services import audit_proof


class Command(PanelCommand):
    help = "Checks every entry of the audit log (verify), or installs its triggers anew (protect)."
    recorded = None  # the look itself is recorded

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "what",
            choices=["verify", "protect"],
            help="verify: name the first bad entry of each chain; exit 1 if there is one. protect: repair triggers.",
        )

    def handle(self, *args: Any, what: str, **options: Any) -> None:
        self.verify() if what == "verify" else self.protect()

    def verify(self) -> None:
        report = audit_proof.verify_log(progress=lambda count: self.stderr.write(f"{count:,} …"))
        for chain in report.chains:
            erased = f", {chain.erased:,} personal parts erased" if chain.erased else ""
            self.stdout.write(f"{chain.chain}: {chain.entries:,} entries{erased}: {'bad' if chain.fault else 'whole'}")
        for fault in report.faults:
            number = f" (entry {fault.entry_id})" if fault.entry_id is not None else ""
            self.stderr.write(self.style.ERROR(f"{fault}{number}"))
        if not report.is_whole:
            sys.exit(1)
        self.stdout.write(self.style.SUCCESS(f"{report.entries:,} entries: the audit log is whole."))

    def protect(self) -> None:
        missing = audit_proof.protect_log()
        self.stdout.write(f"Installed anew: {', '.join(missing)}." if missing else "Nothing was missing.")
