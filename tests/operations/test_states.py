import ast
from pathlib import Path

import pytest

from membership.errors import NextStep
from membership.operations.settle import ACTION_FOR, STATE_AFTER
from membership.vocab import OperationState

pytestmark = pytest.mark.pure


def test_every_next_step_has_a_state():
    assert set(STATE_AFTER) == set(NextStep)


def test_every_state_that_an_attempt_can_lead_to_has_an_audit_action():
    assert set(STATE_AFTER.values()) <= set(ACTION_FOR)


def test_open_and_final_states_are_all_states():
    assert OperationState.open() | OperationState.final() == set(OperationState)
    assert not OperationState.open() & OperationState.final()


def moves_operations(tree):
    for node in ast.walk(tree):
        is_update = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "update"
        if is_update and "Operation.objects" in ast.unparse(node.func):
            keywords = {keyword.arg for keyword in node.keywords}
            if keywords & {"state", None}:
                return True
    return False


def test_operations_are_moved_in_few_places():
    movers = {p.name for p in Path("membership").rglob("*.py") if moves_operations(ast.parse(p.read_text()))}
    assert movers == {"outbox.py", "settle.py", "retiring.py"}
