import datetime as dt

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from membership.audit import record
from membership.audit.triggers import PERSONAL
from membership.errors import NotAllowed
from membership.models import Account, AuditPersonal, Change, ChangeConnection, Connection, Group, Participant, Person
from membership.services import audit_log, audit_words
from membership.vocab import AuditAction, Chain, ChangeKind, Role

NOW = dt.datetime(2026, 1, 31, 9, 30, tzinfo=dt.UTC)


@pytest.fixture
def club(db):
    return Connection.objects.create(provider="kaiten", name="Kaiten", base_url="https://club.example")


@pytest.fixture
def works(db):
    return Connection.objects.create(provider="inwendo", name="Works", base_url="https://works.example")


def put(action, chain=Chain.PANEL, at=NOW, **fields):
    with transaction.atomic():
        (row,) = record.write(chain, [record.Entry(action, **fields)], at=at)
    return row


def removal(system, person="Ada", action=AuditAction.OPERATION_CONFIRMED, **fields):
    fields = {"data": {"verb": "remove", "attempt": 1}, **fields}
    personal = {"person": person, "group_name": "Chess club", **fields.pop("personal", {})}
    return put(action, record.connection_chain(system.pk), connection_id=system.pk, personal=personal, **fields)


def said(row):
    return audit_log.lines([row])[0].sentence


def test_every_action_has_a_sentence():
    assert set(audit_words.SENTENCES) == set(AuditAction)


@pytest.mark.parametrize("action", AuditAction)
def test_every_sentence_stays_readable_with_nothing_known(db, action):
    sentence = said(put(action))
    assert sentence
    assert "%(" not in sentence
    assert "None" not in sentence


def test_a_request_reads_as_who_asked_for_what_and_why(operator):
    row = put(
        AuditAction.CHANGE_REQUESTED,
        actor=operator,
        change_id=4,
        data={"kind": "removal", "people": 3, "groups": 2, "operations": 5},
        personal={"reason": "left the club", "ticket": "12"},
    )
    assert said(row) == "Operator asked to remove 3 people from 2 groups: left the club (ticket 12)"


@pytest.mark.parametrize(
    ("data", "wish"),
    [
        ({"kind": "removal", "people": 1, "groups": 1}, "remove 1 person from 1 group"),
        (
            {"kind": "removal_everywhere", "people": 1, "groups": 4, "operations": 4},
            "remove 1 person from everywhere (4 groups)",
        ),
        ({"kind": "retry", "operations": 2}, "try 2 steps again"),
        ({"kind": "removal", "people": 10_000, "groups": 60}, "remove 10,000 people from 60 groups"),
    ],
)
def test_a_preview_says_what_was_wished(operator, data, wish):
    row = put(AuditAction.CHANGE_DRAFTED, actor=operator, change_id=4, data=data)
    assert said(row) == f"Operator previewed change 4: {wish}"


