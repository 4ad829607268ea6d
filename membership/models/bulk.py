"""Many rows at once, past the ORM: ten thousand operations are stored while somebody waits, and a worker keeps books
about a thousand steps a second.

Measured for 10,000 operations: Django's `bulk_create` takes about 1 s, mostly in Python; this 0.15 to 0.3 s.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeVar

from django.db import connections, models, router
from django.db.models.base import ModelState

from membership.models.statements import Statement

ROWS_PER_STATEMENT = 500

Row = Sequence[Any]
_M = TypeVar("_M", bound=models.Model)


def insert(model: type[models.Model], rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert `rows`: `{column: value}`, all with the same columns; the others get the default of their field.

    Inside the caller's transaction. JSON columns take JSON as text. No keys are given back.
    """
    if not rows:
        return
    given = list(rows[0])
    defaults = {
        str(field.column): _default(field)
        for field in model._meta.concrete_fields
        if not field.primary_key and field.column not in rows[0]
    }
    constants = tuple(defaults.values())
    insert_rows(model, [*given, *defaults], [(*(row[column] for column in given), *constants) for row in rows])


def insert_rows(model: type[models.Model], columns: Sequence[str], rows: Sequence[Row]) -> None:
    """Insert rows of values in the order of `columns`, which are all that the table cannot fill by itself.

    Inside the caller's transaction. Values are as the database takes them; times through `stored_time`.
    """
    if not rows:
        return
    connection = connections[router.db_for_write(model)]
    names = _names(connection, columns)
    table = connection.ops.quote_name(model._meta.db_table)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            # The wrapper of the cursor does not know `copy`: its errors would come as psycopg's own.
            with connection.wrap_database_errors, cursor.copy(f"COPY {table} ({names}) FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)
            return
        statement = f"INSERT INTO {table} ({names}) VALUES ({_marks(columns)})"  # noqa: S608 - our own names
        for part in _parts(rows):
            cursor.executemany(statement, part)


def insert_returning(
    model: type[models.Model], columns: Sequence[str], rows: Sequence[Row], returning: Sequence[str]
) -> Iterator[Row]:
    """As `insert_rows`; gives these columns of each row as stored, in no certain order."""
    yield from _insert(model, columns, rows, "", returning)


def upsert_returning(
    model: type[models.Model],
    columns: Sequence[str],
    rows: Sequence[Row],
    *,
    unique: Sequence[str],
    kept: Sequence[str] = (),
    returning: Sequence[str],
) -> Iterator[Row]:
    """As `insert_returning`; a row that is there already, by the columns `unique`, gets the other values but `kept`."""
    names = connections[router.db_for_write(model)].ops.quote_name
    updated = ", ".join(
        f"{names(column)} = EXCLUDED.{names(column)}" for column in columns if column not in (*unique, *kept)
    )
    conflict = f" ON CONFLICT ({', '.join(map(names, unique))}) DO UPDATE SET {updated}"
    yield from _insert(model, columns, rows, conflict, returning)


def _insert(
    model: type[models.Model], columns: Sequence[str], rows: Sequence[Row], conflict: str, returning: Sequence[str]
) -> Iterator[Row]:
    connection = connections[router.db_for_write(model)]
    table = connection.ops.quote_name(model._meta.db_table)
    start = f"INSERT INTO {table} ({_names(connection, columns)}) VALUES "  # noqa: S608 - our own names
    one = f"({_marks(columns)})"
    end = f"{conflict} RETURNING {_names(connection, returning)}"
    with connection.cursor() as cursor:
        for part in _parts(rows):
            cursor.execute(f"{start}{', '.join([one] * len(part))}{end}", [value for row in part for value in row])
            yield from cursor.fetchall()


def update_rows(model: type[models.Model], columns: Sequence[str], rows: Sequence[Row]) -> None:
    """Set `columns` of rows that differ: values in their order, then the row's id. Inside the caller's transaction."""
    if not rows:
        return
    connection = connections[router.db_for_write(model)]
    table, key = map(connection.ops.quote_name, (model._meta.db_table, "id"))
    changes = ", ".join(f"{connection.ops.quote_name(column)} = %s" for column in columns)
    with connection.cursor() as cursor:
        cursor.executemany(f"UPDATE {table} SET {changes} WHERE {key} = %s", rows)  # noqa: S608 - our own names


def update_alike(model: type[models.Model], values: Mapping[str, Any], ids: list[int]) -> int:
    """Set the same values, `{field: value}`, in all rows with these ids. Inside the caller's transaction."""
    connection = connections[router.db_for_write(model)]
    fields = [model._meta.get_field(name) for name in values]
    prepared = [
        field.get_db_prep_save(value, connection)  # type: ignore[union-attr]
        for field, value in zip(fields, values.values(), strict=True)
    ]
    return _update_alike(model, tuple(values)).run(*prepared, ids)


@lru_cache(maxsize=64)
def _update_alike(model: type[models.Model], names: tuple[str, ...]) -> Statement:
    changes = ", ".join(f"{model._meta.get_field(name).column} = %s" for name in names)  # type: ignore[union-attr]
    return Statement(f"UPDATE {model._meta.db_table} SET {changes} WHERE id AMONG %s")  # noqa: S608 - our own names


def instance(model: type[_M], columns: Sequence[str], values: Sequence[Any], **related: Any) -> _M:
    """A row as an instance, with these columns (as attributes are named) and related objects; the rest is deferred.

    As Django makes it for `only()`, past `__init__`, which goes through all fields of the model and takes ten times as
    long.
    """
    made = model.__new__(model)
    made.__dict__.update(zip(columns, values, strict=True))
    state = made._state = ModelState()
    state.db, state.adding = router.db_for_read(model), False
    state.fields_cache = related
    return made


def stored_time(model: type[models.Model], value: Any) -> Any:
    """A time as the database of `model` takes it."""
    if value is None:
        return None
    return connections[router.db_for_write(model)].ops.adapt_datetimefield_value(value)


def stored(model: type[models.Model], column: str) -> Callable[[Any], Any]:
    """What makes a value of this column what the database takes. Raises what the field raises for a bad one."""
    field = next(field for field in model._meta.concrete_fields if field.column == column)
    if isinstance(field, models.JSONField):
        return _text
    if isinstance(field, models.DateTimeField):
        return lambda value: stored_time(model, field.get_prep_value(value))
    plain = next((kind for fields, kind in _PLAIN if type(field) is fields), None)
    return lambda value: value if type(value) is plain else field.get_prep_value(value)


_PLAIN = ((models.CharField, str), (models.BooleanField, bool))


_text = json.JSONEncoder().encode


def _names(connection: Any, columns: Sequence[str]) -> str:
    return ", ".join(connection.ops.quote_name(str(column)) for column in columns)


def _marks(columns: Sequence[str]) -> str:
    return ", ".join(["%s"] * len(columns))


def _parts(rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
    for start in range(0, len(rows), ROWS_PER_STATEMENT):
        yield rows[start : start + ROWS_PER_STATEMENT]


def _default(field: "models.Field[Any, Any]") -> Any:
    value = field.get_default()
    if isinstance(field, models.JSONField):
        return json.dumps(value)
    value = field.get_prep_value(value)
    return str(value) if isinstance(value, str) else value  # a member of an enum is stored as what it says
