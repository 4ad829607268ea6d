"""TEMPORARY: screenshots to look at."""
import os
from membership.models import *
from tests.browser.scenes import everything
from tests.browser.test_pages import addresses

SHOTS = os.environ.get("SHOTS", "/tmp/shots")

def test_look(world, owner, visit):
    changes = everything(world, owner)
    v = visit(viewport={"width": int(os.environ.get("W","1360")), "height": int(os.environ.get("H","900"))}, color_scheme=os.environ.get("SCHEME","light"))
    page = v.log_in("owner")
    only = os.environ.get("ONLY")
    bad = []
    for name, path in addresses(owner, changes).items():
        if only and name not in only.split(","): continue
        r = page.goto(path)
        page.wait_for_timeout(250)
        if r.status != 200: bad.append((name, r.status))
        page.screenshot(path=f"{SHOTS}/{name}.png", full_page="H" not in os.environ)
        bad += [(name, x) for x in v.barriers()]
        w = page.evaluate("document.documentElement.scrollWidth")
        if w > v.page.viewport_size["width"]: bad.append((name, "too wide", w))
    for b in bad: print(b)
    print(v.console)
    assert not bad
