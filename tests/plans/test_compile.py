import random

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from membership.models import Change, ChangeConnection, LeftOut, Operation, Participant
from membership.plans.compile import compile_removal
from membership.plans.facts import IDS_PER_QUERY
from membership.providers.base import RemoteCall
from membership.vocab import ChangeKind, OperationState
from tests import mirrored as m

pytestmark = pytest.mark.django_db


def compiled(participants):
    change = Change.objects.create(kind=ChangeKind.REMOVAL, created_at=timezone.now())
    compile_removal(change, participants)
    return change


@pytest.fixture
def three():
    """One system of each kind, with one group and one participant each."""
    made = {}
    for kind, name in (("inwendo", "Nord"), ("mudbase", "Club"), ("kaiten", "Office")):
        where = m.system(name, kind)
        chat = m.group(f"Group in {name}", where, remote_id=f"g-{kind}")
        made[kind] = m.participant(m.account("Ada", where, remote_id="4"), chat)
    return made


def test_each_remote_gets_the_call_of_its_reference_page(three):
    change = compiled(Participant.objects.all())
    calls = {step.connection.provider: [RemoteCall.from_json(call) for call in step.calls] for step in steps(change)}
    assert [(call.method, "/".join(call.path), call.body) for call in calls["inwendo"]] == [
        ("DELETE", f"api/chat/chatroom_participant/{three['inwendo'].remote_id}", None)
    ]
    assert [(call.method, "/".join(call.path), call.body) for call in calls["mudbase"]] == [
        ("DELETE", "api/chat/projects/proj_1/chats/g-mudbase/participants", {"userId": "4"})
    ]
    assert [(call.method, "/".join(call.path), call.body) for call in calls["kaiten"]] == [
        ("DELETE", "api/latest/groups/g-kaiten/users/4", None)
    ]


def steps(change):
    return Operation.objects.filter(change=change).order_by("position")


def test_a_manager_who_is_a_member_is_one_operation_of_two_calls():
    office = m.system()
    chess = m.group("Chess", office)
    m.participant(m.account("Bea", office), chess, is_manager=True)
    ivan = m.participant(m.account("Ivan", office), chess, is_manager=True)
    (step,) = steps(compiled(m.rows(ivan)))
    assert [call["path"][-2] for call in step.calls] == ["admins", "users"]


def test_an_operation_says_who_what_and_under_which_precondition(three):
    change = compiled(m.rows(three["inwendo"]))
    (step,) = steps(change)
    row = three["inwendo"]
    assert (step.subject, step.subject_label, step.state) == ("account:4", "Ada", OperationState.PLANNED)
    assert step.wanted == {"is_present": False}
    assert step.before == {
        "is_present": True,
        "is_member": True,
        "is_manager": False,
        "can_write": None,
        "is_muted": None,
        "row": row.remote_id,
    }
    assert (step.participant_id, step.account_id, step.group_id) == (row.pk, row.account_id, row.group_id)


def test_a_row_of_which_the_account_is_not_known_is_its_own_subject():
    nord = m.system("Nord", "inwendo")
    row = m.participant("Somebody", m.group("Room", nord))
    assert [step.subject for step in steps(compiled(m.rows(row)))] == [f"row:{row.remote_id}"]


def test_a_kaiten_row_names_its_account_even_where_that_is_not_mirrored():
    office = m.system()
    row = m.participant("Somebody", m.group("Chess", office), remote_id="77")
    assert [step.subject for step in steps(compiled(m.rows(row)))] == ["account:77"]


def test_steps_go_by_system_then_group_then_name_however_they_were_selected():
    zebra, alpha = m.system("zebra"), m.system("Alpha")
    names = []
    for where in (zebra, alpha):
        for group_name in ("b", "A"):
            here = m.group(group_name, where)
            names += [m.participant(m.account(name, where), here) for name in ("Zoë", "ada", "Иван")]
    random.Random(7).shuffle(names)
    expected = [
        (system, group, name)
        for system in ("Alpha", "zebra")
        for group in ("A", "b")
        for name in ("ada", "Zoë", "Иван")
    ]
    for order in ("pk", "-label"):
        change = compiled(m.rows(*names).order_by(order))
        found = [(step.connection.name, step.group.name, step.subject_label) for step in steps(change)]
        assert found == expected


def test_people_are_counted_once_across_systems():
    office, club = m.system("Office"), m.system("Club", "mudbase")
    ada = m.account("Ada", office), m.account("Ada L.", club)
    m.person("Ada", *ada)
    bea = m.account("Bea", office)
    chess, chat = m.group("Chess", office), m.group("Chat", club)
    rows = [m.participant(ada[0], chess), m.participant(ada[1], chat), m.participant(bea, chess)]
    rows.append(m.participant("Nobody known", chat))
    change = compiled(m.rows(*rows))
    assert (change.people_count, change.groups_count, change.operations_count) == (3, 2, 4)


def test_a_part_says_how_old_its_oldest_group_is():
    office = m.system()
    old = timezone.now() - timezone.timedelta(hours=3)
    first, second = m.group("New", office), m.group("Old", office, read_at=old)
    ada = m.account("Ada", office)
    change = compiled(m.rows(m.participant(ada, first), m.participant(ada, second)))
    part = ChangeConnection.objects.get(change=change)
    assert (part.as_of, part.operations_count, part.groups_count) == (old, 2, 2)


def test_a_part_with_a_group_that_was_never_read_does_not_say_how_old_it_is():
    office = m.system()
    ada = m.account("Ada", office)
    rows = m.participant(ada, m.group("New", office)), m.participant(ada, m.group("Never", office, read_at=None))
    assert ChangeConnection.objects.get(change=compiled(m.rows(*rows))).as_of is None


def test_what_is_left_out_is_stored_with_its_reason_in_order():
    office = m.system()
    board = m.group("Board", office, is_protected=True)
    rows = [m.participant(m.account(name, office), board) for name in ("Bea", "Ada")]
    change = compiled(m.rows(*rows))
    found = LeftOut.objects.filter(change=change).values_list("position", "subject_label", "reason")
    assert list(found) == [(0, "Ada", "group_protected"), (1, "Bea", "group_protected")]
    assert (change.operations_count, change.left_out_count) == (0, 2)


def test_a_system_from_which_everything_is_left_out_is_still_a_part():
    office = m.system()
    row = m.participant(m.account("Ada", office, is_own=True), m.group("Chess", office))
    assert ChangeConnection.objects.get(change=compiled(m.rows(row))).connection == office


def test_planning_needs_no_secret_and_sends_nothing():
    office = m.system(secrets={"token": "very secret"})
    row = m.participant(m.account("Ada", office), m.group("Chess", office))
    (step,) = steps(compiled(m.rows(row)))
    assert "very secret" not in str(step.calls)


def queries_for(count):
    office = m.system(f"Office {count}")
    participants = m.crowd(count, m.group("Crowd", office))
    change = Change.objects.create(kind=ChangeKind.REMOVAL, created_at=timezone.now())
    with CaptureQueriesContext(connection) as captured:
        compile_removal(change, participants)
    return len(captured)


def test_queries_grow_only_by_chunks():
    few = queries_for(10)
    more_chunks = 1500 // IDS_PER_QUERY - 1
    assert queries_for(1500) <= few + 2 * more_chunks  # one to read a chunk, one to store it
