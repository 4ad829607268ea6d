import json

import pytest
from django.utils import timezone

from membership.errors import Reason
from membership.models import Account, AuditEntry, Connection, Drift, Group, Participant, Presence, Reading
from membership.operations import outbox, reading, reading_look
from membership.providers.base import RemoteParticipant
from membership.providers.errors import Incomplete, Misconfigured, NotSent, OutcomeUnknown, Refused, Throttled
from membership.vocab import DriftKind, PresenceCause, ReadingKind, ReadingState
from tests.operations.listed_remote import (
    COMPLETE,
    FAILED,
    INCOMPLETE,
    ListedRemote,
    connect,
    counts_are_true,
    finish,
    mirrored,
    read,
    wanted,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def club():
    return connect()


@pytest.fixture
def remote():
    remote = ListedRemote()
    remote.people = {"1": "Ada", "2": "Bo", "3": "Cy", "4": "Di"}
    remote.rooms = {"chess": {"1": "1", "2": "2", "3": "3"}, "choir": {"2": "2", "4": "4"}}
    return remote


def group(key):
    return Group.objects.get(remote_id=key)


def test_a_first_reading_mirrors_everything(club, remote):
    row = read(club, remote)
    assert (row.state, row.reason) == (COMPLETE, "")
    assert mirrored(club) == remote.rooms
    assert counts_are_true(club)
    assert Account.objects.count() == 4


def test_a_first_reading_is_no_drift_and_nobody_knows_since_when(club, remote):
    read(club, remote)
    assert not Drift.objects.exists()
    assert set(Presence.objects.values_list("began_by", "until")) == {(PresenceCause.UNKNOWN, None)}


def test_a_reading_writes_down_its_times_and_counts(club, remote):
    row = read(club, remote)
    club.refresh_from_db()
    assert row.requests == 4
    assert (row.groups_seen, row.groups_incomplete) == (2, 0)
    assert row.rows_changed == 4 + 2 + 5
    assert club.read_at == row.started_at
    assert club.groups_read_at > row.started_at
    assert group("chess").read_at > club.groups_read_at
    assert club.next_reading_at > timezone.now()


def test_a_reading_that_finds_nothing_new_writes_no_row(club, remote):
    read(club, remote)
    seen = list(Participant.objects.values_list("pk", "seen_at"))
    assert read(club, remote).rows_changed == 0
    assert list(Participant.objects.values_list("pk", "seen_at")) == seen


def test_requests_of_a_killed_worker_are_counted_but_for_those_of_the_list_that_it_was_in(club, remote, monkeypatch):
    monkeypatch.setattr(reading_look, "LATER_S", 0)
    wanted(club)
    steps = reading.run(Reading.objects.get(), remote, lane_token=1, requests=lambda: remote.requests)
    while len(remote.asked) < 4:
        next(steps)
    del steps
    finish(Reading.objects.get(), remote)
    entry = AuditEntry.objects.get(action="reading.finished")
    assert remote.asked == ["accounts", "groups", "chess", "choir", "choir"]
    assert json.loads(entry.sealed)["data"]["requests"] == 4


def test_one_audit_entry_says_how_a_reading_ended(club, remote):
    read(club, remote)
    remote.rooms["chess"]["4"] = "4"
    row = read(club, remote)
    entry = AuditEntry.objects.filter(action="reading.finished").latest("pk")
    assert (entry.chain, entry.outcome) == (f"connection:{club.pk}", "complete")
    assert f'"reading":{row.pk}' in entry.sealed
    assert '"drift":{"joined":1}' in entry.sealed


def test_who_joined_and_left_outside_is_drift(club, remote):
    read(club, remote)
    del remote.rooms["chess"]["1"]
    remote.rooms["chess"]["4"] = "4"
    read(club, remote)
    assert set(Drift.objects.values_list("kind", "label")) == {(DriftKind.JOINED, "Di"), (DriftKind.LEFT, "Ada")}
    ended = Presence.objects.exclude(until=None).get()
    assert (ended.participant.remote_id, ended.ended_by) == ("1", PresenceCause.READING)
    assert Presence.objects.get(participant__remote_id="4", participant__group=group("chess")).began_by == "reading"
    assert counts_are_true(club)


def test_an_altered_right_is_drift_with_both_sides(club, remote):
    read(club, remote)
    remote.rights["chess", "2"] = {"is_manager": True}
    read(club, remote)
    drift = Drift.objects.get()
    assert (drift.kind, drift.before, drift.after) == ("altered", {"is_manager": False}, {"is_manager": True})


def test_a_new_name_is_kept_and_is_no_drift(club, remote):
    read(club, remote)
    remote.people["2"] = "Bob"
    read(club, remote)
    assert set(Participant.objects.filter(remote_id="2").values_list("label", flat=True)) == {"Bob"}
    assert not Drift.objects.exists()


def test_rows_without_names_follow_the_names_of_their_accounts(club, remote):
    remote.row_labels = False
    read(club, remote)
    assert set(Participant.objects.filter(remote_id="1").values_list("label", flat=True)) == {"Ada"}
    remote.people["1"] = "Ada Lovelace"
    read(club, remote)
    assert set(Participant.objects.filter(remote_id="1").values_list("label", flat=True)) == {"Ada Lovelace"}


def test_an_account_that_appears_later_is_linked_to_its_rows(club, remote):
    name = remote.people.pop("4")
    read(club, remote)
    assert Participant.objects.get(remote_id="4").account is None
    remote.people["4"] = name
    read(club, remote)
    assert Participant.objects.get(remote_id="4").account.remote_id == "4"


def test_the_own_account_is_marked(club, remote):
    Connection.objects.update(own_account_id="3")
    read(club, remote)
    assert Account.objects.get(is_own=True).remote_id == "3"
    Connection.objects.update(own_account_id="2")
    read(club, remote)
    assert Account.objects.get(is_own=True).remote_id == "2"


def test_an_account_that_is_no_longer_listed_is_not_present(club, remote):
    read(club, remote)
    del remote.people["3"]
    read(club, remote)
    assert not Account.objects.get(remote_id="3").is_present


# incomplete readings


@pytest.mark.parametrize(
    "error",
    [
        Incomplete(Reason.PAGE_REPEATED, page=2),
        OutcomeUnknown(Reason.ANSWER_UNREADABLE),
        NotSent(Reason.CONNECTION_REFUSED),
        Refused(Reason.FORBIDDEN, status=403),
    ],
)
def test_an_error_in_the_middle_adds_and_removes_nothing(club, remote, error):
    read(club, remote)
    remote.rooms["chess"] = {"4": "4", "1": "1"}
    remote.errors["chess"], remote.told_before_error = error, 1
    row = read(club, remote)
    assert (row.state, row.reason) == (INCOMPLETE, error.reason)
    assert set(mirrored(club)["chess"]) == {"1", "2", "3", "4"}
    assert group("chess").incomplete_reason == error.reason
    assert group("chess").read_at < group("chess").tried_at
    assert group("choir").incomplete_reason == ""


def test_an_incomplete_reading_leaves_the_systems_time_as_it_was(club, remote):
    first = read(club, remote)
    remote.errors["chess"] = Incomplete(Reason.MAYBE_CAPPED)
    read(club, remote)
    club.refresh_from_db()
    assert club.read_at == first.started_at


def test_an_empty_list_where_rows_were_removes_nobody(club, remote):
    read(club, remote)
    remote.rooms["chess"] = {}
    row = read(club, remote)
    assert (row.state, row.reason, row.reason_params) == (INCOMPLETE, "empty_where_rows_were", {"before": 3})
    assert set(mirrored(club)["chess"]) == {"1", "2", "3"}


def test_far_fewer_rows_remove_nobody(club, remote):
    read(club, remote)
    remote.rooms["chess"] = {"1": "1"}
    row = read(club, remote)
    assert (row.state, row.reason, row.reason_params) == (INCOMPLETE, "far_fewer_rows", {"before": 3, "now": 1})
    assert set(mirrored(club)["chess"]) == {"1", "2", "3"}


def test_an_empty_list_of_accounts_removes_none(club, remote):
    read(club, remote)
    remote.people = {}
    assert read(club, remote).reason == Reason.EMPTY_WHERE_ROWS_WERE
    assert Account.objects.filter(is_present=True).count() == 4


def test_the_other_groups_are_read_when_the_list_of_groups_fails(club, remote):
    read(club, remote)
    remote.errors["groups"] = OutcomeUnknown(Reason.ANSWER_TIMEOUT)
    remote.told_before_error = 0
    remote.rooms["choir"]["1"] = "1"
    assert read(club, remote).reason == Reason.ANSWER_TIMEOUT
    assert set(mirrored(club)["choir"]) == {"1", "2", "4"}


def test_a_remote_that_answers_nothing_is_not_asked_for_every_group(club, remote):
    remote.rooms = {str(number): {"1": "1"} for number in range(10)}
    read(club, remote)
    silence(remote)
    remote.asked.clear()
    row = read(club, remote)
    assert (row.state, row.reason) == (FAILED, Reason.CONNECTION_REFUSED)
    assert len(remote.asked) == 3


def silence(remote):
    for what in ("accounts", "groups", *remote.rooms):
        remote.errors[what] = NotSent(Reason.CONNECTION_REFUSED)
    remote.told_before_error = 0


def pause_after(row):
    """Seconds until the next reading."""
    row.connection.refresh_from_db()
    return (row.connection.next_reading_at - row.ended_at).total_seconds()


@pytest.mark.parametrize("is_first", [True, False])
def test_what_broke_off_is_tried_again_soon_and_later_each_time(club, remote, is_first):
    if not is_first:
        read(club, remote)
    silence(remote)
    pauses = [pause_after(read(club, remote)) for _ in range(8)]
    assert pauses == pytest.approx([5, 10, 20, 40, 80, 160, 300, 300], rel=0.11)
    remote.errors.clear()
    assert pause_after(read(club, remote)) == pytest.approx(1800, rel=0.11)
    silence(remote)
    assert pause_after(read(club, remote)) == pytest.approx(5, rel=0.11)


def test_a_remote_that_falls_silent_amid_a_reading_is_tried_again_soon(club, remote):
    read(club, remote)
    remote.rooms = {str(number): {"1": "1"} for number in range(4)}
    silence(remote)
    del remote.errors["accounts"], remote.errors["groups"]
    row = read(club, remote)
    assert (row.state, row.reason) == (INCOMPLETE, Reason.CONNECTION_REFUSED)
    assert pause_after(row) == pytest.approx(5, rel=0.11)


def test_a_list_that_was_never_read_is_tried_again_soon(club, remote):
    remote.errors["accounts"] = OutcomeUnknown(Reason.ANSWER_TIMEOUT)
    assert pause_after(read(club, remote)) == pytest.approx(5, rel=0.11)


def test_one_group_that_could_not_be_read_waits_its_turn(club, remote):
    read(club, remote)
    remote.errors["chess"] = OutcomeUnknown(Reason.ANSWER_TIMEOUT)
    assert pause_after(read(club, remote)) == pytest.approx(1800, rel=0.11)


@pytest.mark.parametrize("hostile", [{"label": "\ud800"}, {"last_read_at": "never"}, {"is_manager": None}])
def test_a_row_that_the_database_refuses_keeps_no_other_out(club, remote, hostile):
    good = {"label": "x"}
    facts = {"2": good | hostile}
    remote.row = lambda _, row_id, whose: RemoteParticipant(row_id, whose, **facts.get(row_id, good))
    row = read(club, remote)
    assert row.state == INCOMPLETE
    assert mirrored(club) == {"chess": {"1": "1", "3": "3"}, "choir": {"4": "4"}}
    assert group("chess").incomplete_reason == Reason.ANSWER_UNREADABLE


def test_an_id_too_long_to_store_makes_the_list_incomplete(club, remote):
    read(club, remote)
    del remote.rooms["chess"]["1"]
    remote.rooms["chess"]["9" * 300] = None
    assert read(club, remote).state == INCOMPLETE
    assert set(mirrored(club)["chess"]) == {"1", "2", "3"}


def test_a_fault_of_ours_in_one_list_ends_that_list_only(club, remote):
    remote.errors["chess"] = KeyError("surprise")
    row = read(club, remote)
    assert (row.state, row.reason) == (INCOMPLETE, Reason.READING_FAILED)
    assert set(mirrored(club)["choir"]) == {"2", "4"}


# groups that come and go


def test_a_group_that_is_gone_is_asked_for_by_id_first(club, remote):
    read(club, remote)
    del remote.rooms["choir"]
    row = read(club, remote)
    assert row.state == COMPLETE
    assert "get:choir" in remote.asked
    assert not group("choir").is_present
    assert not Participant.objects.filter(group=group("choir"), is_present=True).exists()
    assert list(Drift.objects.values_list("kind", "label")) == [(DriftKind.GROUP_VANISHED, "Room choir")]


def test_a_group_that_is_not_listed_but_answers_stays(club, remote):
    read(club, remote)
    remote.unlisted.add("choir")
    row = read(club, remote)
    assert (row.state, row.reason) == (INCOMPLETE, Reason.GROUP_VANISHED)
    assert group("choir").is_present
    assert group("choir").read_at >= row.started_at


def test_a_group_that_may_only_be_out_of_sight_stays(club):
    remote = ListedRemote(tells_gone=False)
    remote.people, remote.rooms = {"1": "Ada"}, {"chess": {"1": "1"}, "choir": {"1": "1"}}
    read(club, remote)
    remote.out_of_sight.add("choir")
    row = read(club, remote)
    assert (row.state, row.reason) == (INCOMPLETE, Reason.GROUP_VANISHED)
    assert group("choir").is_present
    assert group("choir").incomplete_reason == Reason.GROUP_VANISHED
    assert set(mirrored(club)["choir"]) == {"1"}


def test_a_group_of_which_we_hear_nothing_stays(club, remote):
    read(club, remote)
    remote.unlisted.add("choir")
    remote.errors["get:choir"] = OutcomeUnknown(Reason.ANSWER_LOST)
    assert read(club, remote).reason == Reason.ANSWER_LOST
    assert group("choir").is_present


def test_a_new_group_is_drift_and_its_people_are_not(club, remote):
    read(club, remote)
    remote.rooms["yoga"] = {"1": "1"}
    read(club, remote)
    assert list(Drift.objects.values_list("kind", flat=True)) == [DriftKind.GROUP_APPEARED]


def test_a_group_that_comes_back_is_read_as_new(club, remote):
    read(club, remote)
    kept = remote.rooms.pop("choir")
    read(club, remote)
    remote.rooms["choir"] = kept
    read(club, remote)
    assert mirrored(club) == remote.rooms
    assert not Drift.objects.filter(kind=DriftKind.JOINED).exists()
    assert counts_are_true(club)


# what the lane handles


def test_a_throttled_reading_goes_on_where_it_was(club, remote):
    row = wanted(club)
    remote.errors["choir"], remote.told_before_error = Throttled(Reason.THROTTLED, pause_s=1), 1
    with pytest.raises(Throttled):
        finish(row, remote)
    assert row.state == ReadingState.RUNNING
    assert counts_are_true(club)
    remote.errors.clear()
    remote.asked.clear()
    finish(row, remote)
    assert remote.asked == ["choir"]
    assert row.state == COMPLETE
    assert row.requests == 5
    assert mirrored(club) == remote.rooms


def test_a_reading_found_after_a_kill_goes_on_with_the_next_owner(club, remote):
    row = wanted(club)
    steps = reading.run(row, remote, lane_token=1)
    while "chess" not in remote.asked:
        next(steps)
    steps.close()
    Connection.objects.update(lane_token=2)
    again = reading.next_due(Connection.objects.get(), timezone.now())
    assert again == row
    for _ in reading.run(again, remote, lane_token=2):
        pass
    assert again.state == COMPLETE
    assert remote.asked.count("accounts") == remote.asked.count("groups") == 1
    assert mirrored(club) == remote.rooms


def test_a_reading_writes_nothing_once_another_worker_owns_the_lane(club, remote):
    row = wanted(club)
    Connection.objects.update(lane_token=2)
    with pytest.raises(outbox.LaneLost):
        finish(row, remote)
    assert not Group.objects.exists()


def test_a_stopped_system_ends_what_waits(club, remote):
    row = wanted(club)
    remote.errors["accounts"] = Misconfigured(Reason.TARIFF, said="no")
    with pytest.raises(Misconfigured):
        finish(row, remote)
    assert reading.give_up(club, Reason.TARIFF, said="no") == 1
    row.refresh_from_db()
    assert (row.state, row.reason, row.reason_params) == (INCOMPLETE, "tariff", {"said": "no"})
    assert AuditEntry.objects.filter(action="reading.finished", outcome="incomplete").count() == 1


def test_a_reading_that_never_began_fails_when_the_system_is_stopped(club):
    row = wanted(club)
    reading.give_up(club, Reason.TOKEN_NOT_ACCEPTED)
    row.refresh_from_db()
    assert row.state == FAILED


def test_the_worker_stopping_leaves_the_reading_open(club, remote):
    row = wanted(club)
    remote.errors["chess"] = NotSent(Reason.NOT_STARTED)
    finish(row, remote)
    row.refresh_from_db()
    assert row.state == ReadingState.RUNNING


# one group


def test_one_group_is_read_alone(club, remote):
    read(club, remote)
    remote.rooms["chess"]["4"] = "4"
    remote.asked.clear()
    row = read(club, remote, ReadingKind.GROUP, group=group("chess"))
    assert row.state == COMPLETE
    assert remote.asked == ["get:chess", "chess"]
    assert set(mirrored(club)["chess"]) == {"1", "2", "3", "4"}


def test_a_group_read_since_it_was_asked_for_is_not_read_again(club, remote):
    read(club, remote)
    asked = wanted(club, ReadingKind.GROUP, group=group("chess"), asked_at=group("chess").read_at)
    remote.asked.clear()
    finish(asked, remote)
    assert (asked.state, remote.asked) == (COMPLETE, [])


def test_a_group_found_gone_when_read_alone_is_gone(club, remote):
    read(club, remote)
    del remote.rooms["chess"]
    assert read(club, remote, ReadingKind.GROUP, group=group("chess")).state == COMPLETE
    assert not group("chess").is_present


# which is next


def test_a_system_never_read_is_due(club):
    due = reading.next_due(club, timezone.now())
    assert (due.kind, due.state) == (ReadingKind.SYSTEM, ReadingState.WANTED)
    assert reading.next_due(club, timezone.now()) == due


def test_a_system_just_read_is_not_due(club, remote):
    read(club, remote)
    assert reading.next_due(Connection.objects.get(), timezone.now()) is None


def test_a_stopped_system_is_not_due(club):
    club.state = "paused"
    assert reading.next_due(club, timezone.now()) is None


def test_a_long_reading_stands_back_for_one_that_somebody_waits_for(club, remote):
    read(club, remote)
    long = wanted(club)
    steps = reading.run(long, remote, lane_token=1)
    next(steps)
    short = wanted(club, ReadingKind.GROUP, group=group("choir"))
    for _ in steps:
        pass
    assert Reading.objects.get(pk=long.pk).state == ReadingState.RUNNING
    assert reading.next_due(club, timezone.now()) == short
    finish(short, remote)
    assert reading.next_due(club, timezone.now()) == long
    finish(long, remote)
    assert long.state == COMPLETE
