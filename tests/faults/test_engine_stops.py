"""What stops a system stops that system alone, at once, and nothing is done twice when it goes on."""

import os
import threading
import time

import pytest
from django.db import connection as database

from membership.models import AuditEntry, Connection, Operation, Participant
from membership.sandbox.faults import Fault
from membership.services import connections
from membership.vocab import AuditAction, ConnectionState, OperationState
from tests import steps, truth
from tests.hurry import work_in_a_hurry
from tests.world import KAITEN_TOKEN, MUDBASE_PROJECT

CONCURRENCY = 3
LONG = bool(os.environ.get("LONG"))


@pytest.fixture
def crowd(world):
    """A large group at Kaiten and one at Mudbase."""
    kaiten, mudbase = world.sandbox.kaiten.state, world.sandbox.mudbase.state
    uid = kaiten.add_group("Large").uid
    mudbase.add_chat("Many", project=MUDBASE_PROJECT, id="chat_9", admin="usr_own")
    for number in range(24):
        kaiten.add_member(uid, kaiten.add_user(f"Member {number}").id)
        user = mudbase.add_user("Member", f"{number}", project=MUDBASE_PROJECT, id=f"usr_m{number}")
        mudbase.add_participant("chat_9", user.id)
    world.read()
    Connection.objects.update(concurrency=CONCURRENCY, settle_s=0.03, sign_ins=[])
    return world


def everybody_leaves(*groups):
    rows = Participant.objects.filter(group__name__in=groups, label__startswith="Member").select_related("group")
    return steps.confirmed(*(steps.removal(row) for row in rows))


def states(change):
    return set(Operation.objects.filter(change=change).values_list("state", flat=True))


def revoke_after(server, writes, change):
    """Somebody revokes the token while the lane sends."""

    def watch():
        server.journal.wait(lambda entries: sum(entry.is_write for entry in entries) >= writes, 20)
        change()

    server.faults.add(Fault("latency", method="DELETE", seconds=0.03))
    thread = threading.Thread(target=watch)
    thread.start()
    return thread


def after_first_401(server):
    """The requests from the first that was refused on, log-ins and renewals left out."""
    entries = [entry for entry in server.journal.entries if not entry.is_sign_in]
    first = next(place for place, entry in enumerate(entries) if entry.status == 401)
    return entries[first:]


def test_after_the_first_401_no_more_than_what_is_on_its_way_is_sent_and_nothing_lost(crowd, owner):
    kaiten = crowd.sandbox.kaiten
    change = everybody_leaves("Large")
    watching = revoke_after(kaiten, 6, kaiten.state.revoke_all)
    work_in_a_hurry()
    watching.join()
    stopped = Connection.objects.get(pk=crowd.kaiten.pk)
    assert (stopped.state, stopped.state_reason) == (ConnectionState.PAUSED, "token_not_accepted")
    refused = after_first_401(kaiten)
    assert len(refused) <= 1 + CONCURRENCY
    assert states(change) == {OperationState.CONFIRMED, OperationState.QUEUED}

    kaiten.state.issue_token(1, token=KAITEN_TOKEN)
    connections.resume(stopped, actor=owner)
    work_in_a_hurry()
    assert states(change) == {OperationState.CONFIRMED}
    done = [entry.line for entry in kaiten.journal.writes() if entry.status == 200]
    assert len(done) == len(set(done)) == 24
    truth.check_log(Operation.objects.filter(change=change))


def test_a_token_that_runs_out_midway_is_renewed_once_for_all_that_were_refused(crowd):
    mudbase = crowd.sandbox.mudbase
    change = everybody_leaves("Many")
    watching = revoke_after(mudbase, 6, mudbase.state.revoke_all)
    work_in_a_hurry()
    watching.join()
    assert states(change) == {OperationState.CONFIRMED}
    refused = [entry for entry in after_first_401(mudbase) if entry.status == 401]
    assert len(refused) <= 1 + CONCURRENCY
    signed_in = [entry.path for entry in mudbase.journal.entries if entry.is_sign_in]
    # The refresh token was revoked, too: it is tried once, then there is one log-in.
    assert signed_in == ["/api/auth/refresh", "/api/auth/local/login"]
    done = [entry.body for entry in mudbase.journal.writes() if entry.status == 200]
    assert len(done) == len(set(done)) == 24
    truth.check_log(Operation.objects.filter(change=change))


