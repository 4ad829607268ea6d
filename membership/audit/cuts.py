"""Where chains begin since their older entries went into an archive, and whether that was so recorded.

A cut stands in `AuditCut`, where the triggers look, and sealed in the newest `log.cut` entry of the panel's chain,
which names the cuts of all chains: a row that no entry bears out is a deletion like any other.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db import DatabaseError
from django.db.models import OuterRef, Subquery
from django.utils.translation import gettext as _

from membership.audit import chain as chains
from membership.models import AuditCut, AuditEntry
from membership.vocab import AuditAction, Chain


@dataclass(frozen=True, slots=True)
class Cut:
    """Entries of a chain up to `seq` were cut off; `mac` is that entry's."""

    seq: int
    mac: str


@dataclass(slots=True)
class Believed:
    """`known` are cuts that an entry bears out; `faults` are rows that none does, by chain."""

    known: dict[str, Cut] = field(default_factory=dict)
    faults: dict[str, str] = field(default_factory=dict)


def believed(keys: Mapping[str, bytes]) -> Believed:
    found = Believed()
    rows: dict[str, Cut] = {}
    for _once_more in range(3):  # between the two looks a cut may be made
        found.known = _sealed(keys)
        rows = {row.chain: Cut(row.seq, row.mac) for row in AuditCut.objects.all()}
        if rows == found.known:
            break
    for chain in {*rows, *found.known}:
        if rows.get(chain) != found.known.get(chain):
            found.faults[chain] = _("it was cut off in a way that no sealed entry bears out.")
            found.known.setdefault(chain, Cut(0, ""))
    return found


def so_far() -> list[tuple[Any, ...]]:
    """Changes when something is cut off, and with each piece of it that is deleted."""
    first = AuditEntry.objects.filter(chain=OuterRef("chain")).order_by("seq").values("seq")[:1]
    rows = AuditCut.objects.annotate(first=Subquery(first)).order_by("pk").values_list("pk", "seq", "first")
    try:
        return list(rows)
    except DatabaseError:  # rows that cannot be read: whoever goes through them names them
        return []


def as_data(cuts: Mapping[str, Cut]) -> dict[str, list[Any]]:
    """As the entry has them."""
    return {chain: [cut.seq, cut.mac] for chain, cut in cuts.items()}


def _sealed(keys: Mapping[str, bytes]) -> dict[str, Cut]:
    """The cuts that the newest entry of a cut names whose seal fits."""
    rows = AuditEntry.objects.filter(chain=Chain.PANEL, action=AuditAction.LOG_CUT).order_by("-seq")
    for sealed, mac in rows.values_list("sealed", "mac")[:10]:
        try:
            content = json.loads(sealed)
            key = keys[content["kid"]]
            named = {chain: Cut(int(seq), str(at)) for chain, (seq, at) in content["data"]["cuts"].items()}
        except (ValueError, TypeError, KeyError, AttributeError):
            continue
        is_its_place = content.get("chain") == Chain.PANEL and content.get("action") == AuditAction.LOG_CUT
        if is_its_place and chains.mac(key, sealed) == mac:
            return named
    return {}


__all__ = ["Believed", "Cut", "as_data", "believed", "so_far"]
