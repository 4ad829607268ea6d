"""People and accounts: added to groups, the same groups as somebody, bundles, the matrix edited in place."""

import json

import pytest

from membership.models import Account, Change, Operation, Participant, Person
from membership.services import bundles
from membership.vocab import ChangeKind, Role, Verb
from tests import mirrored

LIST = "/membership/person/"
PAGES = ["add_to_groups", "same_groups", "assign_bundle", "withdraw_bundle"]


@pytest.fixture
def board(office):
    return mirrored.group("Board", office, grants=1)


@pytest.fixture
def vera(ada, office):
    """Ada of Trainers, with an account in the office, too."""
    return mirrored.person("Ada Lovelace", ada.account, mirrored.account("Ada L.", office))


@pytest.fixture
def ivan(office):
    return mirrored.person("Ivan", mirrored.account("Ivan", office))


@pytest.fixture
def pack(board, trainers, operator):
    lines = [bundles.Line(board, is_manager=True), bundles.Line(trainers)]
    return bundles.save_bundle(None, name="Trainer U12", lines=lines, actor=operator)


def body(client, address):
    answer = client.get(address)
    assert answer.status_code == 200
    return answer.content.decode()


def names(answer):
    return [str(each["line"].main).removeprefix("<bdi>").removesuffix("</bdi>") for each in answer.context["lines"]]


# pages that ask


def test_somebody_is_added_to_groups_with_rights(as_, operator, vera, board):
    client = as_(operator)
    address = f"{LIST}add_to_groups/?ids={vera.pk}"
    assert address in body(client, f"{LIST}{vera.pk}/")
    page = client.get(address)
    assert "Add Ada Lovelace to which groups?" in page.content.decode()
    assert names(page) == ["Board", "Trainers"]
    answer = client.post(address, {"chosen": [board.pk], "right": "is_manager"}, follow=True)
    assert "Add 1 person to Board as managers?" in answer.content.decode()
    assert "administers" in answer.content.decode()


def test_groups_of_systems_where_nobody_of_them_is_are_not_offered(as_, operator, ivan, board, trainers):
    assert names(as_(operator).get(f"{LIST}add_to_groups/?ids={ivan.pk}")) == ["Board"]


@pytest.mark.parametrize("marks", [{"archived": True}, {"managed_elsewhere": True}, {"is_protected": True}])
def test_a_group_that_nobody_can_join_now_is_shown_and_cannot_be_ticked(as_, operator, ivan, board, marks):
    type(board).objects.filter(pk=board.pk).update(**marks)
    (line,) = as_(operator).get(f"{LIST}add_to_groups/?ids={ivan.pk}").context["lines"]
    assert line["line"].barred


def test_somebody_gets_the_same_groups_as_another(as_, operator, vera, ivan, ada):
    Account.objects.create(
        connection=ada.group.connection, remote_id="usr_ivan", label="Ivan", person=ivan, seen_at="2026-11-23T10:00Z"
    )
    Participant.objects.filter(pk=ada.pk).update(is_manager=True)
    client, address = as_(operator), f"{LIST}same_groups/?ids={ivan.pk}"
    page = client.get(address)
    assert names(page) == ["Ada Lovelace"]
    client.post(address, {"chosen": vera.pk, "with_rights": "on"})
    assert Operation.objects.get().wanted == {"is_present": True, "is_manager": True}
    client.post(address, {"chosen": vera.pk})
    assert Operation.objects.latest("pk").wanted == {"is_present": True}


def test_a_bundle_is_assigned_and_withdrawn(as_, operator, vera, pack):
    client = as_(operator)
    given = client.post(f"{LIST}assign_bundle/?ids={vera.pk}", {"chosen": pack.pk}, follow=True)
    assert "Give the bundle “Trainer U12” to 1 person?" in given.content.decode()
    taken = client.post(f"{LIST}withdraw_bundle/?ids={vera.pk}", {"chosen": pack.pk}, follow=True)
    assert "Withdraw the bundle “Trainer U12” from 1 person?" in taken.content.decode()
    assert list(Change.objects.order_by("pk").values_list("kind", flat=True)) == [
        ChangeKind.BUNDLE, ChangeKind.BUNDLE_WITHDRAWN
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["add_to_groups", "assign_bundle", "withdraw_bundle"])
def test_ticked_people_lead_to_the_page_that_asks(as_, operator, vera, ivan, name):
    data = {"action": name, "_selected_action": [vera.pk, ivan.pk], "index": "0"}
    answer = as_(operator).post(LIST, data)
    assert answer["Location"] == f"{LIST}{name}/?ids={vera.pk},{ivan.pk}"
    assert "2 people" in body(as_(operator), answer["Location"])


