import datetime as dt
import json

import pytest
from axes.models import AccessAttempt
from django.contrib.sessions.models import Session
from django.db import connection
from django.urls import reverse
from django.utils import timezone

from membership.models import AuditEntry, AuditPersonal, FailedLogIns
from membership.services import sessions
from membership.services.roles import give_role
from membership.vocab import AuditAction, Chain
from tests.conftest import PASSWORD


@pytest.fixture
def still(monkeypatch):
    """A clock that stands still until told: `still(seconds)` moves it on."""
    now = [timezone.now().replace(second=10)]
    monkeypatch.setattr(sessions.timezone, "now", lambda: now[0])

    def move(seconds):
        now[0] += dt.timedelta(seconds=seconds)

    return move


def log_in(client, name, password=PASSWORD, **extra):
    return client.post(reverse("admin:login"), {"username": name, "password": password}, **extra)


def actions():
    return list(AuditEntry.objects.filter(chain=Chain.LOG_IN).order_by("seq").values_list("action", flat=True))


def break_the_log():
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE membership_auditpersonal RENAME TO hidden")


def test_a_log_in_is_recorded_with_who_and_from_where(client, operator):
    assert log_in(client, "operator").status_code == 302
    entry = AuditEntry.objects.get(chain=Chain.LOG_IN)
    assert (entry.action, entry.actor_id) == (AuditAction.LOGGED_IN, operator.pk)
    assert json.loads(AuditPersonal.objects.get(pk=entry.pk).data) == {"actor": "operator", "address": "127.0.0.1"}


def test_a_log_out_is_recorded(client, operator):
    client.force_login(operator)
    client.post(reverse("admin:logout"))
    assert actions() == [AuditAction.LOGGED_IN, AuditAction.LOGGED_OUT]


def test_a_failed_log_in_is_recorded_with_the_name_of_somebody_who_exists(client, operator):
    log_in(client, "operator", "wrong")
    entry = AuditEntry.objects.get(action=AuditAction.LOG_IN_FAILED)
    assert entry.actor_id is None
    assert json.loads(entry.sealed)["data"] == {"user": operator.pk}
    assert "operator" in AuditPersonal.objects.get(pk=entry.pk).data


def test_somebody_without_a_role_is_refused_and_recorded_like_with_a_wrong_password(client, stranger):
    response = log_in(client, "stranger")
    assert response.status_code == 200
    assert actions() == [AuditAction.LOG_IN_FAILED]
    assert "not authorized" not in response.content.decode()


def test_who_loses_the_role_is_out_at_once(client, operator):
    client.force_login(operator)
    assert client.get(reverse("admin:index")).status_code == 200
    give_role(operator, None, actor=None)
    assert client.get(reverse("admin:index")).status_code == 302


def test_a_password_typed_as_a_name_is_not_kept(client, operator):
    log_in(client, PASSWORD, "operator")
    entry = AuditEntry.objects.get(action=AuditAction.LOG_IN_FAILED)
    assert PASSWORD not in entry.sealed + AuditPersonal.objects.get(pk=entry.pk).data
    assert PASSWORD not in str(AccessAttempt.objects.values())


@pytest.mark.parametrize("name", ["x" * 5000, "ÄÖ", "<b>"])
def test_odd_names_are_failures_like_others(client, any_db, name):
    log_in(client, name, "wrong")
    assert actions() == [AuditAction.LOG_IN_FAILED]


def test_a_log_in_that_cannot_be_recorded_does_not_happen(client, operator, fresh_db):
    break_the_log()
    response = log_in(client, "operator")
    assert response.status_code == 503
    assert "audit log cannot be written" in response.content.decode()
    assert not Session.objects.exists()
    assert client.get(reverse("admin:index")).status_code == 302


def test_a_log_in_without_a_key_does_not_happen(client, operator, fresh_db, settings):
    settings.AUDIT_KEYS = {}
    assert log_in(client, "operator").status_code == 503
    assert client.get(reverse("admin:index")).status_code == 302


def test_a_log_out_that_cannot_be_recorded_ends_the_session_and_says_so(client, operator, fresh_db):
    client.force_login(operator)
    break_the_log()
    assert client.post(reverse("admin:logout")).status_code == 503
    assert not Session.objects.exists()


def test_after_ten_failures_a_minute_the_rest_is_counted(client, operator, settings, still):
    settings.AXES_ENABLED = False
    for _ in range(14):
        log_in(client, "operator", "wrong")
    assert actions() == [AuditAction.LOG_IN_FAILED] * 10
    still(60)
    assert sessions.close_counts()
    assert actions() == [AuditAction.LOG_IN_FAILED] * 10 + [AuditAction.LOG_INS_FAILED]
    assert json.loads(AuditEntry.objects.get(action=AuditAction.LOG_INS_FAILED).sealed)["data"]["count"] == 4


def test_a_minute_later_failures_are_listed_again(client, operator, settings, still):
    settings.AXES_ENABLED = False
    for _ in range(12):
        log_in(client, "operator", "wrong")
    still(60)
    log_in(client, "operator", "wrong")
    assert actions() == [AuditAction.LOG_IN_FAILED] * 11


def test_another_address_is_counted_apart(client, operator, settings, still):
    settings.AXES_ENABLED = False
    for _ in range(12):
        log_in(client, "operator", "wrong")
    log_in(client, "operator", "wrong", REMOTE_ADDR="192.0.2.7")
    assert actions() == [AuditAction.LOG_IN_FAILED] * 11


def test_counts_of_quiet_minutes_leave_no_entry(client, operator, still):
    log_in(client, "operator", "wrong")
    still(60)
    assert sessions.close_counts()
    assert not sessions.close_counts()
    assert actions() == [AuditAction.LOG_IN_FAILED]
    assert not FailedLogIns.objects.exists()


def test_the_minute_that_runs_is_not_closed(client, operator, still):
    log_in(client, "operator", "wrong")
    assert not sessions.close_counts()


def test_the_address_is_not_stored_in_plain_beside_the_log(client, operator):
    log_in(client, "operator", "wrong")
    assert "127.0.0.1" not in FailedLogIns.objects.get().address_hash


def test_after_ten_failures_nobody_can_log_in_for_a_while(client, operator):
    for _ in range(10):
        response = log_in(client, "operator", "wrong")
    assert response.status_code == 429
    assert "15 minutes" in response.content.decode()
    assert log_in(client, "operator").status_code == 429
    assert AuditAction.LOGGED_IN not in actions()


def test_a_log_in_that_succeeds_starts_the_count_of_failures_anew(client, operator):
    for _ in range(9):
        log_in(client, "operator", "wrong")
    assert log_in(client, "operator").status_code == 302
    client.logout()
    assert log_in(client, "operator", "wrong").status_code == 200


def test_another_name_is_not_locked_out_with_it(client, operator, viewer):
    for _ in range(11):
        log_in(client, "operator", "wrong")
    assert log_in(client, "viewer").status_code == 302
