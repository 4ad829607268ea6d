"""What happened, as sentences: one a step."""

import datetime as dt

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from membership.models import AuditPersonal, Change, ChangeConnection
from membership.services import timelines
from membership.vocab import AuditAction, Role
from tests import mirrored
from tests.services.test_audit_log import NOW, put, removal

MINUTE = dt.timedelta(minutes=1)


@pytest.fixture
def club(db):
    return mirrored.system("Club app", provider="mudbase")


@pytest.fixture
def chess(club):
    return mirrored.group("Chess club", club)


@pytest.fixture
def change(club, operator):
    made = Change.objects.create(kind="removal", created_at=NOW, requested_by=operator)
    ChangeConnection.objects.create(change=made, connection=club)
    put(AuditAction.CHANGE_REQUESTED, actor=operator, change_id=made.pk, data={"kind": "removal", "people": 1,
        "groups": 1}, personal={"reason": "left the club", "ticket": "12"})  # fmt: skip
    return made


def step(club, chess, change, number, *actions, person="Ada", verb="remove", **fields):
    """The entries of one step, a minute apart."""
    common = {"change_id": change.pk, "group_id": chess.pk, "operation_id": number, "data": {"verb": verb}}
    for n, action in enumerate(actions):
        removal(club, person, action=action, at=NOW + n * MINUTE, **common, **fields)


def said(row, user):
    return [event.text for event in timelines.timeline(row, user).events]


SENT, CONFIRMED, LOST = (
    AuditAction.OPERATION_INTENDED,
    AuditAction.OPERATION_CONFIRMED,
    AuditAction.OPERATION_IN_DOUBT,
)


def test_a_step_is_one_sentence(club, chess, change, auditor):
    step(club, chess, change, 7, SENT, LOST, AuditAction.OPERATION_RESOLVED, CONFIRMED)
    sentence = "Operator removed Ada from Chess club (Club app): left the club, ticket 12; confirmed 31 Jan 2026 09:33"
    assert said(chess, auditor) == [sentence]
    assert said(change, auditor) == [
        sentence,
        "Operator asked to remove 1 person from 1 group: left the club (ticket 12)",
    ]


def test_of_a_change_that_touches_other_systems_it_is_not_told_who_asked_and_why(club, chess, change, make_user):
    ChangeConnection.objects.create(change=change, connection=mirrored.system("Hidden"))
    step(club, chess, change, 7, SENT, CONFIRMED)
    [sentence] = said(chess, make_user("limited", Role.AUDITOR, [club]))
    assert sentence.startswith("Somebody removed Ada from Chess club (Club app); confirmed")


@pytest.mark.parametrize(
    ("actions", "fields", "end"),
    [
        ([SENT], {}, "; being sent"),
        ([SENT, LOST], {"outcome": "answer_lost"}, "; checking what happened: The answer was lost"),
        (
            [SENT, AuditAction.OPERATION_REFUSED],
            {"outcome": "remote_said_no", "personal": {"said": "frozen", "status": 400}},
            "; said no: “frozen” (status 400)",
        ),
        ([AuditAction.OPERATION_NOT_NEEDED], {}, "; already so"),
        ([AuditAction.OPERATION_OVERTAKEN], {}, "; overtaken"),
        ([SENT, AuditAction.OPERATION_RETURNED], {}, "; waiting"),
        (
            [AuditAction.OPERATION_SUPERSEDED],
            {"outcome": "superseded"},
            "; cancelled: a newer change asks for the opposite, so both cancel out",
        ),
        ([AuditAction.OPERATION_ALTERED], {}, "; found altered, not sent"),
        ([SENT, AuditAction.OPERATION_DECIDED], {"outcome": "leave"}, "; decided: it is left alone and not sent again"),
    ],
)
def test_a_step_that_was_not_confirmed_says_how_it_stands(club, chess, change, auditor, actions, fields, end):
    step(club, chess, change, 7, *actions, **fields)
    wanted = "Operator wanted to remove Ada from Chess club (Club app): left the club, ticket 12"
    assert said(chess, auditor) == [wanted + end]


