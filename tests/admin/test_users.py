"""Users of the panel, as owners manage them."""

import pytest
from django.contrib.auth import get_user_model

from membership.models import AuditEntry
from membership.services.roles import role_of
from membership.vocab import Role
from tests.conftest import PASSWORD


def test_an_owner_makes_a_user_who_can_enter(as_, owner, client, office):
    data = {"username": "vera", "role": "operator", "systems": [office.pk], "password": "a rather long secret"}
    as_(owner).post("/auth/user/new/", data)
    vera = get_user_model().objects.get(username="vera")
    assert role_of(vera) == Role.OPERATOR
    assert list(vera.reach.connections.all()) == [office]
    client.logout()
    answer = client.post("/login/", {"username": "vera", "password": "a rather long secret", "next": "/"})
    assert answer["Location"] == "/"
    assert AuditEntry.objects.filter(action="user.created", actor_id=owner.pk).exists()


@pytest.mark.parametrize("data", [{"password": "short"}, {"role": "king"}, {"username": ""}, {"systems": ["999"]}])
def test_a_user_with_nonsense_is_not_made(as_, owner, data):
    filled = {"username": "vera", "role": "viewer", "password": "a rather long secret", **data}
    assert as_(owner).post("/auth/user/new/", filled).status_code == 200
    assert not get_user_model().objects.filter(username="vera").exists()


def test_role_reach_password_and_entry_are_changed_on_the_users_page(as_, owner, viewer, office):
    client, address = as_(owner), f"/auth/user/{viewer.pk}/"
    client.post(f"{address}role/", {"role": "auditor", "systems": [office.pk]})
    client.post(f"{address}password/", {"password": "another long secret"})
    client.post(f"{address}active/", {"active": "no"})
    viewer = get_user_model().objects.get(pk=viewer.pk)
    assert role_of(viewer) == Role.AUDITOR
    assert viewer.check_password("another long secret")
    assert not viewer.is_active
    assert client.get(address).status_code == 200


def test_the_last_owner_stays_owner(as_, owner):
    answer = as_(owner).post(f"/auth/user/{owner.pk}/role/", {"role": "viewer"}, follow=True)
    assert role_of(get_user_model().objects.get(pk=owner.pk)) == Role.OWNER
    assert answer.status_code == 200


def test_an_operator_makes_nobody(as_, operator):
    data = {"username": "vera", "role": "owner", "password": "a rather long secret"}
    assert as_(operator).post("/auth/user/new/", data).status_code == 403
    assert not get_user_model().objects.filter(username="vera").exists()


def test_ones_own_password_is_changed_and_audited(as_, viewer):
    data = {"old_password": PASSWORD, "new_password1": "another long secret", "new_password2": "another long secret"}
    answer = as_(viewer).post("/password_change/", data)
    assert answer["Location"] == "/"
    assert AuditEntry.objects.filter(action="password.set", actor_id=viewer.pk).exists()


def test_the_old_password_has_to_be_known(as_, viewer):
    data = {"old_password": "wrong", "new_password1": "another long secret", "new_password2": "another long secret"}
    assert as_(viewer).post("/password_change/", data).status_code == 200
    viewer.refresh_from_db()
    assert viewer.check_password(PASSWORD)
