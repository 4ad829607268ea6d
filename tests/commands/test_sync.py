import socket
import threading
import time
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from membership import tasks
from membership.models import AuditEntry, Connection, Participant
from membership.operations.lease import Lease, identity
from membership.sandbox.faults import Fault
from membership.services import connections
from membership.vocab import AuditAction

pytestmark = pytest.mark.usefixtures("restored_signals")


def sync(*names):
    said = StringIO()
    call_command("sync", *names, stdout=said)
    return said.getvalue()


def test_all_systems_are_read_and_said_to_be_complete(world):
    said = sync()
    assert [line.split(":")[1].strip() for line in said.splitlines()] == ["complete"] * 3
    assert Participant.objects.filter(is_present=True).count() == 11


def test_only_what_is_named_is_read(world):
    assert sync("Office").startswith("Office: complete: 1 groups, ")
    assert not world.sandbox.inwendo.journal.seen


def test_a_name_that_nobody_has_is_said_with_those_that_exist(world):
    with pytest.raises(CommandError, match=r"No system is called Offize\. Connected: Club app, Office, Verein Nord\."):
        sync("Offize")


def test_a_reading_that_was_not_complete_says_why(world):
    world.read()
    world.sandbox.kaiten.faults.add(Fault("replace", method="GET", path_contains="/users", body=[]))
    said = sync("Office")
    assert said.startswith("Office: incomplete: ")
    assert said.rstrip().endswith(".")


def test_a_stopped_system_fails_with_the_reason_for_which_it_is_stopped(world, owner):
    connections.pause(world.kaiten, reason="moving house", actor=owner)
    with pytest.raises(CommandError, match=r"1 of 1 could not be read\."):
        sync("Office")


def test_a_wrong_token_fails_in_words(world, capsys):
    Connection.objects.filter(pk=world.kaiten.pk).update(secrets={"token": "wrong"})
    with pytest.raises(CommandError):
        call_command("sync", "Office")
    assert "does not accept the token" in capsys.readouterr().out


def test_a_system_that_nobody_answers_for_is_given_up(world, capsys, monkeypatch):
    monkeypatch.setattr(tasks, "GIVE_UP_AFTER", timedelta(seconds=1))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}"
    Connection.objects.filter(pk__in=[world.kaiten.pk, world.mudbase.pk]).update(base_url=url)
    with pytest.raises(CommandError, match="2 of 3 could not be read"):
        call_command("sync")
    said = capsys.readouterr().out
    assert "Verein Nord: complete" in said
    assert said.count("nothing answers") == 2


def test_a_lane_that_another_worker_owns_is_waited_for(world):
    lease = Lease(world.kaiten.pk, identity())
    assert lease.acquire()

    def end():
        lease.release()
        connection.close()

    timer = threading.Timer(1.5, end)
    began = time.monotonic()
    timer.start()
    assert "Office: complete" in sync("Office")
    assert time.monotonic() - began > 1.4
    timer.join()


def test_the_use_of_the_command_is_in_the_audit_log(world):
    sync("Office")
    entry = AuditEntry.objects.get(action=AuditAction.COMMAND_RUN)
    assert '"command":"sync"' in entry.sealed


def test_reading_now_leaves_no_thread_behind(world):
    before = threading.active_count()
    tasks.read_now([world.kaiten], threading.Event())
    assert threading.active_count() <= before
