import socket
import time
from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone

from membership.errors import BadValue, ChangeRefused, NotAllowed, Reason
from membership.models import AuditEntry, AuditPersonal, Connection
from membership.sandbox.faults import Fault
from membership.services import connections
from membership.services.connections import Limits
from membership.vocab import AuditAction, ConnectionState


def connect(name="Office", provider="kaiten", url="https://office.example.org", actor=None, **given):
    given.setdefault("secrets", {"token": "t0ken-1"})
    return connections.connect(provider, name, url, actor=actor, **given)


def entries(action):
    found = AuditEntry.objects.filter(action=action).order_by("pk")
    return [(entry, AuditPersonal.objects.get(pk=entry.pk).data) for entry in found]


def let_it_be_tested_again(row):
    Connection.objects.filter(pk=row.pk).update(tested_at=timezone.now() - timedelta(hours=1))


# connecting


@pytest.mark.django_db
def test_a_system_gets_the_rate_of_its_vendor():
    assert connect().rate_per_s == 5
    assert connect("Club", "inwendo", options={"username": "m"}, secrets={"password": "x"}).rate_per_s == 2


@pytest.mark.django_db
def test_connecting_twice_makes_one_system_and_one_entry():
    first, second = connect(), connect()
    assert first.pk == second.pk
    assert [len(entries(a)) for a in (AuditAction.CONNECTION_CREATED, AuditAction.CONNECTION_EDITED)] == [1, 0]


@pytest.mark.django_db
def test_connecting_again_changes_what_is_given_and_keeps_the_rest():
    connect(options={"api_path": "api/v1"}, internal=True)
    row = connect(url="https://other.example.org/", secrets={}, limits=Limits(rate_per_s=9))
    assert (row.base_url, row.rate_per_s, row.internal) == ("https://other.example.org", 9, True)
    assert row.options == {"api_path": "api/v1"}
    assert row.secrets == {"token": "t0ken-1"}


@pytest.mark.django_db
def test_secrets_never_reach_the_audit_log():
    row = connect()
    connections.edit(row, secrets={"token": "t0ken-2"}, actor=None)
    said = "".join(data for a in AuditAction for _entry, data in entries(a))
    assert "t0ken" not in said
    assert '"token":"set"' in entries(AuditAction.CONNECTION_CREATED)[0][1]
    assert '"token":"changed"' in entries(AuditAction.CONNECTION_EDITED)[0][1]


@pytest.mark.django_db
def test_an_edit_is_recorded_with_before_and_after():
    connections.edit(connect(), url="https://new.example.org", actor=None)
    entry, personal = entries(AuditAction.CONNECTION_EDITED)[0]
    assert '"fields":["base_url"]' in entry.sealed
    assert '"before":{"base_url":"https://office.example.org"}' in personal
    assert '"after":{"base_url":"https://new.example.org"}' in personal


@pytest.mark.django_db
def test_a_new_secret_ends_the_session():
    row = connect()
    Connection.objects.filter(pk=row.pk).update(session={"token": "old"}, renewing_since=timezone.now())
    row = connections.edit(row, secrets={"token": "t0ken-2"}, actor=None)
    assert (row.session, row.renewing_since) == ({}, None)


@pytest.mark.django_db
def test_new_limits_keep_the_session():
    row = connect()
    Connection.objects.filter(pk=row.pk).update(session={"token": "old"})
    assert connections.edit(row, limits=Limits(burst=3), actor=None).session == {"token": "old"}


