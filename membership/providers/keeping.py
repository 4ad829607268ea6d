"""What of an answer may be kept: fields that are named, and nothing else.

A list of what is secret is never complete: the next version of a remote has a field more. So the audit log keeps of an
answer's body only the fields that its provider names in `capabilities.kept`, and says how many others there were.
"""

import json
from collections.abc import Collection

from membership.providers.types import Json

NOT_NAMED = "…"
"""The key under which it is said how many fields were not kept."""
TEXT_CHARS = 300
ITEMS = 20
DEEP = 6
_NOT_READ = 64 * 1024
"""Characters of a body beyond which nothing is parsed for the log."""


def of_body(text: str, kept: Collection[str]) -> Json:
    """The named fields of a JSON body. Of anything else only its length: it may hold whatever was sent."""
    if not text:
        return ""
    try:
        value = json.loads(text) if len(text) <= _NOT_READ else text
    except (ValueError, RecursionError):
        value = text
    if isinstance(value, dict | list):
        return _named(value, frozenset(kept), DEEP)
    return {NOT_NAMED: len(text)}


def _named(value: Json, kept: frozenset[str], deep: int) -> Json:
    if isinstance(value, dict):
        known = {key: _named(item, kept, deep - 1) for key, item in value.items() if key in kept and deep}
        others = len(value) - len(known)
        return {**known, NOT_NAMED: others} if others else known
    if isinstance(value, list):
        items = [_named(item, kept, deep - 1) for item in value[:ITEMS]] if deep else []
        return [*items, {NOT_NAMED: len(value) - len(items)}] if len(value) > len(items) else items
    return value[:TEXT_CHARS] if isinstance(value, str) else value


KEPT_OF_CALLS = frozenset({"method", "path", "query", "body", "slots"})
"""What the log keeps of a planned call. Its headers say nothing of their own; secrets are slots, and stay unfilled."""


def of_call(call: Json) -> Json:
    return {key: value for key, value in call.items() if key in KEPT_OF_CALLS} if isinstance(call, dict) else None
