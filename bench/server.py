"""A remote for measuring: speaks enough of Kaiten over real HTTP, answers after a fixed latency, counts and checks.

A process of its own and one loop, so that it is never what is measured: the sandbox, with a thread for each connection,
would be.

    python -m bench.server --latency 0.05          prints its port

Every write is checked: known path, token, and that nobody is removed twice or added twice. What is wrong is answered
with 400 and counted. With `limit` it takes so many requests a second, and answers 429 to the rest.

    POST /bench/reset   {"latency": 0.05, "limit": 0, "users": 0, "rights": 0}    begin anew
    GET  /bench/stats   {"requests": …, "wrong": …, "throttled": …, "first": …, "last": …}
"""

import argparse
import asyncio
import json
import time
from typing import Any

ROOT = "/api/latest/"
TOKEN = b"authorization: bearer bench"
HEAD = b"HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n%s\r\n"
WORDS = {200: b"OK", 400: b"Bad Request", 404: b"Not Found", 429: b"Too Many Requests"}


def user(number: int, *, salt: int = 0) -> dict[str, Any]:
    """A user as Kaiten tells one."""
    return {
        "id": number,
        "uid": f"00000000-0000-4000-8000-{number:012d}",
        "full_name": f"Person {number:06d}{'' if not salt else f' ({salt})'}",
        "username": f"p{number}",
        "email": f"p{number}@example.org",
        "activated": True,
        "virtual": False,
        "lng": "en",
        "timezone": "Europe/Berlin",
        "created": "2024-01-01T00:00:00.000Z",
        "updated": "2024-01-01T00:00:00.000Z",
    }


class Remote:
    """What the server knows and counts."""

    def __init__(self) -> None:
        self.reset({})

    def reset(self, wanted: dict[str, Any]) -> None:
        self.latency = float(wanted.get("latency", 0.0))
        self.limit = float(wanted.get("limit", 0.0))
        self.burst = float(wanted.get("burst", 1.0))
        self.requests = self.wrong = self.throttled = 0
        self.first = self.last = 0.0
        self.done: set[str] = set()
        self.tokens, self.filled_at = self.burst, time.monotonic()

    def stats(self) -> dict[str, Any]:
        names = ("requests", "wrong", "throttled", "first", "last")
        return {**{name: getattr(self, name) for name in names}, "effects": len(self.done)}

    def answer(self, method: str, target: str, head: bytes, body: bytes) -> tuple[int, bytes, bytes]:
        """Status, body and further headers of the answer to one request of the wire."""
        now = time.monotonic()
        self.first = self.first or now
        self.last = now
        if self.limit and not self._take(now):
            self.throttled += 1
            return 429, b'{"message":"Too many requests"}', b"Retry-After: 1\r\n"
        self.requests += 1
        number = self._effect(method, target, body) if TOKEN in head.lower() else None
        if number is None:
            self.wrong += 1
            return 400, b'{"message":"not what was expected"}', b""
        return 200, b'{"id":%d,"full_name":"Person","activated":true}' % number, b""

    def _take(self, now: float) -> bool:
        self.tokens = min(self.burst, self.tokens + (now - self.filled_at) * self.limit)
        self.filled_at = now
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True

    def _effect(self, method: str, target: str, body: bytes) -> int | None:
        """Whom a write concerned; None: it is not one that was to come, or it came twice."""
        parts = target[len(ROOT) :].split("/")
        if not target.startswith(ROOT) or len(parts) < 3 or parts[0] != "groups":
            return None
        if method == "DELETE" and len(parts) == 4:
            subject, number = f"{parts[1]}/{parts[3]}", int(parts[3])
        elif method == "POST" and len(parts) == 3:
            number = int(json.loads(body)["user_id"])
            subject = f"{parts[1]}/{number}"
        else:
            return None
        key = f"{method} {subject} {parts[2]}"
        if key in self.done:
            return None
        self.done.add(key)
        return number


class Conversation(asyncio.Protocol):
    """One connection: requests come one after another, as a client without pipelining sends them."""

    def __init__(self, remote: Remote, loop: asyncio.AbstractEventLoop) -> None:
        self._remote = remote
        self._loop = loop
        self._data = b""
        self._transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._data += data
        while (end := self._data.find(b"\r\n\r\n")) >= 0:
            head = self._data[:end]
            length = _length(head)
            if len(self._data) < end + 4 + length:
                return
            body = self._data[end + 4 : end + 4 + length]
            self._data = self._data[end + 4 + length :]
            method, target, _ = head[: head.find(b"\r\n")].decode("latin-1").split(" ")
            self._take(method, target, head, body)

    def _take(self, method: str, target: str, head: bytes, body: bytes) -> None:
        if target.startswith("/bench/"):
            if target == "/bench/reset":
                self._remote.reset(json.loads(body or b"{}"))
            self._send(200, json.dumps(self._remote.stats()).encode(), b"")
            return
        answer = self._remote.answer(method, target, head, body)
        if self._remote.latency:
            self._loop.call_later(self._remote.latency, self._send, *answer)
        else:
            self._send(*answer)

    def _send(self, status: int, body: bytes, headers: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(HEAD % (status, WORDS[status], len(body), headers) + body)


def _length(head: bytes) -> int:
    lower = head.lower()
    at = lower.find(b"\r\ncontent-length:")
    if at < 0:
        return 0
    end = lower.find(b"\r\n", at + 2)
    return int(lower[at + 17 : end if end >= 0 else len(lower)])


async def serve(latency: float) -> None:
    loop = asyncio.get_running_loop()
    remote = Remote()
    remote.reset({"latency": latency})
    server = await loop.create_server(lambda: Conversation(remote, loop), "127.0.0.1", 0, backlog=512)
    print(server.sockets[0].getsockname()[1], flush=True)
    async with server:
        await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--latency", type=float, default=0.0)
    asyncio.run(serve(parser.parse_args().latency))


if __name__ == "__main__":
    main()
