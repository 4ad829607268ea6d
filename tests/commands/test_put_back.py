"""What a backup that is put back means for what goes on: steps on their way, and a log that was cut off."""

from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from membership import conf
from membership.audit import anchoring, archives, cutting, verify
from membership.errors import ChangeRefused, Reason
from membership.models import AuditEntry, WorkerBeat
from membership.services import anchor_sinks, audit_log, audit_retention, ending_removals
from membership.services.approval import approve_change
from membership.services.changes import confirm_change
from membership.services.removal import draft_removal
from membership.services.staging import resume_change
from membership.vocab import ChangeState, Guard, Role
from tests import mirrored
from tests.audit.conftest import anchored  # noqa: F401 - a fixture
from tests.commands.test_backup import asides_go, names, note, run  # noqa: F401 - fixtures
from tests.guards import asks
from tests.hurry import work_in_a_hurry
from tests.services.test_endings import added, is_there, removals, the_day_is_over, today, vera, waits_for  # noqa: F401
from tests.world import GROUP_UID

# what was on its way


def is_in_trainers(state, user):
    return any(member.user == user for member in state.members.where("chat", "chat_2"))


def test_what_was_sent_after_the_backup_is_not_sent_once_more_unasked(world, operator, anchored, tmp_path):  # noqa: F811
    """Zoë is removed after the backup, and then put back by somebody over there: a second removal would be wrong."""
    file, state = tmp_path / "x.backup", world.sandbox.mudbase.state
    world.read()
    zoe = world.row("Zoë Müller", "Trainers")
    change = draft_removal(mirrored.rows(zoe), actor=operator, selection=mirrored.ids(zoe))
    confirm_change(change, actor=operator, reason="told", expected_hash=change.plan_hash)
    run("backup", str(file))
    world.work()
    assert not is_in_trainers(state, "usr_zoe")
    state.add_participant("chat_2", "usr_zoe")
    WorkerBeat.objects.all().delete()
    code, said = run("restore", str(file), "--replace")
    assert code == 0, said
    assert "not done then: 1." in said
    change.refresh_from_db()
    assert (change.state, change.pause_reason) == (ChangeState.PAUSED, Reason.BACKUP_PUT_BACK)
    assert AuditEntry.objects.filter(action="change.paused", change_id=change.pk).count() == 1
    world.work()
    assert is_in_trainers(state, "usr_zoe")
    resume_change(change, actor=operator)
    world.work()
    assert not is_in_trainers(state, "usr_zoe")


@pytest.mark.usefixtures("anchored")
def test_what_waited_to_be_approved_or_confirmed_then_may_be_done_since(world, make_user, client, tmp_path):
    file, operator, approver = tmp_path / "x.backup", make_user("vera", Role.OPERATOR), make_user("pia", Role.APPROVER)
    asks(Guard.EVERY_CHANGE)
    world.read()
    zoe = world.row("Zoë Müller", "Trainers")
    shown, waiting = (draft_removal(mirrored.rows(zoe), actor=operator, selection=mirrored.ids(zoe)) for _ in range(2))
    confirm_change(waiting, actor=operator, reason="told", expected_hash=waiting.plan_hash)
    run("backup", str(file))
    approve_change(waiting, actor=approver, expected_hash=waiting.plan_hash)
    world.work()
    world.sandbox.mudbase.state.add_participant("chat_2", "usr_zoe")
    WorkerBeat.objects.all().delete()
    code, said = run("restore", str(file), "--replace")
    assert code == 0, said
    assert "waited for approval then: 2." in said
    with pytest.raises(ChangeRefused) as refused:
        approve_change(waiting, actor=approver, expected_hash=waiting.plan_hash)
    assert refused.value.reason == Reason.PLAN_STALE
    with pytest.raises(ChangeRefused) as refused:
        confirm_change(shown, actor=operator, reason="told", expected_hash=shown.plan_hash)
    assert refused.value.reason == Reason.PLAN_STALE
    client.force_login(operator)
    page = client.get(f"/membership/change/{waiting.pk}/").content.decode()
    assert "Whether this was confirmed or approved after that, and done, is not known here" in page
    gone = AuditEntry.objects.filter(action="change.expired", outcome=Reason.BACKUP_KNOWS_NO_MORE)
    assert sorted(gone.values_list("change_id", flat=True)) == [shown.pk, waiting.pk]
    assert "A backup of 20" in audit_log.lines(gone)[0].sentence


