"""What the clients of all remotes have in common: the way out, how a reading opens, and what is not offered."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import ClassVar, Protocol

from membership.errors import Reason
from membership.providers import slots, words
from membership.providers.base import (
    AccountRef,
    Ambiguous,
    CredentialStore,
    Door,
    GroupRef,
    OutsideEvent,
    ParticipantRef,
    Reader,
    RemoteAccount,
    RemoteAnswer,
    RemoteCall,
    RemoteGroup,
    RemoteParticipant,
    RemotePlace,
)
from membership.providers.errors import Incomplete, NotFound, Refused
from membership.providers.judging import said

Open = Callable[[RemoteCall], AbstractContextManager[Reader]]
"""Opens a reading. Raises a `ProviderError` where its answer is none."""


class Readings(Protocol):
    """Where the questions to one remote are answered. What each promises: `Provider`."""

    def groups(self) -> Iterator[RemoteGroup]: ...
    def accounts(self) -> Iterator[RemoteAccount]: ...
    def participants(self, group: GroupRef) -> Iterator[RemoteParticipant]: ...
    def get_group(self, group: GroupRef) -> RemoteGroup: ...
    def find(self, group: GroupRef, subjects: Sequence[ParticipantRef]) -> dict[str, RemoteParticipant | None]: ...
    def find_added(
        self, group: GroupRef, account: AccountRef, known_before: Iterable[str]
    ) -> RemoteParticipant | Ambiguous | None: ...


class Client(ABC):
    """A `Provider` without what a remote has of its own: calls, judgement, sign-in, check.

    What a remote does not offer stays as it is here.
    """

    _readings: Readings
    _never_said: ClassVar[tuple[str, ...]]
    """The secrets that an answer may repeat."""
    _gone: ClassVar[frozenset[int]] = frozenset({404, 410})
    """What a reading is answered when there is nothing, or nothing any more."""

    def __init__(self, door: Door, store: CredentialStore, now: Callable[[], float]) -> None:
        self._door = door
        self._store = store
        self._now = now

    def send(self, call: RemoteCall, *, send_before: float | None = None) -> RemoteAnswer:
        slots.require_filled(call)
        return self._door.send(call, credentials=self._credentials(), send_before=send_before)

    def fill(self, call: RemoteCall, values: Mapping[str, str]) -> RemoteCall:
        """Every call is whole as it was planned."""
        slots.require_filled(call)
        return call

    def said(self, answer: RemoteAnswer) -> str:
        return said(self._scrubbed(answer))

    def _scrubbed(self, answer: RemoteAnswer) -> RemoteAnswer:
        return words.without_secrets(answer, map(self._store.get, self._never_said))

    @abstractmethod
    def _credentials(self) -> dict[str, str]:
        """The headers that say who we are. Raises `NotSignedIn` where there is no token."""

    @abstractmethod
    def _raise_common(self, call: RemoteCall, answer: RemoteAnswer) -> None:
        """Raise for what means the same after every call, reading or writing."""

    # readings

    @contextmanager
    def _open(self, call: RemoteCall) -> Iterator[Reader]:
        with self._door.read(call, credentials=self._credentials()) as reader:
            if reader.status != 200:
                self._raise_unread(call, reader.answer())
            yield reader

    def _raise_unread(self, call: RemoteCall, answer: RemoteAnswer) -> None:
        if answer.status == 403:
            raise Incomplete(Reason.WEAK_TOKEN, status=403, said=self.said(answer))
        self._raise_common(call, answer)
        if answer.status in self._gone:
            raise NotFound(Reason.NOT_FOUND, status=answer.status, said=self.said(answer))
        if 200 <= answer.status < 300:
            raise Incomplete(Reason.ANSWER_UNEXPECTED, status=answer.status)
        raise Refused(Reason.REMOTE_SAID_NO, status=answer.status, said=self.said(answer))

    def groups(self) -> Iterator[RemoteGroup]:
        return self._readings.groups()

    def accounts(self) -> Iterator[RemoteAccount]:
        return self._readings.accounts()

    def participants(self, group: GroupRef) -> Iterator[RemoteParticipant]:
        return self._readings.participants(group)

    def get_group(self, group: GroupRef) -> RemoteGroup:
        return self._readings.get_group(group)

    def find(self, group: GroupRef, subjects: Sequence[ParticipantRef]) -> dict[str, RemoteParticipant | None]:
        return self._readings.find(group, subjects)

    def find_added(
        self, group: GroupRef, account: AccountRef, known_before: Iterable[str]
    ) -> RemoteParticipant | Ambiguous | None:
        return self._readings.find_added(group, account, known_before)

    # what a remote may offer

    def create_group(self, name: str, members: Sequence[AccountRef] = ()) -> tuple[RemoteCall, ...]:
        raise Refused(Reason.NOT_OFFERED)

    def rename_group(self, group: GroupRef, name: str) -> tuple[RemoteCall, ...]:
        raise Refused(Reason.NOT_OFFERED)

    def delete_group(self, group: GroupRef) -> tuple[RemoteCall, ...]:
        raise Refused(Reason.NOT_OFFERED)

    def created(self, call: RemoteCall, answer: RemoteAnswer) -> RemoteGroup:
        raise Refused(Reason.NOT_OFFERED)

    def places(self, account: AccountRef) -> Iterator[RemotePlace]:
        raise Refused(Reason.NOT_OFFERED)

    def tracked_id(self, text: str) -> str | None:
        return None

    def outside_events(self, since: float, until: float) -> Iterator[OutsideEvent]:
        raise Refused(Reason.NOT_OFFERED)
