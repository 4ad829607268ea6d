"""Sets a new password."""

from typing import Any

from django.core.management.base import CommandParser

from membership.management.base import PanelCommand
from membership.services.panel_users import renew_password


class Command(PanelCommand):
    help = "Sets a new password for a user of the panel, prints it once, and ends a lock-out."
    recorded = ("user",)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("user", nargs="?", default="", help="log-in name; without it the first user of the panel")

    def handle(self, *args: Any, user: str, **options: Any) -> None:
        found, password = renew_password(user)
        self.stdout.write(f"Log-in:   {found.get_username()}\nPassword: {password}")
