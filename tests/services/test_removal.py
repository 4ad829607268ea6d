import pytest
from django.utils import timezone

from membership.errors import ChangeRefused, NotAllowed, Reason
from membership.models import AuditEntry, AuditPersonal, Change, Operation, Participant, Person, Reading, WorkerBeat
from membership.services import titles
from membership.services.change_pages import preview
from membership.services.changes import compile_ready, confirm_change, expire_drafts
from membership.services.removal import draft_removal, draft_removal_everywhere
from membership.vocab import (
    AuditAction,
    ChangeKind,
    ChangeState,
    ConnectionState,
    ReadingKind,
    ReadingState,
    Role,
)
from tests import mirrored as m

pytestmark = pytest.mark.django_db

LONG_AGO = timezone.timedelta(days=3)


@pytest.fixture
def chess(office):
    return m.group("Chess", office)


@pytest.fixture
def ada(office, chess):
    return m.participant(m.account("Ada", office), chess)


def draft(actor, *rows):
    return draft_removal(m.rows(*rows), actor=actor, selection=m.ids(*rows))


def entry(action, change=None):
    return AuditEntry.objects.get(action=action, **({"change_id": change.pk} if change else {}))


def refusals():
    return list(AuditEntry.objects.filter(action=AuditAction.REQUEST_REFUSED).values_list("outcome", flat=True))


def test_a_draft_is_stored_with_its_plan_and_queues_nothing(vera, ada):
    change = draft(vera, ada)
    assert (change.state, change.kind, change.requested_by) == (ChangeState.DRAFT, ChangeKind.REMOVAL, vera)
    assert change.plan_hash and change.compiled_at and change.stale_at > timezone.now()
    assert [step.state for step in change.operations.all()] == ["planned"]


def test_a_draft_is_in_the_audit_log_with_counts_and_hash_and_no_name_sealed(vera, ada):
    change = draft(vera, ada)
    found = entry(AuditAction.CHANGE_DRAFTED, change)
    assert f'"plan_hash":"{change.plan_hash}"' in found.sealed
    assert '"people":1' in found.sealed and '"operations":1' in found.sealed
    assert "Remove" not in found.sealed
    assert "Remove 1 person from 1 group" in AuditPersonal.objects.get(pk=found.pk).data


def test_the_title_counts_people_and_groups(vera, office, chess, ada):
    other = m.group("Other", office)
    again = m.participant(ada.account, other)
    bea = m.participant(m.account("Bea", office), other)
    assert titles.title(draft(vera, ada)) == "Remove 1 person from 1 group"
    assert titles.title(draft(vera, ada, again, bea)) == "Remove 2 people from 2 groups"
    assert titles.question(draft(vera, ada, again)) == "Remove 1 person from 2 groups?"


def test_a_plan_from_which_everything_is_left_out_says_so(vera, chess, office):
    row = m.participant(m.account("Service", office, is_own=True), chess)
    change = draft(vera, row)
    assert (change.operations_count, change.left_out_count) == (0, 1)
    assert titles.title(change) == "Nobody to remove"


def test_all_that_match_are_planned_whatever_the_query_is(vera, office, chess):
    m.crowd(5, chess)
    everybody = Participant.objects.filter(label__startswith="Member").order_by("-label").distinct()
    change = draft_removal(everybody, actor=vera, selection={"kind": "query", "query": "q=Member", "count": 5})
    assert change.operations_count == 5
    assert change.selection == {"kind": "query", "query": "q=Member", "count": 5}


def test_a_sliced_query_is_planned_as_sliced(vera, chess):
    m.crowd(5, chess)
    first_two = Participant.objects.order_by("label")[:2]
    assert draft_removal(first_two, actor=vera, selection={"kind": "query", "query": ""}).operations_count == 2


def test_nothing_selected_is_refused_and_recorded(vera):
    with pytest.raises(ChangeRefused) as refused:
        draft_removal(Participant.objects.none(), actor=vera, selection={"kind": "ids", "ids": []})
    assert refused.value.reason == Reason.NOTHING_SELECTED
    assert refusals() == ["nothing_selected"]
    assert not Change.objects.exists()


@pytest.mark.parametrize("role", [Role.VIEWER, Role.APPROVER, Role.AUDITOR])
def test_who_may_not_act_cannot_draft(ada, role):
    with pytest.raises(NotAllowed):
        draft(m.user("tom", role), ada)
    assert refusals() == ["no_right"]
    assert not Change.objects.exists()


def test_a_row_of_a_system_out_of_sight_is_refused_and_recorded(office, ada):
    limited = m.user("limited", systems=[m.system("Club", "mudbase")])
    with pytest.raises(NotAllowed):
        draft(limited, ada)
    assert refusals() == ["not_visible"]
    assert not Operation.objects.exists()


