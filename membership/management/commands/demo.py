"""Loads the demo into the panel."""

from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser

from membership.management.base import PanelCommand
from membership.management.ports import sandbox_urls, wait_until_listening
from membership.sandbox.demo import describe_demo
from membership.services import demo


class Command(PanelCommand):
    help = (
        "Connects the systems of a running `sandbox --demo`, waits until a worker has read them, links their people,"
        " and prepares a preview. Safe to repeat."
    )
    recorded = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--port-base", type=int, required=True, metavar="N", help="where the sandbox listens")
        parser.add_argument("--wait", type=float, default=180, metavar="S", help="seconds to wait for the readings")

    def handle(self, *args: Any, port_base: int, wait: float, **options: Any) -> None:
        if not wait_until_listening(port_base, wait):
            raise CommandError(f"No sandbox listens at {port_base}; `manage.py sandbox --demo` runs one.")
        systems = [
            demo.DemoSystem(each.provider, each.name, each.url, each.options, each.secrets)
            for each in describe_demo(sandbox_urls(port_base))
        ]
        loaded = demo.load(systems, wait_s=wait)
        if loaded.change is None:
            raise CommandError("The demo's systems are connected, but not read yet; the worker goes on with it.")
        self.stdout.write(
            f"\n  The demo is ready: {loaded.groups} groups, {loaded.participants} participants,"
            f" {loaded.people} people."
            f"\n  A preview that waits for you: {settings.PUBLIC_URL}{loaded.path}\n"
        )
