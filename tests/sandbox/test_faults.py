import http.client
import json
import socket
import threading
import time

import pytest

from membership.sandbox import Fault, Sandbox
from membership.sandbox.faults import KINDS


def remove_ada(kaiten):
    return kaiten.ask("DELETE", f"{kaiten.users}/{kaiten.ada.id}")


def is_in(kaiten):
    return kaiten.state.is_on(kaiten.design.uid, kaiten.ada.id)


def raw(server, path="/nowhere", timeout=2.0):
    """Everything that the server sends until it closes or is silent for a while."""
    found = b""
    with socket.create_connection((server.host, server.port), timeout=timeout) as sock:
        sock.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        try:
            while piece := sock.recv(65_536):
                found += piece
        except OSError:
            pass
    return found


def test_latency_delays_and_changes_nothing(kaiten):
    kaiten.server.faults.add(Fault("latency", seconds=0.1))
    began = time.monotonic()
    assert remove_ada(kaiten).status == 200
    assert time.monotonic() - began >= 0.1


def test_latency_adds_to_other_faults(kaiten):
    kaiten.server.faults.add(Fault("latency", seconds=0.06))
    kaiten.server.faults.add(Fault("status", status=502))
    kaiten.server.faults.add(Fault("latency", seconds=0.06))
    began = time.monotonic()
    assert remove_ada(kaiten).status == 502
    assert time.monotonic() - began >= 0.12


def test_an_answer_can_be_any_status_with_any_body_and_headers(kaiten):
    kaiten.server.faults.add(
        Fault("status", status=503, body={"message": "down"}, headers=[["Retry-After", "7"], ["X-Odd", "1"]])
    )
    reply = remove_ada(kaiten)
    assert (reply.status, reply.json, reply.headers["retry-after"]) == (503, {"message": "down"}, "7")
    assert is_in(kaiten)


def test_a_failure_may_come_after_the_effect(kaiten):
    kaiten.server.faults.add(Fault("status", effect=True))
    assert remove_ada(kaiten).status == 500
    assert not is_in(kaiten)


def test_a_right_answer_can_be_replaced(kaiten):
    kaiten.server.faults.add(Fault("replace", body="[" * 5000, headers=[["Content-Type", "application/json"]]))
    assert remove_ada(kaiten).body == b"[" * 5000
    assert not is_in(kaiten)


def test_kaiten_throttles_with_an_absolute_time_in_its_headers(kaiten, clock):
    kaiten.server.faults.add(Fault("throttle", seconds=3, times=1))
    reply = remove_ada(kaiten)
    assert (reply.status, reply.headers["x-ratelimit-remaining"]) == (429, "0")
    assert int(reply.headers["x-ratelimit-reset"]) == clock.now + 3
    assert is_in(kaiten)
    assert remove_ada(kaiten).status == 200


def test_mudbase_throttles_in_its_body_and_perhaps_in_a_header(mudbase):
    mudbase.server.faults.add(Fault("throttle", seconds=7, times=1))
    mudbase.server.faults.add(Fault("throttle", seconds=7, retry_after=True))
    first, second = mudbase.ask("GET", mudbase.chats), mudbase.ask("GET", mudbase.chats)
    assert (first.status, first.json["retryAfter"], first.headers.get("retry-after")) == (429, 7, None)
    assert second.headers["retry-after"] == "7"


def test_inwendo_throttles_with_a_plain_429(inwendo):
    inwendo.server.faults.add(Fault("throttle"))
    reply = inwendo.ask("GET", "/api/users")
    assert (reply.status, "retry-after" in reply.headers) == (429, False)


@pytest.mark.parametrize(("kind", "still_in"), [("lost_answer", False), ("drop_before", True)])
@pytest.mark.parametrize("reset", [False, True])
def test_an_answer_is_lost_after_the_effect_or_before_it(kaiten, kind, still_in, reset):
    kaiten.server.faults.add(Fault(kind, method="DELETE", reset=reset))
    with pytest.raises(ConnectionResetError if reset else http.client.RemoteDisconnected):
        remove_ada(kaiten)
    assert is_in(kaiten) is still_in
    entry = kaiten.server.journal.entries[-1]
    assert (entry.fault, entry.status) == (kind, None)


@pytest.mark.parametrize("chunked", [False, True])
def test_an_answer_is_cut(kaiten, chunked):
    kaiten.server.faults.add(Fault("truncated", chunked=chunked))
    with pytest.raises(http.client.IncompleteRead):
        remove_ada(kaiten)
    assert not is_in(kaiten)


