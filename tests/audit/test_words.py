"""The index of words: it finds what plain looking finds, and forgets what is erased."""

import pytest
from django.core.management import call_command
from django.db import connection

from membership.audit import words
from membership.models import AuditEntry, AuditIndex, AuditPersonal
from membership.services import audit_query

ROUND = ("ada lovelace", "a\"b'c", "100%", "a_c", "ольга", "straße", "名前が", "x(y)*z", "AND", "ada")


def found(text):
    line = f'"{text}"' if " " in text else text
    return list(audit_query.narrow(AuditEntry.objects.order_by("pk"), line)[0].values_list("pk", flat=True))


def by_looking(text):
    from membership.audit.chain import fold

    held = AuditPersonal.objects.order_by("pk").values_list("pk", "text")
    return [pk for pk, said in held if fold(text) in said]


@pytest.mark.parametrize("kept_up", [False, True])
def test_the_index_finds_what_looking_finds(write, kept_up):
    write("panel", *ROUND, "nobody else")
    while kept_up and words.keep_up():
        pass
    write("panel", "Ada again, not in the index yet")
    for text in (*ROUND, "Lovelace", "STRASSE", "nothing of the kind"):
        assert found(text) == by_looking(text), text


def test_without_an_index_searching_is_slow_and_right(write, monkeypatch):
    write("panel", "Ada", "Zoë")
    monkeypatch.setattr(words, "is_there", lambda *_: False)
    assert found("zoë") == by_looking("zoë")
    assert len(found("zoë")) == 1


@pytest.mark.parametrize("gathered", [4, 50_000])  # on PostgreSQL
@pytest.mark.parametrize("kept_up", [False, True])
def test_of_common_words_the_newest_are_looked_at_and_an_export_has_all(write, monkeypatch, kept_up, gathered):
    rows = write("panel", *["Ada"] * 5)
    while kept_up and words.keep_up():
        pass
    monkeypatch.setattr(words, "COMMON", 3)
    monkeypatch.setattr(words, "GATHERED", gathered)
    ids = [row.pk for row in rows]
    assert words.newest(["ada"]) == (ids[:1:-1], False)
    assert sorted(words.newest(["ada"], high=ids[2])[0]) == ids[:3]
    assert sorted(words.newest(["ada"], low=ids[1], high=ids[2])[0]) == ids[1:3]
    everything = AuditEntry.objects.order_by("pk")
    assert [row.pk for row in audit_query.narrow(everything, "ada")[0]] == ids[2:]
    assert [row.pk for row in audit_query.narrow(everything, "ada", whole=True)[0]] == ids
    found, asked = audit_query.narrow(everything, "ada change:3")
    assert [row.pk for row in found] == ids[2:]
    assert "newest" in asked.hints[0]


def test_what_is_deleted_leaves_the_index_and_its_pages(write):
    erased, kept = write("panel", "Qwertyuiop Zxcvbnm"), write("panel", "Zoë")
    while words.keep_up():
        pass
    AuditPersonal.objects.filter(pk=erased[0].pk).delete()
    words.want_merge()
    assert found("qwertyuiop") == []
    for _round in range(200):
        if not words.keep_up():
            break
    assert not AuditIndex.objects.filter(merge_wanted=True).exists() or connection.vendor != "sqlite"
    assert found("zoë") == [kept[0].pk]
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute(
                "CREATE VIRTUAL TABLE temp.told USING fts5vocab('main', 'membership_auditwords', 'instance')"
            )
            cursor.execute("SELECT count(*) FROM temp.told WHERE term IN ('qwe', 'uio', 'zxc')")
            assert cursor.fetchone()[0] == 0
            cursor.execute("DROP TABLE temp.told")
            cursor.execute("INSERT INTO membership_auditwords (membership_auditwords) VALUES ('integrity-check')")


def test_a_part_that_was_never_indexed_is_deleted_without_harm(write):
    (first,) = write("panel", "Ada")
    AuditPersonal.objects.filter(pk=first.pk).delete()
    write("panel", "Zoë")
    while words.keep_up():
        pass
    assert len(found("zoë")) == 1


def test_an_index_that_lost_its_trigger_is_made_anew(write):
    write("panel", "Ada")
    while words.keep_up():
        pass
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute(f"DROP TRIGGER {words.TRIGGER}")
    else:
        with connection.cursor() as cursor:
            cursor.execute(f"DROP INDEX {words.GIN}")
    assert not words.is_there()
    assert words.install()
    assert words.is_there()
    assert len(found("ada")) == 1


def test_sqlites_planner_has_figures_for_each_index_of_the_log(db):
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("SELECT name FROM pragma_index_list('membership_auditentry') ORDER BY 1")
            indexes = cursor.fetchall()
            cursor.execute("SELECT idx FROM sqlite_stat1 WHERE tbl = 'membership_auditentry' ORDER BY 1")
            assert cursor.fetchall() == indexes


def test_a_missing_index_is_told_by_the_checks(db, monkeypatch, capsys):
    monkeypatch.setattr(words, "is_there", lambda *_: False)
    call_command("check", databases=["default"])
    assert "musterbook.W004" in capsys.readouterr().err
