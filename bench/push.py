"""How fast a change is sent: the whole worker, the same calls without bookkeeping, bare `requests` threads.

All three send the same number of removals to the same remote, in turn, and the remote checks each.
"""

import gc
import queue
import statistics
import threading
import time
from collections.abc import Callable, Iterator

import requests

from bench import ground
from bench.result import Result, medians, ratios
from membership.models import Connection, Operation
from membership.operations.attempts import Attempt, Job, attempt
from membership.operations.lane import Lane
from membership.operations.senders import Senders
from membership.remotes import Remote
from membership.vocab import OperationState

GOALS = {8: 0.95, 16: 0.94, 32: 0.92, 64: 0.88}
BURST_OF_REMOTE = 50


class Cell:
    """One width and latency. Each run gives calls a second, and notes the processor time of a call."""

    def __init__(self, remote: ground.RemoteProcess, *, width: int, latency: float, number: int) -> None:
        self._remote = remote
        self.width, self.latency, self.number = width, latency, number
        self.cpu_ms: dict[str, list[float]] = {"worker": [], "unkept": [], "bare": []}

    @property
    def limit(self) -> float:
        """What so many calls at once can reach when nothing else takes time."""
        return self.width / self.latency

    def worker(self) -> float:
        """The whole worker: intents, results, mirror, presence, audit."""
        system = ground.make_connection(self._remote.url, concurrency=self.width)
        change = ground.confirmed_removal(ground.make_members(system, self.number, groups=10))
        lane = Lane(system.pk, "bench", threading.Event(), {})

        def run() -> None:
            lane.start()
            lane.join()

        rate = self._timed("worker", run)
        ended = ground.ended(change)
        if ended != {OperationState.CONFIRMED: self.number}:
            raise RuntimeError(f"the change ended as {ended}")
        return rate

    def unkept(self) -> float:
        """The same provider, door and threads; nothing is claimed, stored or logged."""
        system = ground.make_connection(self._remote.url, concurrency=self.width)
        change = ground.confirmed_removal(ground.make_members(system, self.number, groups=10))
        steps = Operation.objects.filter(change=change).select_related("group", "account")
        jobs = [Job.of(step) for step in steps]
        answers: queue.SimpleQueue[Attempt] = queue.SimpleQueue()
        with Remote(Connection.objects.get(pk=system.pk)) as remote:

            def send(job: Job) -> None:
                answers.put(attempt(remote.provider, job, time.monotonic() + 60))

            def run() -> None:
                senders = Senders(self.width, send, name="unkept")
                for job in jobs:
                    senders.put(job)
                for _ in jobs:
                    if answers.get(timeout=60).error is not None:
                        raise RuntimeError("a call failed")
                senders.close()

            return self._timed("unkept", run)

    def bare(self) -> float:
        """Threads with `requests` as its documentation shows it: one session, one call after another."""
        targets: Iterator[int] = iter(range(self.number))
        lock = threading.Lock()
        headers = {"Authorization": "Bearer bench", "Accept": "application/json"}
        session = requests.Session()
        session.trust_env = False
        adapter = requests.adapters.HTTPAdapter(pool_connections=1, pool_maxsize=self.width)
        session.mount("http://", adapter)

        def work() -> None:
            while True:
                with lock:
                    number = next(targets, None)
                if number is None:
                    return
                url = f"{self._remote.url}/api/latest/groups/bare/users/{number}"
                session.delete(url, headers=headers, timeout=10).raise_for_status()

        def run() -> None:
            threads = [threading.Thread(target=work) for _ in range(self.width)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

        try:
            return self._timed("bare", run)
        finally:
            session.close()

    def _timed(self, who: str, run: Callable[[], None]) -> float:
        self._remote.reset(latency=self.latency)
        gc.collect()
        gc.freeze()  # as a worker does when it starts
        cpu, began = time.process_time(), time.perf_counter()
        run()
        seconds = time.perf_counter() - began
        self.cpu_ms[who].append((time.process_time() - cpu) / self.number * 1000)
        told = self._remote.stats()
        if (told["requests"], told["wrong"], told["effects"]) != (self.number, 0, self.number):
            raise RuntimeError(f"the remote saw {told}, {self.number} were to come")
        return self.number / seconds


def measure(remote: ground.RemoteProcess, database: str, *, rounds: int, seconds: float) -> Iterator[Result]:
    """Push at 50 ms and without latency, at each width."""
    for latency in (0.05, 0.0):
        for width in GOALS:
            number = int(seconds * (width / latency if latency else 400))
            yield from _cell(Cell(remote, width=width, latency=latency, number=number), database, rounds)


def _cell(cell: Cell, database: str, rounds: int) -> Iterator[Result]:
    worker, unkept, bare = medians(rounds, [cell.worker, cell.unkept, cell.bare])
    where = f"{cell.width} at once, {cell.latency * 1000:.0f} ms"
    said = f"worker {statistics.median(worker):.0f}/s"
    if cell.latency:
        ratio, each = ratios(worker, [cell.limit] * rounds)
        control = f"limit {cell.limit:.0f}/s"
        yield Result(f"push, {where}, of the limit", database, ratio, "x", control, said, GOALS[cell.width], each)
    ratio, each = ratios(worker, bare)
    control = f"bare requests {statistics.median(bare):.0f}/s"
    yield Result(f"push, {where}, of bare requests", database, ratio, "x", control, said, None, each)
    ratio, each = ratios(worker, unkept)
    control = f"without books {statistics.median(unkept):.0f}/s"
    goal = 0.97 if cell.width == 32 and cell.latency else None
    yield Result(f"push, {where}, of the same calls without books", database, ratio, "x", control, said, goal, each)
    cpu = {who: statistics.median(values) for who, values in cell.cpu_ms.items()}
    yield Result(
        f"processor time of a step, {where}",
        database,
        cpu["worker"] / cpu["bare"],
        "x",
        f"bare requests {cpu['bare']:.2f} ms",
        f"worker {cpu['worker']:.2f} ms, of it the call {cpu['unkept']:.2f} ms",
        None,
    )


def measure_limit(
    remote: ground.RemoteProcess, database: str, *, rounds: int, number: int, per_s: float
) -> Iterator[Result]:
    """A change of many steps at a remote that takes so many requests a second."""

    def run() -> float:
        system = ground.make_connection(remote.url, concurrency=16, rate_per_s=per_s)
        change = ground.confirmed_removal(ground.make_members(system, number, groups=10))
        remote.reset(latency=0.02, limit=per_s, burst=BURST_OF_REMOTE)
        lane = Lane(system.pk, "bench", threading.Event(), {})
        began = time.perf_counter()
        lane.start()
        lane.join()
        seconds = time.perf_counter() - began
        if ground.ended(change) != {OperationState.CONFIRMED: number}:
            raise RuntimeError(f"the change ended as {ground.ended(change)}")
        throttled.append(remote.stats()["throttled"])
        return number / seconds

    throttled: list[int] = []
    [rates] = medians(rounds, [run])
    ratio, each = ratios(rates, [per_s] * rounds)
    note = f"{max(throttled)} answers of 429"
    subject = f"worker {statistics.median(rates):.1f}/s"
    yield Result(
        f"a change of {number:,} at the remote's limit", database, ratio, "x", f"limit {per_s:.0f}/s", subject, 0.95,
        each, note,
    )  # fmt: skip