def test_forged_ids_are_refused_even_where_the_page_hid_their_rows(ada, office):
    club = m.system("Club", "mudbase")
    limited = m.user("limited", systems=[club])
    mine = m.participant(m.account("Bea", club), m.group("Chat", club))
    with pytest.raises(NotAllowed):
        draft_removal(m.rows(mine), actor=limited, selection={"kind": "ids", "ids": [str(mine.pk), str(ada.pk)]})
    assert not Operation.objects.exists()


def test_ids_that_are_none_are_a_forged_request(vera, ada):
    with pytest.raises(ChangeRefused) as refused:
        draft_removal(m.rows(ada), actor=vera, selection={"kind": "ids", "ids": ["1 OR 1=1"]})
    assert refused.value.reason == Reason.REQUEST_FORGED


# everywhere


@pytest.fixture
def everywhere(office, nord, ada):
    """Ada in two systems, both known completely."""
    in_nord = m.account("Ada Lovelace", nord, places_read_at=timezone.now())
    m.participant(in_nord, m.group("Board", nord))
    m.participant("Ada?", m.group("Room", nord))
    return m.person("Ada", ada.account, in_nord)


def test_a_person_known_everywhere_is_planned_at_once(vera, everywhere):
    change = draft_removal_everywhere(person=everywhere, actor=vera)
    assert change.compiled_at is not None
    assert [step.subject_label for step in change.operations.all()] == ["Ada Lovelace", "Ada"]
    assert titles.title(change) == "Remove Ada from 2 groups"
    assert not Reading.objects.exists()


def test_an_account_is_removed_from_its_own_system_only(vera, everywhere, ada):
    change = draft_removal_everywhere(account=ada.account, actor=vera)
    assert [step.connection.name for step in change.operations.all()] == ["Office"]


def not_read_for_long(connection):
    connection.read_at = timezone.now() - LONG_AGO
    connection.save()


def test_unknown_places_are_read_first_and_the_draft_waits(vera, everywhere, nord):
    everywhere.accounts.filter(connection=nord).update(places_read_at=None)
    change = draft_removal_everywhere(person=everywhere, actor=vera)
    assert change.compiled_at is None and not change.operations.exists()
    reading = change.readings.get()
    assert (reading.kind, reading.connection, reading.state) == (ReadingKind.PLACES, nord, ReadingState.WANTED)
    assert reading.account == everywhere.accounts.get(connection=nord)
    assert preview(change, actor=vera).is_reading
    assert entry(AuditAction.READING_REQUESTED, change).connection_id == nord.pk
    assert titles.title(change) == "Remove Ada everywhere"


def outdated(everywhere, nord, office, ada):
    not_read_for_long(office)


def never_complete(everywhere, nord, office, ada):
    office.read_at = None
    office.save()


def one_group_never_read(everywhere, nord, office, ada):
    m.group("New", office, read_at=None)


def one_group_incomplete(everywhere, nord, office, ada):
    m.group("Odd", office, incomplete_reason=Reason.PAGE_SHORT)


def places_older_than_the_system(everywhere, nord, office, ada):
    everywhere.accounts.filter(connection=nord).update(places_read_at=nord.read_at - timezone.timedelta(minutes=1))


