"""Rights, moves and copies of participants, ticked on lists or one on its page; offered only where a system can."""

import pytest

from membership.models import Change, Operation
from membership.vocab import ChangeKind, Role, Verb
from tests import mirrored

LIST = "/membership/participant/"
RIGHTS = {
    "make_manager": {"is_manager": True},
    "make_member": {"is_manager": False},
    "mute": {"is_muted": True},
    "unmute": {"is_muted": False},
    "allow_writing": {"can_write": True},
    "forbid_writing": {"can_write": False},
}
HEARD = ("mute", "unmute", "allow_writing", "forbid_writing")
HEARD_WORDS = ("Mute", "Unmute", "Allow writing", "Forbid writing")


@pytest.fixture
def nord(any_db):
    return mirrored.system("Verein Nord", provider="inwendo")


@pytest.fixture
def chess(nord):
    return mirrored.group("Chess club", nord)


@pytest.fixture
def iris(chess):
    """A muted manager who may not write: whatever is asked for differs, or does not."""
    mirrored.participant(mirrored.account("Otto", chess.connection), chess, is_manager=True)
    account = mirrored.account("Iris", chess.connection, email="iris@example.org")
    return mirrored.participant(account, chess, is_manager=True, can_write=False, is_muted=True)


def body(client, address):
    answer = client.get(address)
    assert answer.status_code == 200
    return answer.content.decode()


def post(client, action, *rows, query="", **more):
    data = {"action": action, "_selected_action": [row.pk for row in rows], "index": "0", **more}
    return client.post(f"{LIST}{query}", data)


@pytest.mark.parametrize("action", RIGHTS)
def test_ticked_rows_and_a_right_lead_to_the_preview(as_, operator, iris, action):
    answer = post(as_(operator), action, iris)
    change = Change.objects.get()
    assert answer["Location"] == f"/membership/change/{change.pk}/"
    assert (change.kind, change.selection["wanted"]) == (ChangeKind.ALTERATION, RIGHTS[action])


def test_a_right_for_all_that_match_is_drafted_by_their_query(as_, operator, chess):
    for number in range(60):
        mirrored.participant(mirrored.account(f"Player {number}", chess.connection), chess, is_muted=False)
    answer = post(as_(operator), "mute", query=f"?group={chess.pk}", select_across="1", _selected_action=["1"])
    change = Change.objects.get()
    assert answer["Location"] == f"/membership/change/{change.pk}/"
    assert change.selection["kind"] == "query"
    assert Operation.objects.filter(change=change).count() == 60


@pytest.mark.parametrize("action", [*RIGHTS, "move", "copy"])
def test_a_viewer_may_not(as_, viewer, iris, action):
    assert post(as_(viewer), action, iris).status_code == 403
    assert not Change.objects.exists()


@pytest.mark.parametrize("action", [*RIGHTS, "move", "copy"])
def test_a_hidden_row_is_refused_by_its_id(as_, limited_operator, ada, iris, action):
    client = as_(limited_operator(ada.group.connection, iris.group.connection))
    hidden = mirrored.participant("Hidden", mirrored.group("Secret", mirrored.system("Secret")))
    answer = post(client, action, iris, hidden)
    if action in ("move", "copy"):
        answer = client.get(answer["Location"])
    assert answer.status_code == 403
    assert not Change.objects.exists()


@pytest.mark.parametrize("action", HEARD)
def test_what_no_system_in_view_can_do_is_not_offered_and_refused(as_, operator, ada, action):
    client = as_(operator)
    assert f'value="{action}"' not in body(client, LIST)
    assert post(client, action, ada).status_code == 403


def test_the_list_says_which_systems_can_do_what(as_, operator, ada, iris):
    systems = as_(operator).get(LIST).context["action_systems"]
    assert systems["mute"] == [iris.group.connection_id]
    assert set(systems["make_manager"]) == {ada.group.connection_id, iris.group.connection_id}


def test_a_list_of_one_system_offers_what_that_one_can(as_, operator, ada, iris):
    client = as_(operator)
    assert 'value="mute"' in body(client, f"{LIST}?system={iris.group.connection_id}")
    assert 'value="mute"' not in body(client, f"{LIST}?system={ada.group.connection_id}")


def test_nobody_in_a_retired_system_can_be_changed(as_, operator, iris):
    type(iris.group.connection).objects.update(state="retired")
    page = body(as_(operator), f"{LIST}{iris.pk}/")
    assert "Edit…" not in page
    assert "Remove from this group" not in page


def test_a_page_offers_the_rights_that_somebody_lacks(as_, operator, iris):
    page = body(as_(operator), f"{LIST}{iris.pk}/")
    assert [word for word in ("Make member", "Unmute", "Allow writing") if word not in page] == []
    assert [word for word in ("Make manager", ">Mute<", "Forbid writing") if word in page] == []


def test_a_page_does_not_offer_what_its_system_cannot_do(as_, operator, ada):
    page = body(as_(operator), f"{LIST}{ada.pk}/")
    assert "Make manager" in page
    assert [word for word in HEARD_WORDS if f">{word}<" in page] == []


def test_a_right_on_a_page_leads_to_the_preview(as_, operator, iris):
    answer = as_(operator).post(f"{LIST}{iris.pk}/give/", {"action": "unmute"})
    assert answer["Location"] == f"/membership/change/{Change.objects.get().pk}/"
    assert Operation.objects.get().wanted == {"is_muted": False}


