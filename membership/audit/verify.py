"""Reads the whole log and says what does not hold. Memory stays flat, however long the log is.

Stretches of each chain are checked by themselves (`parts.py`), by several processes where there are many, and joined
here; then they are held against what the anchors say (`witness.py`).
"""

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Exists, OuterRef
from django.utils.translation import gettext as _

from membership import conf
from membership.audit import cuts, parallel, parts, rows, triggers, witness
from membership.models import AuditEntry, AuditPersonal
from membership.vocab import AuditAction, Chain

_MOST = (1 << 63) - 1
"""What a column of numbers holds: heads that were altered may say more together."""


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
    begins_after: int = 0
    """Entries up to this one were cut off and put into an archive, or were not looked at."""


@dataclass(slots=True)
class Report:
    chains: list[ChainReport] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    """Everything found: the first fault of every chain, then what concerns no single chain."""
    anchors: int = 0
    anchored_at: str = ""
    """When the newest anchor was made; empty: there is none."""
    notes: list[str] = field(default_factory=list)

    @property
    def entries(self) -> int:
        return sum(chain.entries for chain in self.chains)

    @property
    def erased(self) -> int:
        return sum(chain.erased for chain in self.chains)

    @property
    def is_whole(self) -> bool:
        return not self.faults


def verify(
    *, progress: Callable[[int], None] | None = None, since: int | None = None, processes: int | None = None
) -> Report:
    """Check every entry of every chain, and every anchor. The log may grow meanwhile, and be cut off.

    `since`: only what came after that anchor, and that the entries which it names are those that are there.
    `processes`: how many check at once; without, as many as there are processors where it pays.
    """
    while True:
        before = cuts.so_far()
        report = _verify(progress, since, processes)
        if report.is_whole or cuts.so_far() == before:  # else what is missing may have been cut off under our eyes
            return report


def _verify(progress: Callable[[int], None] | None, since: int | None, processes: int | None) -> Report:
    report = Report()
    with closing(witness.listen(since=since)) as heard:
        lost = _walk(report, heard, progress, processes)
        report.faults = [chain.fault for chain in report.chains if chain.fault is not None] + lost
        report.faults += [Fault("anchors", None, None, says) for says in heard.faults]
        report.anchors, report.anchored_at, report.notes = heard.count, heard.last_at, heard.notes
    if since is None:
        report.notes += _parts_that_no_erasure_took(report)
    report.faults += _lone_personal_parts()
    for name in triggers.missing():
        says = _("The trigger %(name)s is missing, altered or switched off.") % {"name": name}
        report.faults.append(Fault("", None, None, says))
    return report


def total() -> int:
    """About how many entries there are to check."""
    with rows.any_text():
        return min(sum(head.seq for head in rows.heads().values() if head.can_be), _MOST)


def _walk(
    report: Report, heard: witness.Witness, progress: Callable[[int], None] | None, processes: int | None
) -> list[Fault]:
    """Gives what concerns no chain that can be: the rest is in the chains' reports."""
    # Heads are read before the entries and again after each chain, so that entries written meanwhile are no fault: the
    # entry that the earlier head names must be there, and the later head must not be behind.
    with rows.any_text():
        heads, ends, cut = rows.heads(), rows.ends(), cuts.believed(conf.audit_keys())
        lost = [
            Fault("", None, rows.one_of(name), _("its chain is called as none can be."))
            for name in ends
            if not rows.is_text(name)
        ]
    names = sorted(filter(rows.is_text, {*heads, *ends, *heard.chains(), *cut.known}))
    joiners = {name: _Joiner(name, heads.get(name), cut.known.get(name), heard) for name in names}
    stretches = (stretch for name in names for stretch in joiners[name].stretches(ends.get(name, (None, 0))[0]))
    done = 0
    with parallel.checking(conf.audit_keys(), sum(count for _last, count in ends.values()), processes) as check:
        for stretch, found in check(stretches):
            joiners[stretch.chain].join(found)
            done += found.entries
            if progress is not None and found.entries:
                progress(done)
    with rows.any_text():
        report.chains = [joiners[name].end() for name in names]
    for name, says in cut.faults.items():
        if name not in joiners:
            lost.append(Fault("", None, None, says))
        elif joiners[name].report.fault is None:
            joiners[name].report.fault = Fault(name, None, None, says)
    return lost


