import pytest

from membership.errors import Reason
from membership.providers import inwendo, kaiten, mudbase
from membership.providers.base import AccountRef, EditableField, GroupRef, ParticipantRef, Wanted
from tests.providers.remotes import outcome

MODULES = [inwendo, mudbase, kaiten]
GROUP, ACCOUNT = GroupRef("1"), AccountRef("1")
PLACE = ParticipantRef(GROUP, "1", "1")
RIGHTS = ("is_manager", "can_write", "is_muted")
NOT_OFFERED = ("Refused", Reason.NOT_OFFERED)


@pytest.fixture(params=["club", "chat", "company"])
def provider(request):
    return request.getfixturevalue(request.param).provider


@pytest.mark.parametrize("right", RIGHTS)
def test_a_right_is_planned_where_it_is_offered_and_refused_elsewhere(provider, right):
    wanted = Wanted(**{right: True})
    altered = outcome(lambda: provider.update(PLACE, wanted))
    added = outcome(lambda: provider.add(GROUP, ACCOUNT, wanted))
    assert (altered == NOT_OFFERED) == (right not in provider.capabilities.rights)
    assert (added == NOT_OFFERED) == (right not in provider.capabilities.rights_on_add)


def test_a_verb_about_groups_is_planned_where_it_is_offered_and_refused_elsewhere(provider):
    can = provider.capabilities
    assert (outcome(lambda: provider.create_group("x")) != NOT_OFFERED) == can.create_group
    assert (outcome(lambda: provider.create_group("x", [ACCOUNT])) != NOT_OFFERED) == can.members_on_create
    assert (outcome(lambda: provider.rename_group(GROUP, "x")) != NOT_OFFERED) == can.rename_group
    assert (outcome(lambda: provider.delete_group(GROUP)) != NOT_OFFERED) == can.delete_group
    assert (provider.tracked_id("1") is not None) == can.tracks_groups


def test_to_ask_for_nothing_sends_nothing(provider):
    assert provider.update(PLACE, Wanted()) == ()


def test_everybody_can_be_added_as_no_manager(provider):
    assert len(provider.add(GROUP, ACCOUNT, Wanted(is_manager=False))) == 1


@pytest.mark.parametrize(
    ("kind", "fitting", "unfit"),
    [
        ("text", ["", "x", "x" * 10, "ö\u200d👩"], ["x" * 11, "a\nb", "a\0b", "\ud800", 1, None, True]),
        ("boolean", [True, False], [0, 1, "true", None]),
        ("number", [0, 5, 2**31 - 1], [-1, 2**31, 1.5, "5", True, None]),
        ("colour", ["", "#1a2B3c"], ["1a2b3c", "#1a2b3", "#1a2b3c4", "red", 0, None]),
    ],
)
def test_a_field_takes_values_of_its_kind_alone(kind, fitting, unfit):
    field = EditableField("x", "X", kind=kind, max_length=10)
    assert [value for value in fitting if not field.fits(value)] == []
    assert [value for value in unfit if field.fits(value)] == []


def test_a_long_text_may_have_several_lines():
    field = EditableField("x", "X", is_long=True)
    assert field.fits("a\r\n\tb")
    assert not field.fits("a\x07b")


@pytest.mark.parametrize("module", MODULES)
def test_each_field_of_a_form_says_where_its_value_is_found(module):
    for field in (*module.OPTIONS, *module.SECRETS):
        assert field.help.endswith("."), field.key
        assert len(field.help) > 20, field.key
        assert field.label[0].isupper(), field.key


@pytest.mark.parametrize("module", MODULES)
def test_each_choice_of_a_form_has_a_label(module):
    for field in (*module.OPTIONS, *module.SECRETS):
        assert (field.kind == "choice") == bool(field.choices), field.key
        assert len(field.choice_labels) == len(field.choices), field.key


@pytest.mark.parametrize("module", MODULES)
def test_a_field_that_depends_on_another_names_one_that_is_there(module):
    options = {field.key: field for field in module.OPTIONS}
    for field in (*module.OPTIONS, *module.SECRETS):
        if field.only_with:
            key, value = field.only_with
            assert value in options[key].choices


@pytest.mark.parametrize("module", MODULES)
def test_an_example_is_a_value_that_may_be_typed(module):
    for field in (*module.OPTIONS, *module.SECRETS):
        if field.example:
            assert field.check(field.example) is None


def test_every_editable_field_has_a_label_and_a_kind():
    for field in (*inwendo.PROVIDER.capabilities.fields, *inwendo.client.NEWER_EDITABLE):
        assert field.label
        assert field.help
        assert field.kind in ("text", "number", "boolean", "colour")
