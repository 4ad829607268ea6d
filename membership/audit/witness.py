"""What the anchors outside the database say about the log: read once, checked, and kept on disk by chain."""

import datetime as dt
import os
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from django.utils.translation import gettext as _

from membership import conf
from membership.audit import anchor_file, anchors, rows
from membership.models import AnchorSink

_NAMED = 3
"""So many files of other machines are named."""


@dataclass(slots=True)
class Witness:
    """`faults` are about the anchors themselves. Use it within `with closing(…)`."""

    count: int = 0
    last_n: int = 0
    last_at: str = ""
    faults: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """What is no fault and must be known: states that were given up, and that there is no file to compare with."""
    starts: dict[str, tuple[int, str]] = field(default_factory=dict)
    """Where the chains stood at the anchor from which on is verified."""
    _db: sqlite3.Connection = field(default_factory=lambda: sqlite3.connect(""))  # on disk, gone when closed

    def __post_init__(self) -> None:
        self._db.execute(
            "CREATE TABLE heads (chain TEXT, seq INTEGER, mac TEXT, n INTEGER, PRIMARY KEY (chain, seq, mac))"
            " WITHOUT ROWID"
        )

    def close(self) -> None:
        self._db.close()

    def chains(self) -> list[str]:
        return [chain for (chain,) in self._db.execute("SELECT DISTINCT chain FROM heads")]

    def heads(self, chain: str, first: int | None = None, last: int | None = None) -> list[tuple[int, str, int]]:
        """`(seq, mac, n)` that anchors say about entries from `first` to `last` of a chain."""
        low, high = (-1 if first is None else first), (1 << 62 if last is None else last)
        return self._db.execute(
            "SELECT seq, mac, n FROM heads WHERE chain = ? AND seq BETWEEN ? AND ? ORDER BY seq, n", (chain, low, high)
        ).fetchall()

    def last_seq(self, chain: str) -> int:
        return int(self._db.execute("SELECT max(seq) FROM heads WHERE chain = ?", (chain,)).fetchone()[0] or 0)

    def hear(self, anchor: anchors.Anchor) -> None:
        self.count += 1
        self.last_n, self.last_at = anchor.n, anchor.at
        if anchor.lost is not None:
            first, last = anchor.lost
            self._db.execute("DELETE FROM heads WHERE n BETWEEN ? AND ?", anchor.lost)
            self.notes.append(
                _(
                    "Anchors %(first)d to %(last)d hold for a state that was given up when an older copy of the"
                    " database was put back before %(at)s."
                )
                % {"first": first, "last": last, "at": anchor.at}
            )
        self._db.executemany(
            "INSERT OR IGNORE INTO heads VALUES (?, ?, ?, ?)",
            [(chain, seq, mac, anchor.n) for chain, (seq, mac) in anchor.heads.items()],
        )


def listen(*, since: int | None = None, file: Path | None = None) -> Witness:
    """Read the anchors of the file, and those of the database that the file does not have yet.

    `since`: of the anchors before that one only the numbers and the chain of hashes are checked.
    """
    witness = Witness()
    with rows.any_text():
        _listen(witness, since, file or conf.anchor_file())
    return witness