class _Joiner:
    """Joins the stretches of one chain, in order."""

    def __init__(self, name: str, head: rows.Head | None, cut: cuts.Cut | None, heard: witness.Witness) -> None:
        self.report = ChainReport(name)
        self._head, self._cut, self._heard = head if head and head.can_be else None, cut, heard
        self._start: tuple[int, str] | None = heard.starts.get(name)
        if self._start and cut and self._start[0] <= cut.seq:
            self._start = None
        self._seq, self._mac = (cut.seq, cut.mac) if cut else (0, "")
        self._named = self._start[0] - 1 if self._start else self._seq
        """Up to here an anchor bore the entries out."""
        self._id = 0
        self._began = False

    def stretches(self, last: object) -> Iterator[parts.Stretch]:
        """Where to look. The first and the last are open: numbers that cannot be are looked at, too.

        Each ends by the entries that there are: a number beyond all would make too many.
        """
        name, begin, goes_on = self.report.chain, self._start[0] if self._start else None, True
        while goes_on:
            after: Any = None
            if isinstance(last, int) and last - (begin or 1) >= parts.SIZE:
                after = rows.number_after(name, begin, parts.SIZE)
            goes_on = isinstance(after, int) and isinstance(last, int) and after <= last
            until = after - 1 if goes_on else None
            wanted = {seq for seq, _mac, _n in self._heard.heads(name, begin, until)}
            wanted |= {row.seq for row in (self._head, self._cut) if row is not None}
            yield parts.Stretch(name, begin, until, frozenset(wanted))
            begin = after

    def join(self, found: parts.Found) -> None:
        report = self.report
        report.entries += found.entries
        report.erased += found.erased
        if not found.entries or report.fault is not None:
            return
        if not found.first_id and found.fault is not None:  # none of them has a number
            self._fault(*found.fault)
            return
        if not self._began:
            self._begin(found)
        self._continue(found)

    def _begin(self, found: parts.Found) -> None:
        self._began = True
        if self._start is not None:
            self._seq, self._mac = self._start[0] - 1, found.first_prev  # what it follows was checked before
        elif self._cut is not None and found.first_seq <= self._cut.seq:
            self._seq, self._mac = found.first_seq - 1, found.first_prev  # still being cut off
        self.report.begins_after = self._seq

    def _continue(self, found: parts.Found) -> None:
        says = ""
        if found.first_seq <= self._seq:
            says = _("there are two entries of this number.")
        elif found.first_seq != self._seq + 1:
            missing = parts.numbers(self._seq + 1, found.first_seq - 1)
            says = _("missing before it: %(which)s.") % {"which": missing}
        elif found.first_prev != self._mac and not (found.fault and found.fault[1] == found.first_id):
            says = _("it does not continue the entry before it.")
        elif found.first_id <= self._id:
            says = parts.id_altered()
        if says:
            self._fault(found.first_seq, found.first_id, says)
            return
        if found.fault is not None:
            self._hold_against(found, found.sound_seq)
            self._fault(*found.fault)
            return
        self._hold_against(found, found.last_seq)
        self._seq, self._mac, self._id = found.last_seq, found.last_mac, found.last_id

    def _hold_against(self, found: parts.Found, last: int) -> None:
        """Whether the entries up to this number are those that head, cut and anchors name."""
        if self._cut is not None and self._cut.seq in found.macs and found.macs[self._cut.seq] != self._cut.mac:
            self._fault(self._cut.seq, None, _("it is not the entry at which the chain was cut."))
        for seq, mac, n in self._heard.heads(self.report.chain, found.first_seq, last):
            if found.macs.get(seq) != mac:
                begin = min(self._named + 1, seq)
                says = _("anchor %(n)d names another one: what it covers was written anew by somebody with the key.")
                self._fault(begin, None, f"{parts.numbers(begin, seq)}: {says % {'n': n}}")
                return
            self._named = seq
        head = self._head
        if head is not None and head.seq <= last and found.macs.get(head.seq, head.mac) != head.mac:
            self._fault(None, None, _("its head does not fit entry %(seq)d.") % {"seq": head.seq})

    def end(self) -> ChainReport:
        report = self.report
        if report.fault is None:
            says = self._end()
            if says:
                self._fault(None, None, says)
        return report

    def _end(self) -> str:
        name = self.report.chain
        named = self._heard.last_seq(name)
        if not self._began and self._cut is not None:
            self.report.begins_after = self._cut.seq
        now = rows.head(name)
        if now is not None and not now.can_be:
            return _("its head cannot be read.")
        if self._head is not None and self._head.seq > self._seq:
            return _("missing at its end: %(which)s.") % {"which": parts.numbers(self._seq + 1, self._head.seq)}
        if named > self._seq:
            which = parts.numbers(self._seq + 1, named)
            n = next(n for seq, _mac, n in self._heard.heads(name, self._seq + 1) if seq > self._seq)
            says = _("missing at its end: %(which)s; anchor %(n)d names them.")
            return says % {"which": which, "n": n}
        if now is None:
            return _("the chain has entries and no head.") if self._seq else ""
        if now.seq < self._seq or (now.seq == self._seq and now.mac != self._mac):
            return _("it ends with entry %(seq)d, but its head says otherwise.") % {"seq": self._seq}
        if self._cut is not None:
            for seq, mac, _n in self._heard.heads(name, self._cut.seq, self._cut.seq):
                if seq == self._cut.seq and mac != self._cut.mac:
                    return _("it is not cut where its anchor says.")
        return ""

    def _fault(self, seq: int | None, entry_id: int | None, says: str) -> None:
        if self.report.fault is None:
            self.report.fault = Fault(self.report.chain, seq, entry_id, says)


