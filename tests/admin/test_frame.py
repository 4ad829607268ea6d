"""What all pages share: headers, scripts, log-in and log-out, pages for what is not there."""

import re

import pytest

PAGES = [
    "/",
    "/membership/participant/",
    "/membership/auditentry/",
    "/membership/connection/",
    "/auth/user/",
    "/login/",
]


@pytest.mark.parametrize("address", PAGES)
def test_no_page_has_a_script_of_its_own(as_, client, owner, ada, address):
    page = (client if address == "/login/" else as_(owner)).get(address)
    scripts = re.findall(r"<script[^>]*>", page.content.decode())
    assert scripts
    assert all(" src=" in script for script in scripts)


@pytest.mark.parametrize("address", PAGES)
def test_no_page_reacts_to_events_by_inline_handlers(as_, client, owner, ada, address):
    page = (client if address == "/login/" else as_(owner)).get(address)
    assert not re.findall(r"<[^>]+\son[a-z]+=", page.content.decode())


@pytest.mark.parametrize("address", PAGES)
def test_every_page_forbids_foreign_scripts_and_frames(as_, client, owner, ada, address):
    page = (client if address == "/login/" else as_(owner)).get(address)
    policy = page["Content-Security-Policy"]
    assert "script-src 'self' 'unsafe-eval'" in policy
    assert "frame-ancestors 'none'" in policy
    assert page["X-Frame-Options"] == "DENY"


def test_what_is_not_there_says_so_in_a_sentence(as_, owner):
    page = as_(owner).get("/nothing-of-the-kind/")
    assert page.status_code == 404
    assert "nothing at this address that you may see" in page.content.decode()


@pytest.mark.parametrize("address", ["/membership/", "/auth/"])
def test_the_stock_lists_of_models_lead_to_the_overview(as_, owner, address):
    assert as_(owner).get(address)["Location"] == "/"


def test_logging_out_needs_a_post_and_says_that_it_worked(as_, owner):
    client = as_(owner)
    assert client.get("/logout/").status_code == 405
    assert "You are logged out." in client.post("/logout/").content.decode()
    assert client.get("/")["Location"].startswith("/login/")


def test_times_say_of_which_zone_they_are(as_, viewer, settings):
    settings.TIME_ZONE = "Europe/Berlin"
    assert "Times are those of Europe/Berlin." in as_(viewer).get("/").content.decode()


def test_somebody_without_a_role_is_told_so(as_, make_user):
    user = make_user("new")
    user.is_staff = True
    user.save()
    assert "You have no role at this panel yet." in as_(user).get("/").content.decode()
