"""Brings a group in line with a list from a file."""

import datetime as dt
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser
from django.utils.dateparse import parse_date

from membership.management.base import PanelCommand, add_switch, pairs
from membership.models import Roster, RosterMode, RowOutcome
from membership.services import titles
from membership.services.rosters import at_once

PIECE_BYTES = 1024 * 1024


class Command(PanelCommand):
    help = (
        "Brings a group in line with a list (CSV or XLSX), in the name of a user of the panel. People found by name"
        " only are left out: the panel asks about them. With --plan-only the preview is to be confirmed there."
    )
    usage = "manage.py roster FILE --group GROUP --mode MODE --as USER [--reason WHY | --plan-only] [...]"
    recorded = ("group", "mode", "user", "until", "plan_only", "number")

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, help="one person a row: id, e-mail address or name")
        parser.add_argument("--group", required=True, help='name or id there; "System/Group" where several have it')
        parser.add_argument("--mode", required=True, choices=RosterMode.values)
        parser.add_argument("--as", required=True, dest="user", metavar="USER", help="log-in name at the panel")
        parser.add_argument(
            "--column", action="append", default=[], metavar="USE=HEADING", help="id, email, name, surname"
        )
        parser.add_argument(
            "--until", default="", metavar="DAY", help="last day of those who are added, such as 2026-12-31"
        )
        parser.add_argument("--reason", default="", metavar="WHY", help="confirm the preview with this reason")
        parser.add_argument("--number", type=int, metavar="N", help="people in the change, where it has to be named")
        add_switch(parser, "--plan-only", "only make the preview")

    def handle(self, *args: Any, file: Path, group: str, mode: str, user: str, **options: Any) -> None:
        actor = at_once.user_named(user)
        if not (options["reason"] or options["plan_only"]):
            raise CommandError("Say --reason, or --plan-only.")
        try:
            with file.open("rb") as opened:
                roster = at_once.preview_list(
                    at_once.group_named(group, actor=actor),
                    mode,
                    file.name,
                    iter(lambda: opened.read(PIECE_BYTES), b""),
                    headings=pairs(options["column"], "--column"),
                    until=_day(options["until"]),
                    actor=actor,
                )
        except OSError as error:
            raise CommandError(f"{file} cannot be read: {error.strerror}.") from error
        self.tell(roster)
        if roster.change and roster.change.operations_count and not options["plan_only"]:
            at_once.confirm_list(roster.change, reason=options["reason"], number=options["number"], actor=actor)
            self.stdout.write("Asked for: the worker sends it.")

    def tell(self, roster: Roster) -> None:
        counts = [f"{roster.counts[o.value]} {o.label}" for o in RowOutcome if roster.counts.get(o.value)]
        self.stdout.write(f"{roster.rows_count} rows: {', '.join(counts)}.")
        if roster.change is None:
            self.stdout.write("The group is as the list says already.")
            return
        left = f", {roster.change.left_out_count} left out" if roster.change.left_out_count else ""
        self.stdout.write(f"{titles.title(roster.change)}: {roster.change.operations_count} steps{left}.")
        self.stdout.write(f"{settings.PUBLIC_URL}/membership/change/{roster.change.pk}/")


def _day(text: str) -> dt.date | None:
    try:
        day = parse_date(text)
    except ValueError:
        day = None
    if text and day is None:
        raise CommandError(f"--until takes a day such as 2026-12-31, not {text!r}.")
    return day
