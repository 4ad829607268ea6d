"""The archives of the retention cut, and how an erased person leaves them.

An archive is written anew without the personal parts in question. What is sealed stays to the letter, so it verifies
as before; its new digest stands in the sealed entry of the erasure. First the new files are written, then that entry
is committed, then they take the old ones' places. Where it breaks off in between, `finish` goes on with it.
"""

import fcntl
import hashlib
import json
import os
import re
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import IO, Any

from django.utils.translation import gettext as _

from membership import conf
from membership.audit.chain import canonical
from membership.models import AuditCut, AuditEntry
from membership.vocab import AuditAction, Chain

_NEW, _UNFINISHED = ".new", ".part"
_NO_PART = {"salt": None, "data": None, "text": None}

Concerns = Callable[[Mapping[str, Any], str, str], bool]
"""Whether an entry of this sealed part, and this data and text of its personal part, is to lose the latter."""
State = list[tuple[str, int]]


@dataclass(frozen=True, slots=True)
class Rewritten:
    """A new file that waits to take the place of the archive `path`. `parts`: how many personal parts it lacks."""

    path: Path
    sha256: str
    parts: int


def name_of(chain: str, first: int, last: int) -> str:
    """The file that the entries `first` to `last` of a chain are put into."""
    return f"{_slug(chain)}-{first}-{last}.jsonl"


def _slug(chain: str) -> str:
    return re.sub("[^a-z0-9]+", "-", chain)


def missing() -> list[str]:
    """Archives that are not in the folder: somebody took them elsewhere, or deleted them.

    The log knows those of the cuts whose entries it still has. Of older ones it knows how far they reached: numbers
    that no archive holds are named as one.
    """
    there = {path.name for path in conf.archive_dir().glob("*.jsonl")}
    known = set(_known())
    gaps = {
        name_of(chain, first, last) for chain, seq in cut_so_far() for first, last in _gaps(chain, seq, there | known)
    }
    return sorted(gaps | (known - there))


def _gaps(chain: str, cut: int, names: Iterable[str]) -> Iterator[tuple[int, int]]:
    pattern = re.compile(re.escape(_slug(chain)) + r"-(\d+)-(\d+)\.jsonl")
    held = sorted((int(found[1]), int(found[2])) for name in names if (found := pattern.fullmatch(name)))
    next_one = 1
    for first, last in [*held, (cut + 1, cut)]:
        if next_one < first:
            yield next_one, min(first - 1, cut)
        next_one = max(next_one, last + 1)


def _known() -> Iterator[str]:
    cuts = AuditEntry.objects.filter(chain=Chain.PANEL, action=AuditAction.LOG_CUT)
    for sealed in cuts.values_list("sealed", flat=True):
        for chain, (first, last, _digest) in json.loads(sealed)["data"].get("archives", {}).items():
            yield name_of(chain, first, last)


def hold_the_same(one: Path, other: Path) -> bool:
    """Whether the same entries are in both, whatever of their personal parts. False where `one` is no archive."""
    try:
        return all(a == b for a, b in zip_longest(_sealed(one), _sealed(other)))
    except (ValueError, AttributeError):
        return False


def cut_so_far() -> State:
    """Changes when something is cut off: then a look through the archives was not through all of them."""
    return list(AuditCut.objects.order_by("chain").values_list("chain", "seq"))


def rewrite(concerns: Concerns, held: ExitStack) -> list[Rewritten]:
    """Write each archive that holds such parts anew, beside itself: see `put`, or else `drop`. The new files are nobody
    else's while they are `held`.

    Raises OSError where that cannot be done, ValueError where a file is no archive. No archive was touched then.
    """
    finish()
    clear()
    done: list[Rewritten] = []
    try:
        for path in sorted(conf.archive_dir().glob("*.jsonl")):
            places = set(_places(path, concerns))
            if places:
                done.append(Rewritten(path, _write_without(path, places, held), len(places)))
    except BaseException:
        drop(done)
        raise
    return done


def put(rewritten: Sequence[Rewritten]) -> None:
    """The entry that names their digests is committed: they take the places of the old ones."""
    for each in rewritten:
        _new(each.path).replace(each.path)


