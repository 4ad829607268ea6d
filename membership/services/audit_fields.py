"""Fields of stored states in words: "manager: no → yes"."""

import json
import re
from collections.abc import Mapping
from typing import Any

from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

FIELDS: Mapping[str, Any] = {
    "": gettext_lazy("as a whole"),
    "label": gettext_lazy("name there"),
    "email": gettext_lazy("e-mail"),
    "remote_id": gettext_lazy("id there"),
    "is_own": gettext_lazy("Musterbook's own"),
    "is_present": gettext_lazy("in the group"),
    "is_member": gettext_lazy("member"),
    "is_manager": gettext_lazy("manager"),
    "can_write": gettext_lazy("can write"),
    "is_muted": gettext_lazy("muted"),
    "participant_type": gettext_lazy("type"),
    "name": gettext_lazy("name"),
    "members": gettext_lazy("first members"),
    "nickname": gettext_lazy("nickname"),
    "preferred_color_hex": gettext_lazy("colour"),
    "auto_reply": gettext_lazy("automatic replies"),
    "ai_prompt": gettext_lazy("instructions to the assistant"),
    "ai_auto_close_secret_word": gettext_lazy("secret word that ends the assistant's part"),
    "ai_number_of_context_messages": gettext_lazy("messages that the assistant reads"),
    "base_url": gettext_lazy("address"),
    "internal": gettext_lazy("inside our own network"),
    "rate_per_s": gettext_lazy("requests per second"),
    "burst": gettext_lazy("burst"),
    "concurrency": gettext_lazy("requests at once"),
    "timeout_s": gettext_lazy("time limit of a request, seconds"),
    "settle_s": gettext_lazy("wait before reading back, seconds"),
    "state": gettext_lazy("state"),
    "role": gettext_lazy("role"),
}


_DATED = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(T|$)", re.ASCII)


def name(field: str) -> str:
    """What a field is called; one that is not known by its own name, readable."""
    return str(FIELDS.get(field) or field.replace("_", " "))


def value(stored: object) -> str:
    """A stored value in words: yes, no, set, a list, a day, a dash for nothing."""
    if stored is None or stored == "":
        return "–"
    if isinstance(stored, bool):
        return _("yes") if stored else _("no")
    if isinstance(stored, Mapping):
        return _mapping(stored)
    if isinstance(stored, list):
        return ", ".join(map(value, stored)) or "–"
    return _day_or_time(str(stored))


def _day_or_time(text: str) -> str:
    """A stored time as pages show times; any other text as it is."""
    if not _DATED.match(text):
        return text
    try:
        at, on = parse_datetime(text), parse_date(text)
    except ValueError:
        return text
    if on is not None:
        return date_format(on, "j M Y")
    return date_format(timezone.localtime(at), "j M Y H:i:s") if at is not None and timezone.is_aware(at) else text


def _mapping(stored: Mapping[str, Any]) -> str:
    if stored.get("secret") is True:
        return _("set anew")
    if set(stored) == {"is_set"}:
        return _("set") if stored["is_set"] else _("not set")
    if all(isinstance(each, str | int | float | bool | None) for each in stored.values()):
        return "; ".join(f"{name(key)}: {value(each)}" for key, each in stored.items()) or "–"
    return json.dumps(stored, ensure_ascii=False, sort_keys=True)
