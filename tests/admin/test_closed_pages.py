"""What the stock admin would offer is gone, for the owner too."""

import pytest
from django.contrib import admin
from django.contrib.auth import get_user_model

from membership.admin.base import PanelAdmin
from membership.models import (
    Account,
    AuditEntry,
    Bundle,
    Change,
    Connection,
    Drift,
    Group,
    LinkProposal,
    Participant,
    Person,
)

MODELS = [
    Account,
    AuditEntry,
    Bundle,
    Change,
    Connection,
    Drift,
    Group,
    LinkProposal,
    Participant,
    Person,
    get_user_model(),
]


def address(model, ending=""):
    return f"/{model._meta.app_label}/{model._meta.model_name}/{ending}"


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize("ending", ["add/", "{pk}/change/", "{pk}/delete/", "{pk}/history/"])
@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.model_name)
def test_stock_addresses_are_forbidden(as_, owner, ada, model, ending, method):
    pk = ada.pk if model is Participant else 1
    answer = getattr(as_(owner), method)(address(model, ending.format(pk=pk)))
    assert answer.status_code == 403


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.model_name)
def test_delete_selected_is_forbidden(as_, owner, ada, model):
    data = {"action": "delete_selected", "_selected_action": [ada.pk], "index": "0", "post": "yes"}
    assert as_(owner).post(address(model), data).status_code == 403
    assert Participant.objects.filter(pk=ada.pk).exists()


def test_a_forged_action_is_in_the_audit_log(as_, owner, ada):
    as_(owner).post(
        "/membership/participant/", {"action": "delete_selected", "_selected_action": [ada.pk], "index": "0"}
    )
    entry = AuditEntry.objects.get(action="request.refused")
    assert (entry.actor_id, entry.outcome) == (owner.pk, "request_forged")


def test_only_pages_of_ours_are_registered():
    assert all(isinstance(page, PanelAdmin) for page in admin.site._registry.values())


@pytest.mark.parametrize("row_id", ["x", "1;2", "9" * 40, "../1", ""])
def test_row_ids_that_are_no_ids_are_refused(as_, operator, ada, row_id):
    data = {"action": "remove", "_selected_action": [row_id], "index": "0"}
    assert as_(operator).post("/membership/participant/", data).status_code == 403


def test_every_change_needs_a_post(as_, owner, ada):
    client = as_(owner)
    for page in admin.site._registry.values():
        for name in page.posts:
            assert client.get(address(page.model, f"1/{name}/")).status_code == 405


def test_every_change_needs_a_token(owner, ada):
    from django.test import Client

    client = Client(enforce_csrf_checks=True)
    client.force_login(owner)
    assert client.post(f"/membership/participant/{ada.pk}/remove/").status_code == 403
    assert not Change.objects.exists()
