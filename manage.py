#!/usr/bin/env python3
"""Entry to Musterbook's commands."""

import os
import sys

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management import BaseCommand, ManagementUtility
from django.utils.module_loading import import_string

from membership import conf

OURS = "membership.management.commands."
"""Commands of ours record their uses themselves: `membership/management/base.py`."""
REACH_NO_ROWS = frozenset(
    (
        "check", "collectstatic", "compilemessages", "createcachetable", "diffsettings", "findstatic", "inspectdb",
        "makemessages", "makemigrations", "optimizemigration", "runserver", "sendtestemail", "showmigrations",
        "sqlflush", "sqlmigrate", "sqlsequencereset", "squashmigrations", "startapp", "startproject", "test",
        "testserver",
    )
)  # fmt: skip


class Commands(ManagementUtility):
    """Django's and other applications' commands beside ours. A use of one that reaches rows (a shell, a new password,
    rows loaded or emptied) is in the audit log before it begins, with the name of the machine's user.
    """

    def fetch_command(self, subcommand: str) -> BaseCommand:
        found = super().fetch_command(subcommand)
        is_used = self.argv[1:2] == [subcommand] and not {"-h", "--help"} & set(self.argv)
        if is_used and not type(found).__module__.startswith(OURS) and subcommand not in REACH_NO_ROWS:
            # Now the applications are loaded: before, nothing of ours that knows the log could be imported.
            import_string("membership.management.base.record_stock_command")(subcommand)
        return found


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
    os.umask(0o077)  # the database, its copies and all else that is made is for its owner alone
    try:
        # What is wrong with the settings is said in one sentence, without a traceback.
        settings.INSTALLED_APPS  # noqa: B018 - reads them
        conf.fernet()
        conf.audit_keys()
    except (ImproperlyConfigured, ValueError, OSError) as error:
        sys.exit(f"Musterbook cannot start: {error}")
    Commands(sys.argv).execute()


if __name__ == "__main__":
    main()
