"""Texts that may name a person without being about them: what people wrote, what systems said, how files are called."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import JSONField, Model, Q, QuerySet

from membership.models import (
    Bundle,
    Change,
    ChangeConnection,
    Connection,
    Decision,
    Erasure,
    Group,
    Leaving,
    LeftOut,
    Merging,
    Operation,
    Person,
    Reading,
    Roster,
    RosterColumns,
    visible_to,
)
from membership.models.visibility import Viewer
from membership.services.traces import Traces
from membership.vocab import ERASED

TEXTS: Mapping[type[Model], tuple[str, ...]] = {
    Bundle: ("name", "note"),
    Change: ("reason", "ticket", "pause_params"),
    ChangeConnection: ("unknown_params",),
    Connection: ("state_params", "slowed_params"),
    Decision: ("said",),
    Erasure: ("label", "note"),
    Group: ("protected_note", "incomplete_params"),
    Leaving: ("certificate",),
    LeftOut: ("reason_params",),
    Merging: ("protected_note",),
    Operation: ("outcome_params", "suspicion_params"),
    Person: ("protected_note",),
    Reading: ("reason_params",),
    Roster: ("file_name",),
    RosterColumns: ("headings",),
}
LARGE = frozenset({Change, ChangeConnection, LeftOut, Operation, Reading})
"""Tables that are not looked through within a transaction."""
_SEEN_WITH: Mapping[type[Model], tuple[str, type[Model]]] = {
    ChangeConnection: ("connection", Connection),
    Decision: ("change", Change),
    Merging: ("person", Person),
    RosterColumns: ("connection", Connection),
}
"""What is seen by whoever sees another row."""


_READ_WITH: Mapping[type[Model], str] = {Decision: "change_id", Erasure: "person_id", Leaving: "person_id"}
_WHOLE: Mapping[type[Model], tuple[str, ...]] = {LeftOut: ("name",)}
"""Under which key of stored parameters a text may be a name as a whole."""


@dataclass(frozen=True, slots=True)
class Mention:
    row: Model
    column: str

    @property
    def value(self) -> Any:
        return getattr(self.row, self.column)


def mentions(found: Traces, model: type[Model], *which: Q, user: Viewer | None = None) -> Iterator[Mention]:
    """Where rows of a kind name the person, or tell of what is about them alone. Of `user`: as far as they may see."""
    columns = TEXTS[model]
    rows = _rows(model, user).filter(*which).filter(_is_written(model, columns))
    also = (_READ_WITH[model],) if model in _READ_WITH else ()
    for row in rows.only("pk", *columns, *also).iterator():
        if not _is_own(row, found):
            yield from (Mention(row, name) for name in columns if _tells(row, name, found))


def said(found: Traces, mention: Mention) -> str:
    """The text; of stored parameters only what names the person: the rest is about others."""
    if not isinstance(mention.value, dict):
        return str(mention.value)
    emptied = found.without(mention.value, *_WHOLE.get(type(mention.row), ()))
    return "; ".join(dict.fromkeys(_differing(mention.value, emptied)))


def _differing(value: Any, emptied: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _differing(item, emptied[key])
    elif isinstance(value, list):
        for item, other in zip(value, emptied, strict=True):
            yield from _differing(item, other)
    elif value != emptied:
        yield str(value)


def erase(found: Traces, mention: Mention) -> None:
    row, value = mention.row, mention.value
    given = found.without(value, *_WHOLE.get(type(row), ())) if isinstance(value, dict) else ERASED
    if isinstance(row, Bundle) and mention.column == "name":
        given = f"{ERASED} {row.pk}"  # names of bundles are unique
    type(row)._base_manager.filter(pk=row.pk).update(**{mention.column: given})


def _rows(model: type[Model], user: Viewer | None) -> "QuerySet[Any]":
    rows: QuerySet[Any] = model._base_manager.all()
    if user is None:
        return rows
    if model in _SEEN_WITH:
        name, seen = _SEEN_WITH[model]
        return rows.filter(**{f"{name}__in": visible_to(seen._base_manager.all(), user).values("pk")})
    return visible_to(rows, user)


def _is_written(model: type[Model], columns: tuple[str, ...]) -> Q:
    """Rows in which any of the columns says something."""
    condition = Q()
    for name in columns:
        nothing: Any = {} if isinstance(model._meta.get_field(name), JSONField) else ""
        condition |= ~Q(**{name: nothing})
    return condition


def _is_own(row: Model, found: Traces) -> bool:
    """What goes, or is told, as a whole."""
    if isinstance(row, Person):
        return row.pk in found.people
    if isinstance(row, Leaving):
        return row.person_id in found.people
    return isinstance(row, Operation) and row.pk in found.operations


def _tells(row: Model, column: str, found: Traces) -> bool:
    value = getattr(row, column)
    if isinstance(row, Decision) and row.change_id in found.changes:
        return bool(value)
    if isinstance(row, Erasure) and row.person_id in found.people:
        return value not in ("", ERASED)
    if isinstance(value, dict):
        return bool(found.without(value, *_WHOLE.get(type(row), ())) != value)
    return bool(value) and found.is_told_in(value)
