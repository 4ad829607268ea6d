"""Encrypts all stored secrets anew."""

from typing import Any

from membership.management.base import PanelCommand
from membership.services.rotation import rotate_secrets


class Command(PanelCommand):
    help = "Encrypts all stored secrets with the first of FIELD_KEYS. Afterwards the other keys can be taken out."

    def handle(self, *args: Any, **options: Any) -> None:
        done = rotate_secrets()
        self.stdout.write(f"{done['rotated']} encrypted anew, {done['unchanged']} were so already.")
        if done["unreadable"]:
            self.stderr.write(f"{done['unreadable']} cannot be read by any of FIELD_KEYS; they stay as they are.")
            raise SystemExit(1)
