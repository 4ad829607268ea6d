"""Reads systems now."""

from typing import Any

from django.core.management.base import CommandError, CommandParser

from membership import tasks
from membership.management.base import PanelCommand
from membership.models import Connection, Reading
from membership.sentences import sentence
from membership.vocab import ReadingState


class Command(PanelCommand):
    help = "Reads systems now and says of each whether it was read completely. Exit code 1 when one could not be read."
    recorded = ("names",)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("names", nargs="*", metavar="NAME", help="systems by name; without any, all of them")

    def handle(self, *args: Any, names: list[str], **options: Any) -> None:
        rows = named(names)
        if not rows:
            self.stdout.write("No system is connected yet: see `manage.py connect --help`.")
            return
        readings = tasks.read_now(rows, tasks.stop_on_signals())
        for reading in readings:
            self.stdout.write(f"{reading.connection.name}: {in_words(reading)}")
        failed = sum(reading.state not in (ReadingState.COMPLETE, ReadingState.INCOMPLETE) for reading in readings)
        if failed:
            raise CommandError(f"{failed} of {len(readings)} could not be read.")


def named(names: list[str]) -> list[Connection]:
    rows = list(Connection.objects.filter(name__in=names) if names else Connection.objects.all())
    unknown = sorted(set(names) - {row.name for row in rows})
    if unknown:
        known = ", ".join(Connection.objects.values_list("name", flat=True)) or "none"
        raise CommandError(f"No system is called {', '.join(unknown)}. Connected: {known}.")
    return rows


def in_words(reading: Reading) -> str:
    seen = f"{reading.groups_seen} groups, {reading.rows_seen} rows, {reading.rows_changed} changed"
    why = sentence(reading.reason, reading.reason_params) if reading.reason else ""
    if reading.state == ReadingState.COMPLETE:
        return f"complete: {seen}"
    if reading.state == ReadingState.INCOMPLETE:
        return f"incomplete: {seen}. {why}"
    if reading.state == ReadingState.FAILED:
        return f"failed: {why}"
    row = reading.connection
    return f"not read yet: {sentence(row.slowed_reason, row.slowed_params)}"
