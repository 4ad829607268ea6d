import pytest
from django.utils import timezone

from membership.models import Change, Connection, Group, Operation, Participant
from membership.operations.verbs import RIGHTS
from membership.plans.drafting import drafter
from membership.providers.base import AccountRef, GroupRef, ParticipantRef, Wanted
from membership.sandbox.faults import Fault
from membership.vocab import ChangeKind, ChangeState, OperationState, PresenceCause, Verb
from tests import steps, truth
from tests.world import GROUP_UID


def ask(connection, verb, *, calls, **columns):
    """One confirmed operation, written as plans write it."""
    change = Change.objects.create(
        kind=ChangeKind.ADDITION, state=ChangeState.QUEUED, created_at=timezone.now(), confirmed_at=timezone.now()
    )
    columns = {"wanted": {}, "before": {}, "subject_label": "somebody", **columns}
    Operation.objects.create(
        change=change,
        position=0,
        connection=connection,
        verb=verb,
        calls=[call.to_json() for call in calls],
        salt="s",
        **columns,
    )
    return steps.asked_for(change)


def add(world, label, connection, group_name, **rights):
    group, account = world.group(group_name), world.account(label, connection)
    reference = GroupRef(group.remote_id, group.remote_number)
    calls = drafter(connection).add(reference, AccountRef(account.remote_id), Wanted(name=label, **rights))
    return ask(
        connection,
        Verb.ADD,
        calls=calls,
        group=group,
        account=account,
        subject=f"account:{account.remote_id}",
        subject_label=label,
        wanted={"is_present": True, **rights},
        before={"is_present": False, "row": None},
    )


def alter(world, label, group_name, **rights):
    row = world.row(label, group_name)
    group, account = row.group, row.account
    before = {"is_present": True, "row": row.remote_id, **{name: getattr(row, name) for name in RIGHTS}}
    reference = ParticipantRef(
        GroupRef(group.remote_id, group.remote_number),
        row.remote_id,
        account.remote_id if account else None,
        row.is_member,
        row.is_manager,
    )
    return ask(
        group.connection,
        Verb.UPDATE,
        calls=drafter(group.connection).update(reference, Wanted(**rights)),
        group=group,
        account=account,
        participant=row,
        subject=f"account:{account.remote_id}" if account else f"row:{row.remote_id}",
        subject_label=label,
        wanted=rights,
        before=before,
    )


def outcome(world, change):
    step = Operation.objects.get(change=change)
    return step.state, step.outcome


@pytest.fixture
def read_world(world):
    world.read()
    return world


CONFIRMED = (OperationState.CONFIRMED, "")


def test_an_addition_in_each_system_is_sent_once_and_stands_in_the_mirror(read_world):
    changes = [
        add(read_world, "Zoë Müller", read_world.inwendo, "Board"),
        add(read_world, "Grace Hopper", read_world.kaiten, "Группа 2"),
    ]
    read_world.sandbox.mudbase.state.remove_by_hand("chat_2", "usr_zoe")
    read_world.read()
    changes.append(add(read_world, "Zoë Müller", read_world.mudbase, "Trainers"))
    read_world.work()
    assert [outcome(read_world, change)[0] for change in changes[::2]] == [OperationState.CONFIRMED] * 2
    for label, group in (("Zoë Müller", "Board"), ("Zoë Müller", "Trainers")):
        row = read_world.row(label, group)
        assert row.is_present
        assert row.account is not None
        assert row.presences.get(until=None).began_by == PresenceCause.OPERATION


def test_a_member_becomes_manager_in_each_system(read_world):
    changes = [
        alter(read_world, "Zoë Müller", "Chess club", is_manager=True),
        alter(read_world, "Zoë Müller", "Trainers", is_manager=True),
        alter(read_world, "Ada Lovelace", "Группа 2", is_manager=True),
    ]
    read_world.work()
    assert [outcome(read_world, change) for change in changes] == [CONFIRMED] * 3
    assert read_world.sandbox.inwendo.state.participants.get(71).room_admin
    assert read_world.sandbox.mudbase.state.roles("chat_2")["usr_zoe"] == "admin"
    assert read_world.sandbox.kaiten.state.is_on(GROUP_UID, 3, "admins")
    assert all(
        read_world.row(*where).is_manager
        for where in (("Zoë Müller", "Chess club"), ("Zoë Müller", "Trainers"), ("Ada Lovelace", "Группа 2"))
    )


