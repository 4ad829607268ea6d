import pytest

from membership.errors import NotAllowed, Reason
from membership.models import Person
from membership.services import titles
from membership.services.change_pages import left_outs, preview
from membership.services.changes import recompile, throw_away
from membership.services.same_groups import draft_same_groups
from membership.vocab import ChangeKind
from tests import mirrored as m
from tests.services.asking import assert_refused

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada(nord, club):
    """Manager in Room, muted and silent in Hall, in Chat."""
    in_nord, in_club = m.account("Ada L.", nord), m.account("ada", club)
    m.participant(in_nord, m.group("Room", nord), is_manager=True, can_write=True)
    m.participant(in_nord, m.group("Hall", nord), is_muted=True, can_write=False)
    m.participant(in_club, m.group("Chat", club))
    m.participant(in_club, m.group("Left", club), is_present=False)
    return m.person("Ada", in_nord, in_club)


@pytest.fixture
def bea(nord, club):
    return m.person("Bea", m.account("Bea B.", nord), m.account("bea", club))


def does(change):
    return [(step.verb, step.subject_label, step.group.name, step.wanted) for step in change.operations.all()]


def test_people_join_wherever_somebody_else_is_with_the_rights(vera, ada, bea):
    change = draft_same_groups(ada, [bea], actor=vera)
    assert does(change) == [
        ("add", "bea", "Chat", {"is_present": True}),
        ("add", "Bea B.", "Hall", {"is_present": True, "can_write": False}),
        ("add", "Bea B.", "Room", {"is_present": True, "is_manager": True}),
    ]
    assert (change.kind, titles.title(change)) == (
        ChangeKind.SAME_GROUPS,
        "Give 1 person the same groups as Ada",
    )


def test_without_rights_people_join_as_anybody(vera, ada, bea):
    change = draft_same_groups(ada, [bea], with_rights=False, actor=vera)
    assert {tuple(step[3]) for step in does(change)} == {("is_present",)}


def test_who_has_no_account_in_a_system_is_named_for_each_group(vera, ada, club):
    cem = m.person("Cem", m.account("cem", club))
    change = draft_same_groups(ada, [cem], actor=vera)
    assert [(row.group.name, row.reason) for row in left_outs(change)] == [
        ("Hall", Reason.NO_ACCOUNT_THERE),
        ("Room", Reason.NO_ACCOUNT_THERE),
    ]


def test_nobody_is_given_their_own_groups(vera, ada):
    assert_refused(Reason.NOTHING_SELECTED, draft_same_groups, ada, [ada], actor=vera)


def test_somebody_who_is_nowhere_gives_nothing(vera, bea):
    assert_refused(Reason.NOTHING_SELECTED, draft_same_groups, Person.objects.create(name="N"), [bea], actor=vera)


def test_groups_out_of_sight_are_not_given_and_the_preview_says_so(ada, bea, club):
    limited = m.user("limited", systems=[club])
    change = draft_same_groups(ada, [bea], actor=limited)
    assert [step[2] for step in does(change)] == ["Chat"]
    assert any("may not see" in note.text for note in preview(change, actor=limited).notes)


def test_somebody_out_of_sight_is_refused(ada, nord, club):
    hidden = m.person("Hidden", m.account("h", nord))
    limited = m.user("limited", systems=[club])
    assert_refused(Reason.NOT_VISIBLE, draft_same_groups, ada, [hidden], actor=limited, error=NotAllowed)
    assert_refused(Reason.NOT_VISIBLE, draft_same_groups, hidden, [ada], actor=limited, error=NotAllowed)


def test_it_is_planned_anew_from_where_somebody_is_now(vera, ada, bea, club):
    change = draft_same_groups(ada, [bea], actor=vera)
    throw_away(change, actor=vera)
    m.participant(ada.accounts.get(connection=club), m.group("New", club))
    assert [step[2] for step in does(recompile(change, actor=vera))] == ["Chat", "New", "Hall", "Room"]
