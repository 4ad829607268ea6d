"""Options and secrets of an inwendo connection."""

from membership.errors import Reason
from membership.providers.base import OptionField
from membership.providers.ids import is_sendable_id
from membership.providers.options import header_value, plain_text


def room_ids(value: str) -> tuple[str, ...]:
    """The rooms of a comma-separated list, in order, each once."""
    return tuple(dict.fromkeys(part.strip() for part in value.split(",") if part.strip()))


def rooms_check(value: str) -> Reason | None:
    return None if all(is_sendable_id(room) for room in room_ids(value)) else Reason.BAD_VALUE


OPTIONS: tuple[OptionField, ...] = (
    OptionField(
        "auth",
        "How to sign in",
        help="By the log-in of a user, or by an API key made in that user's settings.",
        default="login",
        choices=("login", "api_key"),
    ),
    OptionField(
        "username",
        "User name",
        help="Needed to sign in by log-in; with an API key it only tells which account is our own.",
        check=plain_text,
    ),
    OptionField(
        "rooms",
        "Rooms to track",
        help="Ids separated by commas. Needed where this system does not list its rooms.",
        check=rooms_check,
    ),
    OptionField(
        "participants_from",
        "Where participants are read",
        help="From the room itself, which tells everything about them, or from the list of participants.",
        default="room",
        choices=("room", "list"),
    ),
    OptionField(
        "body_style",
        "How additions are written",
        help="As on the vendor's reference page, or in camelCase with bare ids as in the vendor's own tests.",
        default="documented",
        choices=("documented", "camel"),
    ),
    OptionField(
        "participant_type",
        "Type of new participants",
        help="Sent with additions; the values are not documented. Empty: not sent.",
        default="person",
        check=plain_text,
    ),
    OptionField("build_id", "Build id", help="Sent as iw-build-id. Empty: not sent.", check=plain_text),
    OptionField("package_id", "Package id", help="Sent as iw-package-id. Empty: not sent.", check=plain_text),
)

SECRETS: tuple[OptionField, ...] = (
    OptionField("password", "Password", help="To sign in by log-in.", check=plain_text),
    OptionField("api_key", "API key", help="To sign in by API key.", check=header_value),
)