def test_an_html_page_comes_with_200(kaiten):
    kaiten.server.faults.add(Fault("html"))
    reply = remove_ada(kaiten)
    assert (reply.status, reply.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert reply.body.startswith(b"<!DOCTYPE html>")
    assert is_in(kaiten)


def test_json_ends_early_in_a_whole_answer(kaiten):
    kaiten.server.faults.add(Fault("bad_json"))
    with pytest.raises(json.JSONDecodeError):
        remove_ada(kaiten).json  # noqa: B018 - reading it is the test
    assert not is_in(kaiten)


def test_an_answer_is_empty(kaiten):
    kaiten.server.faults.add(Fault("empty", status=204))
    reply = remove_ada(kaiten)
    assert (reply.status, reply.body) == (204, b"")


def test_a_redirect_names_another_place(kaiten):
    kaiten.server.faults.add(Fault("redirect", status=307, location="https://elsewhere.example/"))
    reply = remove_ada(kaiten)
    assert (reply.status, reply.headers["location"]) == (307, "https://elsewhere.example/")
    assert is_in(kaiten)


@pytest.mark.parametrize(("effect", "still_in"), [(True, False), (False, True)])
def test_a_request_hangs_after_the_effect_or_before_it(kaiten, effect, still_in):
    kaiten.server.faults.add(Fault("hang", effect=effect))
    kaiten.ask.connection.timeout = 0.2
    with pytest.raises(TimeoutError):
        remove_ada(kaiten)
    assert is_in(kaiten) is still_in


def test_a_hang_can_end_by_itself(kaiten):
    kaiten.server.faults.add(Fault("hang", seconds=0.1))
    with pytest.raises(http.client.RemoteDisconnected):
        remove_ada(kaiten)


def test_a_stop_ends_a_hang(clock):
    sandbox = Sandbox(now=clock).start()
    sandbox.kaiten.faults.add(Fault("hang"))
    found = []
    client = threading.Thread(target=lambda: found.append(raw(sandbox.kaiten, timeout=5)))
    client.start()
    assert sandbox.kaiten.journal.wait(lambda entries: len(entries) == 1)
    began = time.monotonic()
    sandbox.stop()
    client.join(timeout=5)
    assert found == [b""]
    assert time.monotonic() - began < 1


@pytest.mark.parametrize("part", ["headers", "body"])
def test_an_answer_drips_byte_by_byte(kaiten, part):
    kaiten.server.faults.add(Fault("status", status=500, body="slow", times=1))
    kaiten.server.faults.add(Fault("drip", part=part, interval_s=0.001))
    remove_ada(kaiten)
    began = time.monotonic()
    assert remove_ada(kaiten).status == 200
    assert time.monotonic() - began > 0.1


def test_an_interim_answer_comes_before_the_real_one(kaiten):
    kaiten.server.faults.add(Fault("early_1xx", count=2))
    found = raw(kaiten.server)
    assert found.startswith(b"HTTP/1.1 103 Early Hints\r\n")
    assert found.count(b"HTTP/1.1 103") == 2
    assert found.count(b"HTTP/1.1 404") == 1


def test_an_answer_nobody_asked_for_follows(kaiten):
    kaiten.server.faults.add(Fault("two_answers", body='{"id": 7}'))
    found = raw(kaiten.server)
    assert found.count(b"HTTP/1.1 ") == 2
    assert found.endswith(b'{"id": 7}')


def test_a_body_does_not_end(kaiten):
    kaiten.server.faults.add(Fault("endless", limit_bytes=1_000_000))
    assert len(raw(kaiten.server)) > 1_000_000


def test_a_fault_meets_only_what_it_names(kaiten):
    kaiten.server.faults.add(Fault("status", method="DELETE", path_contains="/users/", regex=r"/\d+$"))
    assert kaiten.ask("GET", kaiten.users).status == 200
    assert kaiten.ask("DELETE", f"{kaiten.users}/x").status == 400
    assert remove_ada(kaiten).status == 500


def test_a_fault_begins_after_some_requests_and_ends_after_some(kaiten):
    kaiten.server.faults.add(Fault("status", after=1, times=2))
    statuses = [kaiten.ask("GET", kaiten.users).status for _ in range(4)]
    assert statuses == [200, 500, 500, 200]


def test_one_fault_follows_another(kaiten):
    kaiten.server.faults.add(Fault("status", status=502, times=1))
    kaiten.server.faults.add(Fault("status", status=503, times=1))
    assert [kaiten.ask("GET", kaiten.users).status for _ in range(3)] == [502, 503, 200]


def test_a_fault_of_no_kind_is_refused():
    with pytest.raises(ValueError, match="no such fault"):
        Fault("nonsense")


def test_a_fault_survives_its_own_json():
    fault = Fault("drip", method="PUT", regex="x", times=3, after=1, effect=False, part="body")
    assert Fault.from_json(json.loads(json.dumps(fault.to_json()))).to_json() == fault.to_json()


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_delivered_by_every_server_and_noted_in_its_journal(sandbox, kind):
    for server in sandbox.servers:
        server.faults.add(Fault(kind, times=1, seconds=0.05, interval_s=0, limit_bytes=1000))
        raw(server)
        assert [entry.fault for entry in server.journal.entries] == ["" if kind == "latency" else kind]
        assert raw(server) != b""
