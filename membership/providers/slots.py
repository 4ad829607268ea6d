"""What a planned call leaves open until it is sent, and how it is filled in."""

import dataclasses
from collections.abc import Mapping

from membership.errors import Reason
from membership.providers.errors import Refused
from membership.providers.types import Json, RemoteCall

REST_OF_ROW = "rest_of_row"
NEW_ID = "id_from_call_1"
SECRET = "secret:"  # noqa: S105 - the name of a slot

NEW_ID_SEGMENT = f"{{{NEW_ID}}}"
"""Stands in the path of a planned call for the id that is not known yet."""


def secret_mark() -> dict[str, Json]:
    """Stands in the body of a planned call for a value that may not stand there; no text looks like it."""
    return {"secret": True}


def secret_slot(key: str) -> str:
    return f"{SECRET}{key}"


def with_new_id(call: RemoteCall, values: Mapping[str, str]) -> RemoteCall:
    """The call with the id that the operation's first call made. Raises `Refused` when it is not known."""
    if NEW_ID not in call.slots:
        return call
    new_id = values.get(NEW_ID)
    if not new_id:
        raise Refused(Reason.BAD_VALUE, key=NEW_ID)
    path = tuple(new_id if segment == NEW_ID_SEGMENT else segment for segment in call.path)
    return dataclasses.replace(call, path=path)


def secret_values(call: RemoteCall, values: Mapping[str, str]) -> dict[str, str]:
    """`{key: value}` for the secret slots. Raises `Refused`, without the value, when one is missing."""
    keys = [slot.removeprefix(SECRET) for slot in call.slots if slot.startswith(SECRET)]
    for key in keys:
        if secret_slot(key) not in values:
            raise Refused(Reason.BAD_VALUE, key=key)
    return {key: values[secret_slot(key)] for key in keys}


def require_filled(call: RemoteCall) -> None:
    """Raises `Refused` for a call that was not filled: sent so, it would name a row that is none."""
    if call.slots:
        raise Refused(Reason.BAD_VALUE, key=", ".join(call.slots))
