"""Whether it is known where an account takes part: only then may "everywhere" mean everywhere."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db.models import Q

from membership import conf
from membership.models import Account, Connection, Group
from membership.plans.drafting import drafter
from membership.providers.base import Places

READINGS_MISSED = 2
"""A system that was not read for so many of its periods is not known completely."""


def not_known(accounts: Sequence[Account], now: datetime) -> list[Account]:
    """Those of `accounts` whose places have to be read first. Where only the mirror tells, one account stands for all
    of its system: one reading serves them.
    """
    oldest = now - timedelta(seconds=READINGS_MISSED * conf.read_every_s())
    connections = Connection.objects.defer("secrets", "session").in_bulk(
        {account.connection_id for account in accounts}
    )
    wanted: list[Account] = []
    mirrored: set[int] = set()
    for account in accounts:
        connection = connections[account.connection_id]
        if drafter(connection).capabilities.places is Places.REMOTE:
            if not _is_fresh(account.places_read_at, connection.read_at, oldest):
                wanted.append(account)
        elif connection.pk not in mirrored:
            mirrored.add(connection.pk)
            if not _mirror_is_complete(connection, oldest):
                wanted.append(account)
    return wanted


def _is_fresh(places_read_at: datetime | None, system_read_at: datetime | None, oldest: datetime) -> bool:
    if places_read_at is None or places_read_at < oldest:
        return False
    return system_read_at is None or places_read_at >= system_read_at


def _mirror_is_complete(connection: Connection, oldest: datetime) -> bool:
    if connection.read_at is None or connection.read_at < oldest:
        return False
    doubtful = Q(read_at=None) | ~Q(incomplete_reason="")
    return not Group.objects.filter(doubtful, connection=connection, is_present=True).exists()
