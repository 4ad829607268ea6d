import pytest

from membership.errors import BadValue, NotAllowed, Reason
from membership.models import Bundle, BundleItem, Change
from membership.services import bundles, titles
from membership.services.bundles import Line
from membership.services.change_pages import left_outs
from membership.services.changes import recompile, throw_away
from membership.services.step_words import left_out_sentence
from membership.vocab import AuditAction, ChangeKind, Role
from tests import mirrored as m
from tests.services.asking import assert_refused, confirm, entries

pytestmark = pytest.mark.django_db


@pytest.fixture
def room(nord):
    return m.group("Room", nord)


@pytest.fixture
def chat(club):
    return m.group("Chat", club)


@pytest.fixture
def ada(nord, club):
    return m.person("Ada", m.account("Ada L.", nord), m.account("ada", club))


@pytest.fixture
def trainers(vera, room, chat):
    lines = [Line(room, can_write=False), Line(chat, is_manager=True)]
    return bundles.save_bundle(None, name=" Trainer  U12 ", note="all", lines=lines, actor=vera)


def does(change):
    return [(step.verb, step.subject_label, step.group.name, step.wanted) for step in change.operations.all()]


def left(change):
    return [(row.subject_label, row.group.name, left_out_sentence(row)) for row in left_outs(change)]


def items(bundle):
    return sorted(bundle.items.values_list("group__name", "is_manager", "can_write", "is_muted"))


def test_a_bundle_is_saved_with_its_rights_and_logged(trainers, vera):
    assert (trainers.name, trainers.note) == ("Trainer U12", "all")
    assert items(trainers) == [("Chat", True, None, None), ("Room", False, False, None)]
    assert entries(AuditAction.BUNDLE_SAVED).get().actor_id == vera.pk


def test_a_bundle_is_edited_as_a_whole(trainers, vera, room):
    bundles.save_bundle(trainers, name="Coach", lines=[Line(room, is_muted=True)], actor=vera)
    assert (Bundle.objects.get().name, items(trainers)) == ("Coach", [("Room", False, None, True)])


def test_a_group_named_twice_is_in_it_once(vera, room):
    saved = bundles.save_bundle(None, name="B", lines=[Line(room), Line(room, is_manager=True)], actor=vera)
    assert items(saved) == [("Room", True, None, None)]


@pytest.mark.parametrize("name", ["", " \u200b ", "x" * 201, "Trainer U12"])
def test_a_name_that_cannot_be_is_refused(trainers, vera, room, name):
    assert_refused(
        Reason.BAD_VALUE, bundles.save_bundle, None, name=name, lines=[Line(room)], actor=vera, error=BadValue
    )
    assert Bundle.objects.count() == 1


def test_a_bundle_without_a_group_or_with_one_out_of_sight_is_refused(vera, room, club):
    assert_refused(Reason.NOTHING_SELECTED, bundles.save_bundle, None, name="B", lines=[], actor=vera)
    limited = m.user("limited", systems=[club])
    assert_refused(
        Reason.NOT_VISIBLE, bundles.save_bundle, None, name="B", lines=[Line(room)], actor=limited, error=NotAllowed
    )
    assert not BundleItem.objects.exists()


def test_a_bundle_with_a_group_out_of_sight_is_out_of_sight(trainers, club, chat, ada):
    limited = m.user("limited", systems=[club])
    for ask in (
        lambda: bundles.save_bundle(trainers, name="Mine", lines=[Line(chat)], actor=limited),
        lambda: bundles.delete_bundle(trainers, actor=limited),
        lambda: bundles.draft_bundle(trainers, [ada], actor=limited),
        lambda: bundles.draft_withdrawal(trainers, [ada], actor=limited),
    ):
        with pytest.raises(NotAllowed):
            ask()
    assert Bundle.objects.get().name == "Trainer U12"


def test_a_deleted_bundle_leaves_its_changes_their_name(trainers, vera, ada):
    change = bundles.draft_bundle(trainers, [ada], actor=vera)
    bundles.delete_bundle(trainers, actor=vera)
    assert not Bundle.objects.exists()
    assert titles.title(change) == "Give the bundle “Trainer U12” to 1 person"
    assert entries(AuditAction.BUNDLE_DELETED).exists()
    throw_away(change, actor=vera)
    assert_refused(Reason.NOTHING_SELECTED, recompile, change, actor=vera)


def test_people_join_every_group_of_it_with_its_rights(trainers, vera, ada):
    change = bundles.draft_bundle(trainers, [ada], actor=vera)
    assert does(change) == [
        ("add", "ada", "Chat", {"is_present": True, "is_manager": True}),
        ("add", "Ada L.", "Room", {"is_present": True, "can_write": False}),
    ]
    assert change.kind == ChangeKind.BUNDLE
    confirm(change, vera)


def test_who_has_no_account_in_a_system_is_named_for_it(trainers, vera, nord):
    bea = m.person("Bea", m.account("Bea", nord))
    change = bundles.draft_bundle(trainers, [bea], actor=vera)
    assert [step[2] for step in does(change)] == ["Room"]
    assert left(change) == [("Bea", "Chat", "Has no account in Club.")]


def test_a_manager_is_not_demoted_by_a_bundle_of_ordinary_members(trainers, vera, ada, room, nord):
    m.participant(ada.accounts.get(connection=nord), room, is_manager=True, can_write=False)
    assert left(bundles.draft_bundle(trainers, [ada], actor=vera)) == [("Ada L.", "Room", "Already so.")]


def test_a_group_that_vanished_is_one_sentence(trainers, vera, ada, room):
    room.is_present = False
    room.save()
    change = bundles.draft_bundle(trainers, [ada], actor=vera)
    assert left(change) == [("Ada L.", "Room", "The group is gone, or Musterbook's account can no longer see it.")]
    assert [step[:3] for step in does(change)] == [("add", "ada", "Chat")]
    assert '"left_out":1' in entries(AuditAction.CHANGE_DRAFTED).get(change_id=change.pk).sealed
    BundleItem.objects.all().delete()
    assert_refused(Reason.NOTHING_SELECTED, bundles.draft_bundle, trainers, [ada], actor=vera)


def test_it_is_withdrawn_from_where_people_are(trainers, vera, ada, room, nord):
    m.participant(ada.accounts.get(connection=nord), room)
    change = bundles.draft_withdrawal(trainers, [ada], actor=vera)
    assert [step[:3] for step in does(change)] == [("remove", "Ada L.", "Room")]
    assert left(change) == [("Ada", "Chat", "Is not in this group.")]
    assert (change.kind, titles.title(change)) == (
        ChangeKind.BUNDLE_WITHDRAWN,
        "Withdraw the bundle “Trainer U12” from 1 person",
    )
    throw_away(change, actor=vera)
    assert recompile(change, actor=vera).operations_count == 1


def test_nobody_is_refused(trainers, vera):
    assert_refused(Reason.NOTHING_SELECTED, bundles.draft_bundle, trainers, [], actor=vera)


def test_who_may_not_act_may_not(trainers, ada):
    with pytest.raises(NotAllowed):
        bundles.draft_bundle(trainers, [ada], actor=m.user("tom", Role.VIEWER))
    assert not Change.objects.exists()
