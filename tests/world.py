"""Three systems, connected: the ground that tests of the engine, the services and the pages stand on.

Verein Nord (inwendo): Chess club with Ada (manager), Zoë, José.      Board with Ada.
Club app (Mudbase):    Trainers with our own account, Ada, Zoë, Łukasz (admin).
Office (Kaiten):       Группа 2 with Ada (member), Иван (member and manager), Grace (manager, no member).
"""

import threading

from membership.models import Account, Change, Connection, Group, Operation, Participant, Person
from membership.operations.worker import Worker
from membership.sandbox.sandbox import Sandbox
from tests.replay import read_once

MUDBASE_PROJECT = "proj_1"
KAITEN_TOKEN = "token-1"
GROUP_UID = "9f0c0002-0000-4000-8000-000000000002"


class World:
    def __init__(self, sandbox):
        self.sandbox = sandbox
        self._seed_inwendo(sandbox.inwendo.state)
        self._seed_mudbase(sandbox.mudbase.state)
        self._seed_kaiten(sandbox.kaiten.state)
        fast = {"internal": True, "rate_per_s": 1000, "burst": 100, "timeout_s": 2, "settle_s": 0.05}
        self.inwendo = Connection.objects.create(
            provider="inwendo",
            name="Verein Nord",
            base_url=sandbox.inwendo.url,
            options={"auth": "login", "username": "musterbook"},
            secrets={"password": "geheim"},
            **fast,
        )
        self.mudbase = Connection.objects.create(
            provider="mudbase",
            name="Club app",
            base_url=sandbox.mudbase.url,
            options={"project_id": MUDBASE_PROJECT, "org_id": "org_1", "email": "musterbook@club.example"},
            secrets={"password": "geheim"},
            **fast,
        )
        self.kaiten = Connection.objects.create(
            provider="kaiten", name="Office", base_url=sandbox.kaiten.url, secrets={"token": KAITEN_TOKEN}, **fast
        )

    def _seed_inwendo(self, state):
        service = state.add_person("Musterbook", "Service")
        state.add_user("Musterbook", "musterbook", "geheim", crm_person=service.id)
        ada = state.add_person("Ada", "Lovelace", email="ada@example.org")
        zoe = state.add_person("Zoë", "Müller", email="zoe@example.org")
        jose = state.add_person("José", "Ñandú", email="jose@example.org")
        state.add_room("Chess club", id=7)
        state.add_room("Board", id=8)
        state.add_participant(7, id=70, person=ada.id, room_admin=True)
        state.add_participant(7, id=71, person=zoe.id)
        state.add_participant(7, id=72, person=jose.id)
        state.add_participant(8, id=80, person=ada.id, room_admin=True)

    def _seed_mudbase(self, state):
        project = MUDBASE_PROJECT
        state.add_project(project)
        state.add_user(
            "Musterbook",
            "Service",
            project=project,
            id="usr_own",
            email="musterbook@club.example",
            password="geheim",
            role="admin",
        )
        state.add_user("Ada", "Lovelace", project=project, id="usr_ada", email="ada@example.org")
        state.add_user("Zoë", "Müller", project=project, id="usr_zoe", email="zoe@example.org")
        state.add_user("Łukasz", "Żak", project=project, id="usr_lukasz", email="lukasz@example.org")
        state.add_chat("Trainers", project=project, id="chat_2", admin="usr_own")
        state.add_participant("chat_2", "usr_ada")
        state.add_participant("chat_2", "usr_zoe")
        state.add_participant("chat_2", "usr_lukasz", role="admin")

    def _seed_kaiten(self, state):
        own = state.add_user("Musterbook Service", email="musterbook@office.example", own_permissions=1)
        state.issue_token(own.id, token=KAITEN_TOKEN)
        ada = state.add_user("Ada Lovelace", email="ada@example.org", id=3)
        ivan = state.add_user("Иван Петров", email="ivan@example.org", id=4)
        grace = state.add_user("Grace Hopper", email="grace@example.org", id=5)
        state.add_group("Группа 2", uid=GROUP_UID, id=2)
        state.add_member(GROUP_UID, ada.id)
        state.add_member(GROUP_UID, ivan.id)
        state.add_admin(GROUP_UID, ivan.id)
        state.add_admin(GROUP_UID, grace.id)

    @property
    def connections(self):
        return [self.inwendo, self.mudbase, self.kaiten]

    def work(self, *housekeeping, timeout_s=30):
        """Work everything that is due, as the worker does, and no longer."""
        stop, late = threading.Event(), []
        timer = threading.Timer(timeout_s, lambda: (late.append(True), stop.set()))
        timer.start()
        Worker(stop, until_idle=True, housekeeping=housekeeping).run()
        timer.cancel()
        assert not late, f"the worker was not idle after {timeout_s} s"

    def read(self):
        """Read all systems, then forget what the journals say of it."""
        Connection.objects.update(next_reading_at=None)
        read_once(self.sandbox, self.work)
        for server in self.sandbox.servers:
            server.journal.clear()

    def group(self, name):
        return Group.objects.get(name=name)

    def row(self, label, group):
        return Participant.objects.get(label=label, group__name=group)

    def account(self, label, connection):
        return Account.objects.get(label=label, connection=connection)

    def link(self, name, *accounts):
        person = Person.objects.create(name=name)
        Account.objects.filter(pk__in=[account.pk for account in accounts]).update(person=person)
        return person

    def steps(self, change):
        return list(Operation.objects.filter(change=change))

    def state_of(self, change):
        return Change.objects.get(pk=change.pk).state

    def sent(self):
        """The writes at all three wires, as "METHOD /path", sign-ins left out."""
        return {server.kind: server.journal.written for server in self.sandbox.servers}


def make_world():
    sandbox = Sandbox()
    sandbox.start()
    return World(sandbox)
