"""Does what the README says, as a newcomer would: clones, `make run`, logs in, opens the preview, Ctrl-C, and again.

Standard library alone. Prints one line for each thing that holds; ends with a count and exit code 1 if one does not.
"""

import contextlib
import http.cookiejar
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
USABLE_WITHIN_S = 120
AGAIN_WITHIN_S = 30
ENDS_WITHIN_S = 10


class Run:
    """One `make run` and what it printed."""

    def __init__(self, folder: Path, port: int) -> None:
        environment = {key: value for key, value in os.environ.items() if not key.startswith(("DJANGO", "DATABASE"))}
        self.said = ""
        self.port = port
        self.process = subprocess.Popen(  # noqa: S603
            ["make", "run", f"PORT={port}"],  # noqa: S607
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        for line in self.process.stdout or ():
            self.said += line

    def wait_for(self, pattern: str, seconds: float) -> str:
        """What the first group of `pattern` matched in the output."""
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            if found := re.search(pattern, self.said):
                return found.group(1)
            if self.process.poll() is not None:
                break
            time.sleep(0.2)
        raise AssertionError(f"did not say {pattern!r} in {seconds} s")

    def interrupt(self) -> float:
        """Ctrl-C, as a terminal sends it: to the whole group. Returns the seconds until everything had ended."""
        began = time.monotonic()
        os.killpg(self.process.pid, signal.SIGINT)
        self.process.wait(timeout=ENDS_WITHIN_S + 5)
        return time.monotonic() - began

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(timeout=10)


class Browser:
    """Cookies, forms and pages; no scripts."""

    def __init__(self) -> None:
        jar = http.cookiejar.CookieJar()
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))

    def get(self, url: str) -> tuple[int, str]:
        try:
            with self._opener.open(url, timeout=20) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError as error:
            return 0, str(error)

    def log_in(self, base: str, user: str, password: str) -> tuple[int, str]:
        _status, page = self.get(f"{base}login/")
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
        if token is None:
            return 0, page
        form = {"csrfmiddlewaretoken": token.group(1), "username": user, "password": password, "next": "/"}
        request = urllib.request.Request(  # noqa: S310 - our own address
            f"{base}login/", data=urllib.parse.urlencode(form).encode(), headers={"Referer": f"{base}login/"}
        )
        try:
            with self._opener.open(request, timeout=20) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()


class Report:
    def __init__(self) -> None:
        self.passed = self.failed = 0

    def holds(self, what: str, is_so: bool, detail: object = "") -> None:
        self.passed, self.failed = self.passed + is_so, self.failed + (not is_so)
        print(f"{'ok  ' if is_so else 'FAIL'} {what} {detail}".rstrip(), flush=True)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def is_silent(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def first_time(run: Run, report: Report) -> None:
    began = time.monotonic()
    address = run.wait_for(r"Musterbook:\s+(\S+)", USABLE_WITHIN_S)
    user, password = run.wait_for(r"Log-in:\s+(\S+)", 5), run.wait_for(r"Password:\s+(\S+)", 5)
    preview = run.wait_for(r"preview that waits for you: (\S+)", USABLE_WITHIN_S)
    seconds = time.monotonic() - began
    report.holds("usable within two minutes", seconds < USABLE_WITHIN_S, f"{seconds:.0f} s")
    browser = Browser()
    status, text = browser.get(f"{address}readyz")
    report.holds("/readyz says everything is there", status == 200 and json.loads(text).get("worker") == "ok", text)
    status, _page = browser.get(preview)
    report.holds("nothing is shown without a log-in", "/login/" in _page or status in (302, 403))
    status, page = browser.log_in(address, user, password)
    report.holds("the printed password logs in", status == 200 and "logout" in page, status)
    status, page = browser.get(preview)
    report.holds("the preview waits to be confirmed", status == 200 and "csrfmiddlewaretoken" in page, status)


def main() -> int:
    report = Report()
    with tempfile.TemporaryDirectory(prefix="musterbook-smoke-") as place:
        folder, port = Path(place) / "clone", free_port()
        clone = ["git", "-c", "safe.directory=*", "clone", "--quiet", "--no-hardlinks", str(ROOT), str(folder)]
        subprocess.run(clone, check=True)  # noqa: S603
        run = Run(folder, port)
        try:
            first_time(run, report)
            seconds = run.interrupt()
            report.holds("Ctrl-C ends everything within ten seconds", seconds < ENDS_WITHIN_S, f"{seconds:.1f} s")
            report.holds("nothing listens any more", is_silent(port))
            began = time.monotonic()
            run = Run(folder, port)
            run.wait_for(r"Log-in:\s+(\S+)", AGAIN_WITHIN_S)
            report.holds("starts again in seconds", "Password:  " not in run.said, f"{time.monotonic() - began:.1f} s")
            run.wait_for(r"preview that waits for you: (\S+)", AGAIN_WITHIN_S)
            report.holds("has kept its data", "Installing" not in run.said)
            run.interrupt()
        except (AssertionError, subprocess.TimeoutExpired) as error:
            report.holds("goes as the README says", False, error)
        finally:
            run.kill()
            if report.failed:
                print(run.said, flush=True)
    print(f"{report.passed} passed, {report.failed} failed", flush=True)
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