@pytest.mark.parametrize(
    ("action", "fields", "sentence"),
    [
        (AuditAction.OPERATION_INTENDED, {}, "Musterbook began to send the removal of Ada from Chess club to Kaiten"),
        (AuditAction.OPERATION_INTENDED, {"data": {"verb": "remove", "attempt": 2}},
         "Musterbook began to send the removal of Ada from Chess club to Kaiten (attempt 2)"),
        (AuditAction.OPERATION_CONFIRMED, {}, "The removal of Ada from Chess club was confirmed by Kaiten"),
        (AuditAction.OPERATION_REFUSED, {"outcome": "remote_said_no", "personal": {"said": "group is frozen"},
                                         "data": {"verb": "remove", "status": 400}},
         "The removal of Ada from Chess club was refused by Kaiten: “group is frozen” (status 400)"),
        (AuditAction.OPERATION_REFUSED, {"outcome": "system_retired"},
         "The removal of Ada from Chess club was left half done: Kaiten is retired: it is only kept for its history"),
        (AuditAction.OPERATION_IN_DOUBT, {"outcome": "answer_lost"},
         "It is not known whether Kaiten carried out the removal of Ada from Chess club, so it is read back:"
         " The answer was lost"),
        (AuditAction.OPERATION_RESOLVED, {"data": {"verb": "remove", "state": "confirmed"}},
         "What became of the removal of Ada from Chess club was read back from Kaiten: done"),
        (AuditAction.OPERATION_RESOLVED, {"outcome": "read_back_not_done"},
         "What became of the removal of Ada from Chess club was read back from Kaiten:"
         " it was not done, and is sent again"),
        (AuditAction.OPERATION_RETURNED, {"outcome": "read_back_not_done"},
         "The removal of Ada from Chess club went back into the queue for Kaiten:"
         " it was not done, and is sent again"),
        (AuditAction.OPERATION_OVERTAKEN, {"outcome": "precondition_gone"},
         "The removal of Ada from Chess club was not sent to Kaiten: something had changed since the preview"),
        (AuditAction.OPERATION_NOT_NEEDED, {"outcome": "already_so"},
         "The removal of Ada from Chess club was not needed in Kaiten: Already so"),
        (AuditAction.OPERATION_NOT_NEEDED, {},
         "The removal of Ada from Chess club was not needed in Kaiten: it is so already"),
        (AuditAction.OPERATION_CONFIRMED, {"data": {"verb": "update"}, "personal": {"after": {"is_muted": True}}},
         "The alteration of Ada in Chess club (muted: yes) was confirmed by Kaiten"),
        (AuditAction.OPERATION_CONFIRMED, {"data": {"verb": "rename_group"}, "personal": {"after": {"name": "Go"}}},
         "The renaming of the group Ada to “Go” was confirmed by Kaiten"),
        (AuditAction.OPERATION_DECIDED, {"data": {"verb": "remove", "decision": "leave"}},
         "Musterbook decided about the removal of Ada from Chess club in Kaiten: it is left alone and not sent again"),
    ],
)  # fmt: skip
def test_a_step_reads_as_what_happened_to_whom(club, action, fields, sentence):
    assert said(removal(club, action=action, **fields)) == sentence


def test_a_finished_change_is_counted(db):
    row = put(AuditAction.CHANGE_FINISHED, change_id=4, data={"counts": {"confirmed": 12, "refused": 1}})
    assert said(row) == "Change 4 is finished: 12 done, 1 said no"


@pytest.mark.parametrize(
    ("action", "fields", "sentence"),
    [
        (AuditAction.CHANGE_STALE, {"outcome": "time"},
         "The preview of change 4 can no longer be confirmed: it became too old"),
        (AuditAction.CHANGE_STALE, {"outcome": "erased"},
         "The preview of change 4 can no longer be confirmed: somebody in it was erased"),
        (AuditAction.CHANGE_CANCELLED, {"outcome": "rest"}, "Musterbook cancelled what was left of change 4"),
        (AuditAction.CHANGE_CANCELLED, {"outcome": "thrown_away"}, "Musterbook threw away the preview of change 4"),
        (AuditAction.CHANGE_DRAFTED, {"data": {"kind": "removal_everywhere", "operations": 0}},
         "Musterbook previewed change 4: remove somebody from everywhere"),
        (AuditAction.PERSON_PROTECTED, {"personal": {"name": "Ada", "note": "chair"}},
         "Musterbook protected the person Ada: chair"),
        (AuditAction.CHANGE_PAUSED, {"outcome": "paused_by_operator",
                                     "personal": {"params": {"by": "ann", "note": "wait for Ada"}}},
         "Musterbook paused change 4: wait for Ada"),
        (AuditAction.CHANGE_STAGE_FINISHED, {"outcome": "as_wished", "data": {"stage": 1}},
         "Stage 1 of change 4 was read back: as confirmed"),
        (AuditAction.CHANGE_CANCELLED, {"outcome": "withdrawn"},
         "Musterbook withdrew change 4 before anybody approved it"),
        (AuditAction.LOG_IN_FAILED, {"personal": {"user": "ada", "address": "192.0.2.7"}},
         "A log-in as ada from 192.0.2.7 failed"),
        (AuditAction.LOG_IN_FAILED, {"personal": {"address": "192.0.2.7"}},
         "A log-in under an unknown name from 192.0.2.7 failed"),
        (AuditAction.REQUEST_REFUSED, {"outcome": "no_right", "data": {"what": "request"},
                                       "personal": {"path": "/users/"}},
         "A request of somebody who was not logged in was refused (/users/): the right to do this was missing"),
        (AuditAction.EXPORT_MADE, {"data": {"what": "auditentry", "rows": 1, "format": "csv", "proof": True}},
         "Somebody at the command line exported 1 row of “Audit log” as CSV with proof"),
        (AuditAction.EXPORT_MADE, {"data": {"what": "rows of list 3", "rows": 1200}},
         "Somebody at the command line exported 1,200 rows of “rows of list 3”"),
        (AuditAction.LOG_VERIFIED, {"data": {"entries": 1, "faults": 0}},
         "Somebody at the command line verified the audit log: 1 entry, nothing wrong"),
        (AuditAction.LOG_CUT, {"data": {"count": 1200}},
         "Somebody at the command line cut 1,200 old entries off the audit log into an archive"),
        (AuditAction.PERSON_ERASED, {"data": {"parts": 1}},
         "Musterbook approved the erasure of a person: 1 entry lost its names"),
        (AuditAction.PERSON_LINKED, {"data": {"accounts": [1, 2]}, "personal": {"person": "Ada"}},
         "Musterbook linked 2 accounts to the person Ada"),
        (AuditAction.PERSON_UNLINKED, {"account_id": 7, "personal": {"person": "Ada"}},
         "Musterbook unlinked 1 account from the person Ada"),
        (AuditAction.PROPOSAL_REJECTED, {"personal": {"accounts": ["Ada", "Ada L."]}},
         "Musterbook said that Ada and Ada L. are different people"),
        (AuditAction.ENDING_SET, {"data": {"last_day": "2026-03-31"}, "personal": {"person": "3 people",
                                                                                  "group_name": "Chess"}},
         "Musterbook set the end date of 3 people in Chess: 31 Mar 2026"),
        (AuditAction.DATABASE_RESTORED, {"data": {"made_at": "2026-03-31T09:00:00+00:00"}},
         "Somebody at the command line put the database back from a backup made 31 Mar 2026 09:00:00"),
        (AuditAction.COMMAND_RUN, {"data": {"command": "sync"}, "personal": {"os_user": "root"}},
         "Root at the command line ran the command sync"),
    ],
)  # fmt: skip
def test_other_entries_read_as_what_happened(db, action, fields, sentence):
    assert said(put(action, change_id=4, **fields)) == sentence


