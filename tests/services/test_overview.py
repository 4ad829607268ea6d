from datetime import timedelta

import pytest
from django.utils import timezone

from membership import conf
from membership.models import Change, Connection, Drift, Operation
from membership.services.link_proposals import propose
from membership.services.outside import adopt
from membership.services.overview import Health, badges, health, overview
from membership.vocab import ChangeKind, ChangeState, ConnectionState, DriftKind, OperationState, Role, Verb
from tests import mirrored as m

pytestmark = pytest.mark.django_db


@pytest.fixture
def chess(office):
    return m.group("Chess", office)


def change(actor, state=ChangeState.DONE_WITH_FAILURES, **fields):
    now = timezone.now()
    given = {"kind": ChangeKind.ALTERATION, "created_at": now, "confirmed_at": now, "finished_at": now, **fields}
    made = Change.objects.create(state=state, requested_by=actor, **given)
    made.parts.create(connection=Connection.objects.first())
    return made


def step(of, group, state=OperationState.REFUSED, **fields):
    return Operation.objects.create(
        change=of,
        position=of.operations.count(),
        connection=group.connection,
        group=group,
        verb=Verb.UPDATE,
        subject=f"account:{m.next_number()}",
        subject_label="Ada",
        state=state,
        settled_at=timezone.now(),
        **fields,
    )


def half_done(of, group):
    return step(of, group, outcome_params={"half_done": True}, calls_done=1)


# systems


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, Health.WELL),
        ({"read_at": None}, Health.NEW),
        ({"read_at": timedelta(days=-9)}, Health.OLD),
        ({"slowed_until": timedelta(minutes=1)}, Health.SLOWED),
        ({"slowed_until": timedelta(minutes=-1)}, Health.WELL),
        ({"state": ConnectionState.PAUSED}, Health.STOPPED),
        ({"state": ConnectionState.MAINTENANCE, "read_at": None}, Health.MAINTENANCE),
        ({"state": ConnectionState.RETIRED, "slowed_until": timedelta(minutes=1)}, Health.RETIRED),
    ],
)
def test_the_health_of_a_system_is_the_worst_that_holds(fields, expected):
    now = timezone.now()
    given = {key: now + value if isinstance(value, timedelta) else value for key, value in fields.items()}
    assert health(m.system(**given), now) == expected


def test_a_system_is_old_after_three_readings_that_told_nothing_whole(settings):
    every = timedelta(seconds=conf.read_every_s())
    now = timezone.now()
    assert health(m.system("A", read_at=now - 2.9 * every), now) == Health.WELL
    assert health(m.system("B", read_at=now - 3.1 * every), now) == Health.OLD


def test_systems_are_told_with_their_numbers_and_retired_ones_last(vera, office, chess):
    m.participant("Unmatched", chess)
    m.participant(m.account("Ada", office), chess)
    m.group("Board", office)
    type(chess).objects.filter(pk=chess.pk).update(participants_count=2)
    m.system("Abolished", state=ConnectionState.RETIRED)
    step(change(vera, ChangeState.RUNNING), chess, OperationState.QUEUED)
    first, last = overview(vera).systems
    assert (first.groups, first.participants, first.unmatched, first.steps) == (2, 2, 1, 1)
    assert (last.connection.name, last.health) == ("Abolished", Health.RETIRED)


# what runs and what waits


def test_what_runs_and_what_waits_are_told_apart(vera, chess):
    running = change(vera, ChangeState.RUNNING, operations_count=2)
    step(running, chess, OperationState.CONFIRMED)
    stuck = change(vera, ChangeState.RUNNING)
    step(stuck, chess, OperationState.FOREIGN)
    failed = change(vera)
    step(failed, chess)
    change(vera, ChangeState.DONE)
    found = overview(vera)
    assert [run.change for run in found.running] == [stuck, running]
    assert (found.running[1].done, found.running[1].total) == (1, 2)
    assert [(each, each.foreign, each.refused) for each in found.waiting] == [(failed, 0, 1), (stuck, 1, 0)]


