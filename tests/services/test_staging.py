"""What is said of stages, starts and pauses before anything is sent: no remote is needed. At the wire: test_stages."""

import datetime as dt

import pytest
from django.utils import timezone

from membership.errors import BadValue, NotAllowed, Reason
from membership.models import Change, Operation, Stage
from membership.operations import outbox, stages
from membership.services import staging
from membership.services.changes import cancel_rest
from membership.services.transfer import draft_transfer
from membership.vocab import ChangeState, OperationState
from tests import mirrored as m
from tests.services.asking import assert_refused, confirm, draft

pytestmark = pytest.mark.django_db


@pytest.fixture
def eight(vera, office):
    """A preview that removes eight people of nine from one group."""
    return draft(vera, *m.crowd(9, m.group("Chess", office)).order_by("pk")[:8])


def laid_out(change):
    return [(stage.size, stage.state) for stage in Stage.objects.filter(change=change)]


def test_a_change_above_the_size_runs_in_stages_unasked_and_a_small_one_at_once(settings, vera, eight):
    settings.MUSTERBOOK = {**settings.MUSTERBOOK, "STAGES_ABOVE": 7, "STAGE_SIZES": [3]}
    small = draft(vera, eight.operations.first().group.participants.latest("pk"))
    confirm(eight, vera)
    assert laid_out(eight) == [(3, "running"), (5, "waiting")]
    confirm(small, vera)
    assert laid_out(small) == [] and Change.objects.get(pk=small.pk).released_to is None


def test_a_paused_change_whose_rest_is_cancelled_is_cancelled(vera, office, eight):
    confirm(eight, vera)
    staging.pause_change(eight, actor=vera)
    assert cancel_rest(eight, actor=vera).state == ChangeState.CANCELLED
    assert not outbox.promote(office.pk)
    assert set(eight.operations.values_list("state", flat=True)) == {OperationState.CANCELLED}


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


def test_nobody_waits_for_a_step_of_a_later_stage(vera, office):
    """Each half of a move that leaves waits for the half that joins; a stage grows by what it waits for."""
    rows = m.crowd(3, m.group("Chess", office))
    change = draft_transfer(rows, m.group("Board", office), keep=False, actor=vera, selection=m.ids(*rows))
    Operation.objects.filter(change=change, position=1).update(before={"is_present": False, "row": None, "after": 4})
    steps = [*Operation.objects.filter(change=change).values_list("position", "before__after")]
    assert (1, 4) in steps
    made = stages.lay_out(change, (2,), timezone.now())
    assert [(stage.begins, stage.ends) for stage in made] == [(0, 5), (5, 6)]


def test_pausing_takes_the_right_and_a_change_that_runs(vera, eight, viewer):
    assert_refused(Reason.NO_RIGHT, staging.pause_change, eight, actor=viewer, error=NotAllowed)
    assert_refused(Reason.NOT_RUNNING, staging.pause_change, eight, actor=vera)
    assert_refused(Reason.NOT_PAUSED, staging.resume_change, eight, actor=vera)
