import json
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connection, transaction

from membership.audit import record, triggers
from membership.management.commands.audit import Command
from membership.models import AnchorSink, AuditEntry
from membership.vocab import AuditAction
from tests.audit.conftest import anchored  # noqa: F401 - a fixture


def run(*what):
    out, err = StringIO(), StringIO()
    try:
        call_command("audit", *what, stdout=out, stderr=err)
    except SystemExit as exit_:
        return exit_.code, out.getvalue(), err.getvalue()
    return 0, out.getvalue(), err.getvalue()


@pytest.fixture
def log(db):
    with transaction.atomic():
        return record.write("panel", [record.Entry(AuditAction.COMMAND_RUN, data={"what": name}) for name in "abc"])


def test_a_whole_log_is_said_to_be_whole_and_the_look_is_recorded(log):
    code, out, _ = run("verify")
    assert (code, "panel: 3 entries: whole" in out) == (0, True)
    entry = AuditEntry.objects.get(action=AuditAction.LOG_VERIFIED)
    assert json.loads(entry.sealed)["data"]["entries"] == 3


def test_the_first_bad_entry_is_named_and_the_command_fails(log):
    with connection.cursor() as cursor:
        on = "" if connection.vendor == "sqlite" else f" ON {triggers.ENTRIES}"
        cursor.execute(f"DROP TRIGGER musterbook_entry_update{on}")
        cursor.execute(f"UPDATE {triggers.ENTRIES} SET outcome = 'x' WHERE id >= %s", [log[1].pk])
    triggers.install()
    code, out, err = run("verify")
    assert code == 1
    assert f"panel #2: its column “outcome” was altered. (entry {log[1].pk})" in err
    assert f"entry {log[2].pk}" not in err
    assert "panel: 3 entries: bad" in out


def test_missing_triggers_are_installed_again_and_recorded(log):
    with connection.cursor() as cursor:
        on = "" if connection.vendor == "sqlite" else f" ON {triggers.ENTRIES}"
        cursor.execute(f"DROP TRIGGER musterbook_entry_update{on}")
    assert run("verify")[0] == 1
    assert "musterbook_entry_update" in run("protect")[1]
    assert run("verify")[0] == 0
    entry = AuditEntry.objects.get(action=AuditAction.COMMAND_RUN, outcome="", seq__gt=3)
    assert json.loads(entry.sealed)["data"]["missing"] == ["musterbook_entry_update"]


def test_anchors_can_be_made_now_and_verified_from(log, anchored, settings):  # noqa: F811
    assert run("anchor")[:2] == (0, "Anchor 1 is the newest.\n")
    assert len(anchored.file.read_text().splitlines()) == 1
    code, out, _ = run("verify", "--since", "1")
    assert (code, "panel: 1 entries after 3: whole" in out, "anchors: 1, the newest of" in out) == (0, True, True)
    assert run("verify", "--since", "7")[0] == 1
    anchored.set(settings, ANCHOR_COMMAND="false")
    assert run("anchor")[0] == 1


def test_where_the_last_anchor_does_not_hold_the_command_says_so(log, anchored, settings):  # noqa: F811
    run("anchor")
    settings.ANCHOR_KEYS = {"a2": anchored.other_key}
    code, _, err = run("anchor")
    assert code == 1
    assert "It could not be" in err
    assert AnchorSink.objects.get(name="signing").problem.endswith("which is not in ANCHOR_KEYS.")


def test_the_public_halves_of_the_keys_can_be_printed_and_are_taken_as_settings(log, anchored):  # noqa: F811
    assert run("keys")[1] == anchored.public_text("a1").replace("public.", "a1:") + "\n"


def test_the_help_fits_a_screen():
    assert Command().create_parser("manage.py", "audit").format_help().count("\n") <= 40
