"""Takes old entries off the log, at an anchor, into archives. The one place that deletes entries.

First the archives are written and read back as a stranger would; then a sealed entry says what goes; then the entries
go, piece by piece, each piece in a transaction in which alone the triggers let them. Where it breaks off, the next cut
goes on with it.
"""

import base64
import hashlib
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.db import connections, router, transaction
from django.db.models import Min
from django.utils import timezone

from membership import conf
from membership.audit import anchors, archives, cuts, handing_over, record
from membership.audit.triggers import ENTRIES, PERSONAL
from membership.models import AuditCut, AuditEntry
from membership.vocab import AuditAction, Chain

AT_ONCE = 500
NOBODY = -1
"""Id of a row that never exists: what refers to it cannot be committed."""


class ArchiveBroken(Exception):
    """The archive is not what it should be; nothing was cut off. Its text is what the script said."""


@dataclass(frozen=True, slots=True)
class Archive:
    """What was taken off one chain, and where it is now."""

    chain: str
    first: int
    last: int
    mac: str
    path: Path
    sha256: str

    @property
    def entries(self) -> int:
        return self.last - self.first + 1


def fits(anchor: anchors.Anchor) -> bool:
    """Whether the log has the entries that the anchor names: after an older copy was put back it may not."""
    return all(
        AuditEntry.objects.filter(chain=chain, seq=seq, mac=mac).exists()
        or AuditCut.objects.filter(chain=chain, seq__gte=seq).exists()
        for chain, (seq, mac) in anchor.heads.items()
    )


def cut_at(anchor: anchors.Anchor, *, chains: Sequence[str] = ()) -> list[Archive]:
    """Take off what the anchor covers, from these chains or from all. Call it with a log that is whole.

    Raises `ArchiveBroken` where an archive cannot be read back, OSError where it cannot be written; nothing was cut off
    then.
    """
    finish()
    archives.finish()
    erased_before = _erased()
    written = [
        _archive(chain, first, seq, mac)
        for chain, (seq, mac) in sorted(anchor.heads.items())
        if (not chains or chain in chains) and (first := _first(chain)) is not None and first <= seq
    ]
    if written:
        _record(written, anchor.n, erased_before)
        finish()
    return written


def finish() -> None:
    """Delete what is recorded as cut off and still there."""
    for row in AuditCut.objects.order_by("chain"):
        while _delete_some(row):
            pass


def _first(chain: str) -> int | None:
    first: int | None = AuditEntry.objects.filter(chain=chain).aggregate(first=Min("seq"))["first"]
    return first


def _archive(chain: str, first: int, last: int, mac: str) -> Archive:
    folder = conf.archive_dir()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / archives.name_of(chain, first, last)
    unfinished = path.with_suffix(".jsonl.part")
    entries = AuditEntry.objects.filter(chain=chain, seq__lte=last).order_by("seq")
    lines = handing_over.lines(entries.iterator(chunk_size=AT_ONCE), query=f"archive of {chain}", rows=last - first + 1)
    digest = hashlib.sha256()
    handle = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as file:
        for line in lines:
            data = f"{line.text}\n".encode()
            digest.update(data)
            file.write(data)
        file.flush()
        os.fsync(file.fileno())
    _read_back(unfinished, f"{chain}: {first} to {last}")
    unfinished.replace(path)
    return Archive(chain, first, last, mac, path, digest.hexdigest())


def _read_back(path: Path, expected: str) -> None:
    """Raises `ArchiveBroken` unless the stand-alone script finds exactly these entries, all of them good."""
    command = [sys.executable, str(Path(settings.BASE_DIR) / "tools" / "verify_audit.py"), str(path)]
    for key_id, key in conf.anchor_public_keys().items():
        command += ["--key", f"{key_id}:{base64.urlsafe_b64encode(key.public_bytes_raw()).decode()}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own script
    if done.returncode or expected not in done.stdout.splitlines():
        raise ArchiveBroken((done.stderr or done.stdout).strip()[:500])


def _erased() -> int:
    return AuditEntry.objects.filter(chain=Chain.PANEL, action=AuditAction.PERSON_ERASED).count()


def _record(written: Sequence[Archive], anchor_n: int, erased_before: int) -> None:
    """From here on the entries count as cut off.

    Raises `ArchiveBroken` where somebody was erased since the archives were begun: they may hold that person.
    """
    now = timezone.now()
    with transaction.atomic():
        for archive in written:
            AuditCut.objects.update_or_create(
                chain=archive.chain, defaults={"seq": archive.last, "mac": archive.mac, "at": now}
            )
        known: Mapping[str, cuts.Cut] = {row.chain: cuts.Cut(row.seq, row.mac) for row in AuditCut.objects.all()}
        entry = record.Entry(
            AuditAction.LOG_CUT,
            data={
                "cuts": cuts.as_data(known),
                "anchor": anchor_n,
                "count": sum(archive.entries for archive in written),
                "archives": {each.chain: [each.first, each.last, each.sha256] for each in written},
            },
        )
        record.write(Chain.PANEL, [entry])
        # After the entry, which waits for whoever is about to write another: none can come in between any more.
        if _erased() != erased_before:
            for archive in written:
                archive.path.unlink()
            raise ArchiveBroken("a person was erased meanwhile: cut again")


def _delete_some(row: AuditCut) -> int:
    """Delete the oldest entries up to the cut: the number that went."""
    first = _first(row.chain)
    if first is None or first > row.seq:
        return 0
    last = min(row.seq, first + AT_ONCE - 1)
    using = router.db_for_write(AuditEntry)
    with transaction.atomic(using=using), connections[using].cursor() as cursor:
        AuditCut.objects.filter(pk=row.pk).update(cutting_id=NOBODY)
        within = "chain = %s AND seq <= %s"
        cursor.execute(
            f'DELETE FROM "{PERSONAL}" WHERE entry_id IN (SELECT id FROM "{ENTRIES}" WHERE {within})',  # noqa: S608
            [row.chain, last],
        )
        cursor.execute(f'DELETE FROM "{ENTRIES}" WHERE {within}', [row.chain, last])  # noqa: S608 - our own names
        AuditCut.objects.filter(pk=row.pk).update(cutting_id=None)
    return last - first + 1
