import pytest

from membership.errors import Reason
from membership.models import Account, Group, Participant
from membership.providers.base import Places
from membership.providers.errors import Incomplete, Refused, Throttled
from membership.vocab import ReadingKind
from tests.operations.listed_remote import COMPLETE, INCOMPLETE, ListedRemote, connect, finish, mirrored, read, wanted

pytestmark = pytest.mark.django_db


@pytest.fixture
def club():
    return connect(provider="inwendo")


@pytest.fixture
def remote():
    """Rows do not say whose they are; the remote tells it when it is asked about a person."""
    remote = ListedRemote(names=False, places=Places.REMOTE)
    remote.people = {"1": "Ada", "2": "Bo", "3": "Cy"}
    remote.rooms = {"7": {"70": "1", "71": "2"}, "8": {"80": "2", "81": "3"}}
    return remote


def account(remote_id):
    return Account.objects.get(remote_id=remote_id)


def sweeps(remote):
    return [what for what in remote.asked if what.startswith("places:")]


def test_rows_are_linked_by_asking_for_each_account(club, remote):
    assert read(club, remote).state == COMPLETE
    assert mirrored(club) == remote.rooms
    assert all(row.places_read_at for row in Account.objects.all())


def test_nobody_is_asked_for_again_while_every_row_is_linked(club, remote):
    read(club, remote)
    remote.asked.clear()
    read(club, remote)
    assert sweeps(remote) == []


def test_a_new_row_is_linked_by_asking_for_its_namesake_first(club, remote):
    remote.people |= {str(number): f"Person {number}" for number in range(10, 30)}
    read(club, remote)
    remote.rooms["7"]["72"] = "3"
    remote.asked.clear()
    read(club, remote)
    assert mirrored(club) == remote.rooms
    assert len(sweeps(remote)) == 2
    assert sweeps(remote)[0] == "places:3"


def test_rows_that_are_nobodys_are_not_asked_about_for_ever(club, remote):
    remote.rooms["7"]["79"] = None
    read(club, remote)
    remote.asked.clear()
    assert read(club, remote).state == COMPLETE
    assert sweeps(remote) == []
    assert Participant.objects.get(remote_id="79").account is None


def test_a_remote_that_ignores_whose_places_are_asked_links_nobody(club, remote):
    remote.ignores_whose_places = True
    row = read(club, remote)
    assert (row.state, row.reason) == (INCOMPLETE, Reason.ANSWER_UNEXPECTED)
    assert not Participant.objects.exclude(account=None).exists()
    assert not Account.objects.exclude(places_read_at=None).exists()


def test_a_system_is_known_as_of_now_although_the_sweep_is_not_allowed(club, remote):
    for person in remote.people:
        remote.errors[f"places:{person}"] = Refused(Reason.FORBIDDEN, status=403)
    row = read(club, remote)
    club.refresh_from_db()
    assert (row.state, row.reason) == (INCOMPLETE, Reason.FORBIDDEN)
    assert club.read_at == row.started_at
    assert len(sweeps(remote)) == 1


def test_a_throttled_sweep_asks_nobody_twice(club, remote):
    remote.people |= {str(number): f"Person {number}" for number in range(10, 20)}
    remote.errors["places:3"] = Throttled(Reason.THROTTLED, pause_s=1)
    row = wanted(club)
    with pytest.raises(Throttled):
        finish(row, remote)
    remote.errors.clear()
    finish(row, remote)
    assert row.state == COMPLETE
    assert sorted(sweeps(remote)).count("places:3") == 2
    assert sweeps(remote).count("places:1") == sweeps(remote).count("places:2") == 1


# everywhere one account takes part


def test_the_places_of_one_account_are_read_from_the_remote(club, remote):
    read(club, remote)
    Participant.objects.update(account=None)
    remote.asked.clear()
    row = read(club, remote, ReadingKind.PLACES, account=account("2"))
    assert row.state == COMPLETE
    assert set(Participant.objects.filter(account=account("2")).values_list("remote_id", flat=True)) == {"71", "80"}
    assert len(sweeps(remote)) == 2 == len(remote.asked)


def test_a_place_that_the_mirror_does_not_hold_is_looked_for(club, remote):
    read(club, remote)
    remote.rooms["9"] = {"90": "1", "91": None}
    row = read(club, remote, ReadingKind.PLACES, account=account("1"))
    assert row.state == COMPLETE
    assert mirrored(club)["9"] == {"90": "1", "91": None}
    assert account("1").places_read_at >= row.started_at


def test_a_place_that_is_gone_is_looked_at(club, remote):
    read(club, remote)
    remote.rooms["7"] = {"71": "2", "75": None}
    row = read(club, remote, ReadingKind.PLACES, account=account("1"))
    assert row.state == COMPLETE
    assert not Participant.objects.get(remote_id="70").is_present


def test_places_in_a_group_out_of_sight_are_not_known(club, remote):
    read(club, remote)
    before = account("1").places_read_at
    remote.rooms["9"] = {"90": "1"}
    remote.unlisted.add("9")
    row = read(club, remote, ReadingKind.PLACES, account=account("1"))
    assert (row.state, row.reason) == (INCOMPLETE, Reason.PLACES_NOT_KNOWN)
    assert account("1").places_read_at == before


def test_one_accounts_answer_alone_is_not_believed(club, remote):
    read(club, remote)
    Participant.objects.update(account=None)
    remote.ignores_whose_places = True
    row = read(club, remote, ReadingKind.PLACES, account=account("1"))
    assert (row.state, row.reason) == (INCOMPLETE, Reason.ANSWER_UNEXPECTED)
    assert not Participant.objects.exclude(account=None).exists()


def test_the_only_account_there_is_is_believed(club, remote):
    remote.people = {"1": "Ada"}
    read(club, remote)
    assert Participant.objects.get(remote_id="70").account == account("1")


# where only complete readings of all groups tell


@pytest.fixture
def mirror_only():
    remote = ListedRemote()
    remote.people = {"1": "Ada", "2": "Bo"}
    remote.rooms = {"7": {"1": "1", "2": "2"}, "8": {"2": "2"}}
    return remote


def test_places_are_read_from_all_groups_where_the_remote_cannot_tell(club, mirror_only):
    read(club, mirror_only)
    mirror_only.rooms["9"] = {"1": "1"}
    row = read(club, mirror_only, ReadingKind.PLACES, account=account("1"))
    assert row.state == COMPLETE
    assert mirrored(club) == mirror_only.rooms
    assert account("1").places_read_at == row.started_at


def test_groups_read_since_places_were_asked_for_are_not_read_again(club, mirror_only):
    first = read(club, mirror_only)
    mirror_only.asked.clear()
    row = read(club, mirror_only, ReadingKind.PLACES, account=account("1"), asked_at=first.started_at)
    assert (row.state, mirror_only.asked) == (COMPLETE, [])


def test_places_are_not_known_while_one_group_is_not(club, mirror_only):
    read(club, mirror_only)
    mirror_only.errors["8"] = Incomplete(Reason.MAYBE_CAPPED)
    row = read(club, mirror_only, ReadingKind.PLACES, account=account("1"))
    assert (row.state, row.reason) == (INCOMPLETE, Reason.MAYBE_CAPPED)
    assert account("1").places_read_at is None
    assert Group.objects.get(remote_id="7").read_at > row.started_at
