"""What is looked at when a step is claimed: as before, it is sent; as wished, it is not needed; else overtaken."""

import pytest

from membership.models import Operation
from membership.operations.verbs import standing
from membership.plans.wishes import SECRET_MARK
from membership.vocab import OperationState, Verb
from tests import mirrored as m
from tests import steps

pytestmark = pytest.mark.django_db


@pytest.fixture
def office():
    return m.system("Office")


@pytest.fixture
def chess(office):
    return m.group("Chess", office)


def now(change):
    rows = change.operations.select_related("participant", "group", "connection", "account")
    return list(standing(list(rows)).values())


def edit(row, before, **wanted):
    step = {**steps.alteration(row, is_manager=True), "wanted": wanted}
    step["before"] = {**step["before"], "fields": before}
    return steps.confirmed(step)


@pytest.mark.parametrize(
    ("there", "expected"),
    [
        ({"nickname": "old"}, OperationState.QUEUED),
        ({"nickname": "new"}, OperationState.NOT_NEEDED),
        ({"nickname": "of somebody else"}, OperationState.OVERTAKEN),
        ({}, OperationState.OVERTAKEN),
    ],
)
def test_a_field_that_somebody_else_edited_is_not_overwritten(office, chess, there, expected):
    row = m.participant(m.account("Ada", office), chess, attributes=there)
    assert now(edit(row, {"nickname": "old"}, nickname="new")) == [expected]


@pytest.mark.parametrize(("is_set", "expected"), [(False, OperationState.QUEUED), (True, OperationState.OVERTAKEN)])
def test_a_secret_is_never_taken_for_set_as_wished(office, chess, is_set, expected):
    row = m.participant(m.account("Ada", office), chess, secrets={"word": "x"} if is_set else {})
    assert now(edit(row, {"word": {"is_set": False}}, word=dict(SECRET_MARK))) == [expected]


def test_a_group_renamed_since_the_preview_is_not_deleted(chess):
    change = steps.confirmed(steps.deletion(chess))
    assert now(change) == [OperationState.QUEUED]
    chess.name = "Board"
    chess.save()
    assert now(change) == [OperationState.OVERTAKEN]
    chess.is_present = False
    chess.save()
    assert now(change) == [OperationState.NOT_NEEDED]


def test_whoever_is_there_by_the_id_of_the_row_alone_is_not_added_again(office, chess):
    ada = m.account("Ada", office)
    change = steps.confirmed(steps.addition(chess, ada))
    assert now(change) == [OperationState.QUEUED]
    m.participant("Ada", chess, remote_id=ada.remote_id)
    assert now(change) == [OperationState.NOT_NEEDED]


def test_calls_that_were_confirmed_before_count(office, chess):
    row = m.participant(m.account("Ada", office), chess, is_manager=True)
    change = steps.confirmed(steps.removal(row))
    row.is_member = False
    row.save()
    assert now(change) == [OperationState.OVERTAKEN]
    Operation.objects.update(calls_done=1)
    assert now(change) == [OperationState.QUEUED]


def test_every_verb_has_its_precondition(office, chess):
    change = steps.confirmed(steps.creation(office, "New"), steps.renaming(chess, "Other"))
    assert now(change) == [OperationState.QUEUED, OperationState.QUEUED]
    assert {Verb.CREATE_GROUP, Verb.RENAME_GROUP} == set(change.operations.values_list("verb", flat=True))
