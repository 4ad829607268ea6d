"""Four eyes: what waits, who may decide about it, and that nobody decides about another plan than the one shown."""

import pytest
from django.utils import timezone

from membership.audit import asked
from membership.errors import NotAllowed, Reason
from membership.models import AuditPersonal, Change, Decision, Reach
from membership.operations import outbox
from membership.services import approval, changes, overview, staging
from membership.services.again import recompile
from membership.services.alteration import draft_alteration
from membership.services.change_pages import preview
from membership.services.drafts import expire_drafts
from membership.services.roles import give_role
from membership.vocab import AuditAction, ChangeState, Guard, GuardLevel, OperationState, Role
from tests import mirrored as m
from tests.guards import asks, rule
from tests.services.asking import assert_refused, confirm, draft, entries, gone

pytestmark = pytest.mark.django_db


@pytest.fixture
def pia():
    return m.user("pia", Role.APPROVER)


@pytest.fixture
def rows(office):
    chess = m.group("Chess", office, participants_count=4)
    m.participant(m.account("Boss", office), chess, is_manager=True)
    return [m.participant(m.account(name, office), chess) for name in ("Ada", "Bea")]


@pytest.fixture
def waiting(vera, rows):
    asks(Guard.EVERY_CHANGE)
    return confirm(draft(vera, *rows), vera, reason="Season ended", ticket="812")


def approve(change, actor, **fields):
    return approval.approve_change(change, actor=actor, **{"expected_hash": change.plan_hash, **fields})


def reject(change, actor, **fields):
    given = {"expected_hash": change.plan_hash, "comment": "Ada stays", **fields}
    return approval.reject_change(change, actor=actor, **given)


def state_of(change):
    return Change.objects.get(pk=change.pk).state


def test_what_a_guard_asks_for_waits_and_the_log_does_not_let_it_be_sent(waiting, vera):
    assert (waiting.state, waiting.confirmed_at, waiting.requested_by) == (ChangeState.WAITING, None, vera)
    assert (waiting.reason, waiting.ticket) == ("Season ended", "812")
    assert waiting.stale_at > timezone.now() + timezone.timedelta(days=2)
    assert entries(AuditAction.CHANGE_REQUESTED).get().outcome == "waiting"
    assert asked.hash_to_send(waiting.pk) == ""


def test_approved_by_a_second_person_it_is_queued_as_confirmed(waiting, pia, vera):
    change = approve(waiting, pia, comment="seen")
    assert (change.state, change.requested_by) == (ChangeState.QUEUED, vera)
    assert change.confirmed_at is not None
    found = entries(AuditAction.CHANGE_APPROVED).get()
    assert (found.actor_id, found.change_id) == (pia.pk, change.pk)
    assert change.plan_hash in found.sealed
    assert "seen" in AuditPersonal.objects.get(pk=found.pk).data
    assert asked.hash_to_send(change.pk) == change.plan_hash


def test_rejected_nothing_of_it_is_ever_sent_and_the_comment_is_kept(waiting, pia, vera):
    change = reject(waiting, pia)
    assert (change.state, change.confirmed_at) == (ChangeState.REJECTED, None)
    assert preview(change, actor=vera).guarding.decision.said == "Ada stays"
    assert entries(AuditAction.CHANGE_REJECTED).get().actor_id == pia.pk
    assert_refused(Reason.NOT_WAITING, approve, waiting, pia)
    assert recompile(change, actor=vera).state == ChangeState.DRAFT


@pytest.mark.parametrize("decide", [approve, reject])
def test_never_by_whoever_asked_not_even_an_owner(olga, rows, decide):
    asks(Guard.EVERY_CHANGE)
    change = confirm(draft(olga, *rows), olga)
    assert_refused(Reason.OWN_REQUEST, decide, change, olga)
    assert state_of(change) == ChangeState.WAITING
    assert not approval.may_decide(change, olga)


@pytest.mark.parametrize("decide", [approve, reject])
@pytest.mark.parametrize("role", [Role.VIEWER, Role.OPERATOR, Role.AUDITOR])
def test_never_without_the_right(waiting, decide, role):
    assert_refused(Reason.NO_RIGHT, decide, waiting, m.user("tom", role), error=NotAllowed)


