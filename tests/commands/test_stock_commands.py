"""Commands that are not of ours and reach rows: their uses are in the log like those of ours."""

import json

import pytest
from django.contrib.auth import get_user_model
from django.core.management import get_commands

from manage import REACH_NO_ROWS, Commands
from membership.models import AuditEntry, AuditPersonal
from membership.services.command_line import os_user


def used():
    rows = AuditEntry.objects.filter(action="command.run").order_by("pk")
    names = {json.loads(AuditPersonal.objects.get(pk=row.pk).data)["os_user"] for row in rows}
    assert names <= {os_user()}
    return [json.loads(row.sealed)["data"]["command"] for row in rows]


def test_a_user_made_past_our_services_is_in_the_log(fresh_db, monkeypatch):
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", "a long enough password")
    Commands(["manage.py", "createsuperuser", "--noinput", "--username", "eve", "--email", "e@example.org"]).execute()
    assert get_user_model().objects.filter(username="eve").exists()
    assert used() == ["createsuperuser"]
    assert "eve" not in AuditEntry.objects.get().sealed + AuditPersonal.objects.get().data


@pytest.mark.parametrize("words", [["clearsessions"], ["shell", "-c", "pass"], ["migrate", "--plan"]])
def test_others_that_reach_rows_are_too(fresh_db, words, capsys):
    Commands(["manage.py", *words]).execute()
    assert used() == words[:1]


@pytest.mark.parametrize("words", [["check"], ["help", "shell"], ["shell", "--help"], ["showmigrations", "--plan"]])
def test_what_reaches_no_rows_is_not(fresh_db, words, capsys):
    try:
        Commands(["manage.py", *words]).execute()
    except SystemExit as ended:
        assert not ended.code
    assert used() == []


def test_ours_are_recorded_once(fresh_db, capsys):
    Commands(["manage.py", "rotate_secrets"]).execute()
    assert used() == ["rotate_secrets"]


def test_what_cannot_be_recorded_does_not_happen(fresh_db, monkeypatch, settings):
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", "a long enough password")
    settings.AUDIT_KEYS = {}
    with pytest.raises(SystemExit, match="audit log cannot be written"):
        Commands(["manage.py", "createsuperuser", "--noinput", "--username", "eve", "--email", "x@y.z"]).execute()
    assert not get_user_model().objects.exists()


def test_every_command_that_is_left_out_is_one():
    assert set(REACH_NO_ROWS) - set(get_commands()) == set()
