"""Who was where on a day: from presence, and checked against what the audit log and the remotes say."""

import datetime as dt

import pytest
from django.utils import timezone

from membership.errors import BadValue, ChangeRefused, NotAllowed, Reason
from membership.models import AuditEntry, Drift, Group, Operation, Participant, Presence
from membership.providers.errors import OutcomeUnknown
from membership.services import removal, time_machine
from membership.services.addition import draft_addition
from membership.services.changes import confirm_change
from membership.vocab import AuditAction, ChangeKind, DriftKind, PresenceCause, Verb
from tests import mirrored as m
from tests.operations.listed_remote import ListedRemote, connect, read
from tests.services.asking import assert_refused

TODAY = timezone.localdate


def ago(days, hour=12):
    at = dt.datetime.combine(TODAY() - dt.timedelta(days=days), dt.time(hour))
    return timezone.make_aware(at)


def day(days):
    return TODAY() - dt.timedelta(days=days)


def stay(row, since, until=None, began=PresenceCause.READING, ended=PresenceCause.READING):
    Presence.objects.create(participant=row, since=since, until=until, began_by=began, ended_by=ended if until else "")
    Participant.objects.filter(pk=row.pk).update(is_present=until is None)


@pytest.fixture
def chess(db):
    return m.group("Chess club", m.system("Club app", provider="mudbase"))


@pytest.fixture
def told(chess):
    """Looked at for the first time 20 days ago: Ada was there and stays, Zoë left 10 days ago, José came 5 days ago and
    left on the next day, Grace came 3 days ago."""
    rows = {name: m.participant(m.account(name, chess.connection), chess) for name in ("Ada", "Zoë", "José", "Grace")}
    stay(rows["Ada"], ago(20), began=PresenceCause.UNKNOWN)
    stay(rows["Zoë"], ago(20), ago(10), began=PresenceCause.UNKNOWN)
    stay(rows["José"], ago(5), ago(4))
    stay(rows["Grace"], ago(3), began=PresenceCause.OPERATION)
    return rows


def names(stretches):
    return [stretch.participant.label for stretch in stretches]


def test_a_group_is_told_day_by_day(chess, told):
    assert {days: names(time_machine.group_then(chess, day(days)).there) for days in (20, 11, 10, 5, 4, 3, 0)} == {
        20: ["Ada", "Zoë"],
        11: ["Ada", "Zoë"],
        10: ["Ada"],
        5: ["Ada", "José"],
        4: ["Ada"],
        3: ["Ada", "Grace"],
        0: ["Ada", "Grace"],
    }
    assert names(time_machine.group_then(chess, day(10)).left) == ["Zoë"]


def test_what_was_before_the_first_look_is_not_known(chess, told, operator):
    before = time_machine.group_then(chess, day(21))
    assert not before.is_known
    assert before.known_since == ago(20)
    assert not before.there
    assert_refused(Reason.BEFORE_FIRST_LOOK, time_machine.draft_back, chess, day(21), actor=operator)
    assert not time_machine.group_then(m.group("Never read", chess.connection, read_at=None), day(0)).is_known


def test_a_person_is_told_across_systems_and_says_what_is_not_known(told, chess, auditor, limited_operator):
    office = m.system("Office")
    staff = m.group("Staff", office)
    account = m.account("ada.l", office)
    stay(m.participant(account, staff), ago(6), began=PresenceCause.UNKNOWN)
    ada = m.person("Ada Lovelace", account, told["Ada"].account)
    then = time_machine.person_then(ada, day(10), auditor)
    assert [row.participant.group.name for row in then.there] == ["Chess club"]
    assert [group.name for group in then.unknown] == ["Staff"]
    assert len(time_machine.person_then(ada, day(0), auditor).there) == 2
    seen = time_machine.person_then(ada, day(0), limited_operator(office))
    assert [row.participant.group.name for row in seen.there] == ["Staff"]


def test_two_days_are_compared_in_either_order(chess, told):
    for one, other in ((day(11), day(0)), (day(0), day(11))):
        differs = time_machine.group_difference(chess, one, other)
        assert (names(differs.came), names(differs.went), differs.stayed) == (["Grace"], ["Zoë"], 1)


