"""The list of one group's participants."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db.models import F, Value
from django.db.models.functions import Greatest

from membership.mirror import facts, presence, shield
from membership.mirror.accounts import AccountIndex
from membership.mirror.facts import Columns
from membership.mirror.listing import Known, Listing, Pending, Problem, Tally, tally_of
from membership.models import Drift, Group, Participant, bulk
from membership.models.statements import Statement, as_flag
from membership.providers.base import RemoteParticipant
from membership.vocab import DriftKind, PresenceCause

COLUMNS = (*facts.PARTICIPANT_COLUMNS, "content_hash")
_KNOWN = Statement(
    """
    SELECT id, remote_id, content_hash, is_present, account_id FROM membership_participant WHERE group_id = %s
    """
)
_RIGHTS = Statement(
    "SELECT id, label, {rights} FROM membership_participant WHERE id AMONG %s", rights=", ".join(facts.RIGHTS)
)
_CONCLUDE = Statement(
    """
    UPDATE membership_group SET tried_at = %s, read_at = COALESCE(%s, read_at), incomplete_reason = %s,
        incomplete_params = %s, participants_count = (
            SELECT COUNT(*) FROM membership_participant p WHERE p.group_id = membership_group.id AND p.is_present)
    WHERE id = %s
    """
)


class ParticipantListing(Listing[RemoteParticipant]):
    def __init__(
        self, group: Group, *, began_at: datetime, accounts: AccountIndex, reading_id: int | None = None
    ) -> None:
        known = map(Known._make, _KNOWN.rows(group.pk))
        super().__init__(known, began_at=began_at, first=group.read_at is None)
        self.group = group
        self._accounts = accounts
        self._reading_id = reading_id

    def take(self, remotes: Iterable[RemoteParticipant]) -> None:
        rows = list(remotes)
        self._accounts.load(row.account_id for row in rows)
        super().take(rows)

    def _columns(self, remote: RemoteParticipant) -> Columns:
        account = self._accounts.get(remote.account_id)
        return facts.of_participant(remote, label=account.label if account else "")

    def _account_id(self, remote: RemoteParticipant) -> int | None:
        account = self._accounts.get(remote.account_id)
        return account.pk if account else None

    # what was there

    def write(self, chunk: Sequence[Pending[RemoteParticipant]]) -> Tally:
        guard = shield.load(self.group, began_at=self.began_at)
        free = [
            item
            for item in chunk
            if not guard.covers(
                item.known.pk if item.known else None,
                item.remote.remote_id,
                item.remote.account_id,
                is_new=item.is_new,
            )
        ]
        before = {} if self.first else _rights_of([item.known.pk for item in free if item.known and not item.is_new])
        # Where rows do not say whose they are, the link that a sweep found stays.
        ids = self._upsert([item for item in free if item.account_id is not None], kept=())
        ids |= self._upsert([item for item in free if item.account_id is None], kept=("account_id",))
        ours = self._added(free)
        known = [item for item in free if not self._may_be_ours(item, ours)]
        self._begin([item for item in free if item.is_new], ids, ours)
        if not self.first:
            self._note_drift(known, ids, before)
        tally = tally_of(free)
        change_count(self.group.pk, tally.added)
        return tally

    def _upsert(self, items: Sequence[Pending[RemoteParticipant]], *, kept: Sequence[str]) -> dict[str, int]:
        """Insert or update them; `{row's remote id: participant id}`."""
        seen_at = bulk.stored_time(Participant, self.began_at)
        stored = {name: bulk.stored(Participant, name) for name in COLUMNS}
        rows = [
            (
                self.group.pk,
                item.remote.remote_id,
                item.account_id,
                True,
                seen_at,
                *(put(item.columns[name]) for name, put in stored.items()),
            )
            for item in items
        ]
        written = bulk.upsert_returning(
            Participant,
            ("group_id", "remote_id", "account_id", "is_present", "seen_at", *COLUMNS),
            rows,
            unique=("group_id", "remote_id"),
            kept=kept,
            returning=("remote_id", "id"),
        )
        return {str(remote_id): int(pk) for remote_id, pk in written}

    def _added(self, items: Sequence[Pending[RemoteParticipant]]) -> Mapping[int | None, int]:
        """`{account id: operation id}` of additions of ours that the new ones among these may come from."""
        if self.group.read_at is None or not any(item.is_new for item in items):
            return {}
        return shield.added(self.group.pk, since=self.group.read_at)

    @staticmethod
    def _may_be_ours(item: Pending[RemoteParticipant], ours: Mapping[int | None, int]) -> bool:
        """Whom we added, and of a row that does not say whose it is: who may be them."""
        return item.is_new and bool(ours) and (item.account_id is None or item.account_id in ours)

    def _begin(
        self, items: Sequence[Pending[RemoteParticipant]], ids: Mapping[str, int], ours: Mapping[int | None, int]
    ) -> None:
        returning = [item.known.pk for item in items if item.known]
        by_us = {ids[item.remote.remote_id]: ours[item.account_id] for item in items if item.account_id in ours}
        if by_us:
            presence.begin_by_operations(by_us, returning=returning, since=self.began_at)
        presence.begin(
            [pk for item in items if (pk := ids[item.remote.remote_id]) not in by_us],
            returning=returning,
            since=self.began_at,
            cause=PresenceCause.UNKNOWN if self.first else PresenceCause.READING,
        )

    def _note_drift(
        self,
        items: Sequence[Pending[RemoteParticipant]],
        ids: Mapping[str, int],
        before: dict[int, dict[str, Any]],
    ) -> None:
        found = []
        for item in items:
            pk, label = ids[item.remote.remote_id], item.columns["label"]
            now = {name: item.columns[name] for name in facts.RIGHTS}
            if item.is_new:
                found.append(self._drift(DriftKind.JOINED, pk, label, after=now))
            elif before[pk]["rights"] != now:
                old = before[pk]["rights"]
                differing = [name for name in facts.RIGHTS if old[name] != now[name]]
                found.append(
                    self._drift(
                        DriftKind.ALTERED,
                        pk,
                        label,
                        before={name: old[name] for name in differing},
                        after={name: now[name] for name in differing},
                    )
                )
        altered = [drift["participant_id"] for drift in found if drift["kind"] == DriftKind.ALTERED]
        ours = self._explained(altered)
        self._keep_drift([drift for drift in found if drift["participant_id"] not in ours])

    # what was not there any more

    def _counted(self) -> Mapping[str, Known]:
        """Rows that an operation of ours is changing say nothing about how whole the list is."""
        guard = shield.load(self.group, began_at=self.began_at)
        return {key: row for key, row in self.known.items() if not guard.covers(row.pk, row.remote_id)}

    def remove(self, chunk: Sequence[Known]) -> Tally:
        """They are gone: a complete reading did not see them. Inside the caller's transaction."""
        guard = shield.load(self.group, began_at=self.began_at)
        gone = [row.pk for row in chunk if not guard.covers(row.pk, row.remote_id)]
        ours = self._explained(gone)
        if not self.first:
            before = _rights_of([pk for pk in gone if pk not in ours])
            self._keep_drift(
                [
                    self._drift(DriftKind.LEFT, pk, known["label"], before=known["rights"])
                    for pk, known in before.items()
                ]
            )
        return Tally(removed=take_away(self.group.pk, gone, ours, at=self.began_at))

    def _explained(self, participant_ids: Sequence[int]) -> dict[int, int]:
        if not participant_ids or self.group.read_at is None:
            return {}
        return shield.explained(participant_ids, since=self.group.read_at)

    def _drift(
        self, kind: DriftKind, participant_id: int, label: str, before: Any = None, after: Any = None
    ) -> dict[str, Any]:
        return {
            "participant_id": participant_id,
            "kind": kind.value,
            "label": label,
            "before": json.dumps(before or {}),
            "after": json.dumps(after or {}),
        }

    def _keep_drift(self, found: Sequence[dict[str, Any]]) -> None:
        shared = {
            "connection_id": self.group.connection_id,
            "group_id": self.group.pk,
            "noticed_at": bulk.stored_time(Drift, self.began_at),
            "reading_id": self._reading_id,
        }
        bulk.insert(Drift, [{**shared, **drift} for drift in found])


