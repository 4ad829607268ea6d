"""Workers that a test starts, stops, goes on with, kills: the test's end of the zygote."""

import itertools
import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from django.conf import settings

from tests.processes import ROOT, database_url


class ForkedWorker:
    def __init__(self, zygote, pid, log, counts):
        self.pid = pid
        self._zygote = zygote
        self._log = log
        self._counts = counts
        self.code = None

    def wait(self, within_s=30):
        """Its exit code, -9 when it was killed. A worker that does not end is a failure."""
        if self.code is None:
            self.code = self._zygote.ask(wait={"pid": self.pid, "within_s": within_s})["code"]
        assert self.code is not None, f"the worker did not end within {within_s} s:\n{self.output}"
        return self.code

    def finish(self, within_s=40):
        """Wait for one that ends by itself."""
        assert self.wait(within_s) == 0, self.output

    def signal(self, number):
        os.kill(self.pid, number)

    def go_on(self):
        self.signal(signal.SIGCONT)

    def kill(self):
        with suppress(ProcessLookupError):
            self.signal(signal.SIGKILL)
        self.wait(10)

    @property
    def is_stopped(self):
        return Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"

    @property
    def output(self):
        return self._log.read_text() if self._log.exists() else ""

    @property
    def passed(self):
        """`{point: times}` of a worker that was armed and ended by itself."""
        return json.loads(self._counts.read_text())


class Zygote:
    def __init__(self, folder):
        self._folder = folder
        self._numbers = itertools.count(1)
        self._running = []
        environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "tests.settings",
            "DATABASE_URL": database_url(),
            "VAR_DIR": str(settings.VAR_DIR),
        }
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.crash.zygote"],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, **question):
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def start(self, plan="", *, until_idle=True, lease_s=2, name="", database=None, beat_s=5.0, clock_s=0, resends=0):
        """`database`: settings that differ from those of this run. `clock_s`: by how much its clock is wrong.
        `resends`: how often a write is sent again at most, where not as often as in life."""
        number = next(self._numbers)
        log, counts = self._folder / f"{number}.log", self._folder / f"{number}.json"
        told = {"plan": plan, "until_idle": until_idle, "lease_s": lease_s, "name": name}
        told |= {"database": database or {}, "beat_s": beat_s, "clock_s": clock_s, "resends": resends}
        pid = self.ask(start={**told, "log": str(log), "counts": str(counts)})["pid"]
        self._running.append(ForkedWorker(self, pid, log, counts))
        return self._running[-1]

    def end_all(self):
        """Leave no worker of a test behind."""
        for worker in self._running:
            if worker.code is None:
                worker.kill()
        self._running.clear()

    def close(self):
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()
