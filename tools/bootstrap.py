"""What comes before the virtual environment: makes it, and writes `.env`. Standard library alone.

`make run` and `make test` call it. Each thing that can be wrong with the machine is said in one sentence.
"""

import argparse
import base64
import contextlib
import hashlib
import importlib.util
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

OLDEST_PYTHON = (3, 11)
ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
VENV_PYTHON = VENV / "bin" / "python"
LOCKS = {"run": "requirements.lock", "dev": "requirements-dev.lock"}

ENV_TEMPLATE = """\
# Made by `make run`. Every other setting is described in .env.example.
# Without FIELD_KEYS the stored secrets of the systems cannot be read, without AUDIT_KEYS the audit log cannot be
# verified: keep a copy of this file, apart from the copies of the database.
SECRET_KEY={secret_key}
FIELD_KEYS={field_key}
AUDIT_KEYS=k1:{audit_key}
ANCHOR_KEYS=a1:{anchor_key}
"""


class CannotStart(Exception):
    """Its text is the one sentence that the person at the terminal reads."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["run", "dev"], help="run: the panel; dev: tests and checks, too")
    what = parser.parse_args().what
    try:
        check_python()
        check_writable(ROOT)
        make_venv(what)
        if what == "run":
            write_env(Path(os.environ.get("ENV_FILE") or ROOT / ".env"))
    except CannotStart as error:
        print(f"Musterbook cannot start: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def check_python() -> None:
    if sys.version_info < OLDEST_PYTHON:
        wanted = ".".join(map(str, OLDEST_PYTHON))
        raise CannotStart(
            f"it needs Python {wanted} or newer, and {sys.executable} is {sys.version.split()[0]};"
            f" name another one with `make run PYTHON=python{wanted}`."
        )


def check_writable(folder: Path) -> None:
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise CannotStart(f"the folder {folder} is not writable ({error.strerror}).") from error


def make_venv(what: str) -> None:
    """Bring `.venv` to what the lock file says; does nothing where the lock has not changed since."""
    stamp = VENV / f".lock-{what}"
    wanted = fingerprint(what)
    if stamp.is_file() and stamp.read_text().strip() == wanted and has_pip():
        return
    if not has_pip():
        create_venv()
    print(f"Installing what {LOCKS[what]} names into .venv …", flush=True)
    stamp.unlink(missing_ok=True)
    install(ROOT / LOCKS[what])
    stamp.write_text(wanted + "\n")
    if what == "dev":  # the larger lock holds the smaller one, in the same versions
        (VENV / ".lock-run").write_text(fingerprint("run") + "\n")


def fingerprint(what: str) -> str:
    lock = hashlib.sha256((ROOT / LOCKS[what]).read_bytes()).hexdigest()
    return f"{sys.version_info[0]}.{sys.version_info[1]} {lock}"


def has_pip() -> bool:
    """Whether `.venv` is whole: an interrupted start, a moved folder or a vanished Python leaves a broken one."""
    if not VENV_PYTHON.exists():
        return False
    seen = subprocess.run(  # noqa: S603 - our own interpreter
        [str(VENV_PYTHON), "-c", "import pip, sys; print(sys.version_info[0], sys.version_info[1])"],
        capture_output=True,
        text=True,
        check=False,
    )
    return seen.returncode == 0 and seen.stdout.split() == [str(part) for part in sys.version_info[:2]]


def create_venv() -> None:
    # Debian leaves ensurepip out of python3, and venv without it makes nothing of use.
    if importlib.util.find_spec("ensurepip") is None or importlib.util.find_spec("venv") is None:
        package = f"python{sys.version_info[0]}.{sys.version_info[1]}-venv"
        raise CannotStart(
            f"this Python has no venv module; install the package python3-venv (on Debian and Ubuntu:"
            f" apt install {package}) and start again."
        )
    print("Making .venv …", flush=True)
    done = subprocess.run(  # noqa: S603 - this interpreter
        [sys.executable, "-m", "venv", "--clear", str(VENV)], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        shutil.rmtree(VENV, ignore_errors=True)
        said = (done.stderr.strip() or done.stdout.strip() or "nothing was said").splitlines()[-1]
        raise CannotStart(f"the virtual environment could not be made in {VENV}: {said}")


def install(lock: Path) -> None:
    command = [str(VENV_PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    done = subprocess.run(  # noqa: S603 - our own interpreter
        [*command, "--require-hashes", "-r", str(lock)], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip() or "pip said nothing").splitlines()
        why = next((line for line in said if line.startswith("ERROR:")), said[-1])
        raise CannotStart(
            f"the packages in {lock.name} could not be installed; is the package index within reach? pip says: {why}"
        )


def write_env(path: Path) -> None:
    """Write `.env` with fresh keys where there is none: whole or not at all, and for its owner alone."""
    if path.exists():
        return
    text = ENV_TEMPLATE.format(
        secret_key=secrets.token_urlsafe(50), field_key=new_key(), audit_key=new_key(), anchor_key=new_key()
    )
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".env-")  # mkstemp makes it mode 600
        with os.fdopen(handle, "w") as file:
            file.write(text)
        try:
            with contextlib.suppress(FileExistsError):  # somebody was faster: theirs stays
                os.link(name, path)
        finally:
            Path(name).unlink()
    except OSError as error:
        raise CannotStart(f"{path} could not be written ({error.strerror}).") from error
    print(f"Wrote {path.name} with new keys.", flush=True)


def new_key() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()


if __name__ == "__main__":
    sys.exit(main())
