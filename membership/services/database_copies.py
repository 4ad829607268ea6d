"""Copies of the database, made while it is in use, and put back: by SQLite's own backup, or PostgreSQL's own tools."""

import os
import re
import shutil
import sqlite3
import stat
import subprocess
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, DatabaseError, connection, connections
from django.utils import timezone

from membership.errors import ChangeRefused, Reason


def copy_out(target: Path) -> None:
    """The whole database as it is at one moment. Raises `ChangeRefused` with what the tool said."""
    if connection.vendor == "sqlite":
        try:
            _copy_sqlite(_sqlite_file(), target)
        except sqlite3.Error as error:
            raise ChangeRefused(Reason.TOOL_FAILED, tool="SQLite", why=str(error)) from error
        return
    _run("pg_dump", _place(), "--format=custom", "--no-owner", "--no-comments", f"--file={target}")


def put_in(source: Path) -> Path:
    """Put a copy in the place of the database, and give the file in which the state before is kept.

    Whole or not at all: where it fails, or breaks off, all is as it was. Where nobody can say whether it failed, the
    error names that file.
    """
    aside = _aside()
    if connection.vendor == "sqlite":
        connections.close_all()
        _keep_sqlite(_sqlite_file(), aside)
        _replace_sqlite(_sqlite_file(), source)
        return aside
    aside.parent.mkdir(parents=True, exist_ok=True)
    aside.touch(0o600)
    try:
        copy_out(aside)
        before = _tables()
    except BaseException:
        aside.unlink()
        raise
    try:
        _load(source)
    except BaseException as error:
        if _are_still(before):
            aside.unlink()
        elif isinstance(error, ChangeRefused):
            _tell_where(aside, error)
        raise
    return aside


def put_back(aside: Path) -> None:
    """As it was before `put_in`; nothing is left aside then."""
    connections.close_all()
    if connection.vendor == "sqlite":
        _replace_sqlite(_sqlite_file(), aside)
        if (log := _log_of(aside)).exists():
            log.replace(_log_of(_sqlite_file()))
    else:
        try:
            _load(aside)
        except ChangeRefused as error:
            _tell_where(aside, error)
            raise
    aside.unlink()


def is_empty() -> bool:
    """Whether nothing would be lost: there is no table yet. What cannot be read is not empty."""
    try:
        with connection.cursor() as cursor:
            return not connection.introspection.table_names(cursor)
    except DatabaseError:
        if connection.vendor != "sqlite":
            raise
        return False  # damaged: one of the reasons to put a backup back


def migrations_in(source: Path, app: str) -> set[str]:
    """Names of the migrations of an app that a copy has. Raises `ChangeRefused` for what is no copy."""
    if connection.vendor == "sqlite":
        try:
            with closing(sqlite3.connect(source)) as copy:
                return {name for (name,) in copy.execute("SELECT name FROM django_migrations WHERE app = ?", (app,))}
        except sqlite3.Error as error:
            raise ChangeRefused(Reason.TOOL_FAILED, tool="SQLite", why=str(error)) from error
    said = _run("pg_restore", "--data-only", "--table=django_migrations", "--file=-", str(source))
    rows = (line.split("\t") for line in said.splitlines())
    return {row[2] for row in rows if len(row) == 4 and row[1] == app}


def _aside() -> Path:
    stamp = timezone.now().strftime("%Y-%m-%d-%H%M%S")
    if connection.vendor == "sqlite":
        file = _sqlite_file()
        return file.with_name(f"{file.name}.before-{stamp}")
    name = re.sub(r"[^\w.-]+", "_", str(_settings()["NAME"]))
    return Path(settings.VAR_DIR) / f"{name}.before-{stamp}.dump"


def _settings() -> dict[str, Any]:
    return connections[DEFAULT_DB_ALIAS].settings_dict


# SQLite


def _sqlite_file() -> Path:
    return Path(str(_settings()["NAME"]))


def _copy_sqlite(source: Path, target: Path) -> None:
    with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(target)) as new:
        old.backup(new)


def _keep_sqlite(file: Path, aside: Path) -> None:
    if not file.exists():
        return
    aside.touch(0o600)
    try:
        _copy_sqlite(file, aside)
    except sqlite3.OperationalError as error:  # locked, or no room
        aside.unlink()
        raise ChangeRefused(Reason.TOOL_FAILED, tool="SQLite", why=str(error)) from error
    except sqlite3.DatabaseError:  # damaged: kept as it is, with what was not written into it yet
        _copy_file(file, aside)
        if (log := _log_of(file)).exists():
            _copy_file(log, _log_of(aside))


