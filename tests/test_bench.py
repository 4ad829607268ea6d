"""The remote that `make bench` measures against: what it does not count or check, no figure proves."""

import http.client
import json

import pytest

from bench.ground import RemoteProcess
from bench.result import Result, medians, ratios

pytestmark = pytest.mark.pure

REMOVAL = ("DELETE", "/api/latest/groups/g1/users/7")
SIGNED = {"Authorization": "Bearer bench"}


@pytest.fixture
def remote():
    started = RemoteProcess()
    yield started
    started.close()


@pytest.fixture
def ask(remote):
    def asked(method, path, *, body=None, headers=SIGNED):
        asking = http.client.HTTPConnection("127.0.0.1", remote.port, timeout=10)
        asking.request(method, path, body and json.dumps(body), headers)
        answer = asking.getresponse()
        found = answer.status, json.loads(answer.read())
        asking.close()
        return found

    return asked


def test_each_effect_counts_once_and_what_is_wrong_is_told(remote, ask):
    remote.reset()
    assert ask(*REMOVAL) == (200, {"id": 7, "full_name": "Person", "activated": True})
    assert ask("POST", "/api/latest/groups/g1/users", body={"user_id": 7})[0] == 200
    assert ask(*REMOVAL)[0] == 400
    assert ask("DELETE", "/api/latest/groups/g1/users/8", headers={})[0] == 400
    assert ask("PUT", "/api/latest/groups/g1/users/8")[0] == 400
    told = remote.stats()
    assert (told["requests"], told["wrong"], told["effects"]) == (5, 3, 2)


def test_beyond_its_limit_it_takes_nothing(remote, ask):
    remote.reset(limit=0.001, burst=1)
    assert ask(*REMOVAL)[0] == 200
    assert ask("DELETE", "/api/latest/groups/g1/users/8")[0] == 429
    told = remote.stats()
    assert (told["throttled"], told["effects"]) == (1, 1)


def test_control_and_subject_take_turns_and_neighbours_are_compared():
    order = []
    values = medians(2, [lambda: order.append("a") or 10.0, lambda: order.append("b") or 5.0])
    assert order == ["a", "b", "a", "b"]
    assert ratios(*values) == (2.0, (2.0, 2.0))


def test_a_result_comes_through_the_pipe_as_it_was():
    result = Result("push", "sqlite", 0.9, "x", "limit 160/s", "worker 144/s", 0.95, (0.9, 0.91))
    assert Result.read(result.line()) == result
    assert not result.is_reached
    assert Result.read("something else") is None
