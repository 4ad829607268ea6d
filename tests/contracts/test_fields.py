import re
from datetime import UTC, datetime

import pytest

from membership.providers.inwendo import parse as inwendo_parse
from membership.providers.kaiten import parse as kaiten_parse
from tests.contracts import fields, pages

TIME = "2025-05-04T09:42:00Z"
TIMES = {"created", "updated", "last_read_at", "email_blocked", "delete_requested_at"}
EXAMPLES = {"string": "text", "integer": 42, "boolean": True, (pages.NULL, "string"): "text"}


def example(shape):
    return {
        key: TIME if key in TIMES else example(kind) if isinstance(kind, dict) else EXAMPLES[kind]
        for key, kind in shape.items()
    }


CASES = [
    (fields.INWENDO_ROW, pages.ROW, inwendo_parse.participant),
    (fields.INWENDO_ROOM, pages.ROOM_IN_ROW, inwendo_parse.room),
    (fields.KAITEN_USER, pages.KAITEN_USER, kaiten_parse.account),
]


def at(value, place):
    inside = re.fullmatch(r"(attributes|secrets)\[(\w+)\]", place)
    return getattr(value, inside[1])[inside[2]] if inside else getattr(value, place)


@pytest.mark.parametrize(("mapping", "shape", "parser"), CASES)
def test_every_field_of_a_page_has_its_place(mapping, shape, parser):
    assert set(mapping) == set(shape)
    given = example(shape)
    value = parser(given)
    for name, place in mapping.items():
        if place.startswith("not kept: "):
            continue
        found = at(value, place)
        expected = str(given[name]) if place == "remote_id" else given[name]
        assert found == (datetime(2025, 5, 4, 9, 42, tzinfo=UTC) if isinstance(found, datetime) else expected), name


def test_every_answer_of_a_page_is_mapped():
    shown = {name: set(page.answer) for name, page in pages.PAGES.items() if "add a participant" not in name}
    mapped = [set(each) for each in (fields.INWENDO_ROW, fields.KAITEN_USER, fields.MUDBASE_REMOVAL)]
    assert [name for name, keys in shown.items() if not any(keys <= each for each in mapped)] == []
