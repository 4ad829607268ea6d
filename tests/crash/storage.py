"""What storage does to us: a log that cannot be written, a lock, a full disk, a server that is started again."""

import contextlib
import os
import shutil
import sqlite3
import subprocess
import time
from pathlib import Path

import psycopg
from django.db import connection, connections

from membership.audit import triggers
from tests.conftest import is_sqlite
from tests.faults.servers import unused_port

DURABLE = "-c synchronous_commit=on -c lock_timeout=20s"
AS_POSTGRES = {"user": "postgres", "group": "postgres"} if os.geteuid() == 0 else {}


@contextlib.contextmanager
def broken_log():
    """Every insert into the audit log fails, for everybody."""
    with connection.cursor() as cursor:
        if is_sqlite():
            cursor.execute(
                f"CREATE TRIGGER broken BEFORE INSERT ON {triggers.ENTRIES} BEGIN SELECT RAISE(ABORT, 'broken'); END"
            )
        else:
            cursor.execute(
                "CREATE FUNCTION broken() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'broken'; END $$"
            )
            cursor.execute(
                f"CREATE TRIGGER broken BEFORE INSERT ON {triggers.ENTRIES} FOR EACH ROW EXECUTE FUNCTION broken()"
            )
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            on = "" if is_sqlite() else f" ON {triggers.ENTRIES}"
            cursor.execute(f"DROP TRIGGER broken{on}")
            if not is_sqlite():
                cursor.execute("DROP FUNCTION broken()")


@contextlib.contextmanager
def locked():
    """Somebody else holds the lock that every writer needs."""
    settings = connection.settings_dict
    if is_sqlite():
        other = sqlite3.connect(settings["NAME"], isolation_level=None, timeout=20)
        other.execute("BEGIN IMMEDIATE")
    else:
        other = psycopg.connect(
            host=settings["HOST"], port=settings["PORT"] or 5432, user=settings["USER"], dbname=settings["NAME"]
        )
        other.execute(f"LOCK TABLE {triggers.HEADS}, membership_connection IN EXCLUSIVE MODE")
    try:
        yield
    finally:
        other.rollback()
        other.close()


def hasty(seconds):
    """Settings of a database whose writers wait only so long for another."""
    options = connection.settings_dict["OPTIONS"]
    if is_sqlite():
        quick = options["init_command"].replace("busy_timeout=20000", f"busy_timeout={round(seconds * 1000)}")
        return {"OPTIONS": {**options, "init_command": quick, "timeout": seconds}}
    quick = options["options"].replace("lock_timeout=20s", f"lock_timeout={round(seconds * 1000)}ms")
    return {"OPTIONS": {**options, "options": quick}}


@contextlib.contextmanager
def database(**changed):
    """This process, too, works with a database of such settings."""
    connections.close_all()
    settings = connection.settings_dict
    before = dict(settings)
    settings.update(changed)
    try:
        yield changed
    finally:
        connections.close_all()
        settings.clear()
        settings.update(before)


class SmallDisk:
    """A file system of some megabytes with the database on it. Needs root."""

    def __init__(self, folder, megabytes=24):
        self.folder = folder
        command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}M", "tmpfs", str(folder)]
        self.is_mounted = os.geteuid() == 0 and not subprocess.run(command, capture_output=True, check=False).returncode
        self._ballast = folder / "ballast"

    def fill(self):
        with self._ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(b"\0" * 4096)

    def clear(self):
        self._ballast.unlink(missing_ok=True)

    def close(self):
        if self.is_mounted:
            subprocess.run(["umount", "-l", str(self.folder)], check=True)


class PrivatePostgres:
    """A PostgreSQL server of one test's own, with a copy of the migrated database."""

    def __init__(self, folder):
        self._bin = max(Path("/usr/lib/postgresql").glob("*/bin"), default=None)
        self._data = folder / "data"
        self.port = unused_port()
        self._folder = folder

    @property
    def is_installed(self):
        return self._bin is not None

    def run(self, program, *arguments, **kwargs):
        command = [str(self._bin / program), *arguments]
        return subprocess.run(command, check=True, capture_output=True, cwd="/", timeout=60, **kwargs)

    def make(self, template):
        if AS_POSTGRES:
            shutil.chown(self._folder, **AS_POSTGRES)
            for parent in self._folder.parents[:3]:
                if parent != Path("/tmp"):
                    parent.chmod(parent.stat().st_mode | 0o111)
        trust = ["-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C"]
        self.run("initdb", "-D", str(self._data), *trust, **AS_POSTGRES)
        with (self._data / "postgresql.conf").open("a") as file:
            file.write(
                f"port = {self.port}\nlisten_addresses = '127.0.0.1'\nunix_socket_directories = ''\nfsync = off\n"
            )
        self.start()
        there = connection.settings_dict
        source = ["-h", there["HOST"], "-p", str(there["PORT"] or 5432), "-U", there["USER"]]
        dump = self.run("pg_dump", *source, "--no-owner", template).stdout
        here = ["-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres"]
        self.run("createdb", *here, "musterbook")
        self.run("psql", *here, "-q", "-v", "ON_ERROR_STOP=1", "musterbook", input=dump)
        # Unlike the tests' own server, this one is killed: what is committed has to survive that, as in life.
        options = {"OPTIONS": {**there["OPTIONS"], "options": DURABLE}}
        return {"HOST": "127.0.0.1", "PORT": str(self.port), "USER": "postgres", "NAME": "musterbook", **options}

    def start(self):
        log = str(self._folder / "log")
        self.run("pg_ctl", "start", "-w", "-D", str(self._data), "-l", log, **AS_POSTGRES)

    def stop(self):
        """At once, as a crash is: no session is waited for."""
        self.run("pg_ctl", "stop", "-m", "immediate", "-D", str(self._data), **AS_POSTGRES)

    def close(self):
        with contextlib.suppress(subprocess.CalledProcessError):
            self.stop()


def wait_until(holds, within_s=15.0):
    ends = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < ends, "it did not come true in time"
        time.sleep(0.05)
