"""Who used the command line: an entry for each use, with the name that the operating system knows."""

import os
import pwd
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

from django.db import transaction

from membership.audit import record
from membership.vocab import AuditAction, Chain


def record_command(command: str, options: Mapping[str, Any]) -> None:
    """Record that a command begins. Never hand secrets in: options are kept as they are."""
    entry = record.Entry(
        AuditAction.COMMAND_RUN,
        data={"command": command},
        personal={"options": dict(options)} if options else {},
    )
    with at_machine(), transaction.atomic():
        record.write(Chain.PANEL, [entry])


def at_machine() -> AbstractContextManager[None]:
    """Every entry of this thread that is written in here carries the name, whatever writes it."""
    return record.at_machine(os_user())


def os_user() -> str:
    """The name of who runs this process; its number where it has none. Not what the environment says: who runs a
    command sets that.
    """
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())