@pytest.mark.parametrize("action", ["", "remove", "own_the_place"])
def test_an_action_that_is_no_right_is_refused_on_a_page(as_, operator, iris, action):
    assert as_(operator).post(f"{LIST}{iris.pk}/give/", {"action": action}).status_code == 403


@pytest.mark.parametrize("role", [Role.VIEWER, Role.APPROVER, Role.AUDITOR])
@pytest.mark.parametrize("address", ["move/?ids={pk}", "copy/?ids={pk}", "{pk}/edit/"])
def test_pages_that_ask_are_for_those_who_may_act(as_, make_user, iris, role, address):
    assert as_(make_user("somebody", role)).get(LIST + address.format(pk=iris.pk)).status_code == 403


# moves and copies


@pytest.mark.parametrize(("action", "verbs"), [("move", {Verb.ADD, Verb.REMOVE}), ("copy", {Verb.ADD})])
def test_somebody_goes_to_the_group_that_was_chosen(as_, operator, iris, action, verbs):
    board = mirrored.group("Board", iris.group.connection)
    client = as_(operator)
    asked = post(client, action, iris)["Location"]
    assert asked == f"{LIST}{action}/?ids={iris.pk}"
    assert "Board" in body(client, asked)
    answer = client.post(asked, {"chosen": board.pk})
    assert answer["Location"] == f"/membership/change/{Change.objects.get().pk}/"
    assert set(Operation.objects.values_list("verb", flat=True)) == verbs
    assert Operation.objects.get(verb=Verb.ADD).wanted == {
        "is_present": True, "is_manager": True, "can_write": False, "is_muted": True
    }  # fmt: skip


def test_all_that_match_go_by_their_query(as_, operator, chess):
    for number in range(60):
        mirrored.participant(mirrored.account(f"Player {number}", chess.connection), chess)
    board = mirrored.group("Board", chess.connection)
    client = as_(operator)
    asked = post(client, "copy", query=f"?group={chess.pk}", select_across="1", _selected_action=["1"])["Location"]
    assert asked == f"{LIST}copy/?of=group%3D{chess.pk}"
    assert "Copy 60 people to which group?" in body(client, asked)
    client.post(asked, {"chosen": board.pk})
    assert Operation.objects.filter(verb=Verb.ADD).count() == 60


def test_only_groups_of_their_system_can_be_chosen_and_not_where_they_are(as_, operator, iris, trainers):
    mirrored.group("Board", iris.group.connection)
    lines = as_(operator).get(f"{LIST}move/?ids={iris.pk}").context["lines"]
    assert [str(each["line"].main) for each in lines] == ["<bdi>Board</bdi>"]


def test_a_group_of_another_system_is_left_out_by_name(as_, operator, iris, trainers):
    client = as_(operator)
    answer = client.post(f"{LIST}move/?ids={iris.pk}", {"chosen": trainers.pk}, follow=True)
    assert "The account is one of another system" in answer.content.decode()
    assert Change.objects.get().operations_count == 0


@pytest.mark.parametrize("chosen", ["999999", "x", "1;2"])
def test_a_group_that_no_page_showed_is_refused(as_, operator, iris, chosen):
    assert as_(operator).post(f"{LIST}move/?ids={iris.pk}", {"chosen": chosen}).status_code == 403


def test_a_hidden_group_is_refused(as_, limited_operator, iris):
    hidden = mirrored.group("Secret", mirrored.system("Secret"))
    client = as_(limited_operator(iris.group.connection))
    assert client.post(f"{LIST}move/?ids={iris.pk}", {"chosen": hidden.pk}).status_code == 403


def test_no_group_is_one_sentence_on_the_page(as_, operator, iris):
    answer = as_(operator).post(f"{LIST}move/?ids={iris.pk}", {})
    assert "Nothing is selected." in answer.content.decode()
    assert not Change.objects.exists()


@pytest.mark.parametrize("ids", ["", "x", "1,", "1;2"])
def test_ids_in_the_address_that_are_no_ids_are_refused(as_, operator, iris, ids):
    assert as_(operator).get(f"{LIST}move/?ids={ids}").status_code == 403


def test_an_address_that_selects_nothing_says_so(as_, operator, iris):
    answer = as_(operator).get(f"{LIST}move/")
    assert (answer.status_code, "Nothing is selected." in answer.content.decode()) == (409, True)


def test_a_query_that_is_none_is_refused(as_, operator, iris):
    assert as_(operator).get(f"{LIST}move/?of=password__startswith%3Da").status_code in (400, 403)


def test_a_query_does_not_reach_hidden_rows(as_, limited_operator, iris):
    hidden = mirrored.participant("Hidden", mirrored.group("Secret", mirrored.system("Secret")))
    answer = as_(limited_operator(iris.group.connection)).get(f"{LIST}move/?of=group%3D{hidden.group_id}")
    assert answer.status_code == 409


def test_a_group_page_offers_the_same_for_its_people(as_, operator, iris, ada):
    page = body(as_(operator), f"/membership/group/{iris.group_id}/")
    assert f'value="mute" formaction="{LIST}?group={iris.group_id}"' in page
    assert 'value="mute"' not in body(as_(operator), f"/membership/group/{ada.group_id}/")
