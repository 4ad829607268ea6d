"""Until when somebody is in a group: from the addition to the removal, at the wire, and what stands in its way."""

import datetime as dt
from functools import partial

import pytest
from django.utils import timezone

from membership.errors import BadValue, ChangeRefused, NotAllowed, Reason
from membership.models import Change, Drift, Ending, Group, LeftOut, Participant
from membership.sandbox.faults import Fault
from membership.services import bundles, changes, ending_removals, endings, overview
from membership.services.addition import draft_addition
from membership.services.bundles import Line
from membership.services.roles import give_role
from membership.vocab import AuditAction, ChangeKind, ChangeState, EndingState, OperationState, Role
from tests import mirrored as m
from tests.hurry import work_in_a_hurry
from tests.services.asking import assert_refused, confirm, draft, entries
from tests.world import GROUP_UID

ZOE, ADA, OFFICE = "Zoë Müller", "Ada Lovelace", "Группа 2"


@pytest.fixture
def vera(world):
    with world.sandbox.kaiten.state.changing():
        world.sandbox.kaiten.state.add_user(ZOE, email="zoe@example.org", id=6)
    world.read()
    return m.user("vera")


@pytest.fixture
def today():
    return timezone.localdate()


@pytest.fixture
def added(world, vera, today):
    """Zoë in the office until today."""
    zoe = world.account(ZOE, world.kaiten)
    change = draft_addition(accounts=[zoe], groups=[world.group(OFFICE)], until=today, actor=vera)
    confirm(change, vera)
    work_in_a_hurry()
    return change


def there(label, group):
    return Participant.objects.get(label=label, group__name=group, is_present=True)


def is_there(label=ZOE, group=OFFICE):
    return Participant.objects.filter(label=label, group__name=group, is_present=True).exists()


def the_day_is_over():
    Ending.objects.update(last_day=timezone.localdate() - dt.timedelta(days=1))


def states():
    return list(Ending.objects.order_by("pk").values_list("state", flat=True))


def removals():
    return list(Change.objects.filter(kind=ChangeKind.ENDING).order_by("pk"))


def waits_for(user):
    return [change.pk for change in overview.overview(user).waiting]


def test_somebody_added_until_a_day_is_removed_by_a_change_of_its_own_when_it_is_over(world, vera, added):
    ending = Ending.objects.get()
    assert (ending.group.name, ending.account.label, ending.set_by) == (OFFICE, ZOE, vera)
    assert ending.operation_id == world.steps(added)[0].pk
    assert entries(AuditAction.ENDING_SET).get().change_id == added.pk
    assert not ending_removals.act_on_due() and is_there()  # the day is not over

    the_day_is_over()
    assert ending_removals.act_on_due()
    [removal] = removals()
    assert (removal.state, removal.requested_by, removal.reason) == (ChangeState.QUEUED, vera, "End date reached")
    assert entries(AuditAction.CHANGE_REQUESTED).filter(change_id=removal.pk, actor_id=vera.pk).exists()
    work_in_a_hurry()
    assert world.sent()["kaiten"][-1] == f"DELETE /api/latest/groups/{GROUP_UID}/users/6" and not is_there()
    assert ending_removals.act_on_due() and states() == [EndingState.CLOSED]
    assert entries(AuditAction.ENDING_CLOSED).get().change_id == removal.pk


def test_it_is_never_done_twice(world, vera, added):
    the_day_is_over()
    assert [ending_removals.act_on_due() for _time in range(3)] == [True, False, False]
    work_in_a_hurry()
    for _time in range(3):
        ending_removals.act_on_due()
    assert len(removals()) == 1


def test_who_was_removed_before_closes_it_and_who_comes_again_stays(world, vera, added, today):
    confirm(draft(vera, there(ZOE, OFFICE)), vera)
    work_in_a_hurry()
    confirm(draft_addition(accounts=[world.account(ZOE, world.kaiten)], groups=[world.group(OFFICE)], actor=vera), vera)
    work_in_a_hurry()
    the_day_is_over()
    ending_removals.act_on_due()
    assert (states(), removals(), is_there()) == ([EndingState.CLOSED], [], True)


