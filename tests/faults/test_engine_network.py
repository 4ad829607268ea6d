"""What the network does, against what the engine makes of it. The door's own tests, with sockets, are test_door_*."""

import itertools
import os
import resource
import time
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection as database
from django.utils import timezone

from membership.models import AuditEntry, Connection, Group, Operation, Participant, Reading
from membership.operations import lane, runner
from membership.operations.worker import Worker
from membership.providers import door, judging, pauses, sockets
from membership.sandbox.faults import Fault
from membership.vocab import AuditAction, ConnectionState, OperationState, ReadingKind, ReadingState, Verb
from tests import steps, truth
from tests.faults.front import WRITES, Front
from tests.faults.matrix import DOUBT, FAMILIES, INTENDED, MATRIX, NOT_SENT, PROMISED, RESOLVED, RETURNED, status
from tests.hurry import Hurried, work_in_a_hurry

LONG = bool(os.environ.get("LONG"))
ROWS = "chatroom_participant"
METHODS = {Verb.REMOVE: "DELETE", Verb.ADD: "POST", Verb.UPDATE: "PUT"}
A_MOMENT_S, LONG_ENOUGH_S = 0.5, 10
SLACK_S = 0.25
"""For busy cores, beside the tenth by which no attempt outlives its deadline."""
MEMORY_MB = 64
"""More than any answer may make a process grow: an answer of a write is kept to 1 MiB, a reading goes to a file."""


@pytest.fixture
def attempts(monkeypatch):
    """Notes how long each attempt took beyond its deadline."""
    over = []

    def timed(real, allowed):
        def call(self, *args, **kwargs):
            began = time.monotonic()
            try:
                return real(self, *args, **kwargs)
            finally:
                over.append(time.monotonic() - began - 1.1 * allowed(self))

        return call

    send, read = door.HttpDoor.send, door.HttpDoor.read
    monkeypatch.setattr(door.HttpDoor, "send", timed(send, lambda self: self._timeout_s))
    monkeypatch.setattr(door.HttpDoor, "read", timed(read, lambda self: max(self._timeout_s, self._reading_timeout_s)))
    return over


class Ground:
    """A room a fault, in each of which somebody leaves, somebody is added, somebody is muted."""

    def __init__(self, world, names):
        self.world, self.inwendo = world, world.sandbox.inwendo
        state = self.inwendo.state
        people = {f"{person.first_name} {person.last_name}": person.id for person in state.people}
        self.rooms = dict(zip(names, itertools.count(100), strict=False))
        for room in self.rooms.values():
            state.add_room(f"Room {room}", id=room)
            state.add_participant(room, id=room * 10, person=people["José Ñandú"])
            state.add_participant(room, id=room * 10 + 1, person=people["Zoë Müller"])
        world.read()
        self.ada = world.account("Ada Lovelace", world.inwendo)
        self.connection = Connection.objects.filter(pk=world.inwendo.pk)
        Connection.objects.exclude(pk=world.inwendo.pk).update(state=ConnectionState.PAUSED)

    def begin(self, row):
        self.inwendo.faults.clear()
        self.inwendo.journal.clear()
        timeout_s = A_MOMENT_S if row.is_slow else LONG_ENOUGH_S
        self.connection.update(sign_ins=[], settle_s=0.03, timeout_s=timeout_s, slowed_until=None, slowed_reason="")

    def ask(self, name):
        room = self.rooms[name]
        group = Group.objects.get(connection=self.world.inwendo, remote_id=str(room))
        leaves, is_muted = (Participant.objects.get(group=group, remote_id=str(room * 10 + n)) for n in (0, 1))
        return steps.confirmed(
            steps.removal(leaves), steps.addition(group, self.ada), steps.alteration(is_muted, is_muted=True)
        )

    def is_done(self, name):
        """Whether the remote has all of it, some of it or nothing: no false success, no false failure."""
        room, state = self.rooms[name], self.inwendo.state
        left = state.participants.get(room * 10)
        return {
            bool(left.deleted),
            len(state.live(room)) == 3 - left.deleted,
            bool(state.participants.get(room * 10 + 1).is_muted),
        }

    def refresh(self):
        self.connection.update(next_reading_at=None)
        work_in_a_hurry()
        return Reading.objects.filter(connection=self.world.inwendo, kind=ReadingKind.SYSTEM).latest("pk")


