"""Checks stretches of the log by several processes, where there are so many entries that starting them pays."""

import multiprocessing
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from itertools import islice

import django
from django.db import connections, router

from membership.audit import parts
from membership.models import AuditEntry

PAYS_FROM = 100_000
"""Entries; below that one process is done sooner."""
MOST_PROCESSES = 4

Check = Callable[[Iterable[parts.Stretch]], Iterator[tuple[parts.Stretch, parts.Found]]]


@contextmanager
def checking(keys: dict[str, bytes], entries: int, processes: int | None = None) -> Iterator[Check]:
    """A function that checks stretches and gives what it found, in their order."""
    count = processes or (min(MOST_PROCESSES, os.cpu_count() or 1) if entries >= PAYS_FROM else 1)
    if count == 1:
        yield lambda stretches: ((stretch, parts.check(stretch, keys)) for stretch in stretches)
        return
    # Spawned, not forked: a forked process would share the database's socket.
    context = multiprocessing.get_context("spawn")
    ask = partial(_check, keys, router.db_for_read(AuditEntry), _name_of_database())
    # The first thing a new process runs may not import models: Django has to be set up before.
    with ProcessPoolExecutor(count, context, initializer=django.setup) as pool:
        try:
            yield lambda stretches: _in_order(partial(pool.submit, ask), stretches, 4 * count)
        finally:
            pool.shutdown(cancel_futures=True)


def _in_order(
    submit: Callable[[parts.Stretch], "Future[parts.Found]"], stretches: Iterable[parts.Stretch], ahead: int
) -> Iterator[tuple[parts.Stretch, parts.Found]]:
    rest = iter(stretches)
    asked = deque((stretch, submit(stretch)) for stretch in islice(rest, ahead))
    while asked:
        stretch, future = asked.popleft()
        found = future.result()
        asked.extend((more, submit(more)) for more in islice(rest, 1))
        yield stretch, found


def _name_of_database() -> str:
    return str(connections[router.db_for_read(AuditEntry)].settings_dict["NAME"])


def _check(keys: dict[str, bytes], alias: str, database: str, stretch: parts.Stretch) -> parts.Found:
    """In the other process, on the database that this one uses."""
    connections[alias].settings_dict["NAME"] = database
    return parts.check(stretch, keys)
