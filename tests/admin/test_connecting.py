"""A system's form: chosen, typed, tested, saved; edited; given new credentials; rested and retired."""

import re

import pytest
from django.utils import timezone

from membership.models import AuditEntry, Change, Connection, Operation
from membership.vocab import ConnectionState, OperationState, Role
from tests.world import KAITEN_TOKEN

SYSTEMS = "/membership/connection/"
ROLES_WITHOUT = ["viewer", "operator", "approver", "auditor"]


def typed(world, **changed):
    return {
        "name": "Head office",
        "url": world.kaiten.base_url,
        "internal": "true",
        "option.api_path": "api/latest",
        "secret.token": KAITEN_TOKEN,
        "rate_per_s": "1000",
        **changed,
    }


def body(answer):
    assert answer.status_code == 200
    return answer.content.decode()


def sealed(page):
    return re.search(r'name="sealed" value="([^"]+)"', page).group(1)


def test_the_first_screen_says_what_each_kind_needs(as_, owner):
    said = body(as_(owner).get(f"{SYSTEMS}connect/"))
    assert "Have at hand: Address, API token." in said
    assert "Have at hand: Address, Password." in said
    assert f"{SYSTEMS}connect/mudbase/" in said


def test_an_empty_panel_leads_there(as_, owner):
    for page in (SYSTEMS, "/membership/participant/", "/membership/group/", "/membership/linkproposal/"):
        assert f"{SYSTEMS}connect/" in body(as_(owner).get(page))


def test_whoever_may_not_connect_is_told_who_can(as_, operator):
    said = body(as_(operator).get("/membership/participant/"))
    assert f"{SYSTEMS}connect/" not in said
    assert "An owner connects one" in said


def test_tested_then_saved_then_the_first_list(as_, owner, world):
    client = as_(owner)
    page = body(client.post(f"{SYSTEMS}connect/kaiten/", typed(world)))
    assert "It works. Save it?" in page
    assert "Groups can be created." in page
    assert KAITEN_TOKEN not in page
    assert not Connection.objects.filter(name="Head office").exists()
    answer = client.post(f"{SYSTEMS}connect/kaiten/", {"sealed": sealed(page)}, follow=True)
    made = Connection.objects.get(name="Head office")
    assert answer.redirect_chain[-1][0] == f"/membership/group/?system={made.pk}"
    assert "is being read for the first time" in body(answer)
    assert 'hx-trigger="every 2s"' in answer.content.decode()
    world.work()
    assert "Группа 2" in body(client.get(f"/membership/group/?system={made.pk}"))


def test_what_cannot_be_used_is_said_at_its_field_and_the_rest_is_kept(as_, owner, world):
    page = body(as_(owner).post(f"{SYSTEMS}connect/kaiten/", typed(world, url="ftp://x", rate_per_s="fast")))
    assert "2 fields cannot be used as they are." in page
    assert "Address: it must be of the form https://host" in page
    assert "Requests per second: it must be a number" in page
    assert 'value="Head office"' in page
    assert KAITEN_TOKEN not in page


def test_the_name_of_another_system_is_taken(as_, owner, world):
    page = body(as_(owner).post(f"{SYSTEMS}connect/kaiten/", typed(world, name="Office")))
    assert "Name: it is the name of another system." in page


def test_a_system_that_does_not_work_says_why_and_can_be_saved_stopped(as_, owner, world):
    client = as_(owner)
    page = body(client.post(f"{SYSTEMS}connect/kaiten/", typed(world, **{"secret.token": "wrong"})))
    assert "It does not work yet" in page
    assert "does not accept the token" in page
    client.post(f"{SYSTEMS}connect/kaiten/", {"sealed": sealed(page)})
    assert Connection.objects.get(name="Head office").state == ConnectionState.PAUSED


def test_a_forged_seal_saves_nothing(as_, owner, world):
    answer = as_(owner).post(f"{SYSTEMS}connect/kaiten/", {"sealed": "gAAAAA"}, follow=True)
    assert "did not come from a page of this panel" in body(answer)
    assert Connection.objects.count() == 3


def test_a_seal_of_somebody_else_saves_nothing(as_, owner, make_user, world):
    page = body(as_(owner).post(f"{SYSTEMS}connect/kaiten/", typed(world)))
    other = make_user("other", Role.OWNER)
    as_(other).post(f"{SYSTEMS}connect/kaiten/", {"sealed": sealed(page)})
    assert Connection.objects.count() == 3


def test_an_unknown_kind_is_not_there(as_, owner):
    assert as_(owner).get(f"{SYSTEMS}connect/slack/").status_code == 404


@pytest.mark.parametrize("role", ROLES_WITHOUT)
def test_the_forms_are_for_those_who_manage_systems(as_, request, world, role):
    client = as_(request.getfixturevalue(role))
    pages = ["connect/", "connect/kaiten/", f"{world.kaiten.pk}/edit/", f"{world.kaiten.pk}/credentials/"]
    assert {client.get(f"{SYSTEMS}{page}").status_code for page in pages} == {403}
    posts = [f"{world.kaiten.pk}/{name}/" for name in ("maintenance", "retire", "pause", "resume", "test")]
    assert {client.post(f"{SYSTEMS}{page}").status_code for page in posts} == {403}
    assert Connection.objects.get(pk=world.kaiten.pk).state == ConnectionState.ACTIVE


