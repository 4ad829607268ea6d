"""What lists can be filtered by, as tables: how each filter is called, how it is drawn, and what a value means.

A value that is not understood filters everything away: it never shows more than was asked for.
"""

import datetime as dt
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from django.db.models import Q
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from membership.services import matching

Text = str | Promise
Build = Callable[[str], Q | None]
"""A value to its condition; None for a value that is not understood."""

SELECT, TEXT, DATE, SYSTEM, IDENTITY = "select", "text", "date", "system", "identity"
"""Kinds: one of `choices`; part of a name; a day; one of the systems that the user may see; set by links alone."""
LONGEST = 200
_ROW_ID = re.compile(r"[0-9]{1,18}", re.ASCII)


@dataclass(frozen=True, slots=True)
class ListFilter:
    """One filter; `key` is its name in the address."""

    key: str
    label: Text
    kind: str
    build: Build
    choices: Sequence[tuple[str, Text]] = ()

    def condition(self, value: str) -> Q:
        """The condition for what stands in the address."""
        found = self.build(value) if len(value) <= LONGEST and "\0" not in value else None
        return Q(pk__in=()) if found is None else found


Table = Mapping[str, ListFilter]


def conditions(table: Table, asked: Mapping[str, str]) -> Q:
    """All conditions of an address together. Empty values and other names are passed over."""
    found = Q()
    for key, value in asked.items():
        if value and key in table:
            found &= table[key].condition(value)
    return found


# how values become conditions


def _one_of(choices: Mapping[str, Callable[[], Q]]) -> Build:
    def build(value: str) -> Q | None:
        return choices[value]() if value in choices else None

    return build


def _flag(column: str) -> Build:
    """Yes, no, and where the system does not tell."""
    return _one_of(
        {
            "yes": lambda: Q(**{column: True}),
            "no": lambda: Q(**{column: False}),
            "unknown": lambda: Q(**{column: None}),
        }
    )


def _is_set(column: str) -> Build:
    return _one_of({"yes": lambda: Q(**{f"{column}__isnull": False}), "no": lambda: Q(**{f"{column}__isnull": True})})


def _row(column: str) -> Build:
    def build(value: str) -> Q | None:
        return Q(**{column: int(value)}) if _ROW_ID.fullmatch(value) else None

    return build


def _contains(column: str) -> Build:
    return partial(matching.contains, column)


def _on_or_after(column: str) -> Build:
    return _by_day(column, "gte")


def _before(column: str) -> Build:
    return _by_day(column, "lt")


def _by_day(column: str, lookup: str) -> Build:
    """By the beginning of a day in the panel's time zone, written as 2026-03-31."""

    def build(value: str) -> Q | None:
        try:
            day = dt.date.fromisoformat(value)
            start = timezone.make_aware(dt.datetime.combine(day, dt.time.min))
            return Q(**{f"{column}__{lookup}": start.astimezone(dt.UTC)})
        except (ValueError, OverflowError):
            return None

    return build


def _older_than(column: str, ages: Mapping[str, dt.timedelta]) -> Build:
    """Not known since so long, or never."""

    def older(age: dt.timedelta) -> Q:
        return Q(**{f"{column}__lt": timezone.now() - age}) | Q(**{column: None})

    def build(value: str) -> Q | None:
        if value == "never":
            return Q(**{column: None})
        return older(ages[value]) if value in ages else None

    return build


_YES_NO: Sequence[tuple[str, Text]] = (("yes", _("yes")), ("no", _("no")))
_YES_NO_UNKNOWN: Sequence[tuple[str, Text]] = (*_YES_NO, ("unknown", _("not told")))
_AGES: Mapping[str, tuple[dt.timedelta, Text]] = {
    "hour": (dt.timedelta(hours=1), _("more than an hour")),
    "day": (dt.timedelta(days=1), _("more than a day")),
    "week": (dt.timedelta(days=7), _("more than a week")),
}
_ROLES: Mapping[str, Callable[[], Q]] = {
    "manager": lambda: Q(is_manager=True),
    "member": lambda: Q(is_manager=False),
    "manager_only": lambda: Q(is_manager=True, is_member=False),
}


def _table(*filters: ListFilter) -> Table:
    return {each.key: each for each in filters}


# the tables

PARTICIPANTS: Table = _table(
    ListFilter("system", _("system"), SYSTEM, _row("group__connection_id")),
    ListFilter("group", _("group"), IDENTITY, _row("group_id")),
    ListFilter("account", _("account"), IDENTITY, _row("account_id")),
    ListFilter("group_name", _("group"), TEXT, _contains("group__name")),
    ListFilter(
        "role",
        _("role"),
        SELECT,
        _one_of(_ROLES),
        (
            ("manager", _("manager")),
            ("member", _("member only")),
            ("manager_only", _("manager without being a member")),
        ),
    ),
    ListFilter("muted", _("muted"), SELECT, _flag("is_muted"), _YES_NO_UNKNOWN),
    ListFilter("can_write", _("can write"), SELECT, _flag("can_write"), _YES_NO_UNKNOWN),
    ListFilter("type", _("type"), TEXT, _contains("participant_type")),
    ListFilter("read_after", _("last read on or after"), DATE, _on_or_after("last_read_at")),
    ListFilter("read_before", _("last read before"), DATE, _before("last_read_at")),
    ListFilter(
        "read",
        _("has read"),
        SELECT,
        _is_set("last_read_at"),
        (("yes", _("yes")), ("no", _("never, or not told"))),
    ),
    ListFilter("virtual", _("virtual"), SELECT, _flag("account__virtual"), _YES_NO),
    ListFilter("email_blocked", _("e-mail blocked"), SELECT, _is_set("account__email_blocked_at"), _YES_NO),
    ListFilter("deletion", _("deletion asked for"), SELECT, _is_set("account__delete_requested_at"), _YES_NO),
    ListFilter(
        "deactivated",
        _("deactivated"),
        SELECT,
        _one_of({"yes": lambda: Q(account__active=False), "no": lambda: Q(account__active=True)}),
        _YES_NO,
    ),
    ListFilter(
        "matched",
        _("account known"),
        SELECT,
        _is_set("account"),
        (("yes", _("yes")), ("no", _("no, unmatched"))),
    ),
    ListFilter(
        "as_of",
        _("not read for"),
        SELECT,
        _older_than("group__read_at", {key: age for key, (age, _label) in _AGES.items()}),
        (*((key, label) for key, (_age, label) in _AGES.items()), ("never", _("never read completely"))),
    ),
)
"""Filters of the participants' list."""

ACCOUNTS: Table = _table(
    ListFilter("system", _("system"), SYSTEM, _row("connection_id")),
    ListFilter(
        "person",
        _("person"),
        SELECT,
        _one_of({"linked": lambda: Q(person__isnull=False), "none": lambda: Q(person=None)}),
        (("linked", _("linked")), ("none", _("not linked"))),
    ),
    ListFilter("active", _("active"), SELECT, _flag("active"), _YES_NO),
    ListFilter("virtual", _("virtual"), SELECT, _flag("virtual"), _YES_NO),
    ListFilter("email_blocked", _("e-mail blocked"), SELECT, _is_set("email_blocked_at"), _YES_NO),
    ListFilter("deletion", _("deletion asked for"), SELECT, _is_set("delete_requested_at"), _YES_NO),
)
"""Filters of the accounts' list."""
