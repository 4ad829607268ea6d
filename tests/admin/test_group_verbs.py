"""Groups: people added, a group created, renamed, deleted, tracked; absent where the system cannot do it."""

import pytest

from membership.models import Change, Connection, Group, Operation, Reading
from membership.vocab import Role, Verb
from tests import mirrored

LIST = "/membership/group/"


@pytest.fixture
def nord(any_db):
    return mirrored.system("Verein Nord", provider="inwendo")


@pytest.fixture
def board(office):
    return mirrored.group("Board", office, grants=1 | 1024, remote_id="9f0c")


@pytest.fixture
def grace(office):
    return mirrored.account("Grace Hopper", office, email="grace@example.org")


def body(client, address):
    answer = client.get(address)
    assert answer.status_code == 200
    return answer.content.decode()


def names(answer, key="lines"):
    return [str(each["line"].main).removeprefix("<bdi>").removesuffix("</bdi>") for each in answer.context[key]]


# people


def test_several_people_are_added_with_rights_and_the_preview_warns_in_red(as_, operator, board, grace):
    ivan = mirrored.account("Ivan", board.connection)
    client, address = as_(operator), f"{LIST}{board.pk}/add_people/"
    assert "administers members, invites users" in body(client, address)
    answer = client.post(address, {"chosen": [grace.pk, ivan.pk], "right": "is_manager"}, follow=True)
    page = answer.content.decode()
    assert "Add 2 people to Board as managers?" in page
    assert "mu-note-bad" in page
    assert "administers: 2 people get rights beyond the group" in page
    assert [step.wanted for step in Operation.objects.all()] == [{"is_present": True, "is_manager": True}] * 2


def test_only_accounts_of_its_system_that_are_not_in_it_are_offered(as_, operator, board, grace, ada):
    mirrored.participant(mirrored.account("Inside", board.connection), board)
    mirrored.account("Gone", board.connection, is_present=False)
    assert names(as_(operator).get(f"{LIST}{board.pk}/add_people/")) == ["Grace Hopper"]


@pytest.mark.parametrize("word", ["hopp", "grace@", "{id}"])
def test_people_are_searched_by_name_address_and_id(as_, operator, board, grace, word):
    for number in range(40):
        mirrored.account(f"Account {number:02}", board.connection, remote_id=f"many-{number}")
    client, address = as_(operator), f"{LIST}{board.pk}/add_people/"
    everybody = client.get(address)
    assert (len(names(everybody)), everybody.context["has_more"]) == (30, True)
    found = client.get(address, {"q": word.format(id=grace.remote_id), "looked": "1"})
    assert "Grace Hopper" in names(found)


def test_who_is_ticked_stays_ticked_while_others_are_searched(as_, operator, board, grace):
    ivan = mirrored.account("Ivan", board.connection)
    found = as_(operator).get(f"{LIST}{board.pk}/add_people/", {"q": "ivan", "looked": "1", "chosen": grace.pk})
    assert (names(found, "ticked"), names(found)) == (["Grace Hopper"], ["Ivan"])
    assert ivan.label == "Ivan"


def test_an_account_of_another_system_is_left_out_by_name(as_, operator, board, ada):
    answer = as_(operator).post(f"{LIST}{board.pk}/add_people/", {"chosen": ada.account_id}, follow=True)
    assert "The account is one of another system" in answer.content.decode()


@pytest.mark.parametrize("chosen", ["999999", "x"])
def test_ids_that_no_page_showed_are_refused(as_, operator, board, chosen):
    assert as_(operator).post(f"{LIST}{board.pk}/add_people/", {"chosen": chosen}).status_code == 403


def test_a_hidden_account_is_refused(as_, limited_operator, trainers, grace):
    client = as_(limited_operator(trainers.connection))
    assert client.post(f"{LIST}{trainers.pk}/add_people/", {"chosen": grace.pk}).status_code == 403


