"""Text that people type: cleaned once, before it is stored."""

import re
import unicodedata

from django.utils.translation import gettext as _

from membership.errors import BadValue, Reason

# Control characters but tab and line feed, and lone surrogates: no database keeps all of them, and nobody typed them.
_NEVER_TYPED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


def clean(text: str, *, key: str, at_most: int) -> str:
    """`text` without control characters and outer blanks; "" where nothing visible is left.

    Raises `BadValue` when it is longer than `at_most` characters. `key` names the field in the message.
    """
    cleaned = _NEVER_TYPED.sub("", text.replace("\r\n", "\n").replace("\r", "\n")).strip()
    if len(cleaned) > at_most:
        raise BadValue(Reason.BAD_VALUE, key=key, why=_("it is longer than %(limit)d characters") % {"limit": at_most})
    return cleaned if any(_is_visible(character) for character in cleaned) else ""


def _is_visible(character: str) -> bool:
    # Z: blanks of all kinds. C: formats, private and unassigned ones.
    return unicodedata.category(character)[0] not in "ZC"