def conclude(group: Group, problem: Problem | None, *, began_at: datetime) -> None:
    """Note on the group how its reading ended. Inside the caller's transaction, after the last chunk."""
    at = bulk.stored_time(Group, began_at)
    why, params = (problem[0].value, problem[1]) if problem else ("", {})
    _CONCLUDE.run(at, at if problem is None else None, why, json.dumps(params), group.pk)


def take_away(group_id: int, gone: Sequence[int], ours: Mapping[int, int], *, at: datetime) -> int:
    """Mark participants of one group as gone. `ours`: `{participant id: operation id}` of those that an operation
    explains. Returns how many were there.
    """
    if not gone:
        return 0
    taken = Participant.objects.filter(pk__in=gone, is_present=True).update(is_present=False, seen_at=at)
    presence.end([pk for pk in gone if pk not in ours], until=at, cause=PresenceCause.READING)
    presence.end_by_operations({pk: ours[pk] for pk in gone if pk in ours}, until=at)
    change_count(group_id, -taken)
    return taken


def change_count(group_id: int, number: int) -> None:
    """So many more participants, or fewer. Between two readings the count is true to each chunk."""
    if number:
        count = Greatest(F("participants_count") + number, Value(0))
        Group.objects.filter(pk=group_id).update(participants_count=count)


def _rights_of(participant_ids: list[int]) -> dict[int, dict[str, Any]]:
    if not participant_ids:
        return {}
    return {
        pk: {"label": label, "rights": {name: as_flag(value) for name, value in zip(facts.RIGHTS, rights, strict=True)}}
        for pk, label, *rights in _RIGHTS.rows(participant_ids)
    }
