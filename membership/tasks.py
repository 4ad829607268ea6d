"""What a scheduler may call. The rows of the database stay the truth: to call something twice does no harm."""

import signal
import threading
from collections.abc import Collection
from types import FrameType

from membership.operations.worker import Worker
from membership.services import drafts, sessions

HOUSEKEEPING = (drafts.compile_ready, drafts.expire_drafts, sessions.close_counts)
"""Done beside the lanes, about each half second; each says whether it did something."""


def run_worker(
    stop: threading.Event | None = None, *, until_idle: bool = False, only: Collection[int] | None = None
) -> None:
    """Work all lanes (or those of the connections `only`) until `stop` is set, or until nothing is left to do.

    On return everything that was begun is recorded, or returned to its queue.
    """
    limited = None if only is None else frozenset(only)
    worker = Worker(stop or threading.Event(), until_idle=until_idle, housekeeping=HOUSEKEEPING, only=limited)
    worker.run()


def stop_on_signals() -> threading.Event:
    """An event that SIGTERM and SIGINT set: for the main thread of a process that works."""
    stop = threading.Event()

    def ask(number: int, frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, ask)
    signal.signal(signal.SIGINT, ask)
    return stop
