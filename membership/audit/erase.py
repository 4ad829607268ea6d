"""Personal parts of entries deleted: the one place that does it. What is sealed stays, and verifies."""

from collections.abc import Iterable
from itertools import islice

from django.db import connections, router

from membership.audit import words
from membership.models import AuditPersonal

_CHUNK = 500


def erase(entry_ids: Iterable[int]) -> int:
    """Delete the personal parts of these entries. Returns how many there were. Inside the caller's transaction.

    SQLite writes zeros over what it deletes here; what other copies hold (backups, its own log until the next
    checkpoint) is told in docs/audit.md.
    """
    using = router.db_for_write(AuditPersonal)
    overwrite(using)
    ids, done = iter(sorted(set(entry_ids))), 0
    while chunk := list(islice(ids, _CHUNK)):
        done += AuditPersonal.objects.using(using).filter(pk__in=chunk).delete()[0]
    words.want_merge()
    return done


def overwrite(using: str) -> None:
    """What this connection deletes from now on leaves nothing in SQLite's file: some builds would keep it."""
    if connections[using].vendor == "sqlite":
        with connections[using].cursor() as cursor:
            cursor.execute("PRAGMA secure_delete = ON")
