"""Named places at which a process ends itself, so that tests can prove what a killed worker leaves behind.

`MUSTERBOOK_CRASH_AT=claim.committed:3` kills the process with SIGKILL when it passes that point for the third time;
`name:n:STOP` sends SIGSTOP instead. Read when this module is imported. Unset, as everywhere but in tests: a point does
nothing.
"""

import os
import signal
import threading
from collections import Counter

VARIABLE = "MUSTERBOOK_CRASH_AT"


class _Armed:
    """Counts what is passed; strikes once."""

    def __init__(self, plan: str) -> None:
        name, nth, how, *_ = [*plan.split(":"), "", ""]
        self.name = name
        self.nth = int(nth or 1)
        self.signal = signal.Signals[f"SIG{how or 'KILL'}"]
        self.passed: Counter[str] = Counter()
        self._lock = threading.Lock()

    def pass_by(self, name: str) -> None:
        with self._lock:
            self.passed[name] += 1
            is_due = name == self.name and self.passed[name] == self.nth
        if is_due:
            signal.pthread_kill(threading.get_ident(), self.signal)  # here, before this thread does anything else


_armed: _Armed | None = None


def arm(plan: str) -> None:
    """`name:n` or `name:n:STOP`; "" disarms."""
    global _armed  # noqa: PLW0603 - one plan a process, as its environment says
    _armed = _Armed(plan) if plan else None


def passed() -> Counter[str]:
    """How often each point was passed since it was armed."""
    return Counter(_armed.passed) if _armed is not None else Counter()


def point(name: str) -> None:
    """A place where the process may end. Names are unique in the code."""
    if _armed is not None:
        _armed.pass_by(name)


arm(os.environ.get(VARIABLE, ""))
