import ast
import re
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


MOVES = re.compile(r"\s*UPDATE membership_operation\s+SET (?:(?!WHERE).)*\bstate =", re.S)


def moves_operations(tree):
    for node in ast.walk(tree):
        text = node.value if isinstance(node, ast.Constant) else None
        if isinstance(text, str) and re.search(
            r"UPDATE membership_operation\s+SET[^;]*\bstate =", text.split("WHERE")[0]
        ):
            return True
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        called = ast.unparse(node.func)
        if called == "bulk.update_alike" and ast.unparse(node.args[0]) == "Operation":
            return True
        if node.func.attr == "update" and "Operation.objects" in called:
            keywords = {keyword.arg for keyword in node.keywords}
            if keywords & {"state", None}:
                return True
    return False


def test_operations_are_moved_in_few_places():
    movers = {p.name for p in Path("membership").rglob("*.py") if moves_operations(ast.parse(p.read_text()))}
    assert movers == {"outbox.py", "settle.py", "retiring.py"}
