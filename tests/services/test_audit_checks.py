import json
import threading
from datetime import timedelta

import pytest
from django.utils import timezone

from membership import tasks
from membership.audit import anchoring, record
from membership.audit.triggers import ENTRIES
from membership.errors import ChangeRefused, NotAllowed, Reason
from membership.models import AuditCheck, AuditEntry
from membership.services import anchor_sinks, audit_checks
from membership.services.command_line import record_command
from membership.vocab import AuditAction
from tests.audit.conftest import anchored, unguarded  # noqa: F401 - fixtures


def finish(seconds=30):
    """What a worker does when a check waits."""
    audit_checks.work()
    audit_checks._Checker._thread.join(seconds)
    assert not audit_checks._Checker._thread.is_alive()


def test_an_auditor_asks_and_the_worker_does_it(fresh_db, auditor):
    asked = audit_checks.ask_check(actor=auditor)
    assert audit_checks.latest() == (asked, None)
    tasks.run_worker(threading.Event(), until_idle=True)
    under_way, done = audit_checks.latest()
    assert (under_way, done, done.is_whole, done.entries) == (None, asked, True, 1)
    wanted, verified = AuditEntry.objects.order_by("pk")
    assert (wanted.action, verified.action) == ("log.verification_requested", "log.verified")
    assert (verified.actor_id, verified.outcome) == (auditor.pk, "whole")


def test_what_does_not_hold_is_kept_in_words(fresh_db, auditor, settings):
    audit_checks.ask_check(actor=auditor)
    settings.AUDIT_KEYS = {"t2": settings.AUDIT_KEYS["t1"]}
    finish()
    done = audit_checks.latest()[1]
    assert not done.is_whole
    assert "panel #1: it was sealed with the key “t1”" in done.faults[0]


def test_one_is_enough(any_db, auditor):
    audit_checks.ask_check(actor=auditor)
    with pytest.raises(ChangeRefused) as refused:
        audit_checks.ask_check(actor=auditor)
    assert refused.value.reason == Reason.BEING_VERIFIED
    assert AuditEntry.objects.filter(action="request.refused").count() == 1


def test_it_needs_the_right_to_read_the_log(any_db, viewer):
    with pytest.raises(NotAllowed):
        audit_checks.ask_check(actor=viewer)
    assert not AuditCheck.objects.exists()


@pytest.mark.parametrize("when", [timedelta(seconds=-61), timedelta(days=1)], ids=["before", "clock set back since"])
def test_one_whose_worker_died_is_begun_anew_and_one_that_lives_is_not(fresh_db, auditor, when):
    check = audit_checks.ask_check(actor=auditor)
    AuditCheck.objects.update(beat_at=timezone.now() - timedelta(seconds=30))
    assert not audit_checks.work()
    AuditCheck.objects.update(beat_at=timezone.now() + timedelta(seconds=30))
    assert not audit_checks.work(), "another machine's clock is ahead"
    AuditCheck.objects.update(beat_at=timezone.now() + when)
    finish()
    assert audit_checks.latest()[1] == check


def test_its_progress_can_be_seen(fresh_db, auditor, monkeypatch):
    check = audit_checks.ask_check(actor=auditor)
    goes_on, verify = threading.Event(), audit_checks.verify.verify

    def slow(*, progress, since):
        progress(1)
        assert goes_on.wait(20)
        return verify(progress=progress, since=since)

    monkeypatch.setattr(audit_checks.verify, "verify", slow)
    monkeypatch.setattr(audit_checks, "BEAT_EVERY", timedelta(seconds=0.02))
    check.total = 4
    check.save()
    assert audit_checks.work()
    try:
        for _ in range(500):
            check.refresh_from_db()
            if check.done:
                break
            threading.Event().wait(0.02)
        assert check.percent == 25
        assert audit_checks.work()
    finally:
        goes_on.set()
    finish()
    assert audit_checks.latest()[1].is_whole


def test_at_the_command_line_the_name_of_the_machines_user_is_kept(any_db):
    audit_checks.verify_log()
    assert audit_checks.latest()[1].asked_by
    row = AuditEntry.objects.get(action=AuditAction.LOG_VERIFIED)
    assert "os_user" in json.loads(record.AuditPersonal.objects.get(pk=row.pk).data)


def test_a_look_at_what_is_new_does_not_say_that_the_log_is_whole(any_db, anchored, unguarded):  # noqa: F811
    for name in ("first", "second"):
        record_command(name, {})
        anchoring.make()
    anchor_sinks.send()
    unguarded(f"UPDATE {ENTRIES} SET outcome = 'x' WHERE seq = 1")
    audit_checks.verify_log()
    assert audit_checks.verify_log(since=2).is_whole
    (fault,) = audit_checks.latest()[1].faults
    assert fault.startswith("panel #1: its column “outcome” was altered.")
    sealed = AuditEntry.objects.filter(action=AuditAction.LOG_VERIFIED).latest("pk").sealed
    assert json.loads(sealed)["data"]["since"] == 2
    unguarded(f"UPDATE {ENTRIES} SET outcome = 'x' WHERE seq = 2")
    assert not audit_checks.verify_log(since=2).is_whole
    assert "panel #2" in audit_checks.latest()[1].faults[0]


@pytest.mark.parametrize("how", ["a folder", "an entry of an erasure that cannot be read"])
def test_what_lies_beside_the_archives_does_not_end_the_look(any_db, anchored, unguarded, tmp_path, how):  # noqa: F811
    left = tmp_path / "archive" / "panel-1-2.jsonl.new"
    left.mkdir(parents=True)
    if how != "a folder":
        left.rmdir()
        left.write_text("x")
        record_command("x", {})
        unguarded(f"UPDATE {ENTRIES} SET sealed = '[', action = 'person.erased'")
    report = audit_checks.verify_log()
    assert report.is_whole == (how == "a folder")
    assert audit_checks.latest()[1] is not None


def test_who_looks_costs_one_query(any_db, django_assert_num_queries):
    audit_checks.verify_log()
    with django_assert_num_queries(1):
        assert audit_checks.latest()[1].is_whole
