"""The whole installation as processes, in a folder of its own."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

import pytest

pytestmark = [pytest.mark.pure, pytest.mark.crash]
ROOT = Path(__file__).resolve().parent.parent.parent
PROFILE = (ROOT / "tests" / "https-profile.env").read_text()


class Installation:
    def __init__(self, folder):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        (folder / "env").write_text(re.sub(r"(?m)^(PUBLIC_URL|DATABASE_URL)=.*\n", "", PROFILE))
        kept = {key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ}
        paths = {"ENV_FILE": str(folder / "env"), "VAR_DIR": str(folder / "var")}
        self.environment = {**kept, **paths, "PORT": str(self.port)}
        self.said = ""
        self.process = None

    def start(self):
        self.said = ""
        self.process = subprocess.Popen(
            [sys.executable, "manage.py", "serve", "--prepare"],
            cwd=ROOT,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        threading.Thread(target=self._listen, args=(self.process,), daemon=True).start()
        assert wait_until(lambda: "Log-in:" in self.said, 60), self.said
        assert wait_until(lambda: self.ask("readyz").get("worker") == "ok", 30), self.said

    def _listen(self, process):
        with process.stdout:
            for line in process.stdout:
                self.said += line

    def ask(self, path):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/{path}", timeout=5) as answer:
                return json.load(answer)
        except OSError:
            return {}

    def children(self):
        """Ids of the processes that the supervisor started."""
        found = []
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                pid, _, rest = stat.read_text().partition(" (")
            except OSError:
                continue
            if int(rest.rpartition(")")[2].split()[1]) == self.process.pid:
                found.append(int(pid))
        return found

    def end(self, number=signal.SIGTERM):
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)
        self.process.wait(15)


@pytest.fixture
def installation(tmp_path):
    made = Installation(tmp_path)
    yield made
    if made.process is not None:
        made.end()


def wait_until(holds, seconds):
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        if holds():
            return True
        time.sleep(0.1)
    return False


def is_gone(pid):
    return not Path(f"/proc/{pid}").exists()


def test_an_installation_that_is_killed_leaves_nothing_behind_and_starts_again(installation):
    installation.start()
    assert "Password:" in installation.said
    children = installation.children()
    assert len(children) == 2
    installation.end(signal.SIGKILL)
    assert wait_until(lambda: all(is_gone(pid) for pid in children), 15)

    installation.start()
    assert "Log-in:     owner" in installation.said
    assert "Password:" not in installation.said  # it keeps its data


def test_a_dead_worker_is_replaced_and_the_panel_answers_meanwhile(installation):
    installation.start()
    before = installation.children()
    worker = next(pid for pid in before if b"worker" in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0"))
    os.kill(worker, signal.SIGKILL)
    assert wait_until(lambda: "worker ended with exit code -9" in installation.said, 10)
    assert installation.ask("readyz")["ready"]
    assert wait_until(lambda: len(installation.children()) == 2 and worker not in installation.children(), 15)
    began = time.monotonic()
    installation.end()
    assert time.monotonic() - began < 10
