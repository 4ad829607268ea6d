"""One list that a remote told, against what the mirror holds: content hashes first, only differences are written.

A listing lives for one reading. It takes what arrives without touching more than it must, and hands out chunks, each of
which its caller writes in a transaction of its own.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from membership import conf
from membership.errors import Reason
from membership.mirror import facts
from membership.mirror.facts import Columns


class Named(Protocol):
    @property
    def remote_id(self) -> str: ...


Remote = TypeVar("Remote", bound=Named)
Problem = tuple[Reason, dict[str, Any]]
"""Why nothing may be concluded from what a list does not hold."""


class Known(NamedTuple):
    """What the mirror holds of a row: as little as the comparison needs."""

    pk: int
    remote_id: str
    content_hash: str
    is_present: bool
    account_id: int | None = None


@dataclass(frozen=True, slots=True)
class Tally:
    """How many rows a chunk changed."""

    added: int = 0
    altered: int = 0
    removed: int = 0

    @property
    def changed(self) -> int:
        return self.added + self.altered + self.removed


@dataclass(frozen=True, slots=True)
class Pending(Generic[Remote]):
    """A row that is to be written."""

    remote: Remote
    columns: Columns
    known: Known | None
    account_id: int | None = None

    @property
    def is_new(self) -> bool:
        """Nobody was there before, or no longer."""
        return self.known is None or not self.known.is_present


class Listing(ABC, Generic[Remote]):
    """`began_at`: when the reading of this list began. `first`: none was complete before, so nothing in it is drift.

    `accept_fewer`: somebody said that it has really become shorter.
    `bad` counts rows that could not be stored, `unchanged` those that need not be.
    """

    def __init__(self, known: Iterable[Known], *, began_at: datetime, first: bool) -> None:
        self.began_at = began_at
        self.first = first
        self.known: Mapping[str, Known] = {row.remote_id: row for row in known}
        self.seen: set[str] = set()
        self.pending: list[Pending[Remote]] = []
        self.accept_fewer = False
        self.unchanged = 0
        self.bad = 0

    @abstractmethod
    def _columns(self, remote: Remote) -> Columns: ...

    @abstractmethod
    def write(self, chunk: Sequence[Pending[Remote]]) -> Tally:
        """Write a chunk, inside the caller's transaction."""
        ...

    def take(self, remotes: Iterable[Remote]) -> None:
        """Compare what arrived. A row that came before in this reading is passed over."""
        for remote in remotes:
            if remote.remote_id in self.seen:
                continue
            self.seen.add(remote.remote_id)
            if len(remote.remote_id) > facts.ID_CHARS:
                self.bad += 1
                continue
            self._compare(remote)

    def _compare(self, remote: Remote) -> None:
        columns = self._columns(remote)
        columns["content_hash"] = content_hash = facts.content_hash(columns)
        known = self.known.get(remote.remote_id)
        account_id = self._account_id(remote)
        same = known is not None and known.is_present and known.content_hash == content_hash
        if same and known is not None and account_id in (None, known.account_id):
            self.unchanged += 1
            return
        self.pending.append(Pending(remote, columns, known, account_id))

    def _account_id(self, remote: Remote) -> int | None:
        return None

    def next_chunk(self, size: int) -> list[Pending[Remote]]:
        """The next rows to write. They count as handed out."""
        chunk, self.pending = self.pending[:size], self.pending[size:]
        return chunk

    def missing(self) -> list[Known]:
        """Rows of the mirror that this reading did not see."""
        return [row for row in self.known.values() if row.is_present and row.remote_id not in self.seen]

    def problem(self) -> Problem | None:
        """Why the absence of rows proves nothing, although the list ended well."""
        if not self.bad and all(row.remote_id in self.seen for row in self.known.values() if row.is_present):
            return None  # nothing is absent
        counted = self._counted()
        before = sum(row.is_present for row in counted.values())
        now = sum(remote_id in counted or remote_id not in self.known for remote_id in self.seen)
        if self.bad:
            return Reason.ANSWER_UNREADABLE, {"rows": self.bad}
        if self.accept_fewer:
            return None
        if before and not now:
            return Reason.EMPTY_WHERE_ROWS_WERE, {"before": before}
        if not self.first and now < conf.smallest_share() * before:
            return Reason.FAR_FEWER_ROWS, {"before": before, "now": now}
        return None

    def _counted(self) -> Mapping[str, Known]:
        """The rows of the mirror that this list is measured by."""
        return self.known


def tally_of(chunk: Sequence[Pending[Remote]]) -> Tally:
    added = sum(item.is_new for item in chunk)
    return Tally(added=added, altered=len(chunk) - added)
