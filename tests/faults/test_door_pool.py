"""Connections that are used again: only when nothing can be left on them."""

import contextlib
import gc
import os
import socket
import threading
import time
import warnings
from pathlib import Path

import pytest

from membership.errors import Reason
from membership.providers import lines, sockets
from membership.providers.base import RemoteCall
from membership.providers.deadlines import Watchdog
from membership.providers.errors import OutcomeUnknown, ProviderError
from tests.faults.conftest import CALLS, DELETE, GET, TIMEOUT_S, TOKEN
from tests.faults.servers import answer, saying_then_closing

pytestmark = pytest.mark.pure


def own_answer(peer):
    """Answers each request with its own path."""
    while (whole := peer.request()) is not None:
        peer.send(answer(whole.split(b" ")[1]))


def call_to(number):
    return RemoteCall("DELETE", ("users", str(number)))


def open_sockets():
    count = 0
    for descriptor in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            count += str(descriptor.readlink()).startswith("socket:")
    return count


def test_one_connection_serves_many_calls(serve, open_door):
    server = serve(own_answer)
    door = open_door(server.url)
    for number in range(5):
        assert door.send(call_to(number), credentials=TOKEN).body == b"/users/%d" % number
    assert (server.connections, len(server.requests)) == (1, 5)


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(
    "head", [b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n", b"HTTP/1.1 102 Processing\r\n\r\n", answer(b"{}") + b"x"]
)
def test_after_an_uncertain_answer_the_next_call_gets_its_own(head, call, serve, open_door, fails):
    def behaviour(peer):
        whole = peer.request()
        if peer.number == 0:
            peer.send(head)
            peer.server.stopping.wait(0.05)
            peer.send(answer(b"late answer to the first"))
            peer.hang()
        while whole is not None:
            peer.send(answer(whole.split(b" ")[1]))
            whole = peer.request()

    server = serve(behaviour)
    door = open_door(server.url)
    error = fails(lambda: door.send(call, credentials=TOKEN))
    assert (type(error), error.reason) == (OutcomeUnknown, Reason.ANSWER_UNREADABLE)
    time.sleep(0.1)
    assert door.send(call_to(2), credentials=TOKEN).body == b"/users/2"
    assert server.connections == 2


@pytest.mark.parametrize("spoilt", [answer() + b"x", b"HTTP/1.1 204 No Content\r\n\r\n{}"])
def test_a_connection_with_unread_bytes_is_not_used_again(spoilt, serve, open_door, fails):
    def behaviour(peer):
        while (whole := peer.request()) is not None:
            peer.send(spoilt if peer.number == 0 else answer(whole.split(b" ")[1]))

    server = serve(behaviour)
    door = open_door(server.url)
    fails(lambda: door.send(call_to(1), credentials=TOKEN))
    assert door.send(call_to(2), credentials=TOKEN).body == b"/users/2"
    assert server.connections == 2


def test_what_arrives_between_two_calls_is_not_the_second_ones_answer(serve, open_door):
    def behaviour(peer):
        while (whole := peer.request()) is not None:
            peer.send(answer(whole.split(b" ")[1]))
            if peer.number == 0:
                peer.server.stopping.wait(0.1)
                peer.send(answer(b"nobody asked"))

    server = serve(behaviour)
    door = open_door(server.url)
    door.send(call_to(1), credentials=TOKEN)
    time.sleep(0.2)
    assert door.send(call_to(2), credentials=TOKEN).body == b"/users/2"
    assert server.connections == 2


def test_a_connection_that_the_server_closed_is_not_used_again(serve, open_door):
    server = serve(saying_then_closing(answer()))
    door = open_door(server.url)
    for _ in range(3):
        door.send(DELETE, credentials=TOKEN)
        time.sleep(0.05)
    assert (server.connections, len(server.requests)) == (3, 3)


def test_a_connection_that_was_idle_is_not_used_again(serve, open_door, monkeypatch):
    monkeypatch.setattr(lines, "IDLE_S", 0.05)
    server = serve(own_answer)
    door = open_door(server.url)
    door.send(DELETE, credentials=TOKEN)
    door.send(DELETE, credentials=TOKEN)
    time.sleep(0.1)
    door.send(DELETE, credentials=TOKEN)
    assert server.connections == 2


@pytest.mark.parametrize("call", CALLS)
def test_a_used_connection_that_closes_as_the_request_arrives_leaves_the_outcome_unknown(call, serve, open_door, fails):
    def behaviour(peer):
        peer.request()
        peer.send(answer())
        peer.request()

    server = serve(behaviour)
    door = open_door(server.url)
    door.send(call, credentials=TOKEN)
    error = fails(lambda: door.send(call, credentials=TOKEN))
    assert (type(error), error.reason) == (OutcomeUnknown, Reason.ANSWER_LOST)
    assert (server.connections, len(server.requests)) == (1, 2)


def test_a_deadline_on_a_used_connection_counts_from_its_own_call(serve, open_door, fails):
    def behaviour(peer):
        peer.request()
        peer.send(answer())
        peer.request()
        peer.drip(b"HTTP/1.1 200 OK\r\nX: " + b"a" * 1000)

    door = open_door(serve(behaviour).url)
    door.send(GET, credentials=TOKEN)
    time.sleep(TIMEOUT_S * 0.8)
    start = time.monotonic()
    error = fails(lambda: door.send(DELETE, credentials=TOKEN))
    assert error.reason == Reason.ANSWER_TIMEOUT
    assert time.monotonic() - start >= TIMEOUT_S * 0.9


def test_a_deadline_ends_its_own_call_alone(serve, open_door, fails):
    def behaviour(peer):
        while (whole := peer.request()) is not None:
            if b"/users/7" in whole:
                peer.hang()
            peer.server.stopping.wait(0.02)
            peer.send(answer())

    door = open_door(serve(behaviour).url)
    slow = threading.Thread(target=lambda: fails(lambda: door.send(DELETE, credentials=TOKEN)))
    slow.start()
    end = time.monotonic() + TIMEOUT_S * 1.6
    while time.monotonic() < end:
        assert door.send(GET, credentials=TOKEN).status == 200
    slow.join()


def test_many_threads_get_each_its_own_answer(serve, open_door):
    server = serve(own_answer)
    door = open_door(server.url, pool_size=8, timeout_s=5)
    wrong = []

    def work(worker):
        for number in range(worker * 100, worker * 100 + 30):
            body = door.send(call_to(number), credentials=TOKEN).body
            if body != b"/users/%d" % number:
                wrong.append((number, body))

    threads = [threading.Thread(target=work, args=(worker,)) for worker in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (wrong, len(server.requests)) == ([], 24 * 30)


def test_more_threads_than_places_neither_wait_nor_warn(serve, open_door, caplog):
    def behaviour(peer):
        while peer.request() is not None:
            peer.server.stopping.wait(0.2)
            peer.send(answer())

    door = open_door(serve(behaviour).url, pool_size=1, timeout_s=5)
    threads = [threading.Thread(target=lambda: door.send(GET, credentials=TOKEN)) for _ in range(6)]
    start = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert time.monotonic() - start < 1
    assert [record for record in caplog.records if record.levelname != "DEBUG"] == []


def test_failed_calls_leave_nothing_open(serve, open_door):
    def behaviour(peer):
        peer.request()
        match peer.number % 6:
            case 0:
                peer.reset()
            case 1:
                peer.send(b"garbage\r\n\r\n")
            case 2:
                peer.send(answer(b"", "302 Found", ["Location: /x"]))
            case 3:
                peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9999999\r\n\r\n")
            case 4:
                peer.send(answer() + b"x")
            case 5:
                peer.send(answer(headers=["Connection: close"]))

    server = serve(behaviour)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        before = open_sockets()
        door = open_door(server.url)
        for _ in range(30):
            try:
                door.send(DELETE, credentials=TOKEN)
            except ProviderError:
                continue
        door.close()
        gc.collect()
    server.close()
    assert open_sockets() <= before


def test_the_pool_keeps_its_places_after_failures(serve, open_door):
    def behaviour(peer):
        while peer.request() is not None:
            peer.send(answer(b"", "302 Found") if peer.number < 10 else answer())

    server = serve(behaviour)
    door = open_door(server.url, pool_size=2)
    for _ in range(10):
        with pytest.raises(OutcomeUnknown):
            door.send(DELETE, credentials=TOKEN)
    for _ in range(10):
        door.send(DELETE, credentials=TOKEN)
    assert server.connections == 11


def test_all_deadlines_share_one_thread(serve, open_door, fails):
    door = open_door(serve(lambda peer: peer.hang()).url)
    threads = [threading.Thread(target=lambda: fails(lambda: door.send(GET, credentials=TOKEN), 2)) for _ in range(16)]
    for thread in threads:
        thread.start()
    names = [thread.name for thread in threading.enumerate()]
    for thread in threads:
        thread.join()
    assert names.count("door-deadlines") == 1


class Timed:
    def __init__(self, in_s):
        self.deadline = time.monotonic() + in_s
        self.ended = threading.Event()
        self.ended_at = 0.0

    def expire(self):
        self.ended_at = time.monotonic()
        self.ended.set()


def test_an_earlier_deadline_that_is_added_later_is_kept():
    dog = Watchdog()
    late, early = Timed(0.4), Timed(0.1)
    dog.watch(late)
    time.sleep(0.02)
    dog.watch(early)
    assert early.ended.wait(1)
    assert early.ended_at - early.deadline < 0.2
    assert late.ended.wait(1)


def test_a_deadline_that_moves_is_kept_where_it_moved_to():
    dog = Watchdog()
    moved = Timed(0.1)
    dog.watch(moved)
    moved.deadline += 0.2
    assert moved.ended.wait(1)
    assert 0 <= moved.ended_at - moved.deadline < 0.2


def test_a_forgotten_deadline_does_nothing():
    dog = Watchdog()
    forgotten = Timed(0.05)
    dog.watch(forgotten)
    dog.forget(forgotten)
    assert not forgotten.ended.wait(0.15)


def test_a_forked_child_has_deadlines_of_its_own(serve, open_door):
    def behaviour(peer):
        peer.request()
        peer.drip(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX: " + b"a" * 20 + b"\r\n\r\n")

    door = open_door(serve(behaviour).url)
    with pytest.raises(OutcomeUnknown):
        door.send(GET, credentials=TOKEN)
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        try:
            door.send(GET, credentials=TOKEN)
        except OutcomeUnknown as error:
            os.write(writing, error.reason.encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as result:
        assert result.read() == b"answer_timeout"
    os.waitpid(child, 0)


def test_a_guard_ends_a_socket_from_another_thread():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        guard = sockets.Guard(ours)
        threading.Timer(0.05, guard.shut_down).start()
        ours.settimeout(2)
        assert ours.recv(1) == b""
        guard.close()
        guard.shut_down()
        guard.close()
