"""Who sees which page, and what hidden rows give away: nothing."""

import pytest

from membership.models import Change, Participant
from membership.vocab import Role
from tests import mirrored

LISTS = ["participant", "group", "account", "person", "change", "drift", "connection", "linkproposal", "bundle"]


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("role", list(Role))
def test_every_role_sees_the_lists(as_, make_user, ada, name, role):
    assert as_(make_user("somebody", role)).get(f"/membership/{name}/").status_code == 200


@pytest.mark.parametrize("name", LISTS)
def test_whoever_has_no_role_is_sent_to_the_log_in_page(as_, stranger, ada, name):
    answer = as_(stranger).get(f"/membership/{name}/")
    assert answer.status_code == 302
    assert answer["Location"].startswith("/login/")


@pytest.mark.parametrize(("role", "status"), [(Role.VIEWER, 403), (Role.AUDITOR, 200), (Role.OWNER, 200)])
def test_the_audit_log_is_for_those_who_may_read_it(as_, make_user, role, status):
    assert as_(make_user("somebody", role)).get("/membership/auditentry/").status_code == status


@pytest.mark.parametrize(("role", "status"), [(Role.OPERATOR, 403), (Role.OWNER, 200)])
def test_users_are_for_owners(as_, make_user, role, status):
    client = as_(make_user("somebody", role))
    assert {client.get(page).status_code for page in ("/auth/user/", "/auth/user/new/")} == {status}


def test_a_viewer_is_not_offered_to_remove(as_, viewer, ada):
    assert "Remove from group" not in as_(viewer).get("/membership/participant/").content.decode()


@pytest.mark.parametrize("address", ["/membership/participant/", "/membership/participant/{pk}/remove/"])
def test_a_viewer_who_asks_all_the_same_is_refused(as_, viewer, ada, address):
    data = {"action": "remove", "_selected_action": [ada.pk], "index": "0"}
    assert as_(viewer).post(address.format(pk=ada.pk), data).status_code == 403
    assert not Change.objects.exists()


@pytest.fixture
def hidden(office):
    """Grace in a group of a system that the limited operator may not see."""
    board = mirrored.group("Secret board", office)
    account = mirrored.account("Grace Hopper", office, email="grace@secret.example")
    mirrored.person("Grace Hopper", account)
    return mirrored.participant(account, board)


@pytest.mark.parametrize("name", LISTS)
def test_lists_say_nothing_of_hidden_systems(as_, limited_operator, ada, hidden, name):
    page = as_(limited_operator(ada.group.connection)).get(f"/membership/{name}/").content.decode()
    assert not [word for word in ("Grace", "Secret", "Office", "secret.example") if word in page]


@pytest.mark.parametrize(
    "query", ["?q=grace", "?q=secret.example", "?system={system}", "?group={group}", "?group_name=Secret"]
)
def test_searches_and_filters_do_not_reach_hidden_rows(as_, limited_operator, ada, hidden, query):
    query = query.format(system=hidden.group.connection_id, group=hidden.group_id)
    answer = as_(limited_operator(ada.group.connection)).get(f"/membership/participant/{query}")
    assert answer.context["cl"].result_count == 0


def test_a_person_is_not_found_by_the_address_of_a_hidden_account(as_, limited_operator, ada, hidden):
    hidden.account.person.accounts.add(ada.account)
    client = as_(limited_operator(ada.group.connection))
    assert client.get("/membership/person/?q=Grace").context["cl"].result_count == 1
    assert client.get("/membership/person/?q=secret.example").context["cl"].result_count == 0


@pytest.mark.parametrize("model", ["participant", "group", "account", "person", "connection"])
def test_pages_of_hidden_rows_are_as_if_they_did_not_exist(as_, limited_operator, ada, hidden, model):
    pk = {
        "participant": hidden.pk,
        "group": hidden.group_id,
        "account": hidden.account_id,
        "person": hidden.account.person_id,
        "connection": hidden.group.connection_id,
    }[model]
    client = as_(limited_operator(ada.group.connection))
    assert client.get(f"/membership/{model}/{pk}/").status_code == 404
    assert client.get(f"/membership/{model}/999999/").status_code == 404


def test_a_hidden_row_cannot_be_removed_by_its_id(as_, limited_operator, ada, hidden):
    client = as_(limited_operator(ada.group.connection))
    data = {"action": "remove", "_selected_action": [ada.pk, hidden.pk], "index": "0"}
    assert client.post("/membership/participant/", data).status_code == 403
    assert client.post(f"/membership/participant/{hidden.pk}/remove/").status_code == 403
    assert not Change.objects.exists()
    assert Participant.objects.get(pk=hidden.pk).is_present
