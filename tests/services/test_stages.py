"""A change that runs in stages, at the wire: what is sent when, what is read back, what pauses it."""

import csv
import datetime as dt
from itertools import groupby

import pytest
from django.utils import timezone

from membership.errors import BadValue, NotAllowed, Reason
from membership.models import Change, Connection, Operation, Participant, Stage
from membership.operations import stages as stages_module
from membership.sandbox.faults import Fault
from membership.services import audit_log, staging
from membership.services.changes import cancel_rest
from membership.services.results import result_file
from membership.services.transfer import draft_transfer
from membership.vocab import AuditAction, ChangeState, OperationState, StageState
from tests import mirrored as m
from tests.services.asking import assert_refused, confirm, draft, entries

GROUP = "Chess club"
READ = "GET /api/chat/chatroom/7"
"""What a reading of the group asks first."""


@pytest.fixture
def vera(world):
    inwendo = world.sandbox.inwendo.state
    with inwendo.changing():
        for n in range(8):
            person = inwendo.add_person(f"Member {n}", "Club", email=f"m{n}@example.org")
            inwendo.add_participant(7, id=100 + n, person=person.id)
    world.read()
    return m.user("vera")


@pytest.fixture
def eight(world, vera):
    """A preview that removes eight people from one room."""
    rows = Participant.objects.filter(label__startswith="Member", group__name=GROUP).order_by("label")
    return draft(vera, *rows)


def removed(world):
    return world.sent()["inwendo"]


def stages(change):
    return [(stage.size, stage.state) for stage in Stage.objects.filter(change=change)]


def fault(world, status=403, times=1, **fields):
    world.sandbox.inwendo.faults.add(Fault("status", method="DELETE", status=status, times=times, **fields))


def say_done_and_do_nothing(world):
    """The remote confirms the first removal, and does not do it."""
    fault(world, status=200, body={"deleted": True})


def while_sending(world, do):
    """Work, one call at a time; when the first is on the wire, do something once."""
    Connection.objects.update(concurrency=1)
    world.sandbox.inwendo.faults.add(Fault("latency", method="DELETE", seconds=0.2))
    done = []

    def look():
        if world.sandbox.inwendo.journal.writes() and not done:
            done.append(do())
        return False

    world.work(look)
    assert done


def test_stages_run_one_after_the_other_and_each_is_read_back(world, vera, eight):
    confirm(eight, vera, stage_sizes=(2, 3))
    assert stages(eight) == [(2, "running"), (3, "waiting"), (3, "waiting")]
    world.work()
    assert stages(eight) == [(2, StageState.AS_WISHED), (3, StageState.AS_WISHED), (3, StageState.AS_WISHED)]
    assert world.state_of(eight) == ChangeState.DONE
    seen = [line for line in world.sandbox.inwendo.journal.seen if line.startswith(("DELETE", READ))]
    runs = [(method, len(list(lines))) for method, lines in groupby(seen, key=lambda line: line.split()[0])]
    reads = runs[1][1]
    assert runs == [("DELETE", 2), ("GET", reads), ("DELETE", 3), ("GET", reads), ("DELETE", 3), ("GET", reads)]
    finished = entries(AuditAction.CHANGE_STAGE_FINISHED).filter(change_id=eight.pk)
    assert [entry.outcome for entry in finished] == [StageState.AS_WISHED] * 3


def test_a_change_above_the_size_runs_in_stages_unasked_and_a_small_one_at_once(settings, vera, eight):
    settings.MUSTERBOOK = {**settings.MUSTERBOOK, "STAGES_ABOVE": 7, "STAGE_SIZES": [3]}
    confirm(eight, vera)
    assert stages(eight) == [(3, "running"), (5, "waiting")]
    small = draft(vera, Participant.objects.get(label="Zoë Müller", group__name=GROUP))
    confirm(small, vera)
    assert stages(small) == [] and Change.objects.get(pk=small.pk).released_to is None


def test_what_was_put_back_over_there_after_a_stage_pauses_the_change_and_names_it(world, vera, eight):
    confirm(eight, vera, stage_sizes=(2,))
    Connection.objects.update(concurrency=1)
    say_done_and_do_nothing(world)
    world.work()
    first = world.steps(eight)[0]
    change = Change.objects.get(pk=eight.pk)
    assert (change.state, change.pause_reason) == (ChangeState.PAUSED, Reason.STAGE_DIFFERS)
    assert len(removed(world)) == 2
    pacing = staging.pacing(change)
    assert [step.pk for step in pacing.differing] == [first.pk]
    assert "Steps that are not as confirmed: 1." in pacing.why_paused
    assert entries(AuditAction.CHANGE_PAUSED).get(change_id=eight.pk).outcome == Reason.STAGE_DIFFERS

    staging.resume_change(change, actor=vera)
    world.work()
    assert len(removed(world)) == 8 and world.state_of(eight) == ChangeState.DONE
    assert stages(eight) == [(2, StageState.DIFFERS), (6, StageState.AS_WISHED)]
    assert entries(AuditAction.CHANGE_RESUMED).get(change_id=eight.pk).outcome == Reason.STAGE_DIFFERS


