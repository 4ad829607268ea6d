import pytest

from membership.errors import BadValue, ChangeRefused, NotAllowed, Reason
from membership.models import AuditPersonal, Change, Connection, Reading
from membership.services import groups, titles
from membership.services.abilities import abilities
from membership.services.change_pages import left_outs, preview
from membership.services.changes import recompile, throw_away
from membership.services.step_words import left_out_sentence, step_markup, step_text, today_there
from membership.vocab import AuditAction, ChangeState, ConnectionState, ReadingKind, Role
from tests import mirrored as m
from tests.services.asking import assert_refused, confirm, entries

pytestmark = pytest.mark.django_db


@pytest.fixture
def chess(office):
    return m.group("Chess", office)


def test_a_group_is_created(vera, office):
    change = groups.draft_create(office, "  Trainers\tU12 ", actor=vera)
    assert titles.title(change) == "Create the group Trainers U12 in Office"
    assert step_text(change.operations.get()) == "The group Trainers U12 is created in Office"
    assert (change.groups_count, change.people_count, change.operations_count) == (1, 0, 1)
    assert change.parts.get().connection == office
    assert confirm(change, vera).state == ChangeState.QUEUED


def test_a_chat_is_created_with_its_members(vera):
    club = m.system("Club", "mudbase")
    change = groups.draft_create(club, "Chat", members=[m.account("Ada", club), m.account("Bea", club)], actor=vera)
    assert step_text(change.operations.get()) == "The group Chat is created in Club (with 2 people)"
    assert change.people_count == 2


def test_a_group_is_renamed(vera, chess):
    change = groups.draft_rename(chess, "<b>Chess</b> club", actor=vera)
    assert titles.title(change) == "Rename the group Chess in Office to <b>Chess</b> club"
    step = change.operations.get()
    assert step_text(step) == "The group Chess in Office is renamed to <b>Chess</b> club"
    assert "&lt;b&gt;" in step_markup(step) and today_there(step) == ""
    assert confirm(change, vera).state == ChangeState.QUEUED


def test_a_name_of_600_characters_is_refused_with_one_sentence(vera, office, chess):
    for ask in (
        lambda: groups.draft_rename(chess, "x" * 600, actor=vera),
        lambda: groups.draft_create(office, "x" * 600, actor=vera),
    ):
        with pytest.raises(BadValue) as refused:
            ask()
        assert refused.value.params["why"] == "it has 600 characters, and Office takes 512 at most"
    assert entries(AuditAction.REQUEST_REFUSED).count() == 2
    assert not Change.objects.exists()


@pytest.mark.parametrize("name", ["", "  \n", "\u200b", "\x00"])
def test_a_group_without_a_visible_name_is_refused(vera, chess, name):
    assert_refused(Reason.BAD_VALUE, groups.draft_rename, chess, name, actor=vera, error=BadValue)


def test_a_name_that_it_has_already_does_nothing(vera, chess):
    change = groups.draft_rename(chess, "Chess", actor=vera)
    assert (titles.title(change), [row.reason for row in left_outs(change)]) == ("Nothing to change", ["already_so"])


@pytest.mark.parametrize(
    ("kind", "can"),
    [
        ("inwendo", (False, False, False, True)),
        ("mudbase", (True, False, False, False)),
        ("kaiten", (True, True, True, False)),
    ],
)
def test_what_a_remote_cannot_do_is_not_offered_and_left_out_with_its_name(vera, kind, can):
    where = m.system("There", kind)
    offered = abilities(where)
    assert (offered.create_group, offered.rename_group, offered.delete_group, offered.tracks_groups) == can
    room = m.group("Room", where)
    drafts = (
        groups.draft_create(where, "New", actor=vera),
        groups.draft_rename(room, "Other", actor=vera),
        groups.draft_delete(room, actor=vera),
    )
    verbs = ("create", "rename", "delete")
    for verb, change, works in zip(verbs, drafts, can, strict=False):
        assert bool(change.operations_count) is works
        if not works:
            (said,) = [left_out_sentence(row) for row in left_outs(change)]
            assert said == f"{where.provider_label} cannot {verb} groups."


def test_a_retired_system_offers_nothing(office):
    office.state = ConnectionState.RETIRED
    can = abilities(office)
    assert not (can.add or can.remove or can.edits or can.create_group or can.rename_group or can.delete_group)


# deleting


