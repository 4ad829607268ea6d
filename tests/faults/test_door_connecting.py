"""What goes wrong before the first byte: `NotSent`, with nothing of the request at the server."""

import socket
import threading
import time

import pytest

from membership.errors import NextStep, Reason
from membership.providers import sockets
from membership.providers.addresses import Resolver
from membership.providers.errors import Misconfigured, NotSent, OutcomeUnknown
from tests.faults.conftest import CALLS, DELETE, GET, TOKEN
from tests.faults.servers import Authority, answer, full_backlog, saying, unused_port

pytestmark = pytest.mark.pure


def hangs(peer):
    peer.hang()


def resets_after_hello(peer):
    peer.socket.recv(1024)
    peer.reset()


def drips_a_handshake(peer):
    peer.drip(b"\x16\x03\x03\x40\x00" + b"\x02" * 1000)


@pytest.mark.parametrize("call", CALLS)
def test_a_refused_connection_is_not_sent(call, open_door, fails):
    error = fails(lambda: open_door(f"http://localhost:{unused_port()}").send(call, credentials=TOKEN))
    assert (type(error), error.reason, error.next_step) == (NotSent, Reason.CONNECTION_REFUSED, NextStep.RETRY)


@pytest.mark.parametrize("call", CALLS)
def test_a_connection_that_is_not_accepted_in_time_is_not_sent(call, open_door, fails):
    with full_backlog() as port:
        error = fails(lambda: open_door(f"http://127.0.0.1:{port}").send(call, credentials=TOKEN))
    assert (type(error), error.reason) == (NotSent, Reason.CONNECT_TIMEOUT)


@pytest.mark.parametrize("call", CALLS)
def test_a_name_that_does_not_exist_is_not_sent(call, open_door, fails, monkeypatch):
    def unknown(*args, **kwargs):
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    monkeypatch.setattr(sockets, "RESOLVER", Resolver(lookup=unknown))
    error = fails(lambda: open_door("http://nowhere.invalid").send(call, credentials=TOKEN))
    assert (type(error), error.reason) == (NotSent, Reason.NAME_NOT_RESOLVED)
    assert error.params == {"host": "nowhere.invalid"}


@pytest.mark.parametrize("host", ["a..b", "a" * 70 + ".invalid"])
def test_a_name_that_cannot_be_one_is_not_sent(host, open_door, fails):
    def attempt():
        open_door(f"http://{host}").send(GET, credentials=TOKEN)

    error = fails(attempt)
    assert error.reason in (Reason.NAME_NOT_RESOLVED, Reason.WRONG_ADDRESS)


def test_a_name_server_that_hangs_is_not_waited_for(open_door, fails, monkeypatch):
    released = threading.Event()
    monkeypatch.setattr(sockets, "RESOLVER", Resolver(lookup=lambda *args, **kwargs: released.wait(5) and []))
    error = fails(lambda: open_door("http://slow.invalid").send(DELETE, credentials=TOKEN))
    released.set()
    assert (type(error), error.reason) == (NotSent, Reason.NAME_NOT_RESOLVED)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "127.1", "[::1]", "[::ffff:127.0.0.1]"])
def test_an_address_of_this_machine_is_dialled_only_if_the_connection_is_internal(host, serve, open_door, fails):
    server = serve(saying(answer()))
    door = open_door(f"http://{host}:{server.port}", internal=False)
    error = fails(lambda: door.send(DELETE, credentials=TOKEN))
    assert (type(error), error.reason) == (NotSent, Reason.ADDRESS_NOT_ALLOWED)
    assert server.connections == 0


def test_the_address_that_was_checked_is_the_one_that_is_dialled(serve, open_door, monkeypatch):
    server = serve(saying(answer()))
    asked = []

    def lookup(host, port, **kwargs):
        asked.append(host)
        return socket.getaddrinfo("127.0.0.1", port, **kwargs)

    monkeypatch.setattr(sockets, "RESOLVER", Resolver(lookup=lookup))
    open_door(f"http://chess.example:{server.port}").send(GET, credentials=TOKEN)
    assert asked == ["chess.example"]
    assert f"Host: chess.example:{server.port}".encode() in server.requests[0][1]


def test_the_second_address_is_tried_when_the_first_refuses(serve, open_door, monkeypatch):
    server = serve(saying(answer()))
    dead, alive = ("127.0.0.2", server.port), ("127.0.0.1", server.port)
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", address) for address in (dead, alive)]
    monkeypatch.setattr(sockets, "RESOLVER", Resolver(lookup=lambda *args, **kwargs: found))
    assert open_door(f"http://two.example:{server.port}").send(GET, credentials=TOKEN).status == 200


def test_a_dead_first_address_leaves_time_for_the_second(serve, open_door, monkeypatch):
    server = serve(saying(answer()))
    with full_backlog() as port:
        found = [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", address)
            for address in (("127.0.0.1", port), ("127.0.0.1", server.port))
        ]
        monkeypatch.setattr(sockets, "RESOLVER", Resolver(lookup=lambda *args, **kwargs: found))
        # The second address gets what the first leaves of it: enough for a busy machine, too.
        assert open_door("http://two.example", timeout_s=1.5).send(GET, credentials=TOKEN).status == 200


