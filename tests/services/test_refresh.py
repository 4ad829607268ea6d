import pytest
from django.utils import timezone

from membership.errors import ChangeRefused, NotAllowed, Reason
from membership.models import AuditEntry, Connection, Group, Reading
from membership.services.refresh import request_refresh, waiting_for
from membership.vocab import ReadingKind, ReadingState

pytestmark = pytest.mark.django_db


def connect(name, **fields):
    return Connection.objects.create(provider="kaiten", name=name, base_url="https://a.example", **fields)


@pytest.fixture
def club():
    return connect("Club")


@pytest.fixture
def office():
    return connect("Office")


def group_of(connection, name="Chess"):
    return Group.objects.create(connection=connection, remote_id=name, name=name, seen_at=timezone.now())


def test_a_refresh_of_systems_and_groups_waits_for_the_worker(club, office, operator):
    chess = group_of(office)
    system, group = request_refresh(connections=[club], groups=[chess], actor=operator)
    assert (system.kind, system.connection, system.state) == (ReadingKind.SYSTEM, club, ReadingState.WANTED)
    assert (group.kind, group.group, group.asked_by) == (ReadingKind.GROUP, chess, operator)
    assert list(waiting_for(club)) == [system]


def test_a_refresh_asked_twice_waits_once(club, operator):
    chess = group_of(club)
    first = request_refresh(connections=[club], groups=[chess], actor=operator)
    again = request_refresh(connections=[club], groups=[chess, chess], actor=operator)
    assert again == first
    assert Reading.objects.count() == 2
    assert AuditEntry.objects.filter(action="reading.requested").count() == 1


def test_a_reading_that_runs_may_have_passed_what_is_asked_for(club, operator):
    Reading.objects.create(connection=club, kind=ReadingKind.SYSTEM, state="running", asked_at=timezone.now())
    [reading] = request_refresh(connections=[club], actor=operator)
    assert reading.state == ReadingState.WANTED


def test_each_systems_chain_says_who_asked(club, office, operator):
    request_refresh(connections=[club], groups=[group_of(office, "A"), group_of(office, "B")], actor=operator)
    entries = AuditEntry.objects.filter(action="reading.requested").order_by("pk")
    assert {entry.chain for entry in entries} == {f"connection:{club.pk}", f"connection:{office.pk}"}
    assert {entry.actor_id for entry in entries} == {operator.pk}


def test_of_a_stopped_system_the_reading_has_failed_at_once(operator):
    stopped = connect("Stopped", state="paused", state_reason="tariff", state_params={"said": "pay"})
    [reading] = request_refresh(connections=[stopped], actor=operator)
    assert (reading.state, reading.reason, reading.reason_params) == ("failed", "tariff", {"said": "pay"})
    assert not waiting_for(stopped).exists()


def test_who_may_not_refresh_is_refused_and_it_is_recorded(club, auditor):
    with pytest.raises(NotAllowed) as refusal:
        request_refresh(connections=[club], actor=auditor)
    assert refusal.value.reason == Reason.NO_RIGHT
    assert not Reading.objects.exists()
    assert AuditEntry.objects.get(action="request.refused").outcome == "no_right"


def test_a_system_that_the_user_may_not_see_is_refused(club, office, limited_operator):
    with pytest.raises(NotAllowed) as refusal:
        request_refresh(connections=[club, office], actor=limited_operator(club))
    assert refusal.value.reason == Reason.NOT_VISIBLE
    assert not Reading.objects.exists()


def test_a_group_in_a_hidden_system_is_refused(club, office, limited_operator):
    with pytest.raises(NotAllowed):
        request_refresh(groups=[group_of(office)], actor=limited_operator(club))


def test_nothing_selected_is_refused(operator):
    with pytest.raises(ChangeRefused):
        request_refresh(actor=operator)


def test_the_command_line_may_refresh_everything(club):
    [reading] = request_refresh(connections=[club], actor=None)
    assert reading.asked_by is None
