"""A person is erased: nothing that names them is left, and everything still verifies and says "erased"."""

import re

import pytest
from django.utils import timezone

from membership.audit import verify, words
from membership.errors import ChangeRefused, NotAllowed, Reason
from membership.models import (
    Account,
    AuditEntry,
    AuditPersonal,
    Change,
    Ending,
    Erasure,
    Group,
    Leaving,
    Operation,
    Participant,
    Person,
    Roster,
    RosterPart,
    RosterRow,
)
from membership.plans import standing
from membership.services import again, audit_log, audit_query, erasure, exports, people, person_report, removal
from membership.services.changes import confirm_change
from membership.services.step_sentences import step_text
from membership.vocab import ERASED, AuditAction, ErasureState, OperationState, Role
from tests import mirrored as m
from tests.services.asking import assert_refused
from tests.services.dump import everything, tables_with


@pytest.fixture
def owners(owner, make_user):
    return owner, make_user("second", Role.OWNER)


@pytest.fixture
def zoe(world, operator):
    """Zoë, linked in two systems and removed from all groups; Ada was removed along with her, and stays a person."""
    world.read()
    zoe = world.link("Zoë Müller", *Account.objects.filter(label="Zoë Müller"))
    world.link("Ada Lovelace", *Account.objects.filter(label="Ada Lovelace"))
    rows = Participant.objects.filter(label__in=("Zoë Müller", "Ada Lovelace"), is_present=True)
    both = removal.draft_removal(rows, actor=operator, selection={"kind": "query", "query": "q=Zo%C3%AB+M%C3%BCller",
                                                                  "count": rows.count()})  # fmt: skip
    confirm_change(both, actor=operator, reason="Zoë Müller asked for it", expected_hash=both.plan_hash)
    world.work()
    nobody = removal.draft_removal_everywhere(person=zoe, actor=operator)
    assert nobody.state == "draft"
    people.protect_person(zoe, "zoe@example.org wrote", actor=operator)
    exports.export(Person.objects.all(), [("name", "name")], actor=operator, list_name="person",
                   query="q=zo%C3%AB+m%C3%BCller", format="csv")  # fmt: skip
    world.work()
    return zoe


def erased(zoe, owners):
    asked = erasure.ask(zoe, "she wrote a letter", actor=owners[0])
    return erasure.approve(asked, actor=owners[1])


def gone_over_there(world):
    """The accounts are deleted in their systems, too."""
    Account.objects.filter(label="Zoë Müller").update(is_present=False)


def test_nothing_that_names_the_person_is_left_and_everything_verifies(world, zoe, owners):
    gone_over_there(world)
    assert len(tables_with("müller")) >= 6
    hashes = {change.pk: change.plan_hash for change in Change.objects.all()}
    done = erased(zoe, owners)
    while words.keep_up():
        pass
    assert tables_with("müller") == []
    assert tables_with("zoe@example.org") == []
    assert tables_with("zo%c3%ab") == []
    assert done.counts["parts"] > 5
    report = verify.verify()
    assert report.is_whole
    assert report.erased == done.counts["parts"]
    for change in Change.objects.exclude(plan_hash=""):
        assert standing.stored_hash(change) == change.plan_hash == hashes[change.pk]
    assert not Person.objects.filter(pk=zoe.pk).exists()
    assert Erasure.objects.get(pk=done.pk).label == ERASED
    assert AuditEntry.objects.get(action=AuditAction.PERSON_ERASED).person_id == zoe.pk


