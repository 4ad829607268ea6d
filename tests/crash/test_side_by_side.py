"""A worker that sends and reads as fast as it can, beside people at the panel: none waits long, and it can be ended."""

import os
import signal
import time

import pytest
from django.db import connection
from django.urls import reverse

from membership.models import AuditEntry, Connection, Operation, Participant, Person
from membership.sandbox.faults import Fault
from membership.vocab import AuditAction, OperationState
from tests.crash.storage import wait_until
from tests.operations.conftest import ask
from tests.world import MUDBASE_PROJECT

LONG = bool(os.environ.get("LONG"))
pytestmark = [pytest.mark.crash, pytest.mark.timeout(600 if LONG else 120)]

PEOPLE, WRITES = (4000, 400) if LONG else (1000, 50)
LONGEST_S = 1.0
BUSY = 1.0 if LONG else 2.0
"""The short form runs beside other tests on few cores."""


def fill(world, people):
    """A large group at Kaiten, from which everybody leaves, and one at Mudbase, which is read for the first time."""
    kaiten, mudbase = world.sandbox.kaiten.state, world.sandbox.mudbase.state
    uid = kaiten.add_group("Large").uid
    for number in range(people):
        kaiten.add_member(uid, kaiten.add_user(f"Member {number}").id)
    world.read()
    mudbase.add_chat("Many", project=MUDBASE_PROJECT, id="chat_9", admin="usr_own")
    for number in range(people):
        user = mudbase.add_user("Member", f"{number}", project=MUDBASE_PROJECT, id=f"usr_m{number}")
        mudbase.add_participant("chat_9", user.id)
    change = ask(*Participant.objects.filter(group__name="Large"))
    # As many a second as leave time for pages to write beside them, and a hundred times what the vendor allows.
    Connection.objects.update(next_reading_at=None, rate_per_s=250)
    return change


def left(change):
    return Operation.objects.filter(change=change, state__in=OperationState.open()).count()


def test_pages_write_within_a_second_while_a_worker_sends_and_reads(world, client, owner, start):
    """Each write of a page is its own transaction, with its audit entry, under the disk's full synchronisation."""
    change = fill(world, PEOPLE)
    client.force_login(owner)
    people = [Person.objects.create(name=f"Person {number}") for number in range(10)]
    connection.close()
    worker = start(until_idle=False)
    wait_until(lambda: AuditEntry.objects.filter(action=AuditAction.OPERATION_CONFIRMED).exists())
    took = []
    while left(change) and len(took) < WRITES:
        person = people[len(took) % len(people)]
        began = time.monotonic()
        verb = "unprotect" if len(took) // len(people) % 2 else "protect"
        answer = client.post(reverse(f"admin:membership_person_{verb}", args=[person.pk]), {"note": "the chair"})
        took.append(time.monotonic() - began)
        assert answer.status_code == 302, answer.content
        time.sleep(0.02)
    assert len(took) >= 10
    assert sorted(took)[-1] <= LONGEST_S * BUSY, sorted(took)[-5:]
    assert sorted(took)[len(took) // 2] <= LONGEST_S / 4 * BUSY
    wait_until(lambda: Participant.objects.filter(group__name="Many").exists(), 60)
    worker.signal(signal.SIGTERM)
    worker.finish()


def test_a_worker_that_is_told_to_end_records_or_returns_what_it_began(world, start):
    """Some answers come late, some calls wait for their turn under the limit, a reading is under way."""
    change = fill(world, 60)
    Connection.objects.update(rate_per_s=8, burst=1, concurrency=8, settle_s=30)
    world.sandbox.kaiten.faults.add(Fault("latency", method="DELETE", seconds=1.0))
    connection.close()
    worker = start(until_idle=False)
    sent = world.sandbox.kaiten.journal
    assert sent.wait(lambda entries: sum(entry.is_write for entry in entries) > 4, 20)
    began = time.monotonic()
    worker.signal(signal.SIGTERM)
    worker.finish(15)
    assert time.monotonic() - began < 10
    steps = list(Operation.objects.filter(change=change))
    known = {OperationState.CONFIRMED, OperationState.QUEUED, OperationState.PLANNED}
    assert {step.state for step in steps} <= known
    confirmed = sum(step.state == OperationState.CONFIRMED for step in steps)
    assert confirmed == len(sent.written) > 4
    returned = AuditEntry.objects.filter(action=AuditAction.OPERATION_RETURNED)
    assert set(returned.values_list("outcome", flat=True)) <= {"not_started"}
    assert returned.count() == sum(step.attempts for step in steps) - confirmed
    assert not AuditEntry.objects.filter(action=AuditAction.OPERATION_IN_DOUBT).exists()