def test_muting_in_inwendo_keeps_what_somebody_else_changed_in_the_row(read_world):
    change = alter(read_world, "Zoë Müller", "Chess club", is_muted=True)
    read_world.sandbox.inwendo.state.switch(put="replace")
    read_world.sandbox.inwendo.state.change_by_hand(71, nickname="Zo")
    read_world.work()
    assert outcome(read_world, change) == CONFIRMED
    row = read_world.sandbox.inwendo.state.participants.get(71)
    assert (row.is_muted, row.first_name) == (True, "Zoë")


def test_an_inwendo_addition_whose_answer_is_lost_makes_one_row(read_world):
    read_world.sandbox.inwendo.faults.add(Fault("lost_answer", method="POST", path_contains="participant", times=1))
    change = add(read_world, "Zoë Müller", read_world.inwendo, "Board")
    read_world.work()
    assert outcome(read_world, change)[0] == OperationState.CONFIRMED
    assert len(read_world.sandbox.inwendo.state.live(8)) == 2
    assert len(read_world.sent()["inwendo"]) == 1


def test_an_inwendo_addition_that_did_not_arrive_is_read_twice_before_it_is_sent_again(read_world):
    read_world.sandbox.inwendo.faults.add(Fault("drop_before", method="POST", path_contains="participant", times=1))
    change = add(read_world, "Zoë Müller", read_world.inwendo, "Board")
    read_world.work()
    step = Operation.objects.get(change=change)
    assert (step.state, step.resends, step.results["readings"]) == (OperationState.CONFIRMED, 1, 1)
    assert len(read_world.sandbox.inwendo.state.live(8)) == 2


def test_somebody_who_was_added_meanwhile_is_not_added_twice(read_world):
    change = add(read_world, "Zoë Müller", read_world.inwendo, "Board")
    zoe = read_world.sandbox.inwendo.state.participants.get(71).person
    read_world.sandbox.inwendo.state.add_participant(8, person=zoe)
    read_world.work()
    assert outcome(read_world, change) == (OperationState.CONFIRMED, "already_so")
    assert read_world.sent()["inwendo"] == []


@pytest.mark.parametrize("rights", [{}, {"is_muted": True}])
def test_of_somebody_who_seems_to_be_there_twice_nothing_is_called_done(read_world, rights):
    """Two rows: which of them counts, and whether the rights of both are as wished, nobody knows."""
    change = add(read_world, "Zoë Müller", read_world.inwendo, "Board", **rights)
    inwendo = read_world.sandbox.inwendo.state
    for _row in range(2):
        inwendo.add_participant(8, person=inwendo.participants.get(71).person)
    read_world.work()
    assert outcome(read_world, change)[0] == OperationState.FOREIGN
    assert read_world.sent()["inwendo"] == []


def test_an_addition_whose_row_could_not_be_asked_for_is_no_difference_made_outside(read_world):
    """The look before it went well, the one after it did not; the group is read again then."""
    change = add(read_world, "Zoë Müller", read_world.inwendo, "Board")
    read_world.sandbox.inwendo.faults.add(Fault("status", path_contains="person=", status=500, after=1, times=1))
    read_world.work()
    assert outcome(read_world, change) == CONFIRMED
    assert read_world.row("Zoë Müller", "Board").is_present
    assert truth.drift() == []


def test_an_addition_with_rights_gives_them_to_the_new_row(read_world):
    change = add(read_world, "Zoë Müller", read_world.inwendo, "Board", is_muted=True)
    read_world.work()
    assert outcome(read_world, change) == CONFIRMED
    assert read_world.row("Zoë Müller", "Board").is_muted


def test_a_role_change_that_stops_half_way_says_so_and_the_mirror_knows(read_world):
    read_world.sandbox.mudbase.faults.add(
        Fault("status", method="POST", path_contains="participants", status=400, body={"error": "no"})
    )
    change = alter(read_world, "Zoë Müller", "Trainers", is_manager=True)
    read_world.work()
    step = Operation.objects.get(change=change)
    assert step.state == OperationState.REFUSED
    assert step.outcome_params["half_done"]
    assert not read_world.row("Zoë Müller", "Trainers").is_present


def test_a_role_change_whose_removal_lost_its_answer_goes_on_with_the_addition(read_world):
    read_world.sandbox.mudbase.faults.add(Fault("lost_answer", method="DELETE", times=1))
    change = alter(read_world, "Zoë Müller", "Trainers", is_manager=True)
    read_world.work()
    assert outcome(read_world, change)[0] == OperationState.CONFIRMED
    assert [line.split()[0] for line in read_world.sent()["mudbase"]] == ["DELETE", "POST"]


