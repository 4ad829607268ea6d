"""The cast, a database that resets by copying, and the real remotes of the sandbox."""

import gc
import itertools
import shutil
from pathlib import Path

import pytest
from django.apps import apps
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group as AuthGroup
from django.db import connection, connections
from django.test.utils import setup_databases, teardown_databases

from membership.audit import triggers
from membership.models import Reach
from membership.vocab import Role

TEMPLATE_SUFFIX = "_template"
TABLES = {model._meta.db_table for model in apps.get_models(include_auto_created=True)}
FILLED_BY_MIGRATING = {
    "django_migrations",
    "django_content_type",
    "auth_permission",
    "auth_group",
    "auth_group_permissions",
}
EMPTIED = sorted(TABLES - FILLED_BY_MIGRATING)
PASSWORD = "a long enough password"
"""Of everybody in the cast."""


def pytest_collection_finish():
    """What was loaded stays: to look through it for garbage again and again takes a part of each test's time."""
    gc.collect()
    gc.freeze()


def is_sqlite():
    return connection.vendor == "sqlite"


def _drop_sqlite_sidecars(path):
    for suffix in ("-wal", "-shm", "-journal"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)


@pytest.fixture(scope="session")
def django_db_setup(django_test_environment, django_db_blocker, django_db_modify_db_settings):
    """The test database, made once. The plugin's own fixture makes it only for tests that use its `db`."""
    with django_db_blocker.unblock():
        made = setup_databases(verbosity=0, interactive=False, aliases={"default"}, serialized_aliases=set())
    yield
    with django_db_blocker.unblock():
        connections.close_all()
        teardown_databases(made, verbosity=0)


@pytest.fixture(scope="session")
def migrated_copy(django_db_setup, django_db_blocker):
    """A copy of the migrated database, made once: what `fresh_db` puts back."""
    with django_db_blocker.unblock():
        name = str(connection.settings_dict["NAME"])
        template = f"{name}{TEMPLATE_SUFFIX}"
        if is_sqlite():
            with connection.cursor() as cursor:
                cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            connection.close()
            shutil.copyfile(name, template)
            yield template
            Path(template).unlink(missing_ok=True)
            return
        connection.close()
        with connection._nodb_cursor() as cursor:
            cursor.execute(f'CREATE DATABASE "{template}" TEMPLATE "{name}"')
        yield template
        with connection._nodb_cursor() as cursor:
            cursor.execute(f'DROP DATABASE IF EXISTS "{template}" WITH (FORCE)')


def restore_database(template):
    """As after migrating. Never by flush: the audit log's triggers refuse it, as they should."""
    connections.close_all()
    name = str(connection.settings_dict["NAME"])
    if is_sqlite():
        # A new file in its place: a connection that somebody left open keeps the old one, and disturbs nobody.
        shutil.copyfile(template, f"{name}.new")
        _drop_sqlite_sidecars(name)
        Path(f"{name}.new").replace(name)
        return
    if set(connection.introspection.table_names()) >= TABLES:
        _empty_postgresql()
        return
    connection.close()
    with connection._nodb_cursor() as cursor:
        cursor.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        cursor.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')


def _empty_postgresql():
    """Every row away but those of migrating, past the triggers: copying a whole database takes seconds."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        if triggers.missing():
            triggers.install()
        cursor.execute("SET session_replication_role = replica")
        cursor.execute(" UNION ALL ".join(f"SELECT '{t}' WHERE EXISTS (SELECT 1 FROM \"{t}\")" for t in EMPTIED))
        filled = [table for (table,) in cursor.fetchall()]
        if filled:
            cursor.execute("; ".join(itertools.chain.from_iterable(map(_emptying, filled))))
        cursor.execute(
            "SELECT setval(oid::regclass, 1, false) FROM pg_class WHERE relkind = 'S' AND NOT relname LIKE ANY(%s)",
            [[f"{table}%" for table in FILLED_BY_MIGRATING]],
        )
        cursor.execute("SET session_replication_role = DEFAULT")
    connection.close()


def _emptying(table):
    """Statements that leave its triggers as they were: to make all anew takes longer."""
    names = sorted(each.name for each in (*triggers.ROW_RULES, *triggers.TRUNCATE_RULES) if each.table == table)
    if names:
        yield f'ALTER TABLE "{table}" DISABLE TRIGGER USER'
    yield f'DELETE FROM "{table}"'
    if names:
        yield f'ALTER TABLE "{table}" ' + ", ".join(f'ENABLE ALWAYS TRIGGER "{name}"' for name in names)


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
    from tests.world import make_world

    made = make_world()
    yield made
    made.sandbox.stop()


@pytest.fixture
def any_db(request):
    """The database that the test chose: `fresh_db` where it asked for that, else `db`, which is rolled back."""
    return request.getfixturevalue("fresh_db" if "fresh_db" in request.fixturenames else "db")


@pytest.fixture
def make_user(any_db):
    """A user of the panel, made without an audit entry: `make_user("ann", Role.OPERATOR, [connection])`."""

    def make(name, role=None, connections=None):
        user = get_user_model().objects.create_user(name, password=PASSWORD, is_staff=role is not None)
        if role is not None:
            user.groups.add(AuthGroup.objects.get(name=role.value))
        if connections is not None:
            Reach.objects.create(user=user).connections.set(connections)
        return user

    return make


@pytest.fixture
def viewer(make_user):
    return make_user("viewer", Role.VIEWER)


@pytest.fixture
def operator(make_user):
    return make_user("operator", Role.OPERATOR)


@pytest.fixture
def approver(make_user):
    return make_user("approver", Role.APPROVER)


@pytest.fixture
def auditor(make_user):
    return make_user("auditor", Role.AUDITOR)


@pytest.fixture
def owner(make_user):
    return make_user("owner", Role.OWNER)


@pytest.fixture
def stranger(make_user):
    """Somebody who can log in and has no role."""
    return make_user("stranger")


@pytest.fixture
def limited_operator(make_user):
    """An operator limited to some systems: `limited_operator(connection, …)`."""

    def make(*connections, name="limited"):
        return make_user(name, Role.OPERATOR, connections)

    return make
