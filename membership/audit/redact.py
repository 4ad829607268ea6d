"""What never enters the log: secrets, and more of an answer than a reader needs."""

import json
import re
from functools import lru_cache
from typing import Any

from membership.audit.chain import canonical, clean, clean_text

HIDDEN = "***"
TEXT_LIMIT = 8 * 1024
"""Characters of one text that are kept."""
PART_LIMIT = 32 * 1024
"""Characters of one personal part, as JSON."""

_SECRET_NAMES = frozenset(
    {
        "aiprompt", "aiautoclosesecretword", "apikey", "authorization", "authtoken", "cookie", "jwt",
        "passwd", "password", "pin", "privatekey", "pwd", "secret", "secrets", "session", "sessionid", "setcookie",
        "token", "tokens", "xiwjwttoken", "xsessiontoken",
    }
)  # fmt: skip
_SECRET_ENDINGS = ("token", "password", "secret", "secretword", "apikey", "privatekey", "jwt")
_NOT_SECRET = frozenset({"lanetoken"})
_SAYS_NOTHING = frozenset({"", "set", "not set", "changed", HIDDEN})

_PAIRS = frozenset({"query", "headers"})
"""Kept as lists of name and value."""

_NAME = r"[\w-]*(?:token|password|passwd|secret(?:_?word)?|api_?key|private_?key|jwt|prompt|authorization|cookie)"
_IN_TEXT = re.compile(rf'("{_NAME}"\s*:\s*)("(?:[^"\\]|\\.)*"?|[^\s,}}\]]+)', re.IGNORECASE)
# Only where a name begins: to try it again at each of its parts takes time by the square of its length.
_IN_QUERY = re.compile(rf"((?<![\w-]){_NAME}=)[^\s&;\"']+", re.IGNORECASE)
_BEARER = re.compile(r"\b(bearer|basic)\s+[\w.~+/=-]{6,}", re.IGNORECASE)


@lru_cache(maxsize=4096)
def is_secret_name(name: str) -> bool:
    plain = name.replace("_", "").replace("-", "").lower()
    return plain not in _NOT_SECRET and (plain in _SECRET_NAMES or plain.endswith(_SECRET_ENDINGS))


def hide_secrets(value: Any, name: str = "") -> Any:
    """A cleaned `value` without secrets: values under secret names, at any depth, also inside JSON kept as text."""
    if name and is_secret_name(name):
        return _hidden(value)
    if name in _PAIRS and isinstance(value, list):
        return [_hide_in_pair(item) for item in value]
    if isinstance(value, dict):
        return {key: hide_secrets(item, key) for key, item in value.items()}
    if isinstance(value, list):
        return [hide_secrets(item) for item in value]
    if isinstance(value, str):
        return _hide_in_text(value)
    return value


def fitting(value: Any) -> Any:
    """`cut(hide_secrets(clean(value)))` in one go: a worker asks for it forty times a step."""
    kind = type(value)
    if kind is str:
        if value.isascii() and "\0" not in value:
            return value if len(value) < 8 else _cut_text(_hide_in_text(value), TEXT_LIMIT)
        return _cut_text(_hide_in_text(clean_text(value)), TEXT_LIMIT)
    if value is None or kind is bool or kind is int:
        return value
    if kind is dict:
        return _fitting_items(value)
    if kind is list:
        return [fitting(item) for item in value]
    return cut(hide_secrets(clean(value)))


def _fitting_items(items: dict[Any, Any]) -> dict[str, Any]:
    found = {}
    for key, value in items.items():
        name, is_plain = _name(key) if type(key) is str else (clean_text(str(key)), False)
        if is_plain:
            found[name] = fitting(value)
        elif name in _PAIRS and type(value) is list:
            found[name] = [_fitting_pair(pair) for pair in value]
        else:
            found[name] = cut(hide_secrets(clean(value), name))
    return found


def _fitting_pair(pair: Any) -> Any:
    if type(pair) is list and len(pair) == 2 and type(pair[0]) is str and _name(pair[0]) == (pair[0], True):
        return [cut(pair[0]), fitting(pair[1])]
    return cut(_hide_in_pair(clean(pair)))


@lru_cache(maxsize=4096)
def _name(key: str) -> tuple[str, bool]:
    """A key as it is kept, and whether it says nothing about its value."""
    name = clean_text(key)
    return name, not (is_secret_name(name) or name in _PAIRS)


def _hide_in_pair(pair: Any) -> Any:
    if isinstance(pair, list) and len(pair) == 2 and isinstance(pair[0], str):
        return [pair[0], hide_secrets(pair[1], pair[0])]
    return hide_secrets(pair)


def _hidden(value: Any) -> Any:
    """Whether a secret is set, or was changed, may be told."""
    if isinstance(value, dict):
        return {key: _hidden(item) for key, item in value.items()}
    if value is None or isinstance(value, bool) or (isinstance(value, str) and value in _SAYS_NOTHING):
        return value
    return HIDDEN


def _hide_in_text(text: str) -> str:
    if len(text) < 8 or text.isalnum():
        return text
    if text[0] in "{[" and len(text) <= 1 << 20:
        try:
            return canonical(hide_secrets(json.loads(text)))
        except (ValueError, RecursionError):
            pass  # cut off, or no JSON after all: go on by pattern
    if '"' in text:
        text = _IN_TEXT.sub(rf'\1"{HIDDEN}"', text)
    if "=" in text:
        text = _IN_QUERY.sub(rf"\1{HIDDEN}", text)
    # Nothing follows on "bearer" where there is no blank of any kind.
    return text if " " not in text and text.isprintable() else _BEARER.sub(rf"\1 {HIDDEN}", text)


def cut(value: Any) -> Any:
    """A cleaned `value` with every long text shortened; says how much is missing."""
    if isinstance(value, str):
        return _cut_text(value, TEXT_LIMIT)
    if isinstance(value, dict):
        return {key: cut(item) for key, item in value.items()}
    if isinstance(value, list):
        return [cut(item) for item in value]
    return value


def _cut_text(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[:limit]} … (+{len(text) - limit})"


def fit(personal: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """The personal part and its canonical text, its largest values shortened to text until it is small enough."""
    text = canonical(personal)
    if len(text) <= PART_LIMIT:
        return personal, text
    personal = dict(personal)
    for name in sorted(personal, key=lambda key: -len(canonical(personal[key]))):
        personal[name] = _cut_text(canonical(personal[name]), TEXT_LIMIT // 2)
        text = canonical(personal)
        if len(text) <= PART_LIMIT:
            break
    return personal, text
