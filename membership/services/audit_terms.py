"""The terms of the log's line of search: each gives a condition, or says in words why it cannot."""

import re
from collections.abc import Callable, Iterable, Mapping
from itertools import product
from typing import Any
from unicodedata import normalize

from django.contrib.auth import get_user_model
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from membership.errors import Reason
from membership.models import Account, Change, Connection, Group, Person, visible_to
from membership.models.visibility import Viewer
from membership.services import audit_times, matching
from membership.services.audit_few import by_number
from membership.vocab import AuditAction, OperationState

Found = Q | str
Term = Callable[[str, Viewer | None], Found]

EXACTLY = "="
"""Before an outcome: as it is stored, not a part of it."""
ROWS_MEANT = 2000
"""Rows that one name may stand for."""
_NUMBER = re.compile(r"#?([0-9]{1,18})", re.ASCII)


def _seen(model: Any, user: Viewer | None) -> "QuerySet[Any]":
    rows: QuerySet[Any] = model.objects.all()
    return rows if user is None else visible_to(rows, user)


def _row(column: str, model: Any, *columns: str) -> Term:
    """By the number of the row, or by a part of its name. Without a `#`, digits may also be all of a name, or the id
    there."""

    def condition(value: str, user: Viewer | None) -> Found:
        number = _NUMBER.fullmatch(value)
        if number:
            called = [] if value.startswith("#") else _called(_seen(model, user), value, *columns)
            return Q(**{f"{column}__in": [int(number[1]), *called]}) if called else Q(**{column: int(number[1])})
        return _of_ids(column, _named(_seen(model, user), value, *columns))

    return condition


def _named(rows: "QuerySet[Any]", value: str, *columns: str) -> list[int]:
    condition = Q()
    # Letters with marks of their own are stored as the systems tell them.
    for name, form in product(columns, {normalize("NFC", value), normalize("NFD", value)}):
        condition |= matching.contains(name, form)
    return list(rows.filter(condition).order_by("pk").values_list("pk", flat=True)[: ROWS_MEANT + 1])


def _called(rows: "QuerySet[Any]", value: str, *columns: str) -> list[int]:
    condition = Q()
    for name in columns:
        condition |= Q(**{name: value})
    return list(rows.filter(condition).order_by("pk").values_list("pk", flat=True)[:ROWS_MEANT])


def _of_ids(column: str, ids: Iterable[int]) -> Found:
    found = list(ids)
    if not found:
        return _("nobody and nothing of this name is known")
    if len(found) > ROWS_MEANT:
        return _("too many have this name")
    return Q(**{f"{column}__in": found})


def _actor(value: str, _user: Viewer | None) -> Found:
    if value.casefold() in ("musterbook", "-", "nobody", str(_("nobody")).casefold()):
        return Q(actor_id=None)
    number = _NUMBER.fullmatch(value)
    if number:
        return Q(actor_id=int(number[1]))
    return _of_ids("actor_id", _named(get_user_model().objects.all(), value, "username", "first_name", "last_name"))


def _person(value: str, user: Viewer | None) -> Found:
    """A person, who became part of them, and the accounts that are theirs or called so."""
    number = _NUMBER.fullmatch(value)
    people = [int(number[1])] if number else _named(_seen(Person, user), value, "name")
    accounts = _seen(Account, user)
    of_people = accounts.filter(person_id__in=people[:ROWS_MEANT]).values_list("pk", "person__mergings__former_id")
    owned = list(of_people[:ROWS_MEANT])
    called = [] if number else _named(accounts, value, "label", "email")
    ids = {*(pk for pk, _former in owned), *called}
    if not people and not ids:
        return _("nobody of this name is known")
    if len(people) > ROWS_MEANT or len(ids) > ROWS_MEANT:
        return _("too many have this name")
    former = {pk for _account, pk in owned if pk is not None}
    return by_number(Q(person_id__in=[*people, *former]), Q(account_id__in=ids))


def _number(column: str) -> Term:
    def condition(value: str, _user: Viewer | None) -> Found:
        number = _NUMBER.fullmatch(value)
        return Q(**{column: int(number[1])}) if number else _("it has to be a number")

    return condition


def _ticket(value: str, user: Viewer | None) -> Found:
    """Everything about the changes that name this ticket."""
    return _of_ids("change_id", _named(_seen(Change, user).exclude(ticket=""), value, "ticket"))


