"""What Mudbase tells about chats, participants and users, each list read to its proven end."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from membership.errors import Reason
from membership.providers import answers, values
from membership.providers.base import (
    AccountRef,
    GroupRef,
    ParticipantRef,
    Reader,
    RemoteAccount,
    RemoteCall,
    RemoteGroup,
    RemoteParticipant,
)
from membership.providers.client import Open
from membership.providers.errors import Incomplete, NotFound, OutcomeUnknown
from membership.providers.mudbase import parse
from membership.providers.paging import Seen

PAGE_SIZE = 100

"""Send a reading; give its answer when it is a 200, else raise the `ProviderError` that says why not."""


class MudbaseReadings:
    """`chats`: the path of the project's chats. `users`: the path of the project's users."""

    def __init__(self, open_reading: Open, *, chats: tuple[str, ...], users: tuple[str, ...]) -> None:
        self._open = open_reading
        self._chats = chats
        self._users = users

    # chats

    def groups(self) -> Iterator[RemoteGroup]:
        """The chats that our own account is in; others are never told of.

        Pages count from 1. The list moves while chats are active, so `total` decides whether all were seen.
        Source: vendor's reference page GET /api/chat/projects/{projectId}/chats.
        """
        seen = Seen()
        number, full = 1, 0
        while True:
            chats, total = self.chat_page(number)
            new = seen.page_of_moving_list(chat.remote_id for chat in chats)
            yield from (chat for chat in chats if chat.remote_id in new)
            full = full or len(chats)
            if total is not None and len(seen) >= total:
                return
            if not chats:
                if total is not None:
                    raise Incomplete(Reason.PAGE_SHORT, seen=len(seen), total=total)
                return
            if total is not None and len(chats) < full:
                raise Incomplete(Reason.PAGE_SHORT, seen=len(seen), total=total)
            number += 1

    def chat_page(self, number: int, *, limit: int = PAGE_SIZE) -> tuple[list[RemoteGroup], int | None]:
        query = (("page", str(number)), ("limit", str(limit)))
        with self._open(RemoteCall("GET", self._chats, query=query)) as reader:
            return parse.chat_page(answers.whole(reader))

    def get_group(self, group: GroupRef) -> RemoteGroup:
        with self._open_chat(group) as reader:
            found = parse.chat(values.inner(values.row(answers.whole(reader)), "data"))
        if found.remote_id != group.remote_id:
            raise OutcomeUnknown(Reason.ANSWER_UNEXPECTED, status=200)
        return found

    @contextmanager
    def _open_chat(self, group: GroupRef) -> Iterator[Reader]:
        """The page says that the caller must be in the chat: a forbidden one is out of sight, like one not found."""
        try:
            with self._open(RemoteCall("GET", (*self._chats, group.remote_id))) as reader:
                yield reader
        except (NotFound, Incomplete) as error:
            if error.reason not in (Reason.NOT_FOUND, Reason.WEAK_TOKEN):
                raise
            raise NotFound(Reason.GROUP_NOT_FOUND, **error.params) from error

    # participants

    def participants(self, group: GroupRef) -> Iterator[RemoteParticipant]:
        """Source: vendor's reference page GET /api/chat/projects/{projectId}/chats/{chatId}; unpaged."""
        seen = Seen()
        with self._open_chat(group) as reader:
            for row in reader.items("data.participants.item"):
                participant = parse.participant(row)
                seen.row(participant.remote_id)
                yield participant

    def find(self, group: GroupRef, subjects: Sequence[ParticipantRef]) -> dict[str, RemoteParticipant | None]:
        now_there = {row.remote_id: row for row in self.participants(group)}
        return {subject.remote_id: now_there.get(subject.remote_id) for subject in subjects}

    def find_added(
        self,
        group: GroupRef,
        account: AccountRef,
        known_before: Iterable[str],  # there once or not at all, so it does not matter
    ) -> RemoteParticipant | None:
        """A user is in a chat once, so what was there before does not matter."""
        return next((row for row in self.participants(group) if row.remote_id == account.remote_id), None)

    # users

    def accounts(self) -> Iterator[RemoteAccount]:
        """All users of the project, unpaged. For owners and admins alone.

        Source: vendor's reference page GET /api/orgs/{orgId}/projects/{projectId}/users.
        """
        seen = Seen()
        with self._open(RemoteCall("GET", self._users)) as reader:
            for row in reader.items("users.item"):
                account = parse.account(row)
                seen.row(account.remote_id)
                yield account
            total = _total(reader)
        if total is not None and total > len(seen):
            raise Incomplete(Reason.PAGE_SHORT, seen=len(seen), total=total)

    def first_account(self) -> RemoteAccount | None:
        with self._open(RemoteCall("GET", self._users)) as reader:
            return next((parse.account(row) for row in reader.items("users.item")), None)

    def own_id(self) -> str | None:
        with self._open(RemoteCall("GET", ("api", "users", "me"))) as reader:
            value = reader.json()
        return parse.user_id(value)


def _total(reader: Reader) -> int | None:
    """What the list says of its length; it need not say anything."""
    try:
        found = [value for value in reader.items("total") if isinstance(value, int) and not isinstance(value, bool)]
    except OutcomeUnknown:
        return None
    return found[0] if found else None
