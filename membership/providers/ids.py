"""Which remote ids a URL can carry."""

import unicodedata

# Cc: control characters, C1 included. Cs: lone surrogates, which no URL can say.
UNSENDABLE_CATEGORIES = frozenset({"Cc", "Cs"})


def is_sendable_id(value: str) -> bool:
    """Whether `value` can be a path segment. Others are refused before a URL is built.

    `..`, even quoted, names the collection above on many servers: the group instead of the member.
    """
    if value in ("", ".", "..") or "/" in value or "\\" in value:
        return False
    return value.isalnum() or not any(unicodedata.category(character) in UNSENDABLE_CATEGORIES for character in value)
