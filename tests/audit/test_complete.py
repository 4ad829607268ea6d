"""What really passed at the wire, against the log: nothing is missing, and nothing is in it that was not."""

import json
import re
from collections import Counter
from pathlib import Path
from urllib.parse import quote

import pytest

from membership.audit import verify
from membership.models import AuditEntry, AuditPersonal, Connection, Operation
from membership.operations.attempts import NEW_ID
from membership.sandbox.faults import Fault
from membership.services import audit_words, connections
from membership.services import connection_drafts as drafts
from membership.services.command_line import os_user, record_command
from membership.vocab import AuditAction
from tests import steps
from tests.audit.recording_proxy import RecordingProxy
from tests.services.test_connection_drafts import typed

TESTS = Path(__file__).resolve().parent.parent


@pytest.fixture
def wires(world):
    """A proxy in front of each system: `{connection id: proxy}`."""
    made = {}
    for row in world.connections:
        made[row.pk] = proxy = RecordingProxy(row.base_url)
        Connection.objects.filter(pk=row.pk).update(base_url=proxy.url)
    yield made
    for proxy in made.values():
        proxy.stop()


def sealed(action, **where):
    return [json.loads(row.sealed)["data"] for row in AuditEntry.objects.filter(action=action, **where)]


def intended_calls(connection_id):
    """The calls that the log says were about to be sent, as `METHOD /path`."""
    found = Counter()
    for row in AuditEntry.objects.filter(action=AuditAction.OPERATION_INTENDED, connection_id=connection_id):
        calls = json.loads(AuditPersonal.objects.get(pk=row.pk).data)["request"]
        # The row that the first call made, of which the plan could not know the number.
        made = Operation.objects.get(pk=row.operation_id).results.get("values", {}).get(NEW_ID, "")
        for call in calls:
            path = [quote(str(part).replace(f"{{{NEW_ID}}}", made), safe="") for part in call["path"]]
            found[f"{call['method']} /{'/'.join(path)}"] += 1
    return found


def reads_told(connection_id):
    """Requests that only looked, by the counts of every entry that has one; a test tells its sign-ins apart."""
    counted = [json.loads(row.sealed)["data"] for row in AuditEntry.objects.filter(connection_id=connection_id)]
    return sum(data.get("requests", 0) - data.get("sign_ins", 0) for data in counted)


def compare(world, wires):
    """What passed, against the log: writes and sign-ins one to one, and every read in the count of an entry."""
    for row in world.connections:
        passed = wires[row.pk].passed
        server = next(server for server in world.sandbox.servers if server.kind == row.provider)
        sign_ins = {entry.line for entry in server.journal.entries if entry.is_sign_in and entry.method != "GET"}
        assert len(passed) == len(server.journal.entries)
        writes = Counter(each.line for each in passed if each.method != "GET" and each.line not in sign_ins)
        assert writes == intended_calls(row.pk), row.name
        assert writes
        signed_in = sum(each.line in sign_ins for each in passed)
        assert signed_in == len(sealed(AuditAction.CONNECTION_SIGNED_IN, connection_id=row.pk)), row.name
        assert sum(each.method == "GET" for each in passed) == reads_told(row.pk), row.name
    assert verify.verify().is_whole


