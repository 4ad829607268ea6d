"""What storage does to a worker in the middle of a change, and to the people at the panel meanwhile: no write leaves
without its committed intent, nothing is lost, it goes on by itself, and everybody is told."""

import os
import shutil
import signal
import time

import pytest
from django.db import connection
from django.test import Client

from membership.models import AuditEntry, Connection, Operation, Participant
from membership.sandbox.faults import Fault
from membership.vocab import AuditAction, ConnectionState, OperationState
from tests import truth
from tests.conftest import PASSWORD
from tests.crash import storage
from tests.crash.storage import wait_until
from tests.operations.conftest import ask

LONG = bool(os.environ.get("LONG"))
pytestmark = [pytest.mark.crash, pytest.mark.timeout(300 if LONG else 120)]

MEMBERS = 40
GOES_ON_WITHIN_S = 30
BEAT_S, SILENT_AFTER_S = 0.3, 1.2
ANSWERS_AFTER_S = 0.2
HELD_S = 30 if LONG else 1.5


class Office:
    """One system with many people who leave, one after the other, while storage fails."""

    def __init__(self, world):
        self.world, self.kaiten = world, world.sandbox.kaiten
        state = self.kaiten.state
        self.uid = state.add_group("Large").uid
        for number in range(MEMBERS):
            state.add_member(self.uid, state.add_user(f"Member {number}").id)
        world.read()
        Connection.objects.exclude(pk=world.kaiten.pk).update(state=ConnectionState.PAUSED)
        Connection.objects.update(settle_s=0.1, concurrency=4)
        # Storage fails while most are still to be sent, however long this machine takes over it.
        self.kaiten.faults.add(Fault("latency", method="DELETE", seconds=ANSWERS_AFTER_S))
        self.change = ask(*Participant.objects.filter(group__name="Large"))

    @property
    def sent(self):
        return len(self.kaiten.journal.written)

    @property
    def intended(self):
        return AuditEntry.objects.filter(action=AuditAction.OPERATION_INTENDED).count()

    @property
    def is_done(self):
        return not Operation.objects.filter(change=self.change, state__in=OperationState.open()).exists()

    def begin(self, start, **how):
        worker = start(until_idle=False, beat_s=BEAT_S, **how)
        assert self.kaiten.journal.wait(lambda entries: sum(entry.is_write for entry in entries) > 5, 20), worker.output
        return worker

    def finish(self, worker):
        """It goes on by itself, and nothing is lost, sent twice or missing in the log."""
        self.kaiten.faults.clear()
        wait_until(lambda: self.is_done, GOES_ON_WITHIN_S)
        worker.signal(signal.SIGTERM)
        worker.finish()
        steps = list(Operation.objects.filter(change=self.change))
        assert {step.state for step in steps} == {OperationState.CONFIRMED}
        effects = [entry.line for entry in truth.took_effect(self.kaiten)]
        assert len(effects) == len(set(effects)) == MEMBERS
        assert self.kaiten.state.members(self.uid) == []
        assert self.sent <= self.intended
        truth.check_log(steps)
        truth.check_mirror(self.world)


@pytest.fixture
def office(world):
    return Office(world)


@pytest.fixture
def panel(operator, settings):
    """Somebody who is logged in already, and somebody who is not."""
    settings.MUSTERBOOK = {**settings.MUSTERBOOK, "WORKER_SILENT_AFTER_S": SILENT_AFTER_S}
    inside, outside = Client(), Client(raise_request_exception=False)
    inside.force_login(operator)

    class Panel:
        def page(self):
            return inside.get("/").content.decode()

        def ready(self):
            return outside.get("/readyz")

        def log_in(self):
            return outside.post("/login/", {"username": "operator", "password": PASSWORD})

        def is_anybody_in(self):
            return outside.get("/").status_code == 200

    return Panel()


def nothing_more_leaves(office):
    """What was begun comes to its end; then nothing is sent. No write was sent without its committed intent."""
    sent = -1
    while sent != office.sent:
        sent = office.sent
        time.sleep(5 * ANSWERS_AFTER_S)
    assert sent < MEMBERS
    ends = time.monotonic() + HELD_S
    yield from iter(lambda: time.monotonic() < ends, False)
    assert office.sent == sent <= office.intended


