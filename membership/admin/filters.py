"""Filters of the lists: selects and short text fields, drawn by `membership/_filters.html`."""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from django.contrib.admin import SimpleListFilter
from django.contrib.admin.options import ModelAdmin
from django.db.models import Model, Q, QuerySet, TextChoices
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from membership.admin.base import Text
from membership.admin.requests import visible_systems
from membership.models import visible_to
from membership.services import list_filters, matching
from membership.services.list_filters import ListFilter, Table


class Choice(SimpleListFilter):
    """A select. `where` maps a choice to its condition; unknown values filter everything away, never nothing."""

    kind: ClassVar[str] = "select"
    options: ClassVar[Iterable[tuple[str, Text]]] = ()
    where: ClassVar[dict[str, Q]] = {}
    nothing_chosen: ClassVar[Text] = _("all")
    is_rare: ClassVar[bool] = False
    """Whether it stands behind "More filters"."""

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin) -> list[tuple[str, Any]]:
        return list(self.options)

    def has_output(self) -> bool:
        return True

    def said(self, request: HttpRequest, value: str) -> object:
        """What the filter's chip says."""
        return next((text for choice, text in self.lookup_choices if str(choice) == value), value)

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        value = self.value()
        if not value:
            return queryset
        condition = self.condition(value)
        return queryset.none() if condition is None else queryset.filter(condition)

    def condition(self, value: str) -> Q | None:
        return self.where.get(value)


class Flag(Choice):
    """Yes or no of one boolean column."""

    column: ClassVar[str]
    options = (("yes", _("yes")), ("no", _("no")))

    def condition(self, value: str) -> Q | None:
        return self.condition_of(self.column, value)

    @staticmethod
    def condition_of(column: str, value: str) -> Q | None:
        return {"yes": Q(**{column: True}), "no": Q(**{column: False})}.get(value)


class Contains(Choice):
    """A text that a column contains."""

    kind = "text"
    column: ClassVar[str]

    def condition(self, value: str) -> Q | None:
        return None if "\0" in value else matching.contains(self.column, value)


class Identity(Choice):
    """Set by links alone (`?group=3`): shown as a chip that can be taken away, with the name of the row."""

    kind = "identity"
    column: ClassVar[str]
    named_by: ClassVar[tuple[type[Model], str] | None] = None
    """The model of the row, and its column with the name."""

    def condition(self, value: str) -> Q | None:
        return Q(**{self.column: int(value)}) if is_id(value) else None

    def said(self, request: HttpRequest, value: str) -> object:
        if self.named_by is None or not is_id(value):
            return value
        model, column = self.named_by
        rows = visible_to(model._default_manager.filter(pk=int(value)), request.user)
        return rows.values_list(column, flat=True).first() or value


def is_id(value: str) -> bool:
    return value.isascii() and value.isdigit() and len(value) < 19


class System(Choice):
    title = _("system")
    parameter_name = "system"
    column: ClassVar[str] = "connection_id"

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin) -> list[tuple[str, Any]]:
        return [(str(row.pk), row.name) for row in visible_systems(request)]

    def condition(self, value: str) -> Q | None:
        return Q(**{self.column: int(value)}) if is_id(value) else None


def flag(title: Text, parameter: str, column: str) -> type[Flag]:
    return type("Flag", (Flag,), {"title": title, "parameter_name": parameter, "column": column})


def contains(title: Text, parameter: str, column: str) -> type[Contains]:
    return type("Contains", (Contains,), {"title": title, "parameter_name": parameter, "column": column})


def identity(
    title: Text, parameter: str, column: str, named_by: tuple[type[Model], str] | None = None
) -> type[Identity]:
    fields = {"title": title, "parameter_name": parameter, "column": column, "named_by": named_by}
    return type("Identity", (Identity,), fields)


def of_enum(title: Text, parameter: str, column: str, choices: type[TextChoices]) -> type[Choice]:
    """One of the values of an enum."""
    where = {value: Q(**{column: value}) for value in choices.values}
    fields = {"title": title, "parameter_name": parameter, "options": tuple(choices.choices), "where": where}
    return type("OfEnum", (Choice,), fields)


class OfTable(Identity):
    """One line of a table of `services/list_filters`."""

    line: ClassVar[ListFilter]

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin) -> list[tuple[str, Any]]:
        if self.line.kind == list_filters.SYSTEM:
            return [(str(row.pk), row.name) for row in visible_systems(request)]
        return list(self.line.choices)

    def condition(self, value: str) -> Q | None:
        return self.line.condition(value)

    def said(self, request: HttpRequest, value: str) -> object:
        kind = self.line.kind
        return super().said(request, value) if kind == list_filters.IDENTITY else Choice.said(self, request, value)


def of_table(
    table: Table, *, at_hand: Iterable[str], named_by: Mapping[str, tuple[type[Model], str]] | None = None
) -> tuple[type[OfTable], ...]:
    """All filters of a table: those `at_hand` first, the others behind "More filters"."""
    first = [table[key] for key in at_hand]
    rest = [line for line in table.values() if line not in first]
    return tuple(_of_line(line, line in rest, (named_by or {}).get(line.key)) for line in (*first, *rest))


def _of_line(line: ListFilter, is_rare: bool, named_by: tuple[type[Model], str] | None) -> type[OfTable]:
    kind = list_filters.SELECT if line.kind == list_filters.SYSTEM else line.kind
    fields = {"title": line.label, "parameter_name": line.key, "kind": kind, "line": line}
    return type("OfLine", (OfTable,), {**fields, "is_rare": is_rare, "named_by": named_by})
