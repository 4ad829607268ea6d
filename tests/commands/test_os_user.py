"""Whatever a command records carries the name that the operating system knows, and is not said of Musterbook."""

import json
import os
import pwd
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.management import call_command
from django.utils import timezone

from membership.audit import anchoring
from membership.management import commands
from membership.models import AuditEntry, AuditPersonal
from membership.services import audit_log
from membership.services.command_line import os_user, record_command
from membership.vocab import AuditAction, Role
from tests import mirrored
from tests.audit.conftest import anchored  # noqa: F401 - a fixture
from tests.services.rosters.conftest import csv_of

BY_THE_WORKER = {AuditAction.READING_FINISHED, AuditAction.CONNECTION_SIGNED_IN}
WRITE_NOTHING = {"sandbox"}
ELSEWHERE = {
    "serve": "what it starts does what it does by itself",
    "worker": "the same",
    "demo": "needs a server of its own; all commands share the way to the log",
    "restore": "tests/commands/test_backup.py",
}


@pytest.fixture
def lines(world, anchored, tmp_path, monkeypatch):  # noqa: F811
    """A use of each command and subcommand that writes, in an order in which all of them work."""
    monkeypatch.setenv("TOKEN", world.kaiten.secrets["token"])
    mirrored.user("vera", Role.OWNER)
    names = tmp_path / "list.csv"
    names.write_bytes(csv_of(("E-Mail",), ("grace@example.org",)))
    new = ["kaiten", "Another", "--url", world.kaiten.base_url, "--secret", "token=TOKEN", "--internal"]
    record_command("sync", {})
    anchoring.make(now=timezone.now() - timedelta(days=2))
    return [
        ["sync", "Office"],
        ["connect", *new],
        ["rotate_secrets"],
        ["roster", str(names), "--group", "Office/Группа 2", "--mode", "add", "--as", "vera", "--plan-only"],
        ["password", "vera"],
        ["audit", "anchor"],
        ["audit", "keys"],
        ["audit", "protect"],
        ["audit", "verify"],
        ["audit", "cut", "--days", "1"],
        ["backup", str(tmp_path / "backup")],
    ]


@pytest.mark.pure
def test_the_name_is_what_the_system_says_whatever_the_environment_does(monkeypatch):
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.setenv(name, "somebody-else")
    assert os_user() == pwd.getpwuid(os.getuid()).pw_name
    monkeypatch.setattr("os.getuid", lambda: 4_000_000)
    assert os_user() == "4000000"


def test_every_entry_of_a_command_names_the_machines_user(lines, restored_signals):
    last, wrote = AuditEntry.objects.latest("pk").pk, set()
    for line in lines:
        call_command(*line)
        for entry in AuditEntry.objects.filter(pk__gt=last).exclude(action__in=BY_THE_WORKER).order_by("pk"):
            personal = json.loads(AuditPersonal.objects.get(pk=entry.pk).data)
            assert personal.get("os_user") == os_user(), (line, entry.action)
            (shown,) = audit_log.lines([entry])
            assert "Musterbook" not in (shown.actor or "Musterbook"), (line, entry.action)
            assert "Musterbook" not in shown.sentence, (line, shown.sentence)
            last, wrote = entry.pk, wrote | {" ".join(line), entry.action}
    assert wrote >= {" ".join(line) for line in lines}
    assert wrote >= {"command.run", "log.verified", "log.cut", "secrets.rotated", "connection.created", "password.set"}
    written = {path.stem for path in Path(commands.__path__[0]).glob("[a-z]*.py")}
    assert {line[0] for line in lines} == written - WRITE_NOTHING - set(ELSEWHERE)