@pytest.mark.parametrize("decide", [approve, reject])
def test_never_by_somebody_who_may_not_see_all_of_it(waiting, decide):
    club = m.system("Club", "mudbase")
    lea = m.user("lea", Role.APPROVER, systems=[club])
    assert_refused(Reason.NOT_VISIBLE, decide, waiting, lea, error=NotAllowed)
    assert not approval.waiting_for(lea).exists()


@pytest.mark.parametrize("decide", [approve, reject])
@pytest.mark.parametrize("forged", ["", "0" * 64])
def test_never_another_plan_than_the_one_that_was_shown(waiting, pia, decide, forged):
    assert_refused(Reason.PLAN_ALTERED, decide, waiting, pia, expected_hash=forged)
    assert state_of(waiting) == ChangeState.WAITING


def test_never_a_plan_that_was_altered_in_the_database(waiting, pia):
    waiting.operations.filter(position=0).update(subject="account:other")
    assert_refused(Reason.PLAN_ALTERED, approve, waiting, pia)


def test_never_a_plan_under_which_something_changed(waiting, pia, rows):
    gone(rows[0])
    assert_refused(Reason.PLAN_STALE, approve, waiting, pia)
    assert state_of(waiting) == ChangeState.STALE
    assert entries(AuditAction.CHANGE_STALE).get().outcome == "changed"
    assert not Decision.objects.exists()


def test_never_after_its_time(waiting, pia):
    Change.objects.update(stale_at=timezone.now())
    assert_refused(Reason.PLAN_STALE, approve, waiting, pia)
    assert state_of(waiting) == ChangeState.STALE


def test_never_when_a_guard_forbids_it_by_now(waiting, pia):
    rule(Guard.MANY_PEOPLE, GuardLevel.FORBID)
    assert_refused(Reason.PLAN_STALE, approve, waiting, pia)


def test_what_nobody_decides_in_time_becomes_too_old_by_itself(waiting):
    Change.objects.update(stale_at=timezone.now())
    assert expire_drafts()
    assert state_of(waiting) == ChangeState.STALE


LOSSES = {
    "the right": lambda vera, club: give_role(vera, Role.VIEWER, None, actor=None),
    "the reach": lambda vera, club: Reach.objects.create(user=vera).connections.set([club]),
    "the log-in": lambda vera, club: type(vera).objects.filter(pk=vera.pk).update(is_active=False),
}
"""What somebody may lose after they have asked for a change."""


@pytest.fixture(params=LOSSES)
def lose(request, vera):
    return lambda: LOSSES[request.param](vera, m.system("Club", "mudbase"))


def test_never_what_was_asked_by_somebody_who_may_not_do_it_any_more(waiting, pia, lose):
    lose()
    assert_refused(Reason.ASKER_MAY_NOT, approve, waiting, pia)
    assert state_of(waiting) == ChangeState.WAITING
    assert reject(waiting, pia).state == ChangeState.REJECTED


def test_who_looks_at_what_waits_is_told_before_that_its_asker_may_not_do_it_any_more(waiting, pia, lose):
    assert preview(waiting, actor=pia).guarding.asker_lost == ""
    assert [row.asker_may for row in overview.overview(pia).waiting] == [True]
    lose()
    fresh = Change.objects.get(pk=waiting.pk)
    said = preview(fresh, actor=pia).guarding.asker_lost
    assert said.startswith("vera, who asked for this, may not do it any more.")
    assert [row.asker_may for row in overview.overview(pia).waiting] == [False]


def test_of_many_changes_it_is_known_as_of_each_alone(office, club, rows):
    asks(Guard.EVERY_CHANGE)
    board = m.group("Board", club, participants_count=9)
    there = m.participant(m.account("Cem", club), board)
    for number, systems in enumerate((None, [office], [club], [office, club], [])):
        operator, owner = m.user(f"o{number}"), m.user(f"w{number}", Role.OWNER)
        for asker in (operator, owner):
            change = draft(asker, *rows, there)
            Change.objects.filter(pk=change.pk).update(state=ChangeState.WAITING)
            if systems is not None:
                Reach.objects.create(user=asker).connections.set(systems)
    type(operator).objects.filter(username="w0").update(is_active=False)
    type(operator).objects.filter(username="w2").update(is_superuser=True)
    give_role(type(operator).objects.get(username="o3"), Role.AUDITOR, None, actor=None)
    found = {row.requested_by.username: row.asker_may for row in approval.with_askers(Change.objects.all())}
    alone = {row.requested_by.username: approval.asker_may(row) for row in Change.objects.all()}
    assert found == alone
    assert {name for name, may in found.items() if may} == {"o0", "w2", "w3"}


