"""The cast, a database that resets by copying, and the real remotes of the sandbox."""

import shutil
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection, connections

from tests.world import make_world

TEMPLATE_SUFFIX = "_template"


def is_sqlite():
    return connection.vendor == "sqlite"


def _drop_sqlite_sidecars(path):
    for suffix in ("-wal", "-shm", "-journal"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)


@pytest.fixture(scope="session")
def migrated_copy(django_db_setup, django_db_blocker):
    """A copy of the migrated database, made once: what `fresh_db` puts back."""
    with django_db_blocker.unblock():
        name = str(connection.settings_dict["NAME"])
        if is_sqlite():
            with connection.cursor() as cursor:
                cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            connection.close()
            template = Path(f"{name}{TEMPLATE_SUFFIX}")
            shutil.copyfile(name, template)
            yield template
            template.unlink(missing_ok=True)
        else:
            template = f"{name}{TEMPLATE_SUFFIX}"
            connection.close()
            with connection._nodb_cursor() as cursor:
                cursor.execute(f'DROP DATABASE IF EXISTS "{template}"')
                cursor.execute(f'CREATE DATABASE "{template}" TEMPLATE "{name}"')
            yield template
            with connection._nodb_cursor() as cursor:
                cursor.execute(f'DROP DATABASE IF EXISTS "{template}" WITH (FORCE)')


def restore_database(template):
    """Put the migrated copy back. Never by flush: the audit log's triggers refuse it, as they should."""
    connections.close_all()
    name = str(connection.settings_dict["NAME"])
    if is_sqlite():
        _drop_sqlite_sidecars(name)
        shutil.copyfile(template, name)
    else:
        with connection._nodb_cursor() as cursor:
            cursor.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
            cursor.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')


@pytest.fixture
def fresh_db(migrated_copy, django_db_blocker):
    """The database with real commits, for tests with threads, processes or transactions of their own."""
    with django_db_blocker.unblock():
        yield settings.DATABASES["default"]
        restore_database(migrated_copy)


@pytest.fixture(autouse=True)
def only_loopback(monkeypatch):
    """A test that reaches beyond this machine fails."""
    import socket

    real = socket.socket.connect

    def connect(self, address):
        if self.family in (socket.AF_INET, socket.AF_INET6):
            host = str(address[0])
            if not (host.startswith("127.") or host in ("::1", "localhost")):
                raise AssertionError(f"a test tried to reach {host}")
        return real(self, address)

    monkeypatch.setattr(socket.socket, "connect", connect)


@pytest.fixture
def world(fresh_db):
    """Three connected systems, not read yet. See tests/world.py."""
    made = make_world()
    yield made
    made.sandbox.stop()