def _log_of(file: Path) -> Path:
    return file.with_name(f"{file.name}-wal")


def _replace_sqlite(file: Path, source: Path) -> None:
    """Whoever may use the file that is there may use the new one, and nobody else."""
    ready = file.with_name(f"{file.name}.new")
    try:
        _copy_file(source, ready)
        if file.exists():
            old = file.stat()
            ready.chmod(stat.S_IMODE(old.st_mode))
            with suppress(PermissionError):  # only root gives a file away
                os.chown(ready, old.st_uid, old.st_gid)
    except BaseException:
        ready.unlink(missing_ok=True)
        raise
    for suffix in ("-wal", "-shm", "-journal"):
        file.with_name(file.name + suffix).unlink(missing_ok=True)
    ready.replace(file)


def _copy_file(source: Path, target: Path) -> None:
    """For its owner alone, and on the disk."""
    handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with source.open("rb") as old, os.fdopen(handle, "wb") as new:
        shutil.copyfileobj(old, new)
        new.flush()
        os.fsync(new.fileno())


# PostgreSQL


def _load(source: Path) -> None:
    """Empty the database and load, in one transaction."""
    with TemporaryDirectory(dir=source.absolute().parent) as inside:
        script, drops = Path(inside) / "load.sql", Path(inside) / "empty.sql"
        _run("pg_restore", "--no-owner", "--no-comments", f"--file={script}", str(source))
        drops.write_text("".join(f"{statement};\n" for statement in _drops()))
        connections.close_all()
        once = ("--no-psqlrc", "--quiet", "--single-transaction", "--set=ON_ERROR_STOP=1")
        _run("psql", _place(), *once, f"--file={drops}", f"--file={script}")


def _tables() -> dict[str, int]:
    """The number that the server gave each table: one that is made anew has another."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname, oid FROM pg_class WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace"
        )
        return dict(cursor.fetchall())


def _are_still(tables: dict[str, int]) -> bool:
    """Whether a load that failed left them. What broke off exactly at the commit may have been done."""
    try:
        connections.close_all()
        with connection.cursor() as cursor:
            for name in tables:
                # Waits until the server has ended what it was at.
                cursor.execute(f"SELECT FROM {connection.ops.quote_name(name)} LIMIT 0")
        return _tables() == tables
    except DatabaseError:
        return False


def _tell_where(aside: Path, error: ChangeRefused) -> None:
    error.params["why"] += f" (what was there before is in {aside})"


def _drops() -> Iterator[str]:
    yield "SET client_min_messages = warning"
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            yield f"DROP TABLE {connection.ops.quote_name(table)} CASCADE"
        cursor.execute("SELECT proname FROM pg_proc WHERE proname LIKE 'musterbook%' AND pronargs = 0")
        for (name,) in cursor.fetchall():
            yield f'DROP FUNCTION "{name}"() CASCADE'


def _place() -> str:
    """Where the database is, as libpq takes it, with what the address says beside (TLS). Never the password."""
    at: Any = connections[DEFAULT_DB_ALIAS]
    driver = at.Database  # psycopg, which is imported only where PostgreSQL is used
    known = {option.keyword.decode() for option in driver.pq.Conninfo.get_defaults()} - _SECRET
    given = {name: value for name, value in at.get_connection_params().items() if name in known}
    return f"--dbname={driver.conninfo.make_conninfo(**given)}"


_SECRET = {"password", "sslpassword"}


def _run(tool: str, *options: str) -> str:
    """What it printed. Raises `ChangeRefused` with the first line of what it complained of."""
    password = _settings()["PASSWORD"]
    environment = {**os.environ, **({"PGPASSWORD": password} if password else {})}
    try:
        done = subprocess.run([tool, *options], env=environment, capture_output=True, text=True, check=False)  # noqa: S603
    except FileNotFoundError as error:
        raise ChangeRefused(Reason.TOOL_FAILED, tool=tool, why="it is not installed") from error
    if done.returncode:
        why = (done.stderr.strip().splitlines() or ["nothing was said"])[0]
        raise ChangeRefused(Reason.TOOL_FAILED, tool=tool, why=why[:300])
    return done.stdout
