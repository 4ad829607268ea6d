"""Where else a person may be named, what runs meanwhile, and what others of the same name keep."""

import sqlite3
from pathlib import Path

import pytest
from django.apps import apps
from django.db import connection, transaction
from django.db.models import BinaryField, CharField, JSONField, TextField
from django.utils import timezone

from membership.audit import archives, record, verify, words
from membership.errors import ChangeRefused, Reason
from membership.models import (
    Account,
    AnchorSink,
    AuditAnchor,
    AuditCheck,
    AuditCut,
    AuditEntry,
    AuditHead,
    AuditPersonal,
    AuditSpan,
    Bundle,
    Change,
    ChangeConnection,
    Connection,
    Decision,
    Drift,
    Erasure,
    FailedLogIns,
    Finding,
    Group,
    Leaving,
    LeftOut,
    LinkProposal,
    Merging,
    Notice,
    NoticeChoice,
    NoticeCursor,
    Operation,
    Participant,
    PendingPlan,
    Person,
    Reading,
    Roster,
    RosterColumns,
    RosterPart,
    RosterRow,
    Stage,
    WorkerBeat,
)
from membership.plans import standing
from membership.services import addition, erasure, exports, groups, mentions, person_report
from membership.services.rosters import planning, wanted
from membership.vocab import ERASED, AuditAction, Role
from tests import mirrored as m
from tests.services.asking import assert_refused
from tests.services.dump import tables_with

NAME, EMAIL, ID = "Zoë Müller", "zoe@example.org", "usr_zoe_77"


@pytest.fixture
def owners(owner, make_user):
    return owner, make_user("second", Role.OWNER)


@pytest.fixture
def club(any_db):
    return m.system("Club app", provider="mudbase")


@pytest.fixture
def trainers(club):
    return m.group("Trainers", club)


@pytest.fixture
def zoe(club, trainers):
    """Gone from her system, and from the only group that she was in."""
    account = m.account(NAME, club, remote_id=ID, email=EMAIL, is_present=False)
    m.participant(account, trainers, is_present=False)
    return m.person(NAME, account)


@pytest.fixture
def change(operator):
    return Change.objects.create(kind="removal", requested_by=operator, created_at=timezone.now())


def erased(person, owners):
    asked = erasure.ask(person, "she wrote a letter", actor=owners[0])
    return erasure.approve(asked, actor=owners[1])


def assert_gone(*texts):
    while words.keep_up():
        pass
    for text in texts:
        assert tables_with(text) == [], text


def roster(trainers, operator, **fields):
    fields = {"mode": "exactly", "file_name": "new.csv", "state": "done", **fields}
    return Roster.objects.create(
        connection=trainers.connection, group=trainers, asked_by=operator, asked_at=timezone.now(), **fields
    )


EMPTIED = {
    Account: "remote_id label email attributes content_hash",
    AuditPersonal: "salt data text",
    Change: "selection",
    Drift: "label before after remote_actor",
    LeftOut: "subject_label",
    Leaving: "certificate_hash",
    Merging: "name accounts others",
    Operation: "subject subject_label wanted before calls salt secrets results found",
    Participant: "remote_id label attributes secrets content_hash",
    PendingPlan: "wishes secrets",
    Person: "name",
    Roster: "headings sample",
    RosterPart: "data",
    RosterRow: "said_id said_email said_name may_mean",
}
NAMES_NOBODY = {
    AnchorSink: "name problem",
    AuditAnchor: "text sig",
    AuditCheck: "asked_by faults notes",
    AuditCut: "chain mac",
    AuditEntry: "chain outcome sealed mac",
    AuditHead: "chain mac",
    AuditSpan: "chain",
    Change: "plan_hash pause_reason",
    ChangeConnection: "unknown_reason",
    Connection: "name base_url options secrets session sign_ins own_account_id state_reason slowed_reason lane_owner",
    Decision: "plan_hash",
    Erasure: "counts",
    FailedLogIns: "address_hash",
    Finding: "params",
    Group: "remote_id name kind attributes secrets content_hash incomplete_reason",
    LeftOut: "reason",
    Notice: "error",
    NoticeChoice: "mail panel",
    NoticeCursor: "chain",
    Operation: "digest suspicion outcome",
    Participant: "participant_type",
    PendingPlan: "touched_by",
    Reading: "reason",
    Roster: "reason reason_params layout columns counts",
    Stage: "differing unread_groups",
    WorkerBeat: "name trouble",
}
"""Codes, hashes, numbers, settings, and what systems say of groups."""


