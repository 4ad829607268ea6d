import pytest
from django.db import connection, transaction

from membership.audit import record, triggers
from membership.models import AuditEntry, AuditHead
from membership.vocab import AuditAction


@pytest.fixture
def write(any_db):
    """Append one entry a name to a chain."""

    def append(chain="panel", *people, **options):
        entries = [
            record.Entry(
                AuditAction.OPERATION_CONFIRMED,
                connection_id=7,
                change_id=3,
                data={"verb": "remove"},
                personal={"person": person, "group_name": "Chess"},
                **options,
            )
            for person in people or ("Ada",)
        ]
        with transaction.atomic():
            return record.write(chain, entries)

    return append


@pytest.fixture
def unguarded(any_db):
    """Without triggers, like somebody who owns the database. Gives a function that runs SQL."""

    def run(sql, *params):
        with connection.cursor() as cursor:
            for name, trigger in triggers._wanted(connection).items():
                on = "" if connection.vendor == "sqlite" else f' ON "{trigger.table}"'
                cursor.execute(f'DROP TRIGGER IF EXISTS "{name}"{on}')
            cursor.execute(sql, params)
        triggers.install()

    return run


@pytest.fixture
def head_of(any_db):
    return lambda chain: AuditHead.objects.get(chain=chain)


@pytest.fixture
def entries(any_db):
    return lambda **where: AuditEntry.objects.filter(**where).order_by("pk")
