"""Leavers: the rest goes on where a system is stopped, what is open is said, and nothing is certified unseen."""

import hashlib
import json
from datetime import timedelta

import pytest
from django.utils import timezone

from membership.errors import ChangeRefused, NotAllowed, Reason
from membership.models import (
    Account,
    Change,
    Connection,
    Group,
    Leaving,
    LeavingState,
    LinkProposal,
    Operation,
    Participant,
    Person,
)
from membership.services import (
    changes,
    connections,
    drafts,
    leaving,
    leaving_certificate,
    leaving_pages,
    leaving_points,
    linking,
    people,
)
from membership.vocab import AuditAction, ChangeKind, Role
from tests import mirrored as m
from tests.services.asking import confirm, entries
from tests.world import GROUP_UID

WORK = (drafts.compile_ready, leaving.follow_up)


def look(row):
    Leaving.objects.filter(pk=row.pk).update(looked_at=None)
    leaving.follow_up()
    row.refresh_from_db()
    return row


def reasons(row, user):
    return [str(point.reason) for point in leaving_pages.leaving_page(row, user).points]


@pytest.fixture
def zoe(world):
    """Zoë, who is in Chess club, Trainers and Группа 2."""
    kaiten = world.sandbox.kaiten.state
    with kaiten.changing():
        kaiten.add_user("Zoë Müller", email="zoe@example.org", id=6)
        kaiten.add_member(GROUP_UID, 6)
    world.read()
    return world.link("Zoë Müller", *Account.objects.filter(email="zoe@example.org"))


def work_on(world, rounds=3):
    """As a worker that goes on: it looks again each minute; one that ends when idle may end just before its look."""
    for _round in range(rounds):
        world.work(*WORK)
        Leaving.objects.update(looked_at=None)
    world.work(*WORK)


# with the real remotes


def test_a_leaver_goes_from_everything_and_gets_a_certificate_that_names_every_place(world, zoe, operator):
    change = leaving.draft_leaving([zoe], actor=operator)
    work_on(world)
    change.refresh_from_db()
    assert (change.kind, change.operations_count) == (ChangeKind.LEAVER, 3)
    confirm(change, operator)
    work_on(world)
    row = Leaving.objects.get()
    assert row.state == LeavingState.DONE, leaving_pages.leaving_page(row, operator).points
    assert not Participant.objects.filter(account__person=zoe, is_present=True).exists()
    places = {(place["system"], place["group"]): place for place in row.certificate["places"]}
    assert set(places) == {
        ("Verein Nord", "Chess club"), ("Club app", "Trainers"), ("Office", "Группа 2"),
    }  # fmt: skip
    written = [line for lines in world.sent().values() for line in lines]
    for place in places.values():
        assert place["gone_at"] < place["read_back_at"]
        assert set(place["calls"]) <= set(written) and place["calls"]
        assert (place["how"], place["change"], place["asked_by"]) == ("removed", change.pk, "operator")
    assert entries(AuditAction.LEAVING_BEGUN).get().person_id == zoe.pk
    certified = entries(AuditAction.LEAVING_CERTIFIED).get()
    assert certified.person_id == zoe.pk and row.certificate_hash in certified.sealed
    assert hashlib.sha256(leaving_certificate.canonical(row.certificate)).hexdigest() == row.certificate_hash


def test_where_a_system_is_stopped_the_rest_goes_on_and_what_is_left_is_taken_up_when_it_can_be_read(
    world, zoe, operator, owner
):
    connections.pause(world.kaiten, reason="moving house", actor=owner)
    Connection.objects.filter(pk=world.kaiten.pk).update(read_at=timezone.now() - timedelta(days=1))
    change = leaving.draft_leaving([zoe], actor=operator)
    work_on(world)
    change.refresh_from_db()
    # Kaiten's known place waits; meanwhile somebody puts Zoë into another group over there.
    state = world.sandbox.kaiten.state
    with state.changing():
        state.add_group("Neu", uid="9f0c0003-0000-4000-8000-000000000003", id=3)
        state.add_member("9f0c0003-0000-4000-8000-000000000003", 6)
    confirm(change, operator)
    work_on(world)
    row = Leaving.objects.get()
    assert {p.account.connection.name for p in Participant.objects.filter(account__person=zoe, is_present=True)} == {
        "Office"
    }
    found = leaving_pages.leaving_page(row, operator).points
    assert (row.state, {point.connection.name for point in found}) == (LeavingState.OPEN, {"Office"})
    assert any("Stopped by owner: moving house" in point.words for point in found)

    connections.resume(world.kaiten, actor=owner)
    work_on(world)
    row.refresh_from_db()
    # What was asked for has run by itself; what nobody was shown is a preview, and waits for a click.
    assert not Participant.objects.filter(account__person=zoe, group__name="Группа 2", is_present=True).exists()
    follow = row.change
    assert (follow.pk != change.pk, follow.state, follow.requested_by) == (True, "draft", operator)
    assert [step.group.name for step in world.steps(follow)] == ["Neu"]
    assert row.state == LeavingState.OPEN
    confirm(follow, operator)
    work_on(world)
    row.refresh_from_db()
    assert row.state == LeavingState.DONE
    assert {place["change"] for place in row.certificate["places"]} == {change.pk, follow.pk}


