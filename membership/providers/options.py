"""What may be typed into the options and secrets of a connection."""

from collections.abc import Iterable, Mapping

from membership.errors import Reason
from membership.providers.base import OptionField
from membership.providers.ids import is_sendable_id


def header_value(value: str) -> Reason | None:
    """Fit to be an HTTP header: Latin-1, no control characters, no blanks at the ends.

    A token with a NUL is sent, one with a euro sign fails only when it is sent: so both are refused when typed.
    """
    try:
        value.encode("latin-1")
    except UnicodeEncodeError:
        return Reason.BAD_VALUE
    if value != value.strip() or any(not character.isprintable() and character != "\xad" for character in value):
        return Reason.BAD_VALUE
    return None


def plain_text(value: str) -> Reason | None:
    """One line that UTF-8 can carry."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return Reason.BAD_VALUE
    return Reason.BAD_VALUE if any(ord(character) < 32 or ord(character) == 127 for character in value) else None


def with_defaults(fields: Iterable[OptionField], given: Mapping[str, str]) -> dict[str, str]:
    """The options in force. An empty text stands where empty means something: not where one of `choices` is needed."""
    return {
        field.key: field.default if field.choices and not given.get(field.key) else given.get(field.key, field.default)
        for field in fields
    }


def path_segment(value: str) -> Reason | None:
    """An id that a URL can carry; empty is for `required` to refuse."""
    return None if not value or is_sendable_id(value) else Reason.BAD_VALUE
