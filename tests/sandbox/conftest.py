"""The sandbox with a clock that tests turn, and a plain HTTP client."""

import http.client
import json
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import pytest

from membership.sandbox import Sandbox

START = 1_767_225_600.0  # 2026-01-01 00:00 UTC


def pytest_collection_modifyitems(items):
    """No test of the sandbox needs a database."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.pure)


@dataclass
class Clock:
    now: float = START

    def __call__(self):
        return self.now


@dataclass
class Reply:
    status: int
    headers: dict
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)


@dataclass
class Caller:
    """One caller of one server, with its own connection and headers."""

    server: object
    headers: dict = field(default_factory=dict)
    timeout: float = 5

    def __post_init__(self):
        self.connection = http.client.HTTPConnection(self.server.host, self.server.port, timeout=self.timeout)

    def __call__(self, method, path, body=None, **headers):
        sent = {**self.headers, **{name.replace("_", "-"): value for name, value in headers.items()}}
        if isinstance(body, dict | list):
            body = json.dumps(body)
            sent["Content-Type"] = "application/json"
        try:
            self.connection.request(method, path, body, sent)
            answer = self.connection.getresponse()
            return Reply(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())
        except Exception:
            self.connection.close()
            raise


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def sandbox(clock):
    with Sandbox(now=clock) as running:
        yield running
    assert [server.crashes for server in running.servers] == [[], [], []]


@pytest.fixture
def caller():
    """Makes callers, and closes their connections."""
    made = []

    def make(server, **headers):
        one = Caller(server, {name.replace("_", "-"): value for name, value in headers.items()})
        made.append(one)
        return one

    yield make
    for one in made:
        one.connection.close()


@pytest.fixture
def inwendo(sandbox, caller):
    """Ada and Bob in the chess club; a signed-in caller."""
    state = sandbox.inwendo.state
    user = state.add_user("Service", "service", "secret", email="service@verein.example")
    chess = state.add_room("Chess club")
    ada = state.add_person("Ada", "Lovelace", email="ada@verein.example")
    bob = state.add_person("Bob", "Byte")
    rows = [state.add_participant(chess.id, person=person.id) for person in (ada, bob)]
    token = state.issue_session(user.id).id
    ask = caller(sandbox.inwendo, x_session_token=token)
    return SimpleNamespace(
        server=sandbox.inwendo, state=state, user=user, chess=chess, ada=ada, bob=bob, rows=rows, token=token, ask=ask
    )


@pytest.fixture
def mudbase(sandbox, caller):
    """A team chat with the service account as its admin, and Ada; a signed-in caller."""
    state = sandbox.mudbase.state
    state.add_project("proj_1", org="org_1", name="Northwind")
    service = state.add_user(
        "Service", "Account", project="proj_1", id="usr_service", email="service@x.example", password="pw", role="admin"
    )
    ada = state.add_user("Ada", "Lovelace", project="proj_1", id="usr_ada", email="ada@x.example", password="ada-pw")
    bob = state.add_user("Bob", "Byte", project="proj_1", id="usr_bob")
    team = state.add_chat("Team", project="proj_1", id="chat_team", admin=service.id)
    state.add_participant(team.id, ada.id)
    chats = "/api/chat/projects/proj_1/chats"
    tokens = state.sign_in(service.id)
    return SimpleNamespace(
        server=sandbox.mudbase,
        state=state,
        service=service,
        ada=ada,
        bob=bob,
        team=team,
        chats=chats,
        participants=f"{chats}/{team.id}/participants",
        tokens=tokens,
        ask=caller(sandbox.mudbase, Authorization=f"Bearer {tokens.token}"),
        anyone=caller(sandbox.mudbase),
    )


@pytest.fixture
def kaiten(sandbox, caller):
    """A group with Ada in it; a caller with access to the section Members."""
    state = sandbox.kaiten.state
    service = state.add_user("Service Account", email="service@x.example", own_permissions=1)
    ada = state.add_user("Ada Lovelace", email="ada@x.example")
    bob = state.add_user("Bob Byte", email="bob@x.example")
    design = state.add_group("Designers")
    state.add_member(design.uid, ada.id)
    token = state.issue_token(service.id)
    return SimpleNamespace(
        server=sandbox.kaiten,
        state=state,
        service=service,
        ada=ada,
        bob=bob,
        design=design,
        api="/api/latest",
        users=f"/api/latest/groups/{design.uid}/users",
        admins=f"/api/latest/groups/{design.uid}/admins",
        token=token,
        ask=caller(sandbox.kaiten, Authorization=f"Bearer {token}"),
    )
