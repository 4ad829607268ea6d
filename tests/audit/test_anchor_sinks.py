"""Where anchors go: a file, a command, a mailbox. Each gets each of them once, and none waits for another."""

import os
import signal
import socketserver
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path
from unittest import mock

import pytest
from django.core import mail
from django.db import connection, connections
from django.utils import timezone

from membership import conf
from membership.audit import anchor_file, anchoring, anchors
from membership.checks import anchor_keys
from membership.models import AnchorSink, AuditAnchor
from membership.services import anchor_sinks, audit_proof
from tests.audit.conftest import altered


def lines(path):
    return list(anchor_file.lines(path))


def contents(path):
    return [anchors.opened(anchors.parse(line), conf.anchor_public_keys()) for line in lines(path)]


def test_the_file_gets_every_anchor_as_a_line(write, anchored):
    for _ in range(3):
        write("panel")
        anchoring.make()
    assert anchor_sinks.send()
    write("panel")
    anchoring.make()
    assert anchor_sinks.send()
    assert [anchor.n for anchor in contents(anchored.file)] == [1, 2, 3, 4]
    assert oct(anchored.file.stat().st_mode)[-3:] == "600"


def test_workers_of_one_machine_that_share_the_file_write_each_anchor_once(fresh_db, write, anchored):
    def serve():
        at_once.wait(20)
        anchor_sinks.send()
        connections.close_all()

    for turn in range(1, 9):
        write("panel")
        anchoring.make()
        at_once = threading.Barrier(4)
        workers = [threading.Thread(target=serve) for _ in range(4)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join(20)
        assert [anchor.n for anchor in contents(anchored.file)] == list(range(1, turn + 1))


def test_of_several_workers_one_sends_to_the_command(fresh_db, write, anchored, settings, tmp_path):
    seen, script = tmp_path / "seen", tmp_path / "slow"
    script.write_text(f"#!/bin/sh\ncat >> {seen}\nsleep 0.3\n")
    script.chmod(0o700)
    anchored.set(settings, ANCHOR_COMMAND=str(script))

    def serve():
        at_once.wait(20)
        anchor_sinks.send()
        connections.close_all()

    for turn in range(1, 4):
        write("panel")
        anchoring.make()
        at_once = threading.Barrier(3)
        workers = [threading.Thread(target=serve) for _ in range(3)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join(20)
        assert [anchor.n for anchor in contents(seen)] == list(range(1, turn + 1))


def test_what_a_worker_began_that_died_is_sent_by_another_soon(write, anchored, settings, tmp_path):
    anchored.set(settings, ANCHOR_COMMAND=f"sh -c 'cat >> {tmp_path}/seen'")
    write("panel")
    anchoring.make()
    now = timezone.now()
    AnchorSink.objects.create(name="command", tried_at=now + anchor_sinks.AT_IT_FOR)  # as whoever is at it says
    assert anchor_sinks.send(now=now)
    assert not (tmp_path / "seen").exists()
    assert anchor_sinks.send(now=now + anchor_sinks.AT_IT_FOR)
    assert len(contents(tmp_path / "seen")) == 1


def test_a_line_that_broke_off_is_written_again(write, anchored):
    for _ in range(2):
        write("panel")
        anchoring.make()
    anchor_sinks.send()
    whole = anchored.file.read_bytes()
    anchored.file.write_bytes(whole[:-40])
    assert anchor_sinks.send()
    assert anchored.file.read_bytes() == whole


def test_a_file_that_cannot_be_written_is_shown_and_tried_again(write, anchored):
    write("panel")
    anchoring.make()
    anchored.file.mkdir()
    assert not anchor_sinks.send()
    found = anchor_sinks.standing()
    assert (found.state, len(found.failing)) == ("failing", 1)
    anchored.file.rmdir()
    assert anchor_sinks.send()
    assert anchor_sinks.standing().state == "ok"


def test_an_anchor_that_was_altered_in_the_database_is_not_passed_on(write, anchored, unguarded):
    write("panel")
    row = anchoring.make()
    unguarded("UPDATE membership_auditanchor SET text = REPLACE(text, '\"n\":1', '\"n\":3') WHERE id = %s", row.pk)
    assert not anchor_sinks.send()
    assert lines(anchored.file) == []


def test_a_command_gets_new_anchors_on_its_standard_input(write, anchored, settings, tmp_path):
    target = tmp_path / "seen"
    code = f"import sys; open({str(target)!r}, 'a').write(sys.stdin.read())"
    anchored.set(settings, ANCHOR_COMMAND=f'{sys.executable} -c "{code}"')
    for _ in range(2):
        write("panel")
        anchoring.make()
    assert anchor_sinks.send()
    write("panel")
    anchoring.make()
    assert anchor_sinks.send()
    assert target.read_text() == anchored.file.read_text()


@pytest.mark.parametrize(("command", "says"), [("false", "code 1"), ("sleep 5", "not end"), ("/not/there", "No such")])
def test_a_command_that_fails_is_shown_and_tried_again(write, anchored, settings, monkeypatch, command, says):
    monkeypatch.setattr(anchor_sinks, "COMMAND_TIMEOUT_S", 0.2)
    anchored.set(settings, ANCHOR_COMMAND=command)
    write("panel")
    anchoring.make()
    assert not anchor_sinks.send()
    (failing,) = anchor_sinks.standing().failing
    assert says in failing.problem
    assert len(lines(anchored.file)) == 1
    anchored.set(settings, ANCHOR_COMMAND="true")
    assert anchor_sinks.send()
    assert AnchorSink.objects.get(name="command").sent_n == 1


def test_the_newest_is_mailed_and_not_too_often(write, anchored, settings):
    anchored.set(settings, ANCHOR_MAIL_TO=["records@example.org"])
    now = timezone.now()
    for _ in range(2):
        write("panel")
        anchoring.make()
    assert anchor_sinks.send(now=now)
    assert anchor_sinks.send(now=now + timedelta(seconds=3000))
    (sent,) = mail.outbox
    assert lines(anchored.file)[-1] in sent.body
    write("panel")
    anchoring.make()
    assert anchor_sinks.send(now=now + timedelta(seconds=3599))
    assert len(mail.outbox) == 1
    assert anchor_sinks.send(now=now + timedelta(seconds=3600))
    assert len(mail.outbox) == 2


def test_a_sink_that_hangs_holds_up_nothing(fresh_db, write, anchored, settings):
    anchored.set(settings, ANCHOR_COMMAND="sleep 2")
    write("panel")
    began = time.monotonic()
    assert anchor_sinks.anchor_log() is False
    assert time.monotonic() - began < 1
    assert anchor_sinks._Courier._served["command"].thread.is_alive()
    sent()
    assert len(lines(anchored.file)) == 1
    assert AnchorSink.objects.get(name="command").sent_n == 1


def sent():
    for served in anchor_sinks._Courier._served.values():
        served.thread.join(20)


@pytest.fixture
def deaf():
    """A mail server that never comes to the end of its greeting."""
    ended = threading.Event()

    class Greets(socketserver.StreamRequestHandler):
        def handle(self):
            while not ended.wait(0.1):
                try:
                    self.wfile.write(b"220-welcome\r\n")
                except OSError:
                    return

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Greets) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield server.server_address[1]
        ended.set()
        server.shutdown()


def test_a_mail_server_that_never_ends_holds_up_no_other_sink_and_is_shown(
    fresh_db, write, anchored, settings, monkeypatch, deaf
):
    anchored.set(settings, ANCHOR_MAIL_TO=["records@example.org"])
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", deaf
    monkeypatch.setattr(anchor_sinks, "HANGS_AFTER", timedelta(seconds=0.2))
    monkeypatch.setattr(anchor_sinks, "AT_IT_FOR", timedelta(seconds=0.2))
    monkeypatch.setattr(anchor_sinks, "TRY_AGAIN_AFTER", timedelta(seconds=0.2))
    for turn in (1, 2):
        write("panel")
        anchoring.make()
        until(lambda turn=turn: anchor_sinks.anchor_log() or len(lines(anchored.file)) == turn)
    assert anchor_sinks._Courier._served["mail"].thread.is_alive()
    until(lambda: anchor_sinks.anchor_log() or anchor_sinks.standing().failing)
    (failing,) = anchor_sinks.standing().failing
    assert (failing.name, failing.problem) == ("mail", "It does not answer.")


def until(holds):
    for _ in range(200):
        if holds():
            return
        time.sleep(0.05)
    raise AssertionError("it did not come to that")


@pytest.mark.parametrize("end", ["wait", "exit 1"])
def test_a_command_that_failed_leaves_nothing_running(write, anchored, settings, monkeypatch, tmp_path, end):
    monkeypatch.setattr(anchor_sinks, "COMMAND_TIMEOUT_S", 0.5)
    pids = tmp_path / "pids"
    script = tmp_path / "forks"
    script.write_text(f"#!/bin/sh\nsleep 600 &\necho $! >> {pids}\n{end}\n")
    script.chmod(0o700)
    anchored.set(settings, ANCHOR_COMMAND=str(script))
    write("panel")
    anchoring.make()
    assert not anchor_sinks.send()
    until(lambda: not runs(int(pids.read_text())))


def runs(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_what_a_command_that_took_them_leaves_running_is_its_business(write, anchored, settings, tmp_path):
    pids = tmp_path / "pids"
    script = tmp_path / "forks"
    script.write_text(f"#!/bin/sh\ncat > {tmp_path}/seen\nsleep 600 &\necho $! >> {pids}\n")
    script.chmod(0o700)
    anchored.set(settings, ANCHOR_COMMAND=str(script))
    write("panel")
    anchoring.make()
    assert anchor_sinks.send()
    assert runs(int(pids.read_text()))
    os.kill(int(pids.read_text()), signal.SIGKILL)


def test_a_command_that_prints_without_end_is_ended(write, anchored, settings, monkeypatch):
    monkeypatch.setattr(anchor_sinks, "COMMAND_TIMEOUT_S", 0.5)
    anchored.set(settings, ANCHOR_COMMAND="yes")
    write("panel")
    anchoring.make()
    assert not anchor_sinks.send()
    assert "did not end" in anchor_sinks.standing().failing[0].problem


@pytest.mark.parametrize(
    "values", [{"ANCHOR_MAIL_TO": ["records@example.org\nBcc: x@example.org"]}, {"ANCHOR_COMMAND": "tr\0ue"}]
)
def test_a_setting_that_a_library_refuses_is_shown_like_any_failure(write, anchored, settings, values):
    anchored.set(settings, **values)
    write("panel")
    anchoring.make()
    assert not anchor_sinks.send()
    assert len(anchor_sinks.standing().failing) == 1
    assert len(lines(anchored.file)) == 1


def test_a_command_that_is_no_command_line_is_an_error_at_start(anchored, settings):
    anchored.set(settings, ANCHOR_COMMAND="sh -c 'cat")
    assert [found.id for found in anchor_keys()] == ["musterbook.E004"]


@pytest.mark.parametrize("how", ["altered", "of another kind", "key lost"])
def test_that_no_more_can_be_made_is_shown_until_it_is_over(fresh_db, write, anchored, unguarded, settings, how):
    write("panel")
    row = anchoring.make()
    write("panel")
    keys, later = settings.ANCHOR_KEYS, timezone.now() + anchoring.EVERY
    if how == "of another kind" and connection.vendor != "sqlite":
        pytest.skip("the other database's")
    if how == "altered":
        unguarded(f"UPDATE membership_auditanchor SET sig = {altered('sig')} WHERE id = %s", row.pk)
    elif how == "of another kind":
        unguarded("UPDATE membership_auditanchor SET text = CAST(text AS BLOB) WHERE id = %s", row.pk)
    else:
        settings.ANCHOR_KEYS = {"a2": anchored.other_key}
    with mock.patch.object(timezone, "now", return_value=later):
        assert anchor_sinks.anchor_log() is False
        found = anchor_sinks.standing()
    assert audit_proof.anchor_now() == (1, False)
    sent()
    assert found.state == "failing"
    (failing,) = (row for row in found.failing if row.name == "signing")
    assert failing.problem.startswith("No more are made, since the last one does not hold: ")
    assert AuditAnchor.objects.count() == 1
    if how != "key lost":
        unguarded("UPDATE membership_auditanchor SET text = %s, sig = %s WHERE id = %s", row.text, row.sig, row.pk)
    settings.ANCHOR_KEYS = keys
    with mock.patch.object(timezone, "now", return_value=later):
        anchor_sinks.anchor_log()
    sent()
    assert AuditAnchor.objects.count() == 2
    assert not AnchorSink.objects.filter(name="signing").exclude(failing_since=None).exists()
