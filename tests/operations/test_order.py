"""What is sent of a change, and in which order: at the wires of all three systems, with several calls at once."""

import json
import os
import random
import re
from datetime import timedelta
from urllib.parse import quote

import pytest
from django.utils import timezone

from membership.models import Account, AuditEntry, Connection, Operation
from membership.operations import outbox, turns
from membership.plans.wishes import Add, Remove, Update
from membership.sandbox.faults import Fault
from membership.vocab import AuditAction, ChangeKind, ChangeState, OperationState, Verb
from tests.hurry import work_in_a_hurry
from tests.operations.conftest import confirm
from tests.truth import FINAL_ENTRIES
from tests.world import GROUP_UID, MUDBASE_PROJECT

ROUNDS = 30 if os.environ.get("LONG") else 1
NEW_ROW = "{id_from_call_1}"
GROUPS = {"inwendo": "Chess club", "mudbase": "Trainers", "kaiten": "Группа 2"}


@pytest.fixture
def crowded(world):
    """Nine people more in each system, five of them in its group; an addition takes longer than a removal."""
    inwendo, mudbase, kaiten = (server.state for server in world.sandbox.servers)
    with inwendo.changing(), mudbase.changing(), kaiten.changing():
        for n in range(9):
            person = inwendo.add_person(f"Member {n}", "Club", email=f"m{n}@example.org").id
            mudbase.add_user(f"Member {n}", "Club", project=MUDBASE_PROJECT, id=f"usr_{n}")
            kaiten.add_user(f"Member {n} Club", id=100 + n)
            if n < 5:
                inwendo.add_participant(7, id=100 + n, person=person)
                mudbase.add_participant("chat_2", f"usr_{n}")
                kaiten.add_member(GROUP_UID, 100 + n)
    world.read()
    for server in world.sandbox.servers:
        server.faults.add(Fault("latency", method="POST", seconds=0.05))
        server.faults.add(Fault("latency", method="PUT", seconds=0.02))
    return world


def wishes(world, chance):
    """In each system four join, one of them as manager, two rise, and three leave: asked for in no order."""
    found = []
    for kind, name in GROUPS.items():
        group = world.group(name)
        accounts = Account.objects.filter(connection__provider=kind, label__startswith="Member").order_by("label")
        inside, outside = accounts[:5], list(accounts[5:])
        found += [Add(outside[0].pk, group.pk, {"is_manager": True})]
        found += [Add(account.pk, group.pk) for account in outside[1:]]
        rows = [world.row(account.label, name) for account in inside]
        rise = chance.sample(rows, 2)
        found += [Update(row.pk, {"is_manager": True}) if row in rise else Remove(row.pk) for row in rows]
    chance.shuffle(found)
    return found


def written(world, change):
    """By system: the steps of its writes, in the order of arrival. Fails for a write that is not planned."""
    steps = Operation.objects.filter(change=change).select_related("connection").order_by("position")
    found = {}
    for server in world.sandbox.servers:
        calls = [(step, call) for step in steps if step.connection.provider == server.kind for call in step.calls]
        calls.sort(key=lambda each: NEW_ROW in each[1]["path"])  # what names a row before what names any
        found[server.kind] = [
            next(step for step, call in calls if is_planned(call, entry)) for entry in server.journal.writes()
        ]
    return found


def is_planned(call, entry):
    line = re.escape(f"{call['method']} /{'/'.join(quote(part, safe='') for part in call['path'])}")
    if not re.fullmatch(line.replace(re.escape(quote(NEW_ROW, safe="")), "[0-9]+"), entry.line):
        return False
    planned, said = call.get("body"), entry.json
    return not isinstance(planned, dict) or call["method"] == "PUT" or json.dumps(planned) == json.dumps(said)


def said_in_order(change):
    """By system: in which order the log says that steps were about to be sent, and that they had ended."""
    verbs = dict(Operation.objects.filter(change=change).values_list("pk", "verb"))
    rows = AuditEntry.objects.filter(change_id=change.pk, operation_id__in=verbs).order_by("pk")
    for connection_id in Connection.objects.values_list("pk", flat=True):
        ended_turns, last = set(), 0
        for action, operation_id in rows.filter(connection_id=connection_id).values_list("action", "operation_id"):
            turn = Verb(verbs[operation_id]).turn
            if action == AuditAction.OPERATION_INTENDED:
                assert turn >= last, (connection_id, operation_id)
                last = turn
            elif action in FINAL_ENTRIES:
                ended_turns.add(turn)
                assert turn == last, (connection_id, operation_id)
        assert ended_turns == {Verb.ADD.turn, Verb.UPDATE.turn, Verb.REMOVE.turn}


@pytest.mark.parametrize("seed", range(ROUNDS))
@pytest.mark.parametrize("at_once", [1, 4])
def test_the_wire_sees_nothing_but_the_plan_and_its_verbs_one_after_the_other(crowded, at_once, seed):
    chance = random.Random(seed)
    Connection.objects.update(concurrency=at_once)
    inwendo, mudbase, kaiten = crowded.sandbox.servers
    kaiten.faults.add(Fault("lost_answer", method="POST", times=1, after=chance.randrange(4)))
    mudbase.faults.add(Fault("drop_before", method="POST", times=1, after=chance.randrange(4)))
    inwendo.faults.add(Fault("status", method="POST", status=400, times=1, after=chance.randrange(3)))
    change = confirm(ChangeKind.MATRIX, *wishes(crowded, chance))
    work_in_a_hurry()
    assert crowded.state_of(change) == ChangeState.DONE_WITH_FAILURES  # the refused one
    for kind, steps in written(crowded, change).items():
        verbs = [Verb(step.verb).turn for step in steps]
        assert verbs == sorted(verbs), kind
        arrived = list(dict.fromkeys(step.position for step in steps))
        planned = change.operations.filter(connection__provider=kind).values_list("position", flat=True)
        assert sorted(arrived) == sorted(planned)
        for place, position in enumerate(arrived):
            overtaken = [later for later in arrived[place:] if later < position]
            assert len(overtaken) < at_once, (kind, arrived)
    said_in_order(change)


def test_nobody_leaves_while_an_addition_is_in_doubt_and_what_waits_keeps_no_lane_awake(read_world):
    office, now = read_world.kaiten, timezone.now()
    group, ivan = read_world.group("Группа 2"), read_world.row("Иван Петров", "Группа 2")
    own = Account.objects.get(connection=office, label__startswith="Musterbook")
    change = confirm(ChangeKind.MATRIX, Add(own.pk, group.pk), Remove(ivan.pk))
    outbox.promote(office.pk)
    added, removed = Operation.objects.filter(change=change).order_by("position")
    in_doubt = {"state": OperationState.IN_DOUBT, "not_before": now + timedelta(hours=1)}
    Operation.objects.filter(pk=added.pk).update(**in_doubt)
    assert turns.next_turn(office.pk, now, 9)[0] == [] and turns.due_connections(now) == set()
    Operation.objects.filter(pk=added.pk).update(state=OperationState.FOREIGN)  # read back: somebody decides later
    assert turns.next_turn(office.pk, now, 9)[0] == [removed.pk] and turns.due_connections(now) == {office.pk}