# what nobody had looked at


def join(name, group, since, until=None, **how):
    row = m.participant(m.account(name, group.connection), group)
    stay(row, since, until, **how)
    return row


def looks(group, *days):
    """Whether it is known who was in the group on each of these days ago."""
    return [time_machine.group_then(group, day(each)).is_known for each in days]


def test_whom_we_added_before_the_first_look_is_not_everybody(chess, operator):
    join("Ada", chess, ago(9), began=PresenceCause.OPERATION)
    for name in ("Bob", "Cem"):
        join(name, chess, ago(5), began=PresenceCause.UNKNOWN)
    assert looks(chess, 9, 6, 5) == [False, False, True]
    assert time_machine.group_then(chess, day(7)).known_since == ago(5)
    assert_refused(Reason.BEFORE_FIRST_LOOK, time_machine.draft_back, chess, day(7), actor=operator)


def test_a_first_reading_that_was_not_complete_is_no_first_look(chess, operator):
    """Of those whom the next one found nobody knows whether they were there before."""
    join("Ada", chess, ago(9), began=PresenceCause.UNKNOWN)
    join("Zoë", chess, ago(9), ago(5), began=PresenceCause.UNKNOWN)
    join("Bob", chess, ago(5), began=PresenceCause.UNKNOWN)
    join("Cem", chess, ago(3))
    assert looks(chess, 9, 6, 5, 4) == [False, False, True, True]
    assert_refused(Reason.BEFORE_FIRST_LOOK, time_machine.draft_back, chess, day(7), actor=operator)


def test_while_a_group_was_gone_nothing_is_known_of_it_and_before_it_is(chess, operator):
    join("Ada", chess, ago(20), ago(10), began=PresenceCause.UNKNOWN)
    join("Bob", chess, ago(15), ago(10))
    join("Cem", chess, ago(5), began=PresenceCause.UNKNOWN)
    assert looks(chess, 21, 20, 14, 11, 10, 6, 5, 0) == [False, True, True, True, False, False, True, True]
    assert time_machine.group_then(chess, day(7)).known_since == ago(5)
    assert time_machine.group_then(chess, day(12)).known_since == ago(20)
    assert names(time_machine.group_then(chess, day(12)).there) == ["Ada", "Bob"]
    assert_refused(Reason.BEFORE_FIRST_LOOK, time_machine.draft_back, chess, day(7), actor=operator)


def test_a_person_neither_came_to_nor_left_a_group_of_which_it_is_not_known(chess, auditor):
    office = m.system("Office")
    staff, gone = m.group("Staff", office), m.group("Gone", office)
    account = m.account("ada.l", office)
    other = m.account("other", office)
    stay(m.participant(account, staff), ago(6), began=PresenceCause.UNKNOWN)
    stay(m.participant(account, gone), ago(20), ago(10), began=PresenceCause.UNKNOWN)
    stay(m.participant(other, gone), ago(2), began=PresenceCause.UNKNOWN)
    place = join("Ada", chess, ago(4))
    join("Bob", chess, ago(20), began=PresenceCause.UNKNOWN)
    ada = m.person("Ada Lovelace", account, place.account)
    differs = time_machine.person_difference(ada, day(12), day(3), auditor)
    assert [row.participant.group.name for row in differs.came] == ["Chess club"]
    assert differs.went == []
    assert {group.name for group in differs.unknown} == {"Staff", "Gone"}


def test_today_is_who_is_there_whatever_a_wrong_clock_noted(chess, operator):
    join("Ada", chess, ago(20), began=PresenceCause.UNKNOWN)
    join("Bob", chess, ago(-3))
    join("Cem", chess, ago(20), ago(-3), began=PresenceCause.UNKNOWN)
    assert names(time_machine.group_then(chess, day(0)).there) == ["Ada", "Bob"]
    assert_refused(Reason.NOTHING_TO_DO, time_machine.draft_back, chess, day(0), actor=operator)


