"""A leaver, from the person's page to the certificate."""

import json
import re
from pathlib import Path

from playwright.sync_api import expect

from membership.models import Account, Leaving
from membership.services import connections, drafts, leaving, leaving_certificate
from tests.browser.test_pages import look
from tests.browser.walking import WIDE, go
from tests.world import GROUP_UID

WORK = (drafts.compile_ready, leaving.follow_up)


def test_a_leaver_is_followed_over_a_stopped_system_to_the_certificate(world, operator, owner, visit):
    kaiten = world.sandbox.kaiten.state
    with kaiten.changing():
        kaiten.add_user("Zoë Müller", email="zoe@example.org", id=6)
        kaiten.add_member(GROUP_UID, 6)
    world.read()
    world.link("Zoë Müller", *Account.objects.filter(email="zoe@example.org"))
    connections.pause(world.kaiten, reason="moving house", actor=owner)

    visitor = visit(**WIDE)
    page = visitor.enter("operator")
    go(page, "People")
    page.get_by_role("checkbox", name="Select Zoë Müller").check()
    page.get_by_role("button", name=re.compile(r"^Leavers… \(1\)$")).click()
    world.work(*WORK)
    expect(page.get_by_role("heading", name="Zoë Müller: leave everything, 3 groups?")).to_be_visible()
    page.get_by_role("textbox", name="Reason").fill("left the club")
    page.get_by_role("button", name="Zoë Müller: leave everything, 3 groups").click()
    expect(page.locator("#live h1")).to_contain_text("leave everything")
    world.work(*WORK)

    go(page, "Leavers")
    page.get_by_role("link", name="Zoë Müller").click()
    expect(page.get_by_text("The removal from Группа 2 is on its way.")).to_be_visible()
    expect(page.get_by_text("Stopped by owner: moving house")).to_be_visible()
    assert visitor.barriers() == []
    page.get_by_role("link", name="To the person").click()
    expect(page.get_by_role("heading", name="A leaver: what is open")).to_be_visible()

    connections.resume(world.kaiten, actor=owner)
    world.work(*WORK)
    page.reload()
    page.get_by_role("link", name="The certificate").click()
    expect(page.get_by_role("heading", name="Certificate: Zoë Müller is in no group")).to_be_visible()
    expect(page.get_by_role("row", name=re.compile("Группа 2.*DELETE"))).to_be_visible()
    assert visitor.barriers() == []
    with page.expect_download() as downloading:
        page.get_by_role("button", name="Download as JSON").click()
    row = Leaving.objects.get()
    text = Path(downloading.value.path()).read_bytes()
    assert text == leaving_certificate.canonical(row.certificate)
    assert len(json.loads(text)["places"]) == 3
    page.emulate_media(media="print")
    expect(page.get_by_role("navigation").first).to_be_hidden()
    expect(page.get_by_role("button", name="Download as JSON")).to_be_hidden()
    page.emulate_media(media="screen")
    page.set_viewport_size({"width": 390, "height": 800})
    assert look(visitor, "certificate", f"/membership/leaving/{row.pk}/") == []
