"""Each verb asked in the panel and done by the worker, on each system that can do it."""

import pytest

from membership.models import Group, Participant
from membership.sandbox.faults import Fault
from membership.services import bundles, changes, groups, way_back
from membership.services.addition import draft_addition
from membership.services.alteration import draft_alteration, draft_edit, shown_state
from membership.services.bundles import Line
from membership.services.matrix import draft_matrix
from membership.services.removal import draft_removal_everywhere
from membership.services.same_groups import draft_same_groups
from membership.services.transfer import draft_transfer
from membership.vocab import ChangeState, OperationState
from tests import mirrored as m
from tests.services.asking import confirm


@pytest.fixture
def vera(world):
    world.read()
    return m.user("vera")


@pytest.fixture
def done(world, vera):
    """Confirm a draft and have it worked; every step must have gone through, by exactly the planned calls."""

    def do(change, **answers):
        for server in world.sandbox.servers:
            server.journal.clear()
        confirm(change, vera, **answers)
        world.work(changes.compile_ready)
        assert world.state_of(change) == ChangeState.DONE, [
            (step.subject_label, step.state, step.outcome, step.outcome_params) for step in world.steps(change)
        ]
        assert {step.state for step in world.steps(change)} == {OperationState.CONFIRMED}
        planned = sorted(call["method"] for step in world.steps(change) for call in step.calls)
        assert sorted(call.split()[0] for calls in world.sent().values() for call in calls) == planned
        return change

    return do


def alter(vera, wanted, *rows):
    return draft_alteration(m.rows(*rows), wanted, actor=vera, selection=m.ids(*rows))


def there(label, group):
    return Participant.objects.get(label=label, group__name=group, is_present=True)


def is_there(label, group):
    return Participant.objects.filter(label=label, group__name=group, is_present=True).exists()


ZOE = "Zoë Müller"


@pytest.fixture
def zoe(world, vera):
    """Zoë, who has an account in all three systems, and is a member of Chess club, Trainers, and nothing in Office."""
    system = world.sandbox.kaiten.state
    system.add_user("Zoë Müller", email="zoe@example.org")
    world.read()
    return world.link("Zoë", *(world.account(ZOE, connection) for connection in world.connections))


def test_a_person_joins_groups_of_two_systems_as_manager(world, vera, zoe, done):
    board, office = world.group("Board"), world.group("Группа 2")
    done(draft_addition(persons=[zoe], groups=[board, office], rights={"is_manager": True}, actor=vera))
    assert there(ZOE, "Board").is_manager and there(ZOE, "Группа 2").is_manager


def test_a_person_joins_a_chat(world, vera, zoe, done):
    done(groups.draft_create(world.mudbase, "Newcomers", actor=vera))
    world.read()
    done(draft_addition(persons=[zoe], groups=[world.group("Newcomers")], actor=vera))
    assert is_there(ZOE, "Newcomers")


@pytest.mark.parametrize("group", ["Chess club", "Trainers", "Группа 2"])
def test_somebody_becomes_manager_and_member_again(world, vera, zoe, done, group):
    row = there({"Группа 2": "Ada Lovelace"}.get(group, ZOE), group)
    done(alter(vera, {"is_manager": True}, row))
    assert there(row.label, group).is_manager
    done(alter(vera, {"is_manager": False}, there(row.label, group)))
    assert not there(row.label, group).is_manager


def test_somebody_is_muted_and_kept_from_writing(world, vera, done):
    row = there(ZOE, "Chess club")
    done(alter(vera, {"is_muted": True, "can_write": False}, row))
    row.refresh_from_db()
    assert (row.is_muted, row.can_write) == (True, False)
    done(alter(vera, {"is_muted": False, "can_write": True}, row))
    row.refresh_from_db()
    assert (row.is_muted, row.can_write) == (False, True)


def test_fields_and_secrets_of_one_participant_reach_the_remote(world, vera, done):
    row = there(ZOE, "Chess club")
    edited = draft_edit(
        row, {"auto_reply": True, "ai_prompt": "Be brief, aardvark"}, shown=shown_state(row), actor=vera
    )
    done(edited)
    stored = world.sandbox.inwendo.state.participants.get(int(row.remote_id))
    assert (stored.auto_reply, stored.ai_prompt) == (True, "Be brief, aardvark")
    (step,) = world.steps(edited)
    assert step.secrets == {} and "aardvark" not in str((step.calls, step.wanted, step.results, step.outcome_params))


def test_somebody_moves_to_another_room_with_the_rights(world, vera, done):
    row = there(ZOE, "Chess club")
    done(alter(vera, {"is_muted": True}, row))
    done(draft_transfer(m.rows(row), world.group("Board"), keep=False, actor=vera, selection=m.ids(row)))
    assert there(ZOE, "Board").is_muted and not is_there(ZOE, "Chess club")


