"""Runs the sandbox."""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from membership import tasks
from membership.management.base import PanelCommand, add_switch
from membership.management.ports import sandbox_ports
from membership.sandbox import serve


class Command(PanelCommand):
    help = "Runs three remotes of our own to try things on, and prints their addresses as JSON. Ctrl-C ends it."
    recorded = None
    needs_database = False

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--port-base", type=int, default=0, metavar="N", help="ports N, N+1, N+2; 0: free ones")
        parser.add_argument("--state", type=Path, metavar="FOLDER", help="keep what happens in this folder")
        add_switch(parser, "--demo", "fill empty remotes with the demo")
        add_switch(parser, "--limits", "keep the documented request limits")
        add_switch(parser, "--quiet", "print nothing")

    def handle(
        self, *args: Any, port_base: int, state: Path | None, demo: bool, limits: bool, quiet: bool, **options: Any
    ) -> None:
        stop = tasks.stop_on_signals()
        try:
            serve.run(
                ports=sandbox_ports(port_base),
                state_dir=state,
                with_demo=demo,
                limits=limits,
                stop_event=stop,
                ready=None if quiet else serve.announce,
            )
        except OSError as error:
            raise CommandError(f"The sandbox cannot start: {error.strerror or error}") from error
