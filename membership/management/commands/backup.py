"""Makes a backup."""

import os
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from membership.management.base import PanelCommand
from membership.services import backups


class Command(PanelCommand):
    help = (
        "Writes database and anchors into one file, while everything runs. The keys are only named in it, unless a"
        " passphrase is given to encrypt them with: keep a copy of .env apart from it."
    )
    recorded = ("file", "keys")

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", help="such as musterbook-2026-01-31.backup; an older backup is replaced")
        parser.add_argument("--keys", metavar="ENVVAR", help="put the keys in, encrypted with the passphrase in ENVVAR")

    def handle(self, *args: Any, file: str, keys: str | None, **options: Any) -> None:
        phrase = passphrase(keys) if keys else ""
        try:
            made = backups.back_up(Path(file), passphrase=phrase)
        except OSError as error:
            raise CommandError(f"{file} could not be written ({error.strerror or error}).") from error
        self.stdout.write(f"{file} holds the database as of {made.at}.")
        if folder := backups.archives_beside():
            self.stdout.write(f"The archives of the log in {folder} are not in it: copy them, too.")
        if keys:
            self.stdout.write("It holds the keys, too: whoever knows the passphrase can open everything.")
            return
        named = "; ".join(f"{name}: {', '.join(ids)}" for name, ids in made.keys.items())
        self.stdout.write(f"To restore it these keys are needed, which are not in it: {named}")


def passphrase(variable: str) -> str:
    found = os.environ.get(variable, "")
    if len(found) < 12:
        raise CommandError(f"The environment variable {variable} must hold a passphrase of 12 or more characters.")
    return found
