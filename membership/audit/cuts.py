"""Where chains begin since their older entries went into an archive, and whether that was so recorded.

A cut stands in `AuditCut`, where the triggers look, and sealed in the newest `log.cut` entry of the panel's chain,
which names the cuts of all chains: a row that no entry bears out is a deletion like any other.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Exists, OuterRef, Q, Subquery, TextField
from django.db.models.functions import Cast
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
        rows = {chain: Cut(seq, mac) for chain, seq, mac in AuditCut.objects.values_list("chain", "seq", "mac")}
        if rows == found.known:
            break
    for chain in {*rows, *found.known}:
        if rows.get(chain) != found.known.get(chain):
            found.faults[chain] = _("it was cut off in a way that no sealed entry bears out.")
            found.known.setdefault(chain, Cut(0, ""))
    for chain in AuditCut.objects.exclude(cutting_id=None).values_list("chain", flat=True):
        # Of a cut that is being made nobody else sees that: it is taken back before the commit.
        says = _("its entries can be deleted: somebody left open what a cut opens for a moment.")
        found.faults.setdefault(chain, says)
    return found


def not_cut_off() -> Q:
    """The entries that stay. Those of a cut go piece by piece, and of a piece that is left nothing could be shown."""
    return ~Q(Exists(AuditCut.objects.filter(chain=OuterRef("chain"), seq__gte=OuterRef("seq"))))


def so_far() -> list[tuple[Any, ...]]:
    """Changes when something is cut off, and with each piece of it that is deleted."""
    first = AuditEntry.objects.filter(chain=OuterRef("chain")).order_by("seq").values("seq")[:1]
    as_it_is = Cast(Subquery(first), TextField())  # a number that was altered may be none
    return list(AuditCut.objects.annotate(first=as_it_is).order_by("pk").values_list("pk", "seq", "first"))


def as_data(cuts: Mapping[str, Cut]) -> dict[str, list[Any]]:
    """As the entry has them."""
    return {chain: [cut.seq, cut.mac] for chain, cut in cuts.items()}


def _sealed(keys: Mapping[str, bytes]) -> dict[str, Cut]:
    """The cuts that the newest entry of a cut names whose seal fits."""
    rows = AuditEntry.objects.filter(chain=Chain.PANEL, action=AuditAction.LOG_CUT).order_by("-seq")
    for sealed, mac in rows.values_list("sealed", "mac")[:10]:
        entry = chains.opened(sealed, mac, keys)
        if entry and (entry["chain"], entry["action"]) == (Chain.PANEL, AuditAction.LOG_CUT):
            return {chain: Cut(seq, at) for chain, (seq, at) in entry["data"]["cuts"].items()}
    return {}


__all__ = ["Believed", "Cut", "as_data", "believed", "not_cut_off", "so_far"]