def test_an_addition_that_did_not_go_through_leaves_no_end_date(world, vera, today):
    world.sandbox.kaiten.faults.add(Fault("status", method="POST", status=403))
    zoe = world.account(ZOE, world.kaiten)
    change = draft_addition(accounts=[zoe], groups=[world.group(OFFICE)], until=today, actor=vera)
    confirm(change, vera)
    work_in_a_hurry()
    assert ending_removals.close_over() == 1 and states() == [EndingState.CLOSED]
    again = changes.draft_retry(change, actor=vera)
    world.sandbox.kaiten.faults.clear()
    confirm(again, vera)
    work_in_a_hurry()
    assert states() == [EndingState.CLOSED, EndingState.OPEN]  # another try keeps the end date


def test_whoever_was_added_and_refused_the_rights_leaves_on_that_day_all_the_same(world, vera, today):
    inwendo = world.sandbox.inwendo
    inwendo.faults.add(Fault("status", method="PUT", status=403))
    jose, board = world.account("José Ñandú", world.inwendo), world.group("Board")
    wished = {"is_muted": True}
    confirm(draft_addition(accounts=[jose], groups=[board], rights=wished, until=today, actor=vera), vera)
    work_in_a_hurry()
    assert Ending.objects.get().operation.outcome_params["half_done"] and is_there("José Ñandú", "Board")
    assert ending_removals.close_over() == 0
    the_day_is_over()
    ending_removals.act_on_due()
    work_in_a_hurry()
    assert not is_there("José Ñandú", "Board")
    assert ending_removals.close_over() == 1 and states() == [EndingState.CLOSED]


@pytest.mark.parametrize("dropped", ["rejected", "stale"])
def test_an_addition_that_was_not_approved_leaves_no_end_date(world, vera, today, dropped):
    zoe = world.account(ZOE, world.kaiten)
    change = draft_addition(accounts=[zoe], groups=[world.group(OFFICE)], until=today, actor=vera)
    confirm(change, vera)
    asked = Change.objects.filter(pk=change.pk)
    asked.update(state="waiting", confirmed_at=None)  # as where a guard asks for a second person
    assert ending_removals.close_over() == 0
    asked.update(state=dropped)
    assert ending_removals.close_over() == 1 and states() == [EndingState.CLOSED]


def test_an_end_date_waits_for_a_row_that_the_answer_did_not_tell(world, vera, today):
    kaiten = world.sandbox.kaiten
    kaiten.faults.add(Fault("empty", method="POST", path_contains="/users", times=1))
    kaiten.faults.add(Fault("status", method="GET", path_contains=f"groups/{GROUP_UID}/users", status=500, times=1))
    zoe = world.account(ZOE, world.kaiten)
    confirm(draft_addition(accounts=[zoe], groups=[world.group(OFFICE)], until=today, actor=vera), vera)
    work_in_a_hurry()
    assert is_there() and Ending.objects.get().operation.participant is None
    assert not Drift.objects.exists()
    row = Participant.objects.filter(pk=there(ZOE, OFFICE).pk)
    row.update(is_present=False)  # as until the reading that found it
    assert ending_removals.close_over() == 0
    row.update(is_present=True)
    the_day_is_over()
    ending_removals.act_on_due()
    assert [step.subject_label for change in removals() for step in change.operations.all()] == [ZOE]


def test_who_is_there_already_gets_no_end_date_by_an_addition(world, vera, today):
    ada = world.account(ADA, world.kaiten)
    zoe = world.account(ZOE, world.kaiten)
    change = draft_addition(accounts=[ada, zoe], groups=[world.group(OFFICE)], until=today, actor=vera)
    confirm(change, vera)
    assert [ending.account.label for ending in Ending.objects.all()] == [ZOE]


@pytest.mark.parametrize("is_known", [True, False])
def test_whom_somebody_else_added_first_stays(world, vera, today, is_known):
    """The addition finds that it is so already: by the mirror, or by the system's own word."""
    zoe = world.account(ZOE, world.kaiten)
    change = draft_addition(accounts=[zoe], groups=[world.group(OFFICE)], until=today, actor=vera)
    confirm(change, vera)
    with world.sandbox.kaiten.state.changing():
        world.sandbox.kaiten.state.add_member(GROUP_UID, 6)
        world.sandbox.kaiten.state.switch(add_existing=400)
    if is_known:
        m.participant(zoe, world.group(OFFICE), is_member=True)
    work_in_a_hurry()
    assert world.steps(change)[0].outcome == Reason.ALREADY_SO
    the_day_is_over()
    ending_removals.act_on_due()
    assert (states(), removals(), is_there()) == ([EndingState.CLOSED], [], True)
    assert endings.endings_of([there(ZOE, OFFICE)]) == {}


