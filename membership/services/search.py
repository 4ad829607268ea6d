"""One search over everything: people, accounts, groups, changes, tickets. One query a kind."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import reduce
from operator import and_, or_
from typing import TYPE_CHECKING, Any, NamedTuple

from django.db.models import Case, Count, IntegerField, Max, Q, QuerySet, Value, When
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from membership.models import Account, Change, Group, Person, visible_to
from membership.services import matching, people
from membership.services.inert import inert
from membership.services.titles import title

if TYPE_CHECKING:
    from django.contrib.auth.models import User

LONGEST = 200
WORDS_AT_MOST = 6
_UNSEARCHABLE = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")
_NUMBER = re.compile(r"#?([0-9]{1,18})", re.ASCII)


class Kind(StrEnum):
    PERSON = "person"
    ACCOUNT = "account"
    GROUP = "group"
    CHANGE = "change"
    TICKET = "ticket"


class Found(NamedTuple):
    """One line: `pk` is of the row to which it leads; of a ticket, of the newest change that names it."""

    kind: Kind
    pk: int
    label: str
    detail: str


@dataclass(frozen=True, slots=True)
class FoundKind:
    """What was found of one kind, the best first. `more`: whether there is more than is told."""

    kind: Kind
    label: str
    lines: tuple[Found, ...]
    more: bool


def find(text: str, *, user: "User", limit: int = 8) -> list[FoundKind]:
    """What matches, as far as the user may see; kinds of which nothing matches are left out.

    Every word has to be somewhere in a name, an e-mail, a reason or a ticket, whatever its case; what begins with the
    text comes first. A number, also as "#12", finds the change of this number, and rows whose id there it is.
    """
    wanted = " ".join(_UNSEARCHABLE.sub(" ", text[:LONGEST]).split())
    if not wanted:
        return []
    found = [
        FoundKind(kind, label, tuple(lines[:limit]), len(lines) > limit)
        for kind, label, search in _searches()
        if (lines := search(wanted, user, limit + 1))
    ]
    return found


Search = Callable[[str, "User", int], list[Found]]


def _searches() -> Sequence[tuple[Kind, str, Search]]:
    return (
        (Kind.PERSON, _("People"), _people),
        (Kind.GROUP, _("Groups"), _groups),
        (Kind.ACCOUNT, _("Accounts"), _accounts),
        (Kind.CHANGE, _("Changes"), _changes),
        (Kind.TICKET, _("Tickets"), _tickets),
    )


# what matches


def _words(text: str, *columns: str) -> Q:
    """Each word is in one of the columns. A single letter has to begin one of them: it is in nearly everything."""
    look = matching.begins if len(text) == 1 else matching.contains
    return reduce(and_, (reduce(or_, (look(column, word) for column in columns)) for word in _first_words(text)))


def _first_words(text: str) -> list[str]:
    return text.split()[:WORDS_AT_MOST]


def _best_first(rows: QuerySet[Any], first: Q, *then: str) -> QuerySet[Any]:
    rank = Case(When(first, then=Value(0)), default=Value(1), output_field=IntegerField())
    ranked: QuerySet[Any] = rows.annotate(rank=rank)
    return ranked.order_by("rank", *then)


def _lines(kind: Kind, rows: Iterable[tuple[int, str, str]]) -> list[Found]:
    return [Found(kind, pk, inert(label), inert(detail)) for pk, label, detail in rows]


# each kind


def _people(text: str, user: "User", limit: int) -> list[Found]:
    accounts = visible_to(Account.objects.filter(matching.contains("email", text), is_present=True), user)
    wanted = Person.objects.filter(_words(text, "name") | Q(pk__in=accounts.values("person_id")))
    rows: QuerySet[Any] = people.listed(visible_to(wanted, user), user)
    best = _best_first(rows, matching.begins("name", text), "name", "pk")[:limit]
    return _lines(Kind.PERSON, ((row.pk, row.name, _accounts_of(row.accounts_n)) for row in best))


def _accounts_of(number: int) -> str:
    return ngettext("%(number)d account", "%(number)d accounts", number) % {"number": number}


def _accounts(text: str, user: "User", limit: int) -> list[Found]:
    wanted = Account.objects.filter(_words(text, "label", "email") | Q(remote_id=text), is_present=True)
    best = _best_first(visible_to(wanted, user), matching.begins("label", text) | Q(remote_id=text), "label", "pk")[
        :limit
    ]
    values = best.values_list("pk", "label", "email", "remote_id", "connection__name")
    told = ((pk, label or there, f"{email or there} · {system}") for pk, label, email, there, system in values)
    return _lines(Kind.ACCOUNT, told)


def _groups(text: str, user: "User", limit: int) -> list[Found]:
    wanted = Group.objects.filter(_words(text, "name") | Q(remote_id=text), is_present=True)
    best = _best_first(visible_to(wanted, user), matching.begins("name", text) | Q(remote_id=text), "name", "pk")[
        :limit
    ]
    values = best.values_list("pk", "name", "remote_id", "connection__name")
    return _lines(Kind.GROUP, ((pk, name or remote_id, system) for pk, name, remote_id, system in values))


_TITLE_PARTS = tuple(f"selection__{name}" for name in ("label", "group", "name", "target", "bundle"))
"""Whom and what a change names in its title."""


def _changes(text: str, user: "User", limit: int) -> list[Found]:
    number = _NUMBER.fullmatch(text)
    same = Q(pk=int(number[1])) if number else Q(pk__in=())
    wanted = Change.objects.filter(same | _words(text, "reason", "ticket", *_TITLE_PARTS))
    best = _best_first(visible_to(wanted, user), same, "-pk")[:limit]
    return _lines(Kind.CHANGE, ((row.pk, title(row), _about(row)) for row in best))


def _about(row: Change) -> str:
    return " · ".join(filter(None, (f"#{row.pk}", row.get_state_display(), row.ticket, row.reason[:100])))


def _tickets(text: str, user: "User", limit: int) -> list[Found]:
    wanted: QuerySet[Any] = visible_to(
        Change.objects.filter(matching.contains("ticket", text)).exclude(ticket=""), user
    )
    rows = wanted.order_by().values("ticket").annotate(number=Count("pk"), newest=Max("pk")).order_by("-newest")
    told = ((row["newest"], row["ticket"], _changes_of(row["number"])) for row in rows[:limit])
    return _lines(Kind.TICKET, told)


def _changes_of(number: int) -> str:
    return ngettext("%(number)d change", "%(number)d changes", number) % {"number": number}