def test_every_column_that_could_hold_a_name_is_thought_of():
    texts = (CharField, TextField, JSONField, BinaryField)
    found = {
        (model, column.name)
        for model in apps.get_app_config("membership").get_models()
        for column in model._meta.concrete_fields
        if isinstance(column, texts) and not column.choices
    }
    thought_of = {
        (model, name) for each in (EMPTIED, NAMES_NOBODY) for model, names in each.items() for name in names.split()
    }
    assert found == thought_of | {(model, name) for model, names in mentions.TEXTS.items() for name in names}


def test_a_certificate_of_somebody_whom_they_were_taken_for_names_them_no_more(zoe, owners, operator, club, change):
    other = m.person("Łukasz", m.account("Łukasz", club))
    accounts = [{"name": NAME, "email": EMAIL}, {"name": "Łukasz", "email": ""}]
    issued = Leaving.objects.create(
        person=other, asked_by=operator, asked_at=timezone.now(), change=change, state="done", certificate_hash="00",
        certificate={"accounts": accounts},
    )  # fmt: skip
    told = person_report.report(zoe, actor=owners[0])["mentions"]
    assert [row["text"] for row in told] == [f"{NAME}; {EMAIL}"]
    erased(zoe, owners)
    issued.refresh_from_db()
    assert issued.certificate["accounts"] == [{"name": ERASED, "email": ERASED}, accounts[1]]


def test_what_people_wrote_about_the_person_goes_too_and_is_in_the_report(zoe, owners, operator, trainers, change):
    other = m.account("Łukasz", trainers.connection)
    Change.objects.filter(pk=change.pk).update(ticket=f"HR {NAME}", reason="tidying", pause_params={"note": NAME})
    Decision.objects.create(change=change, kind="approved", by=operator, at=timezone.now(), said=f"{NAME} agreed")
    Bundle.objects.create(name=f"Groups of {NAME}", note=f"ask {EMAIL}")
    Bundle.objects.create(name="Groups of zoë müller")
    Group.objects.filter(pk=trainers.pk).update(is_protected=True, protected_note=f"as {NAME.upper()} wished")
    m.person("Łukasz", other, is_protected=True, protected_note=f"{NAME} said so")
    Connection.objects.filter(pk=trainers.connection_id).update(state_params={"by": "vera", "note": f"for {NAME}"})
    LeftOut.objects.create(
        change=change, position=0, connection=trainers.connection, group=trainers, subject_label="Trainers",
        reason=Reason.PROTECTED_INSIDE, reason_params={"name": NAME},
    )  # fmt: skip
    Operation.objects.create(
        change=change, position=1, connection=trainers.connection, group=trainers, verb="remove", account=other,
        subject="account:1", subject_label="Łukasz", state="refused", outcome_params={"said": f"{NAME} is the last"},
    )  # fmt: skip
    roster(trainers, operator, file_name=f"{NAME}.csv")
    paused = {"connection": trainers.connection, "asked_at": timezone.now(), "reason_params": {"note": f"for {NAME}"}}
    Reading.objects.create(kind="group", **paused)
    ChangeConnection.objects.create(
        change=change, connection=trainers.connection, unknown_reason="x", unknown_params={"note": f"for {NAME}"}
    )
    RosterColumns.objects.create(connection=trainers.connection, headings={"name": NAME, "email": "E-mail"})
    told = person_report.report(zoe, actor=owners[0])["mentions"]
    assert len(told) == 15
    assert any("agreed" in str(row["text"]) for row in told)
    erased(zoe, owners)
    assert_gone("müller", EMAIL)
    assert Decision.objects.get().said == Change.objects.get(pk=change.pk).ticket == ERASED
    assert Change.objects.get(pk=change.pk).reason == "tidying"
    assert Operation.objects.get().subject_label == "Łukasz"
    assert Connection.objects.get(pk=trainers.connection_id).state_params == {"by": "vera", "note": ERASED}


def test_an_earlier_wish_to_erase_them_that_was_rejected_names_nobody_any_more(zoe, owners):
    rejected = erasure.reject(erasure.ask(zoe, f"{NAME} is angry", actor=owners[0]), actor=owners[1])
    erased(zoe, owners)
    assert_gone("müller")
    assert Erasure.objects.get(pk=rejected.pk).label == ERASED