def test_who_may_have_been_added_by_the_first_of_two_calls_leaves(world, vera, today):
    faults = world.sandbox.kaiten.faults
    faults.add(Fault("drop_before", method="POST", path_contains="/users", times=1))
    faults.add(Fault("replace", method="POST", path_contains="/users", status=400, times=1))
    zoe = world.account(ZOE, world.kaiten)
    change = draft_addition(accounts=[zoe], groups=[world.group(OFFICE)], until=today, actor=vera)
    confirm(change, vera)
    work_in_a_hurry()
    assert world.steps(change)[0].resends == 1
    the_day_is_over()
    ending_removals.act_on_due()
    work_in_a_hurry()
    assert not is_there()


def test_a_bundle_can_be_given_until_a_day(world, vera, today):
    person = world.link("Zoë", *(world.account(ZOE, system) for system in world.connections))
    lines = [Line(world.group("Board")), Line(world.group(OFFICE))]
    bundle = bundles.save_bundle(None, name="Trainer", lines=lines, actor=vera)
    confirm(bundles.draft_bundle(bundle, [person], until=today, actor=vera), vera)
    assert sorted(ending.group.name for ending in Ending.objects.all()) == ["Board", OFFICE]


def test_an_end_date_is_set_altered_and_taken_away_on_a_page(world, vera, today):
    row = there(ADA, OFFICE)
    endings.set_end(row, today + dt.timedelta(days=5), actor=vera)
    endings.set_end(row, today + dt.timedelta(days=9), actor=vera)
    assert endings.endings_of([row])[row.pk].last_day == today + dt.timedelta(days=9)
    assert states() == [EndingState.LIFTED, EndingState.OPEN]
    endings.lift_end(row, actor=vera)
    assert endings.endings_of([row]) == {} and entries(AuditAction.ENDING_SET).count() == 2
    assert entries(AuditAction.ENDING_LIFTED).get().actor_id == vera.pk
    assert_refused(Reason.NOTHING_TO_DO, endings.lift_end, row, actor=vera)


def test_days_that_are_over_and_people_who_may_not_are_refused(world, vera, viewer, today):
    row = there(ADA, OFFICE)
    yesterday = today - dt.timedelta(days=1)
    assert_refused(Reason.BAD_VALUE, endings.set_end, row, yesterday, actor=vera, error=BadValue)
    assert_refused(Reason.BAD_VALUE, endings.set_end, row, today + dt.timedelta(days=9999), actor=vera, error=BadValue)
    assert_refused(Reason.NO_RIGHT, endings.set_end, row, today, actor=viewer, error=NotAllowed)
    zoe = world.account(ZOE, world.kaiten)
    assert_refused(
        Reason.BAD_VALUE, draft_addition, accounts=[zoe], groups=[world.group(OFFICE)], until=yesterday, actor=vera,
        error=BadValue,
    )  # fmt: skip


def test_of_somebody_who_may_no_longer_act_it_waits_for_whoever_may(world, vera, added):
    walt = m.user("walt")
    give_role(vera, Role.VIEWER, None, actor=None)
    the_day_is_over()
    ending_removals.act_on_due()
    [removal] = removals()
    assert removal.state == ChangeState.DRAFT and waits_for(walt) == [removal.pk]
    assert waits_for(m.user("late", Role.VIEWER)) == []
    confirm(removal, walt)
    work_in_a_hurry()
    assert not is_there()


def test_a_guard_that_stands_in_the_way_leaves_a_preview_that_names_it(world, vera, added):
    Group.objects.filter(name=OFFICE).update(is_protected=True)
    the_day_is_over()
    ending_removals.act_on_due()
    [removal] = removals()
    assert (removal.state, removal.operations_count) == (ChangeState.DRAFT, 0)
    assert LeftOut.objects.get(change=removal).reason == Reason.GROUP_PROTECTED
    assert waits_for(vera) == [removal.pk] and is_there()