def test_rights_that_the_system_cannot_give_are_not_offered_and_not_taken(as_, operator, board, grace, nord):
    client, address = as_(operator), f"{LIST}{board.pk}/add_people/"
    assert [name for name, _words, _ticked in client.get(address).context["rights"]] == ["is_manager"]
    client.post(address, {"chosen": grace.pk, "right": ["is_muted", "can_write"]})
    assert Operation.objects.get().wanted == {"is_present": True}
    room = mirrored.group("Room", nord)
    offered = [name for name, *_ in client.get(f"{LIST}{room.pk}/add_people/").context["rights"]]
    assert offered == ["is_manager", "can_write", "is_muted"]


def test_nobody_chosen_is_one_sentence(as_, operator, board, grace):
    assert "Nothing is selected." in as_(operator).post(f"{LIST}{board.pk}/add_people/").content.decode()


# names


def test_a_group_is_renamed_after_a_preview(as_, operator, board):
    client = as_(operator)
    assert "Rename…" in body(client, f"{LIST}{board.pk}/")
    answer = client.post(f"{LIST}{board.pk}/rename_group/", {"name": "  New   board "}, follow=True)
    assert "Rename the group Board in Office to New board?" in answer.content.decode()
    assert Operation.objects.get().verb == Verb.RENAME_GROUP


def test_a_name_of_600_characters_is_one_sentence(as_, operator, board):
    answer = as_(operator).post(f"{LIST}{board.pk}/rename_group/", {"name": "x" * 600}, follow=True)
    assert (
        "The value of name cannot be used: it has 600 characters, and Office takes 512 at most"
        in answer.content.decode()
    )
    assert not Change.objects.exists()


def test_deleting_asks_for_the_name_of_the_group(as_, operator, board):
    client = as_(operator)
    answer = client.post(f"{LIST}{board.pk}/delete_group/", follow=True)
    change = Change.objects.get()
    page = answer.content.decode()
    assert "Delete the group Board in Office?" in page
    assert 'name="typed_name"' in page
    said = {"reason": "Season ended", "plan_hash": change.plan_hash}
    wrong = client.post(f"/membership/change/{change.pk}/confirm/", {**said, "typed_name": "Bord"}).content.decode()
    assert "Type the name of the group to delete it: Board" in wrong
    assert 'value="Bord"' in wrong
    assert client.post(f"/membership/change/{change.pk}/confirm/", {**said, "typed_name": "Board"}).status_code == 302
    assert Change.objects.get().state == "queued"


@pytest.mark.parametrize("provider", ["inwendo", "mudbase"])
def test_renaming_and_deleting_are_absent_where_the_system_cannot(as_, operator, any_db, provider):
    group = mirrored.group("Some", mirrored.system("Some system", provider=provider))
    client = as_(operator)
    page = body(client, f"{LIST}{group.pk}/")
    assert [word for word in ("Rename…", "Delete…") if word in page] == []
    client.post(f"{LIST}{group.pk}/rename_group/", {"name": "Other"})
    client.post(f"{LIST}{group.pk}/delete_group/")
    assert not Operation.objects.exists()


def test_a_group_that_vanished_meanwhile_is_left_out_with_the_reason(as_, operator, board):
    Group.objects.filter(pk=board.pk).update(is_present=False)
    answer = as_(operator).post(f"{LIST}{board.pk}/rename_group/", {"name": "Other"}, follow=True)
    assert "The group is gone" in answer.content.decode()


def test_a_group_managed_elsewhere_offers_nothing(as_, operator, board):
    Group.objects.filter(pk=board.pk).update(managed_elsewhere=True)
    page = body(as_(operator), f"{LIST}{board.pk}/")
    assert [word for word in ("Rename…", "Delete…", "Add people…") if word in page] == []


# new ones


def test_the_system_is_asked_for_where_several_can_create(as_, operator, board, trainers, nord):
    page = body(as_(operator), f"{LIST}new/")
    assert "Create in Office…" in page
    assert "Create in Club app…" in page
    assert "Verein Nord" not in page


