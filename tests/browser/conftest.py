"""Chromium, and the panel served for it from a thread of this process."""

import os
import shutil

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.staticfiles.handlers import StaticFilesHandler
from django.test import Client
from django.test.testcases import LiveServerThread
from playwright.sync_api import sync_playwright

from tests.conftest import PASSWORD

NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
"""The first is Chromium without its window, which takes a third less of the processor."""
CHROMIUM = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
HURRIED = """
const later = window.setTimeout;
window.setTimeout = (what, after, ...rest) => later(what, after === 1000 || after === 2000 ? 150 : after, ...rest);
"""
"""A page that asks each second or two how things stand asks sooner: a test has nothing else to wait for."""
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]


def pytest_collection_modifyitems(items):
    for item in items:
        if "tests/browser/" in item.nodeid:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def chromium():
    if CHROMIUM is None:
        if os.environ.get("CI", "").lower() in ("1", "true"):
            pytest.fail("Chromium is not installed, and CI may not skip the browser tests.")
        pytest.skip("Chromium is not installed.")
    # Playwright keeps an event loop in this thread, in which Django refuses to use its database otherwise.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture
def panel(fresh_db):
    """Address of the panel."""
    server = LiveServerThread("127.0.0.1", StaticFilesHandler, connections_override={}, port=0)
    server.daemon = True
    server.start()
    server.is_ready.wait()
    if server.error:
        raise server.error
    yield f"http://127.0.0.1:{server.port}"
    server.terminate()


class Visitor:
    """Somebody at the panel. What the browser's console says is kept; a clean one is part of every test."""

    def __init__(self, browser, panel, **options):
        self.panel = panel
        self.context = browser.new_context(base_url=panel, **options)
        self.context.set_default_timeout(15_000)
        self.context.add_init_script(HURRIED)
        self.page = self.context.new_page()
        self.console = []
        self.page.on("console", lambda message: self._note(f"{message.type}: {message.text}", message.type))
        self.page.on("pageerror", lambda error: self.console.append(f"error: {error}"))

    def _note(self, text, kind):
        if kind in ("error", "warning"):
            self.console.append(text)

    def log_in(self, name, password=PASSWORD):
        """By the form, as people do it."""
        self.page.goto("/login/")
        self.page.get_by_label("Log-in name").fill(name)
        self.page.get_by_label("Password").fill(password)
        self.page.get_by_role("button", name="Log in").click()
        self.page.wait_for_url(f"{self.panel}/")
        return self.page

    def enter(self, name):
        """With a session already, for what happens behind the door."""
        client = Client()
        client.force_login(get_user_model().objects.get(username=name), settings.AUTHENTICATION_BACKENDS[-1])
        key = client.cookies[settings.SESSION_COOKIE_NAME].value
        self.context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": key, "url": self.panel}])
        self.page.goto("/")
        return self.page

    def barriers(self, only=None):
        """What keeps people with disabilities out, as axe finds it: empty when all is well."""
        rules = {"type": "rule", "values": only} if only else {"type": "tag", "values": WCAG}
        if not self.page.evaluate("'axe' in window"):
            self.page.evaluate(Axe().axe_script)
        options = {"runOnly": rules, "resultTypes": ["violations"]}
        found = self.page.evaluate("options => axe.run(options)", options)["violations"]
        return [
            f"{each['id']}: {node['html'][:200]} {node['failureSummary']}" for each in found for node in each["nodes"]
        ]


@pytest.fixture
def visit(chromium, panel):
    """`visit(**options)` opens a window of its own."""
    visitors = []

    def make(**options):
        visitors.append(Visitor(chromium, panel, **options))
        return visitors[-1]

    yield make
    consoles = [line for visitor in visitors for line in visitor.console]
    for visitor in visitors:
        visitor.context.close()
    assert consoles == []
