"""Many rows at once: ten thousand operations are stored while somebody waits for the preview.

Measured for 10,000 operations: Django's `bulk_create` takes about 1 s, mostly in Python; this 0.15 to 0.3 s.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from django.db import connections, models, router

ROWS_PER_STATEMENT = 500


def insert(model: type[models.Model], rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert `rows`: `{column: value}`, all with the same columns; the others get the default of their field.

    Inside the caller's transaction. JSON columns take JSON as text. No keys are given back.
    """
    if not rows:
        return
    connection = connections[router.db_for_write(model)]
    given = list(rows[0])
    defaults = {
        field.column: _default(field)
        for field in model._meta.concrete_fields
        if not field.primary_key and field.column not in rows[0]
    }
    constants = tuple(defaults.values())
    values = [(*(row[column] for column in given), *constants) for row in rows]
    names = ", ".join(connection.ops.quote_name(str(column)) for column in (*given, *defaults))
    table = connection.ops.quote_name(model._meta.db_table)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            with cursor.copy(f"COPY {table} ({names}) FROM STDIN") as copy:
                for value in values:
                    copy.write_row(value)
            return
        marks = ", ".join(["%s"] * (len(given) + len(defaults)))
        statement = f"INSERT INTO {table} ({names}) VALUES ({marks})"  # noqa: S608 - names of our own columns
        for start in range(0, len(values), ROWS_PER_STATEMENT):
            cursor.executemany(statement, values[start : start + ROWS_PER_STATEMENT])


def _default(field: "models.Field[Any, Any]") -> Any:
    value = field.get_default()
    if isinstance(field, models.JSONField):
        return json.dumps(value)
    value = field.get_prep_value(value)
    return str(value) if isinstance(value, str) else value  # a member of an enum is stored as what it says
