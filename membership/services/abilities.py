"""What a system can do: pages offer nothing else, and plans leave it out by name."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from membership.models import Connection
from membership.plans.drafting import drafter
from membership.plans.wishes import RIGHTS
from membership.vocab import ConnectionState


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a participant that can be edited. `kind`: text, number, boolean, colour."""

    key: str
    label: str
    help: str
    kind: str
    is_secret: bool
    is_long: bool
    max_length: int
    takes: Callable[[Any], bool]
    """Whether a value is of this kind and can be sent."""


@dataclass(frozen=True, slots=True)
class Abilities:
    """`rights`, `rights_on_add`: in the order of their words. All empty or false for a retired system."""

    add: bool
    remove: bool
    rights: Sequence[str]
    rights_on_add: Sequence[str]
    fields: Sequence[Field]
    create_group: bool
    rename_group: bool
    delete_group: bool
    members_on_create: bool
    group_name_max: int
    tracks_groups: bool

    @property
    def edits(self) -> bool:
        """Whether anything about a participant can be altered."""
        return bool(self.rights or self.fields)


def abilities(connection: Connection) -> Abilities:
    """What can be done in one system, by its kind and its options."""
    can = drafter(connection).capabilities
    works = connection.state != ConnectionState.RETIRED
    return Abilities(
        add=works and can.add,
        remove=works and can.remove,
        rights=[name for name in RIGHTS if works and name in can.rights],
        rights_on_add=[name for name in RIGHTS if works and name in can.rights_on_add],
        fields=[
            Field(
                each.key,
                _(each.label),
                _(each.help) if each.help else "",
                each.kind,
                each.is_secret,
                each.is_long,
                each.max_length,
                each.fits,
            )
            for each in can.fields
            if works
        ],
        create_group=works and can.create_group,
        rename_group=works and can.rename_group,
        delete_group=works and can.delete_group,
        members_on_create=works and can.members_on_create,
        group_name_max=can.group_name_max,
        tracks_groups=works and can.tracks_groups,
    )


def abilities_of(connections: Iterable[Connection]) -> Mapping[int, Abilities]:
    """`{connection id: what can be done there}`."""
    return {connection.pk: abilities(connection) for connection in connections}