@pytest.mark.parametrize(
    ("spoil", "asked"),
    [
        (outdated, ["Office"]),
        (never_complete, ["Office"]),
        (one_group_never_read, ["Office"]),
        (one_group_incomplete, ["Office"]),
        (places_older_than_the_system, ["Nord"]),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_is_not_known_completely_is_read(vera, everywhere, nord, office, ada, spoil, asked):
    spoil(everywhere, nord, office, ada)
    change = draft_removal_everywhere(person=everywhere, actor=vera)
    assert [reading.connection.name for reading in change.readings.all()] == asked


def test_a_vanished_group_leaves_nothing_unknown(vera, everywhere, office):
    m.group("Gone", office, read_at=None, is_present=False)
    assert draft_removal_everywhere(person=everywhere, actor=vera).compiled_at is not None


def test_two_accounts_in_a_system_that_only_the_mirror_tells_take_one_reading(vera, office, ada):
    not_read_for_long(office)
    both = m.person("Ada", ada.account, m.account("Ada too", office))
    assert draft_removal_everywhere(person=both, actor=vera).readings.count() == 1


@pytest.fixture
def waiting(vera, everywhere, nord):
    everywhere.accounts.filter(connection=nord).update(places_read_at=None)
    return draft_removal_everywhere(person=everywhere, actor=vera)


def end_reading(change, state, **fields):
    change.readings.update(state=state, ended_at=timezone.now(), **fields)


def test_a_draft_is_compiled_only_when_its_readings_have_ended(waiting):
    assert not compile_ready()
    end_reading(waiting, ReadingState.COMPLETE)
    assert compile_ready()
    waiting.refresh_from_db()
    assert waiting.compiled_at is not None and waiting.operations.count() == 2
    assert not waiting.parts.exclude(unknown_reason="").exists()
    assert not compile_ready()


def test_of_an_account_that_was_linked_while_the_draft_waited_it_is_said_that_its_places_are_not_known(
    waiting, everywhere
):
    club = m.system("Club", "mudbase", read_at=None)
    linked = m.account("Ada L.", club)
    everywhere.accounts.add(linked)
    end_reading(waiting, ReadingState.COMPLETE)
    compile_ready()
    assert [(part.connection, part.unknown_reason) for part in waiting.parts.exclude(unknown_reason="")] == [
        (club, Reason.PLACES_NOT_KNOWN)
    ]


def test_a_draft_that_had_to_wait_is_drafted_in_the_log_once_with_its_author(waiting, vera):
    assert not AuditEntry.objects.filter(action=AuditAction.CHANGE_DRAFTED).exists()
    end_reading(waiting, ReadingState.COMPLETE)
    compile_ready()
    assert entry(AuditAction.CHANGE_DRAFTED, waiting).actor_id == vera.pk


@pytest.mark.parametrize("state", [ReadingState.INCOMPLETE, ReadingState.FAILED])
def test_a_system_that_did_not_tell_all_is_not_known_and_its_known_places_are_planned(waiting, nord, vera, state):
    end_reading(waiting, state, reason=Reason.PAGE_REPEATED)
    compile_ready()
    waiting.refresh_from_db()
    assert [step.connection.name for step in waiting.operations.all()] == ["Nord", "Office"]
    assert waiting.parts.get(connection=nord).unknown_reason == Reason.PAGE_REPEATED
    assert any("more places may exist" in note.text for note in preview(waiting, actor=vera).notes)


def test_a_stopped_system_is_not_waited_for_but_not_known(vera, everywhere, office):
    office.read_at, office.state, office.state_reason = None, ConnectionState.PAUSED, Reason.TOKEN_NOT_ACCEPTED
    office.save()
    change = draft_removal_everywhere(person=everywhere, actor=vera)
    assert change.compiled_at is not None
    assert change.parts.get(connection=office).unknown_reason == Reason.TOKEN_NOT_ACCEPTED


def test_a_system_that_stops_during_the_reading_is_not_waited_for(waiting, nord):
    nord.state, nord.state_reason = ConnectionState.PAUSED, Reason.SIGN_IN_REFUSED
    nord.save()
    assert compile_ready()
    assert waiting.parts.get(connection=nord).unknown_reason == Reason.SIGN_IN_REFUSED


def test_a_draft_that_is_still_read_cannot_be_confirmed(waiting, vera):
    with pytest.raises(ChangeRefused) as refused:
        confirm_change(waiting, actor=vera, reason="left", expected_hash="")
    assert refused.value.reason == Reason.PLAN_NOT_READY


def test_the_preview_says_when_no_worker_can_read(waiting, vera):
    assert any("nothing is read" in note.text for note in preview(waiting, actor=vera).notes)
    WorkerBeat.objects.create(name="here", at=timezone.now())
    assert not any("worker" in note.text for note in preview(waiting, actor=vera).notes)


def test_places_in_systems_out_of_sight_are_no_part_of_the_plan_and_the_preview_says_so(everywhere, office):
    limited = m.user("limited", systems=[office])
    change = draft_removal_everywhere(person=everywhere, actor=limited)
    assert [step.connection.name for step in change.operations.all()] == ["Office"]
    assert change.touches_hidden
    assert any("may not see" in note.text for note in preview(change, actor=limited).notes)


def test_rights_lost_while_it_was_read_leave_nothing_in_the_plan(waiting, vera):
    vera.groups.clear()
    end_reading(waiting, ReadingState.COMPLETE)
    compile_ready()
    assert not waiting.operations.exists()


def test_a_person_without_a_visible_account_is_refused(everywhere):
    limited = m.user("limited", systems=[m.system("Club", "mudbase")])
    with pytest.raises(NotAllowed):
        draft_removal_everywhere(person=everywhere, actor=limited)
    assert not Change.objects.exists()


def test_a_person_who_is_nowhere_gives_a_plan_with_nothing_to_do(vera):
    change = draft_removal_everywhere(person=Person.objects.create(name="Nobody"), actor=vera)
    assert (change.operations_count, titles.title(change)) == (0, "Nobody to remove")


# too old


def test_drafts_whose_time_ran_out_expire_once(vera, ada):
    old, new = draft(vera, ada), draft(vera, ada)
    Change.objects.filter(pk=old.pk).update(stale_at=timezone.now() - timezone.timedelta(seconds=1))
    assert expire_drafts()
    assert not expire_drafts()
    old.refresh_from_db()
    new.refresh_from_db()
    assert (old.state, new.state) == (ChangeState.STALE, ChangeState.DRAFT)
    assert entry(AuditAction.CHANGE_STALE).change_id == old.pk
