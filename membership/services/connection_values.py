"""What may be typed for a system. Each function returns the value to store, or raises `BadValue` with a sentence."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

from django.utils.translation import gettext as _

from membership.errors import BadValue, Reason
from membership.models import Connection
from membership.operations.probe import is_address
from membership.remotes import provider_class
from membership.vocab import PROVIDERS

LONGEST_VALUE = 10_000
LARGEST = {"rate_per_s": 1000, "burst": 1000, "concurrency": 64, "timeout_s": 600, "settle_s": 3600}
SMALLEST = {"rate_per_s": 0.01, "burst": 1, "concurrency": 1, "timeout_s": 0.1, "settle_s": 0}


def _wrong(key: str, why: str) -> BadValue:
    return BadValue(Reason.BAD_VALUE, key=key, why=why)


def provider(kind: str) -> str:
    if kind not in PROVIDERS:
        raise _wrong("provider", _("known are %(kinds)s") % {"kinds": ", ".join(PROVIDERS)})
    return kind


def name(text: str) -> str:
    text = text.strip()
    if not text or len(text) > 120 or not text.isprintable():
        raise _wrong("name", _("it must have 1 to 120 visible characters"))
    return text


def name_is_taken() -> str:
    return _("it is the name of another system")


def url(text: str) -> str:
    text = text.strip().rstrip("/")
    if len(text) > 500 or not is_address(text):
        raise _wrong("url", _("it must be of the form https://host or https://host:port/path"))
    return text


def limit(key: str, value: float) -> float:
    if not math.isfinite(value) or not SMALLEST[key] <= value <= LARGEST[key]:
        raise _wrong(key, _("it must be between %(low)s and %(high)s") % {"low": SMALLEST[key], "high": LARGEST[key]})
    return value


def options(kind: str, present: Mapping[str, str], given: Mapping[str, str]) -> dict[str, str]:
    """The options with what is given put in; an empty text takes an option away."""
    return _checked(kind, provider_class(kind).options, present, given)


def secrets(kind: str, present: Mapping[str, str], given: Mapping[str, str]) -> dict[str, str]:
    """The same for secrets. Errors never show the value."""
    return _checked(kind, provider_class(kind).secrets, present, given)


def _checked(kind: str, fields: Any, present: Mapping[str, str], given: Mapping[str, str]) -> dict[str, str]:
    known = {field.key for field in fields}
    for key in given:
        if key not in known:
            raise _wrong(
                key,
                _("%(kind)s knows %(keys)s")
                % {
                    "kind": PROVIDERS[kind].label,
                    "keys": ", ".join(field.key for field in fields) or _("no such setting"),
                },
            )
    for key, why in problems(fields, present, given):
        raise _wrong(key, why)
    return {key: value for key, value in {**present, **given}.items() if value}


def problems(fields: Any, present: Mapping[str, str], given: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """What is wrong with the options or secrets `given`, put over those `present`: `(key, why)` each."""
    merged = {key: value for key, value in {**present, **given}.items() if value}
    for field in fields:
        why = _why_not(field, given.get(field.key, ""))
        if why:
            yield field.key, why
        elif field.required and not merged.get(field.key) and not field.default:
            yield field.key, _("it is needed")


def _why_not(field: Any, value: str) -> str:
    if not value:
        return ""
    if len(value) > LONGEST_VALUE:
        return _("it is too long")
    if field.choices and value not in field.choices:
        return _("it must be one of %(choices)s") % {"choices": ", ".join(field.choices)}
    if field.check is not None and field.check(value) is not None:
        return _("it has characters that cannot be sent, or blanks at its ends")
    return ""


def shown(kind: str, stored: Mapping[str, str]) -> dict[str, str]:
    """Of each secret only whether it is set."""
    return {field.key: "set" if stored.get(field.key) else "not set" for field in provider_class(kind).secrets}


def shown_change(before: Mapping[str, str], after: Mapping[str, str]) -> dict[str, str]:
    """Of each secret only what became of it."""
    said = {}
    for key in sorted({*before, *after}):
        if before.get(key) != after.get(key):
            said[key] = "changed" if before.get(key) and after.get(key) else "set" if after.get(key) else "not set"
        else:
            said[key] = "set"
    return said


def describe(connection: Connection) -> dict[str, list[tuple[Any, str]]]:
    """For pages: each option with its value, each secret with "set" or "not set"."""
    kind = provider_class(connection.provider)
    stored = shown(connection.provider, connection.secrets)
    return {
        "options": [(field, connection.options.get(field.key, "") or field.default) for field in kind.options],
        "secrets": [(field, stored[field.key]) for field in kind.secrets],
    }
