"""Reads the whole log and says what does not hold. Memory stays flat, however long the log is."""

import datetime as dt
import hmac
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from django.utils.translation import gettext as _

from membership import conf
from membership.audit import chain as chains
from membership.audit import triggers
from membership.models import AuditEntry, AuditHead, AuditPersonal

_CHUNK = 2000
_SEALED_KEYS = frozenset(
    {"v", "chain", "seq", "prev", "at", "kid", "action", "actor", "refs", "outcome", "data", "personal"}
)


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that does not hold, in words. `entry_id` is None where no entry is left to point at."""

    chain: str
    seq: int | None
    entry_id: int | None
    says: str

    def __str__(self) -> str:
        where = f"{self.chain} #{self.seq}" if self.seq is not None else self.chain
        return f"{where}: {self.says}" if where else self.says


@dataclass(slots=True)
class ChainReport:
    chain: str
    entries: int = 0
    erased: int = 0
    fault: Fault | None = None
    """The first one: what follows a break proves nothing."""


@dataclass(slots=True)
class Report:
    chains: list[ChainReport] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    """Everything found: the first fault of every chain, then what concerns no single chain."""

    @property
    def entries(self) -> int:
        return sum(chain.entries for chain in self.chains)

    @property
    def erased(self) -> int:
        return sum(chain.erased for chain in self.chains)

    @property
    def is_whole(self) -> bool:
        return not self.faults


def verify(*, progress: Callable[[int], None] | None = None) -> Report:
    """Check every entry of every chain. The log may grow meanwhile."""
    report = Report()
    walk = _Walk(report, conf.audit_keys())
    for count, (row, part) in enumerate(_rows(), start=1):
        walk.step(row, part)
        if progress is not None and count % 10_000 == 0:
            progress(count)
    walk.end()
    report.faults = [chain.fault for chain in report.chains if chain.fault is not None]
    report.faults += _lone_personal_parts()
    for name in triggers.missing():
        says = _("The trigger %(name)s is missing, altered or switched off.") % {"name": name}
        report.faults.append(Fault("", None, None, says))
    return report


def _rows() -> Iterator[tuple[AuditEntry, AuditPersonal | None]]:
    """Every entry in the order of its chain, with its personal part."""
    rows = AuditEntry.objects.order_by("chain", "seq", "pk").iterator(chunk_size=_CHUNK)
    while chunk := list(islice(rows, _CHUNK)):
        parts = AuditPersonal.objects.in_bulk([row.pk for row in chunk])
        for row in chunk:
            yield row, parts.get(row.pk)


class _Walk:
    """Goes along the chains, entry by entry.

    Heads are read before the entries and again after each chain, so that entries written meanwhile are no fault: the
    entry that the earlier head names must be there, and the later head must not be behind.
    """

    def __init__(self, report: Report, keys: dict[str, bytes]) -> None:
        self.report = report
        self.keys = keys
        self.heads = {head.chain: head for head in AuditHead.objects.all()}
        self.chain: ChainReport | None = None
        self.head: AuditHead | None = None
        self.seq = 0
        self.mac = ""
        self.mac_at_head = ""

    def step(self, row: AuditEntry, part: AuditPersonal | None) -> None:
        chain = self.chain
        if chain is None or chain.chain != row.chain:
            self._end_chain()
            chain = self._begin_chain(row.chain)
        chain.entries += 1
        sealed = _opened(row.sealed)
        if part is None and sealed.get("personal"):
            chain.erased += 1
        if chain.fault is None:
            says = self._place(row, sealed) or _entry_fault(row, sealed, part, self.keys)
            if says:
                chain.fault = Fault(row.chain, row.seq, row.pk, says)
        self.seq, self.mac = row.seq, row.mac
        if self.head is not None and self.head.seq == row.seq:
            self.mac_at_head = row.mac

    def _begin_chain(self, name: str) -> ChainReport:
        self.chain = ChainReport(name)
        self.report.chains.append(self.chain)
        self.head = self.heads.pop(name, None)
        self.seq, self.mac, self.mac_at_head = 0, "", ""
        return self.chain

    def _place(self, row: AuditEntry, sealed: dict[str, Any]) -> str:
        """What is wrong with where the entry stands."""
        if row.seq <= self.seq:
            return _("there are two entries of this number.")
        if row.seq != self.seq + 1:
            return _("missing before it: %(which)s.") % {"which": _numbers(self.seq + 1, row.seq - 1)}
        if sealed and sealed.get("prev") != self.mac:
            return _("it does not continue the entry before it.")
        return ""

    def _end_chain(self) -> None:
        if self.chain is None or self.chain.fault is not None:
            return
        now = AuditHead.objects.filter(chain=self.chain.chain).first()
        says = ""
        if now is None:
            says = _("the chain has entries and no head.")
        elif self.head is not None and self.head.seq > self.seq:
            says = _("missing at its end: %(which)s.") % {"which": _numbers(self.seq + 1, self.head.seq)}
        elif now.seq < self.seq or (now.seq == self.seq and now.mac != self.mac):
            says = _("it ends with entry %(seq)d, but its head says otherwise.") % {"seq": self.seq}
        elif self.head is not None and self.head.mac != self.mac_at_head:
            says = _("its head does not fit entry %(seq)d.") % {"seq": self.head.seq}
        if says:
            self.chain.fault = Fault(self.chain.chain, None, None, says)

    def end(self) -> None:
        self._end_chain()
        for head in self.heads.values():
            fault = None
            if head.seq:
                says = _("missing: %(which)s.") % {"which": _numbers(1, head.seq)}
                fault = Fault(head.chain, None, None, says)
            self.report.chains.append(ChainReport(head.chain, fault=fault))


def _numbers(first: int, last: int) -> str:
    if first == last:
        return _("entry %(seq)d") % {"seq": first}
    return _("entries %(first)d to %(last)d") % {"first": first, "last": last}


def fault_of(row: AuditEntry, part: AuditPersonal | None) -> str:
    """What is wrong with one entry by itself, in words; empty when nothing is."""
    return _entry_fault(row, _opened(row.sealed), part, conf.audit_keys())


def _entry_fault(row: AuditEntry, sealed: dict[str, Any], part: AuditPersonal | None, keys: dict[str, bytes]) -> str:
    if not sealed.keys() >= _SEALED_KEYS or not isinstance(sealed["refs"], dict):
        return _("its sealed part cannot be read.")
    key = keys.get(str(sealed["kid"]))
    if key is None:
        return _("it was sealed with the key “%(key)s”, which is not in AUDIT_KEYS.") % {"key": sealed["kid"]}
    if not hmac.compare_digest(chains.mac(key, row.sealed), row.mac.encode("ascii", "replace").decode()):
        return _("its seal does not fit: it was altered, or sealed without the key.")
    for name, value in _columns(row).items():
        if value != _sealed_value(sealed, name):
            return _("its column “%(name)s” was altered.") % {"name": name}
    if part is not None and not _fits(part, sealed["personal"]):
        return _("its personal part was altered.")
    return ""


def _fits(part: AuditPersonal, committed: str | None) -> bool:
    try:
        return committed is not None and chains.commitment(part.salt, part.data, part.text) == committed
    except ValueError:
        return False


def _columns(row: AuditEntry) -> dict[str, Any]:
    """What lists and filters read, as the sealed part has it."""
    columns: dict[str, Any] = {f"{name}_id": getattr(row, f"{name}_id") for name in chains.REFS}
    columns |= {"chain": row.chain, "seq": row.seq, "action": row.action, "outcome": row.outcome}
    columns |= {"actor_id": row.actor_id, "at": chains.stamp(row.at) if isinstance(row.at, dt.datetime) else None}
    return columns


def _sealed_value(sealed: dict[str, Any], column: str) -> Any:
    if column == "actor_id":
        return sealed["actor"]
    if column.endswith("_id"):
        return sealed["refs"].get(column.removesuffix("_id"))
    return sealed[column]


def _opened(sealed: str) -> dict[str, Any]:
    try:
        opened = json.loads(sealed)
    except (ValueError, RecursionError):
        return {}
    return opened if isinstance(opened, dict) else {}


def _lone_personal_parts() -> list[Fault]:
    lone = AuditPersonal.objects.exclude(pk__in=AuditEntry.objects.values("pk")).order_by("pk")
    return [
        Fault("", None, None, _("A personal part belongs to entry %(id)d, which does not exist.") % {"id": pk})
        for pk in lone.values_list("pk", flat=True)[:100]
    ]
