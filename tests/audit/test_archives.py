"""A person who is erased leaves the archives, too; these verify as before."""

import json

import pytest
from django.db import transaction
from django.utils import timezone

from membership import conf
from membership.audit import anchoring, archives, cutting, record, verify
from membership.errors import ChangeRefused, Reason
from membership.models import AuditEntry, AuditPersonal, Erasure, Person
from membership.services import anchor_sinks, erasure
from membership.services.audit_retention import cut_log
from membership.services.traces import traces
from membership.vocab import AuditAction, ErasureState, Role
from tests.audit.test_handing_over import SEAL_KEY, bare, stranger  # noqa: F401 - fixtures

CHAIN = "connection:7"
ADA = "Ada Lovelace"


@pytest.fixture
def owners(owner, make_user):
    return owner, make_user("second", Role.OWNER)


@pytest.fixture
def ada(write, anchored):
    """In the archive of a chain by her number, by her name in a text, and beside somebody of another name."""
    ada = Person.objects.create(name=ADA)
    write(CHAIN, "A. L.", person_id=ada.pk)
    write(CHAIN, "Bob", ADA, "Ada Lovelacey")
    anchoring.make()
    anchor_sinks.send()
    cut_log(days=0)
    return ada


def archive():
    return conf.archive_dir() / "connection-7-1-4.jsonl"


def people():
    lines = map(json.loads, archive().read_text().splitlines())
    return [line["data"] and json.loads(line["data"])["person"] for line in lines if "sealed" in line]


def approved(ada, owners):
    return erasure.approve(erasure.ask(ada, actor=owners[0]), actor=owners[1])


def entry():
    return json.loads(AuditEntry.objects.get(action=AuditAction.PERSON_ERASED).sealed)["data"]


def test_an_erasure_reaches_the_archives_and_they_verify(ada, owners, stranger, anchored):  # noqa: F811
    assert people() == ["A. L.", "Bob", ADA, "Ada Lovelacey"]
    before = archive().read_bytes()
    done = approved(ada, owners)
    assert people() == [None, "Bob", None, "Ada Lovelacey"]
    assert (done.counts["archived_parts"], done.counts["archives_missing"]) == (2, 0)
    good, said = stranger(archive().read_bytes(), "--seal-key", SEAL_KEY, "--anchors", anchored.file)
    assert good, said
    assert "connection:7: 1 to 4" in said
    assert entry()["archives"] == {archive().name: [archives._digest(archive()), 2]}
    assert oct(archive().stat().st_mode)[-3:] == "600"
    assert sorted(path.name for path in conf.archive_dir().iterdir()) == ["connection-7-1-4.jsonl"]
    assert verify.verify().is_whole
    sealed = [json.loads(line).get("sealed") for line in before.splitlines()]
    assert sealed == [json.loads(line).get("sealed") for line in archive().read_bytes().splitlines()]


def test_an_archive_that_lists_the_person_among_others_loses_that_too(write, anchored, owners):
    eva = Person.objects.create(name="Eva")
    linked = [
        record.Entry(AuditAction.PERSON_LINKED, data={"merged": [pk]}, personal={"person": "Adam", "merged": ["Eva"]})
        for pk in (eva.pk, eva.pk + 1)
    ]
    with transaction.atomic():
        record.write(CHAIN, linked)
    anchoring.make()
    anchor_sinks.send()
    cut_log(days=0)
    approved(eva, owners)
    lines = map(json.loads, next(conf.archive_dir().glob("connection-7-*.jsonl")).read_text().splitlines())
    assert [line["data"] is None for line in lines if "sealed" in line] == [True, False]


def test_an_archive_keeps_what_it_says_of_somebody_else_of_the_same_name(write, anchored, owners):
    ada, other = Person.objects.create(name=ADA), Person.objects.create(name=ADA)
    write(CHAIN, ADA, person_id=other.pk)
    write(CHAIN, "Bob", ADA, ADA)
    anchoring.make()
    anchor_sinks.send()
    cut_log(days=0)
    approved(ada, owners)
    assert people() == [ADA, "Bob", None, None]


def test_an_erasure_that_is_refused_leaves_the_archives_as_they_are(ada, owners, monkeypatch):
    before = archive().read_bytes()
    asked = erasure.ask(ada, actor=owners[0])

    def cut_meanwhile(*_args):
        yield []
        while True:
            yield [("panel", 1)]

    states = cut_meanwhile()
    monkeypatch.setattr(archives, "cut_so_far", lambda: next(states))
    with pytest.raises(ChangeRefused) as refused:
        erasure.approve(asked, actor=owners[1])
    assert refused.value.reason == Reason.LOG_CUT_MEANWHILE
    assert (archive().read_bytes(), len(list(conf.archive_dir().iterdir()))) == (before, 1)
    assert Erasure.objects.get().state == ErasureState.ASKED
    archive().with_suffix("").with_suffix(".jsonl").write_text("{")
    with pytest.raises(ChangeRefused) as refused:
        erasure.approve(asked, actor=owners[1])
    assert refused.value.reason == Reason.ARCHIVE_NOT_ERASED
    assert Person.objects.filter(pk=ada.pk).exists()