@pytest.mark.parametrize("is_kept", [True, False])
def test_somebody_who_became_part_of_another_person_meanwhile_is_not_said_to_be_erased(zoe, owners, club, is_kept):
    """Their accounts are the other one's: nothing of them would go."""
    asked = erasure.ask(zoe, actor=owners[0])
    number, account = zoe.pk, zoe.accounts.get()
    other = m.person("Zoe M.", account)
    Merging.objects.create(
        person=other, former_id=number, name=NAME, created_at=timezone.now(), merged_at=timezone.now()
    )
    if not is_kept:
        zoe.delete()
    with pytest.raises(ChangeRefused) as refused:
        erasure.approve(asked, actor=owners[1])
    assert (refused.value.reason, refused.value.params) == (Reason.PERSON_MERGED, {"name": "Zoe M."})
    assert erasure.reject(asked, actor=owners[1]).state == "rejected"
    if is_kept:
        assert_refused(Reason.PERSON_MERGED, erasure.ask, zoe, actor=owners[0])
    erased(other, owners)
    assert_gone("müller", EMAIL)


def test_what_was_decided_about_a_change_of_theirs_alone_goes_as_its_reason_does(zoe, owners, operator, change):
    account = zoe.accounts.get()
    Operation.objects.create(
        change=change, position=0, connection=account.connection, account=account, verb="remove",
        subject=f"account:{ID}", subject_label=NAME, state="confirmed",
    )  # fmt: skip
    Decision.objects.create(change=change, kind="approved", by=operator, at=timezone.now(), said="she is ill")
    erased(zoe, owners)
    assert Decision.objects.get().said == ERASED


def test_a_change_about_them_alone_loses_a_name_that_they_no_longer_have(zoe, owners, operator):
    old = {"kind": "account", "id": zoe.accounts.get().pk, "label": "Zoë Ledig"}
    made = Change.objects.create(
        kind="removal_everywhere", selection=old, created_at=timezone.now(), requested_by=operator
    )
    erased(zoe, owners)
    made.refresh_from_db()
    assert made.selection == {**old, "label": ERASED}


def test_words_are_apart_by_whatever_blank_there_is(owners, club, change):
    name = "Zoë\u00a0Müller"
    person = m.person(name, m.account(name, club, is_present=False))
    Change.objects.filter(pk=change.pk).update(reason=f"{name} asked for it")
    erased(person, owners)
    assert_gone("müller")


def test_the_ids_there_go_and_whoever_comes_back_is_somebody_new(zoe, owners, trainers):
    place = Participant.objects.get()
    erased(zoe, owners)
    assert_gone(ID)
    again = m.participant(m.account(NAME, trainers.connection, remote_id=ID), trainers)
    assert again.pk != place.pk


def test_a_step_that_makes_a_group_with_the_person_in_it_is_about_them_too(zoe, owners, operator, club):
    account = zoe.accounts.get()
    Account.objects.filter(pk=account.pk).update(is_present=True)
    other = m.account("Łukasz", club, remote_id="usr_lukasz")
    draft = groups.draft_create(club, "Board", members=[account, other], actor=operator)
    step = Operation.objects.get(change=draft)
    assert ID in str(step.calls)
    asked = erasure.ask(zoe, actor=owners[0])
    Change.objects.filter(pk=draft.pk).update(state="queued")
    assert_refused_for(Reason.STEPS_UNDER_WAY, asked, owners[1])
    Change.objects.filter(pk=draft.pk).update(state="done", reason="we need one")
    Operation.objects.filter(pk=step.pk).update(state="confirmed")
    with_request = record.Entry(
        AuditAction.OPERATION_INTENDED, operation_id=step.pk, change_id=draft.pk, connection_id=club.pk,
        personal={"person": "Board", "request": step.calls},
    )  # fmt: skip
    record.write(record.connection_chain(club.pk), [with_request])
    Account.objects.filter(pk=account.pk).update(is_present=False)
    erasure.approve(asked, actor=owners[1])
    assert_gone(ID)
    step.refresh_from_db()
    assert step.wanted == {"members": ["usr_lukasz"], "name": "Board"}
    assert step.subject_label == "Board"
    draft.refresh_from_db()
    assert draft.reason == "we need one"
    assert standing.stored_hash(draft) == draft.plan_hash