def of_this_database(family):
    """Every other one on each of the two databases; the long form takes all."""
    names = list(FAMILIES[family])
    if LONG:
        return names
    return names[0::2] if database.vendor == "sqlite" else names[1::2]


@pytest.fixture
def in_a_hurry(monkeypatch):
    monkeypatch.setattr(lane, "REST_AT_FIRST_S", 0.01)
    monkeypatch.setattr(pauses, "SHORTEST_S", 0.01)
    monkeypatch.setattr(judging, "DEFAULT_PAUSE_S", 0.01)
    # Each cell meets its own fault: that one halts the others is the matter of test_engine_stops.py.
    monkeypatch.setattr(runner.Runner, "_halt_after", lambda _self, _job, _answer: None)


@pytest.fixture
def front(world, authority, monkeypatch):
    made = Front(authority, world.sandbox.inwendo.port)
    monkeypatch.setattr(sockets, "RESOLVER", made.resolver)
    monkeypatch.setattr(door, "DEFAULT_CA_BUNDLE_PATH", authority.file)
    Connection.objects.filter(pk=world.inwendo.pk).update(base_url=made.url)
    yield made
    made.close()


def entries_of(step):
    return list(AuditEntry.objects.filter(operation_id=step.pk).order_by("pk").values_list("action", "outcome"))


def once(said):
    """Trying again and again without a byte leaving is one thing, however often."""
    actions = [action for action, _ in said]
    while actions[2:4] == [INTENDED, RETURNED]:
        del actions[2:4]
    return actions


def wrong_with(ground, name, change):
    """What is not as the matrix says."""
    row = MATRIX[name]
    for step in Operation.objects.filter(change=change):
        said = entries_of(step)
        expected = row.way.added if step.verb == Verb.ADD and row.way.added else row.way.entries
        actions = once(said) if row.way is NOT_SENT else [action for action, _ in said]
        sent = [entry for entry in ground.inwendo.journal.writes() if entry.method == METHODS[step.verb]]
        found = (actions, said[1][1], step.state, len(sent))
        if found != (list(expected), row.reason, row.way.state, row.way.sent):
            yield f"{name}, {step.verb}: {found}"
    if ground.is_done(name) != {row.way.state == OperationState.CONFIRMED}:
        yield f"{name}: the remote has {ground.is_done(name)}"


def spoil(ground, front, row):
    """The fault, once a method; what ends it, for those that would last."""
    if "front" not in row.fault:
        for method in METHODS.values():
            ground.inwendo.faults.add(Fault(**row.fault, method=method, path_contains=ROWS, times=1))
        return lambda: False
    front.spoil(row.fault["front"], WRITES)
    before = set(AuditEntry.objects.filter(action__in=(RETURNED, DOUBT)).values_list("pk", flat=True))

    def release():
        met = AuditEntry.objects.filter(action__in=(RETURNED, DOUBT)).exclude(pk__in=before)
        if met.values("operation_id").distinct().count() == len(METHODS):
            front.release()
        return False

    return release


def with_a_key(ground, row):
    """An inwendo that is not logged into but has a key, which cannot be renewed."""
    if row.stops:
        state = ground.inwendo.state
        state.issue_api_key(next(iter(state.users)).id, key="key-1")
        ground.connection.update(options={"auth": "api_key"}, secrets={"api_key": "key-1"}, session={})


def go_on(ground, row):
    stopped = ground.connection.get()
    assert (stopped.state, stopped.state_reason) == (ConnectionState.PAUSED, row.reason)
    ground.connection.update(state=ConnectionState.ACTIVE, state_reason="")
    work_in_a_hurry()


@pytest.mark.parametrize("family", FAMILIES)
def test_faults_while_writing_end_as_the_matrix_says(world, request, in_a_hurry, attempts, family):
    front = request.getfixturevalue("front") if family == "before it leaves" else None
    names = of_this_database(family)
    ground, changes, wrong = Ground(world, names), [], []
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for name in names:
        row = MATRIX[name]
        ground.begin(row)
        with_a_key(ground, row)
        release = spoil(ground, front, row)
        changes.append(ground.ask(name))
        work_in_a_hurry(release)
        if row.stops:
            go_on(ground, row)
        wrong += wrong_with(ground, name, changes[-1])
        assert ground.connection.get().state == ConnectionState.ACTIVE, name
    assert wrong == []
    assert max(attempts) <= SLACK_S
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory < MEMORY_MB * 1024
    assert ground.inwendo.crashes == []
    truth.check_log(Operation.objects.filter(change__in=changes))
    truth.check_mirror(world)


