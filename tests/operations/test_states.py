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


def test_only_the_outbox_and_settle_move_operations():
    movers = []
    for path in Path("membership").rglob("*.py"):
        text = path.read_text()
        if "Operation.objects" in text and ".update(" in text and "state=OperationState" in text:
            movers.append(path.name)
    assert set(movers) <= {"outbox.py", "settle.py"}
