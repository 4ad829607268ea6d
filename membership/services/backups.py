"""Backup and restore of an installation, for the command line."""

import contextlib
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from django.core.management import call_command
from django.db import DatabaseError, connection, transaction
from django.db.migrations.loader import MigrationLoader
from django.db.models import QuerySet
from django.utils import timezone

from membership import __version__, conf
from membership.audit import anchor_file, anchoring, anchors, record, verify
from membership.audit.chain import stamp
from membership.errors import BadValue, ChangeRefused, Reason
from membership.models import AuditAnchor, Change
from membership.operations import stages
from membership.services import anchor_sinks, audit_checks, backup_file, database_copies, health
from membership.services.backup_file import ANCHORS, DATABASE, KEYS, Manifest
from membership.services.drafts import make_stale
from membership.vocab import AuditAction, Chain, ChangeState

_APP = AuditAnchor._meta.app_label


@dataclass(frozen=True, slots=True)
class Restored:
    manifest: Manifest
    aside: Path | None
    """Where the state before is kept; None: there was none."""
    given_up: int
    """Anchors that held for what came after the backup."""
    held: int
    """Changes that were not done then, and wait now for somebody who looks what was sent of them since."""
    dropped: int
    """Previews of then, and what waited for approval: they can be confirmed or approved no more."""
    report: verify.Report


def back_up(path: Path, *, passphrase: str = "") -> Manifest:
    """Write database and anchors into one file, while everything runs; with a passphrase the keys, too, encrypted.

    An older backup of that name is replaced when the new one is whole. Raises `BadValue` for any other file, OSError
    where it cannot be written.
    """
    backup_file.need_free(path)
    with TemporaryDirectory(dir=path.absolute().parent) as inside:
        folder = Path(inside)
        members = {ANCHORS: folder / ANCHORS, DATABASE: folder / DATABASE}
        # Anchors first: the copy of the database then has every entry that they name.
        members[ANCHORS].write_text("".join(f"{line}\n" for line in anchor_file.lines(conf.anchor_file())))
        database_copies.copy_out(members[DATABASE])
        if passphrase:
            members[KEYS] = folder / KEYS
            backup_file.encrypt_keys(members[KEYS], passphrase)
        at = stamp(timezone.now())
        return backup_file.write(path, members, version=__version__, at=at, vendor=connection.vendor)


def archives_beside() -> Path | None:
    """The folder with archives of the log, which no backup holds; None: there are none."""
    folder = conf.archive_dir()
    return folder if any(folder.glob("*.jsonl")) else None


def take_keys_out(path: Path, target: Path, *, passphrase: str) -> None:
    """Write the keys of a backup as lines for `.env`, for the owner alone. Raises `BadValue` where there are none."""
    with backup_file.opened(path, path.absolute().parent) as (_manifest, members):
        if KEYS not in members:
            raise BadValue(Reason.BACKUP_WITHOUT_KEYS, file=str(path))
        found = backup_file.decrypt_keys(members[KEYS], passphrase)
    handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        file.writelines(f"{name}={value}\n" for name, value in found.items())


def restore(path: Path, *, replace: bool = False, keys_lost: bool = False) -> Restored:
    """Put a backup in the place of the database, bring it to this version, and verify its log.

    Raises `ChangeRefused`, and nothing is changed then: where keys of the backup are not set here and are not said to
    be lost, it is of another kind of database or of a newer version, something is there and `replace` is not said, or
    a worker runs. Whatever else fails before it is recorded, all is as it was.
    """
    with backup_file.opened(path, path.absolute().parent) as (manifest, members):
        missing = _need_fitting(manifest, members[DATABASE], keys_lost)
        is_new = database_copies.is_empty()
        if not is_new:
            _need_quiet(replace)
        aside = database_copies.put_in(members[DATABASE])
        try:
            call_command("migrate", interactive=False, verbosity=0)
            lost = _anchors_ahead()
            held, dropped = _record(manifest, lost, missing)
            _put_anchors(members[ANCHORS])
        except BaseException:
            database_copies.put_back(aside)
            raise
    if is_new:
        aside.unlink(missing_ok=True)
    if lost:
        with contextlib.suppress(anchors.BadAnchor):  # of another installation, or without the key: verifying says it
            anchoring.give_up(lost)
    anchor_sinks.send()
    report = audit_checks.verify_log()
    return Restored(manifest, None if is_new else aside, len(lost), held, dropped, report)


