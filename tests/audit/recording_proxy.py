"""A proxy between the panel and a remote that writes down what really passes: neither of them has a say in it."""

import http.client
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple
from urllib.parse import urlsplit

HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "host"}


class Passed(NamedTuple):
    method: str
    target: str
    body: bytes

    @property
    def line(self):
        return f"{self.method} {urlsplit(self.target).path}"


class RecordingProxy:
    """Forwards HTTP to `url`. `passed` is every request in the order of arrival, before it is forwarded.

    `lose` may name `(method, part of the path)`: the remote does it, and the answer is lost once.
    """

    def __init__(self, url):
        self.passed, self.lose = [], None
        self._lock = threading.Lock()
        proxy, to = self, urlsplit(url)

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                with proxy._lock:
                    proxy.passed.append(Passed(self.command, self.path, body))
                    lost = proxy.lose
                    if lost and lost[0] == self.command and lost[1] in self.path:
                        proxy.lose = None
                    else:
                        lost = None
                remote = http.client.HTTPConnection(to.hostname, to.port, timeout=20)
                try:
                    sent = {name: value for name, value in self.headers.items() if name.lower() not in HOP}
                    remote.request(self.command, self.path, body or None, sent)
                    answer = remote.getresponse()
                    content = answer.read()
                finally:
                    remote.close()
                if lost:
                    self.close_connection = True
                    return
                self.send_response_only(answer.status, answer.reason)
                for name, value in answer.getheaders():
                    if name.lower() not in HOP:
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any

            def log_message(self, *args):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}{to.path}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    def stop(self):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)
