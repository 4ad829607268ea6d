"""Named bundles: groups of several systems with rights, given to people or withdrawn in one change."""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.utils.dateparse import parse_date
from django.utils.translation import gettext as _

from membership.audit import record
from membership.errors import BadValue, Reason
from membership.models import Bundle, BundleItem, Change, Group, Participant, Person, visible_to
from membership.plans.facts import chunks
from membership.plans.wishes import RIGHTS, Barred, Refusal, Remove, Wish
from membership.services import drafts, endings, selecting, who
from membership.services.shell import audited, need_right, need_visible, refuse
from membership.services.typed import clean
from membership.vocab import AuditAction, Chain, ChangeKind, Right

if TYPE_CHECKING:
    from django.contrib.auth.models import User

NAME_CHARS = 200
NOTE_CHARS = 500


@dataclass(frozen=True, slots=True)
class Line:
    """One group of a bundle, and the rights that go with it. None: as the remote gives them."""

    group: Group
    is_manager: bool = False
    can_write: bool | None = None
    is_muted: bool | None = None


@audited
def save_bundle(bundle: Bundle | None, *, name: str, note: str = "", lines: Iterable[Line], actor: "User") -> Bundle:
    """Create a bundle (`bundle` None), or give one this name, note and groups. Nobody's places change by it.

    Raises `BadValue` for a name that is empty, too long or taken, `NotAllowed` for groups out of sight, `ChangeRefused`
    when there is no group.
    """
    need_right(actor, Right.ACT)
    if bundle is not None:
        need_visible(bundle, actor)
    said = " ".join(clean(name, key=_("name"), at_most=NAME_CHARS).split())
    said_note = clean(note, key=_("note"), at_most=NOTE_CHARS)
    if not said:
        raise BadValue(Reason.BAD_VALUE, key=_("name"), why=_("it is empty"))
    by_group = {line.group.pk: line for line in lines}
    if not by_group:
        refuse(Reason.NOTHING_SELECTED)
    groups = selecting.seen([line.group for line in by_group.values()], actor)
    with transaction.atomic():
        row = Bundle() if bundle is None else Bundle.objects.select_for_update().get(pk=bundle.pk)
        if Bundle.objects.filter(name=said).exclude(pk=row.pk).exists():
            raise BadValue(Reason.BAD_VALUE, key=_("name"), why=_("another bundle has it"))
        row.name, row.note = said, said_note
        row.save()
        row.items.all().delete()
        BundleItem.objects.bulk_create(_item(row, by_group[group.pk]) for group in groups)
        _record(AuditAction.BUNDLE_SAVED, row, [group.pk for group in groups], actor)
    return row


@audited
def delete_bundle(bundle: Bundle, *, actor: "User") -> None:
    """Delete a bundle. Nobody's places change by it, and changes that gave it keep its name."""
    need_right(actor, Right.ACT)
    need_visible(bundle, actor)
    with transaction.atomic():
        row = Bundle.objects.select_for_update().get(pk=bundle.pk)
        _record(AuditAction.BUNDLE_DELETED, row, list(row.items.values_list("group_id", flat=True)), actor)
        Bundle.objects.filter(pk=row.pk).delete()


def _item(bundle: Bundle, line: Line) -> BundleItem:
    return BundleItem(
        bundle=bundle,
        group=line.group,
        is_manager=line.is_manager,
        can_write=line.can_write,
        is_muted=line.is_muted,
    )


def _record(action: AuditAction, bundle: Bundle, group_ids: Sequence[int], actor: "User") -> None:
    entry = record.Entry(
        action,
        actor=actor,
        data={"bundle_id": bundle.pk, "groups": list(group_ids)},
        personal={"bundle": bundle.name, "note": bundle.note},
    )
    record.write(Chain.PANEL, [entry])


# people


@audited
def draft_bundle(bundle: Bundle, persons: Iterable[Person], *, until: dt.date | None = None, actor: "User") -> Change:
    """Store the plan by which each of `persons` joins each group of the bundle with its rights, guards applied.

    Who has no account in a system is left out there by name; who is in a group already only gets what is missing.
    `until`: the last day there of those whom the change adds.
    """
    endings.checked(until)
    people, items = _asked(bundle, persons, actor)
    wishes = who.joining(people, [(item.group, _rights(item)) for item in items], actor)
    about = {**_about(bundle, people), **endings.in_selection(until)}
    return drafts.draft(ChangeKind.BUNDLE, wishes, about, actor=actor)


@audited
def draft_withdrawal(bundle: Bundle, persons: Iterable[Person], *, actor: "User") -> Change:
    """Store the plan by which each of `persons` leaves each group of the bundle, guards applied."""
    people, items = _asked(bundle, persons, actor)
    groups = [item.group for item in items]
    places = _places(people, groups, actor)
    wishes: list[Wish] = []
    for person in people:
        for group in groups:
            there = places.get((person.pk, group.pk))
            if there:
                wishes += [Remove(pk) for pk in there]
            else:
                wishes.append(Barred(person.name, group.pk, Refusal(Reason.NOT_THERE)))
    return drafts.draft(ChangeKind.BUNDLE_WITHDRAWN, wishes, _about(bundle, people), actor=actor)


def again(selection: Mapping[str, Any], *, withdrawn: bool, actor: "User") -> Change:
    """The same once more, as bundle and people are now. Raises `ChangeRefused` when the bundle is gone."""
    bundle = Bundle.objects.filter(pk=selection["bundle_id"]).first()
    if bundle is None:
        refuse(Reason.NOTHING_SELECTED)
    people = Person.objects.filter(pk__in=selection["persons"])
    if withdrawn:
        return draft_withdrawal(bundle, people, actor=actor)
    return draft_bundle(bundle, people, until=parse_date(selection.get("until", "")), actor=actor)


def _asked(bundle: Bundle, persons: Iterable[Person], actor: "User") -> tuple[list[Person], list[BundleItem]]:
    need_right(actor, Right.ACT)
    need_visible(bundle, actor)
    people = selecting.seen(persons, actor)
    if not people:
        refuse(Reason.NOTHING_SELECTED)
    items = bundle.items.select_related("group__connection").order_by("group__name", "pk")
    return people, list(items.defer("group__secrets", "group__attributes", "group__connection__secrets"))


def _rights(item: BundleItem) -> dict[str, bool]:
    """What the bundle gives. An ordinary member of it is not demoted where somebody is manager already."""
    named = {name: getattr(item, name) for name in RIGHTS}
    return {name: value for name, value in named.items() if value is not None and (name != "is_manager" or value)}


def _about(bundle: Bundle, people: Sequence[Person]) -> dict[str, Any]:
    return {
        "kind": "bundle",
        "bundle_id": bundle.pk,
        "bundle": bundle.name,
        "persons": [person.pk for person in people],
    }


def _places(
    people: Sequence[Person], groups: Sequence[Group], actor: "User"
) -> dict[tuple[int | None, int], list[int]]:
    """`{(person id, group id): their present places}`."""
    found: dict[tuple[int | None, int], list[int]] = {}
    for ids in chunks(person.pk for person in people):
        rows = Participant.objects.filter(account__person_id__in=ids, group__in=groups, is_present=True)
        for person_id, group_id, pk in visible_to(rows, actor).values_list("account__person_id", "group_id", "pk"):
            found.setdefault((person_id, group_id), []).append(pk)
    return found
