"""Audit entries as files that prove themselves: what a search found, each entry with its way to a signed anchor."""

import contextlib
import csv
import io
from collections.abc import Callable, Iterator
from itertools import islice
from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models import Max, QuerySet
from django.utils import timezone

from membership.audit import anchoring, anchors, cuts, handing_over, record
from membership.audit.moment import one_moment
from membership.errors import BadValue, Reason
from membership.models import AuditEntry, visible_to
from membership.services import audit_damage, audit_log
from membership.services import export_cells as cells
from membership.services.shell import audited
from membership.vocab import AuditAction, Chain

if TYPE_CHECKING:
    from django.contrib.auth.models import User

HEADERS = ("id", "at", "action", "says", "actor", "outcome", "chain", "seq", "proof")
MOST_ANCHORS = 20
"""Made before an export, so that it holds what has no anchor yet; a longer backlog is the worker's."""


@audited
def export_with_proof(
    queryset: "QuerySet[AuditEntry]", *, actor: "User", query: str, format: str
) -> tuple[str, str, Iterator[bytes]]:
    """The entries of a search as a file, streamed: `(file name, content type, its bytes)`.

    Only entries that the actor may read and that were there before are in it, by chain and number, and each lies under
    a signed anchor that the file carries, unless no key for anchors is set. That it was made is in the log before this
    returns. `tools/verify_audit.py` checks it. What is cut off meanwhile is in it as a whole, or not at all; what was
    damaged is in it as far as it can be written.

    Raises `BadValue` for an unknown `format`: they are in `FORMATS`.
    """
    if format not in FORMATS:
        raise BadValue(Reason.BAD_VALUE, key="format", why=", ".join(FORMATS))
    newest = AuditEntry.objects.aggregate(newest=Max("pk"))["newest"] or 0
    rows = visible_to(queryset, actor).filter(cuts.not_cut_off(), pk__lte=newest).order_by("chain", "seq")
    count = rows.count()
    entry = record.Entry(
        AuditAction.EXPORT_MADE,
        actor=actor,
        data={"what": "auditentry", "rows": count, "format": format, "proof": True},
        personal={"query": query},
    )
    with transaction.atomic():
        record.write(Chain.PANEL, [entry])
    with contextlib.suppress(anchors.BadAnchor):  # none can be made, which is shown: what is new has no proof then
        anchoring.catch_up(at_most=MOST_ANCHORS)
    ending, content_type, write = FORMATS[format]
    name = f"musterbook-audit-{timezone.localtime():%Y-%m-%d-%H%M}.{ending}"
    source = rows.iterator(chunk_size=handing_over.AT_ONCE)
    return name, content_type, _at_one_moment(write(handing_over.lines(source, query=query, rows=count)))


def _at_one_moment(content: Iterator[bytes]) -> Iterator[bytes]:
    with one_moment(), audit_damage.readable():
        yield from content


def _jsonl(lines: Iterator[handing_over.Line]) -> Iterator[bytes]:
    while batch := list(islice(lines, handing_over.AT_ONCE)):
        yield "".join(f"{line.text}\n" for line in batch).encode()


def _csv(lines: Iterator[handing_over.Line]) -> Iterator[bytes]:
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    yield "\ufeff".encode()
    writer.writerow(HEADERS)
    while batch := list(islice(lines, handing_over.AT_ONCE)):
        told = {line.id: line for line in audit_log.lines([row.entry for row in batch if row.entry is not None])}
        for line in batch:
            row = line.entry
            shown = [""] * (len(HEADERS) - 1) if row is None else _shown(row, told[row.pk])
            writer.writerow([*shown, line.text])  # it begins with a brace: no spreadsheet takes it for a formula
        yield buffer.getvalue().encode()
        buffer.seek(0)
        buffer.truncate()


def _shown(row: AuditEntry, told: audit_log.Line) -> list[str | int | float]:
    at = audit_log.opened(row.sealed).get("at", "")
    values = (row.pk, at, row.action, told.sentence, told.actor, row.outcome, row.chain, row.seq)
    return [cells.for_csv(value) for value in values]


FORMATS: dict[str, tuple[str, str, Callable[[Iterator[handing_over.Line]], Iterator[bytes]]]] = {
    "jsonl": ("jsonl", "application/x-ndjson", _jsonl),
    "csv-proof": ("csv", "text/csv; charset=utf-8", _csv),
}
