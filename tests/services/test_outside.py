from datetime import timedelta

import pytest
from django.utils import timezone

from membership.errors import BadValue, ChangeRefused, NotAllowed, Reason
from membership.models import AuditEntry, AuditPersonal, Change, Drift, LeftOut, Operation, Participant
from membership.services.again import recompile
from membership.services.changes import confirm_change, throw_away
from membership.services.decisions import Decided
from membership.services.outside import adopt, draft_revert, ignore, open_drifts
from membership.vocab import AuditAction, ChangeKind, ChangeState, DriftKind, DriftState, OperationState, Role, Verb
from tests import mirrored as m

RIGHTS = {"is_member": True, "is_manager": False, "can_write": None, "is_muted": None}


@pytest.fixture
def vera(any_db):
    return m.user("vera")


@pytest.fixture
def chess(any_db):
    return m.group("Chess", m.system())


def drift(kind, row, **fields):
    fields = {"noticed_at": timezone.now(), "label": row.label, "group": row.group, **fields}
    return Drift.objects.create(connection=row.group.connection, participant=row, kind=kind, **fields)


def joined(row, **fields):
    return drift(DriftKind.JOINED, row, after=RIGHTS, **fields)


def left(row, before=RIGHTS, **fields):
    Participant.objects.filter(pk=row.pk).update(is_present=False)
    return drift(DriftKind.LEFT, row, before=before, **fields)


def altered(row, before, after, **fields):
    Participant.objects.filter(pk=row.pk).update(**after)
    return drift(DriftKind.ALTERED, row, before=before, after=after, **fields)


def member(name, group, **fields):
    return m.participant(m.account(name, group.connection), group, **fields)


def state(row):
    return Drift.objects.get(pk=row.pk).state


def steps(change):
    return [(step.verb, step.subject_label, step.wanted) for step in Operation.objects.filter(change=change)]


def entries(action):
    return list(AuditEntry.objects.filter(action=action))


# adopted and ignored


def test_what_is_adopted_is_not_shown_again_and_is_in_the_groups_history(vera, chess):
    row = joined(member("Ada", chess))
    assert adopt(open_drifts(vera), actor=vera) == Decided(done=1, left=0)
    assert state(row) == DriftState.ADOPTED
    assert not open_drifts(vera).exists()
    (entry,) = entries(AuditAction.DRIFT_ADOPTED)
    assert (entry.actor_id, entry.group_id, entry.connection_id) == (vera.pk, chess.pk, chess.connection_id)
    assert "Ada" not in entry.sealed
    assert "Ada" in AuditPersonal.objects.get(pk=entry.pk).data


def test_what_is_ignored_comes_back_on_its_day(vera, chess):
    row = joined(member("Ada", chess))
    today = timezone.localdate()
    ignore([row], today + timedelta(days=3), actor=vera)
    assert not open_drifts(vera).exists()
    assert [entry.actor_id for entry in entries(AuditAction.DRIFT_IGNORED)] == [vera.pk]
    Drift.objects.update(ignored_until=today)
    assert open_drifts(vera).get() == row
    assert adopt(open_drifts(vera), actor=vera).done == 1


@pytest.mark.parametrize("days", [0, -1, 400])
def test_nothing_is_ignored_until_a_day_that_is_not_to_come_or_too_far(vera, chess, days):
    row = joined(member("Ada", chess))
    with pytest.raises(BadValue):
        ignore([row], timezone.localdate() + timedelta(days=days), actor=vera)
    assert state(row) == DriftState.OPEN


def test_what_somebody_decided_meanwhile_is_left_and_counted(vera, chess):
    rows = [joined(member(name, chess)) for name in ("Ada", "Bea")]
    adopt(rows[:1], actor=vera)
    assert ignore(rows, timezone.localdate() + timedelta(days=3), actor=vera) == Decided(done=1, left=1)
    assert [state(row) for row in rows] == [DriftState.ADOPTED, DriftState.IGNORED]


