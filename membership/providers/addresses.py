"""Names become addresses within a time limit, and every address is checked before it is dialled."""

import ipaddress
import os
import queue
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from membership.errors import Reason
from membership.providers.errors import NotSent

THREADS = 8

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
Lookup = Callable[..., list[tuple[Any, ...]]]

# Beyond what `ipaddress` calls private, for Pythons that differ in it: shared address space (RFC 6598), protocol
# assignments, 6to4 relays, benchmarking; IPv6 discard, site-local, Teredo and 6to4 (they carry an IPv4 address).
NOT_PUBLIC = tuple(
    ipaddress.ip_network(text)
    for text in (
        "0.0.0.0/8",
        "100.64.0.0/10",
        "192.0.0.0/24",
        "192.88.99.0/24",
        "198.18.0.0/15",
        "240.0.0.0/4",
        "::/96",
        "64:ff9b:1::/48",
        "100::/64",
        "2001::/23",
        "2001:db8::/32",
        "2002::/16",
        "fec0::/10",
    )
)
NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


@dataclass(frozen=True, slots=True)
class Address:
    """What is dialled: no name in it, so nothing is resolved a second time."""

    family: int
    sockaddr: tuple[Any, ...]


def is_allowed(ip: IPAddress, *, internal: bool) -> bool:
    """Whether a connection may dial this address.

    Public ones always; loopback, link-local and private ones only if the connection is internal; multicast and the
    unspecified address never. IPv4 addresses inside IPv6 ones are judged as what they are.
    """
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped
        if inner is None and ip in NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None:
            return is_allowed(inner, internal=internal)
    if ip.is_multicast or ip.is_unspecified or str(ip) == "255.255.255.255":
        return False
    if internal:
        return True
    if ip.is_loopback or ip.is_link_local or ip.is_private or ip.is_reserved:
        return False
    return ip.is_global and not any(ip in network for network in NOT_PUBLIC if network.version == ip.version)


@dataclass(slots=True)
class _Asked:
    """One lookup under way; all who want the same name wait for the same one."""

    host: str
    port: int
    done: threading.Event = field(default_factory=threading.Event)
    found: list[tuple[Any, ...]] | None = None


class Resolver:
    """Resolves names in at most `threads` daemon threads.

    A lookup that hangs cannot be ended. So nobody waits longer than asked, and a name that is being looked up is not
    looked up again: a broken name costs one thread, not one a call.
    """

    def __init__(self, *, threads: int = THREADS, lookup: Lookup = socket.getaddrinfo) -> None:
        self._most_threads = threads
        self._lookup = lookup
        self._reset()
        os.register_at_fork(after_in_child=self._reset)

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._asked: dict[tuple[str, int], _Asked] = {}
        self._queue: queue.SimpleQueue[_Asked] = queue.SimpleQueue()
        self._threads = 0

    def resolve(self, host: str, port: int, *, internal: bool, timeout_s: float) -> list[Address]:
        """The addresses that may be dialled, in the system's order, at least one.

        Raises `NotSent`: NAME_NOT_RESOLVED, also when it takes too long; ADDRESS_NOT_ALLOWED when none may be dialled.
        """
        found = self._numeric(host, port)
        if found is None:
            found = self._ask(host, port, timeout_s)
        if not found:
            raise NotSent(Reason.NAME_NOT_RESOLVED, host=host)
        allowed = [
            Address(family, sockaddr)
            for family, _type, _protocol, _name, sockaddr in found
            if family in (socket.AF_INET, socket.AF_INET6)
            and is_allowed(ipaddress.ip_address(sockaddr[0]), internal=internal)
        ]
        if not allowed:
            raise NotSent(Reason.ADDRESS_NOT_ALLOWED, host=host)
        return allowed

    def _numeric(self, host: str, port: int) -> list[tuple[Any, ...]] | None:
        """For numbers, old spellings like 127.1 included: nothing is asked of the network."""
        try:
            return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
        except (OSError, ValueError):
            return None

    def _ask(self, host: str, port: int, timeout_s: float) -> list[tuple[Any, ...]] | None:
        with self._lock:
            asked = self._asked.get((host, port))
            if asked is None:
                asked = self._asked[host, port] = _Asked(host, port)
                self._queue.put(asked)
                if len(self._asked) > self._threads and self._threads < self._most_threads:
                    self._threads += 1
                    threading.Thread(target=self._run, name="door-names", daemon=True).start()
        asked.done.wait(timeout_s)
        return asked.found

    def _run(self) -> None:
        while True:
            asked = self._queue.get()
            try:
                # Whatever breaks one lookup, the thread lives on for the next one.
                with suppress(Exception):
                    asked.found = self._lookup(asked.host, asked.port, type=socket.SOCK_STREAM)
            finally:
                with self._lock:
                    del self._asked[asked.host, asked.port]
                asked.done.set()
