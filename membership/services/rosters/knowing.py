"""Everybody whom a row of a list may mean: the accounts of one system, and who is in the group.

Held in memory while a list is matched, as plain lists and dictionaries: a hundred thousand accounts take some 60 MB.
"""

import unicodedata
from collections.abc import Iterator
from datetime import datetime

from membership.models import Account, Group, Participant, Presence
from membership.plans.drafting import drafter
from membership.services.rosters.columns import Columns
from membership.vocab import PresenceCause

ROWS_AT_ONCE = 5000

Index = dict[str, int | list[int]]
"""By a text: the number of the one candidate, or of several."""


class Candidates:
    """Candidates by number. `account` and `place` are their rows' keys; one of the two may be missing."""

    def __init__(self, group: Group, columns: Columns) -> None:
        self.account: list[int | None] = []
        self.place: list[int | None] = []
        self.by_id: dict[str, int] = {}
        self.by_email: Index = {}
        self.by_name: Index = {}
        self.left_at = _left_outside(group)
        self.unmatched: list[tuple[int, str]] = []
        """Places of which it is not known whose they are: `(participant, its label)`."""
        self._email, self._name = "email" in columns, "name" in columns or "surname" in columns
        self._of_place: dict[int, int] = {}
        self._load(group)

    def __len__(self) -> int:
        return len(self.account)

    def named(self, name: str) -> list[int]:
        return _all_of(self.by_name.get(folded(name)))

    def with_email(self, email: str) -> list[int]:
        return _all_of(self.by_email.get(email))

    def of_place(self, participant_id: int) -> int | None:
        return self._of_place.get(participant_id)

    def left(self, number: int) -> datetime | None:
        """When they left the group outside Musterbook; None where they did not, or are there."""
        account = self.account[number]
        return self.left_at.get(account) if account is not None and self.place[number] is None else None

    def _load(self, group: Group) -> None:
        rows_name_accounts = drafter(group.connection).capabilities.rows_name_accounts
        present = Participant.objects.filter(group=group, is_present=True).order_by()
        by_account: dict[int, int] = {}
        by_remote_id: dict[str, tuple[int, str]] = {}
        places: Iterator[tuple[int, str, int | None, str]] = present.values_list(
            "pk", "remote_id", "account_id", "label"
        ).iterator(chunk_size=ROWS_AT_ONCE)
        for pk, remote_id, account_id, label in places:
            if account_id is not None:
                by_account[account_id] = pk
            else:
                by_remote_id[remote_id if rows_name_accounts else f"row {pk}"] = (pk, label)
        accounts = Account.objects.filter(connection=group.connection, is_present=True).order_by("pk")
        for pk, remote_id, email, label in accounts.values_list("pk", "remote_id", "email", "label").iterator(
            chunk_size=ROWS_AT_ONCE
        ):
            place = by_account.pop(pk, None)
            if place is None and rows_name_accounts and remote_id in by_remote_id:
                place = by_remote_id.pop(remote_id)[0]
            self._add(pk, place, remote_id, email, label)
        # Accounts that are gone while their place is still there, and places of which no account is known.
        for account_id, place in by_account.items():
            row = Account.objects.values_list("remote_id", "email", "label").get(pk=account_id)
            self._add(account_id, place, *row)
        for remote_id, (place, label) in by_remote_id.items():
            self.unmatched.append((place, label))
            self._add(None, place, remote_id if rows_name_accounts else None, None, label)

    def _add(
        self, account: int | None, place: int | None, remote_id: str | None, email: str | None, label: str
    ) -> None:
        number = len(self.account)
        self.account.append(account)
        self.place.append(place)
        if place is not None:
            self._of_place[place] = number
        if remote_id is not None:
            self.by_id[remote_id] = number
        if self._email and email:
            _put(self.by_email, email.strip().casefold(), number)
        if self._name and label:
            _put(self.by_name, folded(label), number)


def folded(name: str) -> str:
    """A name as two people write it alike: one case, one form of each letter, single blanks."""
    return " ".join(unicodedata.normalize("NFC", name.casefold()).split())


def _put(index: Index, key: str, number: int) -> None:
    known = index.get(key)
    if known is None:
        index[key] = number
    elif isinstance(known, list):
        known.append(number)
    else:
        index[key] = [known, number]


def _all_of(found: int | list[int] | None) -> list[int]:
    if found is None:
        return []
    return found if isinstance(found, list) else [found]


def _left_outside(group: Group) -> dict[int, datetime]:
    """`{account: when}` of those whose last time in the group was not ended by a change made here."""
    rows = Presence.objects.filter(participant__group=group, participant__account__isnull=False).exclude(until=None)
    last: dict[int, tuple[datetime, str]] = {}
    for account_id, until, ended_by in (
        rows.order_by("until", "pk")
        .values_list("participant__account_id", "until", "ended_by")
        .iterator(chunk_size=ROWS_AT_ONCE)
    ):
        if account_id is not None and until is not None:
            last[account_id] = (until, ended_by)
    return {account: until for account, (until, ended_by) in last.items() if ended_by == PresenceCause.READING}