def test_somebody_removed_by_others_meanwhile_is_not_put_back_by_a_change_of_role(read_world):
    change = alter(read_world, "Zoë Müller", "Trainers", is_manager=True)
    read_world.sandbox.mudbase.state.remove_by_hand("chat_2", "usr_zoe")
    read_world.work()
    assert outcome(read_world, change)[0] == OperationState.FOREIGN
    assert "usr_zoe" not in read_world.sandbox.mudbase.state.roles("chat_2")


def test_a_manager_who_became_a_member_by_a_lost_answer_still_stops_managing(read_world):
    read_world.sandbox.kaiten.faults.add(Fault("lost_answer", method="POST", times=1))
    change = alter(read_world, "Grace Hopper", "Группа 2", is_manager=False)
    read_world.work()
    assert outcome(read_world, change)[0] == OperationState.CONFIRMED
    assert [line.split()[0] for line in read_world.sent()["kaiten"]] == ["POST", "DELETE"]
    truth.check_mirror(read_world)


def test_a_kaiten_group_is_made_renamed_and_deleted(read_world):
    provider = drafter(read_world.kaiten)
    made = ask(
        read_world.kaiten,
        Verb.CREATE_GROUP,
        calls=provider.create_group("New"),
        subject="group:New",
        wanted={"name": "New", "members": []},
    )
    read_world.work()
    assert outcome(read_world, made) == CONFIRMED
    group = Group.objects.get(name="New")
    renamed = ask(
        read_world.kaiten,
        Verb.RENAME_GROUP,
        calls=provider.rename_group(GroupRef(group.remote_id, group.remote_number), "Newer"),
        group=group,
        subject="group",
        before={"name": "New"},
        wanted={"name": "Newer"},
    )
    read_world.work()
    assert outcome(read_world, renamed) == CONFIRMED
    group.refresh_from_db()
    assert group.name == "Newer"
    deleted = ask(
        read_world.kaiten,
        Verb.DELETE_GROUP,
        calls=provider.delete_group(GroupRef(group.remote_id, group.remote_number)),
        group=group,
        subject="group",
        before={"is_present": True, "name": "Newer"},
        wanted={"is_present": False},
    )
    read_world.work()
    assert outcome(read_world, deleted) == CONFIRMED
    group.refresh_from_db()
    assert not group.is_present


def test_a_group_whose_creation_lost_its_answer_is_made_once(read_world):
    read_world.sandbox.kaiten.faults.add(Fault("lost_answer", method="POST", times=1))
    change = ask(
        read_world.kaiten,
        Verb.CREATE_GROUP,
        calls=drafter(read_world.kaiten).create_group("New"),
        subject="group:New",
        wanted={"name": "New", "members": []},
    )
    read_world.work()
    assert outcome(read_world, change)[0] == OperationState.CONFIRMED
    assert len([group for group in read_world.sandbox.kaiten.state.groups if group.name == "New"]) == 1
    assert Group.objects.filter(name="New").count() == 1


@pytest.mark.parametrize(
    ("method", "wish"),
    [
        ("POST", lambda world: steps.creation(world.kaiten, "New")),
        ("PATCH", lambda world: steps.renaming(world.group("Группа 2"), "Newer")),
        ("DELETE", lambda world: steps.deletion(world.group("Группа 2"))),
    ],
)
def test_a_reading_leaves_a_group_alone_while_what_we_did_to_it_is_in_doubt(read_world, method, wish):
    """A new group that a reading took in would not be known for ours, and be made a second time."""
    kaiten = Connection.objects.filter(pk=read_world.kaiten.pk)
    kaiten.update(settle_s=1)
    read_world.sandbox.kaiten.faults.add(Fault("lost_answer", method=method, times=1))
    change = steps.confirmed(wish(read_world))
    kaiten.update(next_reading_at=None)
    read_world.work()
    assert outcome(read_world, change)[0] == OperationState.CONFIRMED
    assert len(read_world.sent()["kaiten"]) == 1
    assert truth.drift() == []
    kaiten.update(next_reading_at=None)
    read_world.work()
    truth.check_mirror(read_world)


def test_what_was_promoted_already_is_not_sent(read_world):
    change = alter(read_world, "Zoë Müller", "Trainers", is_manager=True)
    Participant.objects.filter(label="Zoë Müller", group__name="Trainers").update(is_manager=True)
    read_world.work()
    assert outcome(read_world, change) == (OperationState.NOT_NEEDED, "already_so")
