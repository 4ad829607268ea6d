"""Entries as lines that can be checked elsewhere, without Django or the database: `tools/verify_audit.py` does it.

    {"export": {"v": 1, "at", "query", "rows"}}
    {"sealed", "mac", "salt", "data", "text", "under", "path"}     an entry with its personal part; null: erased
    {"end": {"rows", "sha256"}}                                    SHA-256 of every line before, each with its newline

Entries are ordered by chain and number. `under` is the number of the anchor that covers it, `path` the way to its root
(`anchors.py`); the first entry under an anchor carries it: `anchor` and `sig`. An entry that no anchor covers yet has
null and an empty path.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from django.utils import timezone

from membership.audit import anchors
from membership.audit.chain import canonical, stamp
from membership.models import AuditAnchor, AuditEntry, AuditPersonal, AuditSpan

VERSION = 1
AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Line:
    """A line, and the entry and personal part that it holds; header and end have none."""

    text: str
    entry: AuditEntry | None = None
    part: AuditPersonal | None = None


def lines(entries: Iterable[AuditEntry], *, query: str, rows: int) -> Iterator[Line]:
    """`entries` have to come in the order of chain and number."""
    digest, count = hashlib.sha256(), 0
    head = {"export": {"v": VERSION, "at": stamp(timezone.now()), "query": query, "rows": rows}}
    source, proofs = iter(entries), Proofs()
    for line in _all(canonical(head), source, proofs):
        digest.update(f"{line.text}\n".encode())
        count += line.entry is not None
        yield line
    yield Line(canonical({"end": {"rows": count, "sha256": digest.hexdigest()}}))


def _all(head: str, source: Iterator[AuditEntry], proofs: "Proofs") -> Iterator[Line]:
    yield Line(head)
    while chunk := list(islice(source, AT_ONCE)):
        parts = AuditPersonal.objects.in_bulk([row.pk for row in chunk])
        for row in chunk:
            part = parts.get(row.pk)
            yield Line(canonical(_content(row, part) | proofs.of(row)), row, part)


def _content(row: AuditEntry, part: AuditPersonal | None) -> dict[str, Any]:
    personal = {"salt": part.salt, "data": part.data, "text": part.text} if part else dict.fromkeys(_PERSONAL)
    return {"sealed": row.sealed, "mac": row.mac, **personal}


_PERSONAL = ("salt", "data", "text")


class Proofs:
    """What shows that an entry lies under an anchor. Holds the tree of one span at a time."""

    def __init__(self) -> None:
        self._span: AuditSpan | None = None
        self._tree: anchors.Tree | None = None
        self._carried: set[int] = set()

    def of(self, row: AuditEntry) -> dict[str, Any]:
        span = self._span_of(row)
        if span is None or self._tree is None:
            return {"under": None, "path": []}
        found: dict[str, Any] = {"under": span.n, "path": self._tree.path(row.seq - span.first)}
        if span.n not in self._carried:
            anchor = AuditAnchor.objects.filter(n=span.n).first()
            if anchor is None:  # somebody took it out, which `verify` names; what it covered cannot be shown
                return {"under": None, "path": []}
            self._carried.add(span.n)
            found |= {"anchor": anchor.text, "sig": anchor.sig}
        return found

    def _span_of(self, row: AuditEntry) -> AuditSpan | None:
        span = self._span
        if span is not None and span.chain == row.chain and span.first <= row.seq <= span.last:
            return span
        found = AuditSpan.objects.filter(chain=row.chain, last__gte=row.seq).order_by("last").first()
        self._span, self._tree = found, None
        if found is None or found.first > row.seq:
            self._span = None
            return None
        entries = AuditEntry.objects.filter(chain=row.chain, seq__gte=found.first, seq__lte=found.last)
        sealed = list(entries.order_by("seq").values_list("sealed", flat=True))
        if len(sealed) == found.last - found.first + 1:  # else some are gone, and nothing can be shown
            self._tree = anchors.Tree(map(anchors.leaf, sealed))
        return found
