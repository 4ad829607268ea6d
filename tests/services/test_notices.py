"""Notices: who is told what, once, by which way; sent outside any transaction, tried again, given up in words."""

import smtplib
from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.core import mail
from django.db import connection as database
from django.utils import timezone

from membership.audit import record
from membership.errors import BadValue, Reason
from membership.models import Change, Drift, Notice, NoticeCursor, NoticeEvent, NoticeState, Reach
from membership.operations import outbox
from membership.services import connections, notice_mail, notices
from membership.vocab import AuditAction, Chain, Role
from tests import mirrored as m
from tests.audit.conftest import unguarded  # noqa: F401 - a fixture
from tests.services.asking import confirm, draft

pytestmark = pytest.mark.django_db
HOSTILE = "<b>Eve</b>\r\nBcc: x@example.org"


@pytest.fixture
def scene(settings):
    settings.MUSTERBOOK = {**settings.MUSTERBOOK, "MAILS": True, "NOTICE_DRIFT_ABOVE": 2}

    class Scene:
        office = m.system("Office")
        team = m.group(HOSTILE, office)
        row = m.participant(m.account(HOSTILE, office), team)
        vera, oda = m.user("vera"), m.user("oda", Role.OWNER)

        def addressed(self, *users):
            for user in users:
                user.email = f"{user.username}@example.org"
                user.save()

        def finished(self, state="confirmed"):
            change = confirm(draft(self.vera, self.row), self.vera)
            change.operations.update(state=state, settled_at=timezone.now())
            outbox.close_finished([change.pk])
            return change

    made = Scene()
    made.addressed(made.vera, made.oda)
    notices.collect()
    return made


def told():
    return [(row.user.username, row.event, row.mail) for row in Notice.objects.order_by("pk").select_related("user")]


def sent():
    while notice_mail.send_due():
        pass
    return mail.outbox


def later(minutes=300):
    Notice.objects.update(next_try_at=timezone.now() - timedelta(minutes=minutes))


def test_what_happened_before_anybody_could_be_told_is_no_news(scene):
    assert NoticeCursor.objects.exists()
    assert not notices.collect() and told() == []


def test_whoever_asked_is_told_once_that_the_change_ended(scene):
    scene.finished()
    assert notices.collect() and not notices.collect()
    assert told() == [("vera", "change_done", "none")]
    Change.objects.all()
    scene.row.is_present = True
    scene.finished("refused")
    notices.collect()
    assert told()[1:] == [("vera", "change_failed", "waiting")]


def test_a_mail_holds_a_number_and_a_link_and_nothing_that_a_remote_said(scene, settings):
    change = scene.finished("refused")
    notices.collect()
    (message,) = sent()
    assert message.to == ["vera@example.org"]
    assert message.subject == f"Musterbook: Change {change.pk} ended, and not everything was done."
    assert f"{settings.PUBLIC_URL}/membership/change/{change.pk}/" in message.body
    assert "Eve" not in message.body + message.subject
    assert Notice.objects.get().mail == NoticeState.SENT
    assert len(sent()) == 1


def test_a_stopped_system_is_told_to_those_who_see_it_but_not_to_who_stopped_it(scene):
    club = m.system("Club\r\nBcc: y@example.org", "mudbase")
    limited = m.user("lim", systems=[scene.office])
    viewer = m.user("max", Role.VIEWER)
    scene.addressed(limited, viewer)
    connections.pause(club, reason="x", actor=scene.oda)
    notices.collect()
    assert told() == [("vera", "system_stopped", "waiting")]
    (message,) = sent()
    assert message.subject.startswith("Musterbook: Club Bcc: y@example.org stopped")
    assert "\n" not in message.subject and not message.bcc


def test_drift_above_the_number_is_told_once_a_day_and_an_altered_log_at_once(scene):
    def read():
        entry = record.Entry(AuditAction.READING_FINISHED, connection_id=scene.office.pk, outcome="complete")
        record.write(record.connection_chain(scene.office.pk), [entry])
        notices.collect()

    m.user("max", Role.VIEWER)
    for _number in range(2):
        Drift.objects.create(connection=scene.office, group=scene.team, kind="left", noticed_at=timezone.now())
    read()
    assert told() == []
    Drift.objects.create(connection=scene.office, group=scene.team, kind="left", noticed_at=timezone.now())
    read()
    read()
    assert [row[1] for row in told()] == ["drift", "drift"]
    assert {notices.words(row) for row in Notice.objects.all()} == {
        "3 differences were made outside in Office and wait for a decision."
    }
    record.write(Chain.PANEL, [record.Entry(AuditAction.LOG_VERIFIED, outcome="broken")])
    notices.collect()
    assert {row[0] for row in told() if row[1] == "audit_alarm"} == {"vera", "oda"}


