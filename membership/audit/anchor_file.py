"""The file that anchors are appended to, outside the database."""

import fcntl
import os
import platform
from collections.abc import Iterator, Sequence
from pathlib import Path

from membership.audit import anchors

_TAIL = 1 << 20
"""Bytes at the end of the file in which its last line stands."""
PREFIX = "file:"


def sink_of(path: Path) -> str:
    """How the row of `AnchorSink` is called that says how far this file of this machine is."""
    return f"{PREFIX}{platform.node()}:{path}"[:200]


def lines(path: Path) -> Iterator[str]:
    """The lines of the file, from the first; a last one that is not whole is left out. Nothing where it is missing."""
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            yield from (line.rstrip("\n") for line in file if line.endswith("\n"))
    except FileNotFoundError:
        return


def last_line(path: Path) -> str | None:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        return _last_line(handle)
    finally:
        os.close(handle)


def append(path: Path, new: Sequence[anchors.Signed], *, after: str | None) -> bool:
    """Add lines at the end, on the disk before this returns. What was begun and broke off before is taken away.

    Raises OSError. Workers of one machine may share the file: it is locked meanwhile. False: its last line is not
    `after` any more, so another one was faster, and nothing was added.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        _drop_torn_line(handle)
        if _last_line(handle) != after:
            return False
        _write(handle, "".join(f"{each.line}\n" for each in new).encode())
        os.fsync(handle)
        return True
    finally:
        os.close(handle)


def _write(handle: int, data: bytes) -> None:
    while data:
        data = data[os.write(handle, data) :]


def _last_line(handle: int) -> str | None:
    size = os.fstat(handle).st_size
    begin = max(0, size - _TAIL)
    whole = os.pread(handle, size - begin, begin).rpartition(b"\n")[0]
    return whole.rpartition(b"\n")[2].decode(errors="replace") or None


def _drop_torn_line(handle: int) -> None:
    size = os.fstat(handle).st_size
    if not size:
        return
    begin = max(0, size - _TAIL)
    tail = os.pread(handle, size - begin, begin)
    if not tail.endswith(b"\n"):
        os.ftruncate(handle, begin + tail.rfind(b"\n") + 1)