@pytest.mark.usefixtures("added", "anchored")
def test_an_end_date_that_was_over_when_a_backup_was_put_back_waits_for_somebody(world, vera, tmp_path):  # noqa: F811
    file, state = tmp_path / "x.backup", world.sandbox.kaiten.state
    the_day_is_over()
    run("backup", str(file))
    ending_removals.act_on_due()
    work_in_a_hurry()
    assert not is_there()
    state.add_member(GROUP_UID, 6)
    world.read()
    assert is_there()
    WorkerBeat.objects.all().delete()
    assert run("restore", str(file), "--replace")[0] == 0
    ending_removals.act_on_due()
    (removal,) = removals()
    assert removal.state == ChangeState.DRAFT
    assert waits_for(vera) == [removal.pk]


# backups and cuts


@pytest.fixture
def old_log(fresh_db, anchored):  # noqa: F811
    """Ada long ago, Bob lately, an anchor for each."""
    long_ago = timezone.now() - timedelta(days=400)
    note("Ada")
    anchoring.make(now=long_ago)
    note("Bob")
    anchoring.make()
    anchor_sinks.send()


def first_seq():
    return AuditEntry.objects.filter(chain="panel").order_by("seq").values_list("seq", flat=True).first()


def test_a_backup_from_before_a_cut_holds_what_was_cut_off_and_is_cut_again(old_log, tmp_path):
    file = tmp_path / "before.backup"
    run("backup", str(file))
    assert run("audit", "cut", "--days", "365")[0] == 0
    note("Cem")
    anchoring.make()
    anchor_sinks.send()
    code, said = run("restore", str(file), "--replace")
    assert code == 0, said
    assert (first_seq(), names()) == (1, ["Ada", "Bob"])
    code, said = run("audit", "cut", "--days", "365")
    assert (code, first_seq()) == (0, 2), said
    assert run("audit", "verify")[0] == 0
    anchoring.make()
    assert len(audit_retention.cut_log(days=0)) == 1
    assert verify.verify().is_whole


def test_a_backup_says_that_archives_are_not_in_it(old_log, tmp_path):
    assert "archives" not in run("backup", str(tmp_path / "x.backup"))[1]
    run("audit", "cut", "--days", "365")
    assert f"{conf.archive_dir()} are not in it" in run("backup", str(tmp_path / "x.backup"))[1]


def test_a_backup_from_after_a_cut_goes_on_from_there(old_log, tmp_path):
    file = tmp_path / "after.backup"
    assert run("audit", "cut", "--days", "365")[0] == 0
    run("backup", str(file))
    note("Cem")
    anchoring.make()
    anchor_sinks.send()
    code, said = run("restore", str(file), "--replace")
    assert code == 0, said
    assert (first_seq(), names()) == (2, ["Ada", "Bob"])
    anchoring.make()
    assert len(audit_retention.cut_log(days=0)) == 1
    assert verify.verify().is_whole
    assert archives.missing() == []


def test_a_backup_from_the_middle_of_a_cut_is_whole(old_log, tmp_path, monkeypatch):
    file = tmp_path / "middle.backup"
    with monkeypatch.context() as patched:
        patched.setattr(cutting, "_delete_some", lambda _row: 0)
        audit_retention.cut_log(days=365)
    run("backup", str(file))
    code, said = run("restore", str(file), "--replace")
    assert code == 0, said
    assert first_seq() == 1
    run("audit", "cut", "--days", "365")
    assert (first_seq(), verify.verify().is_whole) == (2, True)


def test_archives_that_another_state_made_are_not_overwritten_after_a_restore(old_log, tmp_path):
    """The same numbers are other entries now."""
    file = tmp_path / "early.backup"
    run("backup", str(file))
    note("Cem")
    note("Dee")
    anchoring.make()
    anchor_sinks.send()
    made = audit_retention.cut_log(days=0)
    before = made[0].path.read_bytes()
    assert run("restore", str(file), "--replace")[0] == 0
    while AuditEntry.objects.filter(chain="panel").count() < made[0].last:
        note("Eve")
    newest = AuditEntry.objects.get(chain="panel", seq=made[0].last)
    assert newest.mac != made[0].mac
    anchoring.make()
    with connection.cursor() as cursor:
        cursor.execute("SELECT max(seq) FROM membership_audithead WHERE chain = 'panel'")
        assert cursor.fetchone()[0] == made[0].last
    with pytest.raises(ChangeRefused):
        audit_retention.cut_log(days=0)
    assert made[0].path.read_bytes() == before
