import base64
from types import SimpleNamespace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.db import connection, transaction

from membership import conf
from membership.audit import record, triggers
from membership.models import AuditEntry, AuditHead
from membership.vocab import AuditAction


def altered(column):
    """SQL of another value in the same form. One that is fixed may happen to be what stands there."""
    return f"CASE substr({column}, 1, 1) WHEN '0' THEN '1' ELSE '0' END || substr({column}, 2)"


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
            return list(record.write(chain, entries))

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
            if connection.vendor == "postgresql":  # what is deferred to the commit holds the tables until it was done
                cursor.execute("SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED")
        triggers.install()

    return run


@pytest.fixture
def head_of(any_db):
    return lambda chain: AuditHead.objects.get(chain=chain)


@pytest.fixture
def entries(any_db):
    return lambda **where: AuditEntry.objects.filter(**where).order_by("pk")


@pytest.fixture
def anchored(settings, tmp_path):
    """A key for anchors, and a file that they go to."""
    keys = [base64.urlsafe_b64encode(letter * 32).decode() for letter in (b"A", b"B")]
    settings.ANCHOR_KEYS = {"a1": keys[0]}

    def put(settings, **values):
        settings.MUSTERBOOK = {**settings.MUSTERBOOK, **values}

    def public_text(key_id):
        key = Ed25519PrivateKey.from_private_bytes(base64.urlsafe_b64decode(settings.ANCHOR_KEYS[key_id])).public_key()
        return conf.PUBLIC + base64.urlsafe_b64encode(key.public_bytes_raw()).decode()

    put(settings, ANCHOR_FILE=tmp_path / "anchors.jsonl", ARCHIVE_DIR=tmp_path / "archive")
    return SimpleNamespace(file=tmp_path / "anchors.jsonl", other_key=keys[1], set=put, public_text=public_text)
