"""Lists as files: what a list shows as it stands, streamed, so that a million rows need no more memory than fifty."""

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from django.db import models, transaction
from django.utils import timezone
from django.utils.functional import Promise

from membership.audit import record
from membership.errors import BadValue, Reason
from membership.models import visible_to
from membership.services import export_cells as cells
from membership.services import export_workbook
from membership.services.shell import audited
from membership.vocab import AuditAction, Chain

if TYPE_CHECKING:
    from django.contrib.auth.models import User

M = TypeVar("M", bound=models.Model)

Column = tuple[str | Promise, str | Callable[[Any], Any]]
"""A header, and where the value comes from: a field's path such as "group__name", or a function of the row."""
File = tuple[str, str, Iterator[bytes]]
"""Name, content type, bytes."""
Rows = Iterator[Sequence[Any]]

ROWS_AT_ONCE = 500


class Format(NamedTuple):
    content_type: str
    write: Callable[[Sequence[str], Rows], Iterator[bytes]]


@audited
def export(
    queryset: "models.QuerySet[M]",
    columns: Sequence[Column],
    *,
    actor: "User",
    list_name: str,
    query: str,
    format: str,
    change_id: int | None = None,
) -> File:
    """A list as a file: `(file name, content type, its bytes)`, for a streaming response.

    Only rows that the actor may see are in it, in the list's order. That it was made, with the list's name, its `query`
    as it stands in the address, and the number of rows, is in the log before this returns. Nothing is read before the
    first bytes are asked for; a file that breaks off was not exported whole. Cells cannot start formulas.
    `change_id`: the change that it is about.

    Raises `BadValue` for an unknown `format`: they are in `FORMATS`.
    """
    if format not in FORMATS:
        raise BadValue(Reason.BAD_VALUE, key="format", why=", ".join(FORMATS))
    rows = visible_to(queryset, actor)
    name = _file_name(list_name, format)
    entry = record.Entry(
        AuditAction.EXPORT_MADE,
        actor=actor,
        change_id=change_id,
        data={"what": list_name, "rows": rows.count(), "format": format},
        personal={"query": query, "columns": [str(header) for header, _get in columns]},
    )
    with transaction.atomic():
        record.write(Chain.PANEL, [entry])
    headers = [str(header) for header, _get in columns]
    chosen = FORMATS[format]
    return name, chosen.content_type, chosen.write(headers, _values(rows, [get for _header, get in columns]))


def _file_name(list_name: str, format: str) -> str:
    words = re.sub(r"[^a-z0-9]+", "-", list_name.lower()).strip("-") or "list"
    return f"musterbook-{words}-{timezone.localtime():%Y-%m-%d-%H%M}.{format}"


# rows


def _values(rows: "models.QuerySet[Any]", getters: Sequence[str | Callable[[Any], Any]]) -> Rows:
    paths = [getter for getter in getters if isinstance(getter, str)]
    if len(paths) == len(getters):
        # Plain values are several times cheaper than rows.
        yield from rows.values_list(*paths).iterator(chunk_size=ROWS_AT_ONCE)
        return
    read = [_reader(getter) for getter in getters]
    for row in rows.iterator(chunk_size=ROWS_AT_ONCE):
        yield [get(row) for get in read]


def _reader(getter: str | Callable[[Any], Any]) -> Callable[[Any], Any]:
    if not isinstance(getter, str):
        return getter
    steps = getter.split("__")

    def read(row: Any) -> Any:
        for step in steps:
            row = getattr(row, step, None)
        return row

    return read


def _in_batches(rows: Iterable[Any]) -> Iterator[list[Any]]:
    source = iter(rows)
    while batch := list(islice(source, ROWS_AT_ONCE)):
        yield batch


# formats


def _csv(headers: Sequence[str], rows: Rows) -> Iterator[bytes]:
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    # By the mark at the beginning spreadsheets know that it is UTF-8.
    yield "\ufeff".encode()
    for batch in _in_batches(chain([headers], rows)):
        writer.writerows([cells.for_csv(value) for value in row] for row in batch)
        yield buffer.getvalue().encode()
        buffer.seek(0)
        buffer.truncate()


def _json(headers: Sequence[str], rows: Rows) -> Iterator[bytes]:
    encode = json.JSONEncoder(ensure_ascii=False).encode
    before = "[\n"
    for batch in _in_batches(rows):
        lines = ",\n".join(encode(dict(zip(headers, map(cells.for_json, row), strict=True))) for row in batch)
        yield (before + lines).encode()
        before = ",\n"
    yield b"[]\n" if before == "[\n" else b"\n]\n"


FORMATS: dict[str, Format] = {
    "csv": Format("text/csv; charset=utf-8", _csv),
    "xlsx": Format("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", export_workbook.write),
    "json": Format("application/json", _json),
}
