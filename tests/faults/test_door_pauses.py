"""What remotes ask for in pauses, in every dialect, and what is common to all judgements."""

import json
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from membership.errors import NextStep, Reason
from membership.providers.base import RemoteAnswer
from membership.providers.errors import OutcomeUnknown, Throttled
from membership.providers.judging import DEFAULT_PAUSE_S, judge_common, said
from membership.providers.pauses import named_pause_s, requests_left

pytestmark = pytest.mark.pure

NOW = 1_790_000_000.0
DATE = {"date": formatdate(NOW, usegmt=True)}


def pause(body=b"", now=NOW, **headers):
    return named_pause_s(
        RemoteAnswer(429, {key.replace("_", "-"): value for key, value in headers.items()}, body), now=now
    )


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("7", 7),
        (" 7 ", 7),
        ("2.5", 2.5),
        ("0", 1),
        ("-5", 1),
        ("900", 900),
        ("315360000", 900),  # ten years
        (formatdate(NOW + 30, usegmt=True), 30),
        (formatdate(NOW - 3600, usegmt=True), 1),
        (formatdate(NOW + 315_360_000, usegmt=True), 900),
        (str(int(NOW) + 30), 30),
        (str(int(NOW * 1000) + 30_000), 30),
        (str(int(NOW) - 30), 1),
        ("99999999999999999999", 900),
        ("5, 9", 5),
        ("soon", None),
        ("", None),
        ("NaN", None),
        ("inf", None),
        ("1e3", None),
        ("٣", None),
        ("9" * 5000, None),
        ("Mon, 99 Foo 2026 99:99:99 GMT", None),
        ("Wed, 21 Oct 99999 07:28:00 GMT", None),
    ],
)
@pytest.mark.parametrize("header", ["retry_after", "x_ratelimit_reset", "ratelimit_reset", "x_ratelimit_reset_after"])
def test_a_pause_is_read_and_clamped(header, text, seconds):
    assert pause(**{header: text}) == seconds


@pytest.mark.parametrize(
    ("body", "seconds"),
    [
        ({"error": "slow", "retryAfter": 12}, 12),
        ({"retryAfter": "12"}, 12),
        ({"details": {"retryAfter": 12.5}}, 12.5),
        ({"error": {"retryAfter": 3}}, 3),
        ({"retryAfter": 10**9 - 1}, 900),
        ({"retryAfter": -1}, 1),
        ({"retryAfter": True}, None),
        ({"retryAfter": None}, None),
        ({"retryAfter": [1]}, None),
        ([{"retryAfter": 1}], None),
    ],
)
def test_mudbase_names_its_pause_in_the_body(body, seconds):
    assert pause(json.dumps(body).encode()) == seconds


def test_a_body_that_is_no_json_names_no_pause():
    assert pause(b'{"retryAfter": 12') is None
    assert pause(b'{"retryAfter": NaN}') is None


def test_the_plainest_wish_counts_first():
    assert pause(b'{"retryAfter": 20}', retry_after="10", x_ratelimit_reset="30") == 10
    assert pause(b'{"retryAfter": 20}', retry_after="soon", x_ratelimit_reset="30") == 20
    assert pause(x_ratelimit_reset="30") == 30


def test_times_are_measured_by_the_remotes_own_clock():
    an_hour_wrong = NOW + 3600
    assert pause(now=an_hour_wrong, x_ratelimit_reset=str(int(NOW) + 20), **DATE) == 20


def test_a_time_without_any_clock_is_no_pause():
    assert pause(now=None, retry_after=formatdate(NOW, usegmt=True)) is None
    assert pause(now=None, x_ratelimit_reset=str(int(NOW))) is None
    assert pause(now=None, retry_after="4") == 4


def test_nothing_named_is_no_pause():
    assert pause() is None


@given(st.text(), st.binary(max_size=50))
def test_no_header_and_no_body_breaks_it(text, body):
    seconds = pause(body, retry_after=text, x_ratelimit_reset=text, date=text)
    assert seconds is None or 1 <= seconds <= 900