def test_many_running_changes_do_not_hide_what_waits(vera, chess):
    failed = change(vera)
    step(failed, chess)
    for _ in range(12):
        change(vera, ChangeState.RUNNING)
    found = overview(vera)
    assert len(found.running) == 5
    assert found.waiting == [failed]


def test_half_done_steps_are_told_until_somebody_sees_to_them(vera, chess):
    made = change(vera)
    operation = half_done(made, chess)
    step(made, chess)
    assert overview(vera).half_done == [operation]
    back = change(vera, ChangeState.DRAFT, kind=ChangeKind.WAY_BACK, selection={"kind": "way_back", "of": operation.pk})
    assert overview(vera).half_done == []
    Change.objects.filter(pk=back.pk).update(state=ChangeState.STALE)
    assert overview(vera).half_done == [operation]
    change(vera, ChangeState.RUNNING, kind=ChangeKind.RETRY, retry_of=made)
    assert overview(vera).half_done == []


def test_the_way_back_of_one_step_is_not_that_of_another(vera, chess):
    made = change(vera)
    one, other = half_done(made, chess), half_done(made, chess)
    change(vera, ChangeState.RUNNING, kind=ChangeKind.WAY_BACK, selection={"kind": "way_back", "of": one.pk})
    assert overview(vera).half_done == [other]


def test_what_was_changed_outside_counts_until_it_is_decided(vera, chess):
    for kind in (DriftKind.JOINED, DriftKind.JOINED, DriftKind.LEFT, DriftKind.ALTERED):
        long_ago = timezone.now() - timedelta(days=40)
        Drift.objects.create(connection=chess.connection, group=chess, kind=kind, label="x", noticed_at=long_ago)
    found = overview(vera)
    assert (found.drifts, found.joined, found.left) == (4, 2, 1)
    adopt(Drift.objects.filter(kind=DriftKind.JOINED), actor=vera)
    found = overview(vera)
    assert (found.drifts, found.joined, found.left) == (2, 0, 1)
    assert badges(vera).drifts == 2


def test_proposals_to_link_wait_for_those_who_may_decide(vera, office):
    m.account("Ada", office)
    m.account("Ada", m.system("Club", "mudbase"))
    propose()
    assert overview(vera).proposals == 1
    assert overview(m.user("tom", Role.VIEWER)).proposals == 0


def test_who_may_only_see_has_nothing_waiting(vera, chess):
    half_done(change(vera), chess)
    found = overview(m.user("tom", Role.VIEWER))
    assert (found.waiting, found.half_done, found.proposals) == ([], [], 0)


def test_nothing_of_other_systems_is_told(vera, chess):
    made = change(vera)
    half_done(made, chess)
    change(vera, ChangeState.RUNNING)
    Drift.objects.create(connection=chess.connection, group=chess, kind="left", label="x", noticed_at=timezone.now())
    limited = m.user("limited", systems=[m.system("Club", "mudbase")])
    found = overview(limited)
    assert [card.connection.name for card in found.systems] == ["Club"]
    assert (found.running, found.waiting, found.half_done, found.drifts) == ([], [], [], 0)
    assert found.activity.refused == 0


# how much is asked


def grow(actor, chess, times):
    for number in range(times):
        made = change(actor)
        half_done(made, chess)
        step(change(actor, ChangeState.RUNNING), chess, OperationState.FOREIGN)
        group = m.group(f"Group {number}", m.system(f"System {actor.pk}-{times}-{number}"))
        Drift.objects.create(
            connection=group.connection, group=group, kind="joined", label="x", noticed_at=timezone.now()
        )


def questions(django_assert_max_num_queries, user, known):
    fresh = type(user).objects.get(pk=user.pk)
    with django_assert_max_num_queries(10) as asked:
        overview(fresh, badges(fresh) if known else None)
    return len(asked)


def test_the_first_page_asks_the_same_few_questions_however_much_there_is(vera, chess, django_assert_max_num_queries):
    grow(vera, chess, 1)
    few = questions(django_assert_max_num_queries, vera, known=True)
    grow(vera, chess, 12)
    assert questions(django_assert_max_num_queries, vera, known=True) == few
    assert questions(django_assert_max_num_queries, vera, known=False) == few
    assert few <= 5 + 3  # rights of the user and of the role, and the reach
