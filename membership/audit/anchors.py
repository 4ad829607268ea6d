"""What an anchor looks like. The format is final, like that of an entry: old anchors must verify for ever.

An anchor is one line of JSON, `{"anchor": TEXT, "sig": HEX}`: `sig` is the Ed25519 signature over TEXT, and TEXT is
canonical JSON again:

    v         1, the version of this format
    n         number of the anchor, from 1, without a gap
    at        UTC, microseconds
    kid       id of the key that signed it
    prev      SHA-256 of the TEXT of the anchor before it, in hex; empty for the first
    heads     {chain: [seq, mac]}: where each chain stands
    roots     {chain: [first, last, root]}: for chains that grew since, the root over these entries
    lost      [first, last], only after an older copy of the database was put back: these anchors hold for a state
              that was given up

A root is that of a Merkle tree as in RFC 6962: leaf = SHA-256(00 + sealed), node = SHA-256(01 + left + right); what is
left over on one level moves up as it is. So one entry can be shown to lie under a signature without any other entry
and without the key that sealed it.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from membership.audit.chain import canonical

VERSION = 1
PublicKeys = Mapping[str, Ed25519PublicKey]


class BadAnchor(ValueError):
    """A line that is no anchor of ours; `why` is a code."""

    def __init__(self, why: str, detail: object = "") -> None:
        super().__init__(why, detail)
        self.why = why
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Anchor:
    n: int
    at: str
    kid: str
    prev: str
    heads: Mapping[str, tuple[int, str]]
    roots: Mapping[str, tuple[int, int, str]] = field(default_factory=dict)
    lost: tuple[int, int] | None = None

    def text(self) -> str:
        content: dict[str, Any] = {
            "v": VERSION,
            "n": self.n,
            "at": self.at,
            "kid": self.kid,
            "prev": self.prev,
            "heads": {chain: list(head) for chain, head in self.heads.items()},
            "roots": {chain: list(root) for chain, root in self.roots.items()},
        }
        return canonical(content if self.lost is None else {**content, "lost": list(self.lost)})


@dataclass(frozen=True, slots=True)
class Signed:
    """An anchor as it is stored and sent: the text exactly as signed."""

    text: str
    sig: str

    @property
    def line(self) -> str:
        return canonical({"anchor": self.text, "sig": self.sig})

    @property
    def digest(self) -> str:
        """What the next anchor names."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def sign(anchor: Anchor, key: Ed25519PrivateKey) -> Signed:
    text = anchor.text()
    return Signed(text, key.sign(text.encode()).hex())


def parse(line: str) -> Signed:
    """Raises `BadAnchor`. Says nothing about the signature."""
    try:
        found = json.loads(line)
        text, sig = found["anchor"], found["sig"]
        bytes.fromhex(sig)
        text.encode()
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise BadAnchor("unreadable") from error
    return Signed(text, sig)


def opened(signed: Signed, keys: PublicKeys) -> Anchor:
    """The anchor, its signature checked. Raises `BadAnchor`."""
    anchor = content(signed)
    key = keys.get(anchor.kid)
    if key is None:
        raise BadAnchor("unknown_key", anchor.kid)
    try:
        key.verify(bytes.fromhex(signed.sig), signed.text.encode())
    except (InvalidSignature, ValueError, TypeError, AttributeError) as error:  # SQLite may have bytes for a text
        raise BadAnchor("forged", anchor.n) from error
    return anchor


def content(signed: Signed) -> Anchor:
    """What it says, believed. Raises `BadAnchor` where that cannot be read."""
    try:
        found = json.loads(signed.text)
        if found["v"] != VERSION:
            raise BadAnchor("unreadable")
        lost = found.get("lost")
        return Anchor(
            n=int(found["n"]),
            at=str(found["at"]),
            kid=str(found["kid"]),
            prev=str(found["prev"]),
            heads={chain: (int(seq), str(mac)) for chain, (seq, mac) in found["heads"].items()},
            roots={chain: (int(a), int(b), str(root)) for chain, (a, b, root) in found["roots"].items()},
            lost=None if lost is None else (int(lost[0]), int(lost[1])),
        )
    except BadAnchor:
        raise
    except (ValueError, TypeError, KeyError, AttributeError, IndexError, ArithmeticError, RecursionError) as error:
        raise BadAnchor("unreadable") from error


# roots


def leaf(sealed: str) -> bytes:
    return hashlib.sha256(b"\0" + sealed.encode()).digest()


class Tree:
    """The tree over at least one leaf."""

    def __init__(self, leaves: Iterable[bytes]) -> None:
        self._levels: list[Sequence[bytes]] = [list(leaves)]
        while len(self._levels[-1]) > 1:
            self._levels.append(_above(self._levels[-1]))

    @property
    def root(self) -> str:
        return self._levels[-1][0].hex()

    def path(self, index: int) -> list[str]:
        """The way from a leaf up to the root: `L` or `R`, where the other one stands, and that one in hex."""
        way = []
        for level in self._levels[:-1]:
            if index % 2:
                way.append(f"L{level[index - 1].hex()}")
            elif index + 1 < len(level):
                way.append(f"R{level[index + 1].hex()}")
            index //= 2
        return way


def _above(below: Sequence[bytes]) -> list[bytes]:
    found = [hashlib.sha256(b"\1" + below[place] + below[place + 1]).digest() for place in range(0, len(below) - 1, 2)]
    return [*found, below[-1]] if len(below) % 2 else found
