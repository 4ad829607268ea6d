"""One line of search over the log."""

import datetime as dt

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from membership.models import AuditEntry, Change, ChangeConnection, Merging
from membership.services import audit_facets, audit_few, audit_log, audit_query, audit_times
from membership.vocab import AuditAction, Role
from tests import mirrored
from tests.services.test_audit_log import NOW, put, removal

DAY = dt.timedelta(days=1)


@pytest.fixture
def told(db, operator):
    """Two systems, a person with an account in one of them, a change with a ticket, and entries about them."""
    office, club = mirrored.system("Office"), mirrored.system("Club app", provider="mudbase")
    chess = mirrored.group("Chess club", club)
    account = mirrored.account("ada.l", club, email="ada@example.org")
    ada = mirrored.person("Ada Lovelace", account)
    change = Change.objects.create(kind="removal", ticket="HELP-8", created_at=NOW, requested_by=operator)
    ChangeConnection.objects.create(change=change, connection=club)
    return {
        "club": club,
        "ada": ada,
        "requested": put(AuditAction.CHANGE_REQUESTED, actor=operator, change_id=change.pk, at=NOW,
                         personal={"reason": "left the club", "ticket": "HELP-8"}),
        "removed": removal(club, "Ada", group_id=chess.pk, account_id=account.pk, change_id=change.pk, operation_id=7,
                           at=NOW + DAY),
        "refused": removal(office, "Zoë", action=AuditAction.OPERATION_REFUSED, outcome="remote_said_no",
                           at=NOW + 2 * DAY),
        "protected": put(AuditAction.PERSON_PROTECTED, actor=operator, person_id=ada.pk, at=NOW + 40 * DAY,
                         personal={"name": "Ada Lovelace"}),
    }  # fmt: skip


LINES = {
    "ada": {"removed", "protected"},
    "ADA chess": {"removed"},
    '"ada lovelace"': {"protected"},
    "actor:operator": {"requested", "protected"},
    "who:OPER ada": {"protected"},
    "actor:musterbook": {"removed", "refused"},
    "action:operation": {"removed", "refused"},
    "action:confirmed": {"removed"},
    "action:operation.refused": {"refused"},
    'action:"said no"': None,
    "system:club": {"removed"},
    "system: office": {"refused"},
    "group:chess": {"removed"},
    'group:"Chess club" ada': {"removed"},
    "person:lovelace": {"removed", "protected"},
    "person:ada@example.org": {"removed"},
    "account:ada.l": {"removed"},
    "ticket:help-8": {"requested", "removed"},
    "step:7": {"removed"},
    "outcome:refused": {"refused"},
    "outcome:remote_said_no": {"refused"},
    "outcome:said": {"refused"},
    "on:2026-01-31": {"requested"},
    "from:2026-02-01": {"removed", "refused", "protected"},
    "to:2026-02-01": {"requested", "removed"},
    "from:2026-02 to:2026-02": {"removed", "refused"},
    "on:2026": {"requested", "removed", "refused", "protected"},
    "on:2026-01-31T09:30": {"requested"},
    "on:yesterday": set(),
    "from:7d": set(),
    "from:9999y": {"requested", "removed", "refused", "protected"},
    "to:2026y": set(),
    "https://example.org": set(),
    "le": {"requested"},
}


def names(told, rows):
    known = {row.pk: name for name, row in told.items() if isinstance(row, AuditEntry)}
    return {known[row.pk] for row in rows}


@pytest.mark.parametrize("line", LINES)
def test_a_line_finds_what_it_says(told, auditor, line):
    rows, asked = audit_query.narrow(audit_log.entries(auditor), line, auditor)
    if LINES[line] is None:
        assert asked.faults
    else:
        assert names(told, rows) == LINES[line]
        assert not asked.faults


@pytest.mark.parametrize("few", [0, 1, 2])
@pytest.mark.parametrize("line", [line for line in LINES if "person" in line or "outcome" in line])
def test_a_line_finds_the_same_where_many_entries_fit(told, auditor, line, few, monkeypatch):
    monkeypatch.setattr(audit_few, "FEW", few)
    test_a_line_finds_what_it_says(told, auditor, line)


