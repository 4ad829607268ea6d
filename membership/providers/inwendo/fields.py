"""Options and secrets of an inwendo connection, and the fields of a participant that can be edited."""

import re
from urllib.parse import parse_qsl, urlsplit

from membership.errors import Reason
from membership.providers.base import EditableField, OptionField
from membership.providers.ids import is_sendable_id
from membership.providers.options import header_value, plain_text

NUMBER = re.compile(r"[0-9]{1,18}")

EDITABLE: tuple[EditableField, ...] = (
    EditableField("auto_reply", "Automatic replies", kind="boolean", help="Whether the assistant answers for them."),
    EditableField(
        "ai_prompt",
        "Instructions to the assistant",
        is_secret=True,
        is_long=True,
        max_length=10_000,
        help="What the assistant is told before it answers. Stored as a secret: it is never shown again.",
    ),
    EditableField(
        "ai_auto_close_secret_word",
        "Secret word that ends the assistant's part",
        is_secret=True,
        max_length=255,
        help="Whoever writes it ends the automatic replies. Stored as a secret: it is never shown again.",
    ),
    EditableField(
        "ai_number_of_context_messages",
        "Messages that the assistant reads",
        kind="number",
        help="How many of the last messages the assistant is given.",
    ),
)
NEWER_EDITABLE: tuple[EditableField, ...] = (
    EditableField("nickname", "Nickname", max_length=255, help="The name that this room shows for them."),
    EditableField("preferred_color_hex", "Colour", kind="colour", help="Of the form #1a2b3c."),
)
NEWER_KEYS = tuple(field.key for field in NEWER_EDITABLE)


def room_id(text: str) -> str | None:
    """The id in what somebody typed: an id, or a link, of which the last part that is a number counts."""
    text = text.strip()
    if "/" not in text:
        return text if is_sendable_id(text) else None
    try:
        link = urlsplit(text)
    except ValueError:
        return None
    if link.scheme not in ("http", "https"):
        return None
    # Where the address of a room has its id is not documented: in the path or fragment, else in the query.
    parts = f"{link.path}/{link.fragment.partition('?')[0]}".split("/")
    numbers = [part for part in parts if NUMBER.fullmatch(part)]
    numbers = numbers or [value for _name, value in parse_qsl(link.query) if NUMBER.fullmatch(value)]
    return numbers[-1] if numbers else None


def room_ids(value: str) -> tuple[str, ...]:
    """The rooms of a comma-separated list of ids or links, in order, each once."""
    return tuple(dict.fromkeys(filter(None, (room_id(part) for part in value.split(",")))))


def rooms_check(value: str) -> Reason | None:
    typed = [part for part in value.split(",") if part.strip()]
    return None if all(room_id(part) for part in typed) else Reason.BAD_VALUE


OPTIONS: tuple[OptionField, ...] = (
    OptionField(
        "auth",
        "How to sign in",
        kind="choice",
        help="A log-in is renewed by itself. An API key is made in the user settings of inwendo, and runs out there.",
        default="login",
        choices=("login", "api_key"),
        choice_labels=("With user name and password", "With an API key"),
    ),
    OptionField(
        "username",
        "User name",
        help=(
            "The name with which this user logs in at the address above. Best a user made for this panel, with the"
            " right to manage chat rooms. With an API key it only tells which account is our own."
        ),
        example="panel",
        check=plain_text,
    ),
    OptionField(
        "rooms",
        "Rooms to track",
        help=(
            "Ids of rooms or links to them, separated by commas. Needed where this host does not list its rooms: open"
            " a room in the browser and copy the address."
        ),
        example="17, 23",
        check=rooms_check,
    ),
    OptionField(
        "participants_from",
        "Where participants are read",
        kind="choice",
        help="Leave it at the room, which tells everything. Take the list if rooms here come without their people.",
        default="room",
        choices=("room", "list"),
        choice_labels=("From the room itself", "From the list of participants"),
    ),
    OptionField(
        "body_style",
        "How changes are written",
        kind="choice",
        help=(
            "Hosts differ, and which one yours is shows with the first addition: if it is not confirmed, take the other"
            " one and try again."
        ),
        default="documented",
        choices=("documented", "camel"),
        choice_labels=("As on the vendor's reference page", "In camelCase with bare ids"),
    ),
    OptionField(
        "put_body",
        "Version of the participant page",
        kind="choice",
        help=(
            "Take the newer one if participants here have nicknames or colours: then both can be edited, and no change"
            " leaves them out."
        ),
        default="older",
        choices=("older", "newer"),
        choice_labels=("Older: without nickname and colour", "Newer: with nickname and colour"),
    ),
    OptionField(
        "participant_type",
        "Type of new participants",
        help=(
            "Sent when somebody is added. The vendor names no values: look at the type of people who are in a room"
            " already. Empty: not sent."
        ),
        default="person",
        example="person",
        check=plain_text,
    ),
    OptionField(
        "build_id",
        "Build id",
        help="Only if the vendor's support asks for it: sent as iw-build-id. Empty: not sent.",
        check=plain_text,
    ),
    OptionField(
        "package_id",
        "Package id",
        help="Only if the vendor's support asks for it: sent as iw-package-id. Empty: not sent.",
        check=plain_text,
    ),
)

SECRETS: tuple[OptionField, ...] = (
    OptionField(
        "password",
        "Password",
        help="Of the user named above. A user with a second factor cannot be used.",
        only_with=("auth", "login"),
        check=plain_text,
    ),
    OptionField(
        "api_key",
        "API key",
        help="Made in inwendo in the settings of the user; it is shown there once, as a long text in three parts.",
        only_with=("auth", "api_key"),
        check=header_value,
    ),
)

KEPT = frozenset(
    {"id", "chatroom", "person", "participant_type", "first_name", "last_name", "nickname", "name", "room_admin",
     "can_write", "is_muted", "auto_created", "auto_reply", "deleted", "created", "updated", "last_read_at", "status",
     "code", "preferred_color_hex"}
)  # fmt: skip
"""Fields of its answers that the audit log keeps."""
