import json

import pytest

from membership.audit.redact import hide_secrets


@pytest.mark.parametrize(
    "name",
    [
        "Authorization",
        "Set-Cookie",
        "ai_auto_close_secret_word",
        "ai_prompt",
        "api_key",
        "avatar_token",
        "notification_token",
        "password",
        "refreshToken",
        "room_token",
        "token",
        "x-iw-jwt-token",
        "x-session-token",
    ],
)
def test_a_secret_is_hidden_at_any_depth(name):
    assert hide_secrets({"rows": [{"row": {name: "s3cret-value"}}]}) == {"rows": [{"row": {name: "***"}}]}


@pytest.mark.parametrize(
    "text",
    [
        '{"participants": [{"id": 1, "avatar_token": "s3cret-value"}]}',
        '{"participants": [{"id": 1, "avatar_token": "s3cret-va',
        '{"id": 1, "ai_prompt": "s3cret-value", "rest',
        "Authorization: Bearer s3cret-value",
        "https://a.example/?token=s3cret-value&page=2",
        '[{"refreshToken": "s3cret-\\"value", "x',
    ],
)
def test_a_secret_inside_text_is_hidden(text):
    assert "s3cret" not in hide_secrets({"body": text})["body"]


def test_what_is_no_secret_stays():
    row = {"lane_token": 4, "tokens_left": 3, "name": "token", "after": {"token": "changed", "password": "not set"}}
    assert hide_secrets(row) == row


def test_whether_a_secret_is_set_may_be_told():
    assert hide_secrets({"secrets": {"token": "set", "password": None}}) == {
        "secrets": {"token": "set", "password": None}
    }


def test_json_text_stays_json():
    shown = hide_secrets('{"token": "abcdef", "name": "Ada \\"A\\""}')
    assert json.loads(shown) == {"token": "***", "name": 'Ada "A"'}


def test_a_secret_in_a_list_of_query_pairs_or_headers_is_hidden():
    call = {"query": [["token", "abc"], ["page", "2"]], "headers": [["Authorization", "abc"]]}
    assert hide_secrets(call) == {"query": [["token", "***"], ["page", "2"]], "headers": [["Authorization", "***"]]}
