"""JSON values of a remote as ours: missing keys, nulls and wrong types are "not said", unknown keys are ignored.

Only ids are strict: a row that cannot be named could be any row, so nothing may be concluded from such a reading.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal

from membership.errors import Reason
from membership.providers.base import Json
from membership.providers.errors import Incomplete

# The widths of the mirror's columns.
LABEL_CHARS = 600
KIND_CHARS = 40
TYPE_CHARS = 60
ID_CHARS = 200

WHOLE_NUMBER = re.compile(r"0|[1-9][0-9]{0,17}")


def remote_id(value: Json) -> str:
    """An id as an opaque string. Raises `Incomplete` when there is none that can be stored."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not value or len(value) > ID_CHARS:
        raise Incomplete(Reason.ANSWER_UNREADABLE)
    return value


def is_id(value: Json) -> bool:
    """Whether it is an id as text that can be stored."""
    return isinstance(value, str) and 0 < len(value) <= ID_CHARS


def row(value: Json) -> Mapping[str, Json]:
    """A JSON object. Raises `Incomplete` when it is something else."""
    if not isinstance(value, dict):
        raise Incomplete(Reason.ANSWER_UNREADABLE)
    return value


def inner(value: Mapping[str, Json], key: str) -> Mapping[str, Json]:
    """The object below `key`; empty when there is none."""
    found = value.get(key)
    return found if isinstance(found, dict) else {}


def text(value: Mapping[str, Json], key: str, limit: int = LABEL_CHARS) -> str:
    found = value.get(key)
    return found.strip()[:limit] if isinstance(found, str) else ""


def flag(value: Mapping[str, Json], key: str) -> bool | None:
    found = value.get(key)
    return found if isinstance(found, bool) else None


def number(value: Mapping[str, Json], key: str) -> int | None:
    found = value.get(key)
    return found if isinstance(found, int) and not isinstance(found, bool) else None


def instant(value: Mapping[str, Json], key: str) -> datetime | None:
    """An aware time. One without a zone is taken as UTC."""
    try:
        found = datetime.fromisoformat(text(value, key, 60))
    except ValueError:
        return None
    # Years at the edge overflow when a database moves them to UTC.
    if not 1900 <= found.year <= 9000:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def kept(value: Mapping[str, Json], keys: Iterable[str]) -> dict[str, Json]:
    """Those of `keys` that say something, as plain JSON: for attributes. Long texts are cut, pictures left out."""
    attributes: dict[str, Json] = {}
    for key in keys:
        found = value.get(key)
        if isinstance(found, str) and found and not found.startswith("data:"):
            attributes[key] = found[:LABEL_CHARS]
        elif isinstance(found, bool | int | float):
            attributes[key] = found
        elif isinstance(found, Decimal):
            attributes[key] = float(found)
    return attributes


def secrets_of(value: Mapping[str, Json], keys: Iterable[str]) -> dict[str, str]:
    return {key: found for key in keys if isinstance(found := value.get(key), str) and found}


def as_number(opaque_id: str) -> int | str:
    """An id as the JSON integer that the pages document; one that is no such number goes as it is."""
    return int(opaque_id) if WHOLE_NUMBER.fullmatch(opaque_id) else opaque_id
