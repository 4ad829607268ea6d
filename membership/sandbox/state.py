"""Tables in memory, and the state of a remote as a set of them."""

import dataclasses
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

from membership.sandbox.journal import Entry
from membership.sandbox.store import Store
from membership.sandbox.wire import Json

Key = int | str
Row = TypeVar("Row")


def words(text: str, between: str | None = None) -> tuple[str, ...]:
    """A list of words that reads as words."""
    return tuple(text.split(between))


class Table(Generic[Row]):
    """Rows by key, in the order of creation, with an index for each of `indexes`."""

    def __init__(self, name: str, row_type: type[Row], key: str = "id", indexes: tuple[str, ...] = ()) -> None:
        self.name = name
        self.rows: dict[Key, Row] = {}
        self.on_change: Callable[[str, Key, Json | None], None] = lambda *_change: None
        self._row_type = row_type
        self._fields = tuple(field.name for field in dataclasses.fields(row_type))  # type: ignore[arg-type]
        self._key = key
        self._indexes: dict[str, dict[Any, dict[Key, None]]] = {name: defaultdict(dict) for name in indexes}
        self._indexed: dict[Key, tuple[Any, ...]] = {}
        self._last_id = 0

    def put(self, row: Row) -> Row:
        """Add a row, or note that it changed."""
        self._keep(row)
        self.on_change(self.name, getattr(row, self._key), self.to_json(row))
        return row

    def drop(self, key: Key) -> None:
        del self.rows[key]
        self._unindex(key)
        self.on_change(self.name, key, None)

    def load(self, data: Json) -> None:
        self._keep(self._row_type(**{name: value for name, value in data.items() if name in self._fields}))

    def to_json(self, row: Row) -> dict[str, Json]:
        return {name: getattr(row, name) for name in self._fields}

    def get(self, key: Key) -> Row | None:
        return self.rows.get(key)

    def where(self, field: str, value: Any) -> list[Row]:
        """The rows whose indexed `field` has this value."""
        return [self.rows[key] for key in self._indexes[field].get(value, ())]

    def next_id(self) -> int:
        """A number above all that were used."""
        return self._last_id + 1

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows.values())

    def __contains__(self, row: object) -> bool:
        return row in self.rows.values()

    def __len__(self) -> int:
        return len(self.rows)

    def _keep(self, row: Row) -> None:
        key = getattr(row, self._key)
        values = tuple(getattr(row, name) for name in self._indexes)
        if self._indexed.get(key) != values:
            self._unindex(key)
            self._indexed[key] = values
            for index, value in zip(self._indexes.values(), values, strict=True):
                index[value][key] = None
        self.rows[key] = row
        if isinstance(key, int):
            self._last_id = max(self._last_id, key)

    def _unindex(self, key: Key) -> None:
        for index, value in zip(self._indexes.values(), self._indexed.pop(key, ()), strict=False):
            index[value].pop(key, None)


@dataclasses.dataclass(frozen=True, slots=True)
class Switches:
    """How a server behaves where the contract is silent. Each remote adds its own."""


class State:
    """What one remote knows. Its public methods are the world changing it by hand, outside of its API.

    Methods named in `BY_HAND` can be called through the control API. Everything is done under one lock; what was
    changed is stored when the outermost `changing()` ends.
    """

    BY_HAND: frozenset[str] = frozenset()

    def __init__(self, *, now: Callable[[], float], store: Store | None, tables: tuple[Table[Any], ...]) -> None:
        self.now = now
        self.lock = threading.RLock()
        self.tables: dict[str, Table[Any]] = {table.name: table for table in tables}
        self.switches: Any = self.default_switches()
        self._store = store
        self._depth = 0
        self._rows: dict[tuple[str, Key], Json | None] = {}
        self._entries: list[Entry] = []
        if store is not None:
            self._load(store)
        for table in tables:
            table.on_change = self._note_row

    def default_switches(self) -> Switches:
        return Switches()

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Hold the lock; store what changed when the outermost block ends, even after an error: memory has it, too."""
        with self.lock:
            self._depth += 1
            try:
                yield
            finally:
                self._depth -= 1
                if self._depth == 0:
                    self._flush()

    def note(self, entry: Entry) -> None:
        """Store this journal entry together with what its request changed."""
        if self._store is not None:
            self._entries.append(entry)

    def switch(self, **values: Any) -> None:
        """Change switches. Raises TypeError for a name that is none."""
        with self.changing():
            self.switches = dataclasses.replace(self.switches, **values)
            self._note_row("switches", "", dataclasses.asdict(self.switches))

    @property
    def is_empty(self) -> bool:
        return not any(len(table) for table in self.tables.values())

    def dump(self, name: str = "") -> Json:
        """`{table: rows}`; of one table when `name` is given."""
        with self.lock:
            names = [name] if name else list(self.tables)
            return {each: [self.tables[each].to_json(row) for row in self.tables[each]] for each in names}

    def stamp(self) -> str:
        """Now, as inwendo writes it."""
        return datetime.fromtimestamp(self.now(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def stamp_ms(self) -> str:
        """Now, with milliseconds."""
        return datetime.fromtimestamp(self.now(), UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def _load(self, store: Store) -> None:
        for table, _key, data in store.rows():
            if table == "switches":
                known = {field.name for field in dataclasses.fields(self.switches)}
                self.switches = dataclasses.replace(self.switches, **{k: v for k, v in data.items() if k in known})
            elif table in self.tables:
                self.tables[table].load(data)

    def _note_row(self, table: str, key: Key, row: Json | None) -> None:
        if self._depth == 0:
            raise RuntimeError("a row changed outside of State.changing()")
        if self._store is not None:
            self._rows[table, key] = row

    def _flush(self) -> None:
        if self._store is None or not (self._rows or self._entries):
            return
        rows, self._rows = self._rows, {}
        entries, self._entries = self._entries, []
        self._store.write(rows, entries)
