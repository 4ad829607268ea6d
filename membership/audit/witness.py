"""What the anchors outside the database say about the log: read once, checked, and kept on disk by chain."""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.utils.translation import gettext as _

from membership import conf
from membership.audit import anchor_file, anchoring, anchors
from membership.models import AnchorSink, AuditAnchor


@dataclass(slots=True)
class Witness:
    """`faults` are about the anchors themselves. Use it within `with closing(…)`."""

    count: int = 0
    last_n: int = 0
    last_at: str = ""
    faults: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """What is no fault and must be known: states that were given up when an older copy was put back."""
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
    keys = conf.anchor_public_keys()
    path = file or conf.anchor_file()
    sent_n = _sent_to(path)  # before the file is read: the worker goes on
    rows, is_known = _Rows(), True
    before: anchors.Signed | None = None
    for place, line in enumerate(anchor_file.lines(path), start=1):
        try:
            signed = anchors.parse(line)
            anchor = _content(signed, keys, since)
            _follow(witness, anchor, before)
        except anchors.BadAnchor as error:
            witness.faults.append(_("line %(line)d of the file: %(why)s") % {"line": place, "why": in_words(error)})
            return witness
        if is_known and not rows.has(anchor.n, signed.text):
            is_known = False  # said once: what follows is missing, too
            says = _("anchor %(n)d is in the file, and altered or missing in the database")
            witness.faults.append(says % {"n": anchor.n})
        _take(witness, anchor, since)
        before = signed
    in_file = witness.last_n
    _the_rest(witness, rows, before, keys)
    if sent_n > in_file:
        says = _("the file ends with anchor %(n)d, and it had %(sent)d: its end was cut off, or it was lost")
        witness.faults.append(says % {"n": in_file, "sent": sent_n})
    if since is not None and witness.last_n < since:
        witness.faults.append(_("there is no anchor %(n)d") % {"n": since})
    return witness


def _sent_to(path: Path) -> int:
    row = AnchorSink.objects.filter(name__endswith=f":{path}").order_by("-sent_n").first()
    return row.sent_n if row is not None else 0


def _the_rest(witness: Witness, rows: "_Rows", before: anchors.Signed | None, keys: anchors.PublicKeys) -> None:
    """Anchors of the database behind the last one of the file: not sent yet, unless they were."""
    for row in rows.after(witness.last_n):
        try:
            anchor = anchors.opened(anchoring.signed(row), keys)
            _follow(witness, anchor, before)
        except anchors.BadAnchor as error:
            witness.faults.append(_("anchor %(n)d of the database: %(why)s") % {"n": row.n, "why": in_words(error)})
            return
        _take(witness, anchor, None)
        before = anchoring.signed(row)


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
    witness.hear(anchor)


class _Rows:
    """The anchors of the database, walked along once."""

    def __init__(self) -> None:
        self._rows: Iterator[AuditAnchor] = AuditAnchor.objects.order_by("n").iterator(chunk_size=500)
        self._row: AuditAnchor | None = next(self._rows, None)

    def has(self, n: int, text: str) -> bool:
        while self._row is not None and self._row.n < n:
            self._row = next(self._rows, None)
        if self._row is None:  # made since the walk began, or missing
            return AuditAnchor.objects.filter(n=n, text=text).exists()
        return self._row.n == n and self._row.text == text

    def after(self, n: int) -> Iterator[AuditAnchor]:
        while self._row is not None:
            if self._row.n > n:
                yield self._row
            self._row = next(self._rows, None)


def in_words(error: anchors.BadAnchor) -> str:
    words: dict[str, Any] = {
        "unreadable": _("it cannot be read."),
        "unknown_key": _("it was signed with the key “%(detail)s”, which is not in ANCHOR_KEYS."),
        "forged": _("the signature of anchor %(detail)s does not fit: it was altered, or made without the key."),
        "out_of_order": _("anchor %(detail)s stands in the wrong place: one is missing, repeated or exchanged."),
        "not_continuing": _("anchor %(detail)s does not continue the one before it."),
    }
    return str(words[error.why]) % {"detail": error.detail}
