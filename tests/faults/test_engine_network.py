"""What the network does, against what the engine makes of it: each fault with a removal, an addition, an alteration and
a reading. The door's own matrix, with TLS, names and sockets, is in test_door_*.py."""

import gzip
import os
from datetime import timedelta
from typing import NamedTuple

import pytest
from django.db import connection as database
from django.utils import timezone

from membership.models import AuditEntry, Connection, Operation, Reading
from membership.operations import lane
from membership.operations.worker import Worker
from membership.providers import judging, pauses
from membership.sandbox.faults import Fault
from membership.vocab import AuditAction, ConnectionState, OperationState, ReadingState, Verb
from tests import steps, truth
from tests.hurry import Hurried, work_in_a_hurry

ROWS = "chatroom_participant"
METHODS = {Verb.REMOVE: "DELETE", Verb.ADD: "POST", Verb.UPDATE: "PUT"}
A_MOMENT_S, LONG_ENOUGH_S = 0.5, 10
INTENDED, RETURNED, DOUBT = (
    AuditAction.OPERATION_INTENDED,
    AuditAction.OPERATION_RETURNED,
    AuditAction.OPERATION_IN_DOUBT,
)
RESOLVED, CONFIRMED, REFUSED = (
    AuditAction.OPERATION_RESOLVED,
    AuditAction.OPERATION_CONFIRMED,
    AuditAction.OPERATION_REFUSED,
)


class Way(NamedTuple):
    """How a step ends: `entries` of the log in order, how often its call is sent. `added`: an addition's, if others."""

    state: str
    entries: tuple[str, ...]
    sent: int
    added: tuple[str, ...] = ()


DONE = Way(OperationState.CONFIRMED, (INTENDED, DOUBT, RESOLVED, CONFIRMED), 1)
"""The answer is lost; reading shows that it was done."""
AGAIN = Way(
    OperationState.CONFIRMED,
    (INTENDED, DOUBT, RESOLVED, RETURNED, INTENDED, CONFIRMED),
    2,
    # Adding twice makes two rows: it is looked for twice before it is sent again.
    added=(INTENDED, DOUBT, RESOLVED, DOUBT, RESOLVED, RETURNED, INTENDED, CONFIRMED),
)
"""The answer is lost; reading shows that it was not done."""
LATER = Way(OperationState.CONFIRMED, (INTENDED, RETURNED, INTENDED, CONFIRMED), 2)
"""Provably not done: a pause or a renewal, then once more."""
NO = Way(OperationState.REFUSED, (INTENDED, REFUSED), 1)
LOOKED = Way(OperationState.REFUSED, (INTENDED, DOUBT, RESOLVED, REFUSED), 1)
"""A no that may mean "already so": reading shows that it is one."""


class Row(NamedTuple):
    """`reason`: what the log says first about the answer. `is_slow`: it has to run into the time limit."""

    fault: dict
    reason: str
    way: Way
    is_slow: bool = False


def answer(body, status=200, headers=()):
    return {"kind": "replace", "status": status, "body": body, "headers": headers}


def status(code, **headers):
    named = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return {"kind": "status", "status": code, "body": {"detail": "no"}, "headers": named}


def unreadable(fault):
    return Row(fault, "answer_unreadable", DONE)