def _action(value: str, _user: Viewer | None) -> Found:
    """By its code, the beginning of its code, or its word."""
    wanted = value.casefold().replace("_", " ").replace(".", " ").strip()
    coded = {each.value: each.value.replace("_", " ").replace(".", " ") for each in AuditAction}
    exact = [each.value for each in AuditAction if wanted in (coded[each.value], str(each.label).casefold())]
    near = [
        each.value
        for each in AuditAction
        if wanted and (coded[each.value].startswith(wanted) or wanted in str(each.label).casefold())
    ]
    found = exact or near
    return Q(action__in=found) if found else _("there is no such action")


_ENDS: Mapping[str, AuditAction] = {
    OperationState.CONFIRMED: AuditAction.OPERATION_CONFIRMED,
    OperationState.REFUSED: AuditAction.OPERATION_REFUSED,
    OperationState.IN_DOUBT: AuditAction.OPERATION_IN_DOUBT,
    OperationState.FOREIGN: AuditAction.OPERATION_FOREIGN,
    OperationState.NOT_NEEDED: AuditAction.OPERATION_NOT_NEEDED,
    OperationState.OVERTAKEN: AuditAction.OPERATION_OVERTAKEN,
}


def _outcome(value: str, _user: Viewer | None) -> Found:
    """How a step ended, by its code or its word; else a reason code, or a part of one; else a code as it is stored.
    After a `=` the code alone, as it is stored."""
    if value.startswith(EXACTLY):
        return Q(outcome=value[1:]) & ~Q(outcome="")
    wanted = value.casefold().replace(" ", "_")
    ends = [
        action
        for state, action in _ENDS.items()
        if wanted in (state, str(OperationState(state).label).casefold().replace(" ", "_"))
    ]
    # Said aloud, for SQLite: only then does it know that its index of outcomes, which leaves out the empty, has all.
    named = ~Q(outcome="")
    if ends:
        return by_number(Q(action__in=ends), Q(outcome=wanted) & named)
    codes = [reason.value for reason in Reason if wanted in reason.value]
    return Q(outcome__in=[wanted] if wanted in codes else [*codes, wanted, value]) & named


TERMS: Mapping[str, Term] = {
    "actor": _actor,
    "action": _action,
    "system": _row("connection_id", Connection, "name"),
    "group": _row("group_id", Group, "name", "remote_id"),
    "person": _person,
    "account": _row("account_id", Account, "label", "email", "remote_id"),
    "change": _number("change_id"),
    "step": _number("operation_id"),
    "entry": _number("pk"),
    "ticket": _ticket,
    "outcome": _outcome,
    "from": lambda value, _user: audit_times.since(value),
    "to": lambda value, _user: audit_times.until(value),
    "on": lambda value, _user: audit_times.within(value),
}
_WORDS: Mapping[str, Any] = {
    "actor": gettext_lazy("actor"),
    "action": gettext_lazy("action"),
    "system": gettext_lazy("system"),
    "group": gettext_lazy("group"),
    "person": gettext_lazy("person"),
    "account": gettext_lazy("account"),
    "change": gettext_lazy("change"),
    "step": gettext_lazy("step"),
    "entry": gettext_lazy("entry"),
    "ticket": gettext_lazy("ticket"),
    "outcome": gettext_lazy("outcome"),
    "from": gettext_lazy("from"),
    "to": gettext_lazy("to"),
    "on": gettext_lazy("on"),
}
_ALIASES = {"who": "actor", "what": "action", "since": "from", "until": "to", "day": "on", "operation": "step"}
HELP: tuple[tuple[str, Any], ...] = (
    ("ada chess", gettext_lazy("both words somewhere in names, e-mails, reasons, tickets; in quotes as it is")),
    ("#12", gettext_lazy("the entry or the change of this number")),
    (
        "actor:vera",
        gettext_lazy("who did it; actor:musterbook for what no user did: the worker by itself, or a command"),
    ),
    ("action:refused", gettext_lazy("what happened: a word of the list, or a code such as operation.confirmed")),
    ("system:office", gettext_lazy("entries about this system; likewise group:, person:, account:, by name or number")),
    ("change:12 ticket:HELP-8", gettext_lazy("everything about a change, or about the changes of a ticket")),
    ("outcome:refused", gettext_lazy("how it ended, or a reason code such as answer_lost; outcome:=done for no other")),
    ("from:2026-03-01 to:2026-03-31", gettext_lazy("a span of time; on:2026-03 for a month, from:7d for a week")),
)
"""`(an example, what it finds)`, for the page."""


def name_of(written: str) -> str:
    """The term that is meant; empty for what is none."""
    wanted = written.casefold()
    if wanted in TERMS:
        return wanted
    translated = next((name for name, word in _WORDS.items() if str(word).casefold() == wanted), "")
    return translated or _ALIASES.get(wanted, "")