def fault_of(entry: AuditEntry) -> str:
    """What is wrong with one entry by itself, in words; empty when nothing is."""
    row = parts.one(entry.pk)
    return parts.fault(entry.chain, row, parts.opened_row(row), conf.audit_keys()) if row is not None else ""


def _parts_that_no_erasure_took(report: Report) -> list[str]:
    """No fault: who may delete a row of the database may delete these, and the log is none the worse sealed for it."""
    panel = next((chain for chain in report.chains if chain.chain == Chain.PANEL), None)
    if panel is None or panel.begins_after or panel.fault is not None:
        return []  # entries of erasures may be in an archive, or be no ones of ours
    erasures = AuditEntry.objects.filter(chain=Chain.PANEL, action=AuditAction.PERSON_ERASED)
    told = sum(json.loads(sealed)["data"].get("parts", 0) for sealed in erasures.values_list("sealed", flat=True))
    more = report.erased - told
    says = _("Personal parts are missing that no erasure took: %(count)d. Somebody deleted them in the database.")
    return [says % {"count": more}] if more > 0 else []


def _lone_personal_parts() -> list[Fault]:
    # No NOT IN: PostgreSQL goes through all entries anew for each part, once they do not fit into its memory.
    lone = AuditPersonal.objects.filter(~Exists(AuditEntry.objects.filter(pk=OuterRef("pk")))).order_by("pk")
    return [
        Fault("", None, None, _("A personal part belongs to entry %(id)d, which does not exist.") % {"id": pk})
        for pk in lone.values_list("pk", flat=True)[:100]
    ]
