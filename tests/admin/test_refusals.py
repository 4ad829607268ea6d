import json
from datetime import UTC, datetime

import pytest
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.test import Client, RequestFactory
from django.urls import reverse

from membership.admin.refusals import RefusalMiddleware, refused
from membership.errors import AuditUnavailable, BadValue, ChangeRefused, NotAllowed, Reason
from membership.models import AuditEntry, AuditPersonal
from membership.services import sessions
from membership.services.shell import audited
from membership.vocab import AuditAction
from tests import mirrored

LONG_AGO = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)


@pytest.fixture
def request_of(any_db):
    def make(user):
        request = RequestFactory().post("/membership/change/3/")
        request.user = user
        return request

    return make


def answer(request, error):
    return RefusalMiddleware(lambda request: None).process_exception(request, error)


@pytest.mark.parametrize(
    ("error", "status", "says"),
    [
        (ChangeRefused(Reason.PLAN_STALE), 409, "too old"),
        (NotAllowed(Reason.NO_RIGHT), 403, "do not have the right"),
        (BadValue(Reason.BAD_VALUE, key="url", why="<b>no</b>"), 400, "&lt;b&gt;no&lt;/b&gt;"),
        (AuditUnavailable(), 503, "audit log cannot be written"),
        (PermissionDenied(), 403, "do not have the right"),
    ],
)
def test_a_refusal_is_one_sentence_with_the_right_status(request_of, operator, error, status, says):
    response = answer(request_of(operator), error)
    assert response.status_code == status
    assert says in response.content.decode()


def test_other_errors_are_none_of_its_business(request_of, operator):
    assert answer(request_of(operator), ZeroDivisionError()) is None


def test_a_refusal_is_recorded_with_who_and_where(request_of, operator):
    answer(request_of(operator), PermissionDenied())
    entry = AuditEntry.objects.get(action=AuditAction.REQUEST_REFUSED)
    assert (entry.actor_id, entry.outcome) == (operator.pk, Reason.NO_RIGHT)
    assert json.loads(AuditPersonal.objects.get(pk=entry.pk).data)["path"] == "/membership/change/3/"


def test_what_a_service_has_recorded_is_not_recorded_twice(request_of, operator):
    @audited
    def confirm_nothing(*, actor):
        raise ChangeRefused(Reason.PLAN_STALE)

    with pytest.raises(ChangeRefused) as caught:
        confirm_nothing(actor=operator)
    answer(request_of(operator), caught.value)
    assert AuditEntry.objects.filter(action=AuditAction.REQUEST_REFUSED).count() == 1


def test_a_refusal_that_cannot_be_recorded_says_so(request_of, operator, settings):
    settings.AUDIT_KEYS = {}
    assert answer(request_of(operator), PermissionDenied()).status_code == 503


def test_a_page_without_a_database_is_still_a_sentence(request_of, operator, fresh_db):
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE auth_group RENAME TO hidden")
        cursor.execute("ALTER TABLE membership_connection RENAME TO hidden2")
    response = refused(request_of(operator), AuditUnavailable())
    assert response.status_code == 503
    assert "audit log cannot be written" in response.content.decode()


def test_a_forged_form_is_refused_and_recorded(operator):
    client = Client(enforce_csrf_checks=True)
    client.force_login(operator)
    response = client.post(reverse("admin:logout"))
    assert response.status_code == 403
    assert "did not come from a page of this panel" in response.content.decode()
    entry = AuditEntry.objects.get(action=AuditAction.REQUEST_REFUSED)
    assert (entry.actor_id, entry.outcome) == (operator.pk, Reason.REQUEST_FORGED)


def refusals():
    """Outcome, method and address of what was refused."""
    rows = AuditEntry.objects.filter(action=AuditAction.REQUEST_REFUSED).order_by("pk")
    parts = [json.loads(AuditPersonal.objects.get(pk=row.pk).data) for row in rows]
    return [(row.outcome, part["method"], part["path"]) for row, part in zip(rows, parts, strict=True)]


def test_asking_in_another_way_than_by_a_form_is_recorded(as_, owner, ada):
    client, asked = as_(owner), []
    for page in admin.site._registry.values():
        folder = f"/{page.model._meta.app_label}/{page.model._meta.model_name}/"
        asked += [f"{folder}1/{name}/" for name in page.posts]
    asked += ["/membership/auditentry/verify/", "/membership/participant/export/", "/notices/put_away/"]
    assert {client.get(address).status_code for address in asked} == {405}
    assert refusals() == [(Reason.REQUEST_FORGED, "GET", address) for address in asked]
    client.put(asked[0])
    assert refusals()[-1] == (Reason.REQUEST_FORGED, "PUT", asked[0])


@pytest.mark.parametrize("model", ["participant", "group", "account", "person", "connection"])
def test_asking_for_a_row_out_of_reach_is_recorded_and_for_none_is_not(as_, limited_operator, ada, office, model):
    row = {
        "participant": ada,
        "group": ada.group,
        "account": ada.account,
        "person": mirrored.person("Ada", ada.account),
        "connection": ada.group.connection,
    }[model]
    client = as_(limited_operator(office))
    address = f"/membership/{model}/{row.pk}/"
    assert client.get(address).status_code == client.get(f"/membership/{model}/999999/").status_code == 404
    assert refusals() == [(Reason.NOT_VISIBLE, "GET", address)]


