"""A change that runs in stages, at the wire: what is sent when, what is read back, what pauses it."""

import csv
import datetime as dt
from itertools import groupby

import pytest
from django.utils import timezone

from membership.errors import Reason
from membership.models import Change, Connection, Operation, Participant, Stage
from membership.sandbox.faults import Fault
from membership.services import audit_log, staging
from membership.services.changes import cancel_rest
from membership.services.results import result_file
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