# with a mirror written by hand


@pytest.fixture
def scene(any_db):
    """Grace, who was in one group of Office, gone since; everything read back."""

    class Scene:
        user = m.user("vera")
        office = m.system("Office")
        team = m.group("Team", office)
        account = m.account("Grace", office)
        place = m.participant(account, team)
        person = m.person("Grace Hopper", account)

        def removed(self):
            change = leaving.draft_leaving([self.person], actor=self.user)
            confirm(change, self.user)
            return self.removed_now()

        def removed_now(self):
            now = timezone.now()
            Operation.objects.update(state="confirmed", settled_at=now)
            Change.objects.update(state="done", finished_at=now)
            Participant.objects.filter(pk=self.place.pk).update(is_present=False)
            return Leaving.objects.get()

        def read(self):
            now = timezone.now()
            Group.objects.update(read_at=now, incomplete_reason="")
            Connection.objects.update(read_at=now)

    return Scene()


def test_nothing_is_certified_before_every_group_and_system_was_read_back(scene):
    row = look(scene.removed())
    assert (row.state, reasons(row, scene.user)) == (
        LeavingState.OPEN, [Reason.LEAVER_NOT_READ_BACK, Reason.LEAVER_SYSTEM_NOT_READ],
    )  # fmt: skip
    scene.read()
    assert look(row).state == LeavingState.DONE


def during_the_look(monkeypatch, before, happens):
    """Something happens, once, just before a function of the look."""
    real = getattr(leaving_points, before)

    def then(*args):
        monkeypatch.setattr(leaving_points, before, real)
        happens()
        return real(*args)

    monkeypatch.setattr(leaving_points, before, then)


def test_a_step_that_ends_during_the_look_is_not_certified_unread(scene, monkeypatch):
    change = leaving.draft_leaving([scene.person], actor=scene.user)
    confirm(change, scene.user)
    Operation.objects.update(state="running")
    scene.read()
    during_the_look(monkeypatch, "present", scene.removed_now)
    row = look(Leaving.objects.get())
    assert row.state == LeavingState.OPEN
    assert look(row).state == LeavingState.OPEN  # not read back since
    scene.read()
    assert [place["change"] for place in look(row).certificate["places"]] == [change.pk]


def test_a_place_that_a_reading_finds_during_the_look_is_not_overlooked(scene, monkeypatch):
    row = scene.removed()
    scene.read()
    during_the_look(monkeypatch, "_counts", lambda: m.participant(scene.account, m.group("New", scene.office)))
    assert look(row).state == LeavingState.OPEN


@pytest.mark.parametrize("what", ["unmatched", "unread", "never_read", "proposal", "back"])
def test_never_while_a_system_holds_unmatched_or_unread_rows_and_it_is_said_which(scene, what):
    row = scene.removed()
    club = m.system("Club", "mudbase")
    chat = m.group("Chat", club)
    scene.read()
    if what == "unmatched":
        m.participant("Somebody", chat)
    elif what == "unread":
        Group.objects.filter(pk=chat.pk).update(incomplete_reason="page_short")
    elif what == "never_read":
        Connection.objects.filter(pk=club.pk).update(read_at=None)
    elif what == "proposal":
        alike = m.account("Grace Hopper", club)
        LinkProposal.objects.create(
            first=scene.account, second=alike, hint="same_name", proposed_at=timezone.now()
        )  # fmt: skip
    else:
        Participant.objects.filter(pk=scene.place.pk).update(is_present=True)
    expected = {
        "unmatched": Reason.LEAVER_ROWS_UNMATCHED,
        "unread": Reason.LEAVER_GROUPS_UNREAD,
        "never_read": Reason.LEAVER_SYSTEM_NOT_READ,
        "proposal": Reason.LEAVER_PROPOSALS_OPEN,
        "back": Reason.LEAVER_STILL_IN,
    }[what]
    row = look(row)
    assert (row.state, reasons(row, scene.user)) == (LeavingState.OPEN, [expected])
    if what in ("unmatched", "unread", "never_read"):
        assert "Club" in leaving_pages.leaving_page(row, scene.user).points[0].words