def test_whoever_joined_with_two_rows_leaves_with_both(chess, told, operator):
    again = m.participant(told["Grace"].account, chess, remote_id="another row")
    stay(again, ago(2))
    change = time_machine.draft_back(chess, day(4), actor=operator)
    steps = Operation.objects.filter(change=change, verb=Verb.REMOVE)
    assert {step.participant_id for step in steps} == {told["Grace"].pk, again.pk}


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/Sao_Paulo", "Africa/Cairo", "Pacific/Apia", "Asia/Beirut"])
@pytest.mark.parametrize("year", [2011, 2017, 2023])
def test_every_day_ends_where_the_next_one_begins_whatever_the_clocks_do(zone, year, settings):
    settings.TIME_ZONE = zone
    with timezone.override(zone):
        first = dt.date(year, 1, 1)
        for number in range(365):
            one = first + dt.timedelta(days=number)
            end = time_machine.end_of(one)
            assert end == time_machine._began(one + dt.timedelta(days=1))
            before, after = (timezone.localtime(end + dt.timedelta(seconds=s)).date() for s in (-1, 0))
            assert before <= one < after


def test_somebody_who_came_back_with_another_row_is_the_same(chess, told):
    again = m.participant(told["Zoë"].account, chess, remote_id="another row")
    stay(again, ago(2))
    differs = time_machine.group_difference(chess, day(11), day(0))
    assert (names(differs.came), names(differs.went), differs.stayed) == (["Grace"], [], 2)


@pytest.mark.parametrize("text", ["", "soon", "1969-12-31", "9999-01-01", "2026-02-30"])
def test_what_is_no_day_that_has_come_is_refused(text):
    with pytest.raises(BadValue):
        time_machine.day_of(text)


def test_a_group_is_brought_back_to_a_day(chess, told, operator):
    Participant.objects.filter(pk=told["Zoë"].pk).update(is_manager=True)
    change = time_machine.draft_back(chess, day(11), actor=operator)
    assert change.kind == ChangeKind.BACK_TO_DAY
    planned = {(row.verb, row.subject_label): row.wanted for row in Operation.objects.filter(change=change)}
    assert planned == {
        (Verb.ADD, "Zoë"): {"is_present": True, "is_manager": True},
        (Verb.REMOVE, "Grace"): {"is_present": False},
    }
    assert AuditEntry.objects.filter(change_id=change.pk, action=AuditAction.CHANGE_DRAFTED).count() == 1
    assert_refused(Reason.NOTHING_TO_DO, time_machine.draft_back, chess, day(0), actor=operator)


def test_whose_row_is_not_known_is_left_out_by_name(chess, told, operator):
    Participant.objects.filter(pk=told["Zoë"].pk).update(account=None)
    change = time_machine.draft_back(chess, day(11), actor=operator)
    (left,) = change.left_outs.all()
    assert (left.subject_label, left.reason) == ("Zoë", Reason.ACCOUNT_NOT_KNOWN)


def test_only_whoever_may_act_and_sees_the_group_brings_it_back(chess, told, viewer, limited_operator):
    other = limited_operator(m.system("Office"))
    for user in (viewer, other):
        with pytest.raises(NotAllowed):
            time_machine.draft_back(chess, day(11), actor=user)


# against the log


def confirm(world, change, user):
    confirm_change(change, actor=user, reason="told", expected_hash=change.plan_hash)
    world.work()


def by_the_log(group, first, at):
    """Who was in a group: the first reading's people, and since then what the log's confirmed steps and the readings'
    findings say."""
    there = set(first)
    steps = AuditEntry.objects.filter(action=AuditAction.OPERATION_CONFIRMED, group_id=group.pk, at__lt=at)
    labels = dict(Operation.objects.values_list("pk", "subject_label"))
    verbs = dict(Operation.objects.values_list("pk", "verb"))
    told = [(row.at, verbs[row.operation_id] == Verb.ADD, labels[row.operation_id]) for row in steps]
    drifts = Drift.objects.filter(group=group, noticed_at__lt=at, kind__in=(DriftKind.JOINED, DriftKind.LEFT))
    told += [(row.noticed_at, row.kind == DriftKind.JOINED, row.label) for row in drifts]
    for _at, came, label in sorted(told):
        there = there | {label} if came else there - {label}
    return there


