import ast
import functools
import os
from pathlib import Path

import pytest
from django.db import connection
from django.utils import timezone

from membership.models import Connection, Operation
from membership.operations import stages
from membership.vocab import ConnectionState, OperationState, StageState
from tests.processes import ROOT
from tests.world import KAITEN_TOKEN

pytestmark = pytest.mark.crash

KILLED = -9
LONG = int(os.environ.get("LONG") or 0)
ROUNDS = 20 if LONG == 1 else max(1, LONG)
"""`LONG=1`: twenty times each, on the database of this run; `LONG=3`: three times."""

ON_THE_WAY = [
    "promote.inside",
    "claim.before",
    "claim.inside",
    "claim.written",
    "claim.committed",
    "send.before_look",
    "send.before",
    "send.answered",
    "send.judged",
    "settle.before",
    "settle.inside",
    "settle.written",
    "settle.committed",
    "calls.next",
    "resolve.before",
    "resolve.read",
    "resolve.inside",
    "resolve.written",
    "resolve.committed",
    "reading.begun",
    "reading.accounts",
    "reading.groups",
    "reading.participants",
    "reading.linked",
    "reading.chunk_inside",
    "reading.chunk",
    "reading.catch_up",
    "reading.left",
    "reading.finishing",
    "reading.finish_inside",
    "reading.finished",
    "sign_in.noted",
    "renewal.begun",
    "renewal.answered",
    "renewal.saved",
    "cancel.inside",
    "cancel.committed",
    "close.inside",
    "close.committed",
    "lane.taken",
    "lane.recovered",
    "lane.releasing",
]
IN_RECOVERY = ["recover.inside", "recover.written", "lane.recovered", "resolve.read", "resolve.inside"]
"""Armed again while a killed worker is recovered from."""
WHEN_STOPPED = ["pause.inside", "pause.done"]
BETWEEN_STAGES = ["stage.ending", "stage.judging"]


def of_this_run(points):
    """Each point once, on one of the two databases; the long form takes all on both."""
    if LONG or connection.vendor not in ("sqlite", "postgresql"):
        return points
    return points[0::2] if connection.vendor == "sqlite" else points[1::2]


@pytest.fixture
def start(start):
    """A write that is dropped once, and under way at two kills, would be sent too often: that ends refused in life."""
    return functools.partial(start, resends=3)


def in_turns(points):
    """Parameters (point, round)."""
    return [pytest.param(name, n, id=f"{name}-{n}") for name in of_this_run(points) for n in range(ROUNDS)]


def kill_at(start, name, nth=1):
    """Run a worker until it is killed at that point. One that never passes it so often has ended: False."""
    return start(f"{name}:{nth}").wait() == KILLED


@pytest.mark.parametrize(("name", "turn"), in_turns(ON_THE_WAY))
def test_a_worker_killed_twice_at_a_point_loses_nothing_and_does_nothing_twice(scene, start, name, turn):
    was_killed = kill_at(start, name, 1 + turn % 7) or turn > 0
    assert was_killed, f"{name} was never reached"
    again = start(f"{name}:1")
    if again.wait() == KILLED:
        start().finish()
    scene.check()


@pytest.mark.parametrize(("name", "turn"), in_turns(IN_RECOVERY))
def test_a_recovery_that_is_killed_is_recovered_from(scene, start, name, turn):
    assert kill_at(start, "send.answered", 1 + turn % 5)
    assert kill_at(start, name)
    if start(f"{name}:1").wait() == KILLED:
        start().finish()
    scene.check()


@pytest.mark.parametrize(("name", "turn"), in_turns(WHEN_STOPPED))
def test_a_worker_killed_while_it_stops_a_system_goes_on_where_it_stopped(scene, start, name, turn):
    kaiten, pk = scene.sandbox.kaiten.state, scene.world.kaiten.pk
    kaiten.revoke_all()
    assert kill_at(start, name)
    start().finish()
    assert Connection.objects.get(pk=pk).state == ConnectionState.PAUSED
    left = Operation.objects.filter(connection_id=pk, change=scene.change)
    assert {step.state for step in left} <= {OperationState.PLANNED, OperationState.QUEUED}
    kaiten.issue_token(1, token=KAITEN_TOKEN)
    Connection.objects.filter(pk=pk).update(state=ConnectionState.ACTIVE, next_reading_at=None)
    connection.close()
    start().finish()
    scene.check()


@pytest.mark.parametrize(("name", "turn"), in_turns(BETWEEN_STAGES))
def test_a_worker_killed_between_two_stages_goes_on_with_the_next(scene, start, name, turn):
    stages.lay_out(scene.change, (4, 3), timezone.now())
    connection.close()
    assert kill_at(start, name, 1 + turn % 2)
    if start(f"{name}:1").wait() == KILLED:
        start().finish()
    scene.check()
    assert [stage.state for stage in scene.change.stages.order_by("number")] == [StageState.AS_WISHED] * 3


def points_in(path):
    """The names of `crash.point` in a module; `f"{part}.x"` stands for the two parts that use it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "crash.point":
            [name] = node.args
            if isinstance(name, ast.Constant):
                yield name.value
            else:
                yield from (ast.unparse(name)[2:-1].replace("{part}", part) for part in ("settle", "resolve"))


@pytest.mark.pure
def test_every_point_in_the_code_is_armed_by_a_test_and_named_once():
    found = [name for path in Path(ROOT, "membership").rglob("*.py") for name in points_in(path)]
    assert len(found) == len(set(found)) >= 25
    assert set(found) == {*ON_THE_WAY, *IN_RECOVERY, *WHEN_STOPPED, *BETWEEN_STAGES}
