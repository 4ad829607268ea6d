import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from membership.errors import Reason
from membership.models import Connection, Group, LeftOut, Operation
from membership.services.inert import inert
from membership.services.step_words import (
    call_lines,
    duration,
    left_out_sentence,
    outcome,
    step_markup,
    step_text,
    today_there,
)
from membership.vocab import ConnectionState, OperationState

pytestmark = pytest.mark.pure

NOW = datetime(2026, 11, 23, 10, 7, tzinfo=UTC)
OVERRIDE = "\u202e"


def step(state, *, system=None, **fields):
    connection = Connection(**{"name": "Verein Nord", "provider": "kaiten", **(system or {})})
    fields = {"verb": "remove", "group": Group(name="Raum 3"), "subject_label": "Ada", **fields}
    return Operation(state=state, connection=connection, **fields)


def said(operation):
    found = outcome(operation, NOW)
    return found.word, found.text


def test_a_step_is_a_sentence():
    assert step_text(step("planned")) == "Ada leaves Raum 3 in Verein Nord"


def test_a_step_on_a_page_is_escaped_and_each_label_isolated():
    odd = step("planned", subject_label="<b>Ada</b>", group=Group(name="Группа {2}"), system={"name": f"x{OVERRIDE}y"})
    assert step_markup(odd) == (
        "<bdi>&lt;b&gt;Ada&lt;/b&gt;</bdi> leaves <bdi>Группа {2}</bdi> in <bdi>x‹U+202E›y</bdi>"
    )


@pytest.mark.parametrize("state", list(OperationState))
def test_every_state_has_a_word_and_a_tone(state):
    found = outcome(step(state), NOW)
    assert found.word and found.tone in {"good", "bad", "warning", "info", "plain"}


def test_a_confirmed_step_says_who_confirmed():
    assert said(step("confirmed", calls=[{}])) == ("done", "Kaiten confirmed")
    assert said(step("confirmed", calls=[{}, {}])) == ("done", "Kaiten confirmed all 2 calls")


def test_a_step_in_doubt_says_when_it_is_read_and_that_it_is_not_sent_twice():
    doubt = step("in_doubt", outcome=Reason.ANSWER_LOST, not_before=NOW + timedelta(seconds=21))
    assert said(doubt) == (
        "checking what happened",
        "The answer was lost. The group is read again in 21 s. It is not sent twice.",
    )


def test_a_step_in_doubt_whose_time_has_come_is_read_now():
    doubt = step("in_doubt", outcome=Reason.WORKER_DIED, not_before=NOW - timedelta(seconds=1))
    assert said(doubt)[1] == (
        "The worker ended before the answer was recorded. The group is read again now. It is not sent twice."
    )


def test_a_refused_step_quotes_the_remote():
    refused = step(
        "refused", outcome=Reason.REMOTE_SAID_NO, outcome_params={"said": "Only an admin may", "status": 400}
    )
    assert said(refused) == ("Kaiten said no", "“Only an admin may”")


def test_a_refused_step_without_words_says_the_reason():
    assert said(step("refused", outcome=Reason.GROUP_NOT_FOUND))[1].startswith("The group is gone")


def test_a_step_that_ended_half_done_says_so_first():
    half = step("refused", outcome=Reason.FORBIDDEN, calls=[{}, {}], calls_done=1)
    assert said(half)[1].startswith("Half done: 1 of 2 calls. The system does not allow it")


def test_a_step_that_waits_for_a_stopped_system_says_so():
    waiting = step("queued", system={"state": ConnectionState.PAUSED})
    assert said(waiting) == ("waiting", "Verein Nord is stopped: this waits until it goes on.")


def test_a_step_that_is_tried_again_says_why_and_when():
    again = step("queued", outcome=Reason.CONNECT_TIMEOUT, not_before=NOW + timedelta(seconds=5))
    assert said(again)[1].endswith("Nothing was sent; it is tried again. Tried again in 5 s.")


def test_what_a_remote_says_is_shown_inert():
    refused = step("refused", outcome=Reason.REMOTE_SAID_NO, outcome_params={"said": f"no{OVERRIDE}on"})
    assert said(refused)[1] == "“no‹U+202E›on”"


def test_today_there_tells_manager_and_member():
    assert today_there(step("planned", before={"is_member": True, "is_manager": True})) == "manager, member"
    assert today_there(step("planned", before={"is_member": False, "is_manager": True})) == "manager"


def test_a_call_is_a_line_as_it_goes_out():
    calls = [
        {"method": "DELETE", "path": ["api", "groups", "a b?", "ü"], "query": [["iw-build-id", "7 7"]]},
        {"method": "DELETE", "path": ["chats"], "body": {"userId": "Zoë"}},
    ]
    assert call_lines(step("planned", calls=calls)) == [
        "DELETE /api/groups/a%20b%3F/%C3%BC?iw-build-id=7%207",
        'DELETE /chats {"userId": "Zoë"}',
    ]


@pytest.mark.parametrize(
    ("length_s", "text"), [(0.2, "1 s"), (7, "7 s"), (99, "99 s"), (240, "4 min"), (9000, "2.5 h")]
)
def test_lengths_of_time_as_people_say_them(length_s, text):
    assert duration(length_s) == text


AT = datetime(2026, 11, 12, 9, tzinfo=UTC).isoformat()


@pytest.mark.parametrize(
    ("reason", "params", "text"),
    [
        (Reason.ALREADY_GONE, {"at": AT, "how": "reading"}, "Already gone: left on 12 Nov 2026, changed outside."),
        (
            Reason.ALREADY_GONE,
            {"at": AT, "how": "operation"},
            "Already gone: left on 12 Nov 2026, by a change made here.",
        ),
        (Reason.ALREADY_GONE, {}, "Already gone."),
        (
            Reason.PERSON_PROTECTED,
            {"by": "vera", "at": AT, "note": "board"},
            "Protected by vera, 12 Nov 2026: board",
        ),
        (Reason.ALREADY_ASKED, {"change": 7}, "Already asked for in change 7."),
    ],
)
def test_what_is_left_out_says_why(reason, params, text):
    assert left_out_sentence(LeftOut(reason=reason, reason_params=params)) == text


def test_a_note_cannot_turn_the_sentence_around():
    row = LeftOut(reason=Reason.GROUP_PROTECTED, reason_params={"by": "v", "at": AT, "note": OVERRIDE})
    assert OVERRIDE not in left_out_sentence(row)


# inert


@pytest.mark.parametrize("text", ["Ada", "Żak", "Иван", "עברית", "محمد", "می‌خواهم", "👩‍👧", "a\tb\nc", "<b>", ""])
def test_letters_of_every_script_stay_as_they_are(text):
    assert inert(text) == text


@pytest.mark.parametrize(
    "code",
    [
        0x00,
        0x07,
        0x0D,
        0x1B,
        0x7F,
        0x80,
        0x9F,
        0x61C,
        0x200B,
        0x200E,
        0x200F,
        0x2028,
        0x202E,
        0x2066,
        0xFEFF,
        0xD800,
        0xE0041,
    ],
)
def test_what_acts_unseen_is_made_visible(code):
    assert inert(f"a{chr(code)}b") == f"a‹U+{code:04X}›b"


@given(text=st.text())
def test_inert_text_has_no_controls_left_and_stays_the_same_when_repeated(text):
    shown = inert(text)
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]", shown)
    assert inert(shown) == shown
