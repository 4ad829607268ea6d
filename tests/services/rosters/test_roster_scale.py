import json
import os
import subprocess
import sys

import pytest
from django.conf import settings
from django.utils import timezone

from membership.models import Account, Participant
from tests import mirrored as m
from tests.processes import ROOT, database_url
from tests.services.rosters.conftest import csv_of, xlsx_of

LONG = bool(os.environ.get("LONG"))
COUNT = 100_000 if LONG else 10_000
NEW = COUNT // 100
pytestmark = [pytest.mark.scale, pytest.mark.timeout(600)]


@pytest.fixture
def full(fresh_db):
    """A group of `COUNT`, and some more accounts that are not in it."""
    group, now = m.group("Everybody", m.system("Office")), timezone.now()
    accounts = Account.objects.bulk_create(
        Account(
            connection=group.connection,
            remote_id=f"user-{n:06}",
            label=f"Member Number {n:06}",
            email=f"member.{n:06}@club.example",
            seen_at=now,
        )
        for n in range(COUNT + NEW)
    )
    Participant.objects.bulk_create(
        Participant(group=group, remote_id=each.remote_id, account=each, label=each.label, seen_at=now)
        for each in accounts[:COUNT]
    )
    m.user("vera")


def test_a_hundred_thousand_rows_against_a_hundred_thousand_people_take_little_time_and_memory(full, tmp_path):
    """Goals of the long form: 20 s, and 300 MiB for the whole process. Processor time counts, as elsewhere.

    The second file meets the same people: the first one ended in a preview, and changed nobody.
    """
    rows = [(f"Member Number {n:06}", f"Member.{n:06}@Club.example") for n in range(NEW, COUNT + NEW)]
    for kind, file_of in (("csv", csv_of), ("xlsx", xlsx_of)):
        path = tmp_path / f"list.{kind}"
        path.write_bytes(file_of(("Name", "E-Mail"), *rows))
        took = measured(path)
        print(f"{COUNT} rows of {kind}: {took}")
        assert took["counts"] == {"found": COUNT, "inside": COUNT - NEW, "left": 0}
        assert took["steps"] == 2 * NEW
        assert took["mib"] < 300
        assert took["cpu"] < (20 if LONG else 5)


def measured(path):
    done = subprocess.run(
        [sys.executable, "-m", "tests.services.rosters.measure", str(path)],
        cwd=ROOT,
        env={
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "tests.settings",
            "DATABASE_URL": database_url(),
            "VAR_DIR": str(settings.VAR_DIR),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])
