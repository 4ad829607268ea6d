import time

from django.utils import timezone

from membership.errors import Reason
from membership.services import changes
from membership.services.change_pages import left_outs
from membership.services.changes import progress
from membership.services.removal import draft_removal_everywhere
from membership.vocab import ChangeState
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
