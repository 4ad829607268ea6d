import pytest

from membership.models import AuditEntry, Connection, Participant
from membership.sandbox.faults import Fault
from membership.services import connections
from membership.vocab import AuditAction, ChangeState, ConnectionState, OperationState
from tests.operations.conftest import ask
from tests.world import GROUP_UID


def actions(change):
    entries = AuditEntry.objects.filter(change_id=change.pk, chain__startswith="connection:").order_by("pk")
    return [entry.action for entry in entries]


def test_one_removal_in_each_system_sends_exactly_what_was_planned(read_world):
    rows = [
        read_world.row("Zoë Müller", "Chess club"),
        read_world.row("Ada Lovelace", "Trainers"),
        read_world.row("Ada Lovelace", "Группа 2"),
    ]
    change = ask(*rows)
    read_world.work()
    assert read_world.sent() == {
        "inwendo": ["DELETE /api/chat/chatroom_participant/71"],
        "mudbase": ["DELETE /api/chat/projects/proj_1/chats/chat_2/participants"],
        "kaiten": [f"DELETE /api/latest/groups/{GROUP_UID}/users/3"],
    }
    assert not Participant.objects.filter(pk__in=[row.pk for row in rows], is_present=True).exists()
    assert read_world.state_of(change) == ChangeState.DONE
    assert sorted(actions(change)) == sorted([AuditAction.OPERATION_INTENDED, AuditAction.OPERATION_CONFIRMED] * 3)


def test_a_manager_who_is_a_member_leaves_both_lists_in_one_step(read_world):
    change = ask(read_world.row("Иван Петров", "Группа 2"))
    read_world.work()
    assert read_world.sent()["kaiten"] == [
        f"DELETE /api/latest/groups/{GROUP_UID}/admins/4",
        f"DELETE /api/latest/groups/{GROUP_UID}/users/4",
    ]
    assert [step.state for step in read_world.steps(change)] == [OperationState.CONFIRMED]


def test_a_removal_asked_twice_is_sent_once(read_world):
    row = read_world.row("Zoë Müller", "Chess club")
    ask(row)
    read_world.work()
    row.refresh_from_db()
    assert not row.is_present
    second = ask(row)
    read_world.work()
    assert len(read_world.sent()["inwendo"]) == 1
    assert [step.state for step in read_world.steps(second)] in ([], [OperationState.NOT_NEEDED])


def test_what_changed_since_the_preview_is_overtaken_and_not_sent(read_world):
    row = read_world.row("Zoë Müller", "Trainers")
    change = ask(row)
    Participant.objects.filter(pk=row.pk).update(is_manager=True)
    read_world.work()
    assert [step.state for step in read_world.steps(change)] == [OperationState.OVERTAKEN]
    assert read_world.sent()["mudbase"] == []
    assert read_world.state_of(change) == ChangeState.DONE_WITH_FAILURES


def test_a_lost_answer_is_read_back_and_not_sent_twice(read_world):
    read_world.sandbox.kaiten.faults.add(Fault("lost_answer", method="DELETE", times=1))
    change = ask(read_world.row("Ada Lovelace", "Группа 2"))
    read_world.work()
    assert len(read_world.sent()["kaiten"]) == 1
    assert [step.state for step in read_world.steps(change)] == [OperationState.CONFIRMED]
    assert actions(change) == [
        AuditAction.OPERATION_INTENDED,
        AuditAction.OPERATION_IN_DOUBT,
        AuditAction.OPERATION_RESOLVED,
        AuditAction.OPERATION_CONFIRMED,
    ]


def test_a_call_that_was_dropped_is_read_back_and_sent_again(read_world):
    read_world.sandbox.kaiten.faults.add(Fault("drop_before", method="DELETE", times=1))
    change = ask(read_world.row("Ada Lovelace", "Группа 2"))
    read_world.work()
    assert len(read_world.sent()["kaiten"]) == 2
    step = read_world.steps(change)[0]
    assert (step.state, step.resends) == (OperationState.CONFIRMED, 1)


def test_a_call_that_never_takes_effect_ends_refused_after_two_resends(read_world):
    read_world.sandbox.kaiten.faults.add(Fault("drop_before", method="DELETE"))
    change = ask(read_world.row("Ada Lovelace", "Группа 2"))
    read_world.work()
    step = read_world.steps(change)[0]
    assert (step.state, step.outcome) == (OperationState.REFUSED, "sent_too_often")
    assert len(read_world.sent()["kaiten"]) == 3


