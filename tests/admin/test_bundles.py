"""Bundles: listed, made, edited, deleted, assigned and withdrawn from their page."""

import pytest

from membership.models import Bundle, Change
from membership.services import bundles
from membership.vocab import Role
from tests import mirrored

LIST = "/membership/bundle/"


@pytest.fixture
def board(office):
    return mirrored.group("Board", office, grants=1)


@pytest.fixture
def room(any_db):
    return mirrored.group("Room", mirrored.system("Verein Nord", provider="inwendo"))


@pytest.fixture
def pack(board, room, operator):
    lines = [bundles.Line(board), bundles.Line(room, is_manager=True, can_write=False)]
    return bundles.save_bundle(None, name="Trainer U12", note="six groups", lines=lines, actor=operator)


def body(client, address):
    answer = client.get(address)
    assert answer.status_code == 200
    return answer.content.decode()


def given(bundle):
    return {
        item.group.name: (item.is_manager, item.can_write, item.is_muted)
        for item in bundle.items.select_related("group")
    }


def test_the_list_says_how_many_groups_in_which_systems(as_, viewer, pack):
    page = body(as_(viewer), LIST)
    assert "Trainer U12" in page
    assert "Office, Verein Nord" in page


def test_the_list_asks_no_more_questions_for_more_bundles(as_, operator, pack, board, django_assert_max_num_queries):
    for number in range(20):
        bundles.save_bundle(None, name=f"Bundle {number}", lines=[bundles.Line(board)], actor=operator)
    client = as_(operator)
    with django_assert_max_num_queries(10):
        body(client, LIST)


def test_the_page_says_what_it_gives_in_words(as_, viewer, pack):
    page = body(as_(viewer), f"{LIST}{pack.pk}/")
    assert "as manager, without writing" in page
    assert "as a member" in page
    assert "administers" in page
    assert "Edit…" not in page


def test_a_bundle_is_made_with_rights_for_each_group(as_, operator, board, room):
    data = {"name": "Trainer U12", "note": "x", "chosen": [board.pk, room.pk]}
    data["each"] = [f"{room.pk}:is_muted", f"{room.pk}:can_write", f"{board.pk}:is_manager"]
    answer = as_(operator).post(f"{LIST}new/", data)
    made = Bundle.objects.get()
    assert answer["Location"] == f"{LIST}{made.pk}/"
    assert given(made) == {"Board": (True, None, None), "Room": (False, False, True)}


def test_rights_are_offered_by_the_system_of_each_group(as_, operator, board, room):
    lines = as_(operator).get(f"{LIST}new/").context["lines"]
    assert [list(each["line"].rights) for each in lines] == [["is_manager"], ["is_manager", "can_write", "is_muted"]]


def test_the_form_of_a_bundle_shows_what_it_holds(as_, operator, pack, room):
    context = as_(operator).get(f"{LIST}{pack.pk}/edit/").context
    ticked = {value for each in context["ticked"] for value, _words, is_ticked in each["boxes"] if is_ticked}
    assert len(context["ticked"]) == 2
    assert ticked == {f"{room.pk}:is_manager", f"{room.pk}:can_write"}


def test_a_bundle_saved_as_it_is_shown_stays_as_it_is(as_, operator, pack):
    client, before = as_(operator), given(pack)
    context = client.get(f"{LIST}{pack.pk}/edit/").context
    data = {"name": "Trainer U13", "chosen": [each["line"].pk for each in context["ticked"]]}
    data["each"] = [value for each in context["ticked"] for value, _words, is_ticked in each["boxes"] if is_ticked]
    client.post(f"{LIST}{pack.pk}/edit/", data)
    assert (Bundle.objects.get().name, given(pack)) == ("Trainer U13", before)


def test_a_name_that_another_has_is_one_sentence_and_the_ticks_stay(as_, operator, pack, board):
    answer = as_(operator).post(f"{LIST}new/", {"name": "Trainer U12", "chosen": board.pk})
    assert "another bundle has it" in answer.content.decode()
    assert [each["line"].pk for each in answer.context["ticked"]] == [board.pk]


@pytest.mark.parametrize("data", [{"name": "Trainer"}, {"name": "", "chosen": "{board}"}])
def test_a_bundle_needs_a_name_and_a_group(as_, operator, board, data):
    data = {key: value.format(board=board.pk) for key, value in data.items()}
    assert 'role="alert"' in as_(operator).post(f"{LIST}new/", data).content.decode()
    assert not Bundle.objects.exists()


@pytest.mark.parametrize("each", ["x:is_manager", "1:is_owner", "1"])
def test_rights_that_no_page_offered_are_refused(as_, operator, board, each):
    answer = as_(operator).post(f"{LIST}new/", {"name": "x", "chosen": board.pk, "each": each})
    assert answer.status_code == 403


def test_it_is_assigned_and_withdrawn_from_its_page(as_, operator, pack, board):
    ivan = mirrored.person("Ivan", mirrored.account("Ivan", board.connection))
    client = as_(operator)
    given_ = client.post(f"{LIST}{pack.pk}/assign/", {"chosen": ivan.pk}, follow=True).content.decode()
    assert "Give the bundle “Trainer U12” to 1 person?" in given_
    assert "Has no account in Verein Nord." in given_
    taken = client.post(f"{LIST}{pack.pk}/withdraw/", {"chosen": ivan.pk}, follow=True).content.decode()
    assert "Is not in this group." in taken


def test_deleting_a_bundle_moves_nobody(as_, operator, pack):
    answer = as_(operator).post(f"{LIST}{pack.pk}/delete_bundle/", follow=True)
    assert "is deleted. Nobody" in answer.content.decode()
    assert not Bundle.objects.exists()
    assert not Change.objects.exists()


@pytest.mark.parametrize("role", [Role.VIEWER, Role.APPROVER, Role.AUDITOR])
def test_bundles_are_changed_by_those_who_may_act(as_, make_user, pack, role):
    client = as_(make_user("somebody", role))
    pages = ["new/", f"{pack.pk}/edit/", f"{pack.pk}/assign/", f"{pack.pk}/withdraw/"]
    assert {client.get(LIST + page).status_code for page in pages} == {403}
    assert client.post(f"{LIST}{pack.pk}/delete_bundle/").status_code == 403


def test_a_bundle_with_a_hidden_group_does_not_exist(as_, limited_operator, pack, board):
    client = as_(limited_operator(board.connection))
    assert "Trainer U12" not in body(client, LIST)
    assert {client.get(f"{LIST}{pack.pk}/{page}").status_code for page in ("", "edit/", "assign/")} == {404}
    assert client.post(f"{LIST}{pack.pk}/delete_bundle/").status_code == 403


def test_a_hidden_group_cannot_be_put_into_a_bundle(as_, limited_operator, board, room):
    client = as_(limited_operator(board.connection))
    assert client.post(f"{LIST}new/", {"name": "x", "chosen": room.pk}).status_code == 403