def test_lists_and_certificates_that_name_the_person_are_emptied_and_told_in_the_report(
    world, zoe, owners, operator, make_user
):
    gone_over_there(world)
    account = Account.objects.filter(person=zoe).first()
    common = {"connection": account.connection, "group": Group.objects.filter(connection=account.connection).first()}
    roster = Roster.objects.create(
        **common, mode="add", file_name="new.csv", asked_by=operator, asked_at=timezone.now(), state="done",
        sample=[["Zoë Müller", "zoe@example.org"]],
    )  # fmt: skip
    RosterPart.objects.create(roster=roster, number=1, data="Zoë Müller;zoe@example.org".encode())
    RosterRow.objects.create(roster=roster, line=2, said_name="Zoë Müller", said_email="zoe@example.org",
                             outcome="found", account=account)  # fmt: skip
    RosterRow.objects.create(roster=roster, line=3, said_name="Ada Lovelace", outcome="not_found")
    Ending.objects.create(
        **common, account=account, last_day=timezone.localdate(), set_by=operator, set_at=timezone.now(), state="closed"
    )
    Leaving.objects.create(
        person=zoe, asked_by=operator, asked_at=timezone.now(), change=Change.objects.latest("pk"), state="done",
        certificate={"person": "Zoë Müller"}, certificate_hash="00",
    )  # fmt: skip
    told = person_report.report(zoe, actor=owners[0])
    assert [row["name"] for row in told["lists"]] == ["Zoë Müller"]
    assert [row["certificate"] for row in told["leaver"]] == [{"person": "Zoë Müller"}]
    assert len(told["end_dates"]) == 1
    Leaving.objects.update(certificate={"person": "Zoë Müller", "systems": [{"number": world.mudbase.pk}]})
    limited = make_user("limited", Role.OWNER, [world.inwendo])
    assert [row["certificate"] for row in person_report.report(zoe, actor=limited)["leaver"]] == [{}]
    erased(zoe, owners)
    while words.keep_up():
        pass
    assert tables_with("müller") == []
    assert tables_with("zoe@example.org") == []
    assert list(RosterRow.objects.order_by("line").values_list("said_name", flat=True)) == [ERASED, "Ada Lovelace"]
    assert not RosterPart.objects.exists()


def test_others_keep_what_is_about_them(world, zoe, owners):
    gone_over_there(world)
    ada = Operation.objects.filter(subject_label="Ada Lovelace").count()
    told = AuditPersonal.objects.filter(text__contains="ada lovelace", data__contains='"person":"Ada Lovelace"').count()
    erased(zoe, owners)
    assert Operation.objects.filter(subject_label="Ada Lovelace").count() == ada
    assert Operation.objects.filter(subject_label="Ada Lovelace", erased_at=None).count() == ada
    after = AuditPersonal.objects.filter(text__contains="ada lovelace", data__contains='"person":"Ada Lovelace"')
    assert after.count() == told
    assert Person.objects.filter(name="Ada Lovelace").exists()


def test_an_altered_erased_step_breaks_the_hash_of_its_plan(world, zoe, owners):
    erased(zoe, owners)
    step = Operation.objects.exclude(erased_at=None).first()
    Operation.objects.filter(pk=step.pk).update(digest="0" * 64)
    assert standing.stored_hash(step.change) != step.change.plan_hash


def test_pages_say_that_it_was_erased(world, zoe, owners, client):
    change = Change.objects.filter(reason="Zoë Müller asked for it").get()
    step = Operation.objects.filter(subject_label="Zoë Müller", state=OperationState.CONFIRMED).first()
    entry = AuditEntry.objects.filter(operation_id=step.pk).latest("pk")
    gone_over_there(world)
    done = erased(zoe, owners)
    client.force_login(owners[0])
    pages = {
        "change": f"/membership/change/{change.pk}/",
        "changes": "/membership/change/",
        "entry": f"/membership/auditentry/{entry.pk}/",
        "timeline": f"/membership/auditentry/of/group/{step.group_id}/",
        "group": f"/membership/group/{step.group_id}/then/",
        "erasure": f"/membership/erasure/{done.pk}/",
        "participant": f"/membership/participant/{Participant.objects.filter(label=ERASED).first().pk}/",
        "search": "/search/?q=zo%C3%AB",
    }
    for name, address in pages.items():
        answer = client.get(address)
        assert answer.status_code == 200, name
        page = answer.content.decode().split("<main")[1]
        assert "erased" in page.lower() or name in ("search", "group", "changes"), name
        assert "Müller" not in page, name
    assert client.get(f"/membership/person/{zoe.pk}/").status_code == 404


def test_an_erased_alteration_is_still_a_sentence(db):
    group = m.group("Chess club", m.system("Club app", provider="mudbase"))
    step = Operation(verb="update", connection=group.connection, group=group, subject_label=ERASED, wanted={})
    step.erased_at = timezone.now()
    assert step_text(step) == "(erased) in Chess club of Club app: (erased)"