def _listen(witness: Witness, since: int | None, path: Path) -> None:
    keys = conf.anchor_public_keys()
    sent_n = _sent_to(witness, path)  # before the file is read: the worker goes on
    stored, covered, is_known = _Rows(), _Covered(), True
    before: anchors.Signed | None = None
    for place, line in _lines(witness, path):
        try:
            signed = anchors.parse(line)
            anchor = _content(signed, keys, since)
            _follow(witness, anchor, before)
        except anchors.BadAnchor as error:
            witness.faults.append(_("line %(line)d of the file: %(why)s") % {"line": place, "why": in_words(error)})
            return
        if is_known and not stored.has(anchor, signed):
            is_known = False  # said once: what follows is missing, too
            says = _("anchor %(n)d is in the file, and altered or missing in the database")
            witness.faults.append(says % {"n": anchor.n})
        _take(witness, anchor, since)
        covered.compare(anchor, since)
        before = signed
    in_file = witness.last_n
    _the_rest(witness, stored, covered, before, keys)
    if sent_n > in_file:
        says = _("the file ends with anchor %(n)d, and it had %(sent)d: its end was cut off, or it was lost")
        witness.faults.append(says % {"n": in_file, "sent": sent_n})
    if since is not None and witness.last_n < since:
        witness.faults.append(_("there is no anchor %(n)d") % {"n": since})
    if (bad := covered.first_bad()) is not None:
        says = _("what anchor %(n)s covers was altered in the database: exports go by that")
        witness.faults.append(says % {"n": bad})


def _sent_to(witness: Witness, path: Path) -> int:
    """How far this machine's file was; where the machine is called otherwise since then, the farthest of that path."""
    files = AnchorSink.objects.filter(name__startswith=anchor_file.PREFIX).order_by("-sent_n")
    sent = dict(files.values_list("name", "sent_n"))
    own = sent.get(anchor_file.sink_of(path))
    if own is None and sent and not os.path.exists(path):  # noqa: PTH110 - Path's raises where it may not look
        witness.notes.append(_no_file_here(path, sent))
        return 0
    found = own if own is not None else next((n for name, n in sent.items() if name.endswith(f":{path}")), 0)
    return found if isinstance(found, int) else 0


def _no_file_here(path: Path, sent: Mapping[str, int]) -> str:
    says = _(
        "This machine has no file of anchors (%(path)s), so the log was held against the database's own anchors alone:"
        " whether its end was cut off with them is seen where a file is. There is or was one at %(files)s. If that is"
        " this machine under another name, its file is gone."
    )
    told = (
        _("%(file)s (up to anchor %(n)s)") % {"file": name.removeprefix(anchor_file.PREFIX), "n": n}
        for name, n in sent.items()
    )
    return says % {"path": path, "files": ", ".join(islice(told, _NAMED))}


def _lines(witness: Witness, path: Path) -> Iterator[tuple[int, str]]:
    try:
        yield from enumerate(anchor_file.lines(path), start=1)
    except OSError as error:
        witness.faults.append(_("the file cannot be read: %(why)s") % {"why": error.strerror or type(error).__name__})


def _the_rest(
    witness: Witness, stored: "_Rows", covered: "_Covered", before: anchors.Signed | None, keys: anchors.PublicKeys
) -> None:
    """Anchors of the database behind the last one of the file: not sent yet, unless they were."""
    for row in stored.after(witness.last_n):
        try:
            if not row.can_be:
                raise anchors.BadAnchor("unreadable")
            signed = anchors.Signed(row.text, row.sig)
            anchor = anchors.opened(signed, keys)
            _follow(witness, anchor, before)
            if not _is_stored_as(anchor, signed, row):
                raise anchors.BadAnchor("altered", anchor.n)
        except anchors.BadAnchor as error:
            witness.faults.append(_("anchor %(n)s of the database: %(why)s") % {"n": row.n, "why": in_words(error)})
            return
        _take(witness, anchor, None)
        covered.compare(anchor, None)
        before = signed


def _content(signed: anchors.Signed, keys: anchors.PublicKeys, since: int | None) -> anchors.Anchor:
    if since is not None:
        anchor = anchors.content(signed)
        if anchor.n < since:
            return anchor
    return anchors.opened(signed, keys)


def _follow(witness: Witness, anchor: anchors.Anchor, before: anchors.Signed | None) -> None:
    if anchor.n != witness.last_n + 1:
        raise anchors.BadAnchor("out_of_order", anchor.n)
    if anchor.prev != (before.digest if before else ""):
        raise anchors.BadAnchor("not_continuing", anchor.n)