@pytest.mark.parametrize("family", FAMILIES)
def test_faults_while_reading_take_nothing_away(world, request, in_a_hurry, attempts, family):
    front = request.getfixturevalue("front") if family == "before it leaves" else None
    names = of_this_database(family)
    ground, wrong = Ground(world, names[:1]), []
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    before = truth.mirrored()
    for name in names:
        row = MATRIX[name]
        if row.stops:
            continue  # a reading ends with its system: test_reading_wire
        ground.begin(row)
        if front is not None:
            front.spoil(row.fault["front"], (b"GET",))
            strike = None
        else:
            strike = ground.inwendo.faults.add(Fault(**row.fault, method="GET", path_contains="chatroom/7", times=1))
        reading = ground.refresh()
        if front is not None:
            front.release()
        found = (reading.state == ReadingState.COMPLETE, reading.reason, strike.applied if strike else 1)
        if found != (not row.read, row.read, 1):
            wrong.append(f"{name}: {found}")
        if truth.mirrored() != before or truth.drift():
            wrong.append(f"{name}: {truth.drift()}")
    assert wrong == []
    assert max(attempts) <= SLACK_S
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory < MEMORY_MB * 1024
    ground.inwendo.faults.clear()
    truth.check_mirror(world)


@pytest.mark.pure
def test_the_matrix_holds_all_that_was_promised():
    tests = Path(__file__).read_text(encoding="utf-8")
    held = [name for names in PROMISED.values() for name in names]
    assert all(name in MATRIX or f"def {name}(" in tests for name in held)
    assert sorted(name for name in held if not name.startswith("test_")) == sorted(MATRIX)
    assert all(PROMISED.values())
    assert {*METHODS.values(), "GET"} == {"GET", "POST", "PUT", "DELETE"}


@pytest.fixture
def inwendo(world, in_a_hurry):
    """The one of the three whose writes use three methods; the others sleep."""
    world.read()
    Connection.objects.exclude(pk=world.inwendo.pk).update(state=ConnectionState.PAUSED)
    Connection.objects.update(sign_ins=[], settle_s=0.03, timeout_s=LONG_ENOUGH_S)
    return world.sandbox.inwendo


def three_wishes(world):
    return steps.confirmed(
        steps.removal(world.row("José Ñandú", "Chess club")),
        steps.addition(world.group("Board"), world.account("Zoë Müller", world.inwendo)),
        steps.alteration(world.row("Zoë Müller", "Chess club"), is_muted=True),
    )


@pytest.mark.parametrize("kind", ["inwendo", "mudbase", "kaiten"])
def test_a_no_to_everything_stops_the_system(world, in_a_hurry, kind):
    """403 to one call refuses one step; where nothing is allowed any more, the rest is not even tried."""
    world.read()
    server, mine = getattr(world.sandbox, kind), Connection.objects.filter(provider=kind)
    Connection.objects.exclude(provider=kind).update(state=ConnectionState.PAUSED)
    mine.update(concurrency=1, settle_s=0.03, sign_ins=[])
    before = truth.remote(world.sandbox)
    server.faults.add(Fault(**status(403)))
    group = {"inwendo": "Chess club", "mudbase": "Trainers", "kaiten": "Группа 2"}[kind]
    change = steps.confirmed(*map(steps.removal, world.group(group).participants.filter(account__is_own=False)[:3]))
    work_in_a_hurry()
    stopped = mine.get()
    assert (stopped.state, stopped.state_reason) == (ConnectionState.PAUSED, "rights_missing")
    done = list(Operation.objects.filter(change=change).order_by("position"))
    assert [step.state for step in done] == [OperationState.REFUSED, *[OperationState.QUEUED] * (len(done) - 1)]
    assert len(server.journal.written) == 1
    assert truth.remote(world.sandbox) == before
    truth.check_log(done)


def test_an_addition_before_which_nobody_may_look_is_refused_and_not_tried_for_ever(world, inwendo):
    inwendo.faults.add(Fault(**status(403), method="GET", path_contains=ROWS))
    change = steps.confirmed(steps.addition(world.group("Board"), world.account("Zoë Müller", world.inwendo)))
    work_in_a_hurry()
    [step] = Operation.objects.filter(change=change)
    assert (step.state, step.outcome, step.attempts) == (OperationState.REFUSED, "forbidden", 1)
    assert Connection.objects.get(pk=world.inwendo.pk).state == ConnectionState.ACTIVE
    assert inwendo.journal.written == []