def assert_refused_for(reason, asked, actor):
    with pytest.raises(Exception, match=reason):
        erasure.approve(asked, actor=actor)


def test_a_plan_that_is_not_compiled_yet_and_names_the_person_is_dropped(zoe, owners, operator, trainers, settings):
    settings.MUSTERBOOK = {**settings.MUSTERBOOK, "COMPILE_IN_WORKER_ABOVE": 0}
    others = [m.account(f"Member {n}", trainers.connection) for n in range(3)]
    account = zoe.accounts.get()
    named = addition.draft_addition(accounts=[account, *others], groups=[trainers], actor=operator)
    barred = addition.draft_addition(
        persons=[zoe], accounts=others, groups=[m.group("Elsewhere", m.system("Office"))], actor=operator
    )
    kept = addition.draft_addition(accounts=others, groups=[trainers], actor=operator)
    assert PendingPlan.objects.count() == 3
    erased(zoe, owners)
    assert list(PendingPlan.objects.values_list("change_id", flat=True)) == [kept.pk]
    assert set(Change.objects.filter(pk__in=[named.pk, barred.pk]).values_list("state", flat=True)) == {"stale"}
    assert_gone("müller")


BROKEN = {"uploaded": "", "columns": "", "matching": "", "failed": Reason.ROSTER_BROKE_OFF}


@pytest.mark.parametrize("state", BROKEN)
def test_a_list_that_is_not_matched_yet_is_looked_through(zoe, owners, operator, trainers, state):
    layout = {"kind": "csv", "encoding": "utf-8", "delimiter": ";", "has_headings": False}
    ours = roster(trainers, operator, state=state, reason=BROKEN[state], layout={} if state == "uploaded" else layout)
    RosterPart.objects.create(roster=ours, number=0, data="Łukasz;Żak\nZoë;Mü".encode())
    RosterPart.objects.create(roster=ours, number=1, data=b"ller\n")
    other = roster(trainers, operator, state=state, layout=layout)
    RosterPart.objects.create(roster=other, number=0, data="Łukasz;Żak\n".encode())
    if state != "uploaded":
        Roster.objects.filter(pk=ours.pk).update(sample=[["Łukasz", "Żak"], ["Zoë", "Müller"]], headings=["", ""])
    erased(zoe, owners)
    assert list(RosterPart.objects.values_list("roster_id", flat=True)) == [other.pk]
    assert_gone("müller")
    ours.refresh_from_db()
    assert (ours.state, ours.reason) == ("failed", Reason.ROSTER_GONE)


def test_headings_that_were_somebody_go(zoe, owners, operator, trainers):
    first = roster(trainers, operator, headings=[NAME, EMAIL], sample=[["Łukasz", "lukasz@example.org"]])
    erased(zoe, owners)
    assert_gone("müller", EMAIL)
    first.refresh_from_db()
    assert first.headings == ["", ""]


def test_a_list_without_the_row_of_the_person_removes_nobody_else(zoe, owners, operator, trainers):
    """A namesake in the group, whom the list names, would leave it if the row were only emptied."""
    eva = m.account("Eva", trainers.connection)
    place = m.participant(eva, trainers)
    ours = roster(trainers, operator, rows_count=2)
    RosterRow.objects.create(roster=ours, line=2, said_name=NAME, outcome="ambiguous", may_mean=[place.pk])
    RosterRow.objects.create(roster=ours, line=3, said_name="Nobody", outcome="not_found")
    other = roster(trainers, operator, rows_count=1)
    RosterRow.objects.create(roster=other, line=2, said_name=ERASED, outcome="not_found")
    erased(zoe, owners)
    assert wanted.is_whole(other.pk)
    assert not wanted.is_whole(ours.pk)
    assert_refused(Reason.ROSTER_GONE, planning.draft_roster, ours, actor=operator)


