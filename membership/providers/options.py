"""What may be typed into the options and secrets of a connection."""

from membership.errors import Reason


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
