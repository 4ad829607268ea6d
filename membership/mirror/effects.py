"""What a remote confirmed of additions, alterations and groups. All of it inside the caller's transaction."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db.models import F

from membership.mirror import facts, presence
from membership.models import Account, Group, Participant
from membership.providers.base import RemoteGroup, RemoteParticipant
from membership.vocab import PresenceCause


def put_added(group_id: int, row: RemoteParticipant, *, account_id: int, at: datetime, operation_id: int) -> int:
    """A remote confirmed an addition: the row is there since `at`, by that operation. Returns the participant's id."""
    account = Account.objects.get(pk=account_id)
    columns = facts.of_participant(row, label=account.label)
    columns["content_hash"] = facts.content_hash(columns)
    known = Participant.objects.filter(group_id=group_id, remote_id=row.remote_id).first()
    participant, _made = Participant.objects.update_or_create(
        group_id=group_id,
        remote_id=row.remote_id,
        defaults={**columns, "account_id": account_id, "is_present": True, "seen_at": at},
    )
    if known is None or not known.is_present:
        _begin(participant, returning=known is not None, at=at, operation_id=operation_id)
    return participant.pk


def put_rights(participant_id: int, rights: Mapping[str, Any], *, at: datetime, operation_id: int) -> None:
    """A remote confirmed an alteration: the row has these rights now, and is there.

    A role that changes by removal and addition may have been read between the two.
    """
    participant = Participant.objects.get(pk=participant_id)
    for name in facts.RIGHTS:
        if name in rights:
            setattr(participant, name, rights[name])
    columns = {name: getattr(participant, name) for name in facts.PARTICIPANT_COLUMNS}
    participant.content_hash = facts.content_hash(columns)
    participant.seen_at = at
    was_present, participant.is_present = participant.is_present, True
    participant.save(update_fields=[*facts.RIGHTS, "content_hash", "seen_at", "is_present"])
    if not was_present:
        _begin(participant, returning=True, at=at, operation_id=operation_id)


def _begin(participant: Participant, *, returning: bool, at: datetime, operation_id: int) -> None:
    pks = [participant.pk]
    cause = PresenceCause.OPERATION
    presence.begin(pks, returning=pks if returning else (), since=at, cause=cause, operation_id=operation_id)
    Group.objects.filter(pk=participant.group_id).update(participants_count=F("participants_count") + 1)


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
