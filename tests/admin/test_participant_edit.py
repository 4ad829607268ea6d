"""The form of one participant: fields of its system, secrets that are never shown, two people at the same form."""

import pytest

from membership.models import Change, Operation, Participant
from tests import mirrored

SECRET = "swordfish-in-the-mirror"


@pytest.fixture
def nord(any_db):
    system = mirrored.system("Verein Nord", provider="inwendo")
    system.options = {**system.options, "put_body": "newer"}
    system.save()
    return system


@pytest.fixture
def iris(nord):
    return mirrored.participant(
        mirrored.account("Iris", nord), mirrored.group("Chess club", nord), can_write=True, is_muted=False,
        attributes={"nickname": "Iri", "auto_reply": True, "ai_number_of_context_messages": 5},
        secrets={"ai_prompt": SECRET},
    )  # fmt: skip


def address(row):
    return f"/membership/participant/{row.pk}/edit/"


def typed(client, row, **values):
    """What the page shows, with these values typed over it. None: the box is not ticked."""
    form = client.get(address(row)).context["form"]
    data = {name: form[name].value() for name in form.fields}
    data = {**data, **values}
    return {name: value for name, value in data.items() if value not in (None, False)}


def wished(client, row, **values):
    answer = client.post(address(row), typed(client, row, **values))
    assert answer.status_code == 302, answer.content.decode()
    return Operation.objects.get().wanted


def test_the_form_holds_what_the_system_lets_be_edited(as_, operator, iris, ada):
    fields = as_(operator).get(address(iris)).context["form"].fields
    assert {"is_manager", "can_write", "is_muted", "nickname", "preferred_color_hex", "ai_prompt"} <= set(fields)
    assert set(as_(operator).get(address(ada)).context["form"].fields) == {"shown", "is_manager"}


@pytest.mark.parametrize(
    ("name", "value", "becomes"),
    [
        ("is_muted", "on", True),
        ("can_write", None, False),
        ("nickname", "Captain", "Captain"),
        ("preferred_color_hex", "#1a2b3c", "#1a2b3c"),
        ("ai_number_of_context_messages", "12", 12),
        ("auto_reply", None, False),
    ],
)
def test_only_what_differs_is_planned(as_, operator, iris, name, value, becomes):
    assert wished(as_(operator), iris, **{name: value}) == {name: becomes}


def test_a_secret_is_set_anew_and_stands_in_no_page_and_no_plan(as_, operator, iris):
    client = as_(operator)
    page = client.get(address(iris)).content.decode()
    assert "Set. Leave it empty to keep it." in page
    assert SECRET not in page
    assert wished(client, iris, ai_prompt="be brief about it") == {"ai_prompt": {"secret": True}}
    shown = client.get(f"/membership/change/{Change.objects.get().pk}/").content.decode()
    assert "be brief about it" not in shown
    assert "is set anew" in shown
    assert Operation.objects.get().secrets == {"ai_prompt": "be brief about it"}


def test_a_secret_can_be_emptied(as_, operator, iris):
    wished(as_(operator), iris, **{"empty:ai_prompt": "on"})
    assert Operation.objects.get().secrets == {"ai_prompt": ""}


def test_a_secret_that_was_typed_is_not_sent_back_with_an_error(as_, operator, iris):
    client = as_(operator)
    said = client.post(address(iris), typed(client, iris, ai_prompt=SECRET, preferred_color_hex="red"))
    assert "it is not of the form #1a2b3c" in said.content.decode()
    assert SECRET not in said.content.decode()
    assert 'value="red"' in said.content.decode()


@pytest.mark.parametrize(
    ("name", "value"),
    [("ai_number_of_context_messages", "many"), ("ai_number_of_context_messages", "-1"), ("nickname", "x" * 600)],
)
def test_a_value_that_does_not_fit_is_one_sentence(as_, operator, iris, name, value):
    client = as_(operator)
    said = client.post(address(iris), typed(client, iris, **{name: value})).content.decode()
    assert "cannot be used" in said
    assert not Change.objects.exists()


def test_nothing_typed_is_said_so(as_, operator, iris):
    client = as_(operator)
    assert "Nothing differs" in client.post(address(iris), typed(client, iris)).content.decode()


def test_of_two_people_at_the_form_the_later_one_is_told(as_, operator, iris):
    client = as_(operator)
    data = typed(client, iris, nickname="Captain")
    Participant.objects.filter(pk=iris.pk).update(is_muted=True)
    answer = client.post(address(iris), data, follow=True)
    assert "Somebody else changed this participant" in answer.content.decode()
    assert answer.context["form"]["is_muted"].value() is True
    assert not Change.objects.exists()


def test_a_message_that_somebody_read_meanwhile_is_no_conflict(as_, operator, iris):
    client = as_(operator)
    data = typed(client, iris, nickname="Captain")
    Participant.objects.filter(pk=iris.pk).update(last_read_at="2026-11-23T10:00Z")
    assert client.post(address(iris), data).status_code == 302


def test_hidden_and_former_participants_have_no_form(as_, limited_operator, iris, ada):
    client = as_(limited_operator(ada.group.connection))
    assert client.get(address(iris)).status_code == 404
    assert client.post(address(iris), {"shown": "x"}).status_code == 403
    Participant.objects.filter(pk=ada.pk).update(is_present=False)
    assert client.get(address(ada)).status_code == 404


def test_a_field_that_the_form_does_not_have_changes_nothing(as_, operator, ada):
    client = as_(operator)
    said = client.post(address(ada), {**typed(client, ada), "nickname": "x", "is_own": "on"}).content.decode()
    assert "Nothing differs" in said
