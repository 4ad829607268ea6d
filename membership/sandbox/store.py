"""Where a sandbox server keeps its state between starts: one SQLite file a remote.

Rows are JSON texts under (table, key). Everything one request changed, and its journal entry, is one transaction that
ends before the answer leaves: after a kill -9 each effect is there wholly or not at all. (synchronous NORMAL in WAL
mode loses nothing when the process dies; a power cut may cost the last moments, which a sandbox can bear.)
"""

import json
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

from membership.sandbox.journal import KEPT, Entry
from membership.sandbox.wire import Json

SCHEMA = """
CREATE TABLE IF NOT EXISTS rows (tab TEXT NOT NULL, key TEXT NOT NULL, body TEXT NOT NULL, UNIQUE (tab, key));
CREATE TABLE IF NOT EXISTS journal (seq INTEGER PRIMARY KEY, body TEXT NOT NULL);
"""
# The upsert keeps the rowid, so rows come back in the order in which they were made.
PUT = "INSERT INTO rows (tab, key, body) VALUES (?, ?, ?) ON CONFLICT (tab, key) DO UPDATE SET body = excluded.body"


class Store:
    """One file. Safe for threads. Raises OSError when the file cannot be opened."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        try:
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=NORMAL")
            self._db.executescript(SCHEMA)
        except sqlite3.Error as error:
            raise OSError(f"{path}: {error}") from error

    def rows(self) -> Iterator[tuple[str, Json, Json]]:
        """(table, key, row) in the order of creation."""
        with self._lock:
            found = self._db.execute("SELECT tab, key, body FROM rows ORDER BY rowid").fetchall()
        for table, key, body in found:
            yield table, json.loads(key), json.loads(body)

    def entries(self) -> list[Entry]:
        with self._lock:
            found = self._db.execute("SELECT body FROM journal ORDER BY seq").fetchall()
        return [Entry.from_json(json.loads(body)) for (body,) in found]

    def write(self, changes: dict[tuple[str, Json], Json | None], entries: Iterable[Entry]) -> None:
        """Store changed rows (None: dropped) and journal entries in one transaction."""
        put = [(table, json.dumps(key), json.dumps(row)) for (table, key), row in changes.items() if row is not None]
        dropped = [(table, json.dumps(key)) for (table, key), row in changes.items() if row is None]
        noted = [(entry.seq, json.dumps(entry.to_json())) for entry in entries]
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                self._db.executemany(PUT, put)
                self._db.executemany("DELETE FROM rows WHERE tab = ? AND key = ?", dropped)
                self._db.executemany("INSERT OR REPLACE INTO journal (seq, body) VALUES (?, ?)", noted)
                if noted and noted[-1][0] % 1000 == 0:
                    self._db.execute("DELETE FROM journal WHERE seq <= ?", (noted[-1][0] - KEPT,))
                self._db.execute("COMMIT")
            except BaseException:
                self._db.execute("ROLLBACK")
                raise

    def clear_journal(self) -> None:
        with self._lock:
            self._db.execute("DELETE FROM journal")

    def close(self) -> None:
        with self._lock:
            self._db.close()