def test_too_many_failures_in_a_stage_pause_the_change_and_the_rest_can_be_cancelled(world, vera, eight):
    fault(world)
    confirm(eight, vera, stage_sizes=(4,))
    world.work()
    change = Change.objects.get(pk=eight.pk)
    assert (change.state, change.pause_reason) == (ChangeState.PAUSED, Reason.STAGE_FAILED)
    cancel_rest(change, actor=vera)
    world.work()
    assert world.state_of(eight) == ChangeState.CANCELLED
    assert len(removed(world)) == 4
    states = Operation.objects.filter(change=eight).order_by("position").values_list("state", flat=True)
    assert list(states)[4:] == [OperationState.CANCELLED] * 4


def test_failures_up_to_the_limit_do_not_pause(world, vera, eight, settings):
    settings.MUSTERBOOK = {**settings.MUSTERBOOK, "STAGE_FAILURES_ABOVE": 0.25}
    fault(world)
    confirm(eight, vera, stage_sizes=(4,))
    world.work()
    assert world.state_of(eight) == ChangeState.DONE_WITH_FAILURES and len(removed(world)) == 8


def test_a_stage_that_cannot_be_read_back_pauses_the_change_and_whoever_lets_it_go_on_is_not_asked_again(
    world, vera, eight
):
    confirm(eight, vera, stage_sizes=(2, 3))
    world.sandbox.inwendo.faults.add(Fault("status", method="GET", status=403, path_contains="chatroom"))
    world.work()
    change = Change.objects.get(pk=eight.pk)
    assert (change.state, change.pause_reason) == (ChangeState.PAUSED, Reason.STAGE_NOT_READ)
    assert len(removed(world)) == 2
    staging.resume_change(change, actor=vera)
    world.work()
    assert world.state_of(eight) == ChangeState.DONE and len(removed(world)) == 8
    finished = entries(AuditAction.CHANGE_STAGE_FINISHED).filter(change_id=eight.pk).order_by("pk")
    assert [entry.outcome for entry in finished] == [Reason.STAGE_NOT_READ, *[Reason.STAGE_LEFT_UNREAD] * 2]
    assert "goes on without: 1" in audit_log.lines([finished.latest("pk")])[0].sentence
    rows = list(csv.DictReader(b"".join(result_file(eight, actor=vera)[2]).decode("utf-8-sig").splitlines()))
    assert {row["read back"] for row in rows} == {"no: the group could not be read"}


def test_another_group_that_cannot_be_read_back_is_asked_about(world, vera, eight):
    """Who let a change go on without one group did not say so of others."""
    confirm(eight, vera, stage_sizes=(2, 3))
    world.sandbox.inwendo.faults.add(Fault("status", method="GET", status=403, path_contains="chatroom"))
    world.work()
    Stage.objects.filter(change=eight, number=1).update(unread_groups=[world.group("Board").pk])
    staging.resume_change(eight, actor=vera)
    world.work()
    assert Change.objects.get(pk=eight.pk).pause_reason == Reason.STAGE_NOT_READ and len(removed(world)) == 5


def test_a_cancel_while_a_stage_runs_ends_the_change_and_nothing_more_is_sent(world, vera, eight):
    confirm(eight, vera, stage_sizes=(2,))
    while_sending(world, lambda: cancel_rest(eight, actor=vera))
    assert world.state_of(eight) == ChangeState.CANCELLED
    assert 1 <= len(removed(world)) <= 2
    assert entries(AuditAction.CHANGE_CANCELLED).get(change_id=eight.pk)
    assert Stage.objects.filter(change=eight).earliest("number").state == StageState.AS_WISHED


def test_a_paused_change_sends_nothing_and_goes_on_where_it_was(world, vera, eight):
    confirm(eight, vera, stage_sizes=())
    staging.pause_change(eight, note="wait for Ada", actor=vera)
    world.work()
    assert removed(world) == [] and world.state_of(eight) == ChangeState.PAUSED
    assert "wait for Ada" in staging.pacing(Change.objects.get(pk=eight.pk)).why_paused
    assert staging.resume_change(eight, actor=vera).state == ChangeState.QUEUED
    while_sending(world, lambda: staging.pause_change(eight, actor=vera))
    sent = len(removed(world))
    assert 1 <= sent < 8 and world.state_of(eight) == ChangeState.PAUSED
    waiting = Operation.objects.filter(change=eight, state=OperationState.QUEUED)
    waiting.update(not_before=timezone.now() - dt.timedelta(seconds=1))
    world.work()  # what is paused keeps no lane awake
    queued = waiting.count()
    assert queued + sent == 8
    assert staging.resume_change(eight, actor=vera).state == ChangeState.RUNNING
    world.work()
    assert len(removed(world)) == 8 and world.state_of(eight) == ChangeState.DONE
    said = entries("change.paused").filter(change_id=eight.pk)
    assert [(entry.actor_id, entry.outcome) for entry in said] == [(vera.pk, Reason.PAUSED_BY_OPERATOR)] * 2