def test_all_that_match_are_meant_by_their_query(as_, operator, pack, office):
    for number in range(60):
        mirrored.person(f"Player {number}", mirrored.account(f"Player {number}", office))
    mirrored.person("Somebody else", mirrored.account("Somebody else", office))
    client = as_(operator)
    data = {"action": "assign_bundle", "_selected_action": ["1"], "select_across": "1", "index": "0"}
    address = client.post(f"{LIST}?q=Player", data)["Location"]
    assert address == f"{LIST}assign_bundle/?of=q%3DPlayer"
    client.post(address, {"chosen": pack.pk})
    assert Change.objects.get().people_count == 60


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("role", [Role.VIEWER, Role.APPROVER, Role.AUDITOR])
def test_whoever_may_not_act_is_refused(as_, make_user, vera, role, name):
    client = as_(make_user("somebody", role))
    assert f"{name}/?ids" not in body(client, f"{LIST}{vera.pk}/")
    assert client.get(f"{LIST}{name}/?ids={vera.pk}").status_code == 403
    assert client.post(f"{LIST}{vera.pk}/places/", {"shown": "{}"}).status_code == 403


@pytest.mark.parametrize("name", PAGES)
def test_hidden_people_are_refused(as_, limited_operator, ada, ivan, name):
    client = as_(limited_operator(ada.group.connection))
    assert client.get(f"{LIST}{name}/?ids={ivan.pk}").status_code == 403
    assert client.post(f"{LIST}{name}/?ids={ivan.pk}", {"chosen": "1"}).status_code == 403


def test_bundles_with_hidden_groups_are_not_offered_and_refused(as_, limited_operator, vera, pack, ada):
    client, address = as_(limited_operator(ada.group.connection)), f"{LIST}assign_bundle/?ids={vera.pk}"
    assert names(client.get(address)) == []
    assert client.post(address, {"chosen": pack.pk}).status_code == 403


def test_people_are_not_named_by_hidden_accounts(as_, limited_operator, vera, zoe):
    other = mirrored.person("Zoë Müller", zoe.account)
    client = as_(limited_operator(zoe.group.connection))
    page = body(client, f"{LIST}same_groups/?ids={other.pk}")
    assert "Ada Lovelace" in page
    assert "Office" not in page
    assert names(client.get(f"{LIST}same_groups/?ids={other.pk}&q=Ada+L.&looked=1")) == []


# the matrix


def edit(client, person, **ticks):
    """The form as the page shows it, with these boxes ticked or not: `{"12:is_manager": True}`."""
    context = client.get(f"{LIST}{person.pk}/").context
    on = {line.member for line in context["matrix"] if line.member}
    on |= {box.value for line in context["matrix"] for _name, box in line.boxes if box.value and box.ticked}
    for value, is_ticked in ticks.items():
        on = on | {value} if is_ticked else on - {value}
    return {"shown": context["matrix_shown"], "on": sorted(on)}


def test_rights_are_edited_in_place_as_one_change(as_, operator, vera, ada, board):
    there = mirrored.participant(vera.accounts.get(connection=board.connection), board)
    mirrored.participant(mirrored.account("Otto", board.connection), board, is_manager=True)
    client = as_(operator)
    data = edit(client, vera, **{f"{ada.group_id}:is_manager": True, f"{there.group_id}:is_present": False})
    answer = client.post(f"{LIST}{vera.pk}/places/", data, follow=True)
    assert "Change where Ada Lovelace takes part: 2 groups?" in answer.content.decode()
    assert {(step.verb, step.group_id) for step in Operation.objects.all()} == {
        (Verb.UPDATE, ada.group_id), (Verb.REMOVE, board.pk)
    }  # fmt: skip


