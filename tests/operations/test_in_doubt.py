"""While an answer is missing: what waits, what goes on, and how often the group is read."""

import pytest

from membership.errors import Reason
from membership.models import Connection, Operation
from membership.sandbox.faults import Fault
from membership.vocab import OperationState
from tests import steps
from tests.operations.conftest import ask

SETTLE_S = 0.6
ROWS = "chatroom_participant"


@pytest.fixture
def one_at_a_time(read_world):
    Connection.objects.update(concurrency=1, settle_s=SETTLE_S)
    return read_world


def room_of(entry):
    chatroom = entry.json["data"]["chatroom"]
    return chatroom["id"] if isinstance(chatroom, dict) else chatroom


def all_confirmed(change):
    return {step.state for step in Operation.objects.filter(change=change)} == {OperationState.CONFIRMED}


@pytest.mark.parametrize("fault", ["lost_answer", "drop_before"])
def test_while_an_addition_that_cannot_be_told_apart_is_in_doubt_no_other_is_sent_in_that_room(one_at_a_time, fault):
    world, inwendo = one_at_a_time, one_at_a_time.sandbox.inwendo
    inwendo.state.add_room("Choir", id=9)
    world.read()
    inwendo.faults.add(Fault(fault, method="POST", path_contains=ROWS, times=1))
    board, choir = world.group("Board"), world.group("Choir")
    zoe, jose, ada = (world.account(name, world.inwendo) for name in ("Zoë Müller", "José Ñandú", "Ada Lovelace"))
    change = steps.confirmed(
        steps.addition(board, zoe),
        steps.addition(board, jose),
        steps.addition(choir, ada),
        steps.removal(world.row("Ada Lovelace", "Board")),
    )
    world.work()
    assert all_confirmed(change)
    entries = [entry for entry in inwendo.journal.entries if ROWS in entry.path]
    lost = next(entry for entry in entries if entry.method == "POST")
    about = lost.json["data"]["person"]
    sent_after = [entry for entry in entries if entry.is_write and entry.seq > lost.seq]
    zoes = [entry for entry in sent_after if entry.method == "POST" and entry.json["data"]["person"] == about]
    others = [entry for entry in sent_after if entry.method == "POST" and entry not in zoes and room_of(entry) == 8]
    [joses] = others
    asked = [e.seq for e in entries if ("person", str(zoe.remote_id)) in e.query and e.time >= lost.time + SETTLE_S]
    # Decided by a reading, or by two and the addition again, before anybody else is added there.
    assert min(asked) < joses.seq
    assert len(zoes) == (fault == "drop_before")
    assert all(entry.seq < joses.seq for entry in zoes)
    # Another room's additions went on meanwhile; who leaves waits for all additions of the change.
    [elsewhere] = [entry for entry in sent_after if entry.method == "POST" and room_of(entry) == 9]
    assert elsewhere.seq < joses.seq
    [removal] = [entry for entry in sent_after if entry.method == "DELETE"]
    assert removal.seq > joses.seq
    assert [len(inwendo.state.live(room)) for room in (8, 9)] == [2, 1]


def test_nothing_is_read_back_before_the_settle_time_is_over_and_two_readings_are_one_apart(one_at_a_time):
    world, inwendo = one_at_a_time, one_at_a_time.sandbox.inwendo
    inwendo.faults.add(Fault("drop_before", method="POST", path_contains=ROWS, times=1))
    zoe = world.account("Zoë Müller", world.inwendo)
    change = steps.confirmed(steps.addition(world.group("Board"), zoe))
    world.work()
    assert all_confirmed(change)
    lost, again = (entry for entry in inwendo.journal.writes() if entry.method == "POST")
    asked = [
        entry.time
        for entry in inwendo.journal.entries
        if ("person", zoe.remote_id) in entry.query and lost.seq < entry.seq < again.seq
    ]
    first, second, *_just_before = asked
    assert first - lost.time >= SETTLE_S
    assert second - first >= SETTLE_S


def test_one_reading_answers_all_doubts_of_a_group(read_world):
    kaiten = read_world.sandbox.kaiten
    uid = kaiten.state.add_group("Large").uid
    for number in range(6):
        kaiten.state.add_member(uid, kaiten.state.add_user(f"Member {number}").id)
    read_world.read()
    Connection.objects.update(concurrency=6, settle_s=SETTLE_S)
    kaiten.faults.add(Fault("lost_answer", method="DELETE", times=6))
    change = ask(*read_world.group("Large").participants.all())
    read_world.work()
    assert all_confirmed(change)
    assert len(kaiten.journal.written) == 6
    readings = [entry.path for entry in kaiten.journal.entries if entry.path.endswith(f"{uid}/users")]
    assert len(readings) == 1


def test_on_a_host_that_ignores_the_filter_by_person_nobody_counts_as_added(one_at_a_time):
    world, inwendo = one_at_a_time, one_at_a_time.sandbox.inwendo
    inwendo.state.switch(ignored_filter="person")
    zoe = world.account("Zoë Müller", world.inwendo)
    change = steps.confirmed(steps.addition(world.group("Board"), zoe))
    world.work()
    [step] = Operation.objects.filter(change=change)
    assert (step.state, step.outcome) == (OperationState.REFUSED, Reason.FILTER_IGNORED)
    assert not inwendo.journal.writes()


def test_where_the_filter_by_person_does_nothing_a_lost_addition_is_for_an_operator(one_at_a_time):
    world, inwendo = one_at_a_time, one_at_a_time.sandbox.inwendo
    inwendo.state.add_room("Choir", id=9)
    world.read()
    inwendo.state.switch(ignored_filter="person")
    inwendo.faults.add(Fault("lost_answer", method="POST", path_contains=ROWS, times=1))
    zoe = world.account("Zoë Müller", world.inwendo)
    change = steps.confirmed(steps.addition(world.group("Choir"), zoe))  # an empty room: nobody is there to be mistaken
    world.work()
    [step] = Operation.objects.filter(change=change)
    assert (step.state, step.outcome) == (OperationState.FOREIGN, Reason.FILTER_IGNORED)
    assert len(inwendo.journal.writes()) == 1
