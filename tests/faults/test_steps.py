"""One thing fails at a time: the first statement of a lane, the second, the third …, until none is left to fail."""

import itertools
import os
import threading
from collections import Counter

import pytest
from django.db import OperationalError, connection
from django.db.backends.signals import connection_created

from membership.models import Account, Connection, Operation, Reading
from membership.operations import lane
from membership.sandbox.faults import Fault
from membership.vocab import ConnectionState, OperationState, ReadingState
from tests import steps, truth
from tests.hurry import work_in_a_hurry
from tests.world import MUDBASE_PROJECT

LONG = bool(os.environ.get("LONG"))
pytestmark = [pytest.mark.crash, pytest.mark.timeout(1800 if LONG else 120)]
AT_MOST = 400
"""More things than one round does."""


class Failing:
    """Lets the k-th statement of some threads fail (of the lanes, or of the worker's own loop), or their k-th commit,
    before or after it was done."""

    def __init__(self):
        self._lock = threading.Lock()
        self.disarm()

    def arm(self, what, nth, whose="lane-"):
        with self._lock:
            self._what, self._nth, self._counted, self.has_struck = what, nth, 0, False
            self._whose = whose

    def disarm(self):
        self._what, self._nth, self._counted, self.has_struck = "", 0, 0, False
        self._whose = "lane-"

    def is_due(self, what):
        if what != self._what or not threading.current_thread().name.startswith(self._whose):
            return False
        with self._lock:
            self._counted += 1
            self.has_struck = self.has_struck or self._counted == self._nth
            return self._counted == self._nth

    def execute(self, execute, sql, params, many, context):
        if self.is_due("statement"):
            raise OperationalError("this statement fails, for a test")
        return execute(sql, params, many, context)

    def attach(self, connection, **_signal):
        if self.execute in connection.execute_wrappers:
            return
        connection.execute_wrappers.append(self.execute)
        commit = connection._commit

        def committing():
            if self.is_due("commit"):
                raise OperationalError("this commit fails, for a test")
            commit()
            if self.is_due("committed"):
                raise OperationalError("nobody learns of this commit, for a test")

        connection._commit = committing


@pytest.fixture
def failing():
    made = Failing()
    connection_created.connect(made.attach)
    made.attach(connection)  # this thread's, which is open already
    yield made
    connection_created.disconnect(made.attach)
    connection.execute_wrappers.remove(made.execute)
    del connection._commit


class Round:
    """A small change at one system: somebody joins, somebody leaves, somebody's rights change; next time vice versa."""

    groups = {"inwendo": "Chess club", "mudbase": "Trainers", "kaiten": "Группа 2"}
    right = {"inwendo": "is_muted", "mudbase": "is_manager", "kaiten": "is_manager"}
    whose = {"inwendo": "Zoë Müller", "mudbase": "Zoë Müller", "kaiten": "Иван Петров"}

    def __init__(self, world, kind):
        self.world, self.kind = world, kind
        self.server = getattr(world.sandbox, kind)
        if kind == "inwendo":
            self.server.state.add_person("Mia", "Ek", email="mia@example.org")
        elif kind == "mudbase":
            self.server.state.add_user("Mia", "Ek", project=MUDBASE_PROJECT, id="usr_mia", email="mia@example.org")
        else:
            self.server.state.add_user("Mia Ek", email="mia@example.org", id=6)
        Connection.objects.exclude(provider=kind).update(state=ConnectionState.PAUSED)
        Connection.objects.update(settle_s=0.03, timeout_s=1)
        world.read()
        self.connection = Connection.objects.get(provider=kind)
        self.group = world.group(self.groups[kind])

    def ask(self):
        Connection.objects.update(sign_ins=[])
        Connection.objects.filter(pk=self.connection.pk).update(next_reading_at=None)
        wanted = [self._turn("Ada Lovelace"), self._turn("Mia Ek"), self._alter()]
        self.change = steps.confirmed(*wanted)

    def _turn(self, label):
        row = self.group.participants.filter(label=label, is_present=True).first()
        if row is not None:
            return steps.removal(row)
        account = Account.objects.get(connection=self.connection, label=label)
        rights = {"is_muted": True} if self.kind == "inwendo" else {}
        return steps.addition(self.group, account, **rights)

    def _alter(self):
        row = self.group.participants.get(label=self.whose[self.kind], is_present=True)
        right = self.right[self.kind]
        return steps.alteration(row, **{right: not getattr(row, right)})

    def check(self):
        done = list(Operation.objects.filter(change=self.change))
        assert {(step.verb, step.state) for step in done} == {(step.verb, OperationState.CONFIRMED) for step in done}
        planned = Counter(call["method"] for step in done for call in step.calls)
        effects = truth.took_effect(self.server)
        assert Counter(entry.method for entry in effects) == planned, [entry.line for entry in effects]
        assert not Reading.objects.filter(state__in=ReadingState.open()).exists()
        assert Connection.objects.get(pk=self.connection.pk).state == ConnectionState.ACTIVE
        truth.check_log(done)
        self._check_mirror()

    def _check_mirror(self):
        Connection.objects.filter(pk=self.connection.pk).update(next_reading_at=None)
        work_in_a_hurry()
        there, known = truth.remote(self.world.sandbox), truth.mirrored()
        assert known[self.group.name] == there[self.group.name]
        assert truth.drift() == []
        self.server.journal.clear()
        self.server.faults.clear()


