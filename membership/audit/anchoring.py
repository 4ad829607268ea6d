"""Makes the next anchor: the one writer of `AuditAnchor`. Where it is sent is `services/anchor_sinks.py`."""

import datetime as dt
from collections.abc import Mapping, Sequence

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.db import IntegrityError, transaction
from django.utils import timezone

from membership import conf
from membership.audit import anchors, rows
from membership.audit.chain import stamp
from membership.models import AuditAnchor, AuditEntry, AuditHead, AuditSpan

EVERY = dt.timedelta(minutes=1)
AFTER_ENTRIES = 1000
MOST_OF_A_CHAIN = 10_000
"""Entries of one chain that one anchor covers at most; what is beyond is left to the next: memory stays flat."""


def anchor_due(*, now: dt.datetime | None = None) -> AuditAnchor | None:
    """Make an anchor if the log grew and the last one is a minute old, or a thousand entries came since. One query when
    there is nothing to do. None: not due, no key, or another process was faster."""
    if conf.anchor_key() is None:
        return None
    moment = now or timezone.now()
    last = AuditAnchor.objects.order_by("-n").first()
    standing = _heads_of(last)
    grown = sum(max(0, seq - standing.get(chain, (0, ""))[0]) for chain, seq in _ends().items())
    is_young = last is not None and conf.is_within(EVERY, since=last.at, now=moment)
    if not grown or (is_young and grown < AFTER_ENTRIES):
        return None
    return make(now=moment)


def make(*, now: dt.datetime | None = None) -> AuditAnchor | None:
    """The next anchor, now. None: nothing is new, no key, or another process was faster."""
    key = conf.anchor_key()
    if key is None:
        return None
    moment = now or timezone.now()
    # Read and hashed before the transaction begins: entries do not change, and SQLite has one writer at a time.
    last = AuditAnchor.objects.order_by("-n").first()
    standing = _heads_of(last)  # checks it, too
    n, prev = (last.n, signed(last).digest) if last else (0, "")
    anchor = _next(n, prev, standing, key, moment)
    if not anchor.roots:
        return None
    try:
        with transaction.atomic():
            return _store(anchor, key, moment)
    except IntegrityError:  # another process took the number
        return None


def catch_up(*, at_most: int = 1000) -> None:
    """Make anchors until every entry that was written before lies under one."""
    while at_most and make() is not None:
        at_most -= 1


def give_up(later: Sequence[anchors.Signed]) -> AuditAnchor:
    """After an older copy of the database was put back: take over the anchors that were made `later`, and sign that
    they hold for a state that was given up. Raises `BadAnchor` where they do not continue those of the database.
    """
    key = conf.anchor_key()
    if key is None:
        raise anchors.BadAnchor("unknown_key")
    last = AuditAnchor.objects.order_by("-n").first()
    n, prev = (last.n, signed(last).digest) if last else (0, "")
    public = conf.anchor_public_keys()
    with transaction.atomic():
        for each in later:
            anchor = anchors.opened(each, public)
            if (anchor.n, anchor.prev) != (n + 1, prev):
                raise anchors.BadAnchor("not_continuing", anchor.n)
            at = dt.datetime.fromisoformat(anchor.at)
            AuditAnchor(n=anchor.n, at=at, text=each.text, sig=each.sig).save()
            n, prev = anchor.n, each.digest
        first, now = (last.n + 1 if last else 1), timezone.now()
        return _store(_next(n, prev, _heads_of(last), key, now, lost=(first, n)), key, now)


def content(row: AuditAnchor) -> anchors.Anchor:
    """Raises `BadAnchor` where its signature does not fit."""
    return anchors.opened(signed(row), conf.anchor_public_keys())


def signed(row: AuditAnchor) -> anchors.Signed:
    return anchors.Signed(row.text, row.sig)


def _next(
    n: int,
    prev: str,
    standing: Mapping[str, tuple[int, str]],
    key: tuple[str, Ed25519PrivateKey],
    now: dt.datetime,
    lost: tuple[int, int] | None = None,
) -> anchors.Anchor:
    """The anchor after anchor `n`, for chains that stood so before."""
    heads, roots = dict(standing), {}
    for chain, seq in _ends().items():
        first = heads.get(chain, (0, ""))[0] + 1
        grown = _new_entries(chain, first, seq)
        if grown:
            end, mac, _sealed = grown[-1]
            heads[chain] = (end, mac)
            roots[chain] = (first, end, anchors.Tree(anchors.leaf(sealed) for _seq, _mac, sealed in grown).root)
    return anchors.Anchor(n + 1, stamp(now), key[0], prev, heads, roots, lost)


def _store(anchor: anchors.Anchor, key: tuple[str, Ed25519PrivateKey], now: dt.datetime) -> AuditAnchor:
    made = anchors.sign(anchor, key[1])
    row = AuditAnchor(n=anchor.n, at=now, text=made.text, sig=made.sig)
    row.save()
    AuditSpan.objects.bulk_create(
        [
            AuditSpan(chain=chain, first=first, last=end, n=anchor.n)
            for chain, (first, end, _root) in anchor.roots.items()
        ]
    )
    return row


def _heads_of(last: AuditAnchor | None) -> dict[str, tuple[int, str]]:
    return dict(content(last).heads) if last is not None else {}


def _ends() -> dict[str, int]:
    return dict(AuditHead.objects.order_by("chain").values_list("chain", "seq"))


def _new_entries(chain: str, first: int, last: int) -> list[tuple[int, str, str]]:
    """`(seq, mac, sealed)`, without a gap from `first` on: what follows a gap, or what is no text, is not signed."""
    if last < first:
        return []
    end = min(last, first + MOST_OF_A_CHAIN - 1)
    entries = AuditEntry.objects.filter(chain=chain, seq__gte=first, seq__lte=end).order_by("seq")
    found: list[tuple[int, str, str]] = []
    with rows.any_text():
        for seq, mac, sealed in entries.values_list("seq", "mac", "sealed"):
            if seq != first + len(found) or not (rows.is_text(mac) and rows.is_text(sealed)):
                break
            found.append((seq, mac, sealed))
    return found