@pytest.mark.parametrize(
    ("action", "fields", "sentence"),
    [
        (AuditAction.READING_FINISHED, {"outcome": "complete"}, "Kaiten was read: complete"),
        (AuditAction.READING_FINISHED, {"outcome": "incomplete", "data": {"reason": "too_many_pages"}},
         "Kaiten was read: incomplete: The list did not end"),
        (AuditAction.READING_FINISHED, {"outcome": "failed", "data": {"reason": "not_reached"}},
         "Kaiten could not be read: The system could not be reached. Nothing was sent; it is tried again"),
        (AuditAction.CONNECTION_PAUSED, {"outcome": "stopped_by_operator",
                                         "personal": {"reason": "moving house", "params": {"by": "ann"}}},
         "Kaiten was stopped by Musterbook: moving house"),
        (AuditAction.GROUP_PROTECTED, {"personal": {"name": "Chess"}},
         "Musterbook protected the group Chess of Kaiten"),
        (AuditAction.CONNECTION_PAUSED, {"outcome": "token_not_accepted"},
         "Kaiten was stopped by Musterbook: The system does not accept the token."
         " Enter a new one, then test and resume"),
        (AuditAction.CONNECTION_TESTED, {}, "Musterbook tested the system Kaiten: it works"),
        (AuditAction.CONNECTION_SIGNED_IN, {}, "Musterbook signed in to Kaiten"),
        (AuditAction.CONNECTION_SIGNED_IN, {"outcome": "sign_in_refused"},
         "Musterbook could not sign in to Kaiten: The system refused the log-in."
         " Check user name and password, then test and resume"),
        (AuditAction.CONNECTION_EDITED, {"data": {"fields": ["name", "rate_per_s"]}},
         "Somebody at the command line edited the system Kaiten: name, requests per second"),
    ],
)  # fmt: skip
def test_entries_about_a_system_name_it(club, action, fields, sentence):
    assert said(put(action, connection_id=club.pk, **fields)) == sentence


def test_a_reading_of_a_group_names_it(club):
    group = Group.objects.create(connection=club, remote_id="g", name="Chess", seen_at=NOW)
    row = put(AuditAction.READING_FINISHED, connection_id=club.pk, group_id=group.pk, outcome="complete")
    assert said(row) == "The group Chess of Kaiten was read: complete"


def test_log_ins_say_from_where(operator):
    row = put(AuditAction.LOGGED_IN, Chain.LOG_IN, actor=operator, personal={"address": "192.0.2.7"})
    assert said(row) == "Operator logged in from 192.0.2.7"


