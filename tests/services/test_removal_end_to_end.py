import threading
import time

from django.db import connection
from django.utils import timezone

from membership.errors import ChangeRefused, Reason
from membership.models import AuditEntry
from membership.services import changes
from membership.services.change_pages import left_outs
from membership.services.changes import progress
from membership.services.removal import draft_removal_everywhere
from membership.vocab import AuditAction, ChangeState, ReadingState
from tests import mirrored as m
from tests.services.asking import confirm, draft


def test_asked_in_the_panel_done_by_the_worker(world):
    vera = m.user("vera")
    world.read()
    change = draft(vera, world.row("Zoë Müller", "Chess club"), world.row("Ada Lovelace", "Группа 2"))
    confirm(change, vera)
    world.work(changes.compile_ready, changes.expire_drafts)
    assert world.state_of(change) == ChangeState.DONE
    assert progress(change).finished == 2


def test_everywhere_reads_what_is_not_known_and_then_removes_all_of_it(world):
    vera = m.user("vera")
    world.read()
    accounts = [world.account("Ada Lovelace", system) for system in world.connections]
    person = world.link("Ada", *accounts)
    person.accounts.update(places_read_at=None)
    for system in world.connections:
        type(system).objects.filter(pk=system.pk).update(read_at=timezone.now() - timezone.timedelta(days=2))
    change = draft_removal_everywhere(person=person, actor=vera)
    assert change.readings.count() == 3
    deadline = time.monotonic() + 20
    while change.compiled_at is None and time.monotonic() < deadline:
        world.work(changes.compile_ready)
        change.refresh_from_db()
    labels = sorted((step.connection.name, step.group.name) for step in change.operations.select_related("group"))
    assert labels == [("Club app", "Trainers"), ("Office", "Группа 2")]
    assert sorted(row.reason for row in left_outs(change)) == [Reason.LAST_MANAGER, Reason.LAST_MANAGER]
    assert not change.parts.exclude(unknown_reason="").exists()


def test_two_who_confirm_at_once_queue_it_once(fresh_db):
    vera = m.user("vera")
    office = m.system()
    row = m.participant(m.account("Ada", office), m.group("Chess", office))
    change = draft(vera, row)
    both_ready, outcomes = threading.Barrier(2), []

    def confirm_now():
        both_ready.wait(timeout=10)
        try:
            outcomes.append(confirm(change, vera).state)
        except ChangeRefused as error:
            outcomes.append(error.reason)
        finally:
            connection.close()

    threads = [threading.Thread(target=confirm_now) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert sorted(outcomes) == sorted([ChangeState.QUEUED, Reason.ALREADY_CONFIRMED])
    assert AuditEntry.objects.filter(action=AuditAction.CHANGE_REQUESTED).count() == 1


def test_a_draft_is_compiled_once_however_many_workers_look(fresh_db):
    vera = m.user("vera")
    office = m.system(read_at=None)
    ada = m.account("Ada", office)
    m.participant(ada, m.group("Chess", office))
    change = draft_removal_everywhere(account=ada, actor=vera)
    change.readings.update(state=ReadingState.COMPLETE)
    both_ready = threading.Barrier(2)

    def look():
        both_ready.wait(timeout=10)
        try:
            changes.compile_ready()
        finally:
            connection.close()

    threads = [threading.Thread(target=look) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert change.operations.count() == 1
    assert AuditEntry.objects.filter(action=AuditAction.CHANGE_DRAFTED).count() == 1
