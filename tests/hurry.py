"""A worker that does not wait for what takes its time in life."""

import threading

from membership.operations.worker import Worker


class Hurried(threading.Event):
    """A worker's stop, waited for only a moment each time."""

    def wait(self, timeout=None):
        return super().wait(0.02 if timeout is None else min(timeout, 0.02))


def work_in_a_hurry(*housekeeping, timeout_s=60):
    """Work here until idle."""
    stop, late = Hurried(), []
    timer = threading.Timer(timeout_s, lambda: (late.append(True), stop.set()))
    timer.start()
    Worker(stop, until_idle=True, housekeeping=housekeeping).run()
    timer.cancel()
    assert not late, f"the worker was not idle after {timeout_s} s"
