"""Makes the README's pictures: a throwaway panel with the demo, four of its pages, looked at by Chromium.

Needs the development environment and an installed Chromium. Nothing of this folder's own data is touched.
"""

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import IO

from bootstrap import write_env
from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
SHOTS = ROOT / "docs" / "screenshots"
LOADED_WITHIN_S = 180
LARGEST = 200 * 1024
SIZE: ViewportSize = {"width": 1280, "height": 800}
FLAGS = ["--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--font-render-hinting=none", "--disable-quic"]


class Panel:
    """`manage.py serve` with the demo, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        kept = {key: value for key, value in os.environ.items() if key in ("PATH", "HOME", "LANG", "TMPDIR")}
        environment = {
            **kept,
            "ENV_FILE": str(folder / "env"),
            "VAR_DIR": str(folder / "var"),
            "PORT": str(port),
            "TIME_ZONE": "Europe/Berlin",
        }
        write_env(folder / "env")
        self.said = ""
        self.process = subprocess.Popen(  # noqa: S603
            [sys.executable, str(ROOT / "manage.py"), "serve", "--prepare", "--demo=1"],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        threading.Thread(target=self._listen, args=(self.process.stdout,), daemon=True).start()

    def _listen(self, output: IO[str] | None) -> None:
        for line in output or ():
            self.said += line

    def wait_for(self, pattern: str) -> str:
        """What the first group of `pattern` matched in what the panel printed."""
        ends = time.monotonic() + LOADED_WITHIN_S
        while time.monotonic() < ends and self.process.poll() is None:
            if found := re.search(pattern, self.said):
                return found.group(1)
            time.sleep(0.2)
        raise SystemExit(f"the panel did not say {pattern!r}:\n{self.said}")

    def end(self) -> None:
        with contextlib.suppress(ProcessLookupError, subprocess.TimeoutExpired):
            os.killpg(self.process.pid, signal.SIGINT)
            self.process.wait(timeout=15)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)


def main() -> int:
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        raise SystemExit("Chromium is not installed; its path may stand in CHROMIUM.")
    with tempfile.TemporaryDirectory(prefix="musterbook-shots-") as place:
        panel = Panel(Path(place))
        try:
            address = panel.wait_for(r"Musterbook:\s+(\S+)").rstrip("/")
            user, password = panel.wait_for(r"Log-in:\s+(\S+)"), panel.wait_for(r"Password:\s+(\S+)")
            preview = panel.wait_for(r"preview that waits for you: (\S+)")
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
                take(browser, address, user, password, preview)
                browser.close()
        finally:
            panel.end()
    too_large = [path.name for path in sorted(SHOTS.glob("*.png")) if path.stat().st_size > LARGEST]
    for path in sorted(SHOTS.glob("*.png")):
        print(f"{path.relative_to(ROOT)}  {path.stat().st_size // 1024} KB")
    if too_large:
        print(f"larger than {LARGEST // 1024} KB: {', '.join(too_large)}")
    return 1 if too_large else 0


def take(browser: Browser, address: str, user: str, password: str, preview: str) -> None:
    """The preview before, the change after it was confirmed, one of its people, the first page."""
    SHOTS.mkdir(parents=True, exist_ok=True)
    page = browser.new_page(viewport=SIZE, color_scheme="light", base_url=address, reduced_motion="reduce")
    page.goto("/login/")
    page.get_by_label("Log-in name").fill(user)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(f"{address}/")
    page.goto(preview)
    page.get_by_label("Reason").fill("Season ended")
    shoot(page, "preview")
    page.get_by_role("button", name=re.compile(r"^Remove \d+ ")).click()
    page.get_by_text(re.compile(r"^9 of 9 done")).wait_for(timeout=60_000)
    shoot(page, "change")
    page.goto("/membership/person/?q=Ada")
    page.get_by_role("link", name="Ada Lovelace", exact=True).first.click()
    page.get_by_role("heading", name="Ada Lovelace").wait_for()
    shoot(page, "person")
    draft_another(page)
    page.goto("/")
    shoot(page, "overview")


def draft_another(page: Page) -> None:
    """Something that waits, so that the first page has something to say."""
    page.goto("/membership/participant/?group_name=Schach")
    for box in page.get_by_role("checkbox", name=re.compile("^Select [A-ZÄÖÜ]")).all()[1:4]:
        box.check()
    page.get_by_role("button", name=re.compile("^Remove from")).click()
    page.get_by_role("heading", name=re.compile(r"^Remove \d+ people")).wait_for()


def shoot(page: Page, name: str) -> None:
    page.evaluate("document.fonts.ready")
    page.evaluate("document.activeElement && document.activeElement.blur()")
    page.evaluate("window.scrollTo(0, 0)")
    page.mouse.move(0, 0)
    page.screenshot(path=SHOTS / f"{name}.png", animations="disabled", scale="css")


if __name__ == "__main__":
    sys.exit(main())
