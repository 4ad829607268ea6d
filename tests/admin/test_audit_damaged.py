"""What somebody damaged in the database is listed as such, beside the rest."""

import pytest
from django.db import connection

from membership.models import AuditEntry
from membership.vocab import AuditAction
from tests import mirrored
from tests.audit.conftest import unguarded  # noqa: F401 - a fixture
from tests.services.test_audit_log import put

LOG = "/membership/auditentry/"
ENTRY, PART = ("membership_auditentry", "id"), ("membership_auditpersonal", "entry_id")
NESTED = "[" * 50_000
ODD = '{"actor": [1], "person": {"a": 2}, "before": 3, "after": [1], "params": 4, "fields": [[]], "connections": 3}'
DAMAGED = [
    *((*ENTRY, "sealed", text) for text in ("{", "null", "7", '{"data": 3, "personal": 4}', NESTED)),
    *((*PART, "data", text) for text in ("{", "[]", ODD, NESTED)),
    (*ENTRY, "action", "no.such"),
    (*ENTRY, "at", "9999-12-31 23:59:59"),
]
"""Table, its key, column, what is put in."""
SQLITE = [
    *((*ENTRY, name, b"\xff") for name in ("chain", "action", "at", "outcome", "sealed", "mac")),
    *((*PART, name, b"\xff") for name in ("salt", "data", "text")),
    *((*ENTRY, name, "x") for name in ("seq", "actor_id", "at")),
]


@pytest.fixture
def office(any_db):
    return mirrored.system("Office")


@pytest.fixture
def damaged(office, unguarded):  # noqa: F811
    """Ids of entries that were altered, each in another way; one that was not stands before and after them."""
    ids = []
    put(AuditAction.GROUP_PROTECTED, connection_id=office.pk, personal={"group_name": "The first"})
    is_sqlite = connection.vendor == "sqlite"
    for table, key, column, value in [*DAMAGED, *(SQLITE if is_sqlite else [(*ENTRY, "at", "infinity")])]:
        put(AuditAction.CHANGE_REQUESTED, connection_id=office.pk, data={"kind": "removal"}, personal={"reason": "x"})
        ids.append(AuditEntry.objects.latest("pk").pk)
        # As a text that is no UTF-8: as a number of bytes it would be none.
        put_in = "CAST(%s AS TEXT)" if isinstance(value, bytes) else "%s"
        unguarded(f"UPDATE {table} SET {column} = {put_in} WHERE {key} = {ids[-1]}", value)
    put(AuditAction.GROUP_PROTECTED, connection_id=office.pk, personal={"group_name": "The last"})
    return ids


@pytest.mark.parametrize("query", ["", "?q=system:office", "?q=action:protected"])
def test_the_log_lists_all_and_says_what_does_not_hold(as_, auditor, damaged, query):
    page = as_(auditor).get(f"{LOG}{query}").content.decode()
    assert "The first" in page
    assert "The last" in page
    told = page.count("does not hold")
    assert told == (0 if "protected" in query else len(damaged))


def test_each_has_its_page_and_a_place_in_a_timeline(as_, auditor, damaged, office):
    client = as_(auditor)
    for pk in damaged:
        assert "This entry does not hold:" in client.get(f"{LOG}{pk}/").content.decode()
    page = client.get(f"{LOG}of/connection/{office.pk}/").content.decode()
    assert "The first" in page
    assert "The last" in page
