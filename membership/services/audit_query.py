"""One line of search over the audit log: plain words, and terms such as `actor:vera` or `from:2026-03-01`.

Forgiving: what is no term is a word. What looks like a term and cannot be understood finds nothing, and says why.
"""

import re
from dataclasses import dataclass, field

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils.translation import gettext as _

from membership.audit import chain as chains
from membership.audit import words as index
from membership.models import AuditEntry, AuditPersonal
from membership.models.visibility import Viewer
from membership.services.audit_terms import HELP, TERMS, name_of

__all__ = ["HELP", "Asked", "narrow", "parse"]

LONGEST = 400
WORDS_AT_MOST = 8
NEWEST = 10_000
"""Entries among which words too short for the index are looked for."""

_PIECE = re.compile(r'(?:(\w+):)?(?:"([^"]*)"|(\S+))')
_APART = re.compile(r"\b(\w+):\s+(?=\S)")
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
    joined = _APART.sub(lambda found: f"{found[1]}:" if name_of(found[1]) else found[0], text[:LONGEST])
    for found in _PIECE.finditer(chains.clean_text(joined)):
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
    del asked.words[WORDS_AT_MOST:]
    return asked


def narrow(rows: "QuerySet[AuditEntry]", text: str, user: Viewer | None = None) -> "tuple[QuerySet[AuditEntry], Asked]":
    """The entries that fit all of the line. Names stand for what `user` may see; without one they stand for all."""
    asked = parse(text)
    for name, value in asked.terms:
        condition = TERMS[name](value, user) if value else _("write what is looked for after the colon")
        if isinstance(condition, str):
            asked.faults.append(_("“%(term)s” finds nothing: %(why)s.") % {"term": f"{name}:{value}", "why": condition})
        else:
            rows = rows.filter(condition)
    for number in asked.numbers:
        rows = rows.filter(Q(pk=number) | Q(change_id=number))
    return (rows.none() if asked.faults else _holding(rows, asked)), asked


def _holding(rows: "QuerySet[AuditEntry]", asked: Asked) -> "QuerySet[AuditEntry]":
    """Entries whose personal part holds every word."""
    long = [word for word in asked.words if len(word) >= index.SHORTEST]
    short = [word for word in asked.words if len(word) < index.SHORTEST]
    if long:
        rows = rows.filter(*_long(long, is_alone=not asked.terms))
    elif short:
        newest = AuditEntry.objects.order_by("-pk").values_list("pk", flat=True)[NEWEST : NEWEST + 1]
        for oldest in newest:
            rows = rows.filter(pk__gt=oldest)
            asked.hints.append(
                _("Words of one or two letters are looked for among the newest %(number)s entries.")
                % {"number": f"{NEWEST:,}"}
            )
    return rows.filter(*map(_held, short))


def _long(words: list[str], *, is_alone: bool) -> list[Q | Exists]:
    """Rare words by the index. Common ones: the newest entries soon have enough, where nothing else is asked."""
    ids = index.rare(words)
    if ids is not None:
        return [index.among(ids)]
    if is_alone or not index.is_there():
        return list(map(_held, words))
    return [index.all_of(words)]


def _held(word: str) -> Exists:
    return Exists(AuditPersonal.objects.filter(entry_id=OuterRef("pk"), text__contains=word))