def test_a_group_that_is_gone_is_told_as_such(world, inwendo):
    """404 to a call may mean the member or the group: the group itself is asked for."""
    inwendo.faults.add(Fault(**status(404), regex=f"{ROWS}|/chatroom/"))
    change = three_wishes(world)
    work_in_a_hurry()
    done = {step.verb: step for step in Operation.objects.filter(change=change)}
    assert {step.state for step in done.values()} == {OperationState.REFUSED}
    assert done[Verb.REMOVE].outcome == "group_not_found"
    actions = [action for action, _ in entries_of(done[Verb.REMOVE])]
    assert actions[:3] == [INTENDED, DOUBT, RESOLVED]
    # The other two read before they send, and learn it there.
    assert inwendo.journal.written == [f"DELETE /api/chat/{ROWS}/72"]
    truth.check_log(done.values())


YEARS = 315360000
FAR = timezone.now().timestamp() + YEARS
DIALECTS = {
    "nothing": ({}, {}),
    "garbage": ({"Retry-After": "soon", "X-RateLimit-Reset": "never"}, {"retryAfter": "x"}),
    "the past": ({"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}, {}),
    "a past reset": ({"X-RateLimit-Reset": "1445412480"}, {}),
    "a past span": ({}, {"retryAfter": -5}),
    "ten years": ({"Retry-After": str(YEARS)}, {}),
    "a date in ten years": ({"Retry-After": time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(FAR))}, {}),
    "a reset in ten years": ({"X-RateLimit-Reset": str(int(FAR))}, {}),
    "ten years in the body": ({}, {"error": "Too many requests", "retryAfter": YEARS}),
}


@pytest.mark.parametrize("kind", ["inwendo", "mudbase", "kaiten"])
def test_every_dialect_of_a_pause_is_heeded_and_none_is_longer_than_a_quarter_of_an_hour(world, monkeypatch, kind):
    world.read()
    server, mine = getattr(world.sandbox, kind), Connection.objects.filter(provider=kind)
    Connection.objects.exclude(provider=kind).update(state=ConnectionState.PAUSED)
    group = {"inwendo": "Chess club", "mudbase": "Trainers", "kaiten": "Группа 2"}[kind]
    [step] = Operation.objects.filter(change=steps.confirmed(steps.removal(world.row("Ada Lovelace", group))))
    for name, (headers, body) in DIALECTS.items():
        mine.update(slowed_until=None, slowed_reason="", sign_ins=[])
        server.journal.clear()
        server.faults.clear()
        server.faults.add(Fault("status", method="DELETE", status=429, headers=list(headers.items()), body=body))
        stop = Hurried()

        def rests(stop=stop):
            if mine.exclude(slowed_reason="").exists():
                stop.set()
            return False

        began = timezone.now()
        Worker(stop, housekeeping=[rests]).run()
        slowed = mine.get()
        pause = slowed.slowed_until - began
        shortest = timedelta(minutes=14) if "ten years" in name else timedelta(seconds=0.5)
        assert shortest < pause < timedelta(minutes=15, seconds=10), (name, pause)
        step.refresh_from_db()
        assert (slowed.slowed_reason, step.state) == ("throttled", OperationState.QUEUED), name
        assert len(server.journal.written) == 1, name
    server.faults.clear()
    mine.update(slowed_until=None, slowed_reason="")
    world.work()
    step.refresh_from_db()
    assert step.state == OperationState.CONFIRMED
    truth.check_log([step])


def test_a_remote_that_is_gone_for_a_while_gets_each_step_once_when_it_is_back(world, inwendo):
    inwendo.stop()
    change = steps.confirmed(steps.removal(world.row("José Ñandú", "Chess club")))
    is_back = []

    def come_back():
        if not is_back and AuditEntry.objects.filter(action=RETURNED).count() > 2:
            is_back.append(inwendo.start())
        return False

    work_in_a_hurry(come_back)
    [step] = Operation.objects.filter(change=change)
    said = entries_of(step)
    assert said[-1] == (AuditAction.OPERATION_CONFIRMED, "")
    assert {outcome for action, outcome in said if action == RETURNED} == {"connection_refused"}
    assert not {DOUBT, RESOLVED} & {action for action, _ in said}
    assert len(inwendo.journal.written) == 1
    truth.check_log([step])