def test_somebody_else_of_the_same_name_keeps_what_says_whom_it_means(zoe, owners, operator, trainers):
    namesake = m.account(NAME, trainers.connection, remote_id="usr_other", email="other@example.org")
    place = m.participant(namesake, trainers)
    drift = Drift.objects.create(
        connection=trainers.connection, group=trainers, participant=place, kind="joined", label=NAME,
        after={"is_member": True}, noticed_at=timezone.now(),
    )  # fmt: skip
    unknown = Drift.objects.create(
        connection=trainers.connection, group=trainers, kind="joined", label=NAME, noticed_at=timezone.now()
    )
    ours = roster(trainers, operator, rows_count=1)
    RosterRow.objects.create(
        roster=ours, line=2, said_name=NAME, said_id="usr_other", outcome="found", account=namesake, participant=place
    )
    erased(zoe, owners)
    drift.refresh_from_db()
    unknown.refresh_from_db()
    assert (drift.label, drift.after) == (NAME, {"is_member": True})
    assert unknown.label == ERASED
    assert RosterRow.objects.get().account_id == namesake.pk
    assert wanted.is_whole(ours.pk)


def entry(action, club, **fields):
    personal = fields.pop("personal")
    with transaction.atomic():
        made = record.write(
            record.connection_chain(club.pk), [record.Entry(action, connection_id=club.pk, personal=personal, **fields)]
        )
    return made[0].pk


def test_a_name_of_one_word_goes_where_the_log_lists_the_person_among_others(owners, operator, club, trainers):
    account, other = m.account("Eva", club, is_present=False), m.account("Adam", club)
    place = m.participant(account, trainers, is_present=False)
    eva, adam = m.person("Eva", account), m.person("Adam", other)
    drift = Drift.objects.create(
        connection=club, group=trainers, participant=place, kind="left", label="Eva", noticed_at=timezone.now()
    )
    several = Change.objects.create(kind="addition", created_at=timezone.now(), requested_by=operator)
    for position, each in enumerate((account, other)):
        Operation.objects.create(
            change=several, position=position, connection=club, group=trainers, verb="add", account=each,
            subject=f"account:{each.pk}", subject_label=each.label, state="confirmed",
        )  # fmt: skip
    as_she_is = {"kind": "same_groups", "as": eva.pk, "label": "Eva", "persons": [adam.pk]}
    model = Change.objects.create(
        kind="same_groups", selection=as_she_is, created_at=timezone.now(), requested_by=operator
    )
    drifts, accounts = {"drifts": [drift.pk, 10**6]}, {"accounts": [other.pk, account.pk]}
    gone = [
        entry(AuditAction.DRIFT_ADOPTED, club, data=drifts, personal={"people": ["Adam", "Eva"]}),
        entry(AuditAction.PROPOSAL_REJECTED, club, data=accounts, account_id=other.pk, personal={"person": "Adam",
              "accounts": ["Adam", "Eva"]}),
        entry(AuditAction.PERSON_LINKED, club, data={"merged": [eva.pk]}, person_id=adam.pk,
              personal={"person": "Adam", "merged": ["Eva"]}),
        entry(AuditAction.ENDING_SET, club, change_id=several.pk, personal={"people": ["Adam", "Eva"]}),
        entry(AuditAction.CHANGE_REQUESTED, club, change_id=model.pk, personal={"title": "the same groups as Eva"}),
    ]  # fmt: skip
    kept = [
        entry(AuditAction.DRIFT_ADOPTED, club, data={"drifts": [10**6]}, personal={"people": ["Adam", "Eva"]}),
        entry(AuditAction.ENDING_SET, club, change_id=several.pk, personal={"people": ["Adam", "Evalyn"]}),
        entry(AuditAction.ENDING_SET, club, change_id=model.pk, personal={"people": ["Eva"]}, operation_id=10**6),
    ]
    erased(eva, owners)
    assert set(AuditPersonal.objects.filter(pk__in=[*kept, *gone]).values_list("pk", flat=True)) == set(kept)
    assert verify.verify().is_whole


