"""One file with everything of an installation but archives of its log: database, anchors, what the keys are, and, if
asked for, the keys.

manifest.json   version, when, kind of database, the keys by id and fingerprint, SHA-256 of the other members
database        a copy of SQLite's file, or a dump of PostgreSQL in its custom format
anchors.jsonl   the anchors of the audit log
keys.json       only with a passphrase: the keys, encrypted with it (scrypt, Fernet)
"""

import base64
import hashlib
import json
import os
import shutil
import tarfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from django.conf import settings

from membership import conf
from membership.errors import BadValue, Reason

MANIFEST, DATABASE, ANCHORS, KEYS = "manifest.json", "database", "anchors.jsonl", "keys.json"
_MEMBERS = (MANIFEST, DATABASE, ANCHORS, KEYS)
_SCRYPT = {"length": 32, "n": 2**15, "r": 8, "p": 1}


@dataclass(frozen=True, slots=True)
class Manifest:
    version: str
    at: str
    vendor: str
    keys: Mapping[str, Sequence[str]]
    """`{setting: [id fingerprint, …]}`; nothing by which a key could be guessed."""
    sha256: Mapping[str, str]


def write(path: Path, members: Mapping[str, Path], *, version: str, at: str, vendor: str) -> Manifest:
    """Put the members into one file, whole or not at all, for its owner alone."""
    made = Manifest(version, at, vendor, fingerprints(), {name: _sha256(member) for name, member in members.items()})
    with TemporaryDirectory(dir=path.absolute().parent) as folder:
        unfinished, manifest = Path(folder) / "backup", Path(folder) / MANIFEST
        manifest.write_text(json.dumps({name: getattr(made, name) for name in Manifest.__slots__}, indent=2))
        handle = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            with tarfile.open(fileobj=file, mode="w:gz", compresslevel=3) as tar:
                for name, member in {MANIFEST: manifest, **members}.items():
                    tar.add(member, arcname=name, recursive=False)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    return made


def need_free(path: Path) -> None:
    """Raises `BadValue` where something else than an older backup would be overwritten: the database, for instance."""
    if not path.exists():
        return
    try:
        with tarfile.open(path, "r:gz") as tar:
            first = tar.next()
    except (OSError, tarfile.TarError, zlib.error, EOFError):
        first = None
    if first is None or first.name != MANIFEST:
        raise BadValue(Reason.FILE_IN_THE_WAY, file=str(path))


@contextmanager
def opened(path: Path, folder: Path) -> Iterator[tuple[Manifest, dict[str, Path]]]:
    """The manifest and the members, unpacked and compared with their digests. Raises `BadValue` for what is none."""
    with TemporaryDirectory(dir=folder) as inside:
        try:
            with tarfile.open(path, "r:gz") as tar:
                members = {name: _unpacked(tar, name, Path(inside)) for name in tar.getnames() if name in _MEMBERS}
            manifest = Manifest(**json.loads(members.pop(MANIFEST).read_text()))
            if manifest.sha256 != {name: _sha256(member) for name, member in members.items()}:
                raise _broken(path, "its parts are not those that were put into it")
        except (OSError, tarfile.TarError, zlib.error, ValueError, KeyError, TypeError, EOFError) as error:
            raise _broken(path, type(error).__name__) from error
        yield manifest, members


def _unpacked(tar: tarfile.TarFile, name: str, folder: Path) -> Path:
    source = tar.extractfile(name)
    if source is None:
        raise ValueError(name)
    with source, (folder / name).open("wb") as target:
        shutil.copyfileobj(source, target)
    return folder / name


def _broken(path: Path, why: str) -> BadValue:
    return BadValue(Reason.BACKUP_BROKEN, file=str(path), why=why)


def fingerprints() -> dict[str, list[str]]:
    """The keys that are set, by id and the beginning of their SHA-256; of those of anchors, which verify with it, of
    the public half."""
    named = {name: value.split(",") for name, value in keys().items()}
    if public := conf.anchor_public_keys():
        named["ANCHOR_KEYS"] = [f"{key_id}:{_text(key)}" for key_id, key in public.items()]
    return {name: [_fingerprint(each) for each in pairs] for name, pairs in named.items()}


def _text(key: Ed25519PublicKey) -> str:
    return base64.urlsafe_b64encode(key.public_bytes_raw()).decode()


def keys() -> dict[str, str]:
    """The keys that are set, as `.env` has them."""
    pairs = {name: ",".join(f"{a}:{b}" for a, b in getattr(settings, name).items()) for name in _PAIRS}
    return {"FIELD_KEYS": ",".join(settings.FIELD_KEYS), **{name: text for name, text in pairs.items() if text}}


_PAIRS = ("AUDIT_KEYS", "ANCHOR_KEYS")


def _fingerprint(key: str) -> str:
    key_id, colon, text = key.rpartition(":")
    return f"{key_id}{colon}{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def missing_keys(manifest: Manifest) -> list[str]:
    """Keys of the backup that are not set here, by setting and id."""
    here = fingerprints()
    # Backups were made that have the private half's.
    here["ANCHOR_KEYS"] = here.get("ANCHOR_KEYS", []) + [
        _fingerprint(":".join(p)) for p in settings.ANCHOR_KEYS.items()
    ]
    return [
        f"{name} {key}" for name, wanted in manifest.keys.items() for key in wanted if key not in here.get(name, ())
    ]


def encrypt_keys(path: Path, passphrase: str) -> None:
    salt = os.urandom(16)
    token = _fernet(passphrase, salt).encrypt(json.dumps(keys()).encode())
    path.write_text(json.dumps({"salt": salt.hex(), "keys": token.decode()}))


def decrypt_keys(path: Path, passphrase: str) -> dict[str, str]:
    """Raises `BadValue` where the passphrase does not fit."""
    found: dict[str, Any] = json.loads(path.read_text())
    try:
        opened = _fernet(passphrase, bytes.fromhex(found["salt"])).decrypt(found["keys"].encode())
    except InvalidToken as error:
        raise BadValue(Reason.PASSPHRASE_WRONG) from error
    decrypted: dict[str, str] = json.loads(opened)
    return decrypted


def _fernet(passphrase: str, salt: bytes) -> Fernet:
    return Fernet(base64.urlsafe_b64encode(Scrypt(salt=salt, **_SCRYPT).derive(passphrase.encode())))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
