"""What a sandbox server was asked, in the order of arrival."""

import json
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from membership.sandbox.wire import Json, Request

READS = ("GET", "HEAD", "OPTIONS")
KEPT = 200_000  # entries; the oldest go first, so that a demo may run for months


@dataclass(slots=True)
class Entry:
    """One request. `status` is None while it is not answered, and stays None when the answer was never sent."""

    seq: int
    time: float
    method: str
    target: str
    path: str
    query: list[tuple[str, str]]
    headers: list[tuple[str, str]]
    body: bytes
    status: int | None = None
    fault: str = ""
    is_sign_in: bool = False

    @property
    def is_write(self) -> bool:
        """Whether it asks for an effect. Log-ins and renewals are none."""
        return self.method not in READS and not self.is_sign_in

    @property
    def line(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def json(self) -> Json:
        """The body as JSON; None when there is none."""
        return json.loads(self.body) if self.body else None

    def header(self, name: str) -> str | None:
        wanted = name.lower()
        return next((value for key, value in self.headers if key.lower() == wanted), None)

    def to_json(self) -> dict[str, Json]:
        return {
            "seq": self.seq,
            "time": self.time,
            "method": self.method,
            "target": self.target,
            "path": self.path,
            "query": self.query,
            "headers": self.headers,
            "body": self.body.decode("utf-8", "surrogateescape"),
            "status": self.status,
            "fault": self.fault,
            "is_sign_in": self.is_sign_in,
        }

    @classmethod
    def from_json(cls, data: dict[str, Json]) -> "Entry":
        pairs = {name: [(key, value) for key, value in data[name]] for name in ("query", "headers")}
        return cls(**{**data, **pairs, "body": data["body"].encode("utf-8", "surrogateescape")})


@dataclass
class Journal:
    """All entries, safe for threads. `on_clear` empties the stored copy, too."""

    on_clear: Callable[[], None] = lambda: None
    _entries: deque[Entry] = field(default_factory=lambda: deque(maxlen=KEPT))
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _last_seq: int = 0

    def load(self, entries: list[Entry]) -> None:
        with self._changed:
            self._entries.extend(entries)
            self._last_seq = max((entry.seq for entry in entries), default=0)

    def begin(self, request: Request, *, time: float, is_sign_in: bool) -> Entry:
        with self._changed:
            self._last_seq += 1
            entry = Entry(
                seq=self._last_seq,
                time=time,
                method=request.method,
                target=request.target,
                path=request.path,
                query=request.query,
                headers=request.headers,
                body=request.body,
                is_sign_in=is_sign_in,
            )
            self._entries.append(entry)
            self._changed.notify_all()
        return entry

    def notify(self) -> None:
        """An entry was completed: whoever waits looks again."""
        with self._changed:
            self._changed.notify_all()

    @property
    def entries(self) -> list[Entry]:
        with self._changed:
            return list(self._entries)

    @property
    def seen(self) -> list[str]:
        """All requests as "METHOD /path"."""
        return [entry.line for entry in self.entries]

    def writes(self) -> list[Entry]:
        """The requests that ask for an effect, log-ins left out."""
        return [entry for entry in self.entries if entry.is_write]

    @property
    def written(self) -> list[str]:
        """The writes as "METHOD /path"."""
        return [entry.line for entry in self.writes()]

    def clear(self) -> None:
        with self._changed:
            self._entries.clear()
        self.on_clear()

    def wait(self, holds: Callable[[list[Entry]], bool], timeout_s: float = 10.0) -> bool:
        """Wait until `holds(entries)` is true; False after the timeout."""
        with self._changed:
            return self._changed.wait_for(lambda: holds(list(self._entries)), timeout_s)

    def __len__(self) -> int:
        return len(self._entries)
