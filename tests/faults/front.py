"""What stands between us and a remote: names, a handshake, a wire. It does to connections what it is told."""

import contextlib
import socket
import threading

from membership.providers.addresses import Resolver
from tests.faults.servers import RawServer, full_backlog, unused_port

HOST = "remote.example"
WRITES = (b"DELETE", b"POST", b"PUT")


class Front:
    """`https://remote.example` as the door of this process sees it. `mode` says what happens to new connections."""

    def __init__(self, authority, behind_port):
        self._behind_port = behind_port
        self._stack = contextlib.ExitStack()
        self._released = threading.Event()
        self.spoilt = (b"GET",)
        """The methods whose requests `cuts requests` and `speaks SSH` spoil."""
        self.mode = "right"
        right = authority.server_context(HOST)
        servers = {
            "right": (self._pass_on, right),
            "cuts requests": (self._cut, right),
            "speaks SSH": (self._speak, right),
            "expired": (self._pass_on, authority.server_context(HOST, expired=True)),
            "wrong host": (self._pass_on, authority.server_context("other.example")),
            "self-signed": (self._pass_on, authority.server_context(HOST, self_signed=True)),
            "plain": (lambda peer: (peer.socket.recv(1024), peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")), None),
            "silent": (lambda peer: peer.hang(), None),
            "resets": (lambda peer: (peer.socket.recv(1024), peer.reset()), None),
        }
        self._ports = {
            name: self._stack.enter_context(RawServer(behaviour, context)).port
            for name, (behaviour, context) in servers.items()
        }
        self._ports["refused"] = unused_port()
        self._ports["full"] = self._stack.enter_context(full_backlog())
        self.resolver = Resolver(lookup=self._look_up)
        self.url = f"https://{HOST}"

    def _look_up(self, host, port, **_how):
        mode = self.mode
        if mode == "unknown":
            raise socket.gaierror(socket.EAI_NONAME, "unknown")
        if mode == "silent names":
            self._released.wait(30)
            mode = "right"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", self._ports[mode]))]

    def release(self):
        """From now on everything is as it should be."""
        self.mode = "right"
        self._released.set()

    def spoil(self, mode, methods):
        self._released.clear()
        self.mode, self.spoilt = mode, methods

    def _pass_on(self, peer, spoil=None):
        with socket.create_connection(("127.0.0.1", self._behind_port)) as behind:
            back = threading.Thread(target=self._answer, args=(behind, peer.socket), daemon=True)
            back.start()
            while data := peer.socket.recv(65536):
                if spoil is not None and data.startswith(self.spoilt) and self.mode != "right":
                    spoil(peer)
                    return
                behind.sendall(data)
            behind.shutdown(socket.SHUT_WR)
            back.join(5)

    @staticmethod
    def _answer(behind, ahead):
        with contextlib.suppress(OSError):
            while data := behind.recv(65536):
                ahead.sendall(data)
            ahead.shutdown(socket.SHUT_WR)

    def _cut(self, peer):
        self._pass_on(peer, spoil=lambda peer: peer.reset())

    def _speak(self, peer):
        self._pass_on(peer, spoil=_as_ssh)

    def close(self):
        self._released.set()
        self._stack.close()


def _as_ssh(peer):
    peer.send(b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n")
    # What is closed with something unread is reset, and the answer lost with it.
    peer.socket.settimeout(2)
    with contextlib.suppress(OSError):
        while peer.socket.recv(65536):
            pass