def drop(rewritten: Sequence[Rewritten]) -> None:
    for each in rewritten:
        _new(each.path).unlink(missing_ok=True)


def unfinished(path: Path) -> Path:
    """Where a cut writes an archive before it is in its place."""
    return path.with_name(f"{path.name}{_UNFINISHED}")


def clear() -> None:
    """What a cut that was killed left unfinished goes: nobody would look for anybody in it."""
    for path in conf.archive_dir().glob(f"*{_UNFINISHED}"):
        with ExitStack() as ours:
            if _is_free(path, ours):
                path.unlink()


def alone(path: Path, held: ExitStack) -> IO[bytes]:
    """The file, empty and open, for its owner alone; nobody else's while it is `held`. Raises OSError where somebody
    else has it, or was just ready with it."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    _lock(handle, path, held)
    os.ftruncate(handle, 0)
    return os.fdopen(handle, "wb", closefd=False)


def finish() -> None:
    """What an erasure left beside the archives goes to its place, if that erasure took place; else it goes."""
    for new in conf.archive_dir().glob(f"*{_NEW}"):
        with ExitStack() as ours:
            if _is_free(new, ours):
                _finish(new)


def _finish(new: Path) -> None:
    path = new.with_suffix("")
    if _digest(new) in _erased_digests(path.name):
        new.replace(path)
    else:
        new.unlink()


def _is_free(path: Path, ours: ExitStack) -> bool:
    """Whether nobody is at the file just now. Nobody is then, until `ours` ends."""
    try:
        _lock(os.open(path, os.O_RDWR), path, ours)
    except OSError:
        return False
    return True


def _lock(handle: int, path: Path, held: ExitStack) -> None:
    """Raises OSError where somebody else has the file, or just had it."""
    held.callback(os.close, handle)
    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    if not os.path.samestat(os.fstat(handle), path.stat()):
        raise FileNotFoundError(path)


def as_data(rewritten: Iterable[Rewritten]) -> dict[str, list[Any]]:
    """As the entry of the erasure has them: `{file: [digest, parts that it lacks now]}`."""
    return {each.path.name: [each.sha256, each.parts] for each in rewritten}


def _new(path: Path) -> Path:
    return Path(f"{path}{_NEW}")


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _erased_digests(name: str) -> set[str]:
    rows = AuditEntry.objects.filter(chain=Chain.PANEL, action=AuditAction.PERSON_ERASED)
    archives = (json.loads(sealed)["data"].get("archives", {}) for sealed in rows.values_list("sealed", flat=True))
    return {each[name][0] for each in archives if name in each}


def _lines(path: Path) -> Iterator[str]:
    with path.open(encoding="utf-8", newline="\n") as file:
        yield from file


def _sealed(path: Path) -> Iterator[str]:
    return (line["sealed"] for line in map(json.loads, _lines(path)) if "sealed" in line)


def _places(path: Path, concerns: Concerns) -> Iterator[int]:
    """Which lines are to lose their personal part."""
    for place, text in enumerate(_lines(path)):
        line = json.loads(text)
        if line.get("salt") is not None and concerns(json.loads(line["sealed"]), line["data"], line["text"]):
            yield place


def _write_without(path: Path, places: Container[int], held: ExitStack) -> str:
    """The archive without the personal parts at `places`, beside it; returns its digest."""
    digest, new = hashlib.sha256(), _new(path)
    try:
        file = alone(new, held)
    except OSError as error:
        raise OSError(_("somebody else is erased just now")) from error
    with file:
        for place, text in enumerate(_lines(path)):
            if place in places:
                data = f"{canonical(json.loads(text) | _NO_PART)}\n".encode()
            elif text.startswith('{"end":'):
                end = json.loads(text)["end"] | {"sha256": digest.hexdigest()}
                data = f"{canonical({'end': end})}\n".encode()
            else:
                data = text.encode()
            digest.update(data)
            file.write(data)
        file.flush()
        os.fsync(file.fileno())
    return digest.hexdigest()
