"""What `manage.py` says when it cannot begin: one sentence, no traceback."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from membership.management.prepare import hold_folder

pytestmark = pytest.mark.pure
ROOT = Path(__file__).resolve().parent.parent.parent
GOOD = (ROOT / "tests" / "https-profile.env").read_text().replace("https://musterbook.example.org", "http://127.0.0.1")


def manage(tmp_path, *words, env=GOOD, **environment):
    file = tmp_path / "test.env"
    file.write_bytes(env.encode() if isinstance(env, str) else env)
    kept = {key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ}
    done = subprocess.run(
        [sys.executable, "manage.py", *words],
        cwd=ROOT,
        env={**kept, "ENV_FILE": str(file), "VAR_DIR": str(tmp_path / "var"), **environment},
        capture_output=True,
        text=True,
        timeout=60,
        umask=0o022,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done


def sentence(done):
    assert done.returncode != 0
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, lines
    return lines[0]


@pytest.mark.parametrize(
    ("env", "says"),
    [
        ("", "SECRET_KEY is not set"),
        (GOOD.replace("FIELD_KEYS=", "OTHER="), "FIELD_KEYS is not set"),
        (GOOD.replace("FIELD_KEYS=", "FIELD_KEYS=x"), "FIELD_KEYS must be Fernet keys"),
        (GOOD.replace("AUDIT_KEYS=p1:", "AUDIT_KEYS="), "AUDIT_KEYS"),
        (GOOD + "this is no setting\n", "is not of the form NAME=value"),
        (GOOD.encode() + b"NAME=\xff\xfe\n", "cannot be read (UnicodeDecodeError)"),
        (GOOD + "PORT=many\n", "PORT must be a whole number"),
        (GOOD + "LEASE_S=long\n", "LEASE_S must be a number"),
        (GOOD + "BEHIND_PROXY=perhaps\n", "BEHIND_PROXY must be yes or no"),
        (GOOD + "LOG_LEVEL=loud\n", "LOG_LEVEL must be one of"),
        (GOOD + "TIME_ZONE=Mars/Olympus\n", "Mars/Olympus"),
        (GOOD + "PUBLIC_URL=musterbook\n", "PUBLIC_URL must be an address"),
        (GOOD.replace("sqlite://:memory:", "mysql://a@b/c"), "DATABASE_URL must be"),
        (GOOD + "SECRET_KEY_FILE=/nowhere/at/all\n", "SECRET_KEY cannot be read"),
    ],
)
def test_a_broken_env_file_is_said_in_one_sentence(tmp_path, env, says):
    said = sentence(manage(tmp_path, "worker", env=env))
    assert said.startswith("Musterbook cannot start: ")
    assert says in said


def test_the_database_is_made_for_its_owner_alone(tmp_path):
    file = tmp_path / "new.sqlite3"
    assert manage(tmp_path, "showmigrations", "auth", DATABASE_URL=f"sqlite:///{file}").returncode == 0
    assert oct(file.stat().st_mode)[-3:] == "600"


def test_the_environment_outranks_the_file(tmp_path):
    assert "PORT must be" in sentence(manage(tmp_path, "worker", env=GOOD + "PORT=8000\n", PORT="many"))


def test_a_secret_may_come_from_a_file(tmp_path):
    (tmp_path / "key").write_text("x" * 60)
    env = GOOD.replace("SECRET_KEY=", "OTHER=") + f"SECRET_KEY_FILE={tmp_path / 'key'}\n"
    assert manage(tmp_path, "worker", "--help", env=env).returncode == 0


def test_a_taken_port_is_said_with_the_way_out(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        said = sentence(manage(tmp_path, "serve", PORT=str(port)))
    assert f"Port {port} on 127.0.0.1 cannot be used" in said
    assert "make run PORT=" in said


def test_an_address_that_is_not_ours_is_said(tmp_path):
    assert "on 192.0.2.1 cannot be used" in sentence(manage(tmp_path, "serve", BIND="192.0.2.1"))


def test_a_second_start_in_the_same_folder_is_refused(tmp_path):
    with hold_folder(tmp_path / "var"):
        assert f"already running in this folder (process {os.getpid()})" in sentence(manage(tmp_path, "serve"))


def test_a_folder_that_is_not_writable_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    said = sentence(manage(tmp_path, "serve", VAR_DIR=str(tmp_path / "file" / "var")))
    assert "is not writable" in said


def test_a_database_that_was_never_migrated_is_said(tmp_path):
    env = GOOD.replace("sqlite://:memory:", f"sqlite:///{tmp_path / 'empty.sqlite3'}")
    assert "run `manage.py migrate`" in sentence(manage(tmp_path, "sync", env=env))


def test_a_database_server_that_does_not_answer_is_said(tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    env = GOOD.replace("sqlite://:memory:", f"postgres://u:hunter2@127.0.0.1:{port}/x")
    said = sentence(manage(tmp_path, "serve", "--prepare", env=env, PORT="0"))
    assert said.startswith("CommandError: The database cannot be used")
    assert "hunter2" not in said
