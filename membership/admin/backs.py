"""Where a preview came from: the page to go back to."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from django.db.models import Model
from django.utils.translation import gettext as _

from membership.models import Account, Bundle, Change, Group, Operation, Participant, Person, Roster, visible_to
from membership.templatetags import cells

if TYPE_CHECKING:
    from django.contrib.auth.models import User

About = Mapping[str, Any]
Source = tuple[type[Model], int | None]
"""A kind of row, and the row where there is one alone."""


class Back(NamedTuple):
    address: str
    words: str


def back(row: Change, user: "User") -> Back:
    """The list, or the page of the row, from which the draft was asked for; as far as it can still be seen."""
    about: About = row.selection
    if about.get("kind") == "query":
        return Back(f"{cells.listing(Participant)}?{about.get('query', '')}", _("Back to the list"))
    model, pk = _SOURCES.get(about.get("kind", ""), _of_nothing)(about)
    source = visible_to(model._default_manager.filter(pk=pk), user).first() if pk else None
    if source is not None:
        return Back(cells.page(source), _("Back"))
    return Back(cells.listing(model), _("Back to the list"))


def _one(about: About, key: str) -> int | None:
    ids = about.get(key, ())
    return ids[0] if len(ids) == 1 else None


def _of_nothing(_about: About) -> Source:
    return Participant, None


def _of_ids(about: About) -> Source:
    return Participant, _one(about, "ids")


def _of_person(about: About) -> Source:
    return Person, about.get("id")


def _of_account(about: About) -> Source:
    return Account, about.get("id")


def _of_persons(about: About) -> Source:
    return Person, _one(about, "persons")


def _of_bundle(about: About) -> Source:
    person = _one(about, "persons")
    return (Person, person) if person else (Bundle, about.get("bundle_id"))


def _of_addition(about: About) -> Source:
    if about.get("persons"):
        return _of_persons(about)
    account = _one(about, "accounts")
    return (Account, account) if account else (Group, _one(about, "groups"))


def _of_group(about: About) -> Source:
    return Group, about.get("group_id")


def _of_retry(about: About) -> Source:
    return Change, about.get("of")


def _of_way_back(about: About) -> Source:
    step = Operation.objects.filter(pk=about.get("of") or 0).values_list("change_id", flat=True).first()
    return Change, step


def _of_leavers(about: About) -> Source:
    return Person, _one(about, "ids")


def _of_roster(about: About) -> Source:
    return Roster, about.get("roster")


_SOURCES: Mapping[str, Callable[[About], Source]] = {
    "ids": _of_ids,
    "person": _of_person,
    "matrix": _of_person,
    "account": _of_account,
    "addition": _of_addition,
    "same_groups": _of_persons,
    "bundle": _of_bundle,
    "group": _of_group,
    "retry": _of_retry,
    "way_back": _of_way_back,
    "roster": _of_roster,
    "leavers": _of_leavers,
}
