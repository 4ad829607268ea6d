"""Connects a system."""

import argparse
import os
import time
from typing import Any

from django.core.management.base import CommandError, CommandParser

from membership.errors import ChangeRefused, Reason
from membership.management.base import PanelCommand, add_switch, pairs
from membership.models import Connection
from membership.services import connections
from membership.services.connections import Limits, Tested


class Command(PanelCommand):
    help = (
        "Connects a system, or changes the one of that name, then tests it. Safe to repeat. Secrets are named by the"
        " environment variable that holds them; docs/providers/ lists options and secrets of each kind."
    )
    usage = "manage.py connect PROVIDER NAME --url URL [--option KEY=VALUE …] [--secret KEY=ENVVAR …] [...]"
    recorded = ("provider", "name", "url", "internal")

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("provider", help="inwendo, mudbase or kaiten")
        parser.add_argument("name", help="how the panel calls it")
        parser.add_argument("--url", required=True, help="address, such as https://club.example.org")
        parser.add_argument("--option", action="append", default=[], metavar="KEY=VALUE")
        parser.add_argument("--secret", action="append", default=[], metavar="KEY=ENVVAR")
        parser.add_argument(
            "--internal", action=argparse.BooleanOptionalAction, help="may the address be a private or loopback one?"
        )
        parser.add_argument("--rate", type=float, metavar="N", help="requests per second")
        parser.add_argument("--burst", type=int, metavar="N", help="requests that may come without a gap")
        parser.add_argument("--concurrency", type=int, metavar="N", help="requests at once")
        parser.add_argument("--timeout", type=float, metavar="S", help="seconds that one request may take")
        parser.add_argument("--settle", type=float, metavar="S", help="seconds before a lost answer is looked into")
        add_switch(parser, "--no-test", "only store, send nothing")

    def handle(self, *args: Any, provider: str, name: str, url: str, no_test: bool, **options: Any) -> None:
        row = connections.connect(
            provider,
            name,
            url,
            pairs(options["option"], "--option"),
            {key: from_environment(variable) for key, variable in pairs(options["secret"], "--secret").items()},
            internal=options["internal"],
            limits=Limits(
                options["rate"], options["burst"], options["concurrency"], options["timeout"], options["settle"]
            ),
            actor=None,
        )
        self.stdout.write(f"{row.name} is stored.")
        if no_test:
            return
        tested = test_in_turn(row)
        if not tested.works:
            raise CommandError(f"It does not work yet: {tested.sentences[0]}")
        self.stdout.write("\n".join(tested.sentences))


def from_environment(variable: str) -> str:
    value = os.environ.get(variable, "")
    if not value:
        raise CommandError(f"The environment variable {variable} is not set.")
    return value


def test_in_turn(row: Connection) -> Tested:
    """Test, and resume what was stopped. Waits for its turn when it was tested a moment ago."""
    try:
        return connections.resume(row, actor=None)
    except ChangeRefused as error:
        if error.reason != Reason.TOO_MANY_TESTS:
            raise
        time.sleep(min(float(error.params["wait_s"]), 60.0))
    return connections.resume(row, actor=None)
