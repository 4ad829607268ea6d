"""Puts a backup back."""

import sys
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser

from membership.management.base import PanelCommand, add_switch
from membership.management.commands.backup import passphrase
from membership.management.prepare import hold_folder
from membership.services import backups


class Command(PanelCommand):
    help = "Puts a backup in the place of the database, and verifies its audit log. Stop Musterbook before."
    recorded = None  # it is recorded in the database that was put back
    needs_database = False  # it may be gone

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", help="what `manage.py backup` wrote")
        add_switch(parser, "--replace", "there is a database: put it aside")
        add_switch(
            parser, "--keys-lost", "put it in although keys of it are lost: docs/operations.md, Keys, says the cost"
        )
        parser.add_argument("--keys", metavar="ENVVAR", help="only take the keys out, with the passphrase in ENVVAR")
        parser.add_argument("--to", metavar="FILE", help="with --keys: where to write them, as lines for .env")

    def handle(self, *args: Any, file: str, keys: str | None, to: str | None, **options: Any) -> None:
        if not Path(file).is_file():
            raise CommandError(f"There is no file {file}.")
        if keys:
            self.take_keys_out(Path(file), keys, to)
            return
        lock = hold_folder(Path(settings.VAR_DIR))  # `serve` cannot run meanwhile
        try:
            done = backups.restore(Path(file), replace=options["replace"], keys_lost=options["keys_lost"])
        except OSError as error:
            raise CommandError(f"It could not be put in ({error.strerror or error}); all is as it was.") from error
        finally:
            lock.close()
        self.stdout.write(f"The database is as of {done.manifest.at}.")
        if done.aside:
            self.stdout.write(f"What was there before is in {done.aside}.")
        if done.given_up:
            self.stdout.write(
                f"{done.given_up} anchors held for what came after the backup: every verification says so."
            )
        if done.held:
            self.stdout.write(
                f"Changes that were not done then: {done.held}. They are paused: refresh, look what was sent of them"
                " since, then let them go on, or cancel them."
            )
        if done.dropped:
            self.stdout.write(
                f"Previews, and changes that waited for approval then: {done.dropped}. They may be done since, so they"
                " cannot be confirmed or approved any more: refresh, look, and make new ones of what is left to do."
            )
        for fault in done.report.faults:
            self.stderr.write(self.style.ERROR(str(fault)))
        if not done.report.is_whole:
            sys.exit(1)
        self.stdout.write(self.style.SUCCESS(f"{done.report.entries:,} entries: the audit log is whole."))

    def take_keys_out(self, file: Path, keys: str, to: str | None) -> None:
        if not to:
            raise CommandError("--to says where to write the keys.")
        try:
            backups.take_keys_out(file, Path(to), passphrase=passphrase(keys))
        except FileExistsError as error:
            raise CommandError(f"{to} is there already; nothing is overwritten.") from error
        except OSError as error:
            raise CommandError(f"{to} could not be written ({error.strerror or error}).") from error
        self.stdout.write(f"The keys are in {to}: put its lines into .env, and delete it.")
