"""System checks with stable ids: each says in words what is wrong and what to do.

E001..E009  the audit log
"""

from collections.abc import Sequence
from typing import Any

from django.core import checks
from django.core.checks import CheckMessage, Error, Tags, Warning
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError

from membership import conf
from membership.audit import triggers, words


def register() -> None:
    """Have Django run them. Those that ask the database run with `migrate` and `check --database default`."""
    checks.register(audit_key, Tags.security)
    checks.register(anchor_keys, Tags.security)
    checks.register(audit_triggers, Tags.database)
    checks.register(audit_words, Tags.database)


def audit_key(**_more: Any) -> list[CheckMessage]:
    try:
        conf.audit_keys()
    except ImproperlyConfigured as error:
        return [
            Error(
                f"The key of the audit log cannot be used: {error}",
                hint="Without it nothing can be done at the panel. See .env.example.",
                id="musterbook.E001",
            )
        ]
    return []


def anchor_keys(**_more: Any) -> list[CheckMessage]:
    try:
        conf.anchor_key()
        conf.anchor_command()
    except ImproperlyConfigured as error:
        return [
            Error(
                f"The audit log cannot be anchored: {error}",
                hint="Correct that setting, or take it out: without ANCHOR_KEYS no anchors are made. See .env.example.",
                id="musterbook.E004",
            )
        ]
    return []


def audit_triggers(databases: Sequence[str] | None = None, **_more: Any) -> list[CheckMessage]:
    found: list[CheckMessage] = []
    for using in databases or ():
        try:
            if not triggers.tables_exist(using):
                continue
            missing, replaces_refused = triggers.missing(using), triggers.replaces_meet_triggers(using)
            outdated = triggers.outdated(using)
        except DatabaseError:
            continue  # a database that does not answer is told by others
        if missing:
            found.append(
                Error(
                    f"The audit log is not protected: triggers are missing or altered ({', '.join(missing)}).",
                    hint="Find out who removed them, run `manage.py audit verify`, then `manage.py audit protect`.",
                    id="musterbook.E002",
                )
            )
        if outdated:
            found.append(
                Warning(
                    "The audit log is protected as an earlier version did it: less well than it can be.",
                    hint="Run `manage.py migrate`.",
                    id="musterbook.W005",
                )
            )
        if not replaces_refused:
            found.append(
                Error(
                    "INSERT OR REPLACE could change the audit log: recursive_triggers is off.",
                    hint="Keep `PRAGMA recursive_triggers=ON` in the init_command of the database's settings.",
                    id="musterbook.E003",
                )
            )
    return found


def audit_words(databases: Sequence[str] | None = None, **_more: Any) -> list[CheckMessage]:
    found: list[CheckMessage] = []
    for using in databases or ():
        try:
            if triggers.tables_exist(using) and not words.is_there(using):
                found.append(
                    Warning(
                        "The audit log has no index of words: searching it for names and reasons is slow.",
                        hint="PostgreSQL: have `CREATE EXTENSION pg_trgm` run by somebody who may, then"
                        " `manage.py migrate`.",
                        id="musterbook.W004",
                    )
                )
        except DatabaseError:
            continue  # a database that does not answer is told by others
    return found
