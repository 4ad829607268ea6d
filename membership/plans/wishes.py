"""What somebody wants, as values: services hand in wishes, `compile` turns them into a plan.

Rights and fields that are not named stay as they are, or as the remote gives them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from membership.errors import Reason

RIGHTS = ("is_manager", "can_write", "is_muted")
"""Rights that a wish may name, in the order of their words."""
USUAL: Mapping[str, bool] = {"is_manager": False, "can_write": True, "is_muted": False}
"""What anybody has who joins a group. A remote that does not know a right gives exactly this."""
SECRET_MARK: Mapping[str, bool] = {"secret": True}
"""What a plan says of a secret value: the value itself is encrypted, apart."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a wish is left out, with what its sentence needs."""

    reason: Reason
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Add:
    """An account joins a group. `together`: wishes of the same number are done all or none (a move)."""

    account_id: int
    group_id: int
    rights: Mapping[str, bool] = field(default_factory=dict)
    together: int | None = None


@dataclass(frozen=True, slots=True)
class Update:
    """A participant gets these rights and fields. `values` holds `SECRET_MARK` for what `secrets` holds."""

    participant_id: int
    values: Mapping[str, Any]
    secrets: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Remove:
    """A participant leaves its group."""

    participant_id: int
    together: int | None = None


@dataclass(frozen=True, slots=True)
class CreateGroup:
    """A group of this name with these accounts comes to be."""

    connection_id: int
    name: str
    member_ids: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class RenameGroup:
    group_id: int
    name: str


@dataclass(frozen=True, slots=True)
class DeleteGroup:
    group_id: int


@dataclass(frozen=True, slots=True)
class Barred:
    """A wish of which it is known already that it cannot be: nobody to add, for instance. It is named as left out."""

    label: str
    group_id: int
    refusal: Refusal
    together: int | None = None


Wish = Add | Update | Remove | CreateGroup | RenameGroup | DeleteGroup | Barred


def unusual(rights: Mapping[str, Any]) -> dict[str, bool]:
    """Those of `rights` that differ from what anybody has: what is worth giving to somebody elsewhere."""
    return {name: bool(rights[name]) for name in RIGHTS if rights.get(name) not in (None, USUAL[name])}