def test_presence_says_the_same_as_the_log_and_the_remotes(world, operator):
    """Readings, changes of ours and changes outside, one after the other: at each moment all three agree."""
    world.read()
    group = world.group("Chess club")
    first = set(Participant.objects.filter(group=group, is_present=True).values_list("label", flat=True))
    state = world.sandbox.inwendo.state
    moments = []

    def note():
        remote = {row.remote_id for row in Participant.objects.filter(group=group, is_present=True)}
        assert remote == {str(row.id) for row in state.live(7)}
        there = set(Participant.objects.filter(group=group, is_present=True).values_list("label", flat=True))
        moments.append((timezone.now(), there))

    note()
    zoe = world.row("Zoë Müller", "Chess club")
    change = removal.draft_removal(m.rows(zoe), actor=operator, selection=m.ids(zoe))
    confirm(world, change, operator)
    note()
    with state.changing():
        iris = state.add_person("Iris", "Klein", email="iris@example.org")
        state.add_participant(7, person=iris.id)
    world.read()
    note()
    person = next(person for person in state.people if person.first_name == "José")
    state.change_by_hand(next(row.id for row in state.live(7) if row.person == person.id), deleted=True)
    world.read()
    note()
    confirm(world, draft_addition(accounts=[zoe.account], groups=[group], actor=operator), operator)
    world.read()
    note()
    assert len({frozenset(there) for _at, there in moments}) >= 3
    for at, there in moments:
        then = Presence.objects.filter(time_machine._there(at), participant__group=group)
        assert {row.participant.label for row in then.select_related("participant")} == there
        assert by_the_log(group, first, at) == there
    kept = Group.objects.get(pk=group.pk)
    assert time_machine.group_then(kept, TODAY()).there.count() == kept.participants_count


def test_a_group_that_is_brought_back_is_as_it_was(world, operator):
    world.read()
    group = world.group("Trainers")
    Presence.objects.update(since=ago(3))
    before = set(Participant.objects.filter(group=group, is_present=True).values_list("account_id", flat=True))
    rows = [world.row("Ada Lovelace", "Trainers"), world.row("Zoë Müller", "Trainers")]
    confirm(world, removal.draft_removal(m.rows(*rows), actor=operator, selection=m.ids(*rows)), operator)
    assert Participant.objects.filter(group=group, is_present=True).count() == len(before) - 2
    confirm(world, time_machine.draft_back(group, day(2), actor=operator), operator)
    after = set(Participant.objects.filter(group=group, is_present=True).values_list("account_id", flat=True))
    assert after == before
    with pytest.raises(ChangeRefused):
        time_machine.draft_back(group, day(2), actor=operator)


@pytest.mark.django_db
def test_what_readings_leave_tells_when_a_group_was_known():
    """A first reading that breaks off, a whole one, a group that is gone, and one that is back."""
    club, remote = connect(), ListedRemote()
    remote.people = {"1": "Ada", "2": "Bo", "3": "Cy"}
    remote.rooms = {"chess": {"1": "1", "2": "2", "3": "3"}, "choir": {"2": "2"}}
    remote.errors["chess"], remote.told_before_error = OutcomeUnknown(Reason.ANSWER_LOST), 1
    moments = []
    read(club, remote)
    moments.append(timezone.now())
    remote.errors.clear()
    read(club, remote)
    moments.append(timezone.now())
    kept = remote.rooms.pop("chess")
    read(club, remote)
    moments.append(timezone.now())
    remote.rooms["chess"] = kept
    read(club, remote)
    moments.append(timezone.now())
    chess = Group.objects.get(remote_id="chess")
    known = [time_machine.known_since(chess, at) < at for at in moments]
    assert known == [False, True, False, True]
    whole = Presence.objects.filter(time_machine._there(moments[1]), participant__group=chess)
    assert set(whole.values_list("participant__label", flat=True)) == {"Ada", "Bo", "Cy"}
