"""What our commands share: errors in one sentence, help that fits one screen, and an entry in the audit log."""

import sys
from argparse import SUPPRESS
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError

from membership.errors import MusterbookError
from membership.sentences import say
from membership.services.command_line import at_machine, record_command
from membership.services.health import readiness


class PanelCommand(BaseCommand):
    """`recorded` names the options that the audit log keeps of a use; None: its uses are not recorded.

    `needs_database` False: for what runs beside a database, or makes it.
    """

    recorded: tuple[str, ...] | None = ()
    needs_database = True
    usage: str | None = None
    suppressed_base_arguments = {
        "--version",
        "--verbosity",
        "--settings",
        "--pythonpath",
        "--traceback",
        "--no-color",
        "--force-color",
        "--skip-checks",
    }

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        parser = super().create_parser(prog_name, subcommand, usage=self.usage, **kwargs)
        for action in parser._actions:
            if action.dest == "skip_checks":
                action.help = SUPPRESS
        return parser

    def execute(self, *args: Any, **options: Any) -> str | None:
        try:
            if self.needs_database:
                need_database()
            if self.recorded is not None:
                kept = {key: options[key] for key in self.recorded if options.get(key) not in (None, [], False, "")}
                record_command(self.__module__.rpartition(".")[2], kept)
            with at_machine():
                return super().execute(*args, **options)
        except MusterbookError as error:
            raise CommandError(say(error)) from error
        except DatabaseError as error:
            raise CommandError(f"The database cannot be used: {' '.join(str(error).split())}") from error


def record_stock_command(name: str) -> None:
    """For commands that are not of ours, without their options, which may hold secrets. Nothing where there is no
    database of this version yet: it could hold no entry. Ends the process where the log cannot be written.
    """
    checks = readiness().checks
    if checks["database"] != "ok" or checks["migrations"] != "ok":
        return
    try:
        record_command(name, {})
    except MusterbookError as error:
        sys.exit(str(say(error)))


def need_database() -> None:
    """Raises `CommandError` where the database does not answer, or its tables are not those of this version."""
    checks = readiness().checks
    if checks["database"] != "ok":
        raise CommandError("The database does not answer; DATABASE_URL says where it is.")
    if checks["migrations"] != "ok":
        raise CommandError("The database does not have the tables of this version: run `manage.py migrate`.")


def pairs(texts: list[str], option: str) -> dict[str, str]:
    """`["key=value", …]` as a mapping. Raises `CommandError` for what is not of that form."""
    found = {}
    for text in texts:
        key, sign, value = text.partition("=")
        if not sign or not key.strip():
            raise CommandError(f"{option} takes key=value, not {text!r}." if sign else f"{option} takes key=value.")
        found[key.strip()] = value
    return found


def add_switch(parser: CommandParser, name: str, text: str) -> None:
    parser.add_argument(name, action="store_true", help=text)