def test_what_begins_after_its_asker_lost_that_waits_until_somebody_answers_for_it(vera, olga, rows, lose):
    change = confirm(draft(vera, *rows), vera, starts_at=timezone.now() + timezone.timedelta(hours=1))
    lose()
    Change.objects.update(starts_at=timezone.now())
    assert outbox.promote(rows[0].group.connection_id)
    paused = Change.objects.get(pk=change.pk)
    assert (paused.state, paused.pause_reason) == (ChangeState.PAUSED, Reason.ASKER_MAY_NOT)
    assert staging.pacing(paused).why_paused.startswith("vera, who asked for this, may not do it any more.")
    assert entries(AuditAction.CHANGE_PAUSED).get(change_id=change.pk).outcome == Reason.ASKER_MAY_NOT
    assert not outbox.promote(rows[0].group.connection_id)
    assert set(change.operations.values_list("state", flat=True)) == {OperationState.PLANNED}
    staging.resume_change(paused, actor=olga)
    assert outbox.promote(rows[0].group.connection_id)
    assert set(change.operations.values_list("state", flat=True)) == {OperationState.QUEUED}


def test_what_waits_for_approval_is_asked_already_and_stops_nothing_else(waiting, vera, pia, rows):
    again = draft(vera, *rows)
    assert {(row.reason, row.reason_params["change"]) for row in again.left_outs.all()} == {
        (Reason.ALREADY_ASKED, waiting.pk)
    }
    assert draft_alteration(m.rows(*rows), {"is_manager": True}, actor=vera, selection=m.ids(*rows)).operations_count
    assert approve(waiting, pia).state == ChangeState.QUEUED


def test_of_two_previews_of_the_same_the_second_is_stale_once_the_first_waits(vera, rows):
    asks(Guard.EVERY_CHANGE)
    first, second = draft(vera, *rows), draft(vera, *rows)
    confirm(first, vera)
    assert_refused(Reason.PLAN_STALE, confirm, second, vera)


def test_a_rejection_needs_a_comment(waiting, pia):
    assert_refused(Reason.COMMENT_EMPTY, reject, waiting, pia, comment=" ")


def test_what_was_asked_for_can_be_withdrawn_but_not_confirmed_again(waiting, vera, pia):
    assert_refused(Reason.ALREADY_CONFIRMED, confirm, waiting, vera)
    changes.throw_away(waiting, actor=vera)
    assert entries(AuditAction.CHANGE_CANCELLED).get().outcome == "withdrawn"
    assert_refused(Reason.NOT_WAITING, approve, waiting, pia)


def test_two_approvals_at_once_queue_it_once(waiting, pia, olga):
    approve(waiting, pia)
    with pytest.raises(Exception) as refused:
        approve(waiting, olga)
    assert refused.value.reason == Reason.NOT_WAITING
    assert entries(AuditAction.CHANGE_APPROVED).count() == 1


def test_what_waits_for_me_is_counted_for_a_second_person_alone(waiting, vera, pia):
    assert list(approval.waiting_for(pia)) == [waiting]
    assert list(overview.waiting_for(pia)) == [waiting]
    assert (overview.badges(pia).waiting, overview.badges(vera).waiting) == (1, 0)
    assert overview.overview(pia).waiting == [waiting]
    assert not approval.waiting_for(vera).exists()


def test_an_approval_that_the_log_does_not_have_lets_nothing_be_sent(waiting):
    """Whoever writes "queued" into the row has no key of the log."""
    Change.objects.update(state=ChangeState.QUEUED, confirmed_at=timezone.now())
    assert asked.hash_to_send(waiting.pk) == ""


def test_the_page_says_when_nobody_else_could_approve(vera, rows):
    asks(Guard.EVERY_CHANGE)
    change = draft(vera, *rows)
    assert not preview(change, actor=vera).guarding.has_approver
    m.user("pia", Role.APPROVER)
    assert preview(change, actor=vera).guarding.has_approver