def test_accounts_that_still_exist_stay_and_are_named_before(world, zoe, owners):
    """The remotes still have Zoë's accounts: each reading would tell so again."""
    assert {account.connection.name for account in erasure.comes_back(zoe)} == {"Verein Nord", "Club app"}
    erased(zoe, owners)
    left = Account.objects.filter(label="Zoë Müller")
    assert {account.person_id for account in left} == {None}
    assert "membership.AuditPersonal" not in tables_with("müller")
    assert "membership.Operation" not in tables_with("müller")
    world.read()
    assert Account.objects.filter(label="Zoë Müller").count() == left.count()


def test_whoever_comes_back_does_not_get_the_old_places_again(world, zoe, owners):
    old = Participant.objects.get(label="Zoë Müller", group__name="Trainers")
    erased(zoe, owners)
    world.sandbox.mudbase.state.add_participant("chat_2", "usr_zoe")
    world.read()
    new = Participant.objects.get(label="Zoë Müller", group__name="Trainers", is_present=True)
    old.refresh_from_db()
    assert new.pk != old.pk
    assert (old.label, old.is_present, old.account) == (ERASED, False, None)
    assert old.presences.exists()
    assert new.presences.count() == 1


def test_four_eyes_rights_and_limits(world, zoe, owners, operator, make_user):
    one, other = owners
    limited = make_user("limited", Role.OWNER, [world.kaiten])
    for user in (operator, make_user("look", Role.AUDITOR), limited):
        with pytest.raises(NotAllowed):
            erasure.ask(zoe, actor=user)
    asked = erasure.ask(zoe, actor=one)
    assert_refused(Reason.ALREADY_ASKED_TO_ERASE, erasure.ask, zoe, actor=other)
    assert_refused(Reason.NEEDS_SECOND_PERSON, erasure.approve, asked, actor=one)
    for user in (operator, limited):
        with pytest.raises(NotAllowed):
            erasure.approve(asked, actor=user)
    erasure.reject(asked, actor=other)
    assert_refused(Reason.ALREADY_DECIDED, erasure.approve, asked, actor=other)
    assert Person.objects.filter(pk=zoe.pk).exists()
    told = AuditEntry.objects.filter(person_id=zoe.pk).values_list("action", flat=True)
    assert {AuditAction.ERASURE_ASKED, AuditAction.ERASURE_REJECTED} <= set(told)
    assert AuditEntry.objects.filter(action=AuditAction.REQUEST_REFUSED, outcome="needs_second_person").exists()
    assert erasure.second_people(one) == 1


def test_nobody_is_erased_who_is_in_a_group_or_has_a_step_under_way(world, zoe, owners):
    ivan = world.link("Иван", *Account.objects.filter(label="Иван Петров"))
    assert_refused(Reason.STILL_IN_GROUPS, erasure.ask, ivan, actor=owners[0])
    asked = erasure.ask(zoe, actor=owners[0])
    step = Operation.objects.filter(subject_label="Zoë Müller").first()
    Operation.objects.filter(pk=step.pk).update(state=OperationState.QUEUED)
    assert_refused(Reason.STEPS_UNDER_WAY, erasure.approve, asked, actor=owners[1])
    Operation.objects.filter(pk=step.pk).update(state=step.state)
    assert erasure.approve(asked, actor=owners[1]).state == ErasureState.DONE


@pytest.mark.parametrize("state", ["queued", "paused", "waiting"])
def test_what_is_still_planned_of_a_confirmed_change_is_under_way_and_what_waits_ends(world, zoe, owners, state):
    asked = erasure.ask(zoe, actor=owners[0])
    step = Operation.objects.filter(subject_label="Zoë Müller").first()
    Operation.objects.filter(pk=step.pk).update(state=OperationState.PLANNED)
    Change.objects.filter(pk=step.change_id).update(state=state)
    if state == "waiting":
        erasure.approve(asked, actor=owners[1])
        assert world.state_of(step.change) == "stale"
    else:
        with pytest.raises(ChangeRefused, match=Reason.STEPS_UNDER_WAY):
            erasure.approve(asked, actor=owners[1])


