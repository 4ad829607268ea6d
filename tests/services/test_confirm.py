import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from membership.errors import BadValue, ChangeRefused, NotAllowed, Reason
from membership.models import AuditPersonal, Change, Group, Participant
from membership.services import changes
from membership.services.change_pages import preview
from membership.services.people import protect_person
from membership.services.removal import draft_removal
from membership.vocab import AuditAction, ChangeState, ConnectionState, Role
from tests import mirrored as m
from tests.services.asking import assert_refused, confirm, draft, entries, gone, made_manager

pytestmark = pytest.mark.django_db


@pytest.fixture
def chess(office):
    return m.group("Chess", office)


@pytest.fixture
def ada(office, chess):
    return m.participant(m.account("Ada", office), chess)


@pytest.fixture
def bea(office, chess):
    return m.participant(m.account("Bea", office), chess)


def test_a_confirmed_change_is_queued_with_its_reason(vera, ada):
    change = confirm(draft(vera, ada), vera, reason="  Season ended ", ticket="812")
    change.refresh_from_db()
    assert (change.state, change.reason, change.ticket) == (ChangeState.QUEUED, "Season ended", "812")
    assert change.confirmed_at is not None


def test_the_request_is_one_entry_with_counts_sealed_and_names_apart(vera, ada, bea):
    change = confirm(draft(vera, ada, bea), vera, reason="Season ended", ticket="812")
    (found,) = entries(AuditAction.CHANGE_REQUESTED)
    assert (found.actor_id, found.change_id, found.chain) == (vera.pk, change.pk, "panel")
    for sealed in ('"people":2', '"groups":1', '"operations":2', '"left_out":0', f'"plan_hash":"{change.plan_hash}"'):
        assert sealed in found.sealed
    assert "Season" not in found.sealed
    personal = AuditPersonal.objects.get(pk=found.pk).data
    for said in ("Season ended", "812", "Remove 2 people from 1 group"):
        assert said in personal


def test_a_colleague_who_may_act_may_confirm_and_the_log_names_both(vera, ada):
    tom = m.user("tom")
    change = confirm(draft(vera, ada), tom)
    assert change.requested_by == tom
    assert entries(AuditAction.CHANGE_DRAFTED).get().actor_id == vera.pk
    assert entries(AuditAction.CHANGE_REQUESTED).get().actor_id == tom.pk


@pytest.mark.parametrize("reason", ["", "   ", "\n\t", "\x00\x07", "\u200b", "\u202e \u00a0"])
def test_a_reason_without_a_visible_letter_is_refused(vera, ada, reason):
    assert_refused(Reason.REASON_EMPTY, confirm, draft(vera, ada), vera, reason=reason)


def test_control_characters_in_a_reason_are_dropped_and_letters_kept(vera, ada):
    change = confirm(draft(vera, ada), vera, reason="עזב\x00 den\x1b Chor\r\nim Mai")
    assert change.reason == "עזב den Chor\nim Mai"


def test_a_reason_or_ticket_that_does_not_fit_is_refused(vera, ada):
    assert_refused(Reason.BAD_VALUE, confirm, draft(vera, ada), vera, reason="x" * 1001, error=BadValue)
    assert_refused(Reason.BAD_VALUE, confirm, draft(vera, ada), vera, ticket="x" * 101, error=BadValue)


@pytest.mark.parametrize("role", [Role.VIEWER, Role.APPROVER, Role.AUDITOR])
def test_who_may_not_act_cannot_confirm(vera, ada, role):
    tom = m.user("tom", role)
    assert_refused(Reason.NO_RIGHT, confirm, draft(vera, ada), tom, error=NotAllowed)


def test_who_may_not_see_all_of_it_cannot_confirm(vera, ada):
    club = m.system("Club", "mudbase")
    both = draft(vera, ada, m.participant(m.account("Zoë", club), m.group("Chat", club)))
    assert_refused(Reason.NOT_VISIBLE, confirm, both, m.user("limited", systems=[club]), error=NotAllowed)


