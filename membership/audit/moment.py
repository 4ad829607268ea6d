"""The log as it was at one moment, for who reads it in many steps."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connections, router, transaction

from membership.models import AuditEntry


@contextmanager
def one_moment() -> Iterator[None]:
    """All that is read in here was so at one moment, whatever is written, cut off or erased meanwhile.

    Nothing may be written in here. Inside a transaction of the caller, that one is the moment.
    """
    connection = connections[router.db_for_read(AuditEntry)]
    if connection.in_atomic_block:
        yield
    elif connection.vendor == "sqlite":
        # By hand: a transaction of Django's is IMMEDIATE, and nobody else could write meanwhile.
        with connection.cursor() as cursor:
            cursor.execute("BEGIN")
            try:
                yield
            finally:
                cursor.execute("ROLLBACK")
    else:
        with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            yield
