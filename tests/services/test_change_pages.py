import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from membership.errors import Reason
from membership.models import Change, Connection, Group, Operation, Participant
from membership.services.change_pages import needs_you, preview, recent_reasons, steps
from membership.services.changes import progress, throw_away
from membership.services.removal import draft_removal
from membership.vocab import ChangeState, ConnectionState, OperationState, Role
from tests import mirrored as m
from tests.services.asking import confirm, draft

pytestmark = pytest.mark.django_db


@pytest.fixture
def chess(office):
    return m.group("Chess", office)


@pytest.fixture
def ada(office, chess):
    return m.participant(m.account("Ada", office), chess)


@pytest.fixture
def running(vera):
    office, club = m.system("Office", rate_per_s=2), m.system("Club", "mudbase", rate_per_s=10)
    m.crowd(6, m.group("Chess", office))
    m.crowd(4, m.group("Chat", club))
    change = draft_removal(Participant.objects.all(), actor=vera, selection={"kind": "query", "query": ""})
    change = confirm(change, vera)
    for position, state in enumerate(["confirmed", "not_needed", "refused", "foreign", "in_doubt"]):
        Operation.objects.filter(change=change, position=position).update(state=state)
    Change.objects.filter(pk=change.pk).update(state=ChangeState.RUNNING)
    change.refresh_from_db()
    return change


def test_progress_counts_states_in_words(running):
    found = progress(running)
    assert (found.total, found.finished, found.remaining, found.needs_decision) == (10, 3, 7, 1)
    assert [tally.word for tally in found.tallies] == [
        "5 planned",
        "1 checking what happened",
        "1 changed by someone else",
        "1 done",
        "1 already gone",
        "1 said no",
    ]


def test_progress_needs_two_queries(running):
    with CaptureQueriesContext(connection) as captured:
        progress(running)
    assert len(captured) == 2


def test_what_is_left_takes_as_long_as_the_slowest_system(running):
    Operation.objects.filter(state=OperationState.IN_DOUBT).update(state=OperationState.CONFIRMED)
    found = progress(running)
    assert [part.left_s for part in found.parts] == [
        None,
        2.5,
    ]  # Club waits for a decision; five in Office at two a second
    assert (found.left_s, found.left) == (2.5, "about 2 s left")


def test_a_change_whose_rest_stands_on_stopped_systems_is_stalled(running):
    part = progress(running).parts[1].connection
    part.state, part.state_reason = ConnectionState.PAUSED, Reason.TOKEN_NOT_ACCEPTED
    part.save()
    assert not progress(running).stalled
    Operation.objects.filter(connection__name="Club").update(state=OperationState.CONFIRMED)
    found = progress(running)
    assert found.stalled and found.left_s is None
    assert found.parts[1].note.startswith("Office is stopped; its steps wait. The system does not accept the token.")


def test_a_change_whose_rest_stands_on_a_system_in_maintenance_is_stalled_and_says_so(running):
    Operation.objects.filter(connection__name="Club").update(state=OperationState.CONFIRMED)
    Connection.objects.filter(name="Office").update(state=ConnectionState.MAINTENANCE)
    found = progress(running)
    assert found.stalled and found.left_s is None
    assert found.parts[1].note == "Office is in maintenance; its steps wait until it is resumed."


def test_a_finished_change_is_not_stalled_and_has_no_notes(running):
    running.state = ChangeState.DONE
    Operation.objects.update(state=OperationState.CONFIRMED)
    found = progress(running)
    assert not found.stalled and found.left == "" and {part.note for part in found.parts} == {""}


def test_a_slowed_system_says_for_how_long(running):
    office = progress(running).parts[1].connection
    office.slowed_until = timezone.now() + timezone.timedelta(seconds=12.4)
    office.save()
    assert "Office is slowed down: it rests for 12 s, the other systems go on." in progress(running).parts[1].note


def test_steps_can_be_filtered_and_searched(running):
    assert steps(running).count() == 10
    assert [step.position for step in steps(running, state="refused")] == [2]
    office = progress(running).parts[1].connection
    assert steps(running, connection_id=office.pk).count() == 6
    assert steps(running, group_id=Group.objects.get(name="Chat").pk).count() == 4
    assert steps(running, search="chess member 00003").count() == 1


def test_a_page_of_steps_is_one_query(running):
    with CaptureQueriesContext(connection) as captured:
        for step in steps(running):
            str((step.connection.name, step.group.name, step.participant.label, step.account.person, step.change.state))
    assert len(captured) == 1


def test_what_needs_a_person_stands_apart(running):
    assert [step.state for step in needs_you(running)] == ["foreign", "refused"]


def test_the_preview_speaks_of_each_system(vera, running):
    found = preview(running, actor=vera)
    assert [(part.part.operations_count, part.heading, part.takes) for part in found.parts] == [
        (4, "from 1 group in Club", "about 1 s at 10 per second"),
        (6, "from 1 group in Office", "about 3 s at 2 per second"),
    ]


def test_of_a_system_in_which_nothing_is_done_no_groups_are_told(vera, ada):
    club = m.participant(
        m.account("Bo", m.system("Club", "mudbase")), m.group("Chat", Connection.objects.get(name="Club"))
    )
    Group.objects.filter(pk=club.group_id).update(is_protected=True)
    found = preview(draft(vera, ada, club), actor=vera)
    assert [(part.part.operations_count, part.heading) for part in found.parts] == [
        (0, "in Club"),
        (1, "from 1 group in Office"),
    ]


def test_the_preview_names_archived_groups_and_those_not_read_completely(vera, office):
    ada = m.account("Ada", office)
    rows = [
        m.participant(ada, m.group("Old", office, archived=True)),
        m.participant(ada, m.group("Odd", office, incomplete_reason=Reason.PAGE_SHORT)),
    ]
    notes = [note.text for note in preview(draft(vera, *rows), actor=vera).notes]
    assert "Archived, and changed all the same: Old." in notes
    assert "Not read completely, so others may be there: Odd." in notes


def test_only_a_ready_preview_with_something_to_do_offers_to_confirm(vera, ada):
    change = draft(vera, ada)
    assert preview(change, actor=vera).may_confirm
    assert not preview(change, actor=m.user("tom", Role.VIEWER)).may_confirm
    throw_away(change, actor=vera)
    change.refresh_from_db()
    assert not preview(change, actor=vera).may_confirm


def test_recent_reasons_are_the_actors_own_first_each_once(vera, office, chess):
    tom = m.user("tom")
    for number, (actor, reason) in enumerate([(tom, "Moved"), (vera, "Left"), (vera, "Season ended"), (vera, "Left")]):
        confirm(draft(actor, m.participant(m.account(f"N{number}", office), chess)), actor, reason=reason)
    assert recent_reasons(vera) == ["Left", "Season ended", "Moved"]
    assert recent_reasons(m.user("limited", systems=[m.system("Club", "mudbase")])) == []