@pytest.fixture
def begin(world, monkeypatch):
    monkeypatch.setattr(lane, "REST_AT_FIRST_S", 0.01)
    return lambda kind: Round(world, kind)


def of_this_database(kinds):
    """The short form does half of them on each database."""
    if LONG:
        return kinds
    return kinds[0::2] if connection.vendor == "sqlite" else kinds[1::2]


@pytest.mark.parametrize(
    ("kind", "what"),
    of_this_database([(kind, what) for what in ("statement", "commit", "committed") for kind in Round.groups]),
)
def test_whatever_call_of_the_database_fails_nothing_is_lost_or_done_twice(begin, failing, kind, what):
    round_ = begin(kind)
    step = 1 if LONG else 17 if what == "statement" else 3  # a round commits far less often than it asks
    for nth in range(1, AT_MOST, step):
        round_.ask()
        failing.arm(what, nth)
        work_in_a_hurry()
        struck = failing.has_struck
        failing.disarm()
        round_.check()
        if not struck:
            break
    assert nth > 1 + step, "hardly anything was there to fail"


LOOPS = 60
"""Statements of the worker's own loop that are enough for all that it does: it says the same again and again."""


@pytest.mark.parametrize("what", of_this_database(["statement", "commit", "committed"])[: None if LONG else 1])
def test_whatever_call_of_the_workers_own_loop_fails_it_goes_on(begin, failing, what):
    """Cancelling, closing, heartbeats, finding what is due: each of them is repeated, and none ends the worker."""
    round_ = begin("kaiten")
    last, struck = LOOPS if what == "statement" else 6, 0
    step = 1 if LONG else 11 if what == "statement" else 2
    for nth in range(1, last, step):
        round_.ask()
        failing.arm(what, nth, whose="MainThread")
        work_in_a_hurry()
        struck += failing.has_struck
        failing.disarm()
        round_.check()
    assert struck


@pytest.mark.parametrize(
    ("kind", "fault"),
    of_this_database(
        [(kind, fault) for fault in ("lost_answer", "drop_before", "failed", "failed_after") for kind in Round.groups]
    ),
)
def test_whatever_call_of_the_remote_fails_nothing_is_lost_or_done_twice(begin, kind, fault):
    made = {
        "failed": {"kind": "status", "status": 500},
        "failed_after": {"kind": "replace", "status": 500},
    }.get(fault, {"kind": fault})
    round_ = begin(kind)
    for nth in itertools.count(step=1 if LONG else 2):
        round_.ask()
        strike = round_.server.faults.add(Fault(**made, after=nth, times=1))
        work_in_a_hurry()
        struck = strike.applied
        round_.check()
        if not struck:
            break
    assert 5 < nth < AT_MOST
