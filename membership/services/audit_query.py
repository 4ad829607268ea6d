"""One line of search over the audit log: plain words, and terms such as `actor:vera` or `from:2026-03-01`.

Forgiving: what is no term is a word. What looks like a term and cannot be understood finds nothing, and says why.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils.translation import gettext as _

from membership.audit import chain as chains
from membership.audit import words as index
from membership.models import AuditEntry, AuditPersonal
from membership.models.visibility import Viewer
from membership.services.audit_terms import HELP, TERMS, name_of

__all__ = ["HELP", "Asked", "narrow", "parse", "pieces"]

LONGEST = 400
WORDS_AT_MOST = 8
NEWEST = 10_000
"""Entries among which words too short for the index are looked for."""

_PIECE = re.compile(r'(?:(\w+):)?(?:"([^"]*)"|(\S+))')
_APART = re.compile(r'"[^"]*"|\b(\w+):\s+(?=\S)')
"""A term and its value with blanks in between; what is in quotes stays as it is."""
_NUMBER = re.compile(r"#?([0-9]{1,18})", re.ASCII)


@dataclass(slots=True)
class Asked:
    """What a line of search means. `faults`: terms that cannot be understood, in words; then nothing is found."""

    words: list[str] = field(default_factory=list)
    terms: list[tuple[str, str]] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    hints: list[str] = field(default_factory=list)
    """What the reader has to know about what was looked through."""


def parse(text: str) -> Asked:
    """The line, taken apart. Nothing is looked up yet."""
    asked = Asked()
    if len(text) > LONGEST:
        said = _("The line finds nothing: it has more than %(number)s characters.")
        asked.faults.append(said % {"number": LONGEST})
    for found in pieces(text[:LONGEST]):
        name, quoted, plain = found.groups()
        value = quoted if quoted is not None else plain
        term = name_of(name) if name else ""
        if term:
            asked.terms.append((term, value.strip()))
        elif name:
            asked.words += chains.fold(f"{name}:{value}").split()
        elif quoted is None and value.startswith("#") and _NUMBER.fullmatch(value):
            asked.numbers.append(int(value[1:]))
        elif quoted is None:
            asked.words.append(chains.fold(value))
        elif quoted.strip():
            asked.words.append(chains.fold(quoted.strip()))
    if len(asked.words) > WORDS_AT_MOST:
        said = _("The line finds nothing: it has more than %(number)s words. Put what belongs together in quotes.")
        asked.faults.append(said % {"number": WORDS_AT_MOST})
        del asked.words[WORDS_AT_MOST:]
    return asked


def pieces(text: str) -> Iterator[re.Match[str]]:
    """The line, word by word and term by term: each with its name, and its value in quotes or without."""
    joined = _APART.sub(lambda found: f"{found[1]}:" if name_of(found[1] or "") else found[0], text)
    return _PIECE.finditer(chains.clean_text(joined))


def narrow(
    rows: "QuerySet[AuditEntry]", text: str, user: Viewer | None = None, *, whole: bool = False
) -> "tuple[QuerySet[AuditEntry], Asked]":
    """The entries that fit all of the line. Names stand for what `user` may see; without one they stand for all.

    Of words that stand in very many entries only the newest are looked at, and `hints` say so, unless the result is
    wanted `whole`, however long that takes.
    """
    asked = parse(text)
    conditions = Q()
    for name, value in asked.terms:
        condition = TERMS[name](value, user) if value else _("write what is looked for after the colon")
        if isinstance(condition, str):
            asked.faults.append(_("“%(term)s” finds nothing: %(why)s.") % {"term": f"{name}:{value}", "why": condition})
        else:
            conditions &= condition
    if asked.faults:
        return rows.none(), asked
    rows = rows.filter(conditions)
    for number in asked.numbers:
        rows = rows.filter(Q(pk=number) | Q(change_id=number))
    return _holding(rows, asked, dict(_bounds(conditions)), whole), asked


def _bounds(condition: Q) -> Iterator[tuple[str, int]]:
    """Between which numbers the entries of a span of time are."""
    for child in condition.children:
        if isinstance(child, tuple) and child[0] in ("pk__gte", "pk__lte"):
            yield {"pk__gte": "low", "pk__lte": "high"}[child[0]], child[1]


def _holding(rows: "QuerySet[AuditEntry]", asked: Asked, bounds: dict[str, int], whole: bool) -> "QuerySet[AuditEntry]":
    """Entries whose personal part holds every word."""
    long = [word for word in asked.words if len(word) >= index.SHORTEST]
    short = [word for word in asked.words if len(word) < index.SHORTEST]
    if long:
        rows = rows.filter(*_long(long, asked, bounds, whole))
    elif short and not whole:
        for oldest in AuditEntry.objects.order_by("-pk").values_list("pk", flat=True)[NEWEST : NEWEST + 1]:
            rows = rows.filter(pk__gt=oldest)
            asked.hints.append(
                _("Words of one or two letters are looked for among the newest %(number)s entries.")
                % {"number": f"{NEWEST:,}"}
            )
    return rows.filter(_held(short)) if short else rows


def _long(words: list[str], asked: Asked, bounds: dict[str, int], whole: bool) -> list[Q | Exists]:
    if not index.is_there():
        return [_held(words)]
    if whole:
        return [index.all_of(words)]
    ids, is_all = index.newest(words, **bounds)
    if not is_all:
        said = _(
            "These words stand in more than %(number)s entries: the newest of them were looked at. Add from: and to:."
        )
        asked.hints.append(said % {"number": f"{index.COMMON:,}"})
    return [index.among(ids)]


def _held(words: Iterable[str]) -> Exists:
    parts = AuditPersonal.objects.filter(entry_id=OuterRef("pk"))
    for word in words:
        parts = parts.filter(text__contains=word)
    return Exists(parts)
