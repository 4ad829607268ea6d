"""Text in a column, whatever its case, on both databases."""

import re

from django.db import connection
from django.db.models import Q


def contains(column: str, text: str) -> Q:
    return _compared(column, "icontains", text, re.escape(text))


def begins(column: str, text: str) -> Q:
    return _compared(column, "istartswith", text, f"^{re.escape(text)}")


def _compared(column: str, lookup: str, text: str, pattern: str) -> Q:
    # SQLite knows the case of ASCII letters alone; its regular expressions are Python's, and know all.
    if connection.vendor == "sqlite" and not text.isascii():
        return Q(**{f"{column}__iregex": pattern})
    return Q(**{f"{column}__{lookup}": text})
