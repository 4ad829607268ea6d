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


def fill(folder):
    """A clone whose lock names no packages, so that it is made quickly."""
    (folder / "tools").mkdir()
    shutil.copy(ROOT / "tools" / "bootstrap.py", folder / "tools")
    for name in ("requirements.lock", "requirements-dev.lock"):
        (folder / name).write_text("")
    return folder


@pytest.fixture
def folder(tmp_path):
    return fill(tmp_path)


@pytest.fixture(scope="module")
def made_once(tmp_path_factory):
    folder = fill(tmp_path_factory.mktemp("made"))
    return folder, bootstrap(folder)


@pytest.fixture
def made(made_once, tmp_path):
    """A clone in which it ran before."""
    return Path(shutil.copytree(made_once[0], tmp_path / "made", symlinks=True))


def bootstrap(folder, what="run", patch="", **environment):
    start = f"sys.argv = ['', {what!r}]; runpy.run_path('tools/bootstrap.py', run_name='__main__')"
    code = f"import runpy, sys\n{patch}\n{start}"
    environment = {key: value for key, value in os.environ.items() if key != "ENV_FILE"} | environment
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, env=environment, capture_output=True, text=True)
    assert "Traceback" not in done.stderr, done.stderr
    return done


def test_the_first_run_makes_an_environment_and_keys(made_once):
    folder, done = made_once
    assert done.returncode == 0, done.stderr
    env = folder / ".env"
    assert stat.S_IMODE(env.stat().st_mode) == 0o600
    values = dict(line.split("=", 1) for line in env.read_text().splitlines() if "=" in line and line[0] != "#")
    assert len(values["SECRET_KEY"]) >= 50
    assert len(base64.urlsafe_b64decode(values["FIELD_KEYS"])) == 32
    assert values["AUDIT_KEYS"].startswith("k1:")
    assert len(base64.urlsafe_b64decode(values["ANCHOR_KEYS"].removeprefix("a1:"))) == 32
    assert not list(folder.glob(".env-*"))


def test_the_second_run_installs_nothing_and_keeps_the_keys(made):
    before = (made / ".env").read_text()
    done = bootstrap(made)
    assert (done.returncode, done.stdout) == (0, "")
    assert (made / ".env").read_text() == before


def test_a_changed_lock_is_installed(made):
    (made / "requirements.lock").write_text("# other\n")
    assert "Installing" in bootstrap(made).stdout


def test_a_broken_environment_is_made_anew(made):
    (made / ".venv" / "bin" / "python").unlink()
    done = bootstrap(made)
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
    hide = "import importlib.util as u; u.find_spec = lambda name, *rest: None"
    assert "python3-venv" in one_sentence(bootstrap(folder, patch=hide))


def test_a_folder_that_is_not_writable_is_told_in_one_sentence(folder):
    refuse = (
        "import tempfile, errno\n"
        "def refuse(*a, **k): raise PermissionError(errno.EACCES, 'Permission denied')\n"
        "tempfile.TemporaryFile = refuse"
    )
    assert "is not writable (Permission denied)" in one_sentence(bootstrap(folder, patch=f"exec({refuse!r})"))


def test_packages_that_cannot_be_installed_are_told_in_one_sentence(made):
    (made / "requirements.lock").write_text("no-such-package==1.0 --hash=sha256:" + "0" * 64 + "\n")
    said = one_sentence(bootstrap(made, PIP_NO_INDEX="1", PIP_CONFIG_FILE=os.devnull))
    assert "requirements.lock could not be installed" in said


def test_it_runs_on_a_bare_python():
    done = subprocess.run([BARE, "-S", "-E", ROOT / "tools" / "bootstrap.py", "--help"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