def test_a_paused_change_whose_rest_is_cancelled_is_cancelled(world, vera, eight):
    confirm(eight, vera)
    staging.pause_change(eight, actor=vera)
    assert cancel_rest(eight, actor=vera).state == ChangeState.CANCELLED
    world.work()
    assert removed(world) == []


def test_a_change_for_later_waits_can_be_started_now_or_cancelled(world, vera, eight):
    at = timezone.now() + dt.timedelta(hours=2)
    confirm(eight, vera, starts_at=at, stage_sizes=())
    world.work()
    assert removed(world) == [] and staging.waits_for_start(Change.objects.get(pk=eight.pk))
    requested = entries(AuditAction.CHANGE_REQUESTED).get(change_id=eight.pk)
    assert requested.sealed.count(at.isoformat()) == 1
    staging.start_now(eight, actor=vera)
    world.work()
    assert len(removed(world)) == 8
    assert entries(AuditAction.CHANGE_STARTED_NOW).filter(change_id=eight.pk, actor_id=vera.pk).exists()
    assert_refused(Reason.NOT_WAITING_FOR_START, staging.start_now, eight, actor=vera)


def test_a_change_for_later_begins_by_itself_and_asks_again_how_things_are(world, vera, eight):
    confirm(eight, vera, starts_at=timezone.now() + dt.timedelta(hours=2), stage_sizes=())
    gone = world.steps(eight)[0].participant
    Participant.objects.filter(pk=gone.pk).update(is_present=False)
    Change.objects.filter(pk=eight.pk).update(starts_at=timezone.now() - dt.timedelta(seconds=1))
    world.work()
    assert len(removed(world)) == 7
    assert world.steps(eight)[0].state == OperationState.NOT_NEEDED


@pytest.mark.parametrize("hours", [-1, 24 * 40])
def test_a_start_that_is_over_or_too_far_is_refused(vera, eight, hours):
    at = timezone.now() + dt.timedelta(hours=hours)
    assert_refused(Reason.BAD_VALUE, confirm, eight, vera, starts_at=at, error=BadValue)


@pytest.mark.parametrize("typed", ["0", "ten", "10,-1", "1e3", "1 " * 30, "٣"])
def test_sizes_that_are_none_are_refused_in_one_sentence(typed):
    with pytest.raises(BadValue):
        staging.sizes_asked(typed)


@pytest.mark.parametrize(("typed", "sizes"), [("", ()), (" 10 ", (10,)), ("10, 100;7", (10, 100, 7))])
def test_sizes_are_typed_with_any_separator(typed, sizes):
    assert staging.sizes_asked(typed) == sizes


@pytest.mark.parametrize("typed", ["tomorrow", "2026-13-01 10:00", "2026-02-30T10:00"])
def test_a_start_that_is_no_time_is_refused(typed):
    with pytest.raises(BadValue):
        staging.start_asked(typed)


def test_nobody_waits_for_a_step_of_a_later_stage(world, vera):
    """Each half of a move that leaves waits for the half that joins; a stage grows by what it waits for."""
    rows = Participant.objects.filter(label__startswith="Member", group__name=GROUP).order_by("label")[:3]
    change = draft_transfer(m.rows(*rows), world.group("Board"), keep=False, actor=vera, selection=m.ids(*rows))
    Operation.objects.filter(change=change, position=1).update(before={"is_present": False, "row": None, "after": 4})
    steps = [*Operation.objects.filter(change=change).values_list("position", "before__after")]
    assert (1, 4) in steps
    made = stages_module.lay_out(change, (2,), timezone.now())
    assert [(stage.begins, stage.ends) for stage in made] == [(0, 5), (5, 6)]


def test_pausing_takes_the_right_and_a_change_that_runs(world, vera, eight, viewer):
    assert_refused(Reason.NO_RIGHT, staging.pause_change, eight, actor=viewer, error=NotAllowed)
    assert_refused(Reason.NOT_RUNNING, staging.pause_change, eight, actor=vera)
    assert_refused(Reason.NOT_PAUSED, staging.resume_change, eight, actor=vera)
