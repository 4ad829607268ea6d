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
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.db import connections, router, transaction
from django.db.models import Max, Min
from django.utils import timezone

from membership import conf
from membership.audit import anchors, archives, cuts, erase, handing_over, record, words
from membership.audit.triggers import ENTRIES, PERSONAL
from membership.models import AuditCut, AuditEntry, AuditSpan
from membership.vocab import AuditAction, Chain

AT_ONCE = 500
GAP_S = 0.005  # SQLite has one writer: without a gap a page never gets its turn
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
    """Whether the log has the entries that the anchor names, as the last ones under some anchor.

    After an older copy was put back it may not. Where a cut went through the middle of what one anchor covers, nothing
    could be shown of the rest.
    """
    return all(
        AuditCut.objects.filter(chain=chain, seq__gte=seq).exists()
        or (
            AuditEntry.objects.filter(chain=chain, seq=seq, mac=mac).exists()
            and AuditSpan.objects.filter(chain=chain, last=seq).exists()
        )
        for chain, (seq, mac) in anchor.heads.items()
    )


def cut_at(anchor: anchors.Anchor, *, chains: Sequence[str] = ()) -> list[Archive]:
    """Take off what the anchor covers, from these chains or from all. Call it with a log that is whole.

    Raises `ArchiveBroken` where an archive cannot be read back, OSError where it cannot be written; nothing was cut off
    then.
    """
    finish()
    archives.finish()
    archives.clear()
    decided_before = _decided()
    with ExitStack() as held:
        written = [
            _archive(held, chain, first, seq, mac)
            for chain, (seq, mac) in sorted(anchor.heads.items())
            if (not chains or chain in chains) and (first := _first(chain)) is not None and first <= seq
        ]
        if written:
            _record(written, anchor.n, decided_before)
    finish()
    return written


def finish() -> None:
    """Delete what is recorded as cut off and still there."""
    for row in AuditCut.objects.order_by("chain"):
        while _delete_some(row):
            time.sleep(GAP_S)


def _first(chain: str) -> int | None:
    first: int | None = AuditEntry.objects.filter(chain=chain).aggregate(first=Min("seq"))["first"]
    return first


def _archive(held: ExitStack, chain: str, first: int, last: int, mac: str) -> Archive:
    """Write the archive beside its place, and read it back. It is nobody else's while it is `held`, and gone after."""
    folder = conf.archive_dir()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / archives.name_of(chain, first, last)
    unfinished = archives.unfinished(path)
    entries = AuditEntry.objects.filter(chain=chain, seq__lte=last).order_by("seq")
    lines = handing_over.lines(entries.iterator(chunk_size=AT_ONCE), query=f"archive of {chain}", rows=last - first + 1)
    digest = hashlib.sha256()
    try:
        file = archives.alone(unfinished, held)
    except (BlockingIOError, FileNotFoundError) as error:
        raise ArchiveBroken("another cut is under way") from error
    held.callback(unfinished.unlink, missing_ok=True)
    with file:
        for line in lines:
            data = f"{line.text}\n".encode()
            digest.update(data)
            file.write(data)
        file.flush()
        os.fsync(file.fileno())
    _read_back(unfinished, f"{chain}: {first} to {last}")
    if path.exists() and not archives.hold_the_same(path, unfinished):
        raise ArchiveBroken(f"{path} is there already, and holds other entries: put it elsewhere")
    return Archive(chain, first, last, mac, path, digest.hexdigest())


def _read_back(path: Path, expected: str) -> None:
    """Raises `ArchiveBroken` unless the stand-alone script finds exactly these entries, all of them good."""
    command = [sys.executable, str(Path(settings.BASE_DIR) / "tools" / "verify_audit.py"), str(path)]
    for key_id, key in conf.anchor_public_keys().items():
        command += ["--key", f"{key_id}:{base64.urlsafe_b64encode(key.public_bytes_raw()).decode()}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own script
    if done.returncode or expected not in done.stdout.splitlines():
        raise ArchiveBroken((done.stderr or done.stdout).strip()[:500])


def _decided(before: int | None = None) -> int | None:
    """The newest entry, before that one, of an erasure or a cut: what was archived before it may be out of date."""
    rows = AuditEntry.objects.filter(chain=Chain.PANEL, action__in=(AuditAction.PERSON_ERASED, AuditAction.LOG_CUT))
    newest: int | None = (rows.filter(pk__lt=before) if before else rows).aggregate(newest=Max("pk"))["newest"]
    return newest


def _record(written: Sequence[Archive], anchor_n: int, decided_before: int | None) -> None:
    """From here on the entries count as cut off, and their archives are in their places.

    Raises `ArchiveBroken` where somebody was erased since the archives were begun, whom they may hold, or something
    was cut off, which they may lack.
    """
    now = timezone.now()
    with transaction.atomic():
        known = {row.chain: cuts.Cut(row.seq, row.mac) for row in AuditCut.objects.all()}
        known |= {archive.chain: cuts.Cut(archive.last, archive.mac) for archive in written}
        entry = record.Entry(
            AuditAction.LOG_CUT,
            data={
                "cuts": cuts.as_data(known),
                "anchor": anchor_n,
                "count": sum(archive.entries for archive in written),
                "archives": {each.chain: [each.first, each.last, each.sha256] for each in written},
            },
        )
        made = record.write(Chain.PANEL, [entry])[0]
        # After the entry, which waits for whoever is about to write another: none can come in between any more.
        if _decided(before=made.pk) != decided_before:
            raise ArchiveBroken("a person was erased, or something cut off, meanwhile: cut again")
        for archive in written:
            AuditCut.objects.update_or_create(
                chain=archive.chain, defaults={"seq": archive.last, "mac": archive.mac, "at": now}
            )
        for archive in written:
            archives.unfinished(archive.path).replace(archive.path)
        _to_disk(conf.archive_dir())


def _to_disk(folder: Path) -> None:
    """The names of its files, too: the entries go only when the archives outlast a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _delete_some(row: AuditCut) -> int:
    """Delete the oldest entries up to the cut: the number that went."""
    first = _first(row.chain)
    if first is None or first > row.seq:
        return 0
    last = min(row.seq, first + AT_ONCE - 1)
    using = router.db_for_write(AuditEntry)
    erase.overwrite(using)  # whoever is erased later is looked for in the log and its archives, not in empty pages
    with transaction.atomic(using=using), connections[using].cursor() as cursor:
        AuditCut.objects.filter(pk=row.pk).update(cutting_id=NOBODY)
        within = "chain = %s AND seq <= %s"
        cursor.execute(
            f'DELETE FROM "{PERSONAL}" WHERE entry_id IN (SELECT id FROM "{ENTRIES}" WHERE {within})',  # noqa: S608
            [row.chain, last],
        )
        cursor.execute(f'DELETE FROM "{ENTRIES}" WHERE {within}', [row.chain, last])  # noqa: S608 - our own names
        AuditCut.objects.filter(pk=row.pk).update(cutting_id=None)
        words.want_merge()
    return last - first + 1