def test_sqlite_looks_up_few_entries_instead_of_reading_all(told, auditor):
    if connection.vendor != "sqlite":
        pytest.skip("PostgreSQL counts what fits before it chooses a way")
    for line in ("outcome:refused", "person:lovelace"):
        rows, _asked = audit_query.narrow(audit_log.entries(auditor), line, auditor)
        assert "SCAN membership_auditentry" not in rows[:100].explain()


def test_numbers_find_rows_by_their_ids(told, auditor):
    change = told["requested"].change_id
    assert names(told, audit_query.narrow(audit_log.entries(auditor), f"change:{change}")[0]) == {
        "requested",
        "removed",
    }
    assert names(told, audit_query.narrow(audit_log.entries(auditor), f"person:#{told['ada'].pk}")[0]) == {
        "removed",
        "protected",
    }


NOT_UNDERSTOOD = [
    "from:soon", "action:nonsense", "action:_", "group:nowhere", "change:x", 'actor:""', "to:9999",
    "on:2026-02-30",
    "to:9999-12-31T10:00", "on:9999-12-31T23:59", "from:0001-01-01T00:00", "from:0001-01-01T00:00+14:00",
]  # fmt: skip


@pytest.mark.parametrize("line", NOT_UNDERSTOOD)
def test_a_term_that_is_not_understood_finds_nothing_and_says_why(told, auditor, line):
    rows, asked = audit_query.narrow(audit_log.entries(auditor), f"ada {line}", auditor)
    assert not rows
    assert line.split(":")[0] in asked.faults[0]


def test_names_stand_only_for_what_the_reader_may_see(told, make_user):
    office_only = make_user("limited", Role.OPERATOR, [told["refused"].connection_id])
    for line in ("person:lovelace", "group:chess", "ticket:help-8", "system:club"):
        rows, asked = audit_query.narrow(audit_log.entries(office_only), line, office_only)
        assert not rows
        assert asked.faults


@pytest.mark.parametrize("line", ["", "   ", "\0", '"', '""', ":", "::", "from:", "#", "a" * 5000, "'; --", "\ud800"])
def test_no_line_breaks_it(told, auditor, line):
    list(audit_query.narrow(audit_log.entries(auditor), line, auditor)[0])


def test_facets_count_what_was_found(told, auditor):
    counted = audit_facets.newest(audit_log.entries(auditor))
    said = {facet.name: {value.label: value.count for value in facet.values} for facet in counted.facets}
    assert len(counted.ids) == 4
    assert said["action"] == {"confirmed": 1, "person protected": 1, "refused": 1, "requested": 1}
    assert said["system"] == {"Club app": 1, "Office": 1}
    assert said["actor"] == {"operator": 2, "no user": 2}
    for facet in counted.facets:
        for value in facet.values:
            rows = audit_query.narrow(audit_log.entries(auditor), value.term, auditor)[0]
            assert rows.count() == value.count, value


def test_counting_is_bounded(told, auditor, monkeypatch):
    monkeypatch.setattr(audit_facets, "BOUND", 2)
    counted = audit_facets.newest(audit_log.entries(auditor))
    assert (len(counted.ids), counted.is_bounded) == (2, True)


def test_a_term_takes_the_place_of_one_of_its_kind():
    assert audit_facets.with_term("ada action:x", "action:y") == "ada action:y"
    assert audit_facets.with_term('system:"my office" ada', "system:#3") == "ada system:#3"
    assert audit_facets.with_term("system: office ada", "system:#3") == "ada system:#3"
    assert audit_facets.with_term("who:vera ada", "actor:#3") == "ada actor:#3"
    assert audit_facets.with_term('"ada action:x" é', "action:y") == '"ada action:x" é action:y'


def test_a_search_takes_few_questions(told, auditor):
    audit_log.entries(auditor).exists()
    with CaptureQueriesContext(connection) as asked:
        list(audit_query.narrow(audit_log.entries(auditor), "ada person:ada from:2026", auditor)[0][:50])
    own = 2 if connection.vendor == "sqlite" else 0  # looks at an index alone: how many entries fit
    assert len(asked) <= 8 + own