def _need_fitting(manifest: Manifest, database: Path, keys_lost: bool) -> list[str]:
    """The keys that are not set here."""
    if manifest.vendor != connection.vendor:
        raise ChangeRefused(Reason.BACKUP_OF_ANOTHER_KIND, kind=manifest.vendor)
    missing = backup_file.missing_keys(manifest)
    if missing and not keys_lost:
        raise ChangeRefused(Reason.KEYS_MISSING, keys=", ".join(missing))
    known = {name for app, name in MigrationLoader(None).disk_migrations if app == _APP}
    unknown = sorted(database_copies.migrations_in(database, _APP) - known)
    if unknown:
        raise ChangeRefused(Reason.BACKUP_OF_NEWER_VERSION, version=manifest.version, migration=unknown[0])
    return missing


def _need_quiet(replace: bool) -> None:
    if not replace:
        raise ChangeRefused(Reason.DATABASE_NOT_EMPTY)
    try:
        runs = not health.is_worker_silent()
    except DatabaseError:  # damaged, or of another version: no worker works with it
        runs = False
    if runs:
        raise ChangeRefused(Reason.WORKER_RUNS)


def _put_anchors(kept: Path) -> None:
    """The file of anchors is only made where there is none: one that is there may know of more."""
    file = conf.anchor_file()
    if file.exists():
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_name(f"{file.name}.new")
    try:
        shutil.copyfile(kept, unfinished)
        unfinished.chmod(0o600)
        unfinished.replace(file)
    finally:
        unfinished.unlink(missing_ok=True)


def _anchors_ahead() -> list[anchors.Signed]:
    """Anchors of the file that the database does not have: of what came after the backup."""
    last = AuditAnchor.objects.order_by("-n").values_list("n", flat=True).first() or 0
    found = []
    with contextlib.suppress(anchors.BadAnchor):  # a line that was altered: verifying names it
        for line in anchor_file.lines(conf.anchor_file()):
            signed = anchors.parse(line)
            if anchors.content(signed).n > last:
                found.append(signed)
    return found


def _record(manifest: Manifest, lost: list[anchors.Signed], missing: list[str]) -> tuple[int, int]:
    """Record that it was put back, and hold what was not done then, or drop what was not confirmed or approved: how
    many changes of each. The state that was given up may have done them, and somebody may have undone that since."""
    now = timezone.now()
    numbers = [anchors.content(each).n for each in lost]
    entry = record.Entry(
        AuditAction.DATABASE_RESTORED,
        data={
            "made_at": manifest.at,
            "sha256": manifest.sha256[DATABASE],
            "anchors_given_up": [numbers[0], numbers[-1]] if numbers else None,
            **({"keys_lost": missing} if missing else {}),
        },
    )
    with transaction.atomic():
        at = {"at": manifest.at}
        held = [_held(pk, at) for pk in _under_way() if stages.hold(pk, Reason.BACKUP_PUT_BACK, at, now)]
        dropped = [gone for change in _shown() if (gone := _dropped(change, at, now))]
        record.write(Chain.PANEL, [entry, *held, *dropped], at=now)
    return len(held), len(dropped)


def _under_way() -> list[int]:
    rows = Change.objects.filter(state__in=ChangeState.moving(), cancel_wanted_at=None)
    return list(rows.order_by("pk").values_list("pk", flat=True))


def _held(change_id: int, at: Mapping[str, str]) -> record.Entry:
    return record.Entry(AuditAction.CHANGE_PAUSED, change_id=change_id, outcome=Reason.BACKUP_PUT_BACK, data=at)


def _shown() -> QuerySet[Change]:
    """What is compiled later is a plan of today."""
    return Change.objects.filter(state__in=ChangeState.unsent()).exclude(compiled_at=None).order_by("pk")


def _dropped(change: Change, at: Mapping[str, str], now: datetime) -> record.Entry | None:
    Change.objects.filter(pk=change.pk).update(pause_reason=Reason.BACKUP_KNOWS_NO_MORE, pause_params=at)
    return make_stale(change, now=now, why=Reason.BACKUP_KNOWS_NO_MORE, actor=None, data=at)
