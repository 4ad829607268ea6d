"""What comes back wrong: every fault, for a reading and for writes, ends in the right class and in time."""

import gzip
import select

import pytest

from membership.errors import NextStep, Reason
from membership.providers.base import RemoteCall
from membership.providers.errors import NotSent, OutcomeUnknown
from tests.faults.conftest import CALLS, DELETE, GET, POST, TIMEOUT_S, TOKEN
from tests.faults.servers import answer, saying, saying_then_closing

pytestmark = pytest.mark.pure

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


def resets_instead_of_reading(peer):
    select.select([peer.socket], [], [], 2)
    peer.reset()


def resets_after_request(peer):
    peer.request()
    peer.reset()


def closes_after_request(peer):
    peer.request()


def hangs_after_request(peer):
    peer.request()
    peer.hang()


def drips_its_headers(peer):
    peer.request()
    peer.drip(HEAD + b"X-Drip: " + b"a" * 2000)


def drips_its_body(peer):
    peer.request()
    peer.send(HEAD + b"Content-Length: 2000\r\n\r\n")
    peer.drip(b" " * 2000)


def drips_a_body_without_length(peer):
    peer.request()
    peer.send(HEAD + b"Connection: close\r\n\r\n")
    peer.drip(b" " * 2000)


def drips_chunks(peer):
    peer.request()
    peer.send(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
    for _ in range(200):
        peer.drip(b"1\r\n \r\n")


def never_ends_its_100s(peer):
    peer.request()
    for _ in range(200):
        peer.drip(b"HTTP/1.1 100 Continue\r\n\r\n", every_s=0.01)


def never_ends(peer):
    peer.request()
    peer.send(HEAD + b"Connection: close\r\n\r\n")
    while not peer.server.stopping.is_set():
        peer.send(b" " * 65536)


def answers_after_103(peer):
    peer.request()
    peer.send(b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n")
    peer.server.stopping.wait(0.1)
    peer.send(answer(b'{"late": true}'))


def headers_of(number):
    return HEAD + b"".join(b"X-%d: 1\r\n" % index for index in range(number)) + b"Content-Length: 2\r\n\r\n{}"


BOMB = gzip.compress(b" " * 50_000_000)

FAULTS = {
    "reset_before_request": (resets_instead_of_reading, Reason.ANSWER_LOST),
    "reset_after_request": (resets_after_request, Reason.ANSWER_LOST),
    "close_after_request": (closes_after_request, Reason.ANSWER_LOST),
    "timeout_after_apply": (hangs_after_request, Reason.ANSWER_TIMEOUT),
    "header_drip": (drips_its_headers, Reason.ANSWER_TIMEOUT),
    "body_drip": (drips_its_body, Reason.ANSWER_TIMEOUT),
    "body_drip_without_length": (drips_a_body_without_length, Reason.ANSWER_TIMEOUT),
    "chunk_drip": (drips_chunks, Reason.ANSWER_TIMEOUT),
    "endless_100": (never_ends_its_100s, Reason.ANSWER_TIMEOUT),
    "half_a_status_line": (saying_then_closing(b"HTTP/1.1 2"), Reason.ANSWER_UNREADABLE),
    "truncated_headers": (saying_then_closing(HEAD + b"Content-Le"), Reason.ANSWER_UNREADABLE),
    "truncated_by_length": (saying_then_closing(HEAD + b"Content-Length: 20\r\n\r\n{}"), Reason.ANSWER_LOST),
    "truncated_by_chunk": (
        saying_then_closing(HEAD + b"Transfer-Encoding: chunked\r\n\r\nff\r\n{}"),
        Reason.ANSWER_LOST,
    ),
    "no_last_chunk": (
        saying_then_closing(HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n"),
        Reason.ANSWER_LOST,
    ),
    "chunk_size_is_no_number": (
        saying(HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n"),
        Reason.ANSWER_LOST,
    ),
    "300_headers": (saying(headers_of(300)), Reason.ANSWER_UNREADABLE),
    "70_kb_header": (saying(HEAD + b"X-Long: " + b"a" * 70_000 + b"\r\n\r\n"), Reason.ANSWER_UNREADABLE),
    "70_kb_status_line": (saying(b"HTTP/1.1 200 " + b"a" * 70_000 + b"\r\n\r\n"), Reason.ANSWER_UNREADABLE),
    "line_that_is_no_header": (
        saying(HEAD + b"no header at all\r\nContent-Length: 2\r\n\r\n{}"),
        Reason.ANSWER_UNREADABLE,
    ),
    "two_lengths": (
        saying(HEAD + b"Content-Length: 2\r\nContent-Length: 4\r\n\r\n{}{}"),
        Reason.ANSWER_UNREADABLE,
    ),
    "length_is_no_number": (saying(HEAD + b"Content-Length: -2\r\n\r\n{}"), Reason.ANSWER_UNREADABLE),
    "length_and_chunks": (
        saying(HEAD + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        Reason.ANSWER_UNREADABLE,
    ),
    "unknown_transfer_coding": (
        saying(HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
        Reason.ANSWER_UNREADABLE,
    ),
    "ssh": (saying(b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n"), Reason.ANSWER_UNREADABLE),
    "http_2": (saying(b"HTTP/2 200\r\ncontent-length: 2\r\n\r\n{}"), Reason.ANSWER_UNREADABLE),
    "binary": (saying(b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n"), Reason.ANSWER_UNREADABLE),
    "status_is_no_number": (saying(b"HTTP/1.1 abc\r\n\r\n"), Reason.ANSWER_UNREADABLE),
    "status_out_of_range": (saying(b"HTTP/1.1 99 x\r\n\r\n"), Reason.ANSWER_UNREADABLE),
    "early_103_late_answer": (answers_after_103, Reason.ANSWER_UNREADABLE),
    "switching_protocols": (saying(b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n"), Reason.ANSWER_UNREADABLE),
    "two_answers": (saying(answer() + answer(b'{"second": 1}')), Reason.ANSWER_UNREADABLE),
    "body_after_204": (saying(b"HTTP/1.1 204 No Content\r\n\r\n{}"), Reason.ANSWER_UNREADABLE),
    "more_than_its_length": (saying(HEAD + b"Content-Length: 2\r\n\r\n{}{}"), Reason.ANSWER_UNREADABLE),
    "gzip_bomb": (saying(answer(BOMB, headers=["Content-Encoding: gzip"])), Reason.ANSWER_UNREADABLE),
    "unasked_brotli": (saying(answer(b"x", headers=["Content-Encoding: br"])), Reason.ANSWER_UNREADABLE),
    "endless_body": (never_ends, Reason.ANSWER_TOO_LARGE),
    "said_to_be_large": (saying(HEAD + b"Content-Length: 1048577\r\n\r\n{}"), Reason.ANSWER_TOO_LARGE),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_after_the_first_byte_leaves_the_outcome_unknown(fault, call, serve, open_door, fails):
    behaviour, reason = FAULTS[fault]
    server = serve(behaviour)
    error = fails(lambda: open_door(server.url).send(call, credentials=TOKEN))
    assert (type(error), error.reason, error.next_step) == (OutcomeUnknown, reason, NextStep.READ_BACK)
    assert server.has_accepted(1)
    assert len(server.requests) <= 1


@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_of_a_send_is_one_of_a_reading(fault, serve, open_door, fails, monkeypatch):
    monkeypatch.setattr("membership.providers.door.READING_BYTES", 1024 * 1024)
    behaviour, reason = FAULTS[fault]
    server = serve(behaviour)
    door = open_door(server.url, reading_timeout_s=TIMEOUT_S)
    error = fails(lambda: door.read(GET, credentials=TOKEN))
    assert (type(error), error.reason) == (OutcomeUnknown, reason)
    assert server.has_accepted(1)


@pytest.mark.parametrize("call", CALLS)
def test_a_reset_at_once_is_never_called_not_sent_if_a_byte_left(call, serve, open_door, fails):
    server = serve(lambda peer: peer.reset())
    error = fails(lambda: open_door(server.url).send(call, credentials=TOKEN))
    assert (type(error), error.reason) in [
        (NotSent, Reason.NOT_REACHED),  # the reset came before `connect` returned
        (OutcomeUnknown, Reason.ANSWER_LOST),
    ]


def test_a_reset_in_the_middle_of_a_request_leaves_the_outcome_unknown(serve, open_door, fails):
    def behaviour(peer):
        peer.socket.recv(1024)
        peer.reset()

    server = serve(behaviour)
    call = RemoteCall("POST", ("users",), body={"text": "a" * 8_000_000})
    error = fails(lambda: open_door(server.url, timeout_s=5).send(call, credentials=TOKEN), longest_s=4)
    assert (type(error), error.reason) == (OutcomeUnknown, Reason.ANSWER_LOST)


def test_a_remote_that_does_not_take_the_request_meets_the_deadline(serve, open_door, fails):
    server = serve(lambda peer: peer.server.stopping.wait(5))
    call = RemoteCall("POST", ("users",), body={"text": "a" * 8_000_000})
    error = fails(lambda: open_door(server.url).send(call, credentials=TOKEN))
    assert (type(error), error.reason) == (OutcomeUnknown, Reason.ANSWER_TIMEOUT)


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 307, 308])
def test_a_redirect_is_never_followed(status, call, serve, open_door, fails):
    elsewhere = serve(saying(answer()))
    server = serve(
        saying(answer(b"", f"{status} Moved", [f"Location: {elsewhere.url}/groups/1?token=very-secret-token"]))
    )
    error = fails(lambda: open_door(server.url).send(call, credentials=TOKEN))
    assert (type(error), error.reason) == (OutcomeUnknown, Reason.ANSWER_REDIRECTED)
    assert error.params == {"status": status, "location": "localhost"}
    assert (len(server.requests), elsewhere.connections) == (1, 0)


@pytest.mark.parametrize(
    ("location", "host"),
    [
        ("http://169.254.169.254/latest/meta-data", "169.254.169.254"),
        ("//elsewhere.example/a", "elsewhere.example"),
        ("/groups/2", ""),
        ("http://[::1", ""),
        ("http://evil\x7fhost/", ""),
    ],
)
def test_of_a_redirect_only_its_host_is_told(location, host, serve, open_door, fails):
    server = serve(saying(answer(b"", "302 Found", [f"Location: {location}"])))
    error = fails(lambda: open_door(server.url).send(DELETE, credentials=TOKEN))
    assert error.params["location"] == host


def test_an_endless_redirect_is_not_read(serve, open_door, fails):
    def behaviour(peer):
        peer.request()
        peer.send(b"HTTP/1.1 302 Found\r\nLocation: /\r\nConnection: close\r\n\r\n")
        while not peer.server.stopping.is_set():
            peer.send(b" " * 65536)

    error = fails(lambda: open_door(serve(behaviour).url).send(DELETE, credentials=TOKEN), longest_s=TIMEOUT_S)
    assert error.reason == Reason.ANSWER_REDIRECTED


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(
    "status", [200, 201, 400, 401, 402, 403, 404, 405, 409, 410, 413, 422, 429, 500, 502, 503, 504, 999]
)
def test_any_other_status_is_handed_out_for_the_provider_to_judge(status, call, serve, open_door):
    server = serve(saying(answer(b'{"a": 1}', f"{status} Something", ["X-IW-ERROR-CODE: 401"])))
    result = open_door(server.url).send(call, credentials=TOKEN)
    assert (result.status, result.body, result.headers["x-iw-error-code"]) == (status, b'{"a": 1}', "401")
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"HTTP/1.1 204 No Content\r\n\r\n", id="204"),
        pytest.param(answer(b""), id="empty 200"),
        pytest.param(HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", id="empty chunked"),
    ],
)
def test_an_empty_answer_is_an_answer(data, serve, open_door):
    assert open_door(serve(saying(data)).url).send(POST, credentials=TOKEN).body == b""


@pytest.mark.parametrize(
    "body",
    [b"<html>Log in</html>", b"\x00\xff\xfe", b'{"a": NaN}', b"[" * 10_000],
    ids=["html", "binary", "nan", "deep"],
)
def test_a_body_is_handed_out_as_it_came(body, serve, open_door):
    assert open_door(serve(saying(answer(body))).url).send(DELETE, credentials=TOKEN).body == body


def test_an_answer_may_follow_a_100(serve, open_door):
    server = serve(saying(b"HTTP/1.1 100 Continue\r\n\r\n" + answer(b"[1]")))
    assert open_door(server.url).send(POST, credentials=TOKEN).body == b"[1]"


def test_an_answer_of_exactly_the_limit_is_whole(serve, open_door):
    body = b"a" * 1024 * 1024
    assert open_door(serve(saying(answer(body))).url).send(POST, credentials=TOKEN).body == body


def test_header_names_are_lower_case_and_repeated_ones_joined(serve, open_door):
    server = serve(saying(answer(headers=["X-Mixed-Case: 1", "x-mixed-case: 2"])))
    assert open_door(server.url).send(GET, credentials=TOKEN).headers["x-mixed-case"] == "1, 2"


def test_a_body_without_a_length_ends_with_the_connection(serve, open_door):
    server = serve(saying_then_closing(HEAD + b"Connection: close\r\n\r\n[1]"))
    assert open_door(server.url).send(GET, credentials=TOKEN).body == b"[1]"