def test_roles_are_said_in_words(owner):
    row = put(AuditAction.USER_EDITED, actor=owner, data={"user": 9, "role": "operator", "connections": [1, 2]},
              personal={"user": "ann"})  # fmt: skip
    assert said(row) == "Owner gave the panel user ann the role Operator, 2 systems only"


@pytest.mark.parametrize(("active", "did"), [(False, "shut out the panel user ann"),
                                             (True, "let the panel user ann in again")])  # fmt: skip
def test_who_was_shut_out_is_said(owner, active, did):
    row = put(AuditAction.USER_EDITED, actor=owner, data={"user": 9, "active": active}, personal={"user": "ann"})
    assert said(row) == f"Owner {did}"


def test_a_failed_log_in_was_not_done_by_musterbook(db):
    rows = put(AuditAction.LOG_IN_FAILED, Chain.LOG_IN), put(AuditAction.CHANGE_FINISHED), put(AuditAction.LOG_CUT)
    assert [line.actor for line in audit_log.lines(rows)] == ["not logged in", "", "somebody at the command line"]


def test_an_erased_entry_still_says_what_is_known(club, operator):
    group = Group.objects.create(connection=club, remote_id="g", name="Chess", seen_at=NOW)
    row = removal(club, actor=operator, group_id=group.pk)
    AuditPersonal.objects.all().delete()
    (line,) = audit_log.lines([row])
    assert line.erased
    assert line.actor == "operator"
    assert line.sentence == "The removal of (erased) from Chess was confirmed by Kaiten"


def test_an_unknown_action_is_shown_as_it_is():
    assert audit_words.say("from.the_future", {}) == "from.the_future"


def test_a_percent_sign_in_a_name_is_only_a_sign(club):
    assert "100%(x)s %" in said(removal(club, "100%(x)s %"))


def test_a_page_takes_three_queries_however_long_it_is(club, works, operator):
    def count():
        with CaptureQueriesContext(connection) as queries:
            audit_log.lines(audit_log.entries(auditor)[:50])
        return len(queries)

    auditor = operator
    removal(club, actor=operator)
    audit_log.entries(auditor).exists()  # rights are read once a request
    few = count()
    for _ in range(20):
        removal(club, actor=operator)
        removal(works)
    assert count() == few == 3


def test_search_finds_words_in_any_case_and_script(club, auditor):
    ada, olga = removal(club, "ADA Straße"), removal(club, "Ольга")
    assert list(audit_log.find(auditor, text="strasse ada")) == [ada]
    assert list(audit_log.find(auditor, text="ольга chess")) == [olga]
    assert not audit_log.find(auditor, text="ada ольга")


def test_search_takes_wildcards_as_letters(club, auditor):
    removal(club, "Ada")
    assert not audit_log.find(auditor, text="%")
    assert not audit_log.find(auditor, text="a_a")


def test_search_finds_an_entry_or_a_change_by_its_number(club, auditor):
    removal(club)
    row = removal(club, change_id=77)
    assert list(audit_log.find(auditor, text="#77")) == [row]
    assert list(audit_log.find(auditor, text=f"#{row.pk}")) == [row]
    assert not audit_log.find(auditor, text="#99999999999999999999999")


def test_filters_narrow_the_log(club, works, auditor, operator):
    old = removal(club, actor=operator)
    new = put(AuditAction.GROUP_PROTECTED, at=NOW + dt.timedelta(days=1), group_id=5)
    assert list(audit_log.find(auditor, actor_id=operator.pk)) == [old]
    assert list(audit_log.find(auditor, connection_id=works.pk)) == []
    assert list(audit_log.find(auditor, action=AuditAction.GROUP_PROTECTED)) == [new]
    assert list(audit_log.find(auditor, chain=Chain.PANEL)) == [new]
    assert list(audit_log.find(auditor, since=NOW + dt.timedelta(hours=1))) == [new]
    assert list(audit_log.find(auditor, until=NOW + dt.timedelta(days=1))) == [old]
    with pytest.raises(TypeError):
        audit_log.find(auditor, sealed=1)