def test_an_owner_of_some_systems_connects_no_other_and_edits_no_hidden_one(as_, make_user, world):
    client = as_(make_user("limited", Role.OWNER, [world.inwendo]))
    assert client.get(f"{SYSTEMS}connect/").status_code == 403
    assert client.get(f"{SYSTEMS}{world.kaiten.pk}/edit/").status_code == 404
    assert "Connect a system" not in body(client.get(SYSTEMS))


def test_an_edit_is_tested_shows_no_secret_and_keeps_it(as_, owner, world):
    client, address = as_(owner), f"{SYSTEMS}{world.kaiten.pk}/edit/"
    assert KAITEN_TOKEN not in body(client.get(address))
    page = body(client.post(address, typed(world, name="Head office", **{"secret.token": ""})))
    assert "It works. Save it?" in page
    answer = client.post(address, {"sealed": sealed(page)})
    assert answer["Location"] == f"{SYSTEMS}{world.kaiten.pk}/"
    row = Connection.objects.get(pk=world.kaiten.pk)
    assert (row.name, row.secrets) == ("Head office", {"token": KAITEN_TOKEN})


def test_tests_one_after_the_other_wait_their_turn(as_, owner, world):
    client, address = as_(owner), f"{SYSTEMS}{world.kaiten.pk}/edit/"
    Connection.objects.filter(pk=world.kaiten.pk).update(tested_at=timezone.now(), rate_per_s=0.1)
    page = body(client.post(address, typed(world, rate_per_s="")))
    assert "sealed" not in page
    assert "seconds" in page
    assert AuditEntry.objects.filter(action="request.refused", outcome="too_many_tests").exists()


def test_new_credentials_replace_the_old_ones_when_they_work(as_, owner, world):
    own = next(iter(world.sandbox.kaiten.state.users.rows.values()))
    world.sandbox.kaiten.state.issue_token(own.id, token="token-2")
    client, address = as_(owner), f"{SYSTEMS}{world.kaiten.pk}/credentials/"
    answer = client.post(address, {"secret.token": "token-2"}, follow=True)
    assert "The new credentials work" in body(answer)
    assert Connection.objects.get(pk=world.kaiten.pk).secrets == {"token": "token-2"}


def test_new_credentials_that_do_not_work_are_not_saved(as_, owner, world):
    page = body(as_(owner).post(f"{SYSTEMS}{world.kaiten.pk}/credentials/", {"secret.token": "wrong"}))
    assert "The old ones are still used." in page
    assert "does not accept the token" in page
    assert Connection.objects.get(pk=world.kaiten.pk).secrets == {"token": KAITEN_TOKEN}


def test_no_new_credentials_are_asked_for(as_, owner, world):
    page = body(as_(owner).post(f"{SYSTEMS}{world.kaiten.pk}/credentials/", {}))
    assert "API token: type the new one." in page


def test_in_maintenance_changes_wait_until_it_is_resumed(as_, owner, world):
    client, address = as_(owner), f"{SYSTEMS}{world.kaiten.pk}/"
    client.post(f"{address}maintenance/", {"reason": "upgrade there"})
    page = body(client.get(address))
    assert "In maintenance since" in page
    assert "upgrade there" in page
    client.post(f"{address}resume/")
    assert Connection.objects.get(pk=world.kaiten.pk).state == ConnectionState.ACTIVE


def test_a_system_is_retired_by_its_name_and_keeps_its_page(as_, owner, world):
    world.read()
    client, address = as_(owner), f"{SYSTEMS}{world.kaiten.pk}/"
    answer = client.post(f"{address}retire/", {"reason": "moved", "name": "office"}, follow=True)
    assert "type the name of the system" in body(answer)
    assert Connection.objects.get(pk=world.kaiten.pk).state == ConnectionState.ACTIVE
    client.post(f"{address}retire/", {"reason": "moved", "name": "Office"})
    page = body(client.get(address))
    assert "Retired since" in page
    for gone in ("Test this system", "Retire this system", "New credentials", "Refresh"):
        assert gone not in page
    assert client.get(f"{address}edit/").status_code == 409


def test_a_system_with_steps_under_way_is_not_retired(as_, owner, world):
    world.read()
    change = Change.objects.create(kind="removal", requested_by=owner, created_at=timezone.now(), state="running")
    Operation.objects.create(
        change=change, connection=world.kaiten, verb="remove", subject="row:1", position=1, state=OperationState.RUNNING
    )
    data = {"reason": "moved", "name": "Office"}
    answer = as_(owner).post(f"{SYSTEMS}{world.kaiten.pk}/retire/", data, follow=True)
    assert Connection.objects.get(pk=world.kaiten.pk).state == ConnectionState.ACTIVE
    assert "Office" in body(answer)
