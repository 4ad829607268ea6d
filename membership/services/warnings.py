"""What the preview says in red: groups whose membership gives more than a place in them, accounts that are off."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Count, Q, QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from membership.models import Change, Group, Operation
from membership.services.grants import grants_in_words
from membership.services.inert import inert
from membership.vocab import Verb

NAMED = 5


@dataclass(frozen=True, slots=True)
class Warn:
    """One warning. Tones: bad (red), warning. `items`: what it gives, for a list below."""

    tone: str
    text: str
    items: Sequence[str] = ()


def warnings(change: Change) -> list[Warn]:
    """Three queries at most."""
    steps = Operation.objects.filter(change=change).order_by()
    return [*_administering(change), *_switched_off(steps.filter(verb=Verb.ADD, account__active=False))]


def _administering(change: Change) -> list[Warn]:
    """Somebody joins, or is promoted in, a group that administers."""
    rises = Q(verb=Verb.ADD) | Q(verb=Verb.UPDATE, wanted__is_manager=True)
    rows = Operation.objects.filter(rises, change=change, group__grants__gt=0).order_by()
    counts = dict(rows.values_list("group_id").annotate(count=Count("pk")))
    groups = Group.objects.filter(pk__in=counts).select_related("connection").order_by("name", "pk")
    return [_gives(group, counts[group.pk]) for group in groups.defer("secrets", "attributes", "connection__secrets")]


def _gives(group: Group, count: int) -> Warn:
    text = ngettext(
        "%(group)s in %(system)s administers: %(count)d person gets rights beyond the group.",
        "%(group)s in %(system)s administers: %(count)d people get rights beyond the group.",
        count,
    )
    said = text % {"group": group.name, "system": group.connection.name, "count": count}
    return Warn("bad", inert(said), grants_in_words(group.grants))


def _switched_off(steps: QuerySet[Operation]) -> list[Warn]:
    """Accounts that are not active, by system."""
    by_system: dict[str, list[str]] = defaultdict(list)
    rows = (
        steps.values_list("connection__name", "account__label")
        .distinct()
        .order_by("connection__name", "account__label")
    )
    for system, label in rows:
        by_system[system].append(inert(label))
    return [Warn("warning", inert(_off(system, labels))) for system, labels in by_system.items()]


def _off(system: str, labels: Sequence[str]) -> str:
    text = ngettext(
        "%(count)d account in %(system)s is not active, and is added all the same: %(names)s.",
        "%(count)d accounts in %(system)s are not active, and are added all the same: %(names)s.",
        len(labels),
    )
    names = ", ".join(labels[:NAMED])
    more = len(labels) - NAMED
    if more > 0:
        names = _("%(names)s and %(count)d more") % {"names": names, "count": more}
    return text % {"count": len(labels), "system": system, "names": names}