def test_a_renewal_belongs_to_the_lanes_owner_and_is_on_record_once(crowd):
    mudbase = crowd.sandbox.mudbase
    mudbase.state.now = lambda: time.time() + 2 * mudbase.state.switches.token_ttl_s  # what was issued has run out
    everybody_leaves("Many")
    work_in_a_hurry()
    entries = AuditEntry.objects.filter(action=AuditAction.CONNECTION_SIGNED_IN, connection_id=crowd.mudbase.pk)
    assert entries.count() == 2  # the first log-in, and this renewal
    assert [entry.path for entry in mudbase.journal.entries if entry.is_sign_in] == ["/api/auth/refresh"]
    assert 1 <= len([entry for entry in mudbase.journal.writes() if entry.status == 401]) <= CONCURRENCY


def test_a_token_that_was_accepted_since_its_renewal_may_be_renewed_again(crowd):
    """In one push: what a renewal gave was taken for a while, and ran out as well."""
    mudbase = crowd.sandbox.mudbase
    for accepted in (0, 8):
        expired = Fault("status", method="DELETE", status=401, body={"error": "expired"}, after=accepted, times=1)
        mudbase.faults.add(expired)
    change = everybody_leaves("Many")
    work_in_a_hurry()
    assert states(change) == {OperationState.CONFIRMED}
    assert Connection.objects.get(pk=crowd.mudbase.pk).state == ConnectionState.ACTIVE
    assert [entry.path for entry in mudbase.journal.entries if entry.is_sign_in] == ["/api/auth/refresh"] * 2


def seconds_to_empty(server):
    writes = [entry for entry in server.journal.entries if entry.is_write]
    return writes[-1].time - writes[0].time


@pytest.mark.parametrize("trouble", [{"kind": "hang"}, {"kind": "drop_before"}, {"kind": "status", "status": 500}])
def test_a_system_in_trouble_slows_no_other(crowd, trouble):
    """By a tenth at most; a busy machine is given more."""
    kaiten = crowd.sandbox.kaiten
    Connection.objects.update(timeout_s=0.5, rate_per_s=40, burst=1)
    kaiten.faults.add(Fault("latency", method="DELETE", seconds=0.02))
    rows = list(Participant.objects.filter(group__name="Large").select_related("group"))
    alone = steps.confirmed(*(steps.removal(row) for row in rows[:12]))
    crowd.work()
    control = seconds_to_empty(kaiten)
    kaiten.journal.clear()
    crowd.sandbox.mudbase.faults.add(Fault(**trouble))
    together = steps.confirmed(*(steps.removal(row) for row in rows[12:]))
    everybody_leaves("Many")

    def end_with_kaiten():
        if states(together) == {OperationState.CONFIRMED}:
            Connection.objects.filter(pk=crowd.mudbase.pk).update(state=ConnectionState.PAUSED)
        return False

    crowd.work(end_with_kaiten)
    assert states(alone) == states(together) == {OperationState.CONFIRMED}
    assert seconds_to_empty(kaiten) <= control * (1.1 if LONG else 1.5) + 0.05


HOSTILE = [
    '{"id": "\\u0000"}',
    '{"id": "\\ud800"}',
    '{"id": 99999999999999999999999999}',
    '"' + "\\u202e" * 2000 + '"',
    "[" * 50_000,
]


@pytest.mark.parametrize("body", HOSTILE, ids=("NUL", "surrogate", "huge", "backwards", "deep"))
def test_one_hostile_answer_stops_nobody(crowd, body):
    kaiten = crowd.sandbox.kaiten
    kaiten.faults.add(Fault("replace", method="DELETE", after=5, times=1, status=200, body=body))
    change = everybody_leaves("Large")
    work_in_a_hurry()
    assert states(change) == {OperationState.CONFIRMED}
    assert Connection.objects.get(pk=crowd.kaiten.pk).state == ConnectionState.ACTIVE
    assert len(kaiten.journal.written) == len(set(kaiten.journal.written)) == 24
    truth.check_log(Operation.objects.filter(change=change))


def test_a_name_that_cannot_be_stored_keeps_no_reading_from_the_others(crowd):
    kaiten = crowd.sandbox.kaiten
    kaiten.state.change_user(3, full_name="Ada\x00Love\ud800lace")
    kaiten.state.change_user(4, full_name="Ivan the Great")
    Connection.objects.filter(pk=crowd.kaiten.pk).update(next_reading_at=None)
    database.close()
    work_in_a_hurry()
    assert Participant.objects.filter(group__name="Группа 2", label="Ivan the Great").exists()
    truth.check_mirror(crowd)