def test_what_the_log_says_of_somebody_else_of_the_same_name_stays(zoe, owners, operator, club, trainers):
    namesake = m.account(NAME, club, remote_id="usr_other", email="other@example.org")
    other = m.person(NAME, namesake)
    place = m.participant(namesake, trainers)
    removed = AuditAction.OPERATION_CONFIRMED
    kept = [
        entry(removed, club, account_id=namesake.pk, person_id=other.pk, personal={"person": NAME}),
        entry(removed, club, participant_id=place.pk, personal={"person": NAME}),
        entry(AuditAction.PERSON_PROTECTED, club, person_id=other.pk, personal={"person": NAME, "reason": "ill"}),
    ]
    gone = [
        entry(removed, club, account_id=namesake.pk, personal={"person": NAME, "reason": f"as {EMAIL} wrote"}),
        entry(removed, club, account_id=m.account("Łukasz", club).pk, personal={"reason": f"as {NAME} wrote"}),
        entry(AuditAction.PERSON_PROTECTED, club, person_id=zoe.pk, personal={"person": NAME}),
    ]
    theirs = Change.objects.create(
        kind="matrix", selection={"kind": "matrix", "id": other.pk, "label": NAME}, reason=f"{NAME} asked",
        created_at=timezone.now(), requested_by=operator,
    )  # fmt: skip
    erased(zoe, owners)
    assert set(AuditPersonal.objects.filter(pk__in=[*kept, *gone]).values_list("pk", flat=True)) == set(kept)
    theirs.refresh_from_db()
    assert (theirs.reason, theirs.selection["label"], theirs.erased_at) == (f"{NAME} asked", NAME, None)
    assert Account.objects.get(pk=namesake.pk).label == NAME


@pytest.mark.parametrize("name", ["ids", "query", "demo"])
def test_a_name_that_is_a_word_of_ours_breaks_no_other_change(owners, club, change, name):
    person = m.person(name, m.account(name, club, is_present=False))
    selections = [{"kind": "ids", "ids": [7]}, {"kind": "query", "query": "demo"}, {"kind": "matrix", "label": name}]
    rows = [
        Change.objects.create(kind="removal", selection=each, created_at=timezone.now(), requested_by=owners[0])
        for each in selections
    ]
    erased(person, owners)
    kept = [Change.objects.get(pk=row.pk).selection for row in rows]
    assert kept == [*selections[:2], {"kind": "matrix", "label": ERASED}]


@pytest.mark.parametrize("name", ["Öner Ümit", "Иван Петров"])
def test_addresses_and_answers_that_name_them_in_other_letters_lose_it(owners, operator, club, name):
    person = m.person(name, m.account(name, club, is_present=False, email="Oner@Example.org"))
    exports.export(Person.objects.all(), [("name", "name")], actor=operator, list_name="person",
                   query=f"q={quoted(name)}", format="csv")  # fmt: skip
    for body in (name.upper(), "ONER@EXAMPLE.ORG", "oner@example.org", nfd(name)):
        answer = record.Entry(
            AuditAction.CONNECTION_TESTED, connection_id=club.pk, personal={"answer": {"body": {"error": body}}}
        )
        record.write(record.connection_chain(club.pk), [answer])
    erased(person, owners)
    left = AuditPersonal.objects.filter(entry_id__in=AuditEntry.objects.filter(action__in=LOSING).values("pk"))
    assert list(left.values_list("data", flat=True)) == []
    assert verify.verify().is_whole


LOSING = (AuditAction.EXPORT_MADE, AuditAction.CONNECTION_TESTED)


def quoted(name):
    from urllib.parse import quote_plus

    return quote_plus(name)


def nfd(name):
    import unicodedata

    return unicodedata.normalize("NFD", name)


def test_nothing_of_them_is_left_in_the_file_of_the_database(fresh_db, zoe, owners, operator, trainers, change):
    if connection.vendor != "sqlite":
        pytest.skip("PostgreSQL keeps old rows until the next VACUUM, as docs/audit.md says")
    # Some are built so, others have to be told.
    bare = sqlite3.connect(":memory:")
    bare.execute("PRAGMA secure_delete = OFF")
    bare.executescript(connection.settings_dict["OPTIONS"]["init_command"])
    assert bare.execute("PRAGMA secure_delete").fetchone() == (1,)
    bare.close()
    account = zoe.accounts.get()
    for position in range(30):
        Operation.objects.create(
            change=change, position=position, connection=account.connection, account=account, verb="remove",
            subject=f"account:{ID}", subject_label=NAME, state="confirmed", calls=[{"body": {"name": NAME}}],
        )  # fmt: skip
    Change.objects.filter(pk=change.pk).update(reason=f"{NAME} asked for it", ticket=NAME)
    ours = roster(trainers, operator)
    RosterPart.objects.create(roster=ours, number=1, data=NAME.encode())
    RosterRow.objects.create(roster=ours, line=2, said_name=NAME, outcome="found", account=account)
    erased(zoe, owners)
    while words.keep_up():
        pass
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    file = Path(connection.settings_dict["NAME"])
    left = b"".join(path.read_bytes() for path in file.parent.glob(f"{file.name}*") if "template" not in path.name)
    assert (left.count("Müller".encode()), left.count("müller".encode()), left.count(ID.encode())) == (0, 0, 0)