def test_a_group_is_created_with_a_name_alone(as_, operator, board):
    client = as_(operator)
    assert "Create a group…" in body(client, LIST)
    answer = client.post(f"{LIST}new/", {"name": "Trainers U12"}, follow=True)
    assert "Create the group Trainers U12 in Office?" in answer.content.decode()


def test_a_group_is_created_with_members_where_the_system_takes_them(as_, operator, ada, zoe):
    answer = as_(operator).post(f"{LIST}new/", {"name": "Chat", "chosen": [ada.account_id, zoe.account_id]})
    assert answer.status_code == 302
    assert sorted(Operation.objects.get().wanted["members"]) == sorted([ada.account.remote_id, zoe.account.remote_id])


@pytest.mark.parametrize("name", ["", "   ", "x" * 3000])
def test_a_group_needs_a_name_that_fits(as_, operator, ada, name):
    answer = as_(operator).post(f"{LIST}new/", {"name": name})
    assert answer.status_code == 200
    assert 'role="alert"' in answer.content.decode()
    assert not Change.objects.exists()


def test_creating_is_absent_where_no_system_can(as_, operator, nord):
    client = as_(operator)
    page = body(client, LIST)
    assert "Create a group…" not in page
    assert "Track a room by id or link…" in page
    assert client.get(f"{LIST}new/").status_code == 403


def test_a_system_out_of_sight_cannot_be_chosen(as_, limited_operator, ada, office):
    assert as_(limited_operator(ada.group.connection)).get(f"{LIST}new/?system={office.pk}").status_code == 404


@pytest.mark.parametrize("text", ["77", "https://remote.example/chat/77"])
def test_a_room_is_tracked_by_id_or_link(as_, operator, nord, text):
    answer = as_(operator).post(f"{LIST}track/", {"system": nord.pk, "text": text}, follow=True)
    assert "is tracked from now on" in answer.content.decode()
    assert "77" in Connection.objects.get(pk=nord.pk).options["rooms"]
    assert Reading.objects.get().connection_id == nord.pk


@pytest.mark.parametrize("text", ["https://elsewhere.example/chat/77", "a/b", "1,2"])
def test_what_names_no_room_is_one_sentence(as_, operator, nord, text):
    answer = as_(operator).post(f"{LIST}track/", {"system": nord.pk, "text": text})
    assert "cannot be used" in answer.content.decode()
    assert not Reading.objects.exists()


def test_tracking_is_absent_where_all_groups_are_listed(as_, operator, board):
    client = as_(operator)
    assert "Track a room" not in body(client, LIST)
    assert client.get(f"{LIST}track/").status_code == 403


@pytest.mark.parametrize("role", [Role.VIEWER, Role.APPROVER, Role.AUDITOR])
def test_whoever_may_not_act_is_offered_nothing_and_refused(as_, make_user, board, nord, role):
    client = as_(make_user("somebody", role))
    page = body(client, LIST) + body(client, f"{LIST}{board.pk}/")
    assert [
        word for word in ("Create a group", "Track a room", "Add people", "Rename…", "Delete…") if word in page
    ] == []
    asked = [f"{LIST}new/", f"{LIST}track/", f"{LIST}{board.pk}/add_people/"]
    assert {client.get(address).status_code for address in asked} == {403}
    posts = [f"{LIST}{board.pk}/rename_group/", f"{LIST}{board.pk}/delete_group/"]
    assert {client.post(address, {"name": "x"}).status_code for address in posts} == {403}


def test_hidden_groups_are_as_if_they_did_not_exist(as_, limited_operator, board, ada):
    client = as_(limited_operator(ada.group.connection))
    assert client.get(f"{LIST}{board.pk}/add_people/").status_code == 404
    posts = [f"{LIST}{board.pk}/rename_group/", f"{LIST}{board.pk}/delete_group/"]
    assert {client.post(address, {"name": "x"}).status_code for address in posts} == {403}
    assert not Change.objects.exists()
