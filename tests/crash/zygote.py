"""A process that has loaded everything and forks workers: each costs milliseconds, and can be killed like any other.

Speaks lines of JSON. {"start": {...}} → {"pid": n}; {"wait": {"pid": n, "within_s": s}} → {"code": n or null}.
"""

import ctypes
import json
import os
import signal
import sys
import time
import traceback
from datetime import timedelta
from pathlib import Path

import django
from django.conf import settings
from django.db import connections
from django.utils import timezone

django.setup()

from membership import crash, tasks  # noqa: E402
from membership.operations import findings, worker  # noqa: E402
from membership.remotes import provider_class  # noqa: E402
from membership.vocab import PROVIDERS  # noqa: E402

libc = ctypes.CDLL(None)
PR_SET_PDEATHSIG = 1  # Source: prctl(2)
ended = {}
right_now = timezone.now


def reap(*_signal):
    """At once: a worker that is gone must not look as if it were there."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not pid:
            return
        ended[pid] = os.waitstatus_to_exitcode(status)


def start(plan, until_idle, lease_s, log, counts, name, database, beat_s, clock_s, resends):
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        os.setsid()
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)  # a killed run of tests leaves none behind
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(out, 1)
        os.dup2(out, 2)
        settings.MUSTERBOOK["LEASE_S"] = lease_s
        connections["default"].settings_dict.update(database)
        worker.BEAT_EVERY_S = beat_s
        findings.RESENDS_AT_MOST = resends or findings.RESENDS_AT_MOST
        if clock_s:
            timezone.now = lambda: right_now() + timedelta(seconds=clock_s)
        if name:
            worker.identity = lambda: name
        if plan.endswith("STOP"):
            tasks.HOUSEKEEPING = ()  # a process that is stopped while it writes would keep SQLite from all others
        crash.arm(plan)
        tasks.run_worker(tasks.stop_on_signals(), until_idle=until_idle)
        Path(counts).write_text(json.dumps(crash.passed()))
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def wait(pid, within_s):
    ends = time.monotonic() + within_s
    while pid not in ended and time.monotonic() < ends:
        time.sleep(0.005)
    return ended.pop(pid, None)  # its number may be another's soon


def main():
    for kind in PROVIDERS:
        provider_class(kind)
    signal.signal(signal.SIGCHLD, reap)
    for line in sys.stdin:
        asked = json.loads(line)
        told = {"pid": start(**asked["start"])} if "start" in asked else {"code": wait(**asked["wait"])}
        print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main()
