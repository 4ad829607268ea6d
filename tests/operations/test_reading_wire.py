"""Readings over real HTTP, by the worker, of all three systems."""

import pytest
from django.utils import timezone

from membership.errors import NotAllowed, Reason
from membership.models import Account, Drift, Group, Participant, Presence, Reading
from membership.sandbox.faults import Fault
from membership.services.refresh import request_refresh
from membership.vocab import DriftKind, PresenceCause, ReadingKind, ReadingState, Role
from tests.world import GROUP_UID


def who(group):
    rows = Participant.objects.filter(group__name=group, is_present=True).select_related("account")
    return {row.label: row.account.label if row.account else None for row in rows}


def refresh(world, connection):
    """Have a system read again; the reading, as it ended."""
    [row] = request_refresh(connections=[connection], actor=None)
    world.work()
    row.refresh_from_db()
    return row


def asked(server):
    return [entry.target for entry in server.journal.entries]


def test_the_mirror_is_the_three_remotes(read_world):
    assert who("Chess club") == {"Ada Lovelace": "Ada Lovelace", "Zoë Müller": "Zoë Müller", "José Ñandú": "José Ñandú"}
    assert who("Board") == {"Ada Lovelace": "Ada Lovelace"}
    assert set(who("Trainers")) == {"Musterbook Service", "Ada Lovelace", "Zoë Müller", "Łukasz Żak"}
    assert set(who("Группа 2")) == {"Ada Lovelace", "Иван Петров", "Grace Hopper"}
    assert set(Reading.objects.values_list("kind", "state")) == {(ReadingKind.SYSTEM, ReadingState.COMPLETE)}


def test_roles_are_mirrored(read_world):
    roles = dict(
        Participant.objects.filter(group__name="Группа 2").values_list("label", "is_member").annotate().order_by()
    )
    managers = set(Participant.objects.filter(is_manager=True).values_list("group__name", "label"))
    assert roles["Grace Hopper"] is False
    assert managers >= {("Chess club", "Ada Lovelace"), ("Trainers", "Łukasz Żak"), ("Группа 2", "Grace Hopper")}


def test_systems_are_known_as_of_their_reading(read_world):
    for connection in read_world.connections:
        connection.refresh_from_db()
        assert connection.read_at is not None
        assert connection.next_reading_at > timezone.now()


def test_own_accounts_are_known(read_world):
    own = Account.objects.filter(is_own=True)
    assert {(row.connection.provider, row.label) for row in own} >= {("mudbase", "Musterbook Service")}


def test_a_second_reading_asks_no_account_where_all_rows_are_linked(read_world):
    refresh(read_world, read_world.inwendo)
    assert not [target for target in asked(read_world.sandbox.inwendo) if "person=" in target]


def test_who_joined_outside_is_linked_and_noticed(read_world):
    state = read_world.sandbox.inwendo.state
    zoe = next(person.id for person in state.people if person.first_name == "Zoë")
    state.add_participant(8, id=81, person=zoe)
    assert refresh(read_world, read_world.inwendo).state == ReadingState.COMPLETE
    assert who("Board")["Zoë Müller"] == "Zoë Müller"
    assert list(Drift.objects.values_list("kind", "label")) == [(DriftKind.JOINED, "Zoë Müller")]


def test_a_soft_deleted_row_is_somebody_who_left(read_world):
    read_world.sandbox.inwendo.state.remove_by_hand(72)
    refresh(read_world, read_world.inwendo)
    assert "José Ñandú" not in who("Chess club")
    ended = Presence.objects.exclude(until=None).get()
    assert ended.ended_by == PresenceCause.READING


@pytest.mark.parametrize("fault", ["truncated", "html", "bad_json", "lost_answer"])
def test_a_broken_answer_takes_nobody_away(read_world, fault):
    state = read_world.sandbox.mudbase.state
    state.remove_by_hand("chat_2", "usr_ada")
    read_world.sandbox.mudbase.faults.add(Fault(fault, method="GET", path_contains="/chats/chat_2"))
    row = refresh(read_world, read_world.mudbase)
    assert row.state == ReadingState.INCOMPLETE
    assert "Ada Lovelace" in who("Trainers")
    assert Group.objects.get(name="Trainers").incomplete_reason == row.reason


def test_a_list_that_comes_empty_takes_nobody_away(read_world):
    state = read_world.sandbox.kaiten.state
    for user in (3, 4):
        state.remove_by_hand(GROUP_UID, user)
    state.remove_by_hand(GROUP_UID, 4, list="admins")
    state.remove_by_hand(GROUP_UID, 5, list="admins")
    row = refresh(read_world, read_world.kaiten)
    assert (row.state, row.reason) == (ReadingState.INCOMPLETE, Reason.EMPTY_WHERE_ROWS_WERE)
    assert len(who("Группа 2")) == 3