MATRIX = {
    # nothing comes back
    "closed after it": Row({"kind": "lost_answer"}, "answer_lost", DONE),
    "reset after it": Row({"kind": "lost_answer", "reset": True}, "answer_lost", DONE),
    "silent after it": Row({"kind": "hang"}, "answer_timeout", DONE, is_slow=True),
    "closed before it": Row({"kind": "drop_before"}, "answer_lost", AGAIN),
    "reset before it": Row({"kind": "drop_before", "reset": True}, "answer_lost", AGAIN),
    "silent before it": Row({"kind": "hang", "effect": False}, "answer_timeout", AGAIN, is_slow=True),
    # it comes back broken
    "cut short": Row({"kind": "truncated"}, "answer_lost", DONE),
    "chunk cut short": Row({"kind": "truncated", "chunked": True}, "answer_lost", DONE),
    "dripping head": Row({"kind": "drip", "interval_s": 0.1}, "answer_timeout", DONE, is_slow=True),
    "dripping body": Row({"kind": "drip", "part": "body", "interval_s": 0.1}, "answer_timeout", DONE, is_slow=True),
    "endless": Row({"kind": "endless", "limit_bytes": 64 * 1024**2}, "answer_too_large", DONE),
    "half JSON": unreadable({"kind": "bad_json"}),
    "JSON of another type": unreadable(answer("[]")),
    "deep JSON": unreadable(answer("[" * 100_000)),
    "not a number": unreadable(answer('{"id": NaN}')),
    "duplicate keys": unreadable(answer('{"id": 1, "id": 2}')),
    "huge integer": unreadable(answer('{"id": ' + "9" * 5000 + "}")),
    "binary": unreadable(answer(b"\x00\xff\xfe" * 100)),
    "gzip bomb": unreadable(answer(gzip.compress(b" " * 5_000_000), headers=[("Content-Encoding", "gzip")])),
    "300 headers": unreadable({"kind": "replace", "headers": [(f"X-{n}", "x") for n in range(300)]}),
    "70 kB header": unreadable({"kind": "replace", "headers": [("X-Long", "x" * 70_000)]}),
    "early 103": unreadable({"kind": "early_1xx"}),
    "two early answers": unreadable({"kind": "early_1xx", "status": 102, "count": 2}),
    "an answer too many": unreadable({"kind": "two_answers"}),
    "HTML": Row({"kind": "html"}, "answer_unreadable", AGAIN),
    # a success that does not show the row
    "empty": Row({"kind": "empty"}, "remote_said_no", DONE),
    "204": Row({"kind": "empty", "status": 204}, "remote_said_no", DONE),
    "NUL": Row(answer('{"id": "\\u0000"}'), "remote_said_no", DONE),
    "lone surrogate": Row(answer('{"id": "\\ud800"}'), "remote_said_no", DONE),
    # elsewhere
    **{f"{code}": Row({"kind": "redirect", "status": code}, "answer_redirected", AGAIN) for code in (301, 302, 303)},
    **{f"{code}": Row({"kind": "redirect", "status": code}, "answer_redirected", AGAIN) for code in (307, 308)},
    "to link-local": Row({"kind": "redirect", "location": "http://169.254.169.254/"}, "answer_redirected", AGAIN),
    # no
    **{f"{code}": Row(status(code), "remote_said_no", NO) for code in (402, 405, 413)},
    "403": Row(status(403), "forbidden", NO),
    **{f"{code}": Row(status(code), "remote_said_no", LOOKED) for code in (400, 404, 409, 410, 422)},
    "401": Row(status(401), "token_not_accepted", LATER),
    "400 that means 401": Row(status(400, X_IW_ERROR_CODE="401"), "token_not_accepted", LATER),
    # later
    "429": Row(status(429), "throttled", LATER),
    "429 with a time": Row(status(429, Retry_After="1"), "throttled", LATER),
    "429 with garbage": Row(status(429, Retry_After="soon"), "throttled", LATER),
    "429 with the past": Row(status(429, Retry_After="Wed, 21 Oct 2015 07:28:00 GMT"), "throttled", LATER),
    # it failed there
    **{f"{code}": Row(status(code), "remote_failed", AGAIN) for code in (500, 502, 503, 504)},
    "503 with a time": Row(status(503, Retry_After="1"), "remote_failed", AGAIN),
    "500 after it": Row(answer({"detail": "no"}, status=500), "remote_failed", DONE),
    "504 after it": Row(answer({"detail": "no"}, status=504), "remote_failed", DONE),
}


def of_this_database():
    """Every other one on each of the two databases; the long form takes all."""
    names = list(MATRIX)
    if os.environ.get("LONG"):
        return names
    return names[0::2] if database.vendor == "sqlite" else names[1::2]


@pytest.fixture
def inwendo(world, monkeypatch):
    """The one of the three whose writes use three methods; the others sleep."""
    monkeypatch.setattr(lane, "REST_AT_FIRST_S", 0.01)
    monkeypatch.setattr(pauses, "SHORTEST_S", 0.01)
    monkeypatch.setattr(judging, "DEFAULT_PAUSE_S", 0.01)
    world.read()
    Connection.objects.exclude(pk=world.inwendo.pk).update(state=ConnectionState.PAUSED)
    Connection.objects.update(sign_ins=[], settle_s=0.03, timeout_s=LONG_ENOUGH_S)
    return world.sandbox.inwendo


