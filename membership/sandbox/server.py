"""A server that speaks one remote's contract, and the sandbox that holds the three."""

import ipaddress
import socket
import sys
import threading
import traceback
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, ClassVar

from membership.sandbox import control, delivery
from membership.sandbox.delivery import Exchange
from membership.sandbox.faults import Fault, Faults, answer_for
from membership.sandbox.journal import Entry, Journal
from membership.sandbox.state import State
from membership.sandbox.store import Store
from membership.sandbox.wire import Answer, BadRequest, Request, close_quietly, json_answer, read_request, text_answer

Handler = Callable[..., Answer]
NO_FAULT: dict[str, Any] = {}


def route(method: str, path: str) -> Callable[[Handler], Handler]:
    """Mark a method of a server as the handler of METHOD path; `{name}` segments become its arguments, in order."""

    def mark(handler: Handler) -> Handler:
        marks = [*getattr(handler, "routes", ()), (method, tuple(path.strip("/").split("/")))]
        handler.routes = marks  # type: ignore[attr-defined]
        return handler

    return mark


class Problem(Exception):
    """A request ends with this answer."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


class RemoteServer(ABC):
    """One remote: routes, state, journal and faults behind one socket."""

    kind: ClassVar[str]
    sign_in_paths: ClassVar[tuple[str, ...]] = ()
    state: State

    def __init__(self, *, state: State, store: Store | None, host: str = "127.0.0.1", port: int = 0) -> None:
        self.state = state
        self.host, self.port = host, port
        self.journal = Journal(on_clear=store.clear_journal if store else lambda: None)
        self.faults = Faults()
        self.crashes: list[str] = []  # tracebacks of handlers that failed: a bug of the sandbox
        self._store = store
        self._routes = self._collect_routes()
        self._stopping = threading.Event()
        self._listener: socket.socket | None = None
        self._lock = threading.Lock()
        self._open: dict[socket.socket, threading.Thread] = {}
        if store is not None:
            self.journal.load(store.entries())

    # what each remote says in its own words

    @abstractmethod
    def admit(self, request: Request) -> Answer | None:
        """Look at limits and credentials before any route. An answer ends the request."""

    @abstractmethod
    def no_route(self, request: Request, *, other_method: bool) -> Answer: ...

    @abstractmethod
    def throttled(self, seconds: float, retry_after: bool) -> Answer: ...

    def finish(self, request: Request, answer: Answer) -> Answer:
        """The last word on an answer, errors too. Most remotes have none."""
        del request
        return answer

    # life

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    def start(self) -> None:
        """Listen. Raises OSError when the port is taken."""
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        self._listener = socket.create_server((self.host, self.port), family=family, backlog=256)
        self.port = self._listener.getsockname()[1]
        self._stopping.clear()
        threading.Thread(target=self._accept, args=(self._listener,), name=f"sandbox-{self.kind}", daemon=True).start()

    def stop(self) -> None:
        """Stop listening, close every connection, those that hang too. `start()` brings it back at the same port."""
        self._stopping.set()
        if self._listener is not None:
            close_quietly(self._listener)  # shutdown() wakes accept()
            self._listener = None
        with self._lock:
            still_open = dict(self._open)
        for sock, thread in still_open.items():
            close_quietly(sock)
            if thread is not threading.current_thread():
                thread.join(timeout=2)

    def handle(self, request: Request) -> Answer:
        """The right answer to a request, and its effect."""
        try:
            answer = self.admit(request) or self._dispatch(request)
        except Problem as problem:
            answer = problem.answer
        except Exception:
            self.crashes.append(traceback.format_exc())
            print(self.crashes[-1], file=sys.stderr)
            answer = text_answer(500, "the sandbox failed, see its log")
        return self.finish(request, answer)

    # inside

    def _dispatch(self, request: Request) -> Answer:
        other_method = False
        for method, pattern, handler in self._routes.get(len(request.segments), ()):
            found = _match(pattern, request.segments)
            if found is None:
                continue
            if method == request.method:
                return handler(request, *found)
            other_method = True
        return self.no_route(request, other_method=other_method)

    def _collect_routes(self) -> dict[int, list[tuple[str, tuple[str, ...], Handler]]]:
        routes: dict[int, list[tuple[str, tuple[str, ...], Handler]]] = {}
        for name in dir(type(self)):
            for method, pattern in getattr(getattr(type(self), name), "routes", ()):
                routes.setdefault(len(pattern), []).append((method, pattern, getattr(self, name)))
        for same_length in routes.values():
            same_length.sort(key=lambda each: [segment.startswith("{") for segment in each[1]])  # fixed words first
        return routes

    def _accept(self, listener: socket.socket) -> None:
        while not self._stopping.is_set():
            try:
                sock, address = listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            thread = threading.Thread(target=self._converse, args=(sock, str(address[0])), daemon=True)
            with self._lock:
                self._open[sock] = thread
                thread.start()

    def _converse(self, sock: socket.socket, peer: str) -> None:
        try:
            with sock.makefile("rb") as stream:
                while not self._stopping.is_set():
                    request = read_request(stream, peer, go_on=lambda: sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n"))
                    if request is None or not self._exchange(sock, request):
                        break
        except BadRequest as error:
            _send_quietly(sock, text_answer(400, str(error)).render(keep_alive=False))
        except OSError:
            pass  # the client left
        finally:
            with self._lock:
                self._open.pop(sock, None)
            with suppress(OSError):
                sock.close()  # no shutdown(): with SO_LINGER 0, close() alone is what sends the reset

    def _exchange(self, sock: socket.socket, request: Request) -> bool:
        if request.segments[:1] == (control.ROOT,):
            answer = self._control(request)
            return delivery.whole(Exchange(sock, answer, request.keep_alive, self._stopping, NO_FAULT))
        is_sign_in = request.path in self.sign_in_paths
        entry = self.journal.begin(request, time=self.state.now(), is_sign_in=is_sign_in)
        picked = self.faults.pick(request)
        for late in [fault for fault in picked if fault.kind == "latency"]:
            self._stopping.wait(float(late.params.get("seconds", 0.05)))
        fault = next((fault for fault in picked if fault.kind != "latency"), None)
        answer = self._settle(request, entry, fault)
        self.journal.notify()
        exchange = Exchange(sock, answer, request.keep_alive, self._stopping, fault.params if fault else NO_FAULT)
        return fault.deliver(exchange) if fault else delivery.whole(exchange)

    def _settle(self, request: Request, entry: Entry, fault: Fault | None) -> Answer:
        """Effect and journal entry in one transaction, ended before anything is sent."""
        with self.state.changing():
            if fault is None:
                answer = self.handle(request)
            else:
                right = self.handle(request) if fault.effect else None
                answer = answer_for(fault, right, self.throttled)
                entry.fault = fault.kind
            if fault is None or fault.kind not in ("lost_answer", "drop_before", "hang"):
                entry.status = answer.status
            self.state.note(entry)
        return answer

    def _control(self, request: Request) -> Answer:
        # For this machine alone, and not for pages in its browser: a page's request carries Origin.
        if not ipaddress.ip_address(request.peer).is_loopback or request.header("Origin") is not None:
            return json_answer(403, {"error": "for this machine only"})
        return control.answer(self, request)


def _match(pattern: Sequence[str], segments: Sequence[str]) -> list[str] | None:
    found = []
    for wanted, segment in zip(pattern, segments, strict=True):
        if wanted.startswith("{"):
            found.append(segment)
        elif wanted != segment:
            return None
    return found


def _send_quietly(sock: socket.socket, data: bytes) -> None:
    with suppress(OSError):  # the client left
        sock.sendall(data)
