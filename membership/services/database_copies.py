"""Copies of the database, made while it is in use, and put back: by SQLite's own backup, or PostgreSQL's own tools."""

import os
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.utils import timezone

from membership.errors import ChangeRefused, Reason


def copy_out(target: Path) -> None:
    """The whole database as it is at one moment. Raises `ChangeRefused` with what the tool said."""
    if connection.vendor == "sqlite":
        _copy_sqlite(_sqlite_file(), target)
        return
    _run("pg_dump", "--format=custom", "--no-owner", "--no-comments", f"--file={target}")


def put_in(source: Path) -> Path:
    """Put a copy in the place of the database, and give the file in which the state before is kept."""
    aside = _aside()
    if connection.vendor == "sqlite":
        _replace_sqlite(_sqlite_file(), source, aside)
        return aside
    aside.touch(0o600)
    copy_out(aside)
    try:
        _load(source)
    except ChangeRefused:
        _load(aside)
        raise
    return aside


def is_empty() -> bool:
    """Whether nothing would be lost: there is no table yet."""
    with connection.cursor() as cursor:
        return not connection.introspection.table_names(cursor)


def _aside() -> Path:
    stamp = timezone.now().strftime("%Y-%m-%d-%H%M%S")
    if connection.vendor == "sqlite":
        file = _sqlite_file()
        return file.with_name(f"{file.name}.before-{stamp}")
    return Path(settings.VAR_DIR) / f"{_settings()['NAME']}.before-{stamp}.dump"


def _settings() -> dict[str, Any]:
    return connections[DEFAULT_DB_ALIAS].settings_dict


def _sqlite_file() -> Path:
    return Path(str(_settings()["NAME"]))


def _copy_sqlite(source: Path, target: Path) -> None:
    with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(target)) as new:
        old.backup(new)


def _replace_sqlite(file: Path, source: Path, aside: Path) -> None:
    connections.close_all()
    if file.exists():
        aside.touch(0o600)
        _copy_sqlite(file, aside)
    ready = file.with_name(f"{file.name}.new")
    shutil.copyfile(source, ready)
    for suffix in ("-wal", "-shm", "-journal"):
        file.with_name(file.name + suffix).unlink(missing_ok=True)
    ready.replace(file)


def _load(source: Path) -> None:
    """Empty the database, then load."""
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'DROP TABLE "{table}" CASCADE')
        cursor.execute("SELECT proname FROM pg_proc WHERE proname LIKE 'musterbook%' AND pronargs = 0")
        for (name,) in cursor.fetchall():
            cursor.execute(f'DROP FUNCTION "{name}"() CASCADE')
    connections.close_all()
    _run("pg_restore", "--no-owner", "--no-comments", "--exit-on-error", "--single-transaction", str(source))


def _run(tool: str, *options: str) -> None:
    at = _settings()
    places = {"--host": at["HOST"], "--port": at["PORT"], "--username": at["USER"], "--dbname": at["NAME"]}
    command = [tool, *(f"{name}={value}" for name, value in places.items() if value), *options]
    environment = {**os.environ, **({"PGPASSWORD": at["PASSWORD"]} if at["PASSWORD"] else {})}
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)  # noqa: S603
    except FileNotFoundError as error:
        raise ChangeRefused(Reason.TOOL_FAILED, tool=tool, why="it is not installed") from error
    if done.returncode:
        why = (done.stderr.strip().splitlines() or ["nothing was said"])[0]
        raise ChangeRefused(Reason.TOOL_FAILED, tool=tool, why=why[:300])
