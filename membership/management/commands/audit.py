"""Checks, protects, anchors and cuts the audit log."""

import sys
from typing import Any

from django.core.management.base import CommandParser

from membership.management.base import PanelCommand
from membership.services import audit_checks, audit_proof


class Command(PanelCommand):
    help = "Checks every entry of the audit log (verify), and looks after what proves it."
    recorded = None  # what is done is recorded by itself

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "what",
            choices=["verify", "protect", "anchor", "keys"],
            help="verify: name the first bad entry of each chain; exit 1 if there is one. protect: repair triggers."
            " anchor: sign where the chains stand, now. keys: print the public halves of ANCHOR_KEYS.",
        )
        parser.add_argument("--since", type=int, metavar="ANCHOR", help="verify only what came after this anchor")

    def handle(self, *args: Any, what: str, since: int | None, **options: Any) -> None:
        if what == "verify":
            self.verify(since)
        else:
            getattr(self, what)()

    def verify(self, since: int | None) -> None:
        report = audit_checks.verify_log(progress=lambda count: self.stderr.write(f"{count:,} …"), since=since)
        for chain in report.chains:
            erased = f", {chain.erased:,} personal parts erased" if chain.erased else ""
            begins = f" after {chain.begins_after:,}" if chain.begins_after else ""
            said = "bad" if chain.fault else "whole"
            self.stdout.write(f"{chain.chain}: {chain.entries:,} entries{begins}{erased}: {said}")
        anchored = f"{report.anchors:,}, the newest of {report.anchored_at}" if report.anchors else "none"
        self.stdout.write(f"anchors: {anchored}")
        for note in report.notes:
            self.stdout.write(note)
        for fault in report.faults:
            number = f" (entry {fault.entry_id})" if fault.entry_id is not None else ""
            self.stderr.write(self.style.ERROR(f"{fault}{number}"))
        if not report.is_whole:
            sys.exit(1)
        self.stdout.write(self.style.SUCCESS(f"{report.entries:,} entries: the audit log is whole."))

    def protect(self) -> None:
        missing = audit_proof.protect_log()
        self.stdout.write(f"Installed anew: {', '.join(missing)}." if missing else "Nothing was missing.")

    def anchor(self) -> None:
        n, arrived = audit_proof.anchor_now()
        self.stdout.write(f"Anchor {n} is the newest.")
        if not arrived:
            self.stderr.write(self.style.ERROR("It could not be sent everywhere: see /readyz and the first page."))
            sys.exit(1)

    def keys(self) -> None:
        for key_id, text in audit_proof.public_keys().items():
            self.stdout.write(f"{key_id}:{text}")