def test_a_form_about_a_row_out_of_reach_is_recorded_wherever_it_is_sent_to(as_, limited_operator, owner, ada, office):
    client = as_(limited_operator(office))
    group = f"/membership/group/{ada.group_id}/"
    asked = [f"{group}add_people/", f"{group}then/export/", f"/membership/participant/{ada.pk}/edit/"]
    codes = [client.post(address, {"day": "2026-01-01", "format": "csv"}).status_code for address in asked]
    assert codes == [404, 404, 403]
    assert refusals() == [(Reason.NOT_VISIBLE, "POST", address) for address in asked]


@pytest.mark.parametrize(
    ("address", "data"),
    [
        ("/membership/connection/{system}/retire/", {"name": "another", "reason": "x"}),
        ("/membership/group/{group}/remove/", {}),
        ("/membership/group/{group}/then/export/?day=nonsense", {"format": "csv"}),
    ],
)
def test_what_a_page_itself_refuses_is_recorded_and_told(as_, owner, ada, address, data):
    address = address.format(system=ada.group.connection_id, group=ada.group_id)
    answer = as_(owner).post(address, data)
    assert answer.status_code == 302
    ((_outcome, method, path),) = refusals()
    assert (method, path) == ("POST", address.partition("?")[0])


def test_a_form_without_any_field_is_refused_and_recorded(as_, operator, ada):
    """No page of ours sends one; its token may come in a header."""
    client, group = as_(operator), ada.group_id
    mirrored.person("Ada", ada.account)
    asked = [
        "/membership/bundle/new/",
        f"/membership/roster/new/?group={group}",
        f"/membership/group/{group}/add_people/",
        f"/membership/group/new/?system={ada.group.connection_id}",
    ]
    assert {client.post(address).status_code for address in asked} == {200}
    assert [path for _outcome, _method, path in refusals()] == [address.partition("?")[0] for address in asked]


def test_a_wrong_password_where_ones_own_is_changed_is_recorded_without_it(as_, viewer):
    """Somebody at a panel that was left open may try."""
    new = "an even longer password"
    data = {"old_password": "guessed-by-somebody", "new_password1": new, "new_password2": new}
    assert as_(viewer).post("/password_change/", data).status_code == 200
    ((outcome, method, path),) = refusals()
    assert (outcome, method, path) == (Reason.BAD_VALUE, "POST", "/password_change/")
    assert "guessed-by-somebody" not in "".join(AuditPersonal.objects.values_list("data", flat=True))


def test_what_is_no_row_at_all_is_not_recorded(as_, owner, ada):
    client = as_(owner)
    for address in ("/favicon.ico", "/wp-login.php", "/membership/group/999999/then/", "/membership/nothing/"):
        assert client.get(address).status_code == 404
    assert refusals() == []


def test_a_form_with_more_fields_than_any_of_ours_is_recorded(as_, owner, settings):
    settings.DATA_UPLOAD_MAX_NUMBER_FIELDS = 10
    address = "/membership/participant/"
    assert as_(owner).post(address, {f"field{number}": "x" for number in range(11)}).status_code == 400
    assert refusals() == [(Reason.REQUEST_FORGED, "POST", address)]


def test_what_cannot_be_recorded_says_so_there_too(as_, owner, ada, settings):
    client = as_(owner)
    settings.AUDIT_KEYS = {}
    assert client.get("/membership/auditentry/verify/").status_code == 503


def test_forged_forms_of_nobody_cannot_flood_the_log(any_db):
    client = Client(enforce_csrf_checks=True)
    for _ in range(15):
        assert client.post(reverse("admin:login"), {"username": "a"}).status_code == 403
    assert AuditEntry.objects.filter(action=AuditAction.REQUEST_REFUSED).count() <= 10 * 2


def test_a_name_by_which_the_panel_is_not_called_is_refused_and_recorded(any_db):
    response = Client().get("/readyz", headers={"host": "<b>evil.example"})
    assert response.status_code == 400
    assert "does not answer to the name “&lt;b&gt;evil.example”" in response.content.decode()
    assert refusals() == [(Reason.HOST_UNKNOWN, "GET", "/readyz")]
    (part,) = AuditPersonal.objects.values_list("data", flat=True)
    assert json.loads(part)["params"] == {"host": "<b>evil.example"}


def test_unknown_names_cannot_flood_the_log(any_db, monkeypatch):
    monkeypatch.setattr(sessions, "_minute", lambda at: LONG_AGO)
    for _ in range(sessions.LISTED_A_MINUTE + 2):
        assert Client().get("/", headers={"host": "evil.example"}).status_code == 400
    assert len(refusals()) == sessions.LISTED_A_MINUTE
    monkeypatch.undo()
    sessions.close_counts()
    assert json.loads(AuditEntry.objects.get(action=AuditAction.LOG_INS_FAILED).sealed)["data"]["count"] == 2


def test_an_unknown_name_that_cannot_be_recorded_says_so(any_db, settings):
    settings.AUDIT_KEYS = {}
    assert Client().get("/", headers={"host": "evil.example"}).status_code == 503


def test_no_inline_script_is_on_the_page(request_of, operator, stranger):
    for user in (operator, stranger):
        assert "<script>" not in answer(request_of(user), PermissionDenied()).content.decode()
