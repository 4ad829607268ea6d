"""What a remote confirmed of additions, alterations and groups. All of it inside the caller's transaction."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import F

from membership.mirror import facts, presence
from membership.models import Account, Group, Participant, bulk
from membership.providers.base import RemoteGroup, RemoteParticipant


@dataclass(frozen=True, slots=True)
class Added:
    """One addition that a remote confirmed, and the row that it made."""

    group_id: int
    account_id: int
    operation_id: int
    row: RemoteParticipant


def put_added(added: Sequence[Added], *, at: datetime) -> dict[int, int]:
    """A remote confirmed additions: each row is there since `at`, by its operation.

    Returns `{operation id: participant id}`.
    """
    if not added:
        return {}
    labels = dict(Account.objects.filter(pk__in={one.account_id for one in added}).values_list("pk", "label"))
    known = _known(added)
    rows = {(one.group_id, one.row.remote_id): one for one in added}
    made = {
        (participant.group_id, participant.remote_id): participant.pk
        for participant in Participant.objects.bulk_create(
            [_row_of(one, labels.get(one.account_id, ""), at) for one in rows.values()],
            update_conflicts=True,
            unique_fields=["group", "remote_id"],
            update_fields=(*facts.PARTICIPANT_COLUMNS, "content_hash", "account", "is_present", "seen_at"),
        )
    }
    began = {made[key]: one.operation_id for key, one in rows.items() if not known.get(key, False)}
    returning = [made[key] for key in known if made[key] in began]
    _begin(began, {made[key]: key[0] for key in rows}, returning=returning, at=at)
    return {one.operation_id: made[(one.group_id, one.row.remote_id)] for one in added}


def _known(added: Sequence[Added]) -> dict[tuple[int, str], bool]:
    """`{(group, row): whether it is present}` of the rows that the mirror holds already."""
    rows = Participant.objects.filter(
        group_id__in={one.group_id for one in added}, remote_id__in={one.row.remote_id for one in added}
    )
    found = {(group, row): here for group, row, here in rows.values_list("group_id", "remote_id", "is_present")}
    wanted = {(one.group_id, one.row.remote_id) for one in added}
    return {key: here for key, here in found.items() if key in wanted}


def _row_of(one: Added, label: str, at: datetime) -> Participant:
    columns = facts.of_participant(one.row, label=label)
    return Participant(
        group_id=one.group_id,
        remote_id=one.row.remote_id,
        account_id=one.account_id,
        is_present=True,
        seen_at=at,
        content_hash=facts.content_hash(columns),
        **columns,
    )


@dataclass(frozen=True, slots=True)
class Altered:
    """One alteration that a remote confirmed: the rights that the row has now."""

    participant_id: int
    operation_id: int
    rights: Mapping[str, Any]


def put_rights(altered: Sequence[Altered], *, at: datetime) -> None:
    """A remote confirmed alterations: the rows have these rights now, and are there.

    A role that changes by removal and addition may have been read between the two.
    """
    if not altered:
        return
    rows = Participant.objects.in_bulk([one.participant_id for one in altered])
    began: dict[int, int] = {}
    for one in altered:
        participant = rows[one.participant_id]
        for name in facts.RIGHTS:
            if name in one.rights:
                setattr(participant, name, one.rights[name])
        if not participant.is_present:
            began[participant.pk] = one.operation_id
            participant.is_present = True
    seen_at = bulk.stored_time(Participant, at)
    bulk.update_rows(
        Participant,
        (*facts.RIGHTS, "content_hash", "is_present", "seen_at"),
        [(*(getattr(row, name) for name in facts.RIGHTS), _hash(row), True, seen_at, row.pk) for row in rows.values()],
    )
    _begin(began, {row.pk: row.group_id for row in rows.values()}, returning=list(began), at=at)


def _hash(participant: Participant) -> str:
    return facts.content_hash({name: getattr(participant, name) for name in facts.PARTICIPANT_COLUMNS})


def _begin(began: Mapping[int, int], group_of: Mapping[int, int], *, returning: Sequence[int], at: datetime) -> None:
    """Open a stretch for each `{participant id: operation id}`; their groups have so many more."""
    if not began:
        return
    presence.begin_by_operations(began, returning=returning, since=at)
    by_number: dict[int, list[int]] = defaultdict(list)
    for group_id, number in Counter(group_of[pk] for pk in began).items():
        by_number[number].append(group_id)
    for number, group_ids in by_number.items():
        Group.objects.filter(pk__in=group_ids).update(participants_count=F("participants_count") + number)


def group_renamed(group_id: int, name: str, *, at: datetime) -> None:
    """A remote confirmed a new name. What else its answer lacks stays as it is."""
    group = Group.objects.get(pk=group_id)
    group.name = name[: facts.LABEL_CHARS]
    columns = {column: getattr(group, column) for column in facts.GROUP_COLUMNS}
    group.content_hash, group.seen_at = facts.content_hash(columns), at
    group.save(update_fields=["name", "content_hash", "seen_at"])


def put_group(connection_id: int, remote: RemoteGroup, *, at: datetime) -> int:
    """A remote confirmed that a group was made. Returns its id."""
    columns = facts.of_group(remote)
    columns["content_hash"] = facts.content_hash(columns)
    group, _made = Group.objects.update_or_create(
        connection_id=connection_id,
        remote_id=remote.remote_id,
        defaults={**columns, "is_present": True, "seen_at": at},
    )
    return group.pk


def group_deleted(group_id: int, *, at: datetime, operation_id: int) -> None:
    """A remote confirmed that a group is deleted: nobody is in it any more."""
    present = list(Participant.objects.filter(group_id=group_id, is_present=True).values_list("pk", flat=True))
    Participant.objects.filter(pk__in=present).update(is_present=False, seen_at=at)
    presence.end_by_operation(present, until=at, operation_id=operation_id)
    Group.objects.filter(pk=group_id).update(is_present=False, participants_count=0, seen_at=at)
