"""From an uploaded file to a preview: who is meant, what is asked, what is left out by name, and what is deleted."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test import override_settings
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from membership.errors import BadValue, ChangeRefused, NotAllowed, Reason
from membership.models import Account, Change, Participant, Presence, Roster, RosterPart, RosterRow, RosterState
from membership.sentences import sentence
from membership.services import drafts, pending
from membership.services.again import recompile
from membership.services.change_pages import preview
from membership.services.rosters import kept, uploading, work
from membership.services.shell import AuditAction
from membership.vocab import ChangeKind, PresenceCause, Role
from tests import mirrored as m
from tests.services.asking import assert_refused, confirm, entries
from tests.services.rosters.conftest import csv_of, xlsx_of
from tests.services.rosters.test_sheets import SHEET, with_member

pytestmark = pytest.mark.django_db

ADA, ZOE, JOSE = "ada@example.org", "zoe@example.org", "jose@example.org"


def emails(*addresses):
    return csv_of(("E-Mail",), *[(address,) for address in addresses])


def left(row, days=3, by=PresenceCause.READING):
    """This participant is gone, as a reading or a change of ours found it."""
    Participant.objects.filter(pk=row.pk).update(is_present=False)
    until = timezone.now() - timedelta(days=days)
    Presence.objects.create(
        participant=row, since=until - timedelta(days=30), until=until, began_by="unknown", ended_by=by
    )


# columns


def test_columns_are_asked_once_with_a_good_guess_and_remembered_for_the_system(desk):
    roster = desk.upload(csv_of(("Name", "Alter", "E-Mail"), ("Ada", "36", ADA)))
    assert (roster.state, roster.columns) == (RosterState.COLUMNS, {"email": 2, "name": 0})
    assert (roster.headings, roster.sample) == (["Name", "Alter", "E-Mail"], [["Ada", "36", ADA]])
    assert desk.columns(roster, email=2).state == RosterState.DONE
    # Another file, with its columns in another order: nothing is asked, the heading is known.
    again = desk.upload(csv_of(("E-Mail", "Bemerkung"), (ZOE, "neu")))
    assert (again.state, again.columns) == (RosterState.DONE, {"email": 0})
    assert [entry.actor_id for entry in entries(AuditAction.ROSTER_UPLOADED)] == [desk.actor.pk] * 2
    assert entries(AuditAction.ROSTER_MAPPED).count() == 1
    assert entries(AuditAction.ROSTER_MATCHED).count() == 2
    # Where the heading is missing, or there twice, it is asked.
    assert desk.upload(csv_of(("Mail", "Wer"), (ZOE, "Zoë"))).state == RosterState.COLUMNS
    assert desk.upload(csv_of(("E-Mail", "E-Mail"), (ZOE, ADA))).state == RosterState.COLUMNS


def test_a_column_chosen_twice_or_none_is_refused_in_one_sentence(desk):
    roster = desk.upload(csv_of(("Name", "E-Mail"), ("Ada", ADA)))
    assert_refused(
        Reason.ROSTER_COLUMN_TWICE, uploading.choose_columns, roster, {"name": 1, "email": 1}, actor=desk.actor
    )
    assert_refused(Reason.ROSTER_NO_COLUMN, uploading.choose_columns, roster, {"surname": 0}, actor=desk.actor)
    assert_refused(
        Reason.BAD_VALUE, uploading.choose_columns, roster, {"email": 7}, actor=desk.actor, error=BadValue
    )  # fmt: skip
    assert Roster.objects.get(pk=roster.pk).state == RosterState.COLUMNS


def test_a_first_row_that_is_somebody_can_be_said_to_be_headings_and_back(desk):
    roster = desk.upload(csv_of(("Ada Lovelace", ADA), ("Zoë Müller", ZOE)))
    assert roster.headings == ["", ""]
    done = desk.worked(
        uploading.choose_columns(roster, {"email": 1}, has_headings=False, actor=desk.actor),
    )
    assert [line for line, _outcome in desk.outcomes(done)] == [1, 2]
    once_more = desk.worked(
        uploading.choose_columns(
            uploading.choose_again(done, actor=desk.actor), {"email": 1}, has_headings=True, actor=desk.actor
        )
    )
    assert [line for line, _outcome in desk.outcomes(once_more)] == [2]


# who is meant


def test_ids_and_addresses_decide_names_are_asked_and_nothing_blocks_the_good_rows(desk):
    twin = m.account("José Ñandú", desk.system, email="other@example.org")
    shared = [m.account(name, desk.system, email="family@example.org") for name in ("Otto Klein", "Iris Klein")]
    content = csv_of(
        ("Id", "Mail", "Name"),
        ("u-ada", "", ""),  # 2: by id
        ("", "ZOE@Example.ORG", "whatever"),  # 3: by address, whatever its case
        ("", "", "łukasz  żak"),  # 4: by name alone
        ("", "", "José Ñandú"),  # 5: two are called so
        ("", "family@example.org", ""),  # 6: two have this address
        ("", "family@example.org", "Iris Klein"),  # 7: and of the two the one so called
        ("u-ada", "zoe@example.org", ""),  # 8: the id and the address name two people
        ("nobody", "nobody@example.org", "Nobody"),  # 9
        ("", "ada@example.org", ""),  # 10: Ada for the second time
        ("", "x", ""),  # 11
    )
    roster = desk.columns(desk.upload(content), id=0, email=1, name=2)
    assert roster.state == RosterState.ASKING
    assert desk.outcomes(roster) == [
        (2, "found"), (3, "found"), (4, "proposed"), (5, "ambiguous"), (6, "ambiguous"), (7, "found"),
        (8, "ambiguous"), (9, "not_found"), (10, "duplicate"), (11, "not_found"),
    ]  # fmt: skip
    assert RosterRow.objects.get(roster=roster, line=10).first_line == 2
    assert [row.line for row in kept.asked_about(roster)] == [4]
    plain = desk.worked(uploading.confirm_rows(roster, (), actor=desk.actor))
    assert desk.steps(plain) == {("add", "Ada Lovelace"), ("add", "Zoë Müller"), ("add", "Iris Klein")}
    assert (twin.label, len(shared)) == ("José Ñandú", 2)


def test_a_name_that_is_ticked_counts_and_is_in_the_log(desk):
    roster = desk.columns(desk.upload(csv_of(("Vorname", "Nachname"), ("Łukasz", "Żak"))), name=0, surname=1)
    asked = list(kept.asked_about(roster))
    done = desk.worked(uploading.confirm_rows(roster, [asked[0].pk], actor=desk.actor))
    assert desk.steps(done) == {("add", "Łukasz Żak")}
    assert entries(AuditAction.ROSTER_TICKED).get().actor_id == desk.actor.pk


def test_rows_that_the_list_does_not_ask_about_cannot_be_ticked(desk):
    roster = desk.columns(desk.upload(csv_of(("Name", "M"), ("Łukasz Żak", ""), ("", ADA))), name=0, email=1)
    found = RosterRow.objects.get(roster=roster, line=3)
    assert_refused(Reason.REQUEST_FORGED, uploading.confirm_rows, roster, [found.pk], actor=desk.actor)


# modes


def test_add_only_adds_and_only_who_is_not_there(desk):
    desk.inside("Ada", "Łukasz")
    roster = desk.planned(emails(ADA, ZOE))
    assert (desk.steps(roster), roster.change.kind) == ({("add", "Zoë Müller")}, ChangeKind.ROSTER)
    assert roster.change.state == "draft" and roster.change.requested_by == desk.actor
    assert roster.counts["inside"] == 1


def test_remove_only_removes_who_is_there(desk):
    desk.inside("Ada", "Łukasz")
    assert desk.steps(desk.planned(emails(ADA, ZOE), "remove")) == {("remove", "Ada Lovelace")}


def test_exactly_this_adds_and_removes_and_whoever_an_unclear_row_may_mean_stays_by_name(desk):
    m.participant(m.account("Grace Hopper", desk.system), desk.group, is_manager=True)
    desk.inside("Ada", "Łukasz", "José")
    m.participant("Somebody unmatched", desk.group, remote_id="u-unknown")
    content = csv_of(("Mail", "Name"), (ZOE, ""), ("", "Łukasz Żak"), ("", "Grace Hopper"))
    roster = desk.columns(desk.upload(content, "exactly"), email=0, name=1)
    grace = RosterRow.objects.get(roster=roster, said_name="Grace Hopper")
    roster = desk.worked(uploading.confirm_rows(roster, [grace.pk], actor=desk.actor))
    assert desk.steps(roster) == {
        ("add", "Zoë Müller"), ("remove", "Ada Lovelace"), ("remove", "José Ñandú"),
    }  # fmt: skip
    assert desk.left_out(roster) == {
        ("Łukasz Żak", Reason.ROW_UNCLEAR), ("Somebody unmatched", Reason.PLACE_UNMATCHED),
    }  # fmt: skip


def test_guards_hold_for_lists_too(desk):
    protected = m.account("Grace Hopper", desk.system)
    m.person("Grace Hopper", protected, is_protected=True)
    m.participant(protected, desk.group, is_manager=True)
    desk.inside("Ada")
    roster = desk.planned(emails(ADA), "exactly")
    assert desk.left_out(roster) == {("Grace Hopper", Reason.PERSON_PROTECTED)}


def test_a_group_that_is_as_the_list_says_needs_no_preview(desk):
    desk.inside("Ada", "Zoë")
    roster = desk.planned(emails(ADA, ZOE), "exactly")
    assert (roster.state, roster.change) == (RosterState.DONE, None)
    assert not Change.objects.exists()


def test_who_left_by_themselves_is_put_back_only_where_ticked_by_name(desk):
    ada, zoe, jose = desk.inside("Ada", "Zoë", "José")
    left(ada)
    left(zoe)
    left(jose, by=PresenceCause.OPERATION)  # a change of ours removed them: no wish of their own
    roster = desk.columns(desk.upload(emails(ADA, ZOE, JOSE)), email=0)
    assert {row.account.label for row in kept.asked_about(roster)} == {"Ada Lovelace", "Zoë Müller"}
    ticked = kept.asked_about(roster).get(account__label="Ada Lovelace")
    roster = desk.worked(uploading.confirm_rows(roster, [ticked.pk], actor=desk.actor))
    assert desk.steps(roster) == {("add", "Ada Lovelace"), ("add", "José Ñandú")}
    assert desk.left_out(roster) == {("Zoë Müller", Reason.LEFT_BY_THEMSELVES)}


def test_in_a_system_whose_rows_are_not_accounts_places_are_found_by_their_account_or_their_name(desk):
    nord = m.system("Verein Nord", "inwendo")
    room = m.group("Board", nord)
    ada = m.account("Ada Lovelace", nord, email=ADA)
    m.participant(ada, room)
    m.participant("Iris Klein", room)
    desk.group, desk.system = room, nord
    content = csv_of(("Mail", "Name"), (ADA, ""), ("", "Iris Klein"))
    roster = desk.columns(desk.upload(content, "remove"), email=0, name=1)
    iris = kept.asked_about(roster).get()
    roster = desk.worked(uploading.confirm_rows(roster, [iris.pk], actor=desk.actor))
    assert desk.steps(roster) == {("remove", "Ada Lovelace"), ("remove", "Iris Klein")}


# what cannot be used


def test_a_formula_without_its_value_is_refused_where_its_column_is_used_alone(desk):
    content = xlsx_of(("Mail", "Note"), (ADA, lambda s, r, c: s.write_formula(r, c, "=1+1", value="")))
    assert desk.columns(desk.upload(content), email=0).state == RosterState.DONE
    again = uploading.choose_again(Roster.objects.get(), actor=desk.actor)
    asked = desk.columns(again, email=1)
    assert (asked.state, asked.reason, asked.reason_params) == (RosterState.COLUMNS, "roster_formula", {"line": 2})
    text = desk.upload(csv_of(("Post",), ("=HYPERLINK(1)",)))
    assert desk.columns(text, email=0).reason == Reason.ROSTER_FORMULA


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        pytest.param(csv_of(("Mail",), ("",), (" ",)), Reason.ROSTER_NO_ROW, id="no usable row"),
        pytest.param(csv_of(("Mail",), ("x@y.example",)), Reason.ROSTER_NOBODY, id="nobody fits"),
        pytest.param(b"Mail\r\n\x81\x8d\x8f\x90", Reason.ROSTER_ENCODING, id="encoding"),
        pytest.param(csv_of(("Mail",), ("=A1",)), Reason.ROSTER_FORMULA, id="formula"),
        pytest.param(
            csv_of(("Mail",), *[(ADA,)] * 600, ("x" * 10_000_000,)), Reason.ROSTER_CELL_TOO_LONG, id="10 MB in one cell"
        ),
        pytest.param(
            with_member(SHEET, "<worksheet>" + " " * 20_000_000 + "</worksheet>"), Reason.ROSTER_BOMB, id="zip bomb"
        ),
    ],
)
def test_what_cannot_be_used_is_refused_in_one_sentence_recorded_and_nothing_is_planned(desk, content, reason):
    desk.inside("Ada", "Zoë")
    roster = desk.upload(content, "exactly")
    if roster.state == RosterState.COLUMNS:
        roster = desk.columns(roster, email=0)
    assert (roster.reason, roster.change) == (reason, None)
    assert sentence(roster.reason, roster.reason_params).endswith(".")
    refused = entries(AuditAction.ROSTER_REFUSED).get()
    assert (refused.outcome, refused.actor_id, refused.group_id) == (reason, desk.actor.pk, desk.group.pk)
    assert not Change.objects.exists()
    assert roster.state == RosterState.COLUMNS or not RosterRow.objects.exists()


def test_a_list_that_fits_nobody_asks_for_other_columns_and_plans_nothing(desk):
    desk.inside("Ada")
    roster = desk.columns(desk.upload(csv_of(("A", "B"), ("x", "y"), ("z", ADA)), "exactly"), id=0)
    assert (roster.state, roster.reason) == (RosterState.COLUMNS, Reason.ROSTER_NOBODY)
    assert roster.reason_params == {"rows": 2, "system": "Office"}
    assert entries(AuditAction.ROSTER_REFUSED).get().outcome == Reason.ROSTER_NOBODY
    assert desk.columns(roster, email=1).state == RosterState.DONE


@override_settings(MUSTERBOOK={"ROSTER_MAX_MB": 1, "ROSTER_MAX_ROWS": 3, "ROSTER_KEPT_DAYS": 7})
def test_too_large_too_long_and_unreadable_lists_are_refused_recorded_and_not_kept(desk):
    too_large = [b"x" * 700_000] * 2
    assert_refused(
        Reason.ROSTER_TOO_LARGE, uploading.upload, desk.group, "add", "a.csv", too_large, actor=desk.actor
    )  # fmt: skip
    assert_refused(Reason.ROSTER_NO_ROW, uploading.upload, desk.group, "add", "a.csv", [], actor=desk.actor)
    assert not Roster.objects.exists() and not RosterPart.objects.exists()
    unreadable = desk.upload(b"%PDF-1.7")
    assert (unreadable.state, unreadable.reason) == (RosterState.FAILED, Reason.ROSTER_KIND)
    many = desk.columns(desk.upload(emails(ADA, ZOE, JOSE, "x@example.org")), email=0)
    assert (many.state, many.reason) == (RosterState.FAILED, Reason.ROSTER_TOO_MANY_ROWS)
    assert not RosterRow.objects.exists()
    assert entries(AuditAction.ROSTER_REFUSED).count() == 2


def test_nobody_uploads_for_a_group_or_looks_at_a_list_without_the_right(desk):
    other = m.system("Club", "mudbase")
    for user in (m.user("max", Role.VIEWER), m.user("lim", systems=[other])):
        with pytest.raises(NotAllowed):
            uploading.upload(desk.group, "add", "a.csv", [emails(ADA)], actor=user)


def test_whoever_lost_the_right_meanwhile_gets_no_preview(desk):
    roster = desk.upload(emails(ADA))
    desk.actor.groups.clear()
    uploading_user = m.user("second")
    uploading.choose_columns(roster, {"email": 0}, actor=uploading_user)
    done = desk.worked(roster)
    assert (done.state, done.reason, done.change) == (RosterState.FAILED, Reason.NO_RIGHT, None)


# again, and gone


def test_a_stale_preview_is_made_anew_from_the_same_rows_as_things_are_now(desk):
    roster = desk.planned(emails(ADA, ZOE))
    Change.objects.filter(pk=roster.change_id).update(state="stale")
    desk.inside("Ada")
    anew = recompile(roster.change, actor=desk.actor)
    assert [step.subject_label for step in anew.operations.all()] == ["Zoë Müller"]
    assert Roster.objects.get(pk=roster.pk).change == anew


@pytest.fixture
def large(desk, settings):
    """A stale preview of a list that is too large to be planned while somebody waits."""
    desk.inside("José", "Łukasz")
    roster = desk.planned(emails(ADA, ZOE, JOSE), "exactly")
    Change.objects.filter(pk=roster.change_id).update(state="stale")
    settings.MUSTERBOOK = {**settings.MUSTERBOOK, "COMPILE_IN_WORKER_ABOVE": 2}
    return roster


def test_a_stale_preview_of_a_large_list_is_made_anew_by_the_worker_in_the_name_of_who_asked_anew(desk, large):
    walt = m.user("walt")
    with CaptureQueriesContext(connection) as asked:
        anew = recompile(large.change, actor=walt)
    assert not any("account_id" in query["sql"] and "rosterrow" in query["sql"] for query in asked)
    assert (anew.compiled_at, anew.operations_count, anew.pending.total) == (None, 0, 3)
    assert preview(anew, actor=walt).is_reading
    assert pending.compile_one(drafts._finish_pending)
    large.refresh_from_db()
    assert desk.steps(large) == desk.steps(Roster(change=Change.objects.earliest("pk"))) and large.change == anew
    anew.refresh_from_db()
    assert confirm(anew, walt).requested_by == walt


def matched_anew(roster):
    uploading.choose_again(roster, actor=roster.asked_by)


def half_deleted(roster):
    roster.rows.first().delete()


@pytest.mark.parametrize("loses", [kept.empty, half_deleted, matched_anew])
def test_where_its_rows_go_meanwhile_nothing_is_planned_and_nobody_leaves(desk, large, loses):
    anew = recompile(large.change, actor=desk.actor)
    loses(large)
    assert pending.compile_one(drafts._finish_pending)
    anew.refresh_from_db()
    assert (anew.state, anew.plan_hash, anew.operations.count()) == ("stale", "", 0)
    assert entries(AuditAction.CHANGE_STALE).get(change_id=anew.pk).outcome == "list_gone"
    assert_refused(Reason.ROSTER_GONE, recompile, anew, actor=desk.actor)


def test_the_file_is_deleted_once_confirmed_and_everything_but_the_counts_after_some_days(desk):
    roster = desk.planned(emails(ADA, ZOE))
    kept.tidy()
    assert roster.parts.exists()
    confirm(roster.change, desk.actor)
    Roster.objects.update(asked_at=timezone.now() - timedelta(minutes=6))
    assert kept.tidy() and not roster.parts.exists() and roster.rows.count() == 2
    Roster.objects.update(asked_at=timezone.now() - timedelta(days=8))
    assert kept.tidy() and not kept.tidy()
    roster.refresh_from_db()
    assert (roster.is_emptied, roster.sample, roster.rows.count(), roster.rows_count) == (True, [], 0, 2)
    assert entries(AuditAction.ROSTER_EMPTIED).count() == 1
    Change.objects.filter(pk=roster.change_id).update(state="stale", confirmed_at=None)
    assert_refused(Reason.ROSTER_GONE, recompile, Change.objects.get(pk=roster.change_id), actor=desk.actor)


# the worker


def test_a_list_that_a_worker_left_is_taken_over_and_given_up_after_three_times(desk, monkeypatch):
    roster = uploading.upload(desk.group, "add", "a.csv", [emails(ADA)], actor=desk.actor)

    def die(_roster):
        raise RuntimeError("killed")

    monkeypatch.setitem(work._STEPS, RosterState.UPLOADED, die)
    for _attempt in range(3):
        with pytest.raises(RuntimeError):
            work.work_on_lists()
        assert not work.work_on_lists(), "somebody has it"
        Roster.objects.update(claimed_at=timezone.now() - timedelta(minutes=3))
    assert not work.work_on_lists()
    roster.refresh_from_db()
    assert (roster.state, roster.reason) == (RosterState.FAILED, Reason.ROSTER_BROKE_OFF)


def test_rows_are_matched_again_from_the_start_after_a_broken_attempt(desk, monkeypatch):
    roster = desk.upload(emails(ADA, ZOE))
    uploading.choose_columns(roster, {"email": 0}, actor=desk.actor)
    real = work._flip
    monkeypatch.setattr(work, "_flip", lambda *args, **kwargs: (_ for _ in ()).throw(RuntimeError("killed")))
    with pytest.raises(RuntimeError):
        work.work_on_lists()
    assert RosterRow.objects.count() == 2
    monkeypatch.setattr(work, "_flip", real)
    Roster.objects.update(claimed_at=None)
    assert desk.outcomes(desk.worked(roster)) == [(2, "found"), (3, "found")]
    assert Account.objects.count() == 4


def test_no_refusal_reaches_the_worker(desk):
    roster = desk.upload(emails(ADA))
    desk.group.is_present = False
    desk.group.save()
    uploading.choose_columns(roster, {"email": 0}, actor=desk.actor)
    assert desk.left_out(desk.worked(roster)) == {("Ada Lovelace", Reason.GROUP_NOT_FOUND)}
    with pytest.raises(ChangeRefused):
        uploading.choose_columns(roster, {"email": 0}, actor=desk.actor)
