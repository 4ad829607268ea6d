"""Runs everything."""

from typing import Any

from django.core.management.base import CommandParser

from membership.management import installation
from membership.management.base import PanelCommand, add_switch


class Command(PanelCommand):
    help = "Runs the panel and its worker, restarts what dies, and ends everything within ten seconds of Ctrl-C."
    recorded = None
    needs_database = False  # it may have to be made
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        add_switch(parser, "--prepare", "first migrate, collect the static files, and make an owner if there is none")
        parser.add_argument(
            "--demo",
            choices=["auto", "1", "0"],
            default="0",
            help="run the sandbox and load the demo; auto: where it was loaded before, or nothing is there yet",
        )

    def handle(self, *args: Any, prepare: bool, demo: str, **options: Any) -> None:
        installation.serve(self.say, prepare=prepare, demo=demo)

    def say(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()  # into a pipe, too, at once
