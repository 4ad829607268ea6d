import socket
import threading
import time

import pytest

from membership.sandbox import Sandbox
from membership.sandbox.wire import segments_of


def talk(server, data, *, count=1):
    """Send bytes, and read `count` answers that have no body or a short one."""
    with socket.create_connection((server.host, server.port), timeout=5) as sock:
        sock.sendall(data)
        found = b""
        while found.count(b"HTTP/1.1 ") < count or b"\r\n\r\n" not in found:
            piece = sock.recv(65_536)
            if not piece:
                break
            found += piece
    return found


def test_a_connection_serves_many_requests(kaiten):
    for _ in range(3):
        kaiten.ask("GET", "/api/latest/users/current")
    local = kaiten.ask.connection.sock.getsockname()
    kaiten.ask("GET", "/api/latest/users/current")
    assert kaiten.ask.connection.sock.getsockname() == local


def test_requests_sent_back_to_back_are_answered_in_order(kaiten):
    one = b"GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n"
    assert talk(kaiten.server, one + one, count=2).count(b"HTTP/1.1 404") == 2
    assert kaiten.server.journal.seen == ["GET /nowhere"] * 2


def test_the_connection_ends_when_the_client_asks_for_it(kaiten):
    found = talk(kaiten.server, b"GET /nowhere HTTP/1.1\r\nConnection: close\r\n\r\n", count=2)
    assert b"Connection: close" in found


def test_a_chunked_body_is_read(kaiten):
    head = f"POST {kaiten.users} HTTP/1.1\r\nAuthorization: Bearer {kaiten.token}\r\nTransfer-Encoding: chunked\r\n\r\n"
    talk(kaiten.server, head.encode() + b'8\r\n{"user_i\r\n6\r\nd": 3}\r\n0\r\n\r\n')
    assert kaiten.server.journal.entries[0].json == {"user_id": 3}
    assert kaiten.state.is_on(kaiten.design.uid, 3)


def test_a_client_that_waits_for_100_gets_it(kaiten):
    head = b"POST /nowhere HTTP/1.1\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"
    assert talk(kaiten.server, head + b"{}", count=2).startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404")


@pytest.mark.parametrize(
    "data",
    [
        b"NONSENSE\r\n\r\n",
        b"GET / SPDY/1\r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: many\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\n\r\n",
    ],
)
def test_what_is_no_request_is_400_and_never_in_the_journal(kaiten, data):
    assert talk(kaiten.server, data).startswith(b"HTTP/1.1 400")
    assert kaiten.server.journal.seen == []


@pytest.mark.parametrize(
    ("path", "segments"),
    [
        ("/a/b", ("a", "b")),
        ("/a/b/", ("a", "b")),
        ("/a/b/..", ("a",)),
        ("/a/b/%2e%2e", ("a",)),
        ("/a/./b", ("a", "b")),
        ("/a/b%2Fc%20d", ("a", "b/c d")),
        ("/../..", ()),
    ],
)
def test_dot_segments_are_resolved_as_front_servers_do_it(path, segments):
    assert segments_of(path) == segments


def test_an_id_of_two_dots_hits_the_parent(kaiten):
    path = f"/api/latest/company/groups/{kaiten.design.uid}/entities/%2e%2e"
    assert kaiten.ask("DELETE", path).status == 200
    assert len(kaiten.state.groups) == 0  # the whole group: why such ids are never put into a path


def test_the_journal_keeps_requests_as_they_were_sent(inwendo):
    inwendo.ask("GET", "/api/chat/chatroom?b=2&a=1&b=%C3%A4", X_Odd="Yes")
    entry = inwendo.server.journal.entries[0]
    assert (entry.method, entry.path) == ("GET", "/api/chat/chatroom")
    assert entry.query == [("b", "2"), ("a", "1"), ("b", "ä")]
    assert entry.target.endswith("?b=2&a=1&b=%C3%A4")
    assert entry.header("x-odd") == "Yes"
    assert (entry.status, entry.body, entry.json, entry.is_write) == (200, b"", None, False)


def test_log_ins_are_no_writes(mudbase):
    mudbase.anyone("POST", "/api/auth/refresh", {"refreshToken": "x"})
    mudbase.ask("POST", mudbase.participants, {"userId": "usr_bob"})
    assert mudbase.server.journal.seen == ["POST /api/auth/refresh", f"POST {mudbase.participants}"]
    assert mudbase.server.journal.written == [f"POST {mudbase.participants}"]
    mudbase.server.journal.clear()
    assert mudbase.server.journal.seen == []


def test_a_test_can_wait_for_a_request(kaiten):
    later = threading.Timer(0.05, lambda: kaiten.ask("GET", "/api/latest/users/current"))
    later.start()
    assert kaiten.server.journal.wait(lambda entries: len(entries) == 1)
    assert not kaiten.server.journal.wait(lambda entries: len(entries) == 2, timeout_s=0.05)
    later.join()


def test_an_unknown_path_and_a_wrong_method_are_refused_in_each_dialect(inwendo, mudbase, kaiten):
    assert inwendo.ask("GET", "/api/none").headers["x-iw-error-code"] == "404"
    assert inwendo.ask("PATCH", "/api/users").status == 405
    assert mudbase.ask("GET", "/api/none").json["code"] == "NOT_FOUND"
    assert mudbase.ask("PUT", mudbase.chats).status == 405
    assert kaiten.ask("GET", "/api/latest/none").body == b""
    assert kaiten.ask("PUT", "/api/latest/company/groups").status == 405


def test_a_server_that_was_stopped_comes_back_at_the_same_port(kaiten, caller):
    url = kaiten.server.url
    kaiten.server.stop()
    with pytest.raises(OSError, match="refused"):
        caller(kaiten.server)("GET", "/")
    kaiten.server.start()
    assert kaiten.server.url == url
    assert caller(kaiten.server)("GET", "/").status == 404


def test_a_stop_is_quick_even_with_open_connections(clock, caller):
    sandbox = Sandbox(now=clock).start()
    ask = caller(sandbox.kaiten)
    ask("GET", "/")
    began = time.monotonic()
    sandbox.stop()
    assert time.monotonic() - began < 0.5


def test_a_taken_port_is_an_error_and_nothing_stays_open(sandbox, clock):
    second = Sandbox(now=clock, ports={"kaiten": sandbox.kaiten.port})
    with pytest.raises(OSError, match="in use"):
        second.start()
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", second.inwendo.port), timeout=1)
