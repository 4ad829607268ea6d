"""Wishes as plain JSON values and back: a draft that is compiled later keeps what it asks for."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from membership.errors import Reason
from membership.plans.wishes import (
    Add,
    Barred,
    CreateGroup,
    DeleteGroup,
    Refusal,
    Remove,
    RenameGroup,
    Update,
    Wish,
)

_KINDS: Mapping[str, type[Any]] = {
    kind.__name__: kind for kind in (Add, Update, Remove, CreateGroup, RenameGroup, DeleteGroup, Barred)
}
_SECRETS = "secrets"


def pack(wishes: Iterable[Wish]) -> tuple[list[list[Any]], dict[str, Any]]:
    """`(wishes without secret values, {place as text: secret values})`: the second belongs into an encrypted column."""
    packed: list[list[Any]] = []
    secrets: dict[str, Any] = {}
    for place, wish in enumerate(wishes):
        fields = asdict(wish)
        if values := fields.pop(_SECRETS, None):
            secrets[str(place)] = values
        packed.append([type(wish).__name__, fields])
    return packed, secrets


def unpack(packed: Sequence[Sequence[Any]], secrets: Mapping[str, Any]) -> list[Wish]:
    """The wishes that `pack` was given."""
    return [_wish(kind, fields, secrets.get(str(place))) for place, (kind, fields) in enumerate(packed)]


def _wish(kind: str, fields: Mapping[str, Any], secrets: Mapping[str, str] | None) -> Wish:
    given = dict(fields)
    if secrets:
        given[_SECRETS] = secrets
    if kind == Barred.__name__:
        refusal = given["refusal"]
        given["refusal"] = Refusal(Reason(refusal["reason"]), refusal["params"])
    wish: Wish = _KINDS[kind](**given)
    return wish
