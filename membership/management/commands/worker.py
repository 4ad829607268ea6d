"""Reads the systems and sends what was confirmed."""

import gc
from typing import Any

from django.core.management.base import CommandParser

from membership import tasks
from membership.management.base import PanelCommand, add_switch


class Command(PanelCommand):
    help = "Works all systems: sends what was confirmed, reads what is due. Several workers share them. Ctrl-C ends it."
    recorded = None

    def add_arguments(self, parser: CommandParser) -> None:
        add_switch(parser, "--until-idle", "end when nothing is left to do")

    def handle(self, *args: Any, until_idle: bool, **options: Any) -> None:
        gc.freeze()  # what is loaded stays; to look through it for garbage would hold up all calls
        tasks.run_worker(tasks.stop_on_signals(), until_idle=until_idle)