def test_tls_with_the_right_certificate_works(serve, open_door, authority):
    server = serve(saying(answer(b"[1]")), tls=authority.server_context())
    door = open_door(server.url, ca_file=authority.file)
    assert door.send(DELETE, credentials=TOKEN).body == b"[1]"
    assert door.send(DELETE, credentials=TOKEN).body == b"[1]"
    assert server.connections == 1


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(
    ("certificate", "word"),
    [({"expired": True}, "expired"), ({"host": "other.example"}, "Hostname mismatch"), ({"self_signed": True}, "self")],
    ids=["expired", "wrong host", "self-signed"],
)
def test_a_certificate_that_does_not_fit_is_not_sent(certificate, word, call, serve, open_door, fails, authority):
    server = serve(saying(answer()), tls=authority.server_context(**certificate))
    error = fails(lambda: open_door(server.url, ca_file=authority.file).send(call, credentials=TOKEN))
    assert (type(error), error.reason) == (NotSent, Reason.TLS_FAILED)
    assert word in error.params["detail"]
    assert server.requests == []


def test_a_certificate_of_an_unknown_authority_is_not_sent(serve, open_door, fails, authority, tmp_path):
    stranger = Authority(tmp_path, "Stranger")
    server = serve(saying(answer()), tls=stranger.server_context())
    error = fails(lambda: open_door(server.url, ca_file=authority.file).send(DELETE, credentials=TOKEN))
    assert (type(error), error.reason) == (NotSent, Reason.TLS_FAILED)


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(
    "behaviour",
    [saying(answer()), hangs, resets_after_hello, drips_a_handshake, lambda peer: None],
    ids=["plain port", "hang", "reset", "drip", "close"],
)
def test_a_handshake_that_fails_is_not_sent(behaviour, call, serve, open_door, fails, authority):
    server = serve(behaviour)
    door = open_door(server.url.replace("http:", "https:"), ca_file=authority.file)
    error = fails(lambda: door.send(call, credentials=TOKEN))
    assert (type(error), error.reason) == (NotSent, Reason.TLS_FAILED)
    assert server.requests == []


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        (lambda peer: peer.request() and peer.hang(), Reason.ANSWER_TIMEOUT),
        (lambda peer: peer.request() and peer.reset(), Reason.ANSWER_LOST),
        (lambda peer: peer.request() and peer.drip(b"HTTP/1.1 200 OK\r\nX: " + b"a" * 1000), Reason.ANSWER_TIMEOUT),
    ],
    ids=["hang", "reset", "drip"],
)
def test_after_the_handshake_a_lost_answer_leaves_the_outcome_unknown(
    behaviour, reason, serve, open_door, fails, authority
):
    server = serve(behaviour, tls=authority.server_context())
    error = fails(lambda: open_door(server.url, ca_file=authority.file).send(DELETE, credentials=TOKEN))
    assert (type(error), error.reason) == (OutcomeUnknown, reason)
    assert len(server.requests) == 1


def test_a_call_whose_time_has_come_and_gone_is_not_sent(serve, open_door, fails):
    server = serve(saying(answer()))
    error = fails(lambda: open_door(server.url).send(DELETE, credentials=TOKEN, send_before=time.monotonic()))
    assert (type(error), error.reason) == (NotSent, Reason.TOO_LATE_TO_SEND)
    assert (server.requests, server.received) == ([], 0)


def test_the_time_to_send_is_checked_after_connecting(serve, open_door, fails, authority):
    def shakes_hands_late(peer):
        peer.server.stopping.wait(0.2)
        with authority.server_context().wrap_socket(peer.socket, server_side=True) as peer.socket:
            peer.request()

    server = serve(shakes_hands_late)
    door = open_door(server.url.replace("http:", "https:"), ca_file=authority.file)
    error = fails(lambda: door.send(DELETE, credentials=TOKEN, send_before=time.monotonic() + 0.1))
    assert (error.reason, server.requests) == (Reason.TOO_LATE_TO_SEND, [])


def test_a_call_in_time_is_sent(serve, open_door):
    server = serve(saying(answer()))
    assert open_door(server.url).send(DELETE, credentials=TOKEN, send_before=time.monotonic() + 5).status == 200


@pytest.mark.parametrize(
    "base_url",
    [
        "",
        "chess.example",
        "ftp://chess.example",
        "file:///etc/passwd",
        "http://",
        "http://user:very-secret-token@chess.example",
        "http://chess.example/?a=1",
        "http://chess.example/#a",
        "http://chess.example/a/../b",
        "http://chess.example//a",
        "http://chess.example/a%2e%2e/b",
        "http://chess.example:0",
        "http://chess.example:99999",
        "http://chess.example:x",
        "http://chess example",
        "http://chess.example\\@evil.example/",
        "http://[::1",
    ],
)
def test_an_address_that_is_none_stops_the_connection(base_url, open_door, fails):
    error = fails(lambda: open_door(base_url))
    assert (type(error), error.reason) == (Misconfigured, Reason.WRONG_ADDRESS)


def test_a_hanging_remote_does_not_slow_another(serve, open_door, fails):
    hanging, well = serve(hangs), serve(saying(answer()))
    slow, fast = open_door(hanging.url, timeout_s=2), open_door(well.url, timeout_s=2)
    waiting = [
        threading.Thread(target=lambda: fails(lambda: slow.send(DELETE, credentials=TOKEN), longest_s=4))
        for _ in range(8)
    ]
    for thread in waiting:
        thread.start()
    start = time.monotonic()
    for _ in range(20):
        fast.send(GET, credentials=TOKEN)
    assert time.monotonic() - start < 2
    for thread in waiting:
        thread.join()