def test_a_page_that_showed_another_plan_confirms_nothing(vera, ada, bea):
    shown = draft(vera, bea)
    assert_refused(Reason.PLAN_ALTERED, confirm, draft(vera, ada), vera, expected_hash=shown.plan_hash)


@pytest.mark.parametrize("expected_hash", ["", "0" * 64])
def test_a_forged_hash_confirms_nothing(vera, ada, expected_hash):
    assert_refused(Reason.PLAN_ALTERED, confirm, draft(vera, ada), vera, expected_hash=expected_hash)


@pytest.mark.parametrize(
    "altered",
    [
        {"calls": [{"method": "DELETE", "path": ["api", "latest", "groups", "other"]}]},
        {"subject": "account:other"},
        {"before": {"is_present": True}},
        {"wanted": {}},
    ],
    ids=lambda altered: next(iter(altered)),
)
def test_a_plan_altered_in_the_database_is_refused(vera, ada, altered):
    change = draft(vera, ada)
    change.operations.update(**altered)
    assert_refused(Reason.PLAN_ALTERED, confirm, change, vera)


def test_a_plan_with_its_digests_rewritten_is_refused_too(vera, ada):
    change = draft(vera, ada)
    change.operations.update(calls=[], digest="0" * 64)
    assert_refused(Reason.PLAN_ALTERED, confirm, change, vera)


def test_a_change_confirmed_twice_is_queued_once(vera, ada):
    change = confirm(draft(vera, ada), vera)
    with pytest.raises(ChangeRefused) as refused:
        confirm(change, vera)
    assert refused.value.reason == Reason.ALREADY_CONFIRMED
    assert entries(AuditAction.CHANGE_REQUESTED).count() == 1


def test_a_preview_whose_time_ran_out_is_stale_from_then_on(vera, ada):
    change = draft(vera, ada)
    Change.objects.filter(pk=change.pk).update(stale_at=timezone.now())
    assert_refused(Reason.PLAN_STALE, confirm, change, vera)
    change.refresh_from_db()
    assert change.state == ChangeState.STALE
    assert entries(AuditAction.CHANGE_STALE).get().change_id == change.pk
    assert_refused(Reason.PLAN_STALE, confirm, change, vera)
    assert entries(AuditAction.CHANGE_STALE).count() == 1


def group_gone(row):
    Group.objects.filter(pk=row.group_id).update(is_present=False)


def group_protected(row):
    Group.objects.filter(pk=row.group_id).update(is_protected=True)


def now_managed_elsewhere(row):
    Group.objects.filter(pk=row.group_id).update(managed_elsewhere=True)


def person_protected(row):
    protect_person(m.person("Ada", row.account), "board", actor=m.user("owner", Role.OWNER))


def asked_by_another(row):
    tom = m.user("tom")
    throwaway = draft(tom, row)
    Change.objects.filter(pk=throwaway.pk).update(state=ChangeState.RUNNING)


@pytest.mark.parametrize(
    "happens",
    [gone, made_manager, group_gone, group_protected, now_managed_elsewhere, person_protected, asked_by_another],
    ids=lambda happens: happens.__name__,
)
def test_what_changed_under_the_preview_makes_it_stale(vera, ada, bea, happens):
    change = draft(vera, ada, bea)
    happens(ada)
    with pytest.raises(ChangeRefused) as refused:
        confirm(change, vera)
    assert refused.value.reason == Reason.PLAN_STALE
    assert refused.value.params["count"] >= 1
    change.refresh_from_db()
    assert change.state == ChangeState.STALE
    assert not entries(AuditAction.CHANGE_REQUESTED).exists()


def test_when_the_other_manager_left_meanwhile_the_last_one_stays(vera, office, chess):
    ada, bea = (m.participant(m.account(name, office), chess, is_manager=True) for name in ("Ada", "Bea"))
    change = draft(vera, ada)
    gone(bea)
    assert_refused(Reason.PLAN_STALE, confirm, change, vera)


