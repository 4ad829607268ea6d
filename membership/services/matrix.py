"""A person's places as a matrix of groups and systems: what the page shows, and an edit of it as one change."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from membership.errors import BadValue, NotAllowed, Reason
from membership.models import Account, Change, Connection, Group, Participant, Person, visible_to
from membership.plans.wishes import RIGHTS, USUAL, Remove, Update, Wish
from membership.services import drafts, selecting, who
from membership.services.abilities import Abilities, abilities
from membership.services.alteration import shown_state
from membership.services.shell import audited, need_right, need_visible, refuse
from membership.vocab import ChangeKind, Right

if TYPE_CHECKING:
    from django.contrib.auth.models import User

NOT_THERE = "not there"
"""What `shown` says of a group in which the person was not."""

Wished = Mapping[str, bool]
"""`is_present` and rights of one group; what is not named stays."""


@dataclass(frozen=True, slots=True)
class Cell:
    """The person in one group. `place` None: not there. `shown` goes into the form, and comes back with the edit."""

    group: Group
    place: Participant | None
    shown: str

    def right(self, name: str) -> bool | None:
        value: bool | None = getattr(self.place, name) if self.place else None
        return value

    @property
    def is_fixed(self) -> bool:
        """Whether no plan changes this group: pages show why instead of something to edit."""
        return self.group.is_protected or self.group.managed_elsewhere


@dataclass(frozen=True, slots=True)
class MatrixPart:
    """One system in which the person has an account: what can be done there, and the groups."""

    connection: Connection
    abilities: Abilities
    accounts: Sequence[Account]
    cells: Sequence[Cell]


def matrix(person: Person, *, actor: "User", groups: Iterable[Group] = ()) -> list[MatrixPart]:
    """By system, every group that the person is in, and those of `groups` that are of a system where they could be.

    Only what the actor may see.
    """
    accounts = visible_to(Account.objects.filter(person=person, is_present=True), actor).select_related("connection")
    places = _places(person, actor)
    by_group = {place.group_id: place for place in places}
    extra = visible_to(Group.objects.filter(pk__in=[group.pk for group in groups], is_present=True), actor)
    rows = {place.group_id: place.group for place in places} | {group.pk: group for group in extra}
    parts: dict[int, list[Account]] = {}
    for account in accounts.order_by("connection__name", "connection_id", "pk"):
        parts.setdefault(account.connection_id, []).append(account)
    return [
        MatrixPart(
            connection=own[0].connection,
            abilities=abilities(own[0].connection),
            accounts=own,
            cells=[
                _cell(group, by_group.get(group.pk))
                for group in sorted(rows.values(), key=lambda group: (group.name.casefold(), group.pk))
                if group.connection_id == connection_id
            ],
        )
        for connection_id, own in parts.items()
    ]


def _places(person: Person, actor: "User") -> list[Participant]:
    rows = Participant.objects.filter(account__person=person, is_present=True, group__is_present=True)
    seen = visible_to(rows, actor).select_related("group__connection", "account")
    return list(seen.defer("group__secrets", "group__attributes", "group__connection__secrets").order_by("-pk"))


def _cell(group: Group, place: Participant | None) -> Cell:
    return Cell(group, place, NOT_THERE if place is None else shown_state(place))


@audited
def draft_matrix(
    person: Person,
    wished: Mapping[int, Wished],
    *,
    shown: Mapping[int, str] | None = None,
    actor: "User",
) -> Change:
    """Store one plan for an edit of a person's places: `{group id: {"is_present": …, "is_manager": …}}`.

    Groups that are not named, and what is as wished already, stay out of it. `shown`: `{group id: Cell.shown}` of the
    page that was edited.

    Raises `ChangeRefused` when somebody else changed one of these places since, or nothing differs; `NotAllowed` for a
    group out of sight; `BadValue` for something that is no right.
    """
    need_right(actor, Right.ACT)
    need_visible(person, actor)
    rows = visible_to(Group.objects.select_related("connection"), actor).in_bulk(wished)
    if len(rows) < len(wished):
        raise NotAllowed(Reason.NOT_VISIBLE)
    places: dict[int, list[Participant]] = {}
    for place in _places(person, actor):
        places.setdefault(place.group_id, []).append(place)
    wishes: list[Wish] = []
    joining: list[tuple[Group, Wished]] = []
    for group_id, cell in wished.items():
        there = places.get(group_id, [])
        if shown is not None and shown.get(group_id) != _cell(rows[group_id], there[-1] if there else None).shown:
            refuse(Reason.EDITED_MEANWHILE)
        stays, rights = _read(cell, is_there=bool(there))
        if there:
            wishes += _of_places(there, rights) if stays else [Remove(place.pk) for place in there]
        elif stays:
            joining.append((rows[group_id], rights))
    wishes += who.joining([person], joining, actor)
    selection = {
        "kind": "matrix",
        "id": person.pk,
        "label": person.name,
        "wished": {str(group_id): dict(cell) for group_id, cell in wished.items()},
    }
    return drafts.draft(ChangeKind.MATRIX, wishes, selection, actor=actor)


def again(selection: Mapping[str, Any], *, actor: "User") -> Change:
    """The same once more, as things are now."""
    wished = {int(group_id): cell for group_id, cell in selection["wished"].items()}
    return draft_matrix(Person.objects.get(pk=selection["id"]), wished, actor=actor)


def _read(cell: Wished, *, is_there: bool) -> tuple[bool, dict[str, bool]]:
    """Whether the person is to be there, and with which rights."""
    stays = cell.get("is_present", is_there)
    if not isinstance(stays, bool):
        raise BadValue(Reason.BAD_VALUE, key="is_present", why=str(stays)[:100])
    return stays, selecting.rights({name: value for name, value in cell.items() if name != "is_present"})


def _of_places(places: Sequence[Participant], rights: Mapping[str, bool]) -> list[Wish]:
    """Alterations of what differs; a right that the remote does not tell is as everybody has it."""
    found: list[Wish] = []
    for place in places:
        now = {name: getattr(place, name) for name in RIGHTS}
        other = {
            name: value for name, value in rights.items() if value != (USUAL[name] if now[name] is None else now[name])
        }
        if other:
            found.append(Update(place.pk, other))
    return found
