"""Every page, as people with and without disabilities meet it: no barriers, a clean console, nothing too wide."""

import pytest

from membership.models import Account, AuditEntry, Connection, Erasure, Group, Participant, Person
from tests.browser.scenes import everything


def addresses(user, changes):
    def page(model, **filters):
        row = model.objects.filter(**filters).order_by("pk").first()
        return f"/{model._meta.app_label}/{model._meta.model_name}/{row.pk}/"

    lists = ("participant", "group", "account", "person", "change", "drift", "auditentry", "connection", "linkproposal")
    return {
        "overview": "/",
        **{f"{name} list": f"/membership/{name}/" for name in lists},
        "search": "/search/?q=a",
        "nothing searched": "/search/",
        "rare filters": "/membership/participant/?read=no&role=member",
        "which system": "/membership/connection/connect/",
        "connect inwendo": "/membership/connection/connect/inwendo/",
        "connect mudbase": "/membership/connection/connect/mudbase/",
        "edit a system": page(Connection, state="paused") + "edit/",
        "guards of all": "/membership/connection/guards/",
        "guards of a system": page(Connection, state="paused") + "guards/",
        "changes that wait": "/membership/change/?waits=me",
        "new credentials": page(Connection, state="paused") + "credentials/",
        "nothing found": "/membership/participant/?q=nobody-is-called-so",
        "user list": "/auth/user/",
        "new user": "/auth/user/new/",
        "user": f"/auth/user/{user.pk}/",
        "own password": "/password_change/",
        "participant": page(Participant, account=None),
        "participant with an end date": page(Participant, account__endings__isnull=False, is_present=True),
        "add people": page(Group, name="Board") + "add_people/",
        "group": page(Group, name="Группа 2"),
        "protected group": page(Group, is_protected=True),
        "account": page(Account, label="Ada Lovelace"),
        "person": page(Person, accounts__isnull=False),
        "protected person": page(Person, is_protected=True),
        "stopped system": page(Connection, state="paused"),
        "slowed system": page(Connection, slowed_reason="throttled"),
        "entry": page(AuditEntry, action="change.requested"),
        "log searched": "/membership/auditentry/?q=action:change+from:7d",
        "timeline": f"/membership/auditentry/of/change/{changes['running'].pk}/",
        "group then": page(Group, name="Группа 2") + "then/?other=2026-01-01",
        "person then": page(Person, accounts__isnull=False) + "then/",
        "erasure": page(Erasure),
        **{f"change {name}": f"/membership/change/{change.pk}/" for name, change in changes.items()},
    }


ON_A_DESKTOP = [
    "overview",
    "guards of all",
    "change waiting",
    "participant list",
    "group",
    "change preview",
    "change running",
    "entry",
]


def look(visitor, name, address):
    """What is wrong with a page: barriers, a width that has to be scrolled, an answer that is no page."""
    answer = visitor.page.goto(address)
    found = [] if answer.status == 200 else [f"status {answer.status}"]
    found += visitor.barriers()
    width = visitor.page.evaluate("document.documentElement.scrollWidth")
    if width > visitor.page.viewport_size["width"]:
        found.append(f"{width} pixels wide")
    return [(name, each) for each in found]


@pytest.mark.timeout(300)
def test_no_page_has_barriers_or_is_wider_than_a_phone_in_the_dark_or_in_the_light(world, owner, visit):
    changes = everything(world, owner)
    visitor = visit(viewport={"width": 360, "height": 740}, color_scheme="dark")
    visitor.enter("owner")
    found = []
    for name, address in addresses(owner, changes).items():
        found += look(visitor, name, address)
        visitor.page.evaluate("document.documentElement.classList.remove('dark')")
        found += [(name, "light", each) for each in visitor.barriers(only=["color-contrast"])]
    assert found == []


def test_no_page_has_barriers_on_a_desktop(world, owner, visit):
    changes = everything(world, owner)
    visitor = visit(viewport={"width": 1360, "height": 900}, color_scheme="light")
    visitor.enter("owner")
    pages = addresses(owner, changes)
    assert [problem for name in ON_A_DESKTOP for problem in look(visitor, name, pages[name])] == []


def test_the_log_in_page_says_what_the_product_does_and_has_no_barriers(visit):
    visitor = visit()
    visitor.page.goto("/login/")
    assert visitor.page.get_by_text("One panel for who is in which group").is_visible()
    assert visitor.barriers() == []


def test_a_failed_log_in_does_not_tell_which_of_the_two_was_wrong(viewer, visit):
    visitor = visit()
    said = []
    for name in ("viewer", "nobody"):
        visitor.page.goto("/login/")
        visitor.page.get_by_label("Log-in name").fill(name)
        visitor.page.get_by_label("Password").fill("wrong")
        visitor.page.get_by_role("button", name="Log in").click()
        said.append(visitor.page.get_by_role("alert").text_content())
    assert said[0] == said[1] == "This name and password do not open the panel."
