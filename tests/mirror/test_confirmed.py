import pytest
from django.db import transaction

from membership.mirror import writer
from membership.models import Group, Participant, Presence
from membership.providers.base import RemoteParticipant
from membership.vocab import OperationState, PresenceCause
from tests.mirror.builders import (
    ago,
    make_account,
    make_connection,
    make_group,
    make_operation,
    people,
    present,
    take,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def club():
    return make_connection()


@pytest.fixture
def chess(club):
    group = make_group(club)
    take(group, people("1", "2", "3"), began_at=ago(100))
    return group


@pytest.fixture
def choir(club):
    group = make_group(club, "choir")
    take(group, people("7", "8"), began_at=ago(100))
    return group


def row(key):
    return Participant.objects.get(remote_id=key)


def confirm(*keys, at):
    pairs = [(row(key).pk, make_operation(row(key), OperationState.CONFIRMED, settled_at=at).pk) for key in keys]
    with transaction.atomic():
        writer.remove_confirmed(pairs, at=at)
    return dict(zip(keys, [operation for _, operation in pairs], strict=True))


def test_confirmed_removals_leave_the_mirror_and_end_presences(chess, choir):
    at = ago(1)
    operations = confirm("1", "2", "7", at=at)
    assert (present(chess), present(choir)) == ({"3"}, {"8"})
    for key, operation in operations.items():
        ended = Presence.objects.get(participant=row(key))
        assert (ended.until, ended.ended_by, ended.ended_operation_id) == (at, PresenceCause.OPERATION, operation)
    assert dict(Group.objects.values_list("remote_id", "participants_count")) == {"chess": 1, "choir": 1}


def test_a_removal_confirmed_twice_counts_once(chess):
    confirm("1", at=ago(2))
    confirm("1", at=ago(1))
    chess.refresh_from_db()
    assert chess.participants_count == 2
    assert Presence.objects.get(participant=row("1")).until < ago(1)


def test_a_count_never_falls_below_none(chess):
    Group.objects.update(participants_count=0)
    confirm("1", at=ago(1))
    chess.refresh_from_db()
    assert chess.participants_count == 0


def test_a_batch_of_removals_takes_few_statements(chess, django_assert_max_num_queries):
    pairs = [(row(key).pk, make_operation(row(key), "confirmed", settled_at=ago(1)).pk) for key in ("1", "2", "3")]
    with django_assert_max_num_queries(6) as queries:
        writer.remove_confirmed(pairs, at=ago(1))
    assert not any("secrets" in query["sql"] for query in queries)


def test_no_removals_take_no_statement(django_assert_num_queries, db):
    with django_assert_num_queries(0):
        writer.remove_confirmed([], at=ago(1))


def test_a_row_read_back_is_kept_as_it_is_now(chess):
    writer.put_found(row("1").pk, RemoteParticipant("1", None, "Person 1", is_manager=True), at=ago(1))
    assert row("1").is_manager
    take(chess, [*people("1", is_manager=True), *people("2", "3")])
    assert row("1").seen_at < ago(0.5)


def test_a_row_read_back_as_gone_ended_outside(chess):
    writer.put_found(row("1").pk, None, at=ago(1))
    assert present(chess) == {"2", "3"}
    assert Presence.objects.get(participant=row("1")).ended_by == PresenceCause.READING
    chess.refresh_from_db()
    assert chess.participants_count == 2


def test_a_row_read_back_as_gone_is_owed_to_the_operation_that_is_named(chess):
    operation = make_operation(row("1"), OperationState.CONFIRMED)
    writer.put_found(row("1").pk, None, at=ago(1), operation_id=operation.pk)
    assert Presence.objects.get(participant=row("1")).ended_operation_id == operation.pk


def test_a_row_read_back_that_is_there_again_has_a_new_presence(chess):
    confirm("1", at=ago(10))
    writer.put_found(row("1").pk, RemoteParticipant("1", None, "Person 1"), at=ago(1))
    assert present(chess) == {"1", "2", "3"}
    assert list(Presence.objects.filter(participant=row("1")).order_by("pk").values_list("until", flat=True))[1] is None
    chess.refresh_from_db()
    assert chess.participants_count == 3


# links


def test_rows_are_linked_to_accounts(club, chess, choir):
    ada = make_account(club, "a")
    links = writer.link_rows(club, {"1": "a", "7": "a", "99": "a"})
    assert (links.linked, links.unknown, links.taken) == (2, {"99"}, frozenset())
    assert set(Participant.objects.filter(account=ada).values_list("remote_id", flat=True)) == {"1", "7"}


def test_a_row_that_is_somebody_elses_is_left_so(club, chess):
    ada, _bo = make_account(club, "a"), make_account(club, "b")
    writer.link_rows(club, {"1": "a"})
    links = writer.link_rows(club, {"1": "b"})
    assert links.taken == {"1"}
    assert row("1").account == ada


def test_rows_of_another_system_are_not_linked(club, chess):
    other = make_connection(name="Other")
    make_account(other, "a")
    assert writer.link_rows(other, {"1": "a"}).unknown == {"1"}
    assert row("1").account is None


def test_a_link_outlives_the_next_reading(club, chess):
    make_account(club, "a")
    writer.link_rows(club, {"1": "a"})
    take(chess, [*people("1", is_manager=True), *people("2", "3")])
    assert row("1").is_manager
    assert row("1").account.remote_id == "a"