def test_history_is_what_concerns_the_row(club, auditor):
    ada = Person.objects.create(name="Ada")
    account = Account.objects.create(connection=club, remote_id="7", label="ada", person=ada, seen_at=NOW)
    group = Group.objects.create(connection=club, remote_id="g", name="Chess", seen_at=NOW)
    place = Participant.objects.create(group=group, remote_id="7", account=account, label="ada", seen_at=NOW)
    change = Change.objects.create(kind=ChangeKind.REMOVAL, created_at=NOW)
    about = removal(club, change_id=change.pk, group_id=group.pk, account_id=account.pk, participant_id=place.pk)
    protected = put(AuditAction.PERSON_PROTECTED, person_id=ada.pk)
    removal(
        club, group_id=group.pk + 1, account_id=account.pk + 1, participant_id=place.pk + 1, change_id=change.pk + 1
    )
    for row in (account, group, place, change):
        assert list(audit_log.history(row, auditor)) == [about]
    assert list(audit_log.history(ada, auditor)) == [protected, about]
    assert audit_log.history(club, auditor).count() == 2
    with pytest.raises(TypeError):
        audit_log.history(auditor, auditor)


def test_who_may_not_read_the_log_reads_nothing(club, viewer, stranger):
    row = removal(club)
    for user in (viewer, stranger):
        assert not audit_log.entries(user).exists()
        with pytest.raises(NotAllowed):
            audit_log.detail(row.pk, user)


def test_limited_users_read_what_concerns_their_systems(club, works, limited_operator, operator):
    user = limited_operator(club)
    mine, other = (
        Change.objects.create(kind=ChangeKind.REMOVAL, created_at=NOW, requested_by=operator) for _ in range(2)
    )
    ChangeConnection.objects.create(change=mine, connection=club)
    ChangeConnection.objects.create(change=other, connection=club)
    ChangeConnection.objects.create(change=other, connection=works)
    seen = [
        removal(club),
        put(AuditAction.CHANGE_REQUESTED, change_id=mine.pk, actor=operator),
        put(AuditAction.LOGGED_IN, Chain.LOG_IN, actor=user),
    ]
    removal(works)
    put(AuditAction.CHANGE_REQUESTED, change_id=other.pk, actor=operator)
    put(AuditAction.LOGGED_IN, Chain.LOG_IN, actor=operator)
    assert list(audit_log.entries(user)) == seen[::-1]


def test_an_entry_shows_request_answer_and_what_changed(club, auditor):
    row = removal(
        club,
        change_id=4,
        personal={
            "reason": "left",
            "request": [
                {
                    "method": "DELETE",
                    "path": ["groups", "a b"],
                    "query": [["token", "t"], ["page", 2]],
                    "body": {"x": 1},
                }
            ],
            "answer": {"status": 200, "body": {"id": 7}},
            "before": {"is_present": True, "role": "member"},
            "after": {"is_present": False, "role": "member"},
        },
    )
    detail = audit_log.detail(row.pk, auditor)
    assert detail.requests == ['DELETE /groups/a%20b?token=%2A%2A%2A&page=2\n{\n  "x": 1\n}']
    assert detail.answer == '200\n{\n  "id": 7\n}'
    assert detail.differences == [audit_log.Difference("in the group", "yes", "no")]
    assert (detail.reason, detail.refs) == ("left", {"change": 4, "connection": club.pk})
    assert detail.fault == ""


def test_an_answer_says_how_much_of_it_is_not_kept(club, auditor):
    row = removal(club, personal={"answer": {"status": 403, "body": {"…": 1}}})
    assert audit_log.detail(row.pk, auditor).answer == "403\n(1 field is not kept)"


def test_an_entry_shows_what_else_it_holds_and_its_neighbours(club, works, auditor):
    first, row, last = (put(AuditAction.EXPORT_MADE, data={"rows": 3}, personal={"query": "q=ada"}) for _ in range(3))
    removal(works)
    detail = audit_log.detail(row.pk, auditor)
    assert detail.more == [("rows", "3"), ("query", "q=ada")]
    assert (detail.earlier, detail.later) == (first.pk, last.pk)
    assert audit_log.detail(last.pk, auditor).later is None


def test_an_entry_that_was_tampered_with_says_so(club, auditor):
    row = removal(club)
    with connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM {PERSONAL}")
        cursor.execute(f"INSERT INTO {PERSONAL} (entry_id, salt, data, text) VALUES (%s, '00', '{{}}', '')", [row.pk])
    assert "altered" in audit_log.detail(row.pk, auditor).fault


def test_each_role_with_the_right_reads_the_log(club, make_user):
    removal(club)
    readers = {role for role in Role if audit_log.entries(make_user(role.value, role)).exists()}
    assert readers == {Role.OPERATOR, Role.APPROVER, Role.AUDITOR, Role.OWNER}
