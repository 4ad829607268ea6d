"""What single pages show beyond their own row: reads only, each with a fixed number of queries."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.contrib.auth import get_user_model
from django.core.paginator import Page, Paginator
from django.db.models import Count, Q, QuerySet
from django.utils.translation import gettext as _

from membership.models import (
    Account,
    Connection,
    Ending,
    Group,
    Operation,
    Participant,
    Person,
    Presence,
    Reading,
    visible_to,
)
from membership.remotes import provider_class
from membership.services.endings import endings_of, last_day_of_rows
from membership.services.grants import grants_in_words

if TYPE_CHECKING:
    from django.contrib.auth.models import User

ROWS = 50
READINGS_SHOWN = 12
PLACES_SHOWN = 500

Facts = list[tuple[str, Any]]
SetOrNot = list[tuple[str, bool]]
"""`(name, whether it is set)`: never the secret itself."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """One presence, and the changes that began and ended it, where they were changes of ours."""

    presence: Presence
    began_change: int | None
    ended_change: int | None


@dataclass(frozen=True, slots=True)
class ParticipantPage:
    stretches: list[Stretch]
    facts: Facts
    secrets: SetOrNot
    ending: Ending | None


def participant_page(row: Participant) -> ParticipantPage:
    """Three queries."""
    presences = list(row.presences.order_by("-since", "-pk"))
    ids = [pk for each in presences for pk in (each.began_operation_id, each.ended_operation_id) if pk]
    changes = dict(Operation.objects.filter(pk__in=ids).values_list("pk", "change_id")) if ids else {}
    stretches = [
        Stretch(each, changes.get(each.began_operation_id or 0), changes.get(each.ended_operation_id or 0))
        for each in presences
    ]
    return ParticipantPage(stretches, facts(row.attributes), set_or_not(row.secrets), endings_of([row]).get(row.pk))


@dataclass(frozen=True, slots=True)
class GroupPage:
    people: Page
    protected_by: str
    grants: list[str]
    facts: Facts
    secrets: SetOrNot


def group_page(row: Group, *, search: str, number: str | None) -> GroupPage:
    """Participants with their accounts, `ROWS` a page; `search` looks into name, e-mail and id."""
    people = row.participants.filter(is_present=True).select_related("account__person").order_by("label", "pk")
    people = people.defer("secrets", "attributes", "account__attributes").annotate(last_day=last_day_of_rows())
    words = search.replace("\0", "").strip()
    if words:
        named = Q(label__icontains=words) | Q(remote_id__icontains=words)
        people = people.filter(named | Q(account__email__icontains=words) | Q(account__label__icontains=words))
    return GroupPage(
        people=Paginator(people, ROWS).get_page(number),
        protected_by=user_name(row.protected_by_id),
        grants=grants_in_words(row.grants),
        facts=facts(row.attributes),
        secrets=set_or_not(row.secrets),
    )


@dataclass(frozen=True, slots=True)
class AccountPage:
    places: list[Participant]
    more: int
    facts: Facts


def account_page(row: Account, user: "User") -> AccountPage:
    places, more = _places(Participant.objects.filter(account=row), user)
    return AccountPage(places, more, facts(row.attributes))


@dataclass(frozen=True, slots=True)
class PersonPage:
    """`hidden`: whether some accounts are in systems that the user may not see."""

    accounts: list[Account]
    places: list[Participant]
    more: int
    groups: int
    hidden: bool
    protected_by: str


def person_page(row: Person, user: "User") -> PersonPage:
    accounts = visible_to(Account.objects.filter(person=row), user).select_related("connection")
    shown = list(
        accounts.defer("attributes", "connection__secrets", "connection__session").order_by("connection__name")
    )
    places, more = _places(Participant.objects.filter(account__person=row), user)
    return PersonPage(
        accounts=shown,
        places=places,
        more=more,
        groups=len(places) + more,
        hidden=row.accounts.count() > len(shown),
        protected_by=user_name(row.protected_by_id),
    )


def _places(rows: QuerySet[Participant], user: "User") -> tuple[list[Participant], int]:
    """Present places with group, system and open presence; how many more there are than are shown."""
    seen = visible_to(rows.filter(is_present=True, group__is_present=True), user)
    shown = list(
        seen.select_related("group__connection", "account")
        .prefetch_related("presences")
        .defer("secrets", "attributes", "group__secrets", "group__attributes", "account__attributes")
        .defer("group__connection__secrets", "group__connection__session")
        .order_by("group__connection__name", "group__name", "pk")[:PLACES_SHOWN]
    )
    ends = endings_of(shown)
    for place in shown:
        # Open stretches have no end; a prefetched list is sorted here instead of asked for again.
        place.stretch = next((each for each in place.presences.all() if each.until is None), None)  # type: ignore[attr-defined]
        if place.stretch is not None:  # type: ignore[attr-defined]
            place.stretch.ending = ends.get(place.pk)  # type: ignore[attr-defined]
    return shown, seen.count() - len(shown) if len(shown) == PLACES_SHOWN else 0


@dataclass(frozen=True, slots=True)
class SystemPage:
    readings: list[Reading]
    open_readings: int
    secrets: SetOrNot
    options: Facts
    signed_in: bool
    groups: int
    participants: int
    unmatched: int
    incomplete_groups: int


def system_page(row: Connection) -> SystemPage:
    kind = provider_class(row.provider)
    readings = row.readings.select_related("group", "account", "asked_by").defer("group__secrets", "group__attributes")
    groups = row.groups.filter(is_present=True).aggregate(
        all=Count("pk"), incomplete=Count("pk", filter=~Q(incomplete_reason=""))
    )
    people = Participant.objects.filter(group__connection=row, is_present=True).aggregate(
        all=Count("pk"), unmatched=Count("pk", filter=Q(account=None))
    )
    values = {**{field.key: field.default for field in kind.options}, **row.options}
    labels = {field.key: _(field.label) for field in kind.options}
    secret_labels = {field.key: _(field.label) for field in kind.secrets}
    return SystemPage(
        readings=list(readings[:READINGS_SHOWN]),
        open_readings=sum(reading.state in ("wanted", "running") for reading in readings[:READINGS_SHOWN]),
        secrets=[(label, bool(row.secrets.get(key))) for key, label in secret_labels.items()],
        options=[(labels.get(key, key), value or "–") for key, value in values.items()],
        signed_in=bool(row.session),
        groups=groups["all"],
        incomplete_groups=groups["incomplete"],
        participants=people["all"],
        unmatched=people["unmatched"],
    )


def facts(attributes: Mapping[str, Any]) -> Facts:
    """Fields of the remote that have no column of ours, in the order of their names."""
    return sorted(attributes.items())


def set_or_not(secrets: Mapping[str, str]) -> SetOrNot:
    return sorted((key, bool(value)) for key, value in secrets.items())


def user_name(user_id: int | None) -> str:
    """How a user of the panel is called; a user that is gone by its number."""
    if user_id is None:
        return ""
    user = get_user_model().objects.filter(pk=user_id).first()
    return (user.get_full_name() or user.get_username()) if user else _("user no. %(id)d") % {"id": user_id}
