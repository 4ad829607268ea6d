"""Columns of ours."""

import json
from typing import TYPE_CHECKING, Any

from cryptography.fernet import InvalidToken
from django.db import models

from membership import conf

if TYPE_CHECKING:
    _Secrets = models.TextField[dict[str, str], dict[str, str]]
else:
    _Secrets = models.TextField


def opened(stored: str | None) -> dict[str, str]:
    """What an `EncryptedJSONField` has stored."""
    if not stored:
        return {}
    try:
        value: dict[str, str] = json.loads(conf.fernet().decrypt(stored.encode()))
    except InvalidToken:
        return {}
    return value


class EncryptedJSONField(_Secrets):
    """A JSON object encrypted at rest with `FIELD_KEYS`; an empty one is stored as an empty string.

    A value that no key opens reads as `{}`: the secret counts as not set, so that one lost key does not take the pages
    down. `manage.py rotate_secrets` and the system checks say so.
    """

    def get_prep_value(self, value: Any) -> str:
        if not value:
            return ""
        return conf.fernet().encrypt(json.dumps(value, sort_keys=True).encode()).decode()

    def from_db_value(self, value: str | None, expression: object, connection: object) -> dict[str, str]:
        return opened(value)

    def to_python(self, value: Any) -> Any:
        return value or {}

    def value_to_string(self, obj: models.Model) -> str:
        return self.get_prep_value(self.value_from_object(obj))
