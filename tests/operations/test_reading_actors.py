from datetime import timedelta

import pytest
from django.utils import timezone

from membership.models import Connection, Drift, Reading
from membership.operations import reading_actors
from membership.providers.types import OutsideEvent
from membership.sandbox.faults import Fault
from membership.vocab import DriftKind, ReadingState
from tests.operations.listed_remote import ListedRemote
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


@pytest.mark.parametrize("trouble", ["rights", "html", "status", "close"])
def test_a_log_that_cannot_be_read_leaves_the_reading_complete(world, office, trouble):
    office.state.remove_by_hand(GROUP_UID, ADA, author=GRACE)
    if trouble == "rights":
        office.state.switches.audit_rights = False
    else:
        given = {"status": 500} if trouble == "status" else {}
        office.faults.add(Fault(trouble, path="audit-logs", times=10, **given))
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
