"""What inwendo tells about rooms, people and participants, each list read to its proven end."""

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from itertools import chain, islice

from membership.errors import Reason
from membership.providers import answers, values
from membership.providers.base import (
    AccountRef,
    Ambiguous,
    GroupRef,
    Json,
    ParticipantRef,
    Reader,
    RemoteAccount,
    RemoteCall,
    RemoteGroup,
    RemoteParticipant,
    RemotePlace,
)
from membership.providers.client import Open
from membership.providers.errors import Incomplete, NotFound, OutcomeUnknown, ProviderError, Refused
from membership.providers.inwendo import parse
from membership.providers.paging import Seen

ROOM = ("api", "chat", "chatroom")
PARTICIPANT = ("api", "chat", "chatroom_participant")
PEOPLE = ("api", "crm", "crmpeople")
USERS = ("api", "users")

PAGE_SIZE = 200  # the documented maximum
DEFAULT_PAGE_SIZE = 50  # the documented default: what a server that ignores `pageSize` would give

USER_PAGES = 3

NONE_SUCH = "2147483647"
"""The id of no room and of no person: a filter by it finds nothing, if the host filters at all."""

# What a page past the end answers is not documented: an empty list, or one of these.
PAST_THE_END = frozenset({400, 404, 416})

Query = tuple[tuple[str, str], ...]
"""Send a reading; give its answer when it is a 200, else raise the `ProviderError` that says why not."""


