"""Guards and approval on pages: who is offered what, and what a request past the page is told."""

import re

import pytest

from membership.errors import Reason
from membership.models import AuditEntry, Change, Decision, GuardRule, Operation
from membership.services import approval
from membership.vocab import AuditAction, ChangeState, Guard, GuardLevel, OperationState, Role
from tests.guards import asks, rule
from tests.services.asking import confirm, draft

pytestmark = pytest.mark.django_db


def text(client, address):
    return " ".join(re.sub(r"<[^>]+>", " ", client.get(address).content.decode()).split())


def at(change, verb=""):
    return f"/membership/change/{change.pk}/{verb}"


@pytest.fixture
def waiting(operator, ada, zoe):
    asks(Guard.EVERY_CHANGE)
    return confirm(draft(operator, ada), operator)


def refusals():
    return set(AuditEntry.objects.filter(action=AuditAction.REQUEST_REFUSED).values_list("outcome", flat=True))


def test_the_page_of_a_change_with_altered_steps_says_so_loudly(as_, operator, ada, zoe):
    change = confirm(draft(operator, ada, zoe), operator)
    step = Operation.objects.filter(change=change).first()
    Operation.objects.filter(pk=step.pk).update(state=OperationState.REFUSED, outcome=Reason.NOT_IN_PLAN)
    body = as_(operator).get(at(change)).content.decode()
    alarm = re.search(r'<div class="mu-note mu-note-bad" role="alert">(.*?)</div>', body, re.S)[1]
    assert "1 step is not as it was confirmed: its row in the database was altered." in alarm


def test_buttons_to_decide_are_there_for_a_second_person_alone(as_, operator, approver, viewer, waiting):
    assert "Approve or reject?" in text(as_(approver), at(waiting))
    for other in (operator, viewer):
        body = text(as_(other), at(waiting))
        assert "Approve or reject?" not in body and "A second person has to approve exactly this" in body


def test_what_cannot_be_approved_any_more_says_so_in_the_queue_and_on_its_page(as_, operator, approver, waiting):
    client = as_(approver)
    lists = ("/membership/change/?waits=approval", "/membership/change/")
    assert "Approve: Remove 1 person from 1 group" in text(client, at(waiting))
    assert all("may not do it any more" not in text(client, address) for address in ("/", *lists))
    type(operator).objects.filter(pk=operator.pk).update(is_active=False)
    page = text(client, at(waiting))
    assert "operator, who asked for this, may not do it any more." in page
    assert "Approve:" not in page and "Reject" in page
    assert "operator asked for approval, but may not do it any more" in text(client, "/")
    assert all("whoever asked may not do it any more" in text(client, address) for address in lists)


def test_a_request_past_the_page_is_refused_and_recorded(as_, operator, owner, waiting):
    posted = {"plan_hash": waiting.plan_hash, "comment": "me"}
    assert as_(operator).post(at(waiting, "approve/"), posted).status_code == 403
    Change.objects.update(requested_by=owner)
    as_(owner).post(at(waiting, "approve/"), posted)
    as_(owner).post(at(waiting, "reject/"), posted)
    assert refusals() == {Reason.NO_RIGHT, Reason.OWN_REQUEST}
    assert Change.objects.get().state == ChangeState.WAITING


def test_an_approval_by_get_does_nothing(as_, approver, waiting):
    assert as_(approver).get(at(waiting, "approve/")).status_code == 405
    assert Change.objects.get().state == ChangeState.WAITING


def test_the_list_shows_what_waits_for_me(as_, operator, approver, waiting):
    title = "Remove 1 person from 1 group"
    for query in ("?waits=me", "?waits=approval"):
        assert title in text(as_(approver), f"/membership/change/{query}")
        assert title not in text(as_(operator), f"/membership/change/{query}")


def test_the_menu_counts_what_waits_for_my_approval(as_, approver, waiting):
    assert re.search(r"Changes\s+waiting for you:\s+1", text(as_(approver), "/"))


def test_a_forbidden_plan_has_no_button_to_confirm_and_only_an_owner_is_asked_to_let_it_through(
    as_, operator, owner, ada, zoe
):
    rule(Guard.EVERY_CHANGE, GuardLevel.FORBID)
    change = draft(operator, ada)
    body = text(as_(operator), at(change))
    assert "It cannot be confirmed as it stands." in body and "Reason; it stays" not in body
    assert as_(operator).post(at(change, "override/"), {"plan_hash": change.plan_hash}).status_code == 403
    as_(owner).post(at(change, "override/"), {"plan_hash": change.plan_hash, "override_reason": "closing"})
    assert Decision.objects.get().by == owner
    body = text(as_(operator), at(change))
    assert "owner let this plan through" in body and "Reason; it stays" in body


@pytest.mark.parametrize("address", ["/membership/connection/guards/", "/membership/connection/{}/guards/"])
@pytest.mark.parametrize("role", [Role.VIEWER, Role.OPERATOR, Role.APPROVER])
def test_guards_are_not_set_by_whoever_does_not_manage_systems(as_, make_user, office, address, role):
    client = as_(make_user("tom", role))
    assert client.get(address.format(office.pk)).status_code == 403
    assert client.post(address.format(office.pk), {"many_people.level": "off"}).status_code == 403
    assert not GuardRule.objects.exists()


def test_a_systems_page_says_what_its_guards_do_and_which_are_its_own(as_, operator, office):
    rule(Guard.MANY_PEOPLE, GuardLevel.FORBID, office, count=7)
    body = text(as_(operator), f"/membership/connection/{office.pk}/")
    assert "Many people are concerned forbids (More than 7) Somebody rises" in body
    assert "The last manager would go is left out as for all systems" in body


def test_an_approved_change_shows_by_whom(as_, viewer, approver, waiting):
    approval.approve_change(waiting, actor=approver, expected_hash=waiting.plan_hash, comment="fine")
    assert re.search("approver approved exactly this plan at .* “ ?fine ?”", text(as_(viewer), at(waiting)))