def test_an_entry_that_was_damaged_does_not_keep_the_alarm_from_being_told(scene, unguarded):  # noqa: F811
    column, damage = ("sealed", "CAST(x'ff' AS TEXT)") if database.vendor == "sqlite" else ("at", "'infinity'")
    (entry,) = record.write(Chain.PANEL, [record.Entry(AuditAction.COMMAND_RUN)])
    unguarded(f"UPDATE membership_auditentry SET {column} = {damage} WHERE id = %s", entry.pk)
    record.write(Chain.PANEL, [record.Entry(AuditAction.LOG_VERIFIED, outcome="broken")])
    notices.collect()
    assert {row[0] for row in told()} == {"vera", "oda"}


def test_a_change_that_waits_is_told_to_whoever_may_approve_it_and_never_to_who_asked(scene):
    ann, asker = m.user("ann", Role.APPROVER), m.user("own", Role.OWNER)
    scene.addressed(ann)
    change = draft(asker, scene.row)
    Change.objects.filter(pk=change.pk).update(state="waiting")
    notices.collect()
    notices.collect()
    assert {(name, event) for name, event, _mail in told()} == {
        ("ann", "approval_wanted"), ("oda", "approval_wanted"),
    }  # fmt: skip
    assert Notice.objects.count() == 2


def test_each_user_chooses_and_only_what_may_concern_them(scene):
    chosen = {"email": "neu@example.org", "mail": ["change_done", "approval_wanted"], "panel": []}
    notices.choose(**chosen, actor=scene.vera)
    scene.vera.refresh_from_db()
    assert scene.vera.email == "neu@example.org"
    assert notices.chosen(scene.vera) == (frozenset({"change_done"}), frozenset())
    assert NoticeEvent.APPROVAL_WANTED not in notices.offered(scene.vera)
    scene.finished()
    notices.collect()
    assert told() == [("vera", "change_done", "waiting")]
    assert notices.for_overview(scene.vera) == ([], 0)
    with pytest.raises(BadValue) as refused:
        notices.choose(email="no address\r\nBcc: x", mail=[], panel=[], actor=scene.vera)
    assert refused.value.reason == Reason.BAD_VALUE


def test_who_may_not_see_it_any_more_gets_no_mail(scene):
    scene.finished("refused")
    notices.collect()
    assert len(notices.for_overview(scene.vera)[0]) == 1
    Reach.objects.create(user=scene.vera)
    assert notices.for_overview(get_user_model().objects.get(pk=scene.vera.pk)) == ([], 0)
    assert sent() == []
    assert Notice.objects.get().mail == NoticeState.NONE


def test_a_server_that_fails_is_tried_again_and_given_up_and_the_overview_says_so(scene, monkeypatch, caplog):
    scene.finished("refused")
    notices.collect()
    tries = []

    def fail(_self):
        tries.append(database.in_atomic_block and len(database.savepoint_ids))
        raise smtplib.SMTPServerDisconnected("550 vera@example.org unknown")

    monkeypatch.setattr("django.core.mail.EmailMessage.send", fail)
    for _round in range(10):
        notice_mail.send_due()
        assert not notice_mail.send_due(), "not at once"
        later()
    row = Notice.objects.get()
    assert (row.mail, row.error, len(tries)) == (NoticeState.FAILED, "SMTPServerDisconnected", 6)
    assert set(tries) == {0}, "inside no transaction but that of the test"
    assert "vera@example.org" not in caplog.text
    assert notices.for_overview(scene.oda)[1] == 1 and notices.for_overview(scene.vera)[1] == 0
    assert sent() == []


def test_without_a_mail_server_notices_are_on_the_overview_alone(scene, settings, client):
    settings.MUSTERBOOK = {**settings.MUSTERBOOK, "MAILS": False}
    change = scene.finished("refused")
    notices.collect()
    assert told() == [("vera", "change_failed", "none")]
    client.force_login(scene.vera)
    assert 'hx-get="/notices/shown/"' in client.get("/").content.decode()
    page = client.get("/notices/shown/").content.decode()
    assert f"Change {change.pk} ended, and not everything was done." in page
    client.post("/notices/put_away/")
    assert not client.get("/notices/shown/").content.strip()


def test_the_page_of_ones_own_notices_keeps_what_is_ticked(scene, client):
    client.force_login(scene.vera)
    page = client.get("/notices/").content.decode()
    assert "A change of mine is done: by e-mail" in page and "waits for my approval" not in page
    client.post("/notices/", {"email": "v@example.org", "mail": "change_done", "panel": ["drift"]})
    assert notices.chosen(scene.vera) == (frozenset({"change_done"}), frozenset({"drift"}))
    refused = client.post("/notices/", {"email": "nonsense"}).content.decode()
    assert "it is no address" in refused and 'value="nonsense"' in refused
    assert client.get("/notices/put_away/").status_code == 405


def test_every_event_has_its_words_and_leads_somewhere(scene):
    for event in NoticeEvent:
        row = Notice(event=event, change_id=7, connection=scene.office, count=3)
        assert notices.words(row) and notices.address_of(row).startswith("/membership/")


def test_old_notices_are_forgotten(scene):
    scene.finished()
    notices.collect()
    assert not notices.forget_old()
    Notice.objects.update(at=timezone.now() - timedelta(days=100))
    assert notices.forget_old() and told() == []