def test_many_are_decided_with_one_entry_a_group(vera, chess):
    board = m.group("Board", chess.connection)
    rows = [joined(member(f"M {n}", group)) for n in range(4) for group in (chess, board)]
    assert adopt(rows, actor=vera).done == 8
    assert {entry.group_id for entry in entries(AuditAction.DRIFT_ADOPTED)} == {chess.pk, board.pk}
    assert len(entries(AuditAction.DRIFT_ADOPTED)) == 2


def test_who_may_not_act_or_not_see_decides_nothing(chess):
    row = joined(member("Ada", chess))
    tom, limited = m.user("tom", Role.VIEWER), m.user("limited", systems=[m.system("Club", "mudbase")])
    tomorrow = timezone.localdate() + timedelta(days=1)
    for actor in (tom, limited):
        for decide in (
            lambda actor=actor: adopt([row], actor=actor),
            lambda actor=actor: ignore([row], tomorrow, actor=actor),
            lambda actor=actor: draft_revert([row], actor=actor),
        ):
            with pytest.raises(NotAllowed):
                decide()
    assert state(row) == DriftState.OPEN
    assert len(entries(AuditAction.REQUEST_REFUSED)) == 6


def test_nothing_selected_is_said(vera):
    with pytest.raises(ChangeRefused) as refused:
        adopt([], actor=vera)
    assert refused.value.reason == Reason.NOTHING_SELECTED


# reverted


def test_who_joined_leaves_who_left_is_added_and_what_was_altered_is_altered_back(vera, chess):
    rows = [
        joined(member("Ada", chess)),
        left(member("Bea", chess), {**RIGHTS, "is_manager": True}),
        altered(member("Cem", chess, is_manager=True), {"is_manager": False}, {"is_manager": True}),
        joined(member("Dora", chess, is_manager=True)),
    ]
    change = draft_revert(rows[:3], actor=vera)
    assert change.kind == ChangeKind.REVERT
    assert steps(change) == [
        (Verb.ADD, "Bea", {"is_present": True, "is_manager": True}),
        (Verb.UPDATE, "Cem", {"is_manager": False}),
        (Verb.REMOVE, "Ada", {"is_present": False}),
    ]
    assert [state(row) for row in rows] == [DriftState.REVERTED] * 3 + [DriftState.OPEN]
    assert {Drift.objects.get(pk=row.pk).change_id for row in rows[:3]} == {change.pk}
    (entry,) = entries(AuditAction.DRIFT_REVERTED)
    assert (entry.change_id, entry.group_id) == (change.pk, chess.pk)


def test_somebody_who_changed_twice_is_put_back_to_before_the_first_time(vera, chess):
    first, later = timezone.now() - timedelta(hours=2), timezone.now()
    ada = member("Ada", chess)
    rows = [
        altered(ada, {"is_manager": True}, {"is_manager": False}, noticed_at=first),
        left(ada, RIGHTS, noticed_at=later),
    ]
    bea = member("Bea", chess)
    rows += [joined(bea, noticed_at=first), altered(bea, {"is_manager": False}, {"is_manager": True}, noticed_at=later)]
    change = draft_revert(rows, actor=vera)
    assert steps(change) == [
        (Verb.ADD, "Ada", {"is_present": True, "is_manager": True}),
        (Verb.REMOVE, "Bea", {"is_present": False}),
    ]


def test_who_came_back_by_then_is_left_out_as_already_so(vera, chess):
    ada = member("Ada", chess)
    row = left(ada)
    Participant.objects.filter(pk=ada.pk).update(is_present=True)
    change = draft_revert([row], actor=vera)
    assert [each.reason for each in LeftOut.objects.filter(change=change)] == [Reason.ALREADY_SO]


