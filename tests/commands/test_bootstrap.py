import base64
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.pure
ROOT = Path(__file__).resolve().parent.parent.parent
BARE = Path("/usr/bin/python3") if Path("/usr/bin/python3").exists() else Path(sys.executable)


@pytest.fixture
def folder(tmp_path):
    """An installation without packages, so that it is made in a second."""
    (tmp_path / "tools").mkdir()
    shutil.copy(ROOT / "tools" / "bootstrap.py", tmp_path / "tools")
    for name in ("requirements.lock", "requirements-dev.lock"):
        (tmp_path / name).write_text("")
    return tmp_path


def bootstrap(folder, what="run", patch="", **environment):
    code = f"import runpy, sys; {patch}; sys.argv = ['bootstrap.py', {what!r}]; runpy.run_path('tools/bootstrap.py', run_name='__main__')"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env={**os.environ, **environment}, capture_output=True, text=True
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done


def test_the_first_run_makes_an_environment_and_keys(folder):
    done = bootstrap(folder)
    assert done.returncode == 0, done.stderr
    env = folder / ".env"
    assert stat.S_IMODE(env.stat().st_mode) == 0o600
    values = dict(line.split("=", 1) for line in env.read_text().splitlines() if "=" in line and line[0] != "#")
    assert len(values["SECRET_KEY"]) >= 50
    assert len(base64.urlsafe_b64decode(values["FIELD_KEYS"])) == 32
    assert values["AUDIT_KEYS"].startswith("k1:")
    assert not list(folder.glob(".env-*"))


def test_the_second_run_installs_nothing_and_keeps_the_keys(folder):
    bootstrap(folder)
    before = (folder / ".env").read_text()
    done = bootstrap(folder)
    assert (done.returncode, done.stdout) == (0, "")
    assert (folder / ".env").read_text() == before


def test_a_changed_lock_is_installed(folder):
    bootstrap(folder)
    (folder / "requirements.lock").write_text("# other\n")
    assert "Installing" in bootstrap(folder).stdout


def test_a_broken_environment_is_made_anew(folder):
    bootstrap(folder)
    (folder / ".venv" / "bin" / "python").unlink()
    done = bootstrap(folder)
    assert done.returncode == 0
    assert "Making .venv" in done.stdout


def one_sentence(done):
    lines = done.stderr.strip().splitlines()
    assert done.returncode == 1
    assert len(lines) == 1, lines
    assert lines[0].startswith("Musterbook cannot start: ")
    return lines[0]


def test_an_old_python_is_told_in_one_sentence(folder):
    assert "Python 3.11 or newer" in one_sentence(bootstrap(folder, patch="sys.version_info = (3, 9, 2)"))


def test_a_python_without_venv_names_the_package(folder):
    hide = "import importlib.util as u; find = u.find_spec; u.find_spec = lambda n, *a: None if n == 'ensurepip' else find(n, *a)"
    assert "python3-venv" in one_sentence(bootstrap(folder, patch=hide))


def test_a_folder_that_is_not_writable_is_told_in_one_sentence(folder):
    refuse = (
        "import tempfile, errno\n"
        "def refuse(*a, **k): raise PermissionError(errno.EACCES, 'Permission denied')\n"
        "tempfile.TemporaryFile = refuse"
    )
    assert "is not writable (Permission denied)" in one_sentence(bootstrap(folder, patch=f"exec({refuse!r})"))


def test_packages_that_cannot_be_installed_are_told_in_one_sentence(folder):
    (folder / "requirements.lock").write_text("no-such-package==1.0 --hash=sha256:" + "0" * 64 + "\n")
    said = one_sentence(bootstrap(folder, PIP_NO_INDEX="1", PIP_CONFIG_FILE=os.devnull))
    assert "requirements.lock could not be installed" in said


def test_it_runs_on_a_bare_python():
    done = subprocess.run([BARE, "-S", "-E", ROOT / "tools" / "bootstrap.py", "--help"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
