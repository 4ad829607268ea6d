import pytest
from django.utils import timezone

from membership.audit import verify
from membership.models import AnchorSink, AuditCheck, AuditCut, AuditEntry
from membership.services import audit_checks, audit_facets, audit_retention
from membership.vocab import AuditAction
from tests import mirrored
from tests.services.test_audit_log import put

LOG = "/membership/auditentry/"


def test_the_log_says_that_nobody_verified_it_and_an_auditor_can(as_, auditor):
    client = as_(auditor)
    assert "Nobody has verified this log yet." in client.get(LOG).content.decode()
    assert client.post(f"{LOG}verify/").status_code == 302
    page = client.get(LOG).content.decode()
    assert "It waits for the worker; asked for by <bdi>auditor</bdi>." in page
    assert 'hx-trigger="every 2s"' in page
    AuditCheck.objects.update(beat_at=timezone.now(), done=1, total=3)
    assert "33 % so far" in client.get(LOG).content.decode()


def test_the_log_says_when_and_by_whom_it_was_verified_last(as_, auditor):
    audit_checks.verify_log()
    page = as_(auditor).get(LOG).content.decode()
    assert "The log is whole." in page
    assert f"by <bdi>{audit_checks.os_user()}</bdi>" in page


def test_what_does_not_hold_is_told(as_, auditor):
    faults = ["panel #7: bad (70)", "connection:5 #2: worse (71)", "The trigger x is missing."]
    mirrored.system("Chat", pk=5)
    AuditCheck.objects.create(asked_at=timezone.now(), ended_at=timezone.now(), asked_by="x", faults=faults)
    page = as_(auditor).get(LOG).content.decode()
    assert "The log does not hold: 3 faults." in page
    assert f'<li><bdi>Panel #7: bad</bdi> <a class="mu-link" href="{LOG}70/">Entry 70</a></li>' in page
    assert f'<li><bdi>Chat #2: worse</bdi> <a class="mu-link" href="{LOG}71/">Entry 71</a></li>' in page
    assert "<li><bdi>The trigger x is missing.</bdi></li>" in page


def test_a_sink_that_fails_is_told_beside_the_log(as_, auditor):
    now = timezone.now()
    AnchorSink.objects.create(name="command", tried_at=now, failing_since=now, problem="The command ended with code 3.")
    assert "The command ended with code 3." in as_(auditor).get(LOG).content.decode()


def test_what_was_cut_off_is_not_told_as_never_there(as_, auditor):
    club = mirrored.system("Chess app")
    timeline = f"{LOG}of/connection/{club.pk}/"
    client = as_(auditor)
    assert "Nothing is in the log about this yet." in client.get(timeline).content.decode()
    assert "are in archives" not in client.get(LOG).content.decode()
    AuditCut.objects.create(chain="panel", seq=7, mac="00", at=timezone.now())
    assert "Nothing is left in the log about this." in client.get(timeline).content.decode()
    for address in (timeline, LOG):
        assert "Older entries are in archives" in client.get(address).content.decode()


def test_an_old_link_to_an_entry_that_was_cut_off_says_so(as_, auditor, stranger):
    now = timezone.now()
    kept = AuditEntry(pk=1_000_000, chain="panel", seq=8, at=now, action=AuditAction.LOG_CUT, sealed="{}", mac="00")
    AuditEntry.objects.bulk_create([kept])
    address = f"{LOG}7/"
    assert not audit_retention.is_cut_off(7)
    AuditCut.objects.create(chain="panel", seq=7, mac="00", at=now)
    answer = as_(auditor).get(address)
    assert answer.status_code == 404
    assert "it was cut off" in answer.content.decode()
    assert "it was cut off" not in as_(stranger).get(address, follow=True).content.decode()


def test_each_word_and_term_of_a_search_can_be_taken_away_by_itself(as_, auditor):
    page = as_(auditor).get(LOG, {"q": 'ada "chess club" action:refused', "chain": "panel"}).content.decode()
    for rest in ("%22chess+club%22+action%3Arefused", "ada+action%3Arefused", "ada+%22chess+club%22"):
        assert f'href="?chain=panel&amp;q={rest}"' in page


def test_an_entry_names_what_it_is_about_and_what_is_gone_leads_to_its_other_entries(as_, auditor):
    club = mirrored.system("Chess app")
    row = put(AuditAction.CONNECTION_RESUMED, connection_id=club.pk, person_id=77)
    page = as_(auditor).get(f"{LOG}{row.pk}/").content.decode()
    assert f'href="/membership/connection/{club.pk}/"><bdi>Chess app (system {club.pk})</bdi></a>' in page
    assert f'href="{LOG}?person_id=77"><bdi>person 77</bdi></a>' in page
    assert '<span class="mu-tag mu-tag-good">fits</span>' in page


