import pytest

from membership.errors import Reason
from membership.mirror.accounts import AccountIndex
from membership.mirror.confirmed import remove_confirmed
from membership.mirror.participants import ParticipantListing
from membership.models import Drift, Participant, Presence
from membership.vocab import OperationState, PresenceCause
from tests.mirror.builders import ago, make_connection, make_group, make_operation, people, present, take, write

pytestmark = pytest.mark.django_db


@pytest.fixture
def chess():
    group = make_group(make_connection())
    take(group, people("1", "2", "3", "4"), began_at=ago(100))
    group.refresh_from_db()
    return group


def row(key):
    return Participant.objects.get(remote_id=key)


# law 1: a reading never overrules newer knowledge


@pytest.mark.parametrize("state", [OperationState.RUNNING, OperationState.IN_DOUBT])
def test_a_row_with_an_operation_on_its_way_is_left_as_it_is(chess, state):
    make_operation(row("1"), state)
    take(chess, people("2", "3", "4"))
    assert present(chess) == {"1", "2", "3", "4"}
    assert not Drift.objects.exists()


def test_rights_of_a_row_with_an_operation_on_its_way_are_left_as_they_are(chess):
    make_operation(row("1"), OperationState.IN_DOUBT)
    take(chess, [*people("1", is_manager=True), *people("2", "3", "4")])
    assert not row("1").is_manager


def test_a_row_settled_after_the_reading_began_is_left_as_it_is(chess):
    make_operation(row("1"), OperationState.CONFIRMED, settled_at=ago(5))
    Participant.objects.filter(remote_id="1").update(is_present=False)
    take(chess, people("1", "2", "3", "4"), began_at=ago(10))
    assert present(chess) == {"2", "3", "4"}


def test_a_row_settled_before_the_reading_began_is_read(chess):
    operation = make_operation(row("1"), OperationState.CONFIRMED, settled_at=ago(20))
    remove_confirmed([(row("1").pk, operation.pk)], at=ago(20))
    take(chess, people("1", "2", "3", "4"), began_at=ago(10))
    assert present(chess) == {"1", "2", "3", "4"}


def test_an_operation_that_begins_while_the_group_is_read_is_seen_when_it_is_written(chess):
    listing = ParticipantListing(chess, began_at=ago(1), accounts=AccountIndex(chess.connection))
    listing.take([*people("1", is_manager=True), *people("2", "3")])
    for key in ("1", "4"):
        make_operation(row(key), OperationState.RUNNING)
    write(listing)
    assert not row("1").is_manager
    assert row("4").is_present


def test_a_foreign_row_is_read_again_since_nothing_is_on_its_way(chess):
    make_operation(row("1"), OperationState.FOREIGN)
    take(chess, [*people("1", is_manager=True), *people("2", "3", "4")])
    assert row("1").is_manager


def test_rows_that_we_are_removing_say_nothing_about_how_whole_a_list_is(chess):
    for key in ("1", "2", "3"):
        make_operation(row(key), OperationState.CONFIRMED, settled_at=ago(1))
    Participant.objects.filter(remote_id__in=["1", "2", "3"]).update(is_present=False)
    take(chess, people("4"), began_at=ago(10))
    chess.refresh_from_db()
    assert (chess.incomplete_reason, chess.participants_count) == ("", 1)


def test_removals_on_their_way_do_not_make_a_list_look_short(chess):
    listing = ParticipantListing(chess, began_at=ago(10), accounts=AccountIndex(chess.connection))
    for key in ("1", "2", "3"):
        make_operation(row(key), OperationState.RUNNING)
    listing.take(people("4"))
    assert listing.problem() is None


def test_far_fewer_rows_are_a_problem_also_while_somebody_is_being_removed(chess):
    listing = ParticipantListing(chess, began_at=ago(10), accounts=AccountIndex(chess.connection))
    make_operation(row("1"), OperationState.RUNNING)
    listing.take(people("2"))
    assert listing.problem() == (Reason.FAR_FEWER_ROWS, {"before": 3, "now": 1})


# what our own operations explain is not drift


@pytest.mark.parametrize(
    "trace", [{"resends": 2}, {"outcome": Reason.SENT_TOO_OFTEN}, {"outcome": Reason.DECIDED_BY_OPERATOR}]
)
def test_somebody_gone_whom_we_tried_to_remove_is_not_drift(chess, trace):
    operation = make_operation(row("1"), OperationState.REFUSED, settled_at=ago(50), **trace)
    take(chess, people("2", "3", "4"))
    assert not Drift.objects.exists()
    ended = Presence.objects.get(participant=row("1"))
    assert (ended.ended_by, ended.ended_operation_id) == (PresenceCause.OPERATION, operation.pk)


def test_somebody_gone_whom_the_remote_refused_to_remove_is_drift(chess):
    make_operation(row("1"), OperationState.REFUSED, settled_at=ago(50), outcome=Reason.FORBIDDEN)
    take(chess, people("2", "3", "4"))
    assert Drift.objects.get().kind == "left"


def test_rights_lost_by_half_a_removal_are_not_drift(chess):
    take(chess, [*people("1", is_manager=True), *people("2", "3", "4")], began_at=ago(90))
    Drift.objects.all().delete()
    make_operation(row("1"), OperationState.REFUSED, settled_at=ago(50), calls_done=1)
    take(chess, people("1", "2", "3", "4"))
    assert not row("1").is_manager
    assert not Drift.objects.exists()


# presence


def test_somebody_who_comes_back_has_two_stretches(chess):
    take(chess, people("2", "3", "4"))
    take(chess, people("1", "2", "3", "4"))
    first, second = Presence.objects.filter(participant=row("1")).order_by("pk")
    assert first.since < first.until <= second.since
    assert (second.until, second.began_by) == (None, PresenceCause.READING)


def test_a_clock_set_back_makes_no_overlap(chess):
    take(chess, people("2", "3", "4"), began_at=ago(10))
    take(chess, people("1", "2", "3", "4"), began_at=ago(60))
    first, second = Presence.objects.filter(participant=row("1")).order_by("pk")
    assert first.until <= second.since


def test_a_presence_never_ends_before_it_began(chess):
    take(chess, people("2", "3", "4"), began_at=ago(500))
    gone = Presence.objects.get(participant=row("1"))
    assert gone.until == gone.since


# secrets


def test_secrets_are_kept_and_a_new_one_is_noticed(chess):
    take(chess, [*people("1", secrets={"token": "a"}), *people("2", "3", "4")])
    take(chess, [*people("1", secrets={"token": "b"}), *people("2", "3", "4")])
    assert row("1").secrets == {"token": "b"}
    assert not Drift.objects.exists()


def test_a_reading_without_news_reads_no_secrets(chess, django_assert_max_num_queries):
    with django_assert_max_num_queries(20) as queries:
        take(chess, people("1", "2", "3", "4"))
    assert not any("secrets" in query["sql"] for query in queries if "membership_participant" in query["sql"])