def test_every_write_sign_in_and_read_at_the_wire_is_in_the_log(world, wires, owner):
    Connection.objects.update(next_reading_at=None)
    world.work()
    zoe = world.account("Zoë Müller", world.inwendo)
    places = [("Zoë Müller", "Chess club"), ("José Ñandú", "Chess club"), ("Łukasz Żak", "Trainers")]
    change = steps.confirmed(
        *[steps.removal(world.row(*place)) for place in places],
        steps.removal(world.row("Иван Петров", "Группа 2")),
        steps.alteration(world.row("Grace Hopper", "Группа 2"), is_manager=False),
        # A look before, one after, and the row once more before its rights are set: none of them in a reading.
        steps.addition(world.group("Board"), zoe, is_manager=True),
        steps.alteration(world.row("Ada Lovelace", "Board"), is_manager=False),
    )
    wires[world.mudbase.pk].lose = ("DELETE", "chat_2")
    wires[world.inwendo.pk].lose = ("DELETE", "/")
    world.work()
    assert world.state_of(change) in ("done", "done_with_failures")
    for row in world.connections:
        connections.test_connection(row, actor=owner)
    compare(world, wires)
    assert sealed(AuditAction.OPERATION_RESOLVED), "an answer was lost, and read back"
    confirmed = sealed(AuditAction.OPERATION_CONFIRMED, connection_id=world.inwendo.pk)
    assert sum("requests" in data for data in confirmed) == 2, "an addition and an alteration looked before"
    assert len(sealed(AuditAction.CONNECTION_TESTED)) == 3


def test_reads_that_found_nothing_out_are_in_the_log(world, wires):
    """A reading back that fails, and the look whether an account that was forbidden something may still do anything."""
    Connection.objects.update(next_reading_at=None)
    world.work()
    steps.confirmed(steps.removal(world.row("Zoë Müller", "Chess club")))
    wires[world.inwendo.pk].lose = ("DELETE", "/")
    world.sandbox.inwendo.faults.add(Fault("status", method="GET", path_contains="chatroom", times=1))
    steps.confirmed(steps.removal(world.row("Ada Lovelace", "Группа 2")))
    world.sandbox.kaiten.faults.add(Fault("status", method="DELETE", times=1, status=403))
    steps.confirmed(steps.removal(world.row("Łukasz Żak", "Trainers")))
    world.work()
    compare(world, wires)
    assert [data["requests"] for data in sealed(AuditAction.READING_FINISHED) if data["kind"] == "read_back"] == [1]
    assert [data["requests"] > 1 for data in sealed(AuditAction.CONNECTION_TESTED)] == [True]


def test_what_tests_of_systems_send_before_they_are_stored_is_in_the_log(world, wires, owner):
    """The log's panel chain has it: there is no chain of a system yet."""
    for row in Connection.objects.order_by("pk"):
        card = drafts.draft_connection(**typed(row), actor=owner)
        assert card.works
        passed = wires[row.pk].passed
        assert passed
        told = [data for data in sealed(AuditAction.CONNECTION_TESTED) if data["provider"] == row.provider]
        assert [data["requests"] for data in told] == [len(passed)]
        signed_in = [data for data in sealed(AuditAction.CONNECTION_SIGNED_IN) if data["provider"] == row.provider]
        assert len(signed_in) == told[0]["sign_ins"] == sum(each.method != "GET" for each in passed)
    chains = AuditEntry.objects.filter(action=AuditAction.CONNECTION_SIGNED_IN).values_list("chain", "actor_id")
    assert list(chains) == [("panel", owner.pk)] * 2, "inwendo and Mudbase sign in, Kaiten has a token"
    assert verify.verify().is_whole


def test_a_use_of_the_command_line_carries_the_name_of_the_machines_user(any_db):
    record_command("sync", {"names": ["Office"]})
    row = AuditEntry.objects.get(action=AuditAction.COMMAND_RUN)
    assert json.loads(AuditPersonal.objects.get(pk=row.pk).data)["os_user"] == os_user()


@pytest.mark.pure
def test_every_action_has_a_sentence_and_a_test_that_finds_it():
    """By name or by value, in a test that is not this one."""
    assert set(audit_words.SENTENCES) == set(AuditAction)
    words = set()
    for path in TESTS.rglob("test_*.py"):
        if path.name != Path(__file__).name:
            code = path.read_text(encoding="utf-8")
            words |= {*re.findall(r"AuditAction\.(\w+)", code), *re.findall(r'"([a-z_]+\.[a-z_]+)"', code)}
    assert [action.name for action in AuditAction if not {action.name, action.value} & words] == []
