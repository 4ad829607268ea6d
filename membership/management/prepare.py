"""What `serve` makes sure of before anything is started; each thing that is wrong is said in one sentence."""

import fcntl
import hashlib
import os
import socket
from importlib.metadata import version
from pathlib import Path
from typing import IO

from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import DatabaseError

STATIC_PACKAGES = ("django", "django-unfold", "whitenoise")


def hold_folder(var: Path) -> IO[str]:
    """The lock of this installation's folder, held until the process ends. Raises `CommandError` when it is taken."""
    try:
        var.mkdir(parents=True, exist_ok=True)
        file = (var / "serve.lock").open("a+")
    except OSError as error:
        raise CommandError(f"The folder {var} is not writable ({error.strerror}).") from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.seek(0)
        process = file.read() or "?"
        file.close()
        raise CommandError(f"Musterbook is already running in this folder (process {process}).") from error
    file.truncate(0)
    file.write(str(os.getpid()))
    file.flush()
    return file


def check_port(bind: str, port: int) -> None:
    """Raises `CommandError` when nobody can listen there."""
    try:
        family, _kind, _proto, _name, address = socket.getaddrinfo(bind, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except (OSError, OverflowError) as error:
        said = getattr(error, "strerror", None) or str(error)
        raise CommandError(
            f"Port {port} on {bind} cannot be used ({said}). Choose another one, for instance: make run PORT={port + 1}"
        ) from error


def migrate() -> None:
    try:
        call_command("migrate", interactive=False, verbosity=0)
    except DatabaseError as error:
        raise CommandError(f"The database cannot be used: {' '.join(str(error).split())}") from error


def collect_static() -> None:
    """Gather the static files, unless nothing has changed since the last time."""
    stamp = Path(settings.STATIC_ROOT) / ".collected"
    wanted = _static_fingerprint()
    if stamp.is_file() and stamp.read_text() == wanted:
        return
    call_command("collectstatic", interactive=False, verbosity=0, clear=False)
    stamp.write_text(wanted)


def _static_fingerprint() -> str:
    seen = hashlib.sha256(" ".join(f"{name} {version(name)}" for name in STATIC_PACKAGES).encode())
    for folder in map(Path, settings.STATICFILES_DIRS):
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                seen.update(str(path.relative_to(folder)).encode() + path.read_bytes())
    return seen.hexdigest()