def test_a_throttled_remote_is_asked_again_and_read_whole(read_world):
    read_world.sandbox.kaiten.faults.add(
        Fault("throttle", path_contains=f"/groups/{GROUP_UID}/users", times=1, seconds=1, retry_after=True)
    )
    assert refresh(read_world, read_world.kaiten).state == ReadingState.COMPLETE


def test_a_chat_that_we_may_no_longer_see_stays(read_world):
    state = read_world.sandbox.mudbase.state
    state.add_chat("Parents", project="proj_1", id="chat_3", admin="usr_own")
    refresh(read_world, read_world.mudbase)
    state.remove_by_hand("chat_3", "usr_own")
    row = refresh(read_world, read_world.mudbase)
    assert (row.state, row.reason) == (ReadingState.INCOMPLETE, Reason.GROUP_VANISHED)
    assert Group.objects.get(name="Parents").is_present


def test_a_kaiten_group_that_was_deleted_is_gone(read_world):
    state = read_world.sandbox.kaiten.state
    group = state.add_group("Short-lived")
    state.add_member(group.uid, 3)
    refresh(read_world, read_world.kaiten)
    state.delete_group(group.uid)
    assert refresh(read_world, read_world.kaiten).state == ReadingState.COMPLETE
    assert not Group.objects.get(name="Short-lived").is_present
    assert who("Short-lived") == {}


def test_a_refused_token_stops_the_system_and_ends_its_reading(read_world):
    read_world.sandbox.kaiten.state.revoke_all()
    row = refresh(read_world, read_world.kaiten)
    read_world.work()
    row.refresh_from_db()
    assert (row.state, row.reason) == (ReadingState.FAILED, Reason.TOKEN_NOT_ACCEPTED)
    assert len(who("Группа 2")) == 3


def test_names_that_no_column_takes_as_they_are_do_not_stop_a_reading(read_world):
    state = read_world.sandbox.kaiten.state
    state.add_user("\x00nul \ud800lone " + "x" * 1000, email="hostile@example.org", id=66)
    state.add_member(GROUP_UID, 66)
    state.add_member(GROUP_UID, state.add_user("<script>alert(1)</script>", email="a@b.example").id)
    refresh(read_world, read_world.kaiten)
    names = set(who("Группа 2"))
    assert "<script>alert(1)</script>" in names
    assert any("nul" in name and len(name) <= 600 for name in names)


def test_the_places_of_one_person_are_read_from_the_remote(read_world):
    ada = read_world.account("Ada Lovelace", read_world.inwendo)
    state = read_world.sandbox.inwendo.state
    room = state.add_room("Choir", id=9)
    state.add_participant(room.id, id=90, person=int(ada.remote_id))
    row = Reading.objects.create(
        connection=read_world.inwendo, kind=ReadingKind.PLACES, account=ada, asked_at=timezone.now()
    )
    read_world.work()
    row.refresh_from_db()
    assert row.state == ReadingState.COMPLETE
    assert who("Choir") == {"Ada Lovelace": "Ada Lovelace"}
    assert any("person=" in target for target in asked(read_world.sandbox.inwendo))


def test_the_readings_count_what_was_sent(read_world):
    row = refresh(read_world, read_world.mudbase)
    assert row.requests == len(read_world.sandbox.mudbase.journal.entries)


def test_a_group_that_has_really_become_empty_is_believed_when_somebody_says_so(world, make_user):
    world.read()
    state = world.sandbox.kaiten.state
    for user in (*state.members(GROUP_UID), *state.admins(GROUP_UID)):
        for on_list in ("users", "admins"):
            if state.is_on(GROUP_UID, user, on_list):
                state.remove_by_hand(GROUP_UID, user, list=on_list)
    world.read()
    group = world.group("Группа 2")
    assert (group.incomplete_reason, group.participants_count) == (Reason.EMPTY_WHERE_ROWS_WERE, 3)

    request_refresh(groups=[group], accept_fewer=True, actor=make_user("oona", Role.OPERATOR))
    world.work()
    group.refresh_from_db()
    assert (group.incomplete_reason, group.participants_count) == ("", 0)


def test_believing_a_smaller_list_takes_the_right_to_act(world, approver):
    world.read()
    with pytest.raises(NotAllowed):
        request_refresh(groups=[world.group("Группа 2")], accept_fewer=True, actor=approver)
