"""Any sequence of readings against a model of what the remote is, and of what must not be concluded."""

from itertools import count, pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from membership.errors import Reason
from membership.models import Participant
from membership.operations import reading, reading_look
from membership.providers.errors import Incomplete, OutcomeUnknown, Refused, Throttled
from membership.vocab import ReadingState
from tests.operations.listed_remote import ListedRemote, connect, counts_are_true, finish, mirrored, wanted

ROOMS = ("chess", "choir", "yoga")
PEOPLE = ("1", "2", "3", "4", "5")

rosters = st.fixed_dictionaries(
    {}, optional={room: st.sets(st.sampled_from(PEOPLE), min_size=1) for room in ROOMS}
).filter(bool)
faults = st.sampled_from(
    [
        None,
        Incomplete(Reason.MAYBE_CAPPED),
        OutcomeUnknown(Reason.ANSWER_LOST),
        Refused(Reason.FORBIDDEN),
        Throttled(Reason.THROTTLED),
    ]
)
looks = st.fixed_dictionaries(
    {
        "rosters": rosters,
        "fault": faults,
        "where": st.sampled_from(("accounts", "groups", *ROOMS)),
        "told": st.integers(0, 3),
        "killed_after": st.none() | st.integers(0, 8),
    }
)


names = count()


@pytest.fixture
def in_a_hurry(db, monkeypatch):
    """No page wants to write here, so none is given room."""
    monkeypatch.setattr(reading_look, "GAP_S", 0)


def look(club, remote, plan):
    """One reading as planned, perhaps left in the middle."""
    remote.rooms = rooms_of(plan["rosters"])
    remote.errors = {plan["where"]: plan["fault"]} if plan["fault"] else {}
    remote.told_before_error = plan["told"]
    row = reading.waiting_for(club).first() or wanted(club)
    steps = reading.run(row, remote, lane_token=1, requests=lambda: remote.requests)
    try:
        for number, _ in enumerate(steps):
            if plan["killed_after"] is not None and number >= plan["killed_after"]:
                steps.close()
                break
    except Throttled:
        pass


def rooms_of(roster):
    return {room: {key: key for key in sorted(keys)} for room, keys in roster.items()}


def people_in(rooms):
    return {(room, key) for room, keys in rooms.items() for key in keys}


def stretches_are_disjoint(club):
    for participant in Participant.objects.filter(group__connection=club):
        found = list(participant.presences.order_by("since", "pk"))
        assert all(one.until is not None and one.until <= other.since for one, other in pairwise(found))
        assert all(each.until is None or each.until >= each.since for each in found)
        assert (found[-1].until is None) == participant.is_present


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(plans=st.lists(looks, min_size=1, max_size=5))
def test_no_sequence_of_readings_makes_the_mirror_lie(in_a_hurry, plans):
    club, remote = connect(name=f"Club {next(names)}"), ListedRemote()
    remote.people = {key: f"Person {key}" for key in PEOPLE}
    for plan in plans:
        before = people_in(mirrored(club))
        look(club, remote, plan)
        after, there = people_in(mirrored(club)), people_in(remote.rooms)
        assert before - after <= before - there, "somebody who is there was taken away"
        assert after <= before | there, "somebody was made up"
        whole = {room for room in ROOMS if room != plan["where"] or not plan["fault"] or room not in remote.rooms}
        assert {room for room, _ in before - after} <= whole, "an incomplete list took somebody away"
        assert counts_are_true(club)
        stretches_are_disjoint(club)
    remote.errors.clear()
    for _ in range(2):  # what was left in the middle, then one from the beginning
        row = reading.waiting_for(club).first() or wanted(club)
        finish(row, remote)
    assert counts_are_true(club)
    stretches_are_disjoint(club)
    if row.state == ReadingState.COMPLETE:
        assert mirrored(club) == remote.rooms
    else:
        assert row.reason in (Reason.FAR_FEWER_ROWS, Reason.EMPTY_WHERE_ROWS_WERE)