def test_a_preview_about_the_person_can_no_longer_be_confirmed_or_made_again(world, zoe, owners, operator):
    draft = Change.objects.filter(kind="removal_everywhere").get()
    erased(zoe, owners)
    draft.refresh_from_db()
    Change.objects.filter(pk=draft.pk, state="draft").update(state="stale")
    assert_refused(Reason.ERASED, again.recompile, draft, actor=operator)


def test_the_report_tells_everything_and_that_it_was_made(world, zoe, owners, operator, limited_operator):
    told = person_report.report(zoe, actor=owners[0])
    assert told["person"]["name"] == "Zoë Müller"
    assert {row["system"] for row in told["accounts"]} == {"Verein Nord", "Club app"}
    assert {row["email"] for row in told["accounts"]} == {"zoe@example.org"}
    assert {row["group"] for row in told["places"]} == {"Chess club", "Trainers"}
    assert all(row["was_there"] for row in told["places"])
    assert any("Zoë Müller leaves Chess club" in row["step"] for row in told["steps"])
    assert any("Zoë Müller" in row["what"] for row in told["audit_entries"])
    assert AuditEntry.objects.filter(action=AuditAction.PERSON_REPORTED, person_id=zoe.pk).count() == 1
    with pytest.raises(NotAllowed):
        person_report.report(zoe, actor=operator)


def test_a_report_that_does_not_list_all_entries_says_so(world, zoe, owners, client, monkeypatch):
    assert person_report.report(zoe, actor=owners[0])["older_audit_entries"] == 0
    monkeypatch.setattr(person_report, "ENTRIES_AT_MOST", 3)
    told = person_report.report(zoe, actor=owners[0])
    assert (len(told["audit_entries"]), told["older_audit_entries"] > 3) == (3, True)
    client.force_login(owners[0])
    page = client.post(f"/membership/person/{zoe.pk}/report/", {"as": "page"}).content.decode()
    assert f"Search the audit log for person:{zoe.pk}" in page


def test_the_report_is_downloaded_and_printed(world, zoe, owners, client):
    client.force_login(owners[0])
    file = client.post(f"/membership/person/{zoe.pk}/report/", {"as": "json"})
    assert file.json()["person"]["name"] == "Zoë Müller"
    page = client.post(f"/membership/person/{zoe.pk}/report/", {"as": "page"}).content.decode()
    assert "zoe@example.org" in page
    assert "<dt>Still there</dt><dd><bdi>yes</bdi></dd>" in page
    assert not re.search(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T", page.partition("<h1")[2])
    assert "<dd><bdi>–</bdi></dd>" not in page
    assert client.get(f"/membership/person/{zoe.pk}/report/").status_code == 405


def test_an_erasure_goes_through_the_pages(world, zoe, owners, client):
    one, other = owners
    client.force_login(one)
    answer = client.post(f"/membership/person/{zoe.pk}/erase/", {"note": "a letter"}, follow=True)
    asked = Erasure.objects.get()
    assert "somebody else has to approve" in answer.content.decode()
    client.post(f"/membership/erasure/{asked.pk}/approve/")
    assert Erasure.objects.get().state == ErasureState.ASKED
    assert "waiting for you" not in (home := client.get("/").content.decode()).partition("<main")[0]
    assert "is to be erased" not in home
    client.force_login(other)
    assert "1 person is to be erased: you may approve it, or reject it" in client.get("/").content.decode()
    assert "Approve, and erase now" in client.get(f"/membership/erasure/{asked.pk}/").content.decode()
    page = client.post(f"/membership/erasure/{asked.pk}/approve/", follow=True).content.decode()
    assert Erasure.objects.get().state == ErasureState.DONE
    assert "What was emptied" in page
    assert "A person was erased" in page


def test_a_name_of_one_word_is_looked_for_only_where_rows_say_whom_they_mean(db, owners):
    club = m.system("Club app", provider="mudbase")
    account = m.account("Eva", club, is_present=False)
    eva = m.person("Eva", account)
    people.protect_person(m.person("Eva Braun-Meier"), "Evaluation", actor=owners[0])
    erased(eva, owners)
    assert audit_query.narrow(audit_log.entries(owners[0]), '"eva braun-meier"', owners[0])[0].exists()
    assert Account.objects.get(pk=account.pk).label == ERASED
    assert "Evaluation" in everything()["membership.Person"]
