import os
import subprocess
import sys
from pathlib import Path

import pytest

from membership.models import Connection

ROOT = Path(__file__).resolve().parent.parent


def test_a_fresh_database_takes_a_commit(fresh_db):
    Connection.objects.create(provider="kaiten", name="a", base_url="https://a.example")
    assert Connection.objects.count() == 1


def test_a_fresh_database_is_fresh_again(fresh_db):
    assert Connection.objects.count() == 0


@pytest.mark.django_db
def test_secrets_are_encrypted_at_rest():
    row = Connection.objects.create(
        provider="kaiten", name="a", base_url="https://a.example", secrets={"token": "s3cret"}
    )
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("select secrets from membership_connection")
        assert "s3cret" not in cursor.fetchone()[0]
    row.refresh_from_db()
    assert row.secrets == {"token": "s3cret"}


def test_a_shipped_database_waits_for_the_disk_although_tests_do_not(tmp_path):
    show = "from project.settings import DATABASES; print(DATABASES['default']['OPTIONS']['init_command'])"
    keys = {name: os.environ[name] for name in ("ENV_FILE", "SECRET_KEY", "FIELD_KEYS", "AUDIT_KEYS")}
    shown = subprocess.run(
        [sys.executable, "-c", show],
        cwd=ROOT,
        env={**keys, "VAR_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "PRAGMA synchronous=FULL" in shown