@pytest.mark.parametrize(
    ("text", "left"), [("0", 0), ("12", 12), ("", None), ("-1", None), ("many", None), ("9" * 20, None)]
)
def test_what_is_left_of_a_limit(text, left):
    assert requests_left({"x-ratelimit-remaining": text}) == left


def judged(status, is_write, headers=None, body=b'{"message": "not now"}'):
    try:
        judge_common(RemoteAnswer(status, headers or {}, body), is_write, now=NOW)
    except (Throttled, OutcomeUnknown) as error:
        return error
    return None


@pytest.mark.parametrize("is_write", [True, False])
def test_429_is_a_pause_and_nothing_was_done(is_write):
    error = judged(429, is_write, {"retry-after": "7"})
    assert (type(error), error.reason, error.next_step, error.pause_s) == (
        Throttled,
        Reason.THROTTLED,
        NextStep.PAUSE,
        7,
    )
    assert error.params == {"status": 429, "said": "not now"}


@pytest.mark.parametrize("text", ["soon", "", formatdate(NOW)[:10]])
def test_429_without_a_readable_pause_is_a_short_one(text):
    assert judged(429, True, {"retry-after": text}).pause_s == DEFAULT_PAUSE_S


@pytest.mark.parametrize("status", [500, 502, 503, 504, 599])
def test_a_failing_remote_leaves_the_outcome_of_a_write_unknown(status):
    error = judged(status, True)
    assert (type(error), error.reason, error.pause_s) == (OutcomeUnknown, Reason.REMOTE_FAILED, None)
    assert judged(status, True, {"retry-after": "20"}).pause_s == 20


def test_503_on_a_reading_is_a_pause():
    error = judged(503, False, {"retry-after": "20"})
    assert (type(error), error.reason, error.pause_s) == (Throttled, Reason.UNAVAILABLE, 20)
    assert judged(503, False).pause_s == DEFAULT_PAUSE_S


@pytest.mark.parametrize("status", [500, 502, 504])
def test_other_failures_of_a_reading_tell_nothing(status):
    error = judged(status, False)
    assert (type(error), error.reason) == (OutcomeUnknown, Reason.REMOTE_FAILED)


@pytest.mark.parametrize("status", [200, 204, 400, 401, 402, 403, 404, 409, 422, 600])
def test_everything_else_is_for_the_provider(status):
    assert judged(status, True) is None
    assert judged(status, False) is None


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"message": "No rights"}', "No rights"),
        (b'{"error": "bad", "code": "X"}', "bad"),
        (b'{"error": {"message": "inner"}}', "inner"),
        (b'"Unauthorized"', "Unauthorized"),
        (b"plain\r\n\x00text\x1b[31m", "plain text [31m"),
        (b"<html><body><h1>Gone</h1></body></html>", "Gone"),
        (b"", ""),
        (b"\xff\xfe", "\ufffd\ufffd"),
        (b'{"message": "a\\u0000b\\ud800"}', "a\ufffdb\ufffd"),
        (b'{"message": "bad token 0123456789abcdef0123456789abcdef01234567"}', "bad token […]"),
        (b'{"message": "bad token eyJhbGciOiJIUzI1NiJ9.e30.abc"}', "bad token […]"),
    ],
)
def test_what_the_remote_said_is_one_safe_line(body, words):
    assert said(RemoteAnswer(500, {}, body)) == words


def test_what_the_remote_said_is_short():
    text = said(RemoteAnswer(500, {}, b"word " * 100_000))
    assert len(text) == 300
    assert text.endswith("…")


@given(st.binary(max_size=400))
def test_whatever_the_remote_said_can_be_shown_and_stored(body):
    text = said(RemoteAnswer(500, {}, body))
    assert len(text) <= 300
    assert text == "" or text.isprintable()
    text.encode()