class InwendoReadings:
    """`client_ids`: the query that says which client asks, for the operations documented to take it."""

    def __init__(self, open_reading: Open, *, client_ids: Query, rooms: Sequence[str], from_list: bool) -> None:
        self._open = open_reading
        self._client_ids = client_ids
        self._rooms = tuple(rooms)
        self._from_list = from_list
        self._proven: set[str] = set()

    # rooms

    def groups(self) -> Iterator[RemoteGroup]:
        """The list of rooms, which no page documents, and those of option `rooms` that it does not name.

        Where the list is not offered, only the latter. A tracked room that is gone is left out.
        """
        listed = self._pages(ROOM)
        try:
            first = next(listed, [])
        except (Refused, Incomplete) as error:
            if not self._is_list_missing(error):
                raise
            if not self._rooms:
                raise Incomplete(Reason.GROUPS_NOT_LISTED) from error
            yield from self._tracked_rooms(frozenset())
            return
        seen: set[str] = set()
        for page in chain([first], listed):
            for room in map(parse.room, page):
                seen.add(room.remote_id)
                yield room
        yield from self._tracked_rooms(seen)

    def _is_list_missing(self, error: ProviderError) -> bool:
        """Whether the error only means that the undocumented list is not there, or not for us."""
        missing = isinstance(error, NotFound) or error.params.get("status") == 405
        return missing or (error.reason is Reason.WEAK_TOKEN and bool(self._rooms))

    def _tracked_rooms(self, seen: Set[str]) -> Iterator[RemoteGroup]:
        for room_id in self._rooms:
            if room_id in seen:
                continue
            try:
                yield self.get_group(GroupRef(room_id))
            except NotFound:
                continue

    def get_group(self, group: GroupRef) -> RemoteGroup:
        """Source: vendor's reference page GET /api/chat/chatroom/{identifier}."""
        with self._open_room(group) as reader:
            found = parse.room(answers.whole(reader))
        if found.remote_id != group.remote_id:
            raise OutcomeUnknown(Reason.ANSWER_UNEXPECTED, status=200)
        return found

    @contextmanager
    def _open_room(self, group: GroupRef) -> Iterator[Reader]:
        try:
            with self._open(RemoteCall("GET", (*ROOM, group.remote_id), query=self._client_ids)) as reader:
                yield reader
        except NotFound as error:
            raise NotFound(Reason.GROUP_NOT_FOUND, **error.params) from error

    def row_now(self, group: GroupRef, row_id: str) -> tuple[Mapping[str, Json], Mapping[str, Json]]:
        """(the room, one living row of it), as they are said. Raises `NotFound` when the row is gone.

        From the room, where rows have all fields, whatever option `participants_from` says; the list has fewer.
        """
        with self._open_room(group) as reader:
            room = values.row(answers.whole(reader))
        if parse.row_id(room) != group.remote_id:
            raise OutcomeUnknown(Reason.ANSWER_UNEXPECTED, status=200)
        embedded = room.get("participants")
        rows = embedded if isinstance(embedded, list) else []
        found = next((row for row in rows if parse.row_id(row) == row_id), None)
        if found is None and self._from_list:
            found = next((row for row in self._listed(group) if parse.row_id(row) == row_id), None)
        if found is None or parse.is_deleted(found):
            raise NotFound(Reason.NOT_FOUND)
        return room, values.row(found)

    # participants

    def participants(self, group: GroupRef) -> Iterator[RemoteParticipant]:
        """Everybody in the room; rows that are marked deleted are nobody."""
        rows = self._listed(group) if self._from_list else self._embedded(group)
        return (parse.participant(row) for row in rows if not parse.is_deleted(row))

    def _embedded(self, group: GroupRef) -> Iterator[Json]:
        """The rows inside the room: they have all fields, and come unpaged."""
        with self._open_room(group) as reader:
            seen = Seen()
            for row in reader.items("participants.item"):
                seen.row(parse.row_id(row))
                yield row

    def _listed(self, group: GroupRef) -> Iterator[Json]:
        """Source: vendor's reference page GET /api/chat/chatroom_participant, filter `chatroom`."""
        found_any = False
        wanted = (("chatroom", group.remote_id),)
        for page in self._pages(PARTICIPANT, wanted, client_ids=True):
            if page and not found_any:
                found_any = True
                self._require_filtered(wanted)
            yield from page
        if not found_any:
            # A filter by a room that is gone answers an empty list, too: ask for the room itself.
            self.get_group(group)

    def find(self, group: GroupRef, subjects: Sequence[ParticipantRef]) -> dict[str, RemoteParticipant | None]:
        now_there = {row.remote_id: row for row in self.participants(group)}
        return {subject.remote_id: now_there.get(subject.remote_id) for subject in subjects}

    def find_added(
        self, group: GroupRef, account: AccountRef, known_before: Iterable[str]
    ) -> RemoteParticipant | Ambiguous | None:
        known = frozenset(known_before)
        wanted = (("chatroom", group.remote_id), ("person", account.remote_id))
        rows = [row for page in self._pages(PARTICIPANT, wanted, client_ids=True) for row in page]
        if rows:
            self._require_filtered(wanted)
        else:
            self.get_group(group)  # as above
        living = [parse.participant(row, account_id=account.remote_id) for row in rows if not parse.is_deleted(row)]
        new = [row for row in living if row.remote_id not in known]
        if len(new) > 1:
            return Ambiguous(tuple(row.remote_id for row in new))
        return new[0] if new else None

    def _require_filtered(self, query: Query) -> None:
        """Rows came for `query`: they are what was asked for only if none come when one of its values is no one's.

        A host that ignores a filter would show somebody else's row for the one that was looked for. Asked once for each
        filter. Raises `Refused(FILTER_IGNORED)`.
        """
        for name in [name for name, _value in query if name not in self._proven]:
            changed = tuple((key, NONE_SUCH if key == name else value) for key, value in query)
            try:
                rows = self._page(PARTICIPANT, (*changed, *self._client_ids), number=0, size=1)
            except Refused:
                rows = []  # it looks at the value
            if rows:
                raise Refused(Reason.FILTER_IGNORED, key=name)
            self._proven.add(name)

    # accounts

    def accounts(self) -> Iterator[RemoteAccount]:
        """Source: vendor's reference page GET /api/crm/crmpeople; e-mails of users by `crm_person` (GET /api/users)."""
        emails = self._emails()
        for page in self._pages(PEOPLE):
            for row in page:
                yield parse.person(row, emails)

    def _emails(self) -> dict[str, str]:
        """E-mails by person. A token that may not read users still reads people: then contact data must do."""
        emails: dict[str, str] = {}
        try:
            for page in self._pages(USERS):
                for person_id, email in filter(None, map(parse.user_email, page)):
                    emails.setdefault(person_id, email)
        except (Refused, Incomplete, OutcomeUnknown):
            return emails
        return emails

    def person_of(self, username: str) -> str | None:
        """The person behind a log-in name, looked for among the first users: what a search looks at is unknown."""
        for page in islice(self._pages(USERS), USER_PAGES):
            for person_id in filter(None, (parse.user_person(row, username) for row in page)):
                return person_id
        return None

    def places(self, account: AccountRef) -> Iterator[RemotePlace]:
        """Source: vendor's reference page GET /api/chat/chatroom_participant, filter `person`. Rows name no room."""
        for page in self._pages(PARTICIPANT, (("person", account.remote_id),), client_ids=True):
            for row in page:
                if not parse.is_deleted(row):
                    room_id = values.inner(row, "chatroom").get("id")
                    yield RemotePlace(parse.row_id(row), None if room_id is None else values.remote_id(room_id))

    # pages

    def first_page(self, path: tuple[str, ...], query: Query = (), *, size: int = 1) -> list[Json]:
        return self._page(path, query, number=0, size=size)

    def _pages(self, path: tuple[str, ...], query: Query = (), *, client_ids: bool = False) -> Iterator[list[Json]]:
        """All pages of a list, each asked for with an explicit order.

        No total is told. A page that is not full ends the list only if nothing follows it: a server that caps pages
        below what was asked would else look complete.
        """
        asked = query + self._client_ids if client_ids else query
        seen = Seen()
        number = 0
        ids: list[str] = []
        while True:
            try:
                page = self._page(path, asked, number=number, size=PAGE_SIZE)
            except Refused as error:
                if number == 0 or error.params.get("status") not in PAST_THE_END:
                    raise
                self._require_last(path, asked, ids[-1], rows=len(seen))
                return
            ids = [parse.row_id(row) for row in page]
            seen.page(ids)
            yield page
            if not page or (number == 0 and len(page) < DEFAULT_PAGE_SIZE):
                return
            if len(page) < PAGE_SIZE:
                self._require_end(path, asked, seen, number + 1)
                return
            number += 1

    def _require_end(self, path: tuple[str, ...], query: Query, seen: Seen, number: int) -> None:
        try:
            page = self._page(path, query, number=number, size=PAGE_SIZE)
        except Refused as error:
            if error.params.get("status") in PAST_THE_END:
                return
            raise
        seen.page(map(parse.row_id, page))
        if page:
            raise Incomplete(Reason.PAGE_SHORT, page=number)

    def _require_last(self, path: tuple[str, ...], query: Query, row_id: str, *, rows: int) -> None:
        """An error after a full page means the end only if that page's last row is the last one to be had."""
        if [parse.row_id(row) for row in self._page(path, query, number=rows - 1, size=1)] != [row_id]:
            raise Incomplete(Reason.PAGE_SHORT, rows=rows)
        try:
            beyond = self._page(path, query, number=rows, size=1)
        except Refused:
            return
        if beyond:
            raise Incomplete(Reason.PAGE_SHORT, rows=rows)

    def _page(self, path: tuple[str, ...], query: Query, *, number: int, size: int) -> list[Json]:
        order = (("orderFieldName", "id"), ("orderFieldSort", "ASC"))
        paging = (("page", str(number)), ("pageSize", str(size)))
        with self._open(RemoteCall("GET", path, query=(*query, *order, *paging))) as reader:
            return list(reader.items("item"))
