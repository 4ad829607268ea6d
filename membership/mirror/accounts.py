"""The list of a connection's accounts, and finding an account by its remote id."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from membership.mirror import facts
from membership.mirror.facts import Columns
from membership.mirror.listing import Known, Listing, Pending, Tally, tally_of
from membership.models import Account, Connection
from membership.providers.base import RemoteAccount

UPDATED = (*facts.ACCOUNT_COLUMNS, "content_hash", "is_present", "seen_at")


class AccountListing(Listing[RemoteAccount]):
    def __init__(self, connection: Connection, *, began_at: datetime) -> None:
        rows = Account.objects.filter(connection=connection).order_by()
        known = rows.values_list("pk", "remote_id", "content_hash", "is_present").iterator(chunk_size=2000)
        super().__init__((Known(*row) for row in known), began_at=began_at, first=connection.accounts_read_at is None)
        self.connection = connection

    def _columns(self, remote: RemoteAccount) -> Columns:
        return facts.of_account(remote)

    def write(self, chunk: Sequence[Pending[RemoteAccount]]) -> Tally:
        Account.objects.bulk_create(
            [
                Account(
                    connection=self.connection,
                    remote_id=item.remote.remote_id,
                    seen_at=self.began_at,
                    is_present=True,
                    **item.columns,
                )
                for item in chunk
            ],
            update_conflicts=True,
            unique_fields=["connection", "remote_id"],
            update_fields=UPDATED,
        )
        return tally_of(chunk)

    def remove(self, chunk: Sequence[Known]) -> Tally:
        """They are no longer listed by a complete reading. Inside the caller's transaction."""
        ids = [row.pk for row in chunk]
        Account.objects.filter(pk__in=ids).update(is_present=False, seen_at=self.began_at)
        return Tally(removed=len(ids))


def mark_own(connection: Connection) -> None:
    """Keep `is_own` on the account that the connection acts as. Inside the caller's transaction."""
    own_id = connection.own_account_id
    of_connection = Account.objects.filter(connection=connection)
    of_connection.filter(is_own=True).exclude(remote_id=own_id).update(is_own=False)
    if own_id:
        of_connection.filter(remote_id=own_id, is_own=False).update(is_own=True)


def note_places_asked(account_id: int, *, at: datetime, is_known: bool) -> None:
    """The remote told everywhere this account takes part. `is_known`: the mirror holds all of it."""
    fields = {"places_asked_at": at, "places_read_at": at} if is_known else {"places_asked_at": at}
    Account.objects.filter(pk=account_id).update(**fields)


class Found(NamedTuple):
    pk: int
    label: str


class AccountIndex:
    """Accounts by remote id, asked for once each."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._found: dict[str, Found | None] = {}

    def load(self, remote_ids: Iterable[str | None]) -> None:
        wanted = {remote_id for remote_id in remote_ids if remote_id is not None and remote_id not in self._found}
        if not wanted:
            return
        rows = Account.objects.filter(connection=self._connection, remote_id__in=wanted)
        self._found.update(dict.fromkeys(wanted))
        for remote_id, pk, label in rows.values_list("remote_id", "pk", "label"):
            self._found[remote_id] = Found(pk, label)

    def get(self, remote_id: str | None) -> Found | None:
        return None if remote_id is None else self._found.get(remote_id)