@pytest.mark.parametrize(
    "given",
    [
        {"provider": "slack"},
        {"name": ""},
        {"name": "a\nb"},
        {"url": "ftp://office.example.org"},
        {"url": "https://user:pass@office.example.org"},
        {"url": "office.example.org"},
        {"secrets": {}},
        {"secrets": {"token": "with\x00nul"}},
        {"secrets": {"token": "€uro"}},
        {"secrets": {"password": "unknown here"}},
        {"options": {"api_path": "api/v9"}},
        {"options": {"nonsense": "1"}},
        {"limits": Limits(rate_per_s=0)},
        {"limits": Limits(rate_per_s=float("nan"))},
        {"limits": Limits(concurrency=100_000)},
    ],
)
@pytest.mark.django_db
def test_what_cannot_be_used_is_refused_with_its_key_and_nothing_is_stored(given):
    with pytest.raises(BadValue) as caught:
        connect(**given)
    assert caught.value.params["key"]
    assert caught.value.params["why"]
    assert not Connection.objects.exists()
    assert len(entries(AuditAction.REQUEST_REFUSED)) == 1


@pytest.mark.django_db
def test_a_refused_secret_is_not_in_the_error():
    with pytest.raises(BadValue) as caught:
        connect(secrets={"token": "t0ken €"})
    assert "t0ken" not in str(caught.value)


@pytest.mark.django_db
def test_a_name_belongs_to_one_system():
    connect("Office")
    with pytest.raises(BadValue):
        connect("Office", "inwendo", secrets={})
    club = connect("Club")
    with pytest.raises(BadValue):
        connections.edit(club, name="Office", actor=None)


@pytest.mark.django_db
def test_an_operator_may_neither_connect_nor_edit_nor_test(operator):
    row = connect()
    for ask in (
        lambda: connect("Club", actor=operator),
        lambda: connections.edit(row, url="https://x.example", actor=operator),
        lambda: connections.test_connection(row, actor=operator),
        lambda: connections.pause(row, reason="no", actor=operator),
    ):
        with pytest.raises(NotAllowed):
            ask()
    assert len(entries(AuditAction.REQUEST_REFUSED)) == 4


# testing


def test_a_system_that_works_says_so(world, owner):
    for row in world.connections:
        tested = connections.test_connection(row, actor=owner)
        assert tested.works
        assert tested.sentences[0] == "It works."
        assert all(" " in said for said in tested.sentences), tested.sentences


def test_a_test_writes_nothing_there(world, owner):
    for row in world.connections:
        connections.test_connection(row, actor=owner)
    assert world.sent() == {"inwendo": [], "mudbase": [], "kaiten": []}


def test_the_lane_can_take_the_requests_of_a_test_from_its_limit(world, owner):
    connections.test_connection(world.kaiten, actor=owner)
    assert Connection.objects.get(pk=world.kaiten.pk).tests_made == len(world.sandbox.kaiten.journal)


def test_a_test_right_after_another_is_refused(world, owner):
    Connection.objects.update(rate_per_s=0.1)
    connections.test_connection(world.kaiten, actor=owner)
    asked = len(world.sandbox.kaiten.journal)
    with pytest.raises(ChangeRefused) as caught:
        connections.test_connection(world.kaiten, actor=owner)
    assert caught.value.reason == Reason.TOO_MANY_TESTS
    assert caught.value.params["wait_s"] > 0
    assert len(world.sandbox.kaiten.journal) == asked


def test_a_system_that_asked_for_a_pause_is_left_alone(world, owner):
    until = timezone.now() + timedelta(minutes=1)
    Connection.objects.filter(pk=world.kaiten.pk).update(slowed_until=until, slowed_reason=Reason.THROTTLED)
    with pytest.raises(ChangeRefused):
        connections.test_connection(world.kaiten, actor=owner)
    assert len(world.sandbox.kaiten.journal) == 0


def break_it(world, what):
    if what == "nobody listens":
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            return world.kaiten, {"base_url": f"http://127.0.0.1:{probe.getsockname()[1]}"}
    if what == "not internal":
        return world.kaiten, {"internal": False}
    if what == "a wrong token":
        return world.kaiten, {"secrets": {"token": "wrong"}}
    if what == "a wrong password":
        return world.mudbase, {"secrets": {"password": "wrong"}}
    if what == "another kind of system":
        return world.kaiten, {"base_url": world.sandbox.mudbase.url}
    if what == "a page instead":
        world.sandbox.kaiten.faults.add(Fault("html"))
        return world.kaiten, {}
    world.sandbox.kaiten.faults.add(Fault("status", status=402, body={"message": "Feature is not supported by tariff"}))
    return world.kaiten, {}


