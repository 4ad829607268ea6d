import html
import re
from datetime import UTC, datetime

import pytest
from django.db import transaction

from membership.audit import record
from membership.audit.record import Entry
from membership.mirror import facts
from membership.models import AuditEntry, Presence
from membership.providers.inwendo import parse as inwendo_parse
from membership.providers.kaiten import parse as kaiten_parse
from membership.vocab import AuditAction, PresenceCause
from tests import mirrored
from tests.contracts import fields, pages

TIME = "2025-05-04T09:42:00Z"
TIMES = {"created", "updated", "last_read_at", "email_blocked", "delete_requested_at"}
EXAMPLES = {"integer": 42, "boolean": True}


def example(shape):
    """A value for each field; texts say which field they are of."""
    return {
        key: TIME if key in TIMES else example(kind) if isinstance(kind, dict) else EXAMPLES.get(kind, f"the {key}")
        for key, kind in shape.items()
    }


CASES = [
    (fields.INWENDO_ROW, pages.ROW, inwendo_parse.participant),
    (fields.INWENDO_ROOM, pages.ROOM_IN_ROW, inwendo_parse.room),
    (fields.KAITEN_USER, pages.KAITEN_USER, kaiten_parse.account),
]


def at(value, kept):
    inside = re.fullmatch(r"(attributes|secrets)\[(\w+)\]", kept)
    return getattr(value, inside[1])[inside[2]] if inside else getattr(value, kept)


@pytest.mark.parametrize(("mapping", "shape", "parser"), CASES)
def test_every_field_of_a_page_has_its_place(mapping, shape, parser):
    assert set(mapping) == set(shape)
    given = example(shape)
    value = parser(given)
    for name, place in mapping.items():
        if place.kept.startswith("not in the row: "):
            continue
        found = at(value, place.kept)
        expected = str(given[name]) if place.kept == "remote_id" else given[name]
        assert found == (datetime(2025, 5, 4, 9, 42, tzinfo=UTC) if isinstance(found, datetime) else expected), name


def test_every_answer_of_the_five_pages_is_mapped():
    mapped = [set(each) for each in (fields.INWENDO_ROW, fields.KAITEN_USER, fields.MUDBASE_REMOVAL)]
    shown = {name: set(pages.PAGES[name].answer) for name in pages.REFERENCE}
    assert [name for name, keys in shown.items() if not any(keys <= each for each in mapped)] == []


def test_everything_that_the_five_pages_are_asked_with_is_mapped():
    asked = set()
    for name in pages.REFERENCE:
        page = pages.PAGES[name]
        # Below "data" stands the row of the answer once more.
        asked |= {(name.split(":")[0], key) for key in (*page.path_types, *page.query, *(page.body or {}))}
    assert asked - {("inwendo", "data")} == set(fields.ASKED)


# on the pages of the panel


def participant_of(given, system):
    where = mirrored.group("Chess club", system)
    row = mirrored.participant("x", where, **facts.of_participant(given), remote_id=given.remote_id)
    Presence.objects.create(participant=row, since=datetime(2026, 1, 1, tzinfo=UTC), began_by=PresenceCause.READING)
    return f"participant/{row.pk}"


def group_of(given, system):
    columns = facts.of_group(given)
    return f"group/{mirrored.group(columns.pop('name'), system, remote_id=given.remote_id, **columns).pk}"


def account_of(given, system):
    columns = facts.of_account(given)
    return f"account/{mirrored.account(columns.pop('label'), system, remote_id=given.remote_id, **columns).pk}"


ON_PAGES = [
    ("inwendo", fields.INWENDO_ROW, pages.ROW, inwendo_parse.participant, participant_of),
    ("inwendo", fields.INWENDO_ROOM, pages.ROOM_IN_ROW, inwendo_parse.room, group_of),
    ("kaiten", fields.KAITEN_USER, pages.KAITEN_USER, kaiten_parse.account, account_of),
]


def read(client, user, address):
    client.force_login(user)
    answer = client.get(f"/membership/{address}/")
    assert answer.status_code == 200
    return html.unescape(answer.content.decode())


@pytest.mark.parametrize(("kind", "mapping", "shape", "parser", "made"), ON_PAGES)
def test_every_field_of_a_page_is_on_a_page_of_the_panel(client, owner, kind, mapping, shape, parser, made):
    given = example(shape)
    address = made(parser(given), mirrored.system(provider=kind))
    page = read(client, owner, address)
    for name, place in mapping.items():
        assert address.startswith(place.page)
        is_label = place.shown and not place.kept.startswith("not in")
        assert (f">{place.shown}<" if is_label else place.shown) in page, name
        if isinstance(given[name], str) and name not in TIMES and not place.kept.startswith("not in"):
            is_secret = place.kept.startswith("secrets")
            assert (f"the {name}" in page) == (not is_secret), name


def test_what_the_pages_are_asked_with_is_on_a_page_of_the_panel(client, owner):
    for (kind, name), place in fields.ASKED.items():
        system = mirrored.system(f"{kind} {name}", provider=kind)
        row = mirrored.participant("Ada", mirrored.group("Chess club", system))
        found = {"system": f"connection/{system.pk}", "group": f"group/{row.group.pk}"}
        page = read(client, owner, found.get(place.page, f"participant/{row.pk}"))
        assert f">{place.shown}<" in page, name


def test_the_words_of_a_removal_are_on_the_page_of_its_audit_entry(client, auditor):
    answer = {"status": 200, "body": {"message": "Participant removed successfully"}}
    with transaction.atomic():
        entry = Entry(AuditAction.OPERATION_CONFIRMED, personal={"answer": answer})
        record.write(record.connection_chain(mirrored.system().pk), [entry])
    page = read(client, auditor, f"auditentry/{AuditEntry.objects.latest('pk').pk}")
    assert fields.MUDBASE_REMOVAL["message"].shown in page
    assert "Participant removed successfully" in page
