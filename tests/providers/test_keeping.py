"""What of answers and calls may be kept: only what is named."""

import json

import pytest

from membership.providers import keeping
from membership.remotes import provider_class
from membership.vocab import PROVIDERS

pytestmark = pytest.mark.pure

SECRET = "s3cret-value"
KEPT = frozenset({"id", "data", "name"})


@pytest.mark.parametrize(
    ("body", "kept"),
    [
        ({"id": 1, "a_field_of_tomorrow": SECRET}, {"id": 1, "…": 1}),
        ({"data": [{"id": 2, "token": SECRET}, {"x": {"id": SECRET}}]}, {"data": [{"id": 2, "…": 1}, {"…": 1}]}),
        ([{"id": n} for n in range(25)], [*({"id": n} for n in range(20)), {"…": 5}]),
        ({"id": "x" * 1000}, {"id": "x" * 300}),
        (SECRET, {"…": len(SECRET) + 2}),
    ],
)
def test_only_named_fields_are_kept_at_any_depth(body, kept):
    assert keeping.of_body(json.dumps(body), KEPT) == kept


@pytest.mark.parametrize("text", [f"<html>{SECRET}</html>", f'{{"id": "{SECRET}', "[" * 100_000, "", "\0", "NaN"])
def test_what_is_no_json_is_not_kept(text):
    kept = keeping.of_body(text, KEPT)
    assert SECRET not in json.dumps(kept)
    assert json.dumps(kept) in ('""', json.dumps({"…": len(text)}))


def test_a_deep_answer_ends(recwarn):
    value = {"id": 1}
    for _level in range(50):
        value = {"data": value}
    assert len(json.dumps(keeping.of_body(json.dumps(value), KEPT))) < 200


@pytest.mark.parametrize("kind", PROVIDERS)
def test_no_provider_names_a_secret_or_a_message(kind):
    kept = provider_class(kind).capabilities.kept
    assert "id" in kept or "_id" in kept
    assert not any(
        word in name.lower() for name in kept for word in ("token", "secret", "prompt", "password", "message")
    )


def test_of_a_call_its_parts_are_kept_and_no_headers():
    call = {"method": "PUT", "path": ["a"], "headers": [["X", SECRET]], "body": {"id": 1}, "other": SECRET}
    assert keeping.of_call(call) == {"method": "PUT", "path": ["a"], "body": {"id": 1}}
