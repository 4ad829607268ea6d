"""What a search of the log found, counted by action, system, user and outcome: at a bounded cost."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import Count, QuerySet
from django.utils.translation import gettext as _

from membership.models import AuditEntry, Connection
from membership.vocab import AuditAction, ReadingState

BOUND = 5_000
"""The newest entries that are counted; of more it is said that there are more."""
SHOWN = 8
"""Values of one facet."""


@dataclass(frozen=True, slots=True)
class Value:
    label: str
    count: int
    term: str
    """What narrows the search to it."""


@dataclass(frozen=True, slots=True)
class Facet:
    name: str
    label: str
    values: list[Value]


@dataclass(frozen=True, slots=True)
class Facets:
    """`is_bounded`: only the newest `BOUND` entries were counted."""

    facets: list[Facet]
    total: int
    is_bounded: bool


def facets(rows: "QuerySet[AuditEntry]") -> Facets:
    """At most three queries. A facet with one value says nothing and is left out."""
    newest = rows.order_by("-pk").values("pk")[: BOUND + 1]
    found = AuditEntry.objects.filter(pk__in=newest).order_by()
    counted = found.values_list("action", "connection_id", "actor_id", "outcome").annotate(number=Count("pk"))
    sums: tuple[Counter[Any], ...] = (Counter(), Counter(), Counter(), Counter())
    total = 0
    for *values, number in counted:
        total += number
        for each, value in zip(sums, values, strict=True):
            each[value] += number
    actions, systems, actors, outcomes = sums
    system_names = dict(Connection.objects.filter(pk__in=[pk for pk in systems if pk]).values_list("pk", "name"))
    users = get_user_model().objects.filter(pk__in=[pk for pk in actors if pk]) if len(actors) > 1 else ()
    user_names = {user.pk: user.get_username() for user in users}
    told = [
        Facet("action", _("What happened"), _values(actions, "action", _action)),
        Facet("system", _("System"), _values(systems, "system", lambda pk: system_names.get(pk, ""), "#")),
        Facet("actor", _("Who"), _values(actors, "actor", lambda pk: _actor(pk, user_names), "#")),
        Facet("outcome", _("Outcome"), _values(outcomes, "outcome", _outcome)),
    ]
    return Facets([facet for facet in told if len(facet.values) > 1], min(total, BOUND), total > BOUND)


def _values(counts: Mapping[Any, int], term: str, label: Any, mark: str = "") -> list[Value]:
    found = []
    for value, count in sorted(counts.items(), key=lambda item: (-item[1], str(item[0]))):
        said = label(value)
        if said:
            asked = "musterbook" if term == "actor" and value is None else f"{mark}{value}"
            found.append(Value(said, count, f"{term}:{_quoted(asked)}"))
    return found[:SHOWN]


def _quoted(text: str) -> str:
    return f'"{text}"' if " " in text else text


def _action(value: str) -> str:
    return str(AuditAction(value).label) if value in AuditAction.values else value


def _actor(pk: int | None, names: Mapping[int, str]) -> str:
    if pk is None:
        return "Musterbook"
    return names.get(pk) or _("User %(id)s") % {"id": pk}


def _outcome(code: str) -> str:
    if code in ReadingState.values:
        return str(ReadingState(code).label)
    return code.replace("_", " ")


def with_term(line: str, term: str) -> str:
    """A line of search with one more term; a term of the same kind is replaced."""
    kind = term.partition(":")[0]
    kept: Iterable[str] = (piece for piece in line.split() if not piece.startswith(f"{kind}:"))
    return " ".join([*kept, term])
