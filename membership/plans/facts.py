"""What the mirror says of groups, accounts and places: light rows, because a plan may hold ten thousand."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from membership.models import Account, Group, Operation, Participant
from membership.providers.base import GroupRef
from membership.vocab import ChangeState, OperationState, Verb

IDS_PER_QUERY = 500


@dataclass(frozen=True, slots=True)
class GroupFacts:
    pk: int
    remote_id: str
    remote_number: int | None
    name: str
    is_present: bool
    is_protected: bool
    managed_elsewhere: bool
    archived: bool
    read_at: datetime | None
    connection_id: int
    participants_count: int
    grants: int

    @property
    def ref(self) -> GroupRef:
        return GroupRef(self.remote_id, self.remote_number)


@dataclass(frozen=True, slots=True)
class AccountFacts:
    pk: int
    remote_id: str
    label: str
    is_present: bool
    is_own: bool
    connection_id: int
    person_id: int | None
    person_is_protected: bool | None


@dataclass(frozen=True, slots=True)
class PlaceFacts:
    """One participant row. `account` None: it is not known whose it is."""

    pk: int
    remote_id: str
    label: str
    is_member: bool
    is_manager: bool
    can_write: bool | None
    is_muted: bool | None
    is_present: bool
    group_id: int
    account: AccountFacts | None

    def right(self, name: str) -> bool | None:
        value: bool | None = getattr(self, name)
        return value


_GROUP = (
    "pk",
    "remote_id",
    "remote_number",
    "name",
    "is_present",
    "is_protected",
    "managed_elsewhere",
    "archived",
    "read_at",
    "connection_id",
    "participants_count",
    "grants",
)
_ACCOUNT = (
    "pk",
    "remote_id",
    "label",
    "is_present",
    "is_own",
    "connection_id",
    "person_id",
    "person__is_protected",
)
_PLACE = (
    "pk",
    "remote_id",
    "label",
    "is_member",
    "is_manager",
    "can_write",
    "is_muted",
    "is_present",
    "group_id",
    "account_id",
)
_PLACE_AND_ACCOUNT = (*_PLACE, *(f"account__{name}" for name in _ACCOUNT[1:]))


def groups(ids: Iterable[int]) -> dict[int, GroupFacts]:
    """`{id: its facts}`."""
    found: dict[int, GroupFacts] = {}
    for chunk in chunks(ids):
        rows = Group.objects.filter(pk__in=chunk).order_by().values_list(*_GROUP)
        found.update((row[0], GroupFacts(*row)) for row in rows)
    return found


def accounts(ids: Iterable[int]) -> dict[int, AccountFacts]:
    """`{id: its facts}`."""
    found: dict[int, AccountFacts] = {}
    for chunk in chunks(ids):
        rows = Account.objects.filter(pk__in=chunk).order_by().values_list(*_ACCOUNT)
        found.update((row[0], AccountFacts(*row)) for row in rows)
    return found


def accounts_named(connection_id: int, remote_ids: Collection[str]) -> list[AccountFacts]:
    """The accounts of one system with these ids there, by name."""
    rows = Account.objects.filter(connection_id=connection_id, remote_id__in=remote_ids)
    return [AccountFacts(*row) for row in rows.order_by("label", "pk").values_list(*_ACCOUNT)]


def places(ids: Iterable[int]) -> dict[int, PlaceFacts]:
    """`{participant id: its facts}`."""
    found: dict[int, PlaceFacts] = {}
    for chunk in chunks(ids):
        rows = Participant.objects.filter(pk__in=chunk).order_by().values_list(*_PLACE_AND_ACCOUNT)
        for row in rows:
            account_id = row[9]
            account = None if account_id is None else AccountFacts(account_id, *row[10:])
            found[row[0]] = _place(row, account)
    return found


def places_of(
    group_ids: Collection[int], accounts: Collection[AccountFacts], *, rows_name_accounts: bool
) -> dict[tuple[int, int], PlaceFacts]:
    """`{(group id, account id): the present place}` of accounts of one system.

    Where rows name accounts, a row counts by its id even if its account was not in the mirror when it was read.
    """
    found: dict[tuple[int, int], PlaceFacts] = {}
    by_id = {account.pk: account for account in accounts}
    by_name = {account.remote_id: account for account in accounts}
    for group_chunk in chunks(group_ids):
        for chunk in chunks(by_id):
            present = Participant.objects.filter(group_id__in=group_chunk, is_present=True).order_by()
            if rows_name_accounts:
                rows = present.filter(remote_id__in=[by_id[pk].remote_id for pk in chunk])
            else:
                rows = present.filter(account_id__in=chunk)
            for row in rows.values_list(*_PLACE):
                account = by_name[row[1]] if rows_name_accounts else by_id[row[9]]
                found[row[8], account.pk] = _place(row, account)
    return found


def leaving(participant_ids: Iterable[int]) -> set[int]:
    """Those of the participants whose last open wish of a confirmed change is to remove them."""
    last: dict[int | None, str] = {}
    for chunk in chunks(participant_ids):
        rows = Operation.objects.filter(
            participant_id__in=chunk, state__in=OperationState.open(), change__state__in=ChangeState.open()
        ).order_by("pk")
        last.update(rows.values_list("participant_id", "verb"))
    return {pk for pk, verb in last.items() if pk is not None and verb == Verb.REMOVE}


def fields(ids: Iterable[int]) -> dict[int, tuple[Mapping[str, Any], frozenset[str]]]:
    """`{participant id: (what the remote says beyond columns, names of the secrets that are set)}`."""
    found: dict[int, tuple[Mapping[str, Any], frozenset[str]]] = {}
    for chunk in chunks(ids):
        rows = Participant.objects.filter(pk__in=chunk).order_by().values_list("pk", "attributes", "secrets")
        found.update((pk, (attributes, frozenset(secrets))) for pk, attributes, secrets in rows)
    return found


def _place(row: tuple[Any, ...], account: AccountFacts | None) -> PlaceFacts:
    pk, remote_id, label, is_member, is_manager, can_write, is_muted, is_present, group_id = row[:9]
    return PlaceFacts(pk, remote_id, label, is_member, is_manager, can_write, is_muted, is_present, group_id, account)


def chunks(ids: Iterable[int], size: int = IDS_PER_QUERY) -> Iterator[list[int]]:
    """`ids` in pieces that one query can name."""
    all_ids = list(ids)
    for start in range(0, len(all_ids), size):
        yield all_ids[start : start + size]
