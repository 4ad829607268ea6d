"""Real servers, the real door, and credentials in memory: fixtures for the tests of providers and of the wire."""

import time

import pytest

from membership.errors import Reason
from membership.providers import inwendo, kaiten, mudbase
from membership.providers.door import HttpDoor
from membership.providers.errors import ProviderError, Throttled
from membership.sandbox.faults import Fault
from membership.sandbox.sandbox import Sandbox


class MemoryStore:
    """A `CredentialStore` that notes what was asked of it, in order."""

    def __init__(self, **values):
        self.values = values
        self.renewing = False
        self.sign_ins = 0
        self.events = []

    def get(self, key):
        return self.values.get(key, "")

    def begin_renewal(self):
        self.events.append("begin_renewal")
        if self.renewing:
            return False
        self.renewing = True
        return True

    def save(self, values):
        self.events.append(" ".join(["save", *sorted(values)]))
        self.values.update(values)
        self.renewing = False

    def note_sign_in(self):
        self.events.append("note_sign_in")
        self.sign_ins += 1
        if self.sign_ins > 3:
            raise Throttled(Reason.SIGN_IN_TOO_OFTEN, pause_s=60, limit=3)


class Remote:
    """One sandbox server with a provider on it."""

    def __init__(self, module, server, store, options):
        self.server, self.state, self.journal = server, server.state, server.journal
        self.store, self.options = store, options
        self._module = module
        self._doors = []
        self.provider = self.ask()

    def ask(self, store=None, timeout_s=5, **options):
        """Another provider on the same server, with other options or credentials."""
        door = HttpDoor(self.server.url, internal=True, timeout_s=timeout_s, pool_size=2)
        self._doors.append(door)
        return self._module.build(door, store or self.store, {**self.options, **options}, time.time)

    def fault(self, kind, **params):
        return self.server.faults.add(Fault(kind, **params))

    def outcome(self, call, provider=None):
        """The verdict of a call that is sent; else the name of the error and its reason."""
        provider = provider or self.provider
        return outcome(lambda: provider.judge(call, provider.send(call)))

    def outcomes(self, calls, provider=None):
        return [self.outcome(call, provider) for call in calls]

    def close(self):
        for door in self._doors:
            door.close()
        assert self.server.crashes == []


def outcome(action):
    try:
        return action()
    except ProviderError as error:
        return (type(error).__name__, error.reason)


@pytest.fixture
def sandbox():
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def club(sandbox):
    """inwendo: Ada (person 1) and Grace (2) in the chess club (room 1); Ada's row is 11, Grace's, a manager's, 12."""
    state = sandbox.inwendo.state
    state.add_person("Ada", "Lovelace", email="ada@club.example", id=1)
    state.add_person("Grace", "Hopper", id=2)
    state.add_person("Linus", "Bot", id=3)
    state.add_room("Chess club", id=1)
    state.add_room("Board", id=2)
    state.add_participant(1, person=1, id=11)
    state.add_participant(1, person=2, id=12, room_admin=True)
    state.add_user("Panel", "panel", "correct horse", email="panel@club.example", crm_person=3)
    state.add_user("Grace Hopper", "grace", "x", email="grace@club.example", crm_person=2)
    store = MemoryStore(session_id=state.issue_session(1).id, password="correct horse")
    remote = Remote(inwendo, sandbox.inwendo, store, {"auth": "login", "username": "panel"})
    yield remote
    remote.close()


@pytest.fixture
def chat(sandbox):
    """Mudbase: the panel (usr_panel) is admin of "Team" (chat_1) with Ada, a member, and Grace, an admin."""
    state = sandbox.mudbase.state
    state.add_project("proj_1", org="org_1")
    panel = {"id": "usr_panel", "email": "panel@m.example", "password": "correct horse", "role": "admin"}
    state.add_user("Panel", None, project="proj_1", **panel)
    state.add_user("Ada", "Lovelace", project="proj_1", id="usr_ada", email="ada@m.example")
    state.add_user("Grace", "Hopper", project="proj_1", id="usr_grace")
    state.add_user("Joan", "Clarke", project="proj_1", id="usr_joan")
    state.add_chat("Team", project="proj_1", id="chat_1", admin="usr_panel")
    state.add_participant("chat_1", "usr_ada")
    state.add_participant("chat_1", "usr_grace", role="admin")
    tokens = state.sign_in("usr_panel")
    store = MemoryStore(token=tokens.token, refresh_token=tokens.refresh_token, password="correct horse")
    options = {"project_id": "proj_1", "org_id": "org_1", "email": "panel@m.example"}
    remote = Remote(mudbase, sandbox.mudbase, store, options)
    yield remote
    remote.close()


@pytest.fixture
def company(sandbox):
    """Kaiten: in "Design" (g-1) Ada (1) is a member, Grace (2) member and admin, Joan (3) an admin alone; 9 is us."""
    state = sandbox.kaiten.state
    for number, name in ((1, "Ada Lovelace"), (2, "Grace Hopper"), (3, "Joan Clarke"), (4, "Alan Turing")):
        state.add_user(name, id=number, email=f"user{number}@k.example")
    state.add_user("Panel", id=9, own_permissions=1)
    state.add_group("Design", uid="g-1", id=101)
    state.add_member("g-1", 1)
    state.add_member("g-1", 2)
    state.add_admin("g-1", 2)
    state.add_admin("g-1", 3)
    remote = Remote(kaiten, sandbox.kaiten, MemoryStore(token=state.issue_token(9)), {})
    yield remote
    remote.close()
