"""TEMPORARY: screenshots to look at."""
import os
import pytest
from membership.models import *
from membership.services import removal
from membership.vocab import Role

SHOTS = os.environ.get("SHOTS", "/tmp/shots")

def test_look(world, owner, visit):
    world.read()
    person = world.link("Ada Lovelace", world.account("Ada Lovelace", world.inwendo), world.account("Ada Lovelace", world.mudbase), world.account("Ada Lovelace", world.kaiten)) if 0 else None
    change = removal.draft_removal(Participant.objects.all(), actor=owner, selection={"kind":"query","query":"","count":9})
    v = visit(viewport={"width": int(os.environ.get("W","1360")), "height": 900}, color_scheme=os.environ.get("SCHEME","light"))
    page = v.log_in("owner")
    names = {"index": "/", "participants": "/membership/participant/", "groups": "/membership/group/", "accounts": "/membership/account/",
      "people": "/membership/person/", "changes": "/membership/change/", "drift": "/membership/drift/", "audit": "/membership/auditentry/", "systems": "/membership/connection/", "users": "/auth/user/",
      "preview": f"/membership/change/{change.pk}/", "group": f"/membership/group/{Group.objects.first().pk}/", "participant": f"/membership/participant/{Participant.objects.first().pk}/", "account": f"/membership/account/{Account.objects.first().pk}/",
      "system": f"/membership/connection/{world.kaiten.pk}/", "entry": f"/membership/auditentry/{AuditEntry.objects.first().pk}/", "user": f"/auth/user/{owner.pk}/", "newuser": "/auth/user/new/", "password":"/password_change/"}
    only = os.environ.get("ONLY")
    bad = []
    for name, path in names.items():
        if only and name not in only.split(","): continue
        r = page.goto(path)
        page.wait_for_timeout(250)
        if r.status != 200: bad.append((name, r.status))
        page.screenshot(path=f"{SHOTS}/{name}.png", full_page=True)
        b = v.barriers()
        bad += [(name, x) for x in b]
    for b in bad: print(b)
    print(v.console)
    assert not bad
