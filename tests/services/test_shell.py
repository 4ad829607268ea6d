import json

import pytest
from django.db import transaction
from django.utils import timezone

from membership.audit import record
from membership.errors import AuditUnavailable, BadValue, ChangeRefused, NotAllowed, Reason
from membership.models import AuditEntry, AuditPersonal, Change, Connection, Person
from membership.services.shell import audited, need_right, need_visible, refuse
from membership.vocab import AuditAction, ChangeKind, Right


@pytest.fixture
def draft(operator):
    return Change.objects.create(kind=ChangeKind.REMOVAL, created_at=timezone.now(), requested_by=operator)


@audited
def confirm_anything(change, *, actor, reason=Reason.PLAN_STALE):
    with transaction.atomic():
        Person.objects.create(name="Ada")
        refuse(reason, change=change.pk)


def refusals():
    return AuditEntry.objects.filter(action=AuditAction.REQUEST_REFUSED)


def test_a_refusal_outlives_the_rollback(fresh_db, operator, draft):
    with pytest.raises(ChangeRefused):
        confirm_anything(draft, actor=operator)
    assert not Person.objects.exists()
    entry = refusals().get()
    assert (entry.actor_id, entry.change_id, entry.outcome) == (operator.pk, draft.pk, Reason.PLAN_STALE)
    assert json.loads(entry.sealed)["data"] == {"what": "confirm_anything"}
    assert json.loads(AuditPersonal.objects.get(pk=entry.pk).data)["params"] == {"change": draft.pk}


def test_a_service_inside_another_is_recorded_once_by_the_outer(fresh_db, operator, draft):
    @audited
    def outer(change, *, actor):
        with transaction.atomic():
            confirm_anything(change, actor=actor)

    with pytest.raises(ChangeRefused):
        outer(draft, actor=operator)
    assert json.loads(refusals().get().sealed)["data"] == {"what": "outer"}


@pytest.mark.parametrize("error", [BadValue(Reason.BAD_VALUE, key="a"), NotAllowed(Reason.NOT_VISIBLE)])
def test_other_refusals_are_recorded_too(db, operator, error):
    @audited
    def service(*, actor):
        raise error

    with pytest.raises(type(error)):
        service(actor=operator)
    assert refusals().count() == 1


def test_what_is_no_refusal_is_not_recorded(db, operator):
    @audited
    def service(*, actor):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        service(actor=operator)
    assert not refusals().exists()


def test_a_refusal_that_cannot_be_recorded_says_that_the_log_is_broken(db, operator, draft, settings):
    settings.AUDIT_KEYS = {}
    with pytest.raises(AuditUnavailable):
        confirm_anything(draft, actor=operator)


def test_a_service_that_did_its_work_leaves_no_refusal(db, operator):
    @audited
    def service(*, actor):
        with transaction.atomic():
            record.write("panel", [record.Entry(AuditAction.COMMAND_RUN, actor=actor)])
        return 5

    assert service(actor=operator) == 5
    assert not refusals().exists()


def test_a_right_that_is_missing_is_refused(viewer, operator):
    need_right(operator, Right.ACT)
    with pytest.raises(NotAllowed):
        need_right(viewer, Right.ACT)


def test_what_may_not_be_seen_is_refused_like_what_is_not_there(limited_operator, operator):
    mine = Connection.objects.create(provider="kaiten", name="Club", base_url="https://club.example")
    other = Connection.objects.create(provider="kaiten", name="Works", base_url="https://works.example")
    limited = limited_operator(mine)
    assert need_visible(mine, limited) == mine
    for row in (other, Connection(pk=10_000)):
        with pytest.raises(NotAllowed) as caught:
            need_visible(row, limited)
        assert caught.value.reason == Reason.NOT_VISIBLE
