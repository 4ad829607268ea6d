"""Conditions that few entries of the log fit, said so that SQLite looks these up instead of reading through all."""

from functools import reduce
from operator import or_

from django.db import connections, router
from django.db.models import Q

from membership.audit import words as index
from membership.models import AuditEntry

FEW = 50_000


def by_number(*conditions: Q) -> Q:
    """Entries that fit any of `conditions`, by their numbers where these are few. An index has to answer each alone.

    SQLite prefers an order that it need not sort, and reads a million entries to find a hundred newest. PostgreSQL
    counts beforehand.
    """
    any_of_them = reduce(or_, conditions)
    if connections[router.db_for_read(AuditEntry)].vendor != "sqlite":
        return any_of_them
    found: set[int] = set()
    for condition in conditions:
        fit = AuditEntry.objects.filter(condition).order_by().values_list("pk", flat=True)
        found.update(fit[: FEW + 1])
        if len(found) > FEW:
            return any_of_them
    return index.among(list(found))