def test_somebody_whose_account_is_not_known_is_left_out_by_name(vera, chess):
    row = left(m.participant("Somebody", chess))
    change = draft_revert([row], actor=vera)
    (found,) = LeftOut.objects.filter(change=change)
    assert (found.subject_label, found.reason) == ("Somebody", Reason.ACCOUNT_NOT_KNOWN)


def test_a_right_that_no_system_lets_us_set_is_left_out(vera, chess):
    row = altered(member("Ada", chess, is_manager=True), {"is_member": True}, {"is_member": False})
    change = draft_revert([row], actor=vera)
    assert [each.reason for each in LeftOut.objects.filter(change=change)] == [Reason.NOT_OFFERED]


def test_groups_that_appeared_are_not_reverted(vera, chess):
    row = Drift.objects.create(
        connection=chess.connection, group=chess, kind=DriftKind.GROUP_APPEARED, noticed_at=timezone.now()
    )
    with pytest.raises(ChangeRefused):
        draft_revert([row], actor=vera)
    mixed = draft_revert([row, joined(member("Ada", chess))], actor=vera)
    assert mixed.operations_count == 1
    assert state(row) == DriftState.OPEN


def test_a_revert_that_nobody_confirmed_lets_its_differences_wait_again(vera, chess):
    row = joined(member("Ada", chess))
    change = draft_revert([row], actor=vera)
    assert not open_drifts(vera).exists()
    throw_away(change, actor=vera)
    assert open_drifts(vera).get() == row
    again = recompile(Change.objects.get(pk=change.pk), actor=vera)
    assert again.kind == ChangeKind.REVERT
    assert Drift.objects.get(pk=row.pk).change_id == again.pk
    assert not open_drifts(vera).exists()


def test_what_a_step_did_not_undo_waits_again(vera, chess):
    undone, refused = joined(member("Ada", chess)), left(member("Zoë", chess))
    change = draft_revert([undone, refused], actor=vera)
    assert not open_drifts(vera).exists()
    Operation.objects.filter(change=change).update(state=OperationState.CONFIRMED)
    Operation.objects.filter(change=change, subject_label="Zoë").update(state=OperationState.REFUSED)
    assert list(open_drifts(vera)) == [refused]


def test_what_the_plan_leaves_out_goes_on_waiting(vera, chess):
    undone, barred = joined(member("Ada", chess)), left(m.participant(None, chess, label="Nobody known"))
    change = draft_revert([undone, barred], actor=vera)
    assert list(open_drifts(vera)) == [barred]
    assert Drift.objects.get(pk=undone.pk).change_id == change.pk


def test_what_is_being_reverted_is_not_reverted_twice(vera, chess):
    row = joined(member("Ada", chess))
    draft_revert([row], actor=vera)
    with pytest.raises(ChangeRefused) as refused:
        draft_revert([row], actor=vera)
    assert refused.value.reason == Reason.NOTHING_TO_DO


def test_a_revert_puts_real_systems_back(world, operator):
    world.read()
    kaiten, inwendo = world.sandbox.kaiten.state, world.sandbox.inwendo.state
    uid = world.group("Группа 2").remote_id
    newcomer = kaiten.add_user("Dora Ivanova", email="dora@example.org", id=6)
    kaiten.add_member(uid, newcomer.id)
    inwendo.add_participant(8, id=81, person=world.account("Zoë Müller", world.inwendo).remote_id)
    world.read()
    assert [row.kind for row in open_drifts(operator)] == [DriftKind.JOINED] * 2
    change = draft_revert(open_drifts(operator), actor=operator)
    confirm_change(change, actor=operator, reason="not ours", expected_hash=change.plan_hash)
    world.work()
    assert world.state_of(change) == ChangeState.DONE
    sent = world.sent()
    assert [line.split("?")[0] for line in sent["kaiten"]] == [f"DELETE /api/latest/groups/{uid}/users/6"]
    assert [line.split("?")[0] for line in sent["inwendo"]] == ["DELETE /api/chat/chatroom_participant/81"]
    world.read()
    assert not open_drifts(operator).exists()
