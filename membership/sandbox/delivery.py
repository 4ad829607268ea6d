"""How an answer reaches the client: whole, cut, late, byte by byte, or not at all.

Every function gets an `Exchange` and says whether the connection stays open.
"""

import socket
import struct
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from membership.sandbox.wire import Answer, phrase

RESET = struct.pack("ii", 1, 0)  # SO_LINGER on, 0 s: close() sends RST
POLL_S = 0.05


@dataclass(slots=True)
class Exchange:
    """One answer on its way. `stopping` is set when the server stops: nothing waits beyond that."""

    sock: socket.socket
    answer: Answer
    keep_alive: bool
    stopping: threading.Event
    params: Mapping[str, Any]

    @property
    def rendered(self) -> bytes:
        return self.answer.render(keep_alive=self.keep_alive)


Deliver = Callable[[Exchange], bool]


def whole(exchange: Exchange) -> bool:
    exchange.sock.sendall(exchange.rendered)
    return exchange.keep_alive


def nothing(exchange: Exchange) -> bool:
    if exchange.params.get("reset"):
        exchange.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    return False


def truncated(exchange: Exchange) -> bool:
    answer = exchange.answer
    body = answer.body or b'{"id": 42, "name": "cut"}'  # an empty body cannot be cut
    sent = body[: max(1, min(len(body) - 1, int(len(body) * float(exchange.params.get("keep", 0.5)))))]
    if exchange.params.get("chunked"):
        head = Answer(answer.status, b"", [*answer.headers, ("Transfer-Encoding", "chunked")])
        exchange.sock.sendall(head.head(length=None, keep_alive=True) + b"%x\r\n" % len(body) + sent)
    else:
        exchange.sock.sendall(answer.head(length=len(body), keep_alive=True) + sent)
    return False


def hang(exchange: Exchange) -> bool:
    seconds = exchange.params.get("seconds")
    waited = 0.0
    while (seconds is None or waited < float(seconds)) and not has_left(exchange.sock):
        if exchange.stopping.wait(POLL_S):
            break
        waited += POLL_S
    return False


def drip(exchange: Exchange) -> bool:
    rendered = exchange.rendered
    head_ends = len(rendered) - len(exchange.answer.body)
    if exchange.params.get("part", "headers") == "body":
        exchange.sock.sendall(rendered[:head_ends])
        rendered = rendered[head_ends:]
    interval_s = float(exchange.params.get("interval_s", 0.05))
    for position in range(len(rendered)):
        exchange.sock.sendall(rendered[position : position + 1])
        if exchange.stopping.wait(interval_s):
            return False
    return exchange.keep_alive


def early(exchange: Exchange) -> bool:
    status = int(exchange.params.get("status", 103))
    interim = f"HTTP/1.1 {status} {phrase(status)}\r\nLink: </style.css>; rel=preload\r\n\r\n".encode()
    exchange.sock.sendall(interim * int(exchange.params.get("count", 1)) + exchange.rendered)
    return exchange.keep_alive


def two_answers(exchange: Exchange) -> bool:
    extra = Answer(int(exchange.params.get("status", 200)), str(exchange.params.get("body", "{}")).encode(), [])
    exchange.sock.sendall(exchange.rendered + extra.render(keep_alive=True))
    return exchange.keep_alive


def endless(exchange: Exchange) -> bool:
    headers = [*exchange.answer.headers, ("Transfer-Encoding", "chunked")]
    exchange.sock.sendall(Answer(exchange.answer.status, b"", headers).head(length=None, keep_alive=True))
    piece = b"[" + b" " * 65_534 + b","
    sent, limit = 0, int(exchange.params.get("limit_bytes", 1024**3))
    while sent < limit and not exchange.stopping.is_set():
        exchange.sock.sendall(b"%x\r\n" % len(piece) + piece + b"\r\n")
        sent += len(piece)
    return False


def has_left(sock: socket.socket) -> bool:
    """Whether the client closed its end."""
    try:
        return sock.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True