def test_a_preview_that_is_thrown_away_drops_the_leaver(scene):
    change = leaving.draft_leaving([scene.person], actor=scene.user)
    row = look(Leaving.objects.get())
    assert (row.state, row.begun_at) == (LeavingState.OPEN, None)
    changes.throw_away(change, actor=scene.user)
    assert look(row).state == LeavingState.DROPPED
    assert leaving_pages.of_person(scene.person, scene.user) is None
    assert entries(AuditAction.LEAVING_DROPPED).get().person_id == scene.person.pk


def test_a_follow_up_that_was_thrown_away_is_not_made_again_at_once_and_a_refused_step_makes_none(scene):
    row = scene.removed()
    other = m.participant(scene.account, m.group("Other", scene.office))
    scene.read()
    follow = look(row).change
    assert [step.participant_id for step in follow.operations.all()] == [other.pk]
    changes.throw_away(follow, actor=scene.user)
    assert look(row).change == follow
    Change.objects.filter(pk=follow.pk).update(finished_at=timezone.now() - timedelta(days=2))
    anew = look(row).change
    assert anew != follow
    confirm(anew, scene.user)
    Operation.objects.filter(change=anew).update(state="refused", settled_at=timezone.now())
    Change.objects.filter(pk=anew.pk).update(state="done_with_failures", finished_at=timezone.now())
    assert look(row).change == anew


def test_a_follow_up_that_waits_for_approval_is_not_made_twice(scene):
    row = scene.removed()
    m.participant(scene.account, m.group("Other", scene.office))
    scene.read()
    follow = look(row).change
    Change.objects.filter(pk=follow.pk).update(state="waiting")
    assert look(row).change == follow


def test_a_leaver_who_becomes_one_person_with_somebody_else_is_gone_with_all_accounts_only(scene):
    row = scene.removed()
    club = m.system("Club", "mudbase")
    alike = m.account("Grace H.", club)
    older = m.person("Grace", alike)
    m.participant(alike, m.group("Chat", club))
    Leaving.objects.create(
        person=scene.person, change=row.change, asked_by=scene.user, asked_at=row.asked_at, state="done"
    )
    Person.objects.filter(pk=older.pk).update(is_protected=True)  # who is protected is kept
    proposal = LinkProposal.objects.create(
        first=alike, second=scene.account, hint="same_name", proposed_at=timezone.now()
    )  # fmt: skip
    linking.accept_proposals([proposal], actor=scene.user)
    scene.read()
    row = look(row)
    assert (row.person, row.state, reasons(row, scene.user)) == (older, LeavingState.OPEN, [Reason.LEAVER_STILL_IN])
    assert Leaving.objects.get(state="done").person == scene.person  # what was certified stays whose it was


def test_a_leaver_whose_accounts_are_unlinked_is_none_any_more_and_never_certified(scene):
    row = scene.removed()
    scene.read()
    linking.unlink_account(scene.account, actor=scene.user)
    assert look(row).state == LeavingState.DROPPED


def test_several_people_leave_in_one_change_and_one_who_is_protected_stays_open_by_name(scene):
    kept = m.account("Ivan", scene.office)
    m.participant(kept, scene.team)
    ivan = m.person("Ivan", kept)
    people.protect_person(ivan, "board", actor=m.user("oda", Role.OWNER))
    change = leaving.draft_leaving([scene.person, ivan], actor=scene.user)
    assert (change.people_count, change.left_out_count, Leaving.objects.count()) == (1, 1, 2)
    again = leaving.draft_leaving([ivan], actor=scene.user)
    assert Leaving.objects.count() == 2 and again.operations_count == 0
    row = look(Leaving.objects.get(person=ivan))
    assert reasons(row, scene.user)[0] == Reason.LEAVER_STILL_IN


def test_a_certificate_is_shown_whole_or_not_at_all(scene):
    row = scene.removed()
    club = m.system("Club", "mudbase")
    scene.read()
    row = look(row)
    limited = m.user("lim", systems=[scene.office])
    assert json.loads(leaving_certificate.download(row, actor=scene.user))["person"]["name"] == "Grace Hopper"
    assert entries(AuditAction.EXPORT_MADE).count() == 1
    assert leaving_pages.leaving_page(row, limited).certificate == {}
    with pytest.raises(ChangeRefused):
        leaving_certificate.download(row, actor=limited)
    with pytest.raises(NotAllowed):
        leaving.draft_leaving([scene.person], actor=m.user("far", systems=[club]))
    with pytest.raises(NotAllowed):
        leaving.draft_leaving([scene.person], actor=m.user("max", Role.VIEWER))
