""" "Give the same groups as …": people join wherever somebody else is. Nothing is queued here."""

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from django.utils.dateparse import parse_date

from membership.errors import Reason
from membership.models import Change, Participant, Person, visible_to
from membership.plans.wishes import Wish, unusual
from membership.services import drafts, endings, selecting, who
from membership.services.shell import audited, need_right, need_visible, refuse
from membership.vocab import ChangeKind, Right

if TYPE_CHECKING:
    from django.contrib.auth.models import User


@audited
def draft_same_groups(
    model: Person,
    persons: Iterable[Person],
    *,
    with_rights: bool = True,
    until: dt.date | None = None,
    actor: "User",
) -> Change:
    """Store the plan by which each of `persons` joins every group that `model` is in, as far as the actor sees them.

    `with_rights`: as manager where `model` is one, and without writing where `model` may not. Being muted stays with
    whom it concerns. Nobody leaves a group by it, and who is in one already loses nothing.

    `until`: the last day there of those whom the change adds.

    Raises `NotAllowed` for anybody out of sight, `ChangeRefused` when nobody else is selected or `model` is nowhere.
    """
    need_right(actor, Right.ACT)
    need_visible(model, actor)
    endings.checked(until)
    people = [person for person in selecting.seen(persons, actor) if person.pk != model.pk]
    places = list(_places(model, actor))
    if not people or not places:
        refuse(Reason.NOTHING_SELECTED)
    groups = {
        place.group_id: (
            place.group,
            unusual({"is_manager": place.is_manager, "can_write": place.can_write}) if with_rights else {},
        )
        for place in places
    }
    wishes: list[Wish] = who.joining(people, list(groups.values()), actor)
    selection = {
        "kind": "same_groups",
        "as": model.pk,
        "label": model.name,
        "persons": [person.pk for person in people],
        "with_rights": with_rights,
        **endings.in_selection(until),
    }
    hidden = model.accounts.count() > visible_to(model.accounts.all(), actor).count()
    return drafts.draft(ChangeKind.SAME_GROUPS, wishes, selection, actor=actor, touches_hidden=hidden)


def again(selection: Mapping[str, Any], *, actor: "User") -> Change:
    """The same once more, as things are now."""
    return draft_same_groups(
        Person.objects.get(pk=selection["as"]),
        Person.objects.filter(pk__in=selection["persons"]),
        with_rights=selection["with_rights"],
        until=parse_date(selection.get("until", "")),
        actor=actor,
    )


def _places(model: Person, actor: "User") -> Iterable[Participant]:
    rows = Participant.objects.filter(account__person=model, is_present=True, group__is_present=True)
    seen = visible_to(rows, actor).select_related("group__connection").order_by("pk")
    return seen.defer("secrets", "attributes", "group__secrets", "group__attributes", "group__connection__secrets")
