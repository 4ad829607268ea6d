import hashlib
import json
from datetime import timedelta

import pytest
from django.core import mail
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from membership import conf
from membership.audit import anchor_file, anchoring, anchors
from membership.checks import anchor_keys
from membership.models import AuditAnchor
from membership.services import anchor_sinks


def lines(path):
    return list(anchor_file.lines(path))


def contents(path):
    return [anchors.opened(anchors.parse(line), conf.anchor_public_keys()) for line in lines(path)]


def test_an_anchor_names_where_every_chain_stands_and_the_anchor_before(write, anchored):
    write("panel", "Ada", "Bob")
    first = anchoring.make()
    (last,) = write("connection:7", "Cem")
    second = anchoring.make()
    found = json.loads(second.text)
    assert (found["n"], found["kid"]) == (2, "a1")
    assert found["heads"]["panel"][0] == 2
    assert found["heads"]["connection:7"] == [1, last.mac]
    assert found["prev"] == hashlib.sha256(first.text.encode()).hexdigest()
    assert list(found["roots"]) == ["connection:7"]


def test_the_signature_is_ed25519_over_the_text(write, anchored):
    write("panel")
    row = anchoring.make()
    key = conf.anchor_public_keys()["a1"]
    key.verify(bytes.fromhex(row.sig), row.text.encode())
    forged = anchors.Signed(row.text.replace('"n":1', '"n":2'), row.sig)
    with pytest.raises(anchors.BadAnchor, match="forged"):
        anchors.opened(forged, conf.anchor_public_keys())


def test_where_nothing_is_new_none_is_made(write, anchored):
    assert anchoring.anchor_due() is None
    write("panel")
    assert anchoring.anchor_due() is not None
    assert anchoring.make() is None


def test_one_is_due_each_minute_and_each_thousand_entries(write, anchored):
    now = timezone.now()
    write("panel")
    assert anchoring.anchor_due(now=now)
    write("panel")
    assert anchoring.anchor_due(now=now + timedelta(seconds=59)) is None
    assert anchoring.anchor_due(now=now + timedelta(seconds=60))
    write("connection:7", *["Ada"] * 999)
    assert anchoring.anchor_due(now=now + timedelta(seconds=61)) is None
    write("login", "Ada")
    assert anchoring.anchor_due(now=now + timedelta(seconds=61))


def test_after_the_clock_was_set_back_anchors_and_mails_go_on(write, anchored, settings):
    anchored.set(settings, ANCHOR_MAIL_TO=["records@example.org"])
    now = timezone.now()
    for moment in (now + timedelta(days=30), now):
        write("panel")
        assert anchoring.anchor_due(now=moment)
        assert anchor_sinks.send(now=moment)
    assert len(mail.outbox) == 2
    write("panel")
    assert anchoring.anchor_due(now=now - timedelta(seconds=5)) is None, "of two machines one clock is a little late"
    assert anchor_sinks.send(now=now - timedelta(seconds=5))
    assert len(mail.outbox) == 2


def test_without_a_key_there_are_none(write):
    write("panel")
    assert anchoring.anchor_due() is None
    assert anchor_sinks.standing().state == "off"


def test_a_look_when_nothing_is_new_costs_two_queries(write, anchored, django_assert_num_queries):
    write("panel")
    anchoring.make()
    with django_assert_num_queries(2):
        assert anchoring.anchor_due() is None


def test_a_long_backlog_is_signed_piece_by_piece(write, anchored, monkeypatch):
    monkeypatch.setattr(anchoring, "MOST_OF_A_CHAIN", 3)
    rows = write("panel", *"ABCDEFGH")
    anchoring.catch_up()
    heads = [json.loads(row.text)["heads"]["panel"] for row in AuditAnchor.objects.order_by("n")]
    assert heads == [[3, rows[2].mac], [6, rows[5].mac], [8, rows[7].mac]]


@pytest.mark.parametrize("count", [1, 2, 3, 7, 8, 9, 1000])
def test_every_leaf_leads_to_the_root(count):
    leaves = [anchors.leaf(str(number)) for number in range(count)]
    tree = anchors.Tree(leaves)
    for index, leaf in enumerate(leaves):
        found = leaf
        for step in tree.path(index):
            other = bytes.fromhex(step[1:])
            pair = other + found if step[0] == "L" else found + other
            found = hashlib.sha256(b"\1" + pair).digest()
        assert found.hex() == tree.root


def test_new_keys_sign_and_of_the_old_the_public_half_is_enough(write, anchored, settings):
    write("panel")
    anchoring.make()
    public = anchored.public_text("a1")
    settings.ANCHOR_KEYS = {"a2": anchored.other_key, "a1": public}
    write("panel")
    assert json.loads(anchoring.make().text)["kid"] == "a2"
    anchor_sinks.send()
    assert [anchor.n for anchor in contents(anchored.file)] == [1, 2]


@pytest.mark.parametrize("key", ["c2hvcnQ=", "public.c2hvcnQ=", "?"])
def test_keys_that_cannot_be_used_are_an_error_at_start(anchored, settings, key):
    assert anchor_keys() == []
    settings.ANCHOR_KEYS = {"a1": key}
    assert [found.id for found in anchor_keys()] == ["musterbook.E004"]


@pytest.mark.parametrize("table", ["membership_auditanchor", "membership_auditspan"])
@pytest.mark.parametrize("sql", ["UPDATE {} SET n = n + 1", "DELETE FROM {}"])
def test_the_database_refuses_to_change_anchors(write, anchored, table, sql):
    write("panel")
    anchoring.make()
    with pytest.raises(DatabaseError, match="anchors"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql.format(table))