def test_a_removal_of_many_waits_for_somebody_who_types_the_number(world, vera, added, settings):
    settings.MUSTERBOOK = {**settings.MUSTERBOOK, "TYPE_NUMBER_ABOVE": 0}
    the_day_is_over()
    ending_removals.act_on_due()
    assert [change.state for change in removals()] == [ChangeState.DRAFT]
    assert entries(AuditAction.REQUEST_REFUSED).latest("pk").outcome == Reason.NUMBER_NOT_TYPED


def test_a_preview_that_became_too_old_is_made_anew_and_one_thrown_away_is_not(world, vera, added):
    Group.objects.filter(name=OFFICE).update(is_protected=True)
    the_day_is_over()
    ending_removals.act_on_due()
    Change.objects.filter(kind=ChangeKind.ENDING).update(state=ChangeState.STALE)
    ending_removals.act_on_due()
    assert [change.state for change in removals()] == [ChangeState.STALE, ChangeState.DRAFT]
    changes.throw_away(removals()[1], actor=vera)
    ending_removals.act_on_due()
    assert (states(), len(removals())) == ([EndingState.CLOSED], 2)


def test_a_removal_that_nobody_confirmed_yet_ends_with_a_new_end_date(world, vera, added, today):
    Group.objects.filter(name=OFFICE).update(is_protected=True)
    the_day_is_over()
    ending_removals.act_on_due()
    endings.set_end(there(ZOE, OFFICE), today, actor=vera)
    assert [change.state for change in removals()] == [ChangeState.STALE]
    assert not ending_removals.act_on_due() and states() == [EndingState.LIFTED, EndingState.OPEN]


@pytest.mark.parametrize("later", [True, False])
def test_a_removal_that_has_not_begun_is_not_sent_once_they_may_stay(world, vera, added, today, later):
    endings.set_end(there(ADA, OFFICE), today, actor=vera)
    the_day_is_over()
    ending_removals.act_on_due()
    if later:
        endings.set_end(there(ZOE, OFFICE), today, actor=vera)
    else:
        endings.lift_end(there(ZOE, OFFICE), actor=vera)
    work_in_a_hurry()
    [removal] = removals()
    left = {step.subject_label: (step.state, step.outcome) for step in world.steps(removal)}
    assert left == {
        ZOE: (OperationState.CANCELLED, Reason.END_DATE_ALTERED),
        ADA: (OperationState.CONFIRMED, ""),
    }
    assert is_there() and not is_there(ADA)
    assert entries(AuditAction.OPERATION_SUPERSEDED).get().outcome == Reason.END_DATE_ALTERED
    ending_removals.act_on_due()
    assert states() == [EndingState.LIFTED, EndingState.CLOSED, *([EndingState.OPEN] if later else [])]


def test_a_removal_of_one_alone_ends_when_it_is_withdrawn(world, vera, added, today):
    the_day_is_over()
    ending_removals.act_on_due()
    endings.lift_end(there(ZOE, OFFICE), actor=vera)
    work_in_a_hurry()
    assert [change.state for change in removals()] == [ChangeState.DONE_WITH_FAILURES]


def test_an_end_date_is_not_altered_while_its_removal_is_being_sent(world, vera, added, today):
    the_day_is_over()
    ending_removals.act_on_due()
    [step] = world.steps(removals()[0])
    for state in (OperationState.RUNNING, OperationState.IN_DOUBT):
        type(step).objects.filter(pk=step.pk).update(state=state)
        for alter in (partial(endings.set_end, last_day=today), endings.lift_end):
            with pytest.raises(ChangeRefused) as refused:
                alter(there(ZOE, OFFICE), actor=vera)
            assert refused.value.reason == Reason.BEING_REMOVED
    assert states() == [EndingState.DUE]


def test_each_system_has_a_removal_of_its_own(world, vera, added):
    endings.set_end(there(ZOE, "Trainers"), timezone.localdate(), actor=vera)
    world.mudbase.state = "paused"
    world.mudbase.save(update_fields=["state"])
    the_day_is_over()
    ending_removals.act_on_due()
    work_in_a_hurry()
    assert sorted(change.state for change in removals()) == [ChangeState.DONE, ChangeState.QUEUED]
    assert not is_there() and is_there(ZOE, "Trainers")
