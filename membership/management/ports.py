"""Three neighbouring ports for the sandbox: chosen once, kept, chosen anew when somebody else took one."""

import socket
import time
from pathlib import Path

from membership.sandbox.sandbox import KINDS

FIRST = 18101
STEP = 10
LAST = 29_000
HOST = "127.0.0.1"


def sandbox_ports(base: int) -> dict[str, int]:
    """`{kind: port}`; 0 leaves the choice to the system."""
    return {kind: base + turn if base else 0 for turn, kind in enumerate(KINDS)}


def sandbox_urls(base: int) -> dict[str, str]:
    return {kind: f"http://{HOST}:{port}" for kind, port in sandbox_ports(base).items()}


def kept_port_base(file: Path) -> int:
    """The base written in `file` if its ports are still free, else a new one, which is written there."""
    try:
        kept = int(file.read_text())
    except (OSError, ValueError):
        kept = 0
    if 0 < kept < 65_000 and _are_free(kept):
        return kept
    base = next(base for base in range(FIRST, LAST, STEP) if _are_free(base))
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"{base}\n")
    return base


def wait_until_listening(base: int, seconds: float) -> bool:
    """Whether all three answer within so many seconds: a system that is read before it listens counts as broken."""
    ends = time.monotonic() + seconds
    while not _listen(base):
        if time.monotonic() > ends:
            return False
        time.sleep(0.2)
    return True


def _listen(base: int) -> bool:
    for port in sandbox_ports(base).values():
        with socket.socket() as probe:
            if probe.connect_ex((HOST, port)):
                return False
    return True


def _are_free(base: int) -> bool:
    try:
        for port in sandbox_ports(base).values():
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((HOST, port))
    except OSError:
        return False
    return True
