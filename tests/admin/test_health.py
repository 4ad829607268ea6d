from datetime import timedelta

import pytest
from django.db import DatabaseError
from django.utils import timezone

from membership.models import WorkerBeat
from membership.services import health

pytestmark = pytest.mark.django_db


def test_healthz_needs_no_log_in_and_no_database(client, django_assert_num_queries):
    with django_assert_num_queries(0):
        answer = client.get("/healthz")
    assert (answer.status_code, answer.content) == (200, b"ok\n")


def test_readyz_says_that_everything_is_there(client):
    WorkerBeat.objects.create(name="w", at=timezone.now())
    answer = client.get("/readyz")
    assert answer.status_code == 200
    well = dict.fromkeys(("database", "migrations", "audit_log", "worker"), "ok")
    assert answer.json() == {"ready": True, **well, "anchors": "off"}  # tests have no key for anchors


def test_a_silent_worker_is_told_and_the_panel_still_ready(client):
    WorkerBeat.objects.create(name="w", at=timezone.now() - timedelta(hours=1))
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["worker"]) == (200, "silent")


def test_a_worker_that_cannot_write_is_told_and_the_panel_still_ready(client):
    WorkerBeat.objects.create(name="w", at=timezone.now(), trouble="storage_unavailable")
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["worker"]) == (200, "cannot write")


def test_a_heartbeat_of_tomorrow_is_no_sign_of_life():
    WorkerBeat.objects.create(name="w", at=timezone.now() + timedelta(days=1))
    assert health.is_worker_silent()


def test_without_its_triggers_the_panel_is_not_ready(client, monkeypatch):
    monkeypatch.setattr(health.triggers, "missing", lambda: ["musterbook_entry_update"])
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["audit_log"]) == (503, "not guarded")


def test_a_database_that_does_not_answer_is_told_without_details(client, monkeypatch):
    def fail():
        raise DatabaseError("password=hunter2")

    monkeypatch.setattr(health, "_is_migrated", fail)
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["database"]) == (503, "does not answer")
    assert b"hunter2" not in answer.content


def test_the_youngest_heartbeat_counts():
    now = timezone.now()
    WorkerBeat.objects.create(name="old", at=now - timedelta(hours=1))
    WorkerBeat.objects.create(name="new", at=now - timedelta(seconds=2))
    assert 1 < health.worker_age_s() < 10
    assert not health.is_worker_silent()


def test_no_heartbeat_at_all_is_silence():
    assert health.worker_age_s() is None
    assert health.is_worker_silent()
