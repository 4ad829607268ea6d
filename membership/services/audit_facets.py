"""What a search of the log found, counted by action, system, user and outcome: at a bounded cost."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from membership.models import AuditEntry, Connection
from membership.services.audit_query import pieces
from membership.services.audit_terms import EXACTLY, name_of
from membership.vocab import AuditAction, ReadingState

Counted = Counter[Any]

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
class Newest:
    """The newest entries of a search. `is_bounded`: there are more than `BOUND`, which stand for all of them."""

    ids: list[int]
    is_bounded: bool
    facets: list[Facet]


def newest(rows: "QuerySet[AuditEntry]") -> Newest:
    """What a page lists and counts: `rows` are looked for once, and it takes at most two queries more.

    A facet with one value says nothing and is left out.
    """
    columns = ("pk", "action", "connection_id", "actor_id", "outcome")
    found = list(rows.order_by("-pk").values_list(*columns)[: BOUND + 1])
    ids, *counted = zip(*found[:BOUND], strict=True) if found else ((), (), (), (), ())
    return Newest(list(ids), len(found) > BOUND, _facets(*map(Counter, counted)))


def _facets(actions: Counted, systems: Counted, actors: Counted, outcomes: Counted) -> list[Facet]:
    system_ids = [pk for pk in systems if isinstance(pk, int)] if len(systems) > 1 else []
    user_ids = [pk for pk in actors if isinstance(pk, int)] if len(actors) > 1 else []
    system_names = dict(Connection.objects.filter(pk__in=system_ids).values_list("pk", "name") if system_ids else ())
    users = get_user_model().objects.filter(pk__in=user_ids) if user_ids else ()
    user_names = {user.pk: user.get_username() for user in users}
    told = [
        Facet("action", _("What happened"), _values(actions, "action", _action)),
        Facet("system", _("System"), _values(systems, "system", lambda pk: system_names.get(pk, ""), "#")),
        Facet("actor", _("Who"), _values(actors, "actor", lambda pk: _actor(pk, user_names), "#")),
        Facet("outcome", _("Outcome"), _values(outcomes, "outcome", _outcome, EXACTLY)),
    ]
    return [facet for facet in told if len(facet.values) > 1]


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
    return str(AuditAction(value).label) if value in AuditAction.values else str(value)


def _actor(pk: int | None, names: Mapping[int, str]) -> str:
    if pk is None:
        return _("no user")
    return names.get(pk) or _("User %(id)s") % {"id": pk}


def _outcome(code: str) -> str:
    if code in ReadingState.values:
        return str(ReadingState(code).label)
    return str(code).replace("_", " ")


def with_term(line: str, term: str) -> str:
    """A line of search with one more term; a term of the same kind is replaced."""
    kind = term.partition(":")[0]
    kept = (found[0] for found in pieces(line) if name_of(found[1] or "") != kind)
    return " ".join([*kept, term])
