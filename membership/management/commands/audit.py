"""Checks, protects, anchors and cuts the audit log."""

import sys
from typing import Any

from django.core.management.base import CommandError, CommandParser

from membership.management.base import PanelCommand
from membership.services import audit_checks, audit_proof, audit_retention
from membership.services.command_line import record_command


class Command(PanelCommand):
    help = "Checks every entry of the audit log (verify), and looks after what proves it."
    recorded = None  # each records what it did, or its use where it did nothing that is recorded

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "what",
            choices=["verify", "protect", "anchor", "keys", "cut"],
            help="verify: name the first bad entry of each chain; exit 1 if there is one. protect: repair triggers."
            " anchor: sign where the chains stand, now. keys: print the public halves of ANCHOR_KEYS."
            " cut: put what is older than --days into archives, and delete it.",
        )
        parser.add_argument("--days", type=int, metavar="N", help="cut: how many days the log keeps")
        parser.add_argument("--chain", action="append", default=[], help="cut: only this chain; may be repeated")
        parser.add_argument("--since", type=int, metavar="ANCHOR", help="verify only what came after this anchor")

    def handle(self, *args: Any, what: str, since: int | None, **options: Any) -> None:
        if what == "verify":
            self.verify(since)
        elif what == "cut":
            self.cut(options["days"], options["chain"])
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

    def cut(self, days: int | None, chains: list[str]) -> None:
        if days is None or days < 1:
            raise CommandError("--days says how many days the log keeps, such as --days 365.")
        archives = audit_retention.cut_log(days=days, chains=chains)
        for archive in archives:
            self.stdout.write(f"{archive.chain}: entries {archive.first:,} to {archive.last:,} are in {archive.path}")
        left = "What is left begins there, and verifies on its own."
        self.stdout.write(left if archives else "Nothing that old is left to cut off.")

    def protect(self) -> None:
        missing = audit_proof.protect_log()
        self.stdout.write(f"Installed anew: {', '.join(missing)}." if missing else "Nothing was missing.")

    def anchor(self) -> None:
        record_command("audit anchor", {})
        n, arrived = audit_proof.anchor_now()
        self.stdout.write(f"Anchor {n} is the newest.")
        if not arrived:
            self.stderr.write(self.style.ERROR("It could not be signed or sent: see /readyz and the first page."))
            sys.exit(1)

    def keys(self) -> None:
        record_command("audit keys", {})
        for key_id, text in audit_proof.public_keys().items():
            self.stdout.write(f"{key_id}:{text}")
