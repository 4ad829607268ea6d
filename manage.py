#!/usr/bin/env python3
"""Entry to Musterbook's commands."""

import os
import sys

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line

from membership import conf


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
    try:
        # What is wrong with the settings is said in one sentence, without a traceback.
        settings.INSTALLED_APPS  # noqa: B018 - reads them
        conf.fernet()
        conf.audit_keys()
    except (ImproperlyConfigured, ValueError, OSError) as error:
        sys.exit(f"Musterbook cannot start: {error}")
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
