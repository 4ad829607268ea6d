"""What the engine learned about single rows: a removal that was confirmed, a row that was read back, whose a row is.

All of it inside the caller's transaction, in few and grouped statements.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import F

from membership.mirror import facts, presence
from membership.mirror.accounts import AccountIndex
from membership.models import Account, Connection, Group, Participant, bulk
from membership.models.statements import Statement
from membership.providers.base import RemoteParticipant
from membership.vocab import PresenceCause

IDS_PER_QUERY = 500
_REMOVE = Statement(
    """
    UPDATE membership_participant SET is_present = FALSE, seen_at = %s WHERE id AMONG %s AND is_present
    RETURNING id, group_id
    """
)
_LOWER_COUNTS = Statement(
    """
    UPDATE membership_group SET participants_count =
        CASE WHEN participants_count > given.column2 THEN participants_count - given.column2 ELSE 0 END
    FROM PAIRS AS given WHERE membership_group.id = given.column1
    """
)


def remove_confirmed(pairs: Sequence[tuple[int, int]], *, at: datetime) -> None:
    """A remote confirmed removals: `(participant id, operation id)` each.

    The rows are gone, their presence ended by that operation, their groups' counts are lower. Rows that were gone
    already stay as they are.
    """
    operations = dict(pairs)
    if not operations:
        return
    gone = _REMOVE.rows(bulk.stored_time(Participant, at), list(operations))
    presence.end_by_operations({pk: operations[pk] for pk, _group in gone}, until=at)
    _LOWER_COUNTS.over(Counter(group_id for _pk, group_id in gone))


def put_found(
    participant_id: int, row: RemoteParticipant | None, *, at: datetime, operation_id: int | None = None
) -> None:
    """A row was read back: keep what the remote says now; None: it is not there.

    `operation_id`: the operation to which its end is owed; without one, it ended outside.
    """
    participant = Participant.objects.select_related("group__connection").get(pk=participant_id)
    if row is None:
        _put_absent(participant, at=at, operation_id=operation_id)
        return
    index = AccountIndex(participant.group.connection)
    index.load([row.account_id])
    account = index.get(row.account_id)
    columns = facts.of_participant(row, label=account.label if account else "")
    columns["content_hash"] = facts.content_hash(columns)
    if account is not None:
        columns["account_id"] = account.pk
    Participant.objects.filter(pk=participant_id).update(is_present=True, seen_at=at, **columns)
    if not participant.is_present:
        presence.begin([participant_id], returning=[participant_id], since=at, cause=PresenceCause.READING)
        Group.objects.filter(pk=participant.group_id).update(participants_count=F("participants_count") + 1)


def _put_absent(participant: Participant, *, at: datetime, operation_id: int | None) -> None:
    if not participant.is_present:
        return
    if operation_id is not None:
        remove_confirmed([(participant.pk, operation_id)], at=at)
        return
    Participant.objects.filter(pk=participant.pk).update(is_present=False, seen_at=at)
    presence.end([participant.pk], until=at, cause=PresenceCause.READING)
    _LOWER_COUNTS.over({participant.group_id: 1})


@dataclass(frozen=True, slots=True)
class Links:
    """How linking rows to accounts went. `unknown`: rows that the mirror does not hold as present. `taken`: rows that
    are linked to somebody else, which were left so."""

    linked: int
    unknown: frozenset[str]
    taken: frozenset[str]


def link_rows(connection: Connection, owners: Mapping[str, str]) -> Links:
    """Link present rows to accounts: `{participant remote id: account remote id}`. Rows without one are left out."""
    accounts = _account_ids(connection, set(owners.values()))
    by_account: dict[int, list[int]] = defaultdict(list)
    seen: set[str] = set()
    taken: set[str] = set()
    for pk, remote_id, account_id in _rows(connection, list(owners)):
        seen.add(remote_id)
        wanted = accounts.get(owners[remote_id])
        if wanted is None or account_id == wanted:
            continue
        if account_id is not None:
            taken.add(remote_id)
        else:
            by_account[wanted].append(pk)
    for account_id, pks in by_account.items():
        Participant.objects.filter(pk__in=pks, account=None).update(account_id=account_id)
    linked = sum(map(len, by_account.values()))
    return Links(linked, frozenset(owners.keys() - seen), frozenset(taken))


def _account_ids(connection: Connection, remote_ids: Iterable[str]) -> dict[str, int]:
    rows = Account.objects.filter(connection=connection, remote_id__in=list(remote_ids))
    return dict(rows.values_list("remote_id", "pk"))


def _rows(connection: Connection, remote_ids: Sequence[str]) -> list[tuple[int, str, int | None]]:
    rows: list[tuple[int, str, int | None]] = []
    for start in range(0, len(remote_ids), IDS_PER_QUERY):
        part = remote_ids[start : start + IDS_PER_QUERY]
        of_connection = Participant.objects.filter(group__connection=connection, remote_id__in=part, is_present=True)
        rows += of_connection.order_by().values_list("pk", "remote_id", "account_id")
    return rows
