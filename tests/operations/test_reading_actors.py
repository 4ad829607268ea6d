from datetime import timedelta

import pytest
from django.utils import timezone

from membership.models import Connection, Drift, Reading
from membership.operations import reading_actors
from membership.providers.types import OutsideEvent
from membership.sandbox.faults import Fault
from membership.vocab import DriftKind, ReadingState
from tests.operations.listed_remote import ListedRemote, connect, read
from tests.world import GROUP_UID

ADA, IVAN, GRACE = 3, 4, 5


@pytest.fixture
def office(world):
    world.read()
    return world.sandbox.kaiten


def drifts():
    return {row.label: row for row in Drift.objects.filter(group__remote_id=GROUP_UID)}


def logs_read(server):
    return [entry for entry in server.journal.entries if "audit-logs" in entry.target]


def newest_reading(world):
    return Reading.objects.filter(connection=world.kaiten).latest("pk")


def read_again(world):
    """As `World.read`, but the journals are kept."""
    Connection.objects.update(next_reading_at=None)
    world.work()


def test_who_left_is_told_with_who_did_it_and_when(world, office):
    office.state.remove_by_hand(GROUP_UID, ADA, author=GRACE)
    world.read()
    row = drifts()["Ada Lovelace"]
    assert (row.kind, row.remote_actor) == (DriftKind.LEFT, "Grace Hopper")
    assert abs(row.remote_at - timezone.now()) < timedelta(minutes=1)


def test_the_last_who_did_it_counts(world, office):
    office.state.remove_by_hand(GROUP_UID, ADA, author=GRACE)
    office.state.add_member(GROUP_UID, ADA, author=GRACE)
    office.state.remove_by_hand(GROUP_UID, ADA, author=IVAN)
    world.read()
    assert drifts()["Ada Lovelace"].remote_actor == "Иван Петров"


def test_a_reading_that_noticed_nothing_does_not_ask_the_log(world, office):
    read_again(world)
    assert not logs_read(office)


def test_systems_without_such_a_log_are_not_asked(world, office):
    world.sandbox.inwendo.state.add_participant(8, id=81, person=world.account("Zoë Müller", world.inwendo).remote_id)
    world.read()
    assert Drift.objects.get(connection=world.inwendo).remote_at is None


@pytest.mark.parametrize("trouble", ["rights", "html", "status", "lost_answer"])
def test_a_log_that_cannot_be_read_leaves_the_reading_complete(world, office, trouble):
    office.state.remove_by_hand(GROUP_UID, ADA, author=GRACE)
    if trouble == "rights":
        office.state.switch(audit_rights=False)
    else:
        given = {"status": 500} if trouble == "status" else {}
        office.faults.add(Fault(trouble, path_contains="audit-logs", **given))
    read_again(world)
    assert logs_read(office)
    assert newest_reading(world).state == ReadingState.COMPLETE
    assert (drifts()["Ada Lovelace"].remote_actor, drifts()["Ada Lovelace"].remote_at) == ("", None)


def test_hostile_lines_of_a_log_do_no_harm(world, office, monkeypatch):
    office.state.change_user(GRACE, full_name="x" * 5000)
    office.state.remove_by_hand(GROUP_UID, ADA, author=GRACE)
    world.read()
    assert newest_reading(world).state == ReadingState.COMPLETE
    assert drifts()["Ada Lovelace"].remote_actor[:3] == "xxx"


class LoggedRemote(ListedRemote):
    """A remote whose log is a list of events."""

    def __init__(self, log):
        super().__init__()
        object.__setattr__(self.capabilities, "tells_actor", True)
        self.log = log

    def outside_events(self, since, until):
        yield from self._tell("log", self.log)


@pytest.fixture
def club(fresh_db):
    """A listed remote, read once, and its log."""
    remote = LoggedRemote([])
    remote.people = {"1": "Ada", "2": "Zoë", "3": "Ivan"}
    remote.rooms = {"r1": {"1": "1", "2": "2"}}
    connection = connect()
    read(connection, remote)
    return connection, remote


def event(account, actor="", actor_id=None, group="r1", **fields):
    return OutsideEvent(f"e-{account}-{actor}", timezone.now(), "delete_user", actor, actor_id, group, account)


def test_a_line_that_names_only_an_id_is_told_by_the_accounts_name(club):
    connection, remote = club
    remote.log = [event("1", actor_id="3")]
    remote.rooms["r1"].pop("1")
    read(connection, remote)
    assert Drift.objects.get().remote_actor == "Ivan"


def test_lines_about_others_or_about_nobody_are_passed_over(club):
    connection, remote = club
    remote.log = [
        event("2", "Ivan"),
        event(None, "Ivan"),
        event("1", "Ivan", group=None),
        event("1", "Ivan", group="r9"),
    ]
    remote.rooms["r1"].pop("1")
    read(connection, remote)
    assert Drift.objects.get().remote_at is None


def test_the_log_is_not_read_further_than_needed(club, monkeypatch):
    connection, remote = club
    told = []

    def lines(since, until):
        for line in [event("1", "Ivan")] + [event("2", "Zoë")] * 100:
            told.append(line)
            yield line

    remote.outside_events = lines
    remote.rooms["r1"].pop("1")
    read(connection, remote)
    assert len(told) == 1


def test_an_endless_log_is_left_after_a_while(club, monkeypatch):
    connection, remote = club
    monkeypatch.setattr(reading_actors, "LINES_AT_MOST", 50)
    remote.log = [event("2", "Zoë")] * 50 + [event("1", "Ivan")]
    remote.rooms["r1"].pop("1")
    assert read(connection, remote).state == ReadingState.COMPLETE
    assert Drift.objects.get().remote_at is None


def test_a_fault_of_ours_in_the_log_leaves_the_reading_complete(club):
    connection, remote = club

    def lines(since, until):
        raise TypeError("a fault")
        yield

    remote.outside_events = lines
    remote.rooms["r1"].pop("1")
    assert read(connection, remote).state == ReadingState.COMPLETE


def test_a_group_that_vanished_is_told_with_who_deleted_it(club):
    connection, remote = club
    remote.log = [event(None, "Ivan")]
    remote.rooms.pop("r1")
    remote.rooms["r2"] = {}
    read(connection, remote)
    assert Drift.objects.get(kind=DriftKind.GROUP_VANISHED).remote_actor == "Ivan"