@pytest.mark.parametrize(
    ("what", "says"),
    [
        ("nobody listens", "nothing answers"),
        ("not internal", "private or local"),
        ("a wrong token", "does not accept the token"),
        ("a wrong password", "refused the log-in"),
        ("another kind of system", "not the expected system"),
        ("a page instead", "not the expected system"),
        ("the tariff", "not supported by tariff"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(world, owner, what, says):
    row, settings = break_it(world, what)
    for key, value in settings.items():
        setattr(row, key, value)
    row.save()
    tested = connections.test_connection(row, actor=owner)
    assert not tested.works
    assert len(tested.sentences) == 1
    assert says in tested.sentences[0]
    assert entries(AuditAction.CONNECTION_TESTED)[0][0].outcome


@pytest.mark.once
def test_a_system_that_hangs_is_given_up_within_ten_seconds(world, owner):
    world.sandbox.kaiten.faults.add(Fault("drip", interval_s=0.05))
    Connection.objects.filter(pk=world.kaiten.pk).update(timeout_s=30)
    began = time.monotonic()
    tested = connections.test_connection(Connection.objects.get(pk=world.kaiten.pk), actor=owner)
    assert not tested.works
    assert time.monotonic() - began < 10


def test_a_test_inside_a_transaction_is_a_fault(world, owner):
    with pytest.raises(RuntimeError), transaction.atomic():
        connections.test_connection(world.kaiten, actor=owner)


def test_a_token_that_ran_out_is_replaced_by_a_log_in_and_never_renewed(world, owner):
    Connection.objects.filter(pk=world.mudbase.pk).update(session={"access_token": "old", "refresh_token": "old"})
    row = Connection.objects.get(pk=world.mudbase.pk)
    assert connections.test_connection(row, actor=owner).works
    assert not any("refresh" in line for line in world.sandbox.mudbase.journal.seen)


# stopping and resuming


def test_a_stopped_system_says_who_stopped_it_and_why(world, owner):
    connections.pause(world.kaiten, reason="moving house", actor=owner)
    row = Connection.objects.get(pk=world.kaiten.pk)
    assert row.state == ConnectionState.PAUSED
    assert row.state_params == {"by": "owner", "note": "moving house"}
    assert len(entries(AuditAction.CONNECTION_PAUSED)) == 1


def test_stopping_needs_a_reason(world, owner):
    with pytest.raises(ChangeRefused):
        connections.pause(world.kaiten, reason="  ", actor=owner)
    assert Connection.objects.get(pk=world.kaiten.pk).state == ConnectionState.ACTIVE


def test_a_stopped_system_that_works_is_resumed(world, owner):
    connections.pause(world.kaiten, reason="moving house", actor=owner)
    assert connections.resume(world.kaiten, actor=owner).works
    row = Connection.objects.get(pk=world.kaiten.pk)
    assert (row.state, row.state_reason) == (ConnectionState.ACTIVE, "")
    assert len(entries(AuditAction.CONNECTION_RESUMED)) == 1


def test_a_stopped_system_that_does_not_work_stays_stopped(world, owner):
    connections.pause(world.kaiten, reason="moving house", actor=owner)
    Connection.objects.filter(pk=world.kaiten.pk).update(secrets={"token": "wrong"})
    assert not connections.resume(world.kaiten, actor=owner).works
    assert Connection.objects.get(pk=world.kaiten.pk).state == ConnectionState.PAUSED
    assert not entries(AuditAction.CONNECTION_RESUMED)
