"""A remote that is told from lists in memory: for tests of what a reading makes of what it is told."""

from django.utils import timezone

from membership.errors import Reason
from membership.models import Connection, Group, Participant, Reading
from membership.operations import reading
from membership.providers.base import (
    Capabilities,
    Places,
    RemoteAccount,
    RemoteGroup,
    RemoteParticipant,
    RemotePlace,
)
from membership.providers.errors import NotFound
from membership.vocab import ReadingKind, ReadingState


class ListedRemote:
    """`people`: {account id: name}. `rooms`: {group id: {row id: account id or None}}.

    `errors`: {what is asked: error}, raised after `told_before_error` rows of it; what is asked is "accounts",
    "groups", a group's id, "get:<group id>" or "places:<account id>".
    """

    def __init__(self, *, names=True, places=Places.MIRROR, tells_gone=True):
        self.capabilities = Capabilities(places=places, rows_name_accounts=names, tells_gone=tells_gone)
        self.people = {}
        self.rooms = {}
        self.rights = {}  # {(group id, row id): {right: value}}
        self.unlisted = set()
        self.out_of_sight = set()
        self.errors = {}
        self.told_before_error = 10**9
        self.asked = []
        self.row_labels = True
        self.ignores_whose_places = False

    @property
    def requests(self):
        return len(self.asked)

    def _tell(self, what, rows):
        self.asked.append(what)
        error = self.errors.get(what)
        for number, row in enumerate(rows):
            if error is not None and number >= self.told_before_error:
                break
            yield row
        if error is not None:
            raise error

    def accounts(self):
        yield from self._tell("accounts", [RemoteAccount(key, name) for key, name in self.people.items()])

    def groups(self):
        listed = [self._group(key) for key in self.rooms if key not in self.unlisted | self.out_of_sight]
        yield from self._tell("groups", listed)

    def _group(self, key):
        return RemoteGroup(key, f"Room {key}")

    def get_group(self, group):
        self.asked.append(f"get:{group.remote_id}")
        if error := self.errors.get(f"get:{group.remote_id}"):
            raise error
        if group.remote_id not in self.rooms or group.remote_id in self.out_of_sight:
            raise NotFound(Reason.NOT_FOUND)
        return self._group(group.remote_id)

    def participants(self, group):
        key = group.remote_id
        if key not in self.rooms or key in self.out_of_sight:
            self.asked.append(key)
            raise NotFound(Reason.GROUP_NOT_FOUND)
        yield from self._tell(key, [self.row(key, *pair) for pair in self.rooms[key].items()])

    def row(self, key, row_id, account_id):
        named = account_id if self.capabilities.rows_name_accounts else None
        label = self.people.get(account_id, row_id) if self.row_labels else ""
        return RemoteParticipant(row_id, named, label, **self.rights.get((key, row_id), {}))

    def places(self, account):
        rows = [
            RemotePlace(row_id)
            for room in self.rooms.values()
            for row_id, whose in room.items()
            if whose == account.remote_id or self.ignores_whose_places
        ]
        yield from self._tell(f"places:{account.remote_id}", rows)


def connect(**fields):
    return Connection.objects.create(
        **{"provider": "kaiten", "name": "Club", "base_url": "https://club.example", "lane_token": 1, **fields}
    )


def wanted(connection, kind=ReadingKind.SYSTEM, **fields):
    return Reading.objects.create(connection=connection, kind=kind, **{"asked_at": timezone.now(), **fields})


def read(connection, remote, kind=ReadingKind.SYSTEM, **fields):
    """Run a reading to its end, and return it as stored."""
    row = wanted(connection, kind, **fields)
    finish(row, remote)
    row.refresh_from_db()
    return row


def finish(row, remote):
    for _ in reading.run(row, remote, lane_token=1, requests=lambda: remote.requests):
        pass


def mirrored(connection):
    """{group id: {row id: account id or None}} of what the mirror holds as present."""
    found = {group.remote_id: {} for group in Group.objects.filter(connection=connection, is_present=True)}
    rows = Participant.objects.filter(group__connection=connection, is_present=True).select_related("group", "account")
    for row in rows:
        found.setdefault(row.group.remote_id, {})[row.remote_id] = row.account.remote_id if row.account else None
    return found


def counts_are_true(connection):
    return all(
        group.participants_count == Participant.objects.filter(group=group, is_present=True).count()
        for group in Group.objects.filter(connection=connection)
    )


COMPLETE, INCOMPLETE, FAILED = ReadingState.COMPLETE, ReadingState.INCOMPLETE, ReadingState.FAILED