def test_where_it_breaks_off_the_next_one_goes_on(ada, owners, monkeypatch):
    monkeypatch.setattr(archives, "put", lambda _rewritten: None)  # killed right after the commit
    approved(ada, owners)
    new = archive().with_name(f"{archive().name}.new")
    assert (new.exists(), ADA in archive().read_text()) == (True, True)
    archives.finish()
    assert (new.exists(), people()) == (False, [None, "Bob", None, "Ada Lovelacey"])
    new.write_text("of an erasure that never was")
    archives.finish()
    assert (new.exists(), people()[1]) == (False, "Bob")


def meanwhile(monkeypatch, what):
    """Have something happen between the writing of new archives and the commit."""
    real = erasure._erase_now

    def erase_now(*args):
        what()
        return real(*args)

    monkeypatch.setattr(erasure, "_erase_now", erase_now)


def test_a_verification_that_runs_meanwhile_takes_nothing_away(ada, owners, monkeypatch):
    meanwhile(monkeypatch, archives.finish)
    done = approved(ada, owners)
    assert (done.counts["archived_parts"], people()) == (2, [None, "Bob", None, "Ada Lovelacey"])
    assert [path.name for path in conf.archive_dir().iterdir()] == [archive().name]


def test_of_two_erasures_at_once_one_is_refused_and_each_name_is_taken_out(ada, owners, monkeypatch):
    bob = Person.objects.create(name="Bob Lovelace")
    lovelace = erasure.ask(bob, actor=owners[0])
    refused = []

    def the_other():
        if not refused:
            refused.append(True)
            with pytest.raises(ChangeRefused) as why:
                erasure.approve(lovelace, actor=owners[1])
            refused.append(why.value.reason)

    monkeypatch.setattr(type(traces(bob)), "is_in", lambda self, refs, *texts: "Ada" in texts[0] or "Bob" in texts[0])
    meanwhile(monkeypatch, the_other)
    approved(ada, owners)
    assert refused == [True, Reason.ARCHIVE_NOT_ERASED]
    assert Person.objects.filter(pk=bob.pk).exists()
    assert (ADA in archive().read_text(), len(list(conf.archive_dir().iterdir()))) == (False, 1)
    assert erasure.approve(lovelace, actor=owners[1]).state == ErasureState.DONE


def test_archives_that_are_elsewhere_are_named_before_and_in_the_log(ada, owners, client):
    asked = erasure.ask(ada, actor=owners[0])
    archive().rename(archive().parent.parent / archive().name)
    client.force_login(owners[1])
    page = client.get(f"/membership/erasure/{asked.pk}/").content.decode()
    assert archive().name in page
    done = erasure.approve(asked, actor=owners[1])
    assert (done.counts["archived_parts"], done.counts["archives_missing"]) == (0, 1)
    assert (entry()["archives"], entry()["missing"]) == ({}, [archive().name])


def test_an_archive_made_while_somebody_is_erased_is_not_kept(write, anchored, owners, monkeypatch):
    ada = Person.objects.create(name=ADA)
    write(CHAIN, ADA)
    anchoring.make(now=timezone.now())
    written = cutting._archive

    def and_then_she_is_erased(*args):
        made = written(*args)
        if Person.objects.exists():
            approved(ada, owners)
        return made

    monkeypatch.setattr(cutting, "_archive", and_then_she_is_erased)
    with pytest.raises(ChangeRefused):
        cut_log(days=0)
    assert list(conf.archive_dir().iterdir()) == []
    assert AuditEntry.objects.filter(chain=CHAIN).exists()
    assert not AuditPersonal.objects.filter(data__contains=ADA).exists()


def test_archives_are_missed_when_the_log_has_cut_off_that_it_made_them(ada, write):
    write(CHAIN, "Cem")
    anchoring.make()
    anchor_sinks.send()
    cut_log(days=0)  # the entry of the first cut goes, too
    assert not AuditEntry.objects.filter(action=AuditAction.LOG_CUT, sealed__contains='"connection:7":[1,4,').exists()
    assert archives.missing() == []
    archive().unlink()
    assert archives.missing() == ["connection-7-1-4.jsonl"]
    archive().with_name("connection-7-5-5.jsonl").unlink()
    assert archives.missing() == ["connection-7-1-4.jsonl", "connection-7-5-5.jsonl"]


@pytest.mark.parametrize(
    ("there", "gaps"),
    [
        ([], [(1, 9)]),
        (["a-7-1-9.jsonl"], []),
        (["a-7-1-3.jsonl", "a-7-1-5.jsonl", "a-7-8-8.jsonl"], [(6, 7), (9, 9)]),
        (["a-7-4-20.jsonl", "a-71-1-9.jsonl", "a-7-1-9.jsonl.new", "b-7-1-9.jsonl"], [(1, 3)]),
        (["a-7-15-20.jsonl"], [(1, 9)]),
    ],
)
def test_numbers_that_no_archive_holds_are_found(there, gaps):
    assert list(archives._gaps("a:7", 9, there)) == gaps
