"""Keeps the processes of one installation running, and ends them together."""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

STOP_WITHIN_S = 8.0
"""Seconds that a process gets to end by itself; with what follows, everything ends within ten."""
TICK_S = 0.2
FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 30.0
ONCE_AT_MOST = 3
STEADY_AFTER_S = 60.0
"""The end of a process that ran this long counts as its first: the pauses before a restart begin anew."""

PR_SET_PDEATHSIG = 1  # Source: prctl(2)
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Program:
    """What is run. `once`: it ends by itself, and is started again only when it failed, a few times."""

    name: str
    argv: tuple[str, ...]
    once: bool = False


@dataclass(slots=True)
class Child:
    """One program and its process, if it runs."""

    program: Program
    pause_s: float
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    start_again_at: float = 0.0
    starts: int = 0
    is_over: bool = False

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None


def die_with_parent(parent: int) -> None:
    """Called in a fresh child: the kernel ends it when its supervisor dies, by kill -9, too."""
    if _libc is not None:
        # The supervisor's handler would only note the signal, and what follows would forget the note.
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        if os.getppid() != parent:  # it died before the line above
            os._exit(1)


@dataclass
class Supervisor:
    """Starts the programs, restarts those that die, and stops all of them on SIGINT, SIGTERM or SIGHUP."""

    programs: Sequence[Program]
    folder: Path
    say: Say
    when_started: Callable[[], bool] = lambda: True
    """Called at every tick until it is true: what is said once everything answers."""
    first_pause_s: float = FIRST_PAUSE_S
    _stop: threading.Event = field(default_factory=threading.Event)
    _signals: int = 0

    def run(self) -> None:
        """Until a signal asks for the end. Afterwards nothing that was started is left."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._asked_to_stop)
        children = [Child(program, pause_s=self.first_pause_s) for program in self.programs]
        is_started = False
        try:
            while not self._stop.is_set():
                for child in children:
                    self._look_after(child, time.monotonic())
                is_started = is_started or self.when_started()
                self._stop.wait(TICK_S)
        finally:
            self._stop_all(children)

    def _asked_to_stop(self, number: int, frame: FrameType | None) -> None:
        self._signals += 1
        self._stop.set()

    def _look_after(self, child: Child, now: float) -> None:
        if child.is_over or child.is_running:
            return
        if child.process is None:
            if now >= child.start_again_at:
                self._start(child, now)
            return
        self._signal(child, signal.SIGKILL, whole_group=True)  # what it left behind may hold the port
        code, child.process = child.process.returncode, None
        if child.program.once and (code == 0 or child.starts >= ONCE_AT_MOST):
            child.is_over = True
            if code:
                self.say(f"{child.program.name} ended with exit code {code}.")
            return
        if now - child.started_at > STEADY_AFTER_S:
            child.pause_s = self.first_pause_s
        child.start_again_at = now + child.pause_s
        self.say(f"{child.program.name} ended with exit code {code}; it is started again in {child.pause_s:g} s.")
        child.pause_s = min(child.pause_s * 2, LONGEST_PAUSE_S)

    def _start(self, child: Child, now: float) -> None:
        parent = os.getpid()
        child.started_at, child.starts = now, child.starts + 1
        # Its own session: Ctrl-C at the terminal reaches the supervisor alone, which then ends the children in order.
        child.process = subprocess.Popen(  # noqa: S603 - our own commands
            child.program.argv,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=lambda: die_with_parent(parent),  # noqa: PLW1509 - the supervisor has no threads
        )

    def _stop_all(self, children: Sequence[Child]) -> None:
        for child in children:
            if child.is_running:
                self._signal(child, signal.SIGTERM, whole_group=False)
        deadline = time.monotonic() + STOP_WITHIN_S
        while any(child.is_running for child in children) and time.monotonic() < deadline and self._signals < 2:
            time.sleep(TICK_S / 4)
        for child in children:
            if child.is_running:
                self.say(f"{child.program.name} did not end in time; it is killed.")
            # Whatever a program started belongs to its group: nothing may outlive the supervisor.
            self._signal(child, signal.SIGKILL, whole_group=True)
            if child.process is not None:
                child.process.wait()

    @staticmethod
    def _signal(child: Child, number: signal.Signals, *, whole_group: bool) -> None:
        if child.process is None:
            return
        send = os.killpg if whole_group else os.kill
        with contextlib.suppress(ProcessLookupError, PermissionError):  # it is gone
            send(child.process.pid, number)