def test_a_kaiten_group_is_created_renamed_and_deleted(world, vera, done):
    done(groups.draft_create(world.kaiten, "Trainers U12", actor=vera))
    made = world.group("Trainers U12")
    done(draft_addition(accounts=[world.account("Ada Lovelace", world.kaiten)], groups=[made], actor=vera))
    done(groups.draft_rename(made, "Trainers U14", actor=vera))
    made.refresh_from_db()
    assert made.name == "Trainers U14"
    done(groups.draft_delete(made, actor=vera), typed_name="Trainers U14")
    made.refresh_from_db()
    assert not made.is_present and not made.participants.filter(is_present=True).exists()


def test_a_tracked_room_appears(world, vera):
    world.sandbox.inwendo.state.add_room("Hidden room", id=99)
    groups.track(world.inwendo, f"{world.inwendo.base_url}/#/chat/99", actor=vera)
    world.work()
    assert Group.objects.filter(name="Hidden room").exists()


def test_a_bundle_over_three_systems_is_given_and_withdrawn(world, vera, zoe, done):
    lines = [Line(world.group("Board")), Line(world.group("Trainers")), Line(world.group("Группа 2"), is_manager=True)]
    bundle = bundles.save_bundle(None, name="Trainer U12", lines=lines, actor=vera)
    change = bundles.draft_bundle(bundle, [zoe], actor=vera)
    assert change.left_out_count == 1  # in Trainers already
    done(change)
    assert there(ZOE, "Группа 2").is_manager and is_there(ZOE, "Board")
    done(bundles.draft_withdrawal(bundle, [zoe], actor=vera))
    assert not any(is_there(ZOE, name) for name in ("Board", "Trainers", "Группа 2"))


def test_somebody_is_given_the_same_groups_as_somebody_else(world, vera, zoe, done):
    ada = world.link("Ada", *(world.account("Ada Lovelace", connection) for connection in world.connections))
    done(draft_same_groups(ada, [zoe], actor=vera))
    assert all(is_there(ZOE, name) for name in ("Board", "Chess club", "Trainers", "Группа 2"))
    assert there(ZOE, "Board").is_manager


def test_a_persons_places_are_edited_at_once_and_then_all_removed(world, vera, zoe, done):
    wished = {
        world.group("Board").pk: {"is_present": True},
        world.group("Chess club").pk: {"is_muted": True},
        world.group("Trainers").pk: {"is_present": False},
        world.group("Группа 2").pk: {"is_present": True, "is_manager": True},
    }
    done(draft_matrix(zoe, wished, actor=vera))
    assert (is_there(ZOE, "Board"), is_there(ZOE, "Trainers")) == (True, False)
    assert there(ZOE, "Chess club").is_muted and there(ZOE, "Группа 2").is_manager
    everywhere = draft_removal_everywhere(person=zoe, actor=vera)
    world.work(changes.compile_ready)
    everywhere.refresh_from_db()
    done(everywhere)
    assert not Participant.objects.filter(account__person=zoe, is_present=True).exists()


def test_half_a_change_of_role_is_put_right_by_the_way_back(world, vera, zoe):
    """Mudbase refuses the second half: Zoë is out of the chat, and comes back as she was."""
    change = confirm(alter(vera, {"is_manager": True}, there(ZOE, "Trainers")), vera)
    world.sandbox.mudbase.faults.add(
        Fault("status", method="POST", path_contains="participants", status=403, body={"error": "forbidden"}, times=1)
    )
    world.work()
    (step,) = world.steps(change)
    assert way_back.is_half_done(step) and not is_there(ZOE, "Trainers")
    back = confirm(way_back.draft_way_back(step, actor=vera), vera)
    world.work()
    assert world.state_of(back) == ChangeState.DONE
    assert is_there(ZOE, "Trainers") and not there(ZOE, "Trainers").is_manager


def test_whoever_could_not_join_does_not_leave_by_a_move(world, vera, done):
    row = there(ZOE, "Chess club")
    world.sandbox.inwendo.faults.add(Fault("status", method="POST", path_contains="participant", status=403))
    change = draft_transfer(m.rows(row), world.group("Board"), keep=False, actor=vera, selection=m.ids(row))
    confirm(change, vera)
    world.work()
    assert [(step.verb, step.state) for step in world.steps(change)] == [
        ("add", OperationState.REFUSED),
        ("remove", OperationState.OVERTAKEN),
    ]
    assert is_there(ZOE, "Chess club")
    assert world.steps(change)[1].outcome == "step_before_failed"
    assert world.state_of(change) == ChangeState.DONE_WITH_FAILURES
    assert [call.split()[0] for call in world.sent()["inwendo"]] == ["POST"]
