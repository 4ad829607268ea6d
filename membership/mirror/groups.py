"""The list of a connection's groups, and what goes with a group that is gone."""

from collections.abc import Sequence
from datetime import datetime

from membership.errors import Reason
from membership.mirror import facts, shield
from membership.mirror.facts import Columns
from membership.mirror.listing import Known, Listing, Pending, Problem, Tally, tally_of
from membership.mirror.participants import take_away
from membership.models import Connection, Drift, Group, Participant
from membership.providers.base import RemoteGroup
from membership.vocab import DriftKind

UPDATED = (*facts.GROUP_COLUMNS, "content_hash", "is_present", "seen_at")


class GroupListing(Listing[RemoteGroup]):
    def __init__(self, connection: Connection, *, began_at: datetime, reading_id: int | None = None) -> None:
        rows = Group.objects.filter(connection=connection).order_by()
        known = rows.values_list("pk", "remote_id", "content_hash", "is_present")
        super().__init__((Known(*row) for row in known), began_at=began_at, first=connection.groups_read_at is None)
        self.connection = connection
        self._reading_id = reading_id

    def _columns(self, remote: RemoteGroup) -> Columns:
        return facts.of_group(remote)

    def write(self, chunk: Sequence[Pending[RemoteGroup]]) -> Tally:
        guard = shield.load_groups(self.connection.pk, began_at=self.began_at)
        chunk = [
            item
            for item in chunk
            if not guard.covers(item.known.pk if item.known else None, item.remote.name, is_new=item.is_new)
        ]
        rows = Group.objects.bulk_create(
            [
                Group(
                    connection=self.connection,
                    remote_id=item.remote.remote_id,
                    is_present=True,
                    seen_at=self.began_at,
                    **item.columns,
                )
                for item in chunk
            ],
            update_conflicts=True,
            unique_fields=["connection", "remote_id"],
            update_fields=UPDATED,
        )
        returned = [item.known.pk for item in chunk if item.known and item.is_new]
        # What was known of a group that was gone says nothing about the one that is there now.
        Group.objects.filter(pk__in=returned).update(read_at=None, participants_count=0)
        if not self.first:
            new = {item.remote.remote_id for item in chunk if item.is_new}
            Drift.objects.bulk_create(
                group_drift(row, DriftKind.GROUP_APPEARED, at=self.began_at, reading_id=self._reading_id)
                for row in rows
                if row.remote_id in new
            )
        return tally_of(chunk)


def group_drift(group: Group, kind: DriftKind, *, at: datetime, reading_id: int | None) -> Drift:
    return Drift(
        connection_id=group.connection_id,
        group_id=group.pk,
        kind=kind,
        label=group.name,
        noticed_at=at,
        reading_id=reading_id,
    )


def empty_gone(group: Group, *, began_at: datetime, limit: int) -> int:
    """End up to `limit` participants of a group that the remote says is gone. Call it until 0.

    Inside the caller's transaction. Rows with an operation on its way are left to that, as are those of a group that we
    are deleting.
    """
    if _is_ours(group, began_at):
        return 0
    guard = shield.load(group, began_at=began_at)
    rows = Participant.objects.filter(group=group, is_present=True).values_list("pk", "remote_id").order_by("pk")
    gone = [pk for pk, remote_id in rows if not guard.covers(pk, remote_id)][:limit]
    return take_away(group.pk, gone, {}, at=began_at)


def mark_gone(group: Group, *, began_at: datetime, reading_id: int | None, is_drift: bool) -> None:
    """The remote said that the group is not there. Inside the caller's transaction, after `empty_gone`."""
    if _is_ours(group, began_at):
        return
    Group.objects.filter(pk=group.pk).update(
        is_present=False,
        seen_at=began_at,
        tried_at=began_at,
        participants_count=Participant.objects.filter(group=group, is_present=True).count(),
        incomplete_reason="",
        incomplete_params={},
    )
    if is_drift:
        drift = group_drift(group, DriftKind.GROUP_VANISHED, at=began_at, reading_id=reading_id)
        Drift.objects.bulk_create([drift])


def _is_ours(group: Group, began_at: datetime) -> bool:
    """Whether an operation on the group itself knows more than this reading, or will."""
    return shield.load_groups(group.connection_id, began_at=began_at).covers(group.pk)


def note_problem(group: Group, problem: Problem, *, began_at: datetime) -> None:
    """A reading of the group ended before its participants could be read. Inside the caller's transaction."""
    reason, params = problem
    Group.objects.filter(pk=group.pk).update(
        tried_at=began_at, incomplete_reason=reason.value, incomplete_params=params
    )


def lost_sight(group: Group, *, began_at: datetime) -> None:
    """The group is no longer listed nor answered, which may only mean that we may not see it. Nothing is concluded."""
    note_problem(group, (Reason.GROUP_VANISHED, {}), began_at=began_at)