def test_rights_that_a_system_does_not_know_have_no_box(as_, operator, vera, ada):
    (line,) = as_(operator).get(f"{LIST}{vera.pk}/").context["matrix"]
    assert {name: bool(box.value) for name, box in line.boxes} == {
        "is_manager": True, "can_write": False, "is_muted": False
    }  # fmt: skip


def test_a_protected_group_is_shown_and_cannot_be_edited(as_, operator, vera, ada):
    type(ada.group).objects.filter(pk=ada.group_id).update(is_protected=True)
    (line,) = as_(operator).get(f"{LIST}{vera.pk}/").context["matrix"]
    assert line.member == ""
    assert not any(box.value for _name, box in line.boxes)


def test_nothing_ticked_differently_is_said_so(as_, operator, vera):
    client = as_(operator)
    answer = client.post(f"{LIST}{vera.pk}/places/", edit(client, vera), follow=True)
    assert "Nothing differs" in answer.content.decode()
    assert not Change.objects.exists()


def test_of_two_people_at_the_matrix_the_later_one_is_told(as_, operator, vera, ada):
    client = as_(operator)
    data = edit(client, vera, **{f"{ada.group_id}:is_present": False})
    Participant.objects.filter(pk=ada.pk).update(is_manager=True)
    answer = client.post(f"{LIST}{vera.pk}/places/", data, follow=True)
    assert "Somebody else changed this participant" in answer.content.decode()
    assert not Change.objects.exists()


@pytest.mark.parametrize("shown", ["", "x", "[]", '{"x": "y"}', "3"])
def test_a_form_that_no_page_made_is_refused(as_, operator, vera, shown):
    assert as_(operator).post(f"{LIST}{vera.pk}/places/", {"shown": shown}).status_code == 403


def test_a_group_that_the_page_did_not_show_is_not_touched(as_, operator, vera, board, ada):
    client = as_(operator)
    shown = json.dumps({str(board.pk): "not there", "999999": "x"})
    data = {"shown": shown, "on": [f"{board.pk}:is_present", "999999:is_manager"]}
    assert "Nothing differs" in client.post(f"{LIST}{vera.pk}/places/", data, follow=True).content.decode()


def test_a_viewer_sees_the_places_without_boxes(as_, viewer, vera):
    page = body(as_(viewer), f"{LIST}{vera.pk}/")
    assert "Trainers" in page
    assert 'name="on"' not in page


# accounts


def test_an_account_is_added_to_groups_of_its_system(as_, operator, zoe, trainers, board):
    other = mirrored.group("Other chat", trainers.connection)
    client, address = as_(operator), f"/membership/account/add_to_groups/?ids={zoe.account_id}"
    assert address in body(client, f"/membership/account/{zoe.account_id}/")
    assert names(client.get(address)) == ["Other chat", "Trainers"]
    client.post(address, {"chosen": other.pk})
    assert Operation.objects.get().group_id == other.pk


def test_ticked_accounts_lead_to_the_page_that_asks(as_, operator, ada, zoe):
    data = {"action": "add_to_groups", "_selected_action": [ada.account_id, zoe.account_id], "index": "0"}
    answer = as_(operator).post("/membership/account/", data)
    assert answer["Location"] == f"/membership/account/add_to_groups/?ids={ada.account_id},{zoe.account_id}"


def test_an_account_becomes_a_person_and_leads_there(as_, operator, zoe):
    client = as_(operator)
    answer = client.post(f"/membership/account/{zoe.account_id}/make_person/")
    person = Person.objects.get()
    assert answer["Location"] == f"{LIST}{person.pk}/"
    assert f'href="{LIST}{person.pk}/"' in body(client, f"/membership/account/{zoe.account_id}/")


@pytest.mark.parametrize("address", ["add_to_groups/?ids={pk}", "{pk}/make_person/"])
def test_accounts_are_not_for_those_who_may_not_act(as_, viewer, zoe, address):
    assert as_(viewer).post(f"/membership/account/{address.format(pk=zoe.account_id)}").status_code == 403
