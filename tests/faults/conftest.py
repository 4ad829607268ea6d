"""Doors to misbehaving servers, with short deadlines."""

import time

import pytest

from membership.providers.base import RemoteCall
from membership.providers.door import HttpDoor
from membership.providers.errors import ProviderError
from tests.faults.servers import Authority, RawServer

TIMEOUT_S = 0.5
# No attempt outlives its deadline by more than a tenth; the rest is for busy cores.
SLACK_S = 0.25
LONGEST_S = TIMEOUT_S * 1.1 + SLACK_S

GET = RemoteCall("GET", ("groups", "1"))
POST = RemoteCall("POST", ("groups", "1", "users"), body={"user_id": 7})
PUT = RemoteCall("PUT", ("groups", "1"), body={"name": "Chess"})
DELETE = RemoteCall("DELETE", ("groups", "1", "users", "7"))
CALLS = [pytest.param(call, id=call.method) for call in (GET, POST, PUT, DELETE)]
TOKEN = {"Authorization": "Bearer very-secret-token"}


@pytest.fixture
def serve():
    """`serve(behaviour)` starts a raw server that is stopped after the test."""
    started = []

    def start(behaviour, tls=None):
        server = RawServer(behaviour, tls)
        started.append(server)
        return server

    yield start
    for server in started:
        server.close()


@pytest.fixture
def open_door(request):
    """`open_door(url)` makes a door that is closed after the test. A module's `DOOR_TIMEOUT_S` is its deadline."""
    opened = []
    timeout_s = getattr(request.module, "DOOR_TIMEOUT_S", TIMEOUT_S)

    def make(url, **settings):
        door = HttpDoor(url, **{"internal": True, "timeout_s": timeout_s, "pool_size": 4, **settings})
        opened.append(door)
        return door

    yield make
    for door in opened:
        door.close()


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def fails(request):
    """`fails(function)` is the `ProviderError` it ends with; one that takes too long is a failure of the test."""
    default_s = getattr(request.module, "DOOR_TIMEOUT_S", TIMEOUT_S) * 1.1 + SLACK_S

    def run(function, longest_s=default_s):
        start = time.monotonic()
        with pytest.raises(ProviderError) as caught:
            function()
        assert time.monotonic() - start <= longest_s
        assert "very-secret-token" not in f"{caught.value} {caught.value!r} {caught.value.__cause__!r}"
        return caught.value

    return run
