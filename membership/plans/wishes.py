"""Places that somebody wants ended, as the mirror has them: light rows, because a plan may hold ten thousand."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet

from membership.models import Participant
from membership.providers.base import GroupRef, ParticipantRef, Provider

IDS_PER_QUERY = 500

_COLUMNS = (
    "pk",
    "remote_id",
    "label",
    "is_member",
    "is_manager",
    "is_present",
    "group_id",
    "group__remote_id",
    "group__remote_number",
    "group__name",
    "group__is_present",
    "group__is_protected",
    "group__managed_elsewhere",
    "group__read_at",
    "group__connection_id",
    "group__connection__name",
    "account_id",
    "account__remote_id",
    "account__is_own",
    "account__person_id",
    "account__person__is_protected",
)


@dataclass(frozen=True, slots=True)
class Wish:
    """One participant, and what guards and calls have to know about it."""

    participant_id: int
    remote_id: str
    label: str
    is_member: bool
    is_manager: bool
    is_present: bool
    group_id: int
    group_remote_id: str
    group_remote_number: int | None
    group_name: str
    group_is_present: bool
    group_is_protected: bool
    group_managed_elsewhere: bool
    group_read_at: datetime | None
    connection_id: int
    connection_name: str
    account_id: int | None
    account_remote_id: str | None
    account_is_own: bool | None
    person_id: int | None
    person_is_protected: bool | None

    @property
    def who(self) -> tuple[str, int]:
        """By what people are counted: the person, else the account, else the row."""
        if self.person_id is not None:
            return ("person", self.person_id)
        return ("account", self.account_id) if self.account_id is not None else ("row", self.participant_id)

    @property
    def order(self) -> tuple[str, int, str, int, str, int]:
        """By connection, group and label. In Python, because databases sort letters differently."""
        return (
            self.connection_name.casefold(),
            self.connection_id,
            self.group_name.casefold(),
            self.group_id,
            self.label.casefold(),
            self.participant_id,
        )

    def ref(self, provider: Provider) -> ParticipantRef:
        return ParticipantRef(
            group=GroupRef(self.group_remote_id, self.group_remote_number),
            remote_id=self.remote_id,
            account_id=self.account_ref(provider),
            is_member=self.is_member,
            is_manager=self.is_manager,
        )

    def account_ref(self, provider: Provider) -> str | None:
        """The account's id there: the linked account's, else what the row itself says."""
        if self.account_remote_id is not None:
            return self.account_remote_id
        return self.remote_id if provider.capabilities.rows_name_accounts else None

    def subject(self, provider: Provider) -> str:
        """`account:<remote id>`, else `row:<remote id>`."""
        account = self.account_ref(provider)
        return f"row:{self.remote_id}" if account is None else f"account:{account}"

    def before(self) -> dict[str, object]:
        """The precondition: what the mirror says now."""
        return {
            "is_present": self.is_present,
            "is_member": self.is_member,
            "is_manager": self.is_manager,
            "row": self.remote_id,
        }


Providers = Mapping[int, Provider]
"""`{connection id: its provider}`."""


def load(participants: QuerySet[Participant]) -> list[Wish]:
    """The wishes in the order of a plan."""
    # distinct and ordered selections give their ids all the same; the rows come by id, which every database plans well.
    return sorted(load_ids(participants.values_list("pk", flat=True)), key=lambda wish: wish.order)


def load_ids(ids: Iterable[int]) -> list[Wish]:
    """The wishes of these participants, in no order."""
    found: list[Wish] = []
    for chunk in chunks(list(ids)):
        rows = Participant.objects.filter(pk__in=chunk).order_by().values_list(*_COLUMNS)
        found += [Wish(*row) for row in rows]
    return found


def chunks(ids: list[int], size: int = IDS_PER_QUERY) -> Iterator[list[int]]:
    """`ids` in pieces that one query can name."""
    for start in range(0, len(ids), size):
        yield ids[start : start + size]
