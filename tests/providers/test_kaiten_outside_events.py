from datetime import UTC, datetime

import pytest

from membership.errors import Reason
from membership.providers.errors import Incomplete
from membership.providers.kaiten import parse
from tests.providers.remotes import outcome

SINCE, UNTIL = 0.0, 4_000_000_000.0
LINE = {"id": "e-1", "created": "2026-05-04T09:42:00.000Z", "action": "add_user"}


def events(company, since=SINCE, until=UNTIL):
    return list(company.provider.outside_events(since, until))


def test_the_log_tells_who_did_what_to_whom(company):
    company.state.remove_by_hand("g-1", 1, author=2)
    event = events(company)[0]
    assert (event.action, event.actor, event.actor_id) == ("delete_user", "Grace Hopper", "2")
    assert (event.group_id, event.account_id) == ("g-1", "1")
    assert abs((datetime.now(UTC) - event.at).total_seconds()) < 60


def test_what_nobody_did_has_no_actor(company):
    assert {(event.actor, event.actor_id) for event in events(company)} == {("", None)}


def test_only_lines_between_the_two_times_are_told(company):
    clock = [1_700_000_000.0]
    company.state.now = lambda: clock[0]
    for second in range(5):
        clock[0] = 1_700_000_000.0 + second
        company.state.add_group(f"Group {second}", uid=f"h-{second}")
    told = events(company, 1_700_000_001.0, 1_700_000_003.0)
    assert [event.group_id for event in told] == ["h-3", "h-2", "h-1"]


def test_a_long_log_is_read_page_by_page_to_its_end(company):
    for number in range(1050):
        company.state.add_group(f"Group {number}")
    company.journal.clear()
    told = events(company)
    assert len({event.event_id for event in told}) == len(told) == len(company.state.audit)
    asked = [dict(entry.query) for entry in company.journal.entries]
    assert [query["offset"] for query in asked] == ["0", "500", "1000"]
    assert {(query["to"], query["categories"]) for query in asked} == {("2096-10-02T07:06:40.000Z", "group_management")}


def test_a_log_that_grows_while_it_is_read_tells_each_line_once(company):
    for number in range(600):
        company.state.add_group(f"Group {number}")
    told = []
    for event in company.provider.outside_events(SINCE, UNTIL):
        if len(told) == 100:
            for number in range(50):
                company.state.add_group(f"Late {number}")
        told.append(event.event_id)
    assert len(set(told)) == len(told)
    assert len(told) >= 600


def test_a_log_that_ignores_paging_is_incomplete(company):
    rows = [{**LINE, "id": f"e-{number}"} for number in range(100)]
    company.fault("status", path_contains="audit-logs", status=200, body=rows)
    assert outcome(lambda: events(company)) == ("Incomplete", Reason.PAGE_REPEATED)


def test_a_token_without_the_right_is_told_as_weak(company):
    company.state.switch(audit_rights=False)
    with pytest.raises(Incomplete) as caught:
        events(company)
    assert caught.value.reason is Reason.WEAK_TOKEN


def test_codes_and_details_that_are_not_known_do_not_end_the_reading(company):
    rows = [
        {**LINE, "action": "conquer", "details": {"planet": 9}},
        {**LINE, "id": "e-2", "details": None, "author": None},
        {**LINE, "id": "e-3", "created": "yesterday"},
        {**LINE, "id": "e-4", "details": {"group": {"uid": "g-7"}, "user": {"id": 5}}, "author_username": "ada"},
    ]
    company.fault("status", path_contains="audit-logs", status=200, body=rows)
    assert [(event.action, event.actor, event.group_id, event.account_id) for event in events(company)] == [
        ("conquer", "", None, None),
        ("add_user", "", None, None),
        ("add_user", "ada", "g-7", "5"),
    ]


def test_who_did_it_is_known_by_name_after_the_user_was_deleted():
    event = parse.event({**LINE, "author_id": 7, "author_username": "ada", "author": None})
    assert (event.actor, event.actor_id) == ("ada", "7")


def test_the_other_remotes_do_not_tell(club, chat):
    for remote in (club, chat):
        assert not remote.provider.capabilities.tells_actor
        assert outcome(lambda remote=remote: list(remote.provider.outside_events(SINCE, UNTIL))) == (
            "Refused",
            Reason.NOT_OFFERED,
        )
