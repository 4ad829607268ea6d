import pytest

from membership.errors import BadValue
from membership.services.connection_forms import form_fields, offers, providers, read_form
from membership.services.connections import Limits
from membership.vocab import PROVIDERS
from tests import mirrored as m

pytestmark = pytest.mark.django_db

MUDBASE = {
    "name": "Club",
    "url": "https://club.example.org",
    "option.project_id": "proj_1",
    "option.org_id": "org_1",
    "option.email": "musterbook@club.example",
    "secret.password": "geheim",
}


def by_name(fields):
    return {field.name: field for field in fields}


@pytest.mark.parametrize("kind", PROVIDERS)
def test_every_field_has_a_label_and_every_option_and_secret_a_help(kind):
    fields = form_fields(kind)
    assert all(field.label for field in fields)
    assert all(field.help for field in fields)
    assert {field.section for field in fields} == {"basic", "option", "secret", "limit"}
    assert len(by_name(fields)) == len(fields)


def test_a_new_system_starts_with_its_vendors_rate_and_defaults():
    fields = by_name(form_fields("kaiten"))
    assert fields["rate_per_s"].value == "5"
    assert fields["option.api_path"].value == "api/latest"
    assert [value for value, _label in fields["option.api_path"].choices] == ["api/latest", "api/v1"]


def test_the_form_of_a_connected_system_shows_values_but_no_secret():
    row = m.system(provider="kaiten", secrets={"token": "t0ken-1"}, options={"api_path": "api/v1"})
    fields = by_name(form_fields("kaiten", row))
    assert fields["option.api_path"].value == "api/v1"
    assert fields["url"].value == row.base_url
    assert (fields["secret.token"].is_set, fields["secret.token"].value) == (True, "")
    assert "t0ken" not in repr(fields)


def test_a_field_that_counts_only_with_another_names_it():
    fields = by_name(form_fields("inwendo"))
    assert fields["secret.api_key"].only_with == ("option.auth", "api_key")


def test_an_unknown_kind_has_no_form():
    with pytest.raises(BadValue):
        form_fields("slack")
    assert [kind for kind, _label in providers()] == list(PROVIDERS)


def test_what_was_typed_well_has_no_errors():
    typed = read_form("mudbase", {**MUDBASE, "internal": "on", "rate_per_s": "2,5", "burst": "3"})
    assert typed.errors == {}
    assert (typed.name, typed.url, typed.internal) == ("Club", "https://club.example.org", True)
    assert typed.secrets == {"password": "geheim"}
    assert typed.limits == Limits(rate_per_s=2.5, burst=3)


def test_all_errors_are_told_at_once_each_at_its_field():
    typed = read_form(
        "mudbase",
        {"url": "ftp://x", "option.project_id": "../x", "rate_per_s": "fast", "burst": "1.5", "settle_s": "-1"},
    )
    assert set(typed.errors) == {
        "name",
        "url",
        "option.project_id",
        "option.org_id",
        "option.email",
        "secret.password",
        "rate_per_s",
        "burst",
        "settle_s",
    }
    assert all(" " in why for why in typed.errors.values())


def test_the_secret_of_the_chosen_way_to_sign_in_is_needed():
    given = {"name": "Verein", "url": "https://verein.example.org", "option.username": "musterbook"}
    assert set(read_form("inwendo", {**given, "option.auth": "api_key"}).errors) == {"secret.api_key"}
    assert set(read_form("inwendo", {**given, "option.auth": "login"}).errors) == {"secret.password"}


def test_an_empty_secret_keeps_the_one_that_is_set_and_a_cleared_one_is_taken_away():
    row = m.system("Club", provider="mudbase", secrets={"password": "geheim"})
    posted = {key: value for key, value in MUDBASE.items() if key != "secret.password"}
    kept = read_form("mudbase", posted, row)
    assert (kept.errors, kept.secrets) == ({}, {})
    cleared = read_form("mudbase", {**posted, "secret.password.clear": "1"}, row)
    assert cleared.secrets == {"password": ""}
    assert set(cleared.errors) == {"secret.password"}


def test_a_name_that_another_system_has_is_told_at_its_field():
    row = m.system("Club", provider="mudbase")
    assert set(read_form("mudbase", MUDBASE).errors) == {"name"}
    assert read_form("mudbase", MUDBASE, row).errors == {}


def test_what_a_system_can_be_asked_for_is_said_both_ways():
    assert (True, "Groups can be created.") in offers(m.system(provider="kaiten"))
    assert (False, "People cannot be muted.") in offers(m.system("Office 2", provider="kaiten"))
    assert (True, "People can be muted.") in offers(m.system("Verein", provider="inwendo"))