def test_a_group_is_deleted_only_with_its_name_typed(vera, chess):
    change = groups.draft_delete(chess, actor=vera)
    assert titles.question(change) == "Delete the group Chess in Office?"
    assert preview(change, actor=vera).name_to_type == "Chess"
    for typed in ("", "chess", "Chess club"):
        assert_refused(Reason.NAME_NOT_TYPED, confirm, change, vera, typed_name=typed)
    assert confirm(change, vera, typed_name=" Chess ").state == ChangeState.QUEUED


def test_a_name_is_typed_as_it_is_shown(vera, office):
    odd = m.group("Cafe\u0301  \u202eclub", office)
    change = groups.draft_delete(odd, actor=vera)
    assert preview(change, actor=vera).name_to_type == "Café  ‹U+202E›club".replace("é", "e\u0301")
    assert confirm(change, vera, typed_name="Café ‹U+202E›club").state == ChangeState.QUEUED


def test_a_group_renamed_meanwhile_is_not_deleted_by_its_old_name(vera, chess):
    change = groups.draft_delete(chess, actor=vera)
    chess.name = "Board"
    chess.save()
    assert_refused(Reason.PLAN_STALE, confirm, change, vera, typed_name="Chess")


def test_other_changes_ask_for_no_name(vera, chess):
    assert preview(groups.draft_rename(chess, "New", actor=vera), actor=vera).name_to_type == ""


# again


def test_each_draft_is_planned_anew(vera, office, chess):
    for change in (
        groups.draft_create(office, "New", actor=vera),
        groups.draft_rename(chess, "Other", actor=vera),
        groups.draft_delete(chess, actor=vera),
    ):
        throw_away(change, actor=vera)
        again = recompile(change, actor=vera)
        assert (titles.title(again), again.operations_count) == (titles.title(change), 1)


@pytest.mark.parametrize("role", [Role.VIEWER, Role.APPROVER, Role.AUDITOR])
def test_who_may_not_act_changes_no_group(office, chess, role):
    tom = m.user("tom", role)
    for ask in (
        lambda: groups.draft_create(office, "New", actor=tom),
        lambda: groups.draft_rename(chess, "New", actor=tom),
        lambda: groups.draft_delete(chess, actor=tom),
        lambda: groups.track(office, "7", actor=tom),
    ):
        with pytest.raises(NotAllowed):
            ask()


def test_a_group_out_of_sight_is_refused(chess):
    limited = m.user("limited", systems=[m.system("Club", "mudbase")])
    for ask in (groups.draft_rename, groups.draft_delete):
        arguments = (chess, "New") if ask is groups.draft_rename else (chess,)
        with pytest.raises(NotAllowed):
            ask(*arguments, actor=limited)


# tracking


def rooms(system):
    return Connection.objects.get(pk=system.pk).options["rooms"]


@pytest.mark.parametrize(
    "typed", ["123", " 123 ", "https://remote.example/#/chat/room/123", "https://remote.example/chat/123/"]
)
def test_a_room_is_tracked_by_its_id_or_a_link_and_read(vera, nord, typed):
    reading = groups.track(nord, typed, actor=vera)
    assert rooms(nord) == "123"
    assert (reading.kind, reading.connection) == (ReadingKind.SYSTEM, nord)
    (entry,) = entries(AuditAction.GROUP_TRACKED)
    assert (entry.connection_id, entry.actor_id) == (nord.pk, vera.pk)
    assert "123" in AuditPersonal.objects.get(pk=entry.pk).data


def test_rooms_add_up_and_one_named_twice_is_only_read_again(vera, nord):
    for typed in ("7", "8", "7"):
        groups.track(nord, typed, actor=vera)
    assert rooms(nord) == "7, 8"
    assert entries(AuditAction.GROUP_TRACKED).count() == 2
    assert Reading.objects.count() == 1


@pytest.mark.parametrize(
    "typed",
    ["", "..", "a/b", "https://remote.example/chat", "https://elsewhere.example/chat/123", "7, 8", "https://[broken/7"],
)
def test_what_names_no_room_of_this_system_is_refused(vera, nord, typed):
    assert_refused(Reason.BAD_VALUE, groups.track, nord, typed, actor=vera, error=BadValue)
    assert "rooms" not in Connection.objects.get(pk=nord.pk).options


def test_a_system_that_lists_its_groups_tracks_none(vera, office):
    with pytest.raises(ChangeRefused) as refused:
        groups.track(office, "7", actor=vera)
    assert refused.value.reason == Reason.NOT_OFFERED