def test_every_action_about_a_step_has_an_end_in_words():
    about_steps = {action for action in AuditAction if action.value.startswith("operation.")}
    assert set(timelines._ENDS) == about_steps


def test_what_the_system_said_of_an_earlier_attempt_is_no_reason_of_the_next(club, chess, change, auditor):
    step(club, chess, change, 7, SENT)
    step(club, chess, change, 7, AuditAction.OPERATION_RETURNED, outcome="throttled", personal={"said": "slow down"})
    step(club, chess, change, 7, SENT)
    assert said(chess, auditor)[0].endswith("; being sent")


@pytest.mark.parametrize(
    ("verb", "begins"),
    [
        ("add", "Operator added Ada to Chess club (Club app)"),
        ("update", "Operator altered Ada in Chess club (Club app)"),
        ("rename_group", "Operator renamed the group Ada (Club app)"),
        ("delete_group", "Operator deleted the group Ada (Club app)"),
        ("from_the_future", "Operator asked for a step (Club app)"),
    ],
)
def test_each_verb_has_its_sentence(club, chess, change, auditor, verb, begins):
    step(club, chess, change, 7, CONFIRMED, verb=verb)
    assert said(chess, auditor)[0].startswith(begins)


def test_what_was_altered_is_said(club, chess, change, auditor):
    step(club, chess, change, 7, CONFIRMED, verb="update", personal={"after": {"is_muted": True}})
    assert said(chess, auditor)[0].startswith("Operator altered Ada in Chess club (Club app) (muted: yes): left")


def test_other_entries_stand_for_themselves_and_readings_are_left_out(club, chess, auditor, operator):
    put(AuditAction.GROUP_PROTECTED, actor=operator, group_id=chess.pk, personal={"name": "Chess club"})
    put(AuditAction.READING_FINISHED, connection_id=club.pk, group_id=chess.pk, outcome="complete")
    assert said(chess, auditor) == ["Operator protected the group Chess club"]


def test_pages_tell_each_step_once(club, chess, change, auditor, monkeypatch):
    monkeypatch.setattr(timelines, "EVENTS", 3)
    monkeypatch.setattr(timelines, "_AT_ONCE", 4)
    for number in range(8):
        step(club, chess, change, number, SENT, person=f"Member {number}")
    for number in range(8):
        step(club, chess, change, number, CONFIRMED, person=f"Member {number}")
    told, before = [], None
    for _page in range(5):
        page = timelines.timeline(chess, auditor, before=before)
        told += [event.operation_id for event in page.events]
        before = page.older
        if before is None:
            break
    assert told == [7, 6, 5, 4, 3, 2, 1, 0]
    assert before is None


def test_an_erased_step_says_so_and_stays_readable(club, chess, change, auditor):
    step(club, chess, change, 7, SENT, CONFIRMED)
    AuditPersonal.objects.all().delete()
    (event,) = timelines.timeline(chess, auditor).events
    assert event.erased
    assert event.text.startswith("Operator removed (erased) from Chess club (Club app); confirmed")


def test_whoever_may_not_read_the_log_sees_no_timeline(club, chess, change, viewer, limited_operator):
    step(club, chess, change, 7, CONFIRMED)
    assert said(chess, viewer) == []
    assert said(chess, limited_operator(mirrored.system("Office"))) == []


def test_questions_do_not_grow_with_the_steps(club, chess, change, auditor):
    def questions():
        with CaptureQueriesContext(connection) as asked:
            timelines.timeline(chess, auditor)
        return len(asked)

    step(club, chess, change, 0, SENT, CONFIRMED)
    said(chess, auditor)  # rights are read once a request
    few = questions()
    for number in range(1, 30):
        step(club, chess, change, number, SENT, CONFIRMED)
    assert questions() == few