def test_throttling_pauses_the_lane_and_the_step_goes_on(read_world):
    read_world.sandbox.kaiten.faults.add(Fault("throttle", method="DELETE", times=1, seconds=1))
    change = ask(read_world.row("Ada Lovelace", "Группа 2"))
    read_world.work()
    assert [step.state for step in read_world.steps(change)] == [OperationState.CONFIRMED]
    assert AuditAction.OPERATION_RETURNED in actions(change)
    assert not Connection.objects.get(pk=read_world.kaiten.pk).slowed_reason


def test_a_refusal_that_reading_confirms_ends_refused_in_the_remote_words(read_world):
    read_world.sandbox.mudbase.faults.add(
        Fault("status", method="DELETE", status=400, body={"error": "Only an admin may remove"})
    )
    change = ask(read_world.row("Zoë Müller", "Trainers"))
    read_world.work()
    step = read_world.steps(change)[0]
    assert step.state == OperationState.REFUSED
    assert "Only an admin may remove" in step.outcome_params["said"]
    assert len(read_world.sent()["mudbase"]) == 1


def test_a_wrong_token_stops_its_system_and_no_other(read_world):
    read_world.sandbox.kaiten.state.revoke_all()
    change = ask(read_world.row("Ada Lovelace", "Группа 2"), read_world.row("Zoë Müller", "Trainers"))
    read_world.work()
    kaiten = Connection.objects.get(pk=read_world.kaiten.pk)
    assert (kaiten.state, kaiten.state_reason) == (ConnectionState.PAUSED, "token_not_accepted")
    assert {step.state for step in read_world.steps(change)} == {OperationState.QUEUED, OperationState.CONFIRMED}


def test_a_token_that_is_replaced_while_the_lane_works_does_not_stop_the_system(read_world):
    """What was begun with the old one is refused; nothing is concluded from that about the new one."""
    kaiten = read_world.sandbox.kaiten
    Connection.objects.filter(pk=read_world.kaiten.pk).update(concurrency=1)
    kaiten.faults.add(Fault("latency", method="DELETE", seconds=0.2))
    change = ask(*read_world.group("Группа 2").participants.all())
    edited = []

    def replace_token():
        if kaiten.journal.writes() and not edited:
            edited.append(connections.edit(read_world.kaiten, secrets={"token": "token-2"}, actor=None))
            with kaiten.state.changing():
                kaiten.state.revoke_token("token-1")
                kaiten.state.issue_token(1, token="token-2")
        return False

    read_world.work(replace_token)
    assert edited and Connection.objects.get(pk=read_world.kaiten.pk).state == ConnectionState.ACTIVE
    assert {step.state for step in read_world.steps(change)} == {OperationState.CONFIRMED}


def test_a_token_that_ran_out_is_renewed_once_and_the_step_goes_on(read_world):
    read_world.sandbox.inwendo.state.revoke_all()
    change = ask(read_world.row("Zoë Müller", "Chess club"))
    read_world.work()
    assert [step.state for step in read_world.steps(change)] == [OperationState.CONFIRMED]
    assert Connection.objects.get(pk=read_world.inwendo.pk).state == ConnectionState.ACTIVE


def test_somebody_else_changing_it_meanwhile_is_foreign_and_waits_for_a_person(read_world):
    read_world.sandbox.mudbase.faults.add(Fault("drop_before", method="DELETE", times=1))
    row = read_world.row("Zoë Müller", "Trainers")
    change = ask(row)
    read_world.sandbox.mudbase.state.change_role_by_hand("chat_2", "usr_zoe", "admin")
    read_world.work()
    step = read_world.steps(change)[0]
    assert step.state == OperationState.FOREIGN
    assert step.found["is_manager"] is True
    assert AuditEntry.objects.filter(operation_id=step.pk, action=AuditAction.OPERATION_FOREIGN).count() == 1
    row.refresh_from_db()
    assert row.is_manager


@pytest.mark.parametrize("kind", ["html", "truncated", "bad_json"])
def test_an_answer_that_cannot_be_read_is_read_back(read_world, kind):
    read_world.sandbox.inwendo.faults.add(Fault(kind, method="DELETE", times=1))
    change = ask(read_world.row("Zoë Müller", "Chess club"))
    read_world.work()
    assert [step.state for step in read_world.steps(change)] == [OperationState.CONFIRMED]
    assert read_world.sandbox.inwendo.state.participants.get(71).deleted
