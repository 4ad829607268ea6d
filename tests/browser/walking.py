"""Walks through the panel as people do them: by what is visible. What was planned is compared with the journals."""

import re
from collections import Counter
from urllib.parse import quote

from playwright.sync_api import expect

from membership.models import Change, Operation
from membership.vocab import OperationState

WIDE = {"viewport": {"width": 1360, "height": 900}}
NEW_ROW = "{id_from_call_1}"


def wide_world(world):
    """The world with a second group in each system, and people of every kind; read."""
    inwendo, mudbase, kaiten = (server.state for server in world.sandbox.servers)
    with inwendo.changing():
        otto = inwendo.add_person("Otto", "Fischer", email="otto@example.org")
        iris = inwendo.add_person("Iris", "Klein", email="iris@example.org")
        inwendo.add_room("Team", id=9)
        inwendo.add_participant(8, id=81, person=otto.id, room_admin=True)
        inwendo.add_participant(9, id=90, person=otto.id, room_admin=True)
        inwendo.add_participant(9, id=91, person=iris.id, room_admin=True, can_write=False, is_muted=True)
    with mudbase.changing():
        mudbase.add_chat("Coaches", project="proj_1", id="chat_3", admin="usr_own")
        mudbase.add_participant("chat_3", "usr_lukasz", role="admin")
    with kaiten.changing():
        kaiten.add_group("Buchhaltung", uid="9f0c0009-0000-4000-8000-000000000009", id=9, permissions=1)
        kaiten.add_member("9f0c0009-0000-4000-8000-000000000009", 4)
        kaiten.add_admin("9f0c0009-0000-4000-8000-000000000009", 4)
    world.read()
    return world


def tick(page, label, group):
    row = page.get_by_role("row").filter(has=page.get_by_role("link", name=label, exact=True))
    row.filter(has=page.get_by_role("link", name=group, exact=True)).get_by_role("checkbox").check()


def choose(page, *names):
    """Tick, on a page that asks, the rows that begin with these words."""
    for name in names:
        box = page.locator("#picks").get_by_role("checkbox").or_(page.locator("#picks").get_by_role("radio"))
        box.and_(page.locator("[name=chosen]")).and_(page.get_by_label(re.compile(rf"^\s*{re.escape(name)}"))).check()


def act(page, name):
    """An action of a list: its button says how many rows are ticked."""
    page.get_by_role("button", name=re.compile(f"^{re.escape(name)} \\(\\d+\\)$")).click()


def go(page, menu):
    page.get_by_role("navigation").get_by_role("link", name=re.compile(f"^{menu}")).first.click()


def confirm(page, world, title, reason="new season"):
    """Confirm the preview that asks `title`, work it, and see it done. Returns the change."""
    expect(page.get_by_role("heading", name=f"{title}?", exact=True)).to_be_visible()
    page.get_by_role("textbox", name="Reason").fill(reason)
    page.get_by_role("button", name=title, exact=True).click()
    expect(page.locator("#live h1")).to_contain_text(title)
    world.work()
    expect(page.locator("#live h1 .mu-tag")).to_have_text("done")
    return Change.objects.latest("pk")


def sent_as_planned(world, change):
    """Whether each journal holds exactly the calls that the change planned; then they are emptied."""
    steps = Operation.objects.filter(change=change).select_related("connection")
    assert {step.state for step in steps} == {OperationState.CONFIRMED}
    for server in world.sandbox.servers:
        planned = [
            f"{call['method']} /{'/'.join(quote(part, safe='') for part in call['path'])}"
            for step in steps
            if step.connection.provider == server.kind
            for call in step.calls
        ]
        seen = Counter(server.journal.written)
        for line in planned:
            pattern = re.compile(re.escape(line).replace(re.escape(quote(NEW_ROW, safe="")), "[0-9]+"))
            found = next((each for each in seen if pattern.fullmatch(each)), None)
            assert found is not None, (line, seen)
            seen -= Counter([found])
        assert not +seen, (server.kind, seen)
        server.journal.clear()
    return True
