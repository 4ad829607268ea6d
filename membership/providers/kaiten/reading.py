"""What Kaiten tells about groups, users and members, each list read to its proven end."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime

from membership.errors import Reason
from membership.providers.base import (
    AccountRef,
    GroupRef,
    Json,
    OutsideEvent,
    ParticipantRef,
    RemoteAccount,
    RemoteCall,
    RemoteGroup,
    RemoteParticipant,
)
from membership.providers.client import Open
from membership.providers.errors import Incomplete, NotFound, OutcomeUnknown
from membership.providers.kaiten import parse
from membership.providers.paging import Seen

PAGE_SIZE = 100  # the cap since October 2026

LOG_PAGE_SIZE = 500  # documented as the most that is given

ACTIVE, INACTIVE = "1", "2"  # filter `condition` of groups

Query = tuple[tuple[str, str], ...]
"""Send a reading; give its answer when it is a 200, else raise the `ProviderError` that says why not."""


class KaitenReadings:
    """`root`: the segments before every path. `headers`: those that the reference pages list for every call."""

    def __init__(self, open_reading: Open, *, root: tuple[str, ...], headers: Query) -> None:
        self._open = open_reading
        self._root = root
        self._headers = headers

    # groups

    def groups(self) -> Iterator[RemoteGroup]:
        """Active groups, then inactive ones: nothing but the filter tells which is which.

        Source: vendor's reference page GET /company/groups.
        """
        active: set[str] = set()
        for row in self._group_rows(ACTIVE):
            active.add(parse.group_id(row))
            yield parse.group(row)
        for row in self._group_rows(INACTIVE):
            if parse.group_id(row) not in active:
                yield parse.group(row, archived=True)

    def _group_rows(self, condition: str) -> Iterator[Json]:
        query = (("with_sync_group_attribute", "true"), ("condition", condition))
        return self._rows(("company", "groups"), query, row_id=parse.group_id)

    def get_group(self, group: GroupRef) -> RemoteGroup:
        """Asked for by uid, whether it is there; then looked up in the list, which alone tells who manages it.

        Source: vendor's reference page GET /company/groups/{uid}; it answers an object, or a list of one.
        """
        try:
            with self._open(self.call(("company", "groups", group.remote_id))) as reader:
                value = reader.json()
        except NotFound as error:
            raise NotFound(Reason.GROUP_NOT_FOUND, **error.params) from error
        if isinstance(value, list) and len(value) == 1:
            value = value[0]
        if parse.group_id(value) != group.remote_id:
            raise OutcomeUnknown(Reason.ANSWER_UNEXPECTED, status=200)
        for listed in self.groups():
            if listed.remote_id == group.remote_id:
                return listed
        raise Incomplete(Reason.GROUP_VANISHED)

    # members

    def participants(self, group: GroupRef) -> Iterator[RemoteParticipant]:
        """Members and managers, who need not be members: known only when both lists were read to their end."""
        try:
            members = {parse.user_id(row): row for row in self._member_rows(group, "users")}
            managers = {parse.user_id(row): row for row in self._member_rows(group, "admins")}
        except NotFound as error:
            raise NotFound(Reason.GROUP_NOT_FOUND, **error.params) from error
        for user_id, row in (managers | members).items():
            yield parse.participant(row, is_member=user_id in members, is_manager=user_id in managers)

    def _member_rows(self, group: GroupRef, which: str) -> Iterator[Json]:
        return self._rows(("groups", group.remote_id, which), row_id=parse.user_id, cap_is_known=True)

    def find(self, group: GroupRef, subjects: Sequence[ParticipantRef]) -> dict[str, RemoteParticipant | None]:
        now_there = {row.remote_id: row for row in self.participants(group)}
        return {subject.remote_id: now_there.get(subject.remote_id) for subject in subjects}

    def find_added(
        self,
        group: GroupRef,
        account: AccountRef,
        known_before: Iterable[str],  # there once or not at all, so it does not matter
    ) -> RemoteParticipant | None:
        return next((row for row in self.participants(group) if row.remote_id == account.remote_id), None)

    # users

    def accounts(self) -> Iterator[RemoteAccount]:
        """Source: vendor's reference page GET /company/users; its paging works only for the members section.

        GET /users is no way out for a weak token: it leaves out people without a word.
        """
        rows = self._rows(("company", "users"), (("for_members_section", "true"),), row_id=parse.user_id)
        return map(parse.account, rows)

    def own_id(self) -> str:
        with self._open(self.call(("users", "current"))) as reader:
            return parse.user_id(reader.json())

    # audit log

    def outside_events(self, since: float, until: float) -> Iterator[OutsideEvent]:
        """Lines about groups, newest first. The list grows at its head, so its end is fixed and each line comes once.

        Source: vendor's reference page GET /audit-logs.
        """
        query = (("from", iso(since)), ("to", iso(until)), ("categories", "group_management"))
        seen = Seen()
        offset = 0
        while True:
            page = self._page(("audit-logs",), query, offset=offset, limit=LOG_PAGE_SIZE)
            new = seen.page_of_moving_list(map(parse.event_id, page))
            for row in page:
                if parse.event_id(row) in new:
                    new.discard(parse.event_id(row))
                    event = parse.event(row)
                    if event is not None:
                        yield event
            # The cap is documented as 500, elsewhere as 100: a shorter page than that is the last one.
            if len(page) < PAGE_SIZE:
                return
            offset += len(page)

    # pages

    def first_row(self, path: tuple[str, ...], query: Query = ()) -> None:
        self._page(path, query, offset=0, limit=1)

    def call(self, path: tuple[str, ...], query: Query = ()) -> RemoteCall:
        return RemoteCall("GET", (*self._root, *path), query=query, headers=self._headers)

    def _rows(
        self, path: tuple[str, ...], query: Query = (), *, row_id: Callable[[Json], str], cap_is_known: bool = False
    ) -> Iterator[Json]:
        """All rows, until a page is empty: no list tells a total. Offsets count rows, so short pages leave no gap.

        `cap_is_known`: the list gives a hundred rows if it has them, so a first page with fewer is all of it. A first
        page longer than asked is the whole list, from before paging came. A second page like the first one means that
        paging is ignored; whether a hundred rows are all then, or the rest is hidden, cannot be told.
        """
        seen = Seen()
        first_ids: list[str] = []
        while True:
            page = self._page(path, query, offset=len(seen), limit=PAGE_SIZE)
            ids = [row_id(row) for row in page]
            if first_ids and ids == first_ids:
                if len(ids) < PAGE_SIZE:
                    return
                raise Incomplete(Reason.MAYBE_CAPPED, rows=len(ids))
            if first_ids and len(page) > PAGE_SIZE:
                raise Incomplete(Reason.PAGING_IGNORED)
            seen.page(ids)
            yield from page
            is_whole = len(page) > PAGE_SIZE or (cap_is_known and len(page) < PAGE_SIZE)
            if not page or (not first_ids and is_whole):
                return
            first_ids = first_ids or ids

    def _page(self, path: tuple[str, ...], query: Query, *, offset: int, limit: int) -> list[Json]:
        paging = (("limit", str(limit)), ("offset", str(offset)))
        with self._open(self.call(path, (*query, *paging))) as reader:
            return list(reader.items("item"))


def iso(epoch_s: float) -> str:
    """A time as the pages write it: UTC with milliseconds."""
    return datetime.fromtimestamp(epoch_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