def limit(row):
    if row.is_slow:
        Connection.objects.update(timeout_s=A_MOMENT_S)


def entries_of(step):
    return list(AuditEntry.objects.filter(operation_id=step.pk).order_by("pk").values_list("action", "outcome"))


@pytest.mark.parametrize("name", of_this_database())
def test_a_fault_while_writing_ends_as_the_matrix_says(world, inwendo, name):
    row = MATRIX[name]
    limit(row)
    for method in METHODS.values():
        inwendo.faults.add(Fault(**row.fault, method=method, path_contains=ROWS, times=1))
    change = steps.confirmed(
        steps.removal(world.row("José Ñandú", "Chess club")),
        steps.addition(world.group("Board"), world.account("Zoë Müller", world.inwendo)),
        steps.alteration(world.row("Zoë Müller", "Chess club"), is_muted=True),
    )
    work_in_a_hurry()
    done = list(Operation.objects.filter(change=change))
    for step in done:
        said = entries_of(step)
        expected = row.way.added if step.verb == Verb.ADD and row.way.added else row.way.entries
        assert ([action for action, _ in said], said[1][1]) == (list(expected), row.reason), step.verb
        assert step.state == row.way.state, step.verb
        sent = [entry for entry in inwendo.journal.writes() if entry.method == METHODS[step.verb]]
        assert len(sent) == row.way.sent, step.verb
    check_state(inwendo, is_done=row.way.state == OperationState.CONFIRMED)
    assert Connection.objects.get(pk=world.inwendo.pk).state == ConnectionState.ACTIVE
    truth.check_log(done)
    inwendo.faults.clear()
    truth.check_mirror(world)


def check_state(inwendo, *, is_done):
    """No false success, and no false failure."""
    state = inwendo.state
    assert state.participants.get(72).deleted == is_done
    assert len(state.live(8)) == 1 + is_done
    assert state.participants.get(71).is_muted == is_done
    assert inwendo.crashes == []


@pytest.mark.parametrize("name", of_this_database())
def test_a_fault_while_reading_takes_nothing_away(world, inwendo, name):
    row = MATRIX[name]
    limit(row)
    before = truth.mirrored()
    strike = inwendo.faults.add(Fault(**row.fault, method="GET", path_contains="chatroom/7", times=1))
    Connection.objects.filter(pk=world.inwendo.pk).update(next_reading_at=None)
    work_in_a_hurry()
    assert strike.applied == 1
    reading = Reading.objects.filter(connection=world.inwendo).latest("pk")
    is_taken_up_again = row.way is LATER or name.startswith("503")
    assert (reading.state == ReadingState.COMPLETE) == is_taken_up_again, (reading.state, reading.reason)
    assert truth.mirrored() == before
    assert truth.drift() == []
    truth.check_mirror(world)


def test_a_pause_of_ten_years_is_a_quarter_of_an_hour(world, inwendo):
    inwendo.faults.add(Fault(**status(429, Retry_After="315360000"), method="DELETE"))
    change = steps.confirmed(steps.removal(world.row("José Ñandú", "Chess club")))
    stop = Hurried()

    def stop_when_it_rests():
        if Connection.objects.exclude(slowed_reason="").exists():
            stop.set()
        return False

    Worker(stop, housekeeping=[stop_when_it_rests]).run()
    slowed = Connection.objects.get(pk=world.inwendo.pk)
    assert slowed.slowed_reason == "throttled"
    assert slowed.slowed_until - timezone.now() <= timedelta(minutes=15)
    [step] = Operation.objects.filter(change=change)
    assert (step.state, len(inwendo.journal.written)) == (OperationState.QUEUED, 1)


def test_a_remote_that_refuses_connections_gets_each_step_once_when_it_is_back(world, inwendo):
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
    assert said[-1] == (CONFIRMED, "")
    assert {outcome for action, outcome in said if action == RETURNED} == {"connection_refused"}
    assert not {DOUBT, RESOLVED} & {action for action, _ in said}
    assert len(inwendo.journal.written) == 1
    truth.check_log([step])