def _take(witness: Witness, anchor: anchors.Anchor, since: int | None) -> None:
    if since is not None and anchor.n < since:
        witness.last_n, witness.last_at = anchor.n, anchor.at
        return
    if anchor.n == since:
        witness.starts = dict(anchor.heads)
    elif since is not None and anchor.lost is not None and anchor.lost[0] <= since <= anchor.lost[1]:
        witness.starts = {}  # where the chains stood then is not where they stand now: all of it is read
    witness.hear(anchor)


def _is_stored_as(anchor: anchors.Anchor, signed: anchors.Signed, row: rows.AnchorRow) -> bool:
    """Whether a row of the database is that anchor in each column: sinks, exports and the next anchor go by them."""
    if (row.n, row.text, row.sig) != (anchor.n, signed.text, signed.sig):
        return False
    # Of one that gives up a state the row was once made a moment later than the text.
    return anchor.lost is not None or row.made_at == dt.datetime.fromisoformat(anchor.at)


class _Rows:
    """The anchors of the database, walked along once."""

    def __init__(self) -> None:
        self._rows = rows.anchors()
        self._row = next(self._rows, None)

    def has(self, anchor: anchors.Anchor, signed: anchors.Signed) -> bool:
        while self._row is not None and self._row.can_be and self._row.n < anchor.n:
            self._row = next(self._rows, None)
        if self._row is None:  # made since the walk began, or missing
            return any(_is_stored_as(anchor, signed, row) for row in rows.anchors(anchor.n))
        return _is_stored_as(anchor, signed, self._row)

    def after(self, n: int) -> Iterator[rows.AnchorRow]:
        while self._row is not None:
            if not self._row.can_be or self._row.n > n:
                yield self._row
            self._row = next(self._rows, None)


class _Covered:
    """What the rows of the database say that anchors cover, walked along once and held against the anchors."""

    def __init__(self) -> None:
        self._rows = rows.covered()
        self._row = next(self._rows, None)
        self._other: dict[int, rows.Covered] = {}
        """What anchors cover of which the rows say something else, or said so when the walk began."""

    def compare(self, anchor: anchors.Anchor, since: int | None) -> None:
        stored: rows.Covered = frozenset()
        while self._row is not None and isinstance(self._row[0], int) and self._row[0] <= anchor.n:
            if self._row[0] == anchor.n:
                stored = self._row[1]
            else:
                self._other[self._row[0]] = frozenset()
            self._row = next(self._rows, None)
        covers = frozenset((chain, first, last) for chain, (first, last, _root) in anchor.roots.items())
        if stored != covers and (since is None or anchor.n >= since):
            self._other[anchor.n] = covers
        if anchor.lost is not None:  # those hold for a state that is gone, and have no rows
            first, last = anchor.lost
            self._other = {n: covers for n, covers in self._other.items() if not first <= n <= last}

    def first_bad(self) -> Any:
        """Number of the first anchor of which the rows say something else; None: there is none."""
        for n, covers in self._other.items():
            if rows.covered_by(n) != covers:
                return n
        while self._row is not None:
            n = self._row[0]
            if not isinstance(n, int) or not any(rows.anchors(n)):  # else it was made meanwhile
                return n
            self._row = next(self._rows, None)
        return None


def in_words(error: anchors.BadAnchor) -> str:
    words: dict[str, Any] = {
        "unreadable": _("it cannot be read."),
        "unknown_key": _("it was signed with the key “%(detail)s”, which is not in ANCHOR_KEYS."),
        "forged": _("the signature of anchor %(detail)s does not fit: it was altered, or made without the key."),
        "out_of_order": _("anchor %(detail)s stands in the wrong place: one is missing, repeated or exchanged."),
        "not_continuing": _("anchor %(detail)s does not continue the one before it."),
        "altered": _("a column of anchor %(detail)s was altered."),
    }
    return str(words[error.why]) % {"detail": error.detail}
