import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from membership.errors import BadValue, NotAllowed, Reason
from membership.models import AuditEntry, Participant
from membership.services import titles
from membership.services.change_pages import left_outs
from membership.services.changes import recompile, throw_away
from membership.services.matrix import NOT_THERE, draft_matrix, matrix
from membership.vocab import AuditAction, ChangeKind
from tests import mirrored as m
from tests.services.asking import assert_refused, confirm

pytestmark = pytest.mark.django_db


@pytest.fixture
def room(nord):
    return m.group("Room", nord)


@pytest.fixture
def hall(nord):
    return m.group("Hall", nord)


@pytest.fixture
def chat(club):
    return m.group("Chat", club)


@pytest.fixture
def ada(nord, club, room, chat):
    """In Room and Chat; not in Hall."""
    in_nord, in_club = m.account("Ada L.", nord), m.account("ada", club)
    m.participant(in_nord, room, can_write=True, is_muted=False)
    m.participant(in_club, chat)
    return m.person("Ada", in_nord, in_club)


def does(change):
    steps = change.operations.order_by("position")
    return [(step.verb, step.subject_label, step.group.name, step.wanted) for step in steps]


def shown(person, actor, *groups):
    return {cell.group.pk: cell.shown for part in matrix(person, actor=actor, groups=groups) for cell in part.cells}


def test_the_matrix_shows_groups_by_system_with_what_can_be_done_there(vera, ada, hall):
    found = matrix(ada, actor=vera, groups=[hall])
    assert [(part.connection.name, [cell.group.name for cell in part.cells]) for part in found] == [
        ("Club", ["Chat"]),
        ("Nord", ["Hall", "Room"]),
    ]
    club, nord = found
    assert (club.abilities.rights, nord.abilities.rights) == (
        ["is_manager"],
        ["is_manager", "can_write", "is_muted"],
    )
    hall_cell, room_cell = nord.cells
    assert (hall_cell.place, hall_cell.shown, hall_cell.right("can_write")) == (None, NOT_THERE, None)
    assert room_cell.right("can_write") is True


def test_one_edit_is_one_change_of_all_verbs(vera, ada, room, hall, chat):
    wished = {
        room.pk: {"is_present": True, "is_muted": True},
        hall.pk: {"is_present": True, "is_manager": True},
        chat.pk: {"is_present": False},
    }
    change = draft_matrix(ada, wished, shown=shown(ada, vera, hall), actor=vera)
    assert does(change) == [
        ("add", "Ada L.", "Hall", {"is_present": True, "is_manager": True}),
        ("update", "Ada L.", "Room", {"is_muted": True}),
        ("remove", "ada", "Chat", {"is_present": False}),
    ]
    assert (change.kind, change.people_count) == (ChangeKind.MATRIX, 1)
    assert titles.title(change) == "Change where Ada takes part: 3 groups"
    assert AuditEntry.objects.get(action=AuditAction.CHANGE_DRAFTED).person_id == ada.pk
    confirm(change, vera)


def test_cells_that_are_as_wished_are_no_part_of_it(vera, ada, room, hall, chat):
    wished = {
        room.pk: {"is_present": True, "is_manager": False, "can_write": True, "is_muted": True},
        hall.pk: {"is_present": False},
        chat.pk: {"is_present": True, "is_manager": False, "can_write": True, "is_muted": False},
    }
    change = draft_matrix(ada, wished, actor=vera)
    assert [step[2:] for step in does(change)] == [("Room", {"is_muted": True})]
    assert not left_outs(change).exists()


def test_an_edit_that_changes_nothing_is_refused(vera, ada, room):
    assert_refused(Reason.NOTHING_SELECTED, draft_matrix, ada, {room.pk: {"is_present": True}}, actor=vera)


def test_somebody_else_was_faster(vera, ada, room, hall):
    before = shown(ada, vera, hall)
    Participant.objects.filter(group=room).update(is_muted=True)
    assert_refused(
        Reason.EDITED_MEANWHILE, draft_matrix, ada, {room.pk: {"can_write": False}}, shown=before, actor=vera
    )
    m.participant(ada.accounts.get(connection=hall.connection), hall)
    assert_refused(
        Reason.EDITED_MEANWHILE, draft_matrix, ada, {hall.pk: {"is_present": True}}, shown=before, actor=vera
    )


def test_a_system_in_which_the_person_has_no_account_is_named(vera, ada):
    elsewhere = m.group("Chess", m.system("Office", "kaiten"))
    change = draft_matrix(ada, {elsewhere.pk: {"is_present": True}}, actor=vera)
    assert [(row.subject_label, row.reason) for row in left_outs(change)] == [("Ada", Reason.NO_ACCOUNT_THERE)]


@pytest.mark.parametrize("cell", [{"is_present": "yes"}, {"is_owner": True}, {"is_muted": None}])
def test_what_is_no_right_is_refused(vera, ada, room, cell):
    assert_refused(Reason.BAD_VALUE, draft_matrix, ada, {room.pk: cell}, actor=vera, error=BadValue)


def test_a_group_out_of_sight_is_refused_and_not_shown(ada, room, club):
    limited = m.user("limited", systems=[club])
    assert [part.connection.name for part in matrix(ada, actor=limited, groups=[room])] == ["Club"]
    wished = {room.pk: {"is_present": False}}
    assert_refused(Reason.NOT_VISIBLE, draft_matrix, ada, wished, actor=limited, error=NotAllowed)
    assert_refused(
        Reason.NOT_VISIBLE, draft_matrix, ada, {10**9: {"is_present": True}}, actor=limited, error=NotAllowed
    )


def test_a_protected_group_is_shown_as_fixed(vera, ada, room):
    room.is_protected = True
    room.save()
    assert [cell.is_fixed for part in matrix(ada, actor=vera) for cell in part.cells] == [False, True]


def test_an_edit_is_planned_anew(vera, ada, hall):
    change = draft_matrix(ada, {hall.pk: {"is_present": True}}, actor=vera)
    throw_away(change, actor=vera)
    assert [step[:3] for step in does(recompile(change, actor=vera))] == [("add", "Ada L.", "Hall")]


def test_queries_do_not_grow_with_places(vera, ada, nord):
    def queries():
        with CaptureQueriesContext(connection) as captured:
            for part in matrix(ada, actor=vera):
                [str((cell.group, cell.place, cell.is_fixed, cell.shown)) for cell in part.cells]
        return len(captured)

    queries()  # rights are looked up once
    few = queries()
    for number in range(20):
        m.participant(ada.accounts.get(connection=nord), m.group(f"G{number}", nord))
    assert queries() == few
