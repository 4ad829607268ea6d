"""Raw-socket servers that misbehave on purpose: they say exactly the bytes they are told to, when they are told to."""

import contextlib
import datetime
import ipaddress
import socket
import ssl
import struct
import threading
import time

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


def answer(body=b"{}", status="200 OK", headers=()):
    """A plain, whole answer."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


class Peer:
    """One accepted connection, from the server's side."""

    def __init__(self, server, connected, number):
        self.server = server
        self.socket = connected
        self.number = number  # 0 is the first connection
        self.buffer = b""

    def request(self):
        """The next whole request, as bytes; also kept in `server.requests`. None when the client has closed."""
        while b"\r\n\r\n" not in self.buffer:
            if not self._receive():
                return None
        head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        length = 0
        for line in head.split(b"\r\n")[1:]:
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        while len(self.buffer) < length:
            if not self._receive():
                return None
        body, self.buffer = self.buffer[:length], self.buffer[length:]
        whole = head + b"\r\n\r\n" + body
        self.server.requests.append((self.number, whole))
        return whole

    def _receive(self):
        data = self.socket.recv(65536)
        self.buffer += data
        self.server.received += len(data)
        return data

    def send(self, data):
        self.socket.sendall(data)

    def drip(self, data, every_s=0.05):
        """One byte at a time, until all are sent or the client has had enough."""
        for byte in data:
            self.send(bytes([byte]))
            if self.server.stopping.wait(every_s):
                return

    def hang(self):
        """Say nothing until the client goes."""
        with contextlib.suppress(OSError):
            while self.socket.recv(65536):
                pass

    def reset(self):
        """RST instead of FIN."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


class RawServer:
    """Runs `behaviour(peer)` for each connection, in a thread of its own, on a free port of loopback."""

    def __init__(self, behaviour, tls=None):
        self.behaviour = behaviour
        self.tls = tls
        self.requests = []  # (number of the connection, bytes)
        self.received = 0  # bytes, whole requests or not
        self.connections = 0
        self.stopping = threading.Event()
        self._open = []
        self._threads = []
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self._listening.getsockname()[1]
        self._start(self._accept)

    @property
    def url(self):
        return f"{'https' if self.tls else 'http'}://localhost:{self.port}"

    @property
    def lines(self):
        """The request lines seen, such as "GET /a HTTP/1.1"."""
        return [whole.split(b"\r\n", 1)[0].decode() for _number, whole in self.requests]

    def has_accepted(self, number):
        """Whether so many connections came and no more. The thread that counts them may be a moment late."""
        ends = time.monotonic() + 5
        while self.connections < number and time.monotonic() < ends:
            time.sleep(0.01)
        return self.connections == number

    def _start(self, function, *args):
        thread = threading.Thread(target=function, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self):
        while True:
            try:
                connected, _address = self._listening.accept()
            except OSError:
                return
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._open.append(connected)
            number = self.connections
            self.connections += 1
            self._start(self._serve, connected, number)

    def _serve(self, connected, number):
        with contextlib.suppress(OSError):
            if self.tls:
                connected = self.tls.wrap_socket(connected, server_side=True)
                self._open.append(connected)
            self.behaviour(Peer(self, connected, number))
        with contextlib.suppress(OSError):
            connected.close()

    def close(self):
        self.stopping.set()
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for connected in list(self._open):
            with contextlib.suppress(OSError):
                connected.shutdown(socket.SHUT_RDWR)
        for thread in list(self._threads):
            thread.join(5)
        for connected in list(self._open):
            connected.close()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()


def saying(data):
    """A server that answers every request with the same bytes and keeps the connection."""

    def behaviour(peer):
        while peer.request() is not None:
            peer.send(data)

    return behaviour


def saying_then_closing(data):
    def behaviour(peer):
        peer.request()
        peer.send(data)

    return behaviour


def unused_port():
    """A port of loopback on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return listening.getsockname()[1]


@contextlib.contextmanager
def full_backlog():
    """A port whose handshakes are not finished: its queue is full and nobody accepts."""
    listening = socket.socket()
    waiting = []
    try:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        for _ in range(4):
            client = socket.socket()
            client.setblocking(False)
            client.connect_ex(listening.getsockname())
            waiting.append(client)
        yield listening.getsockname()[1]
    finally:
        for client in waiting:
            client.close()
        listening.close()


class Authority:
    """A certificate authority for one test run."""

    def __init__(self, folder, name="Test authority"):
        self.folder = folder
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        certificate = self._sign(self.name, self.key.public_key(), is_authority=True)
        self.file = str(self._write("authority.pem", certificate.public_bytes(serialization.Encoding.PEM)))

    def server_context(self, host="localhost", expired=False, self_signed=False):
        """A server's TLS context with a certificate for `host`."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
        certificate = self._sign(
            subject, key.public_key(), host=host, expired=expired, own_key=key if self_signed else None
        )
        pem = certificate.public_bytes(serialization.Encoding.PEM) + key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._write(f"{host}-{expired}-{self_signed}.pem", pem))
        return context

    def _sign(self, subject, public_key, host=None, expired=False, own_key=None, is_authority=False):
        now = datetime.datetime.now(datetime.UTC)
        day = datetime.timedelta(days=1)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject if own_key else self.name)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - 10 * day)
            .not_valid_after(now - day if expired else now + day)
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        )
        if host:
            names = [x509.DNSName(host)]
            if host == "localhost":
                names.append(x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return builder.sign(own_key or self.key, hashes.SHA256())

    def _write(self, name, data):
        path = self.folder / name
        path.write_bytes(data)
        return path
