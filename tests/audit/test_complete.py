"""What really passed at the wire, against the log: nothing is missing, and nothing is in it that was not."""

import ast
import json
from collections import Counter
from pathlib import Path
from urllib.parse import quote

import pytest

from membership.audit import verify
from membership.models import AuditEntry, AuditPersonal, Connection
from membership.services import audit_words
from membership.services.command_line import os_user, record_command
from membership.vocab import AuditAction
from tests import steps
from tests.audit.recording_proxy import RecordingProxy

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
        found.update(
            f"{call['method']} /{'/'.join(quote(str(part), safe='') for part in call['path'])}" for call in calls
        )
    return found


def test_every_write_sign_in_and_read_at_the_wire_is_in_the_log(world, wires):
    Connection.objects.update(next_reading_at=None)
    world.work()
    places = [("Zoë Müller", "Chess club"), ("José Ñandú", "Chess club"), ("Łukasz Żak", "Trainers")]
    change = steps.confirmed(
        *[steps.removal(world.row(*place)) for place in places],
        steps.removal(world.row("Иван Петров", "Группа 2")),
        steps.alteration(world.row("Grace Hopper", "Группа 2"), is_manager=False),
    )
    wires[world.mudbase.pk].lose = ("DELETE", "chat_2")
    wires[world.inwendo.pk].lose = ("DELETE", "/")
    world.work()
    assert world.state_of(change) in ("done", "done_with_failures")
    for row in world.connections:
        passed = wires[row.pk].passed
        server = next(server for server in world.sandbox.servers if server.kind == row.provider)
        sign_ins = {entry.line for entry in server.journal.entries if entry.is_sign_in}
        assert len(passed) == len(server.journal.entries)
        writes = Counter(each.line for each in passed if each.method != "GET" and each.line not in sign_ins)
        assert writes == intended_calls(row.pk), row.name
        assert writes
        signed_in = sum(each.line in sign_ins for each in passed)
        assert signed_in == len(sealed(AuditAction.CONNECTION_SIGNED_IN, connection_id=row.pk)), row.name
        reads = sum(each.method == "GET" for each in passed)
        counted = [*sealed(AuditAction.READING_FINISHED, connection_id=row.pk)]
        counted += sealed(AuditAction.OPERATION_RESOLVED, connection_id=row.pk)
        assert reads == sum(data["requests"] for data in counted), row.name
    assert sealed(AuditAction.OPERATION_RESOLVED), "an answer was lost, and read back"
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
            tree = ast.parse(path.read_text(encoding="utf-8"))
            words |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
            words |= {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    assert [action.name for action in AuditAction if not {action.name, action.value} & words] == []