def test_what_was_not_confirmed_is_no_after(as_, auditor):
    states = {"before": {"is_present": True}, "after": {"is_present": False}}
    refused, done = (
        put(action, personal=states) for action in (AuditAction.OPERATION_REFUSED, AuditAction.OPERATION_CONFIRMED)
    )
    assert '<th scope="col">Wanted</th>' in as_(auditor).get(f"{LOG}{refused.pk}/").content.decode()
    assert '<th scope="col">After</th>' in as_(auditor).get(f"{LOG}{done.pk}/").content.decode()


def test_an_entry_in_the_list_leads_to_its_change(as_, auditor):
    put(AuditAction.CHANGE_FINISHED, change_id=4)
    put(AuditAction.CHANGE_REQUESTED, change_id=5)
    page = as_(auditor).get(LOG).content.decode()
    assert page.count("/membership/change/4/") == 1
    assert 'href="/membership/change/4/">Change 4</a> is finished' in page
    assert 'href="/membership/change/5/">change 5</a>' in page


def test_of_many_faults_the_first_are_told_and_how_many_more_there_are(as_, auditor, monkeypatch):
    found = [verify.Fault("panel", number, None, "bad") for number in range(1, 36)]
    monkeypatch.setattr(audit_checks.verify, "verify", lambda **_asked: verify.Report(faults=found))
    audit_checks.verify_log()
    page = as_(auditor).get(LOG).content.decode()
    assert "The log does not hold: 35 faults." in page
    assert (page.count(": bad"), "15 more:" in page) == (20, True)


def test_what_is_no_fault_and_must_be_known_is_told_beside_the_log(as_, auditor, monkeypatch):
    told = verify.Report(notes=["There is no file <b>here</b>."])
    monkeypatch.setattr(audit_checks.verify, "verify", lambda **_asked: told)
    audit_checks.verify_log()
    page = as_(auditor).get(LOG).content.decode()
    assert "The log is whole." in page
    assert "There is no file &lt;b&gt;here&lt;/b&gt;." in page


@pytest.mark.parametrize("who", ["viewer", "stranger"])
def test_whoever_may_not_read_the_log_cannot_have_it_verified(as_, request, who):
    assert as_(request.getfixturevalue(who)).post(f"{LOG}verify/").status_code in (302, 403)
    assert not AuditCheck.objects.exists()


def test_it_needs_a_post(as_, auditor):
    assert as_(auditor).get(f"{LOG}verify/").status_code == 405


def test_a_list_of_the_newest_alone_says_so_also_where_there_is_nothing_to_count(as_, auditor, monkeypatch):
    monkeypatch.setattr(audit_facets, "BOUND", 2)
    for _number in range(3):
        put(AuditAction.GROUP_PROTECTED)
    page = as_(auditor).get(f"{LOG}?action={AuditAction.GROUP_PROTECTED}").content.decode()
    assert "mu-facet" not in page
    assert "Counted and listed are the newest 2." in page


@pytest.mark.parametrize(("format", "ending"), [("jsonl", "jsonl"), ("csv-proof", "csv")])
def test_a_search_can_be_downloaded_with_its_proof(as_, auditor, format, ending):
    audit_checks.verify_log()
    client = as_(auditor)
    assert "JSON Lines with proof" in client.get(LOG).content.decode()
    answer = client.post(f"{LOG}export/?action=log.verified", {"format": format})
    assert f'.{ending}"' in answer["Content-Disposition"]
    data = b"".join(answer.streaming_content).decode()
    assert data.count("log.verified") >= 1
    assert "session.started" not in data
    assert AuditEntry.objects.get(action="export.made").actor_id == auditor.pk


def test_other_lists_do_not_offer_it(as_, viewer, ada):
    page = as_(viewer).get("/membership/participant/").content.decode()
    assert "with proof" not in page
    assert as_(viewer).post("/membership/participant/export/", {"format": "jsonl"}).status_code == 400


def test_a_sink_that_fails_is_on_the_first_page_and_in_readyz(as_, auditor, operator, client, settings):
    mirrored.system("Office")
    settings.ANCHOR_KEYS = {"a1": settings.AUDIT_KEYS["t1"]}
    now = timezone.now()
    AnchorSink.objects.create(name="command", tried_at=now, failing_since=now, problem="The command ended with code 1.")
    assert "do not get where they should" in as_(auditor).get("/").content.decode()
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["anchors"]) == (200, "failing")
    AnchorSink.objects.update(failing_since=None)
    assert "do not get where they should" not in as_(auditor).get("/").content.decode()
    assert client.get("/readyz").json()["anchors"] == "ok"