def test_a_person_is_also_whoever_became_part_of_them(told, auditor):
    former = mirrored.next_number() + 10_000
    Merging.objects.create(person=told["ada"], former_id=former, name="A. Byron", created_at=NOW, merged_at=NOW)
    row = put(AuditAction.PERSON_PROTECTED, person_id=former)
    for line in ("person:lovelace", f"person:{told['ada'].pk}"):
        assert row in audit_query.narrow(audit_log.entries(auditor), line, auditor)[0]
    assert row in audit_log.history(told["ada"], auditor)


@pytest.mark.parametrize(("stored", "typed"), [("Cafe\u0301", "caf\u00e9"), ("Caf\u00e9", "cafe\u0301")])
def test_letters_and_their_marks_are_one_however_they_are_stored(told, auditor, stored, typed):
    group = mirrored.group(stored, told["club"])
    row = put(AuditAction.GROUP_PROTECTED, group_id=group.pk, personal={"name": stored})
    for line in (typed, f"group:{typed}"):
        rows, asked = audit_query.narrow(audit_log.entries(auditor), line, auditor)
        assert (list(rows), asked.faults) == ([row], [])


def test_what_is_in_quotes_stays_as_it_is(told, auditor):
    row = put(AuditAction.GROUP_PROTECTED, personal={"reason": "see group: chess"})
    found = audit_query.narrow(audit_log.entries(auditor), '"see group: chess"', auditor)[0]
    assert list(found) == [row]
    assert audit_query.parse('group: "chess club" "to: x"').terms == [("group", "chess club")]


def test_what_is_said_in_numbers_is_also_looked_for_as_the_name_and_the_id_there(told, auditor):
    room = mirrored.group("101", told["club"], remote_id="900100")
    other = mirrored.account("Łukasz", told["club"], remote_id="900200")
    put(AuditAction.GROUP_PROTECTED, group_id=room.pk, connection_id=told["club"].pk)
    put(AuditAction.PERSON_LINKED, account_id=other.pk, connection_id=told["club"].pk)
    for line in ("group:101", "group:900100", "account:900200", f"group:#{room.pk}", f"account:{other.pk}"):
        rows, asked = audit_query.narrow(audit_log.entries(auditor), line, auditor)
        assert (len(rows), asked.faults) == (1, []), line
    assert not audit_query.narrow(audit_log.entries(auditor), "group:#900100", auditor)[0]


@pytest.mark.parametrize("line", [" ".join(["ada"] * 9), "ada " + "x" * 400, "ada " + " " * 390 + " change:123456"])
def test_a_line_of_which_a_part_would_not_be_looked_for_finds_nothing_and_says_so(told, auditor, line):
    rows, asked = audit_query.narrow(audit_log.entries(auditor), line, auditor)
    assert not rows
    assert asked.faults


def test_what_a_facet_counts_is_what_its_link_finds(told, auditor):
    for outcome in ("complete", "incomplete", "failed", "reading_failed", "foreign"):
        put(AuditAction.READING_FINISHED, connection_id=told["club"].pk, outcome=outcome)
    put(AuditAction.OPERATION_FOREIGN, connection_id=told["club"].pk)
    for facet in audit_facets.newest(audit_log.entries(auditor)).facets:
        for value in facet.values:
            rows = audit_query.narrow(audit_log.entries(auditor), value.term, auditor)[0]
            assert rows.count() == value.count, value


@pytest.mark.parametrize(
    ("value", "minutes"),
    [("on:2026-10-25T02:59", 1), ("on:2026-10-25", 25 * 60), ("on:2026-03-29", 23 * 60), ("on:2026-03-29T02:30", 1)],
)
def test_spans_are_as_long_as_they_are_where_clocks_are_changed(settings, value, minutes):
    settings.TIME_ZONE = "Europe/Berlin"
    with timezone.override("Europe/Berlin"):
        begins, ends = audit_times.span(value.removeprefix("on:"))
    assert ends.astimezone(dt.UTC) - begins.astimezone(dt.UTC) == dt.timedelta(minutes=minutes)


def test_minutes_are_no_months():
    begins, _ends = audit_times.span("30min")
    assert timezone.now() - begins < dt.timedelta(hours=1)


def test_today_is_a_day_of_the_panel(db, auditor):
    row = put(AuditAction.GROUP_PROTECTED, at=timezone.now())
    assert list(audit_query.narrow(audit_log.entries(auditor), "on:today", auditor)[0]) == [row]