def test_a_change_elsewhere_leaves_the_preview_fresh(vera, office, ada, bea):
    change = draft(vera, ada)
    gone(bea)
    Group.objects.update(name="Chess club")
    assert confirm(change, vera).state == ChangeState.QUEUED


def test_a_plan_with_nothing_to_do_cannot_be_confirmed(vera, office, chess):
    own = m.participant(m.account("Service", office, is_own=True), chess)
    assert_refused(Reason.NOTHING_TO_DO, confirm, draft(vera, own), vera)


@pytest.fixture
def few_is_many(settings):
    settings.MUSTERBOOK = {**settings.MUSTERBOOK, "TYPE_NUMBER_ABOVE": 1}


@pytest.mark.parametrize("typed", [None, "", "1", "two", 3])
def test_many_people_need_their_number_typed(vera, ada, bea, few_is_many, typed):
    assert_refused(Reason.NUMBER_NOT_TYPED, confirm, draft(vera, ada, bea), vera, typed_number=typed)


@pytest.mark.parametrize("typed", [2, "2", " 2 "])
def test_the_right_number_confirms(vera, ada, bea, few_is_many, typed):
    change = draft(vera, ada, bea)
    assert preview(change, actor=vera).number_to_type == changes.number_to_type(change) == 2
    assert confirm(change, vera, typed_number=typed).state == ChangeState.QUEUED


def test_one_person_in_many_groups_needs_no_number(vera, office, ada, few_is_many):
    again = m.participant(ada.account, m.group("Other", office))
    assert confirm(draft(vera, ada, again), vera).state == ChangeState.QUEUED


def test_a_stopped_system_is_no_reason_to_refuse_but_is_said(vera, office, ada):
    office.state = ConnectionState.PAUSED
    office.save()
    change = draft(vera, ada)
    assert any("Office is stopped" in note.text for note in preview(change, actor=vera).notes)
    assert confirm(change, vera).state == ChangeState.QUEUED


def test_a_system_in_maintenance_is_no_reason_to_refuse_but_is_said(vera, office, ada):
    office.state = ConnectionState.MAINTENANCE
    office.save()
    change = draft(vera, ada)
    assert any("Office is in maintenance" in note.text for note in preview(change, actor=vera).notes)
    assert confirm(change, vera).state == ChangeState.QUEUED


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    flips=st.lists(st.tuples(st.integers(0, 3), st.sampled_from(["is_present", "is_member", "is_manager"])), max_size=3)
)
def test_a_plan_is_queued_only_if_the_mirror_is_as_it_was_shown(vera, flips):
    office = m.system(f"Office {m.next_number()}")
    club = m.group("Club", office)
    m.participant(m.account("Boss", office), club, is_manager=True)
    rows = [m.participant(m.account(f"N{n}", office), club) for n in range(4)]
    change = draft(vera, *rows)
    for place, column in flips:
        row = Participant.objects.get(pk=rows[place].pk)
        setattr(row, column, not getattr(row, column))
        row.save()
    columns = ("is_present", "is_member", "is_manager")
    now = list(Participant.objects.filter(pk__in=[row.pk for row in rows]).order_by("pk").values_list(*columns))
    if now == [(True, True, False)] * 4:
        assert confirm(change, vera).state == ChangeState.QUEUED
    else:
        with pytest.raises(ChangeRefused):
            confirm(change, vera)


def test_a_hundred_times_more_steps_confirm_with_few_more_queries(vera, office):
    def queries(count):
        members = m.crowd(count, m.group("Crowd", office))
        change = draft_removal(members, actor=vera, selection={"kind": "query", "query": ""})
        with CaptureQueriesContext(connection) as captured:
            confirm(change, vera, typed_number=count, stage_sizes=(5,))
        return len(captured)

    assert queries(1000) <= queries(10) + 2
