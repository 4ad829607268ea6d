"""The bodies of additions and alterations, in both styles. Which keys, and why: docs/providers/inwendo.md."""

from collections.abc import Mapping
from dataclasses import dataclass

from membership.providers import slots, values
from membership.providers.base import AccountRef, GroupRef, Json, Wanted
from membership.providers.inwendo.fields import EDITABLE, NEWER_KEYS
from membership.providers.offers import wished_rights

RIGHT_KEYS = {"is_manager": "room_admin", "can_write": "can_write", "is_muted": "is_muted"}
SECRET_KEYS = frozenset(field.key for field in EDITABLE if field.is_secret)

# The example body of the vendor's reference page PUT, in its order. Left out: `deleted`, because a row that somebody
# removes between our reading and our writing must stay removed; `chatroom`, which comes from the room.
OLDER_ROW = (
    "id",
    "participant_type",
    "first_name",
    "last_name",
    "last_read_at",
    "room_admin",
    "can_write",
    "is_muted",
    "auto_created",
    "auto_reply",
    "ai_auto_close_secret_word",
    "ai_prompt",
    "ai_number_of_context_messages",
    "created",
    "updated",
    "name",
    "image_url",
)
# The newer version of the page has these, too, and `avatar_token`, which is never sent: it is a secret of the host.
NEWER_ROW = (*OLDER_ROW, *NEWER_KEYS)
ROOM_IN_ROW = ("id", "created", "updated", "deleted", "name", "image_url")


@dataclass(frozen=True, slots=True)
class Style:
    """How keys and relations are written. `is_camel`: as in the vendor's own tests, else as on the reference page."""

    is_camel: bool = False
    is_newer: bool = False

    def key(self, name: str) -> str:
        first, *rest = name.split("_")
        return first + "".join(word.capitalize() for word in rest) if self.is_camel else name

    def room(self, room: Mapping[str, Json]) -> Json:
        return room["id"] if self.is_camel else dict(room)

    @property
    def row_keys(self) -> tuple[str, ...]:
        return NEWER_ROW if self.is_newer else OLDER_ROW


def changes(wanted: Wanted) -> dict[str, Json]:
    """`{key of the page: value}` of what is wanted; of secrets only the mark."""
    found: dict[str, Json] = {RIGHT_KEYS[right]: value for right, value in wished_rights(wanted).items()}
    for key, value in wanted.fields.items():
        found[key] = slots.secret_mark() if key in SECRET_KEYS else value
    return found


def addition(
    group: GroupRef, account: AccountRef, wanted: Wanted, style: Style, participant_type: str
) -> dict[str, Json]:
    """A new row without rights: those are given by an alteration. `person` is not on the page: the docs say why."""
    data: dict[str, Json] = {
        "chatroom": style.room({"id": values.as_number(group.remote_id)}),
        "person": values.as_number(account.remote_id),
    }
    if participant_type:
        data[style.key("participant_type")] = participant_type
    if not style.is_camel:
        *first_names, last_name = wanted.name.split() or [""]
        names = {"first_name": " ".join(first_names), "last_name": last_name}
        data |= {key: name for key, name in names.items() if name}
    return data


def alteration(group: GroupRef, changed: Mapping[str, Json], style: Style) -> dict[str, Json]:
    """The planned body: which room's row it is, and only what changes."""
    room = style.room({"id": values.as_number(group.remote_id)})
    return {"chatroom": room, **{style.key(key): value for key, value in changed.items()}}


def room_of(data: Mapping[str, Json]) -> GroupRef:
    """The room that a planned or sent body names."""
    room = data["chatroom"]
    return GroupRef(str(room["id"] if isinstance(room, dict) else room))


def whole_row(
    planned: Mapping[str, Json],
    secrets: Mapping[str, str],
    room: Mapping[str, Json],
    row: Mapping[str, Json],
    style: Style,
) -> dict[str, Json]:
    """The body as it is sent: the row as it is now, and of the planned body all that changes."""
    changed = {key: value for key, value in planned.items() if key != "chatroom"}
    changed |= {style.key(key): value for key, value in secrets.items()}
    present = {style.key(key): value for key, value in said(row, style.row_keys).items()}
    return {"chatroom": style.room(said(room, ROOM_IN_ROW)), **present, **changed}


def said(given: Mapping[str, Json], keys: tuple[str, ...]) -> dict[str, Json]:
    """Those of `keys` that say something. The page shows no null, so none is written."""
    return {key: given[key] for key in keys if isinstance(given.get(key), str | bool | int)}