def test_what_is_written_while_the_log_is_looked_through_is_erased_too(zoe, owners, operator, change, monkeypatch):
    real = archives.rewrite

    def meanwhile(*args):
        exports.export(Person.objects.all(), [("name", "name")], actor=operator, list_name="person",
                       query=f"q={NAME}", format="csv")  # fmt: skip
        Change.objects.filter(pk=change.pk).update(reason=f"{NAME} asked", confirmed_at=timezone.now())
        return real(*args)

    monkeypatch.setattr(archives, "rewrite", meanwhile)
    erased(zoe, owners)
    assert_gone("müller")
    assert Change.objects.get(pk=change.pk).reason == ERASED


def test_the_report_tells_what_an_erasure_would_empty(zoe, owners, change, trainers):
    account = zoe.accounts.get()
    other = m.account("Zoe M.", trainers.connection)
    LinkProposal.objects.create(first=account, second=other, hint="same_name", proposed_at=timezone.now())
    LeftOut.objects.create(
        change=change, position=0, connection=trainers.connection, group=trainers, subject_label=NAME,
        reason=Reason.LAST_MANAGER,
    )  # fmt: skip
    erasure.reject(erasure.ask(zoe, "a letter", actor=owners[0]), actor=owners[1])
    Change.objects.filter(pk=change.pk).update(reason=f"{NAME} asked")
    told = person_report.report(zoe, actor=owners[0])
    assert [row["group"] for row in told["left_out"]] == ["Trainers"]
    assert [row["other_account"] for row in told["proposals"]] == ["Zoe M."]
    assert {row["text"] for row in told["mentions"]} == {f"{NAME} asked", NAME, "a letter"}


def test_the_report_tells_what_was_sent_about_them_and_what_the_system_said(zoe, owners, change):
    account = zoe.accounts.get()
    Operation.objects.create(
        change=change, position=0, connection=account.connection, account=account, verb="add", subject=f"account:{ID}",
        subject_label=NAME, state="refused", outcome=Reason.REMOTE_SAID_NO, calls=[{"body": {"nickname": "Zo"}}],
        outcome_params={"status": 400, "said": "Zo is too short"}, found={"is_member": False},
    )  # fmt: skip
    (step,) = person_report.report(zoe, actor=owners[0])["steps"]
    assert (step["sent"], step["found"]) == ([{"body": {"nickname": "Zo"}}], {"is_member": False})
    assert "Zo is too short" in step["why"]


def test_the_report_has_the_entries_that_only_name_or_list_the_person(zoe, owners, club):
    account = zoe.accounts.get()
    about = entry(AuditAction.PERSON_PROTECTED, club, person_id=zoe.pk, personal={"person": NAME})
    named = entry(AuditAction.GROUP_PROTECTED, club, personal={"name": "Board", "reason": f"{NAME} asked"})
    listed = entry(
        AuditAction.PROPOSAL_REJECTED, club, data={"accounts": [10**6, account.pk]}, personal={"person": "Z"}
    )
    entry(AuditAction.GROUP_PROTECTED, club, personal={"name": "Board"})
    told = person_report.report(zoe, actor=owners[0])
    assert [row["number"] for row in told["audit_entries"]] == [listed, named, about]


def test_a_report_tells_nothing_of_systems_that_its_reader_does_not_reach(zoe, owners, make_user, trainers, change):
    office = m.system("Office")
    limited = make_user("limited", Role.OWNER, [trainers.connection])
    hidden = m.group("Hidden", office, protected_note=f"{NAME} asked")
    LeftOut.objects.create(
        change=change, position=0, connection=office, group=hidden, subject_label=NAME, reason=Reason.LAST_MANAGER
    )
    other = m.account("Zoe at the office", office)
    LinkProposal.objects.create(first=zoe.accounts.get(), second=other, hint="same_name", proposed_at=timezone.now())
    Decision.objects.create(change=change, kind="approved", by=owners[0], at=timezone.now(), said=f"{NAME} agreed")
    told = str(person_report.report(zoe, actor=limited))
    for secret in ("Hidden", "at the office", "agreed", "Office"):
        assert secret not in told
