"""Secrets are planted wherever there can be some, everything is done with them, and then looked for everywhere."""

import logging

import pytest
from django.db.models import Max

from membership.models import AuditEntry, Connection, Operation, Participant, Person
from membership.sandbox.faults import Fault
from membership.services import alteration, connections, exports, person_report, removal
from membership.services.changes import confirm_change
from membership.vocab import OperationState
from tests import mirrored as m
from tests.conftest import PASSWORD
from tests.services.dump import everything

ROOM = {
    "avatar_token": "planted-avatar-token",
    "ai_prompt": "planted prompt of the assistant",
    "ai_auto_close_secret_word": "planted-word-that-closes",
}
TYPED = {"ai_prompt": "planted and typed at the panel", "ai_auto_close_secret_word": "planted-word-typed"}
OTHERS = {"as a name at the log-in": "planted-password-as-name", "in a field of tomorrow": "planted-field-of-tomorrow"}


def plant(world):
    """`{where: secret}`: of systems, of rooms, of people, and in the mouths of remotes."""
    kaiten, inwendo = world.sandbox.kaiten.state, world.sandbox.inwendo.state
    own = next(user for user in kaiten.users if user.full_name == "Musterbook Service")
    kaiten.issue_token(own.id, token="planted-kaiten-token")
    Connection.objects.filter(pk=world.kaiten.pk).update(secrets={"token": "planted-kaiten-token"})
    inwendo.change_by_hand(71, **ROOM)
    return {
        "a token": "planted-kaiten-token",
        "a password": "geheim",
        **{f"room {name}": value for name, value in ROOM.items()},
        **{f"typed {name}": value for name, value in TYPED.items()},
        **OTHERS,
    }


def echo(world, secrets):
    """Remotes that repeat what they were sent, and tell more than they were asked."""
    body = {
        "message": f"bad token {secrets['a token']}",
        "debug": {"headers": {"Authorization": f"Bearer {secrets['a token']}"}, "x": OTHERS["in a field of tomorrow"]},
        "field_of_tomorrow": OTHERS["in a field of tomorrow"],
    }
    world.sandbox.kaiten.faults.add(Fault("status", method="DELETE", times=1, status=400, body=body))
    page = f"<html>password {secrets['a password']}</html>"
    world.sandbox.mudbase.faults.add(
        Fault("status", method="DELETE", times=1, status=400, body=page, headers=[("Content-Type", "text/html")])
    )


def confirm(world, change, user):
    confirm_change(change, actor=user, reason="told", expected_hash=change.plan_hash)
    world.work()


def use(world, secrets, owner, client):
    """Read, change, be refused, fail, sign in, log in, test: every way by which a secret could get out."""
    world.read()
    zoe = world.row("Zoë Müller", "Chess club")
    assert zoe.secrets["ai_prompt"] == ROOM["ai_prompt"]
    edit = alteration.draft_edit(zoe, TYPED, shown=alteration.shown_state(zoe), actor=owner)
    confirm(world, edit, owner)
    assert Operation.objects.get(change=edit).state == OperationState.CONFIRMED
    echo(world, secrets)
    rows = Participant.objects.filter(label__in=("Ada Lovelace", "Иван Петров", "Łukasz Żak"), is_present=True)
    confirm(world, removal.draft_removal(rows, actor=owner, selection=m.ids(*rows)), owner)
    for system in world.connections:
        Connection.objects.filter(pk=system.pk).update(session={})
        connections.test_connection(Connection.objects.get(pk=system.pk), actor=owner)
    world.read()
    typed = OTHERS["as a name at the log-in"]
    client.post("/login/", {"username": typed, "password": typed})
    client.post("/login/", {"username": "owner", "password": PASSWORD})


def pages(client, world):
    """The pages, also of what went wrong, that show anything of it."""
    of_each = AuditEntry.objects.values("action", "outcome").annotate(newest=Max("pk")).order_by()
    addresses = [f"/membership/auditentry/{row['newest']}/" for row in of_each]
    addresses += [f"/membership/change/{pk}/" for pk in {step.change_id for step in Operation.objects.all()}]
    rows = Participant.objects.filter(group__name="Chess club")
    addresses += [f"/membership/participant/{row.pk}/" for row in rows]
    addresses += [f"/membership/account/{row.account_id}/" for row in rows if row.account_id]
    addresses += [f"/membership/group/{row.group_id}/" for row in rows[:1]]
    addresses += [f"/membership/connection/{system.pk}/" for system in world.connections]
    addresses += [f"/membership/connection/{system.pk}/edit/" for system in world.connections]
    addresses += ["/", "/membership/auditentry/", "/membership/change/", "/membership/drift/", "/nowhere/",
                  "/membership/participant/?q=%00"]  # fmt: skip
    addresses += [f"/membership/auditentry/of/connection/{system.pk}/" for system in world.connections]
    return {address: client.get(address).content.decode() for address in addresses}


def files(client, owner):
    found = {}
    for name in ("participant", "group", "account", "change", "drift", "connection", "auditentry"):
        for format in exports.FORMATS:
            if format != "xlsx":
                answer = client.post(f"/membership/{name}/export/", {"format": format})
                found[f"{name}.{format}"] = b"".join(answer.streaming_content).decode()
    for person in Person.objects.all():
        found[f"report {person.pk}"] = str(person_report.report(person, actor=owner))
    return found


@pytest.mark.timeout(300)
def test_no_secret_is_found_anywhere(world, owner, client, caplog):
    caplog.set_level(logging.DEBUG)
    secrets = plant(world)
    use(world, secrets, owner, client)
    world.link("Zoë", *m.Account.objects.filter(label="Zoë Müller"))
    sessions = {
        f"session {system.name} {name}": value
        for system in Connection.objects.all()
        for name, value in system.session.items()
        if len(value) > 8
    }
    assert len(sessions) >= 2
    places = {
        **{f"table {name}": rows for name, rows in everything().items()},
        **{f"page {address}": page for address, page in pages(client, world).items()},
        **{f"file {name}": text for name, text in files(client, owner).items()},
        "log": caplog.text + "".join(str(record.args) for record in caplog.records),
        "plans": str([(step.calls, step.wanted, step.before) for step in Operation.objects.all()]),
    }
    assert len(places) > 60
    found = [(where, what) for where, text in places.items() for what, secret in {**secrets, **sessions}.items()
             if secret in text]  # fmt: skip
    assert found == []


def test_the_search_would_find_a_secret(world, caplog):
    """The net has no hole: a secret that is written in the open is seen in the dump."""
    Connection.objects.filter(pk=world.kaiten.pk).update(state_params={"said": "planted-in-the-open"})
    assert any("planted-in-the-open" in rows for rows in everything().values())
