"""One entry that somebody damaged does not end what the worker does beside its work."""

import pytest
from django.db import connection

from membership.audit import anchoring, words
from membership.models import AuditPersonal
from membership.operations.aside import Aside
from membership.services import audit_checks
from membership.tasks import HOUSEKEEPING


@pytest.fixture
def damaged(write, anchored, unguarded):
    """Of three entries the second is no text any more."""
    if connection.vendor != "sqlite":
        pytest.skip("the other database takes no such text")

    def damage(table, key, column):
        row = write("panel", "Ada", "Bob", "Cem")[1]
        unguarded(f"UPDATE {table} SET {column} = CAST(x'ff' AS TEXT) WHERE {key} = %s", row.pk)

    return damage


@pytest.mark.parametrize("value", ["CAST(x'ff' AS TEXT)", "x'ff'", "'x'"])
def test_the_worker_goes_on_whatever_column_was_damaged(write, unguarded, value):
    if connection.vendor != "sqlite":
        pytest.skip("the other database takes no such values")
    tasks_of_ours = [task for task in HOUSEKEEPING if not isinstance(task, Aside)]
    for task in tasks_of_ours:
        task()
    for table, key, columns in (
        ("membership_auditentry", "id", ("chain", "seq", "at", "action", "actor_id", "outcome", "sealed", "mac")),
        ("membership_auditpersonal", "entry_id", ("salt", "data", "text")),
    ):
        for column in columns:
            row = write("panel", "Ada", "Bob", "Cem")[1]
            unguarded(f"UPDATE {table} SET {column} = {value} WHERE {key} = %s", row.pk)
    for task in tasks_of_ours * 2:
        task()
    assert not audit_checks.verify_log().is_whole


@pytest.mark.parametrize("column", ["sealed", "mac"])
def test_what_stands_before_it_is_anchored_and_what_follows_is_not(damaged, write, column):
    damaged("membership_auditentry", "id", column)
    write("connection:7")
    anchor = anchoring.content(anchoring.make())
    assert {chain: (first, last) for chain, (first, last, _root) in anchor.roots.items()} == {
        "panel": (1, 1),
        "connection:7": (1, 1),
    }
    assert anchoring.make() is None


def test_the_words_of_the_others_are_in_the_index_and_its_own_leave_it(damaged):
    damaged("membership_auditpersonal", "entry_id", "text")
    while words.keep_up():
        pass
    assert len(words.newest(["cem"])[0]) == 1
    AuditPersonal.objects.filter(data__contains="Bob").delete()
    with connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO {words.TABLE} ({words.TABLE}, rank) VALUES ('integrity-check', 1)")