def check_panel(panel, *banners):
    """Nobody comes in unrecorded; whoever is in is told; monitoring gets an answer."""
    refused = panel.log_in()
    assert refused.status_code == 503
    assert any(words in refused.content.decode() for words in (LOG_SAYS, DATABASE_SAYS))
    assert not panel.is_anybody_in()
    wait_until(lambda: any(banner in panel.page() for banner in banners), 20)
    assert panel.ready().status_code in (200, 503)
    assert panel.ready().json()["worker"] != "ok"


LOG_SAYS = "The audit log cannot be written"
DATABASE_SAYS = "The database does not answer as it should"
SILENT = "The worker gives no sign of life."


def test_while_the_log_cannot_be_written_nothing_is_sent_and_everybody_is_told(office, panel, start):
    worker = office.begin(start)
    with storage.broken_log():
        held = nothing_more_leaves(office)
        next(held)
        check_panel(panel, LOG_SAYS)
        assert panel.ready().json()["worker"] == "cannot write"
        list(held)
    office.finish(worker)
    assert panel.log_in().status_code == 302
    assert LOG_SAYS not in panel.page()


def test_a_locked_database_delays_and_loses_nothing(office, panel, start):
    hasty = storage.hasty(20 if LONG else 0.4)
    connection.close()
    worker = office.begin(start, database=hasty)
    with storage.database(**hasty):
        with storage.locked():
            held = nothing_more_leaves(office)
            next(held)
            check_panel(panel, SILENT, DATABASE_SAYS)
            list(held)
        office.finish(worker)
        assert panel.log_in().status_code == 302


@pytest.fixture
def small_disk(fresh_db, tmp_path):
    """The database of this test on a disk of its own, which can be full."""
    if connection.vendor != "sqlite":
        pytest.skip("the disk of a server is the server's")
    disk = storage.SmallDisk(tmp_path)
    if not disk.is_mounted:
        pytest.skip("only root may mount a file system")
    shutil.copyfile(connection.settings_dict["NAME"], tmp_path / "full.sqlite3")
    with storage.database(NAME=str(tmp_path / "full.sqlite3")) as changed:
        disk.database = changed
        yield disk
    disk.close()


def test_a_full_disk_delays_and_loses_nothing(small_disk, office, panel, start):
    connection.close()
    worker = office.begin(start, database=small_disk.database)
    small_disk.fill()
    wait_until(lambda: "disk is full" in worker.output or "disk I/O" in worker.output, 20)
    held = nothing_more_leaves(office)
    next(held)
    check_panel(panel, SILENT, DATABASE_SAYS)
    list(held)
    small_disk.clear()
    office.finish(worker)
    assert panel.log_in().status_code == 302


@pytest.fixture
def private_server(migrated_copy, fresh_db, tmp_path):
    """A PostgreSQL of this test alone."""
    if connection.vendor != "postgresql":
        pytest.skip("about a server")
    server = storage.PrivatePostgres(tmp_path)
    if not server.is_installed:
        pytest.skip("no PostgreSQL is installed here, one only answers")
    with storage.database(**server.make(migrated_copy)) as changed:
        server.database = changed
        yield server
    server.close()


def test_a_server_that_is_started_again_midway_delays_and_loses_nothing(private_server, office, panel, start):
    worker = office.begin(start, database=private_server.database)
    private_server.stop()
    connection.close()
    time.sleep(0.6)
    sent = office.sent
    refused = panel.log_in()
    assert (refused.status_code, DATABASE_SAYS in refused.content.decode()) == (503, True)
    answer = panel.ready()
    assert (answer.status_code, answer.json()["database"]) == (503, "does not answer")
    time.sleep(HELD_S / 2)
    assert office.sent == sent < MEMBERS
    private_server.start()
    connection.close()
    office.finish(worker)
    assert panel.log_in().status_code == 302
