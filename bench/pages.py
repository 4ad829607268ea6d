"""How long pages take while a change is pushed and the mirror is filled: a process of its own, as the panel is one.

python -m bench.pages      started by the measurement, with the database in BENCH_DATABASE
"""

import json
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bench.settings")
    import django

    django.setup()

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group as AuthGroup
from django.db import connection
from django.test import Client

from bench import ground
from bench.result import Result
from membership.models import Participant
from membership.operations.lane import Lane
from membership.services import changes, removal
from membership.vocab import Role

USER = "bench-owner"
READ = "/membership/participant/"
PAUSE_S = 0.1
AT_MOST_S = 1.0
"""What a write from a page may wait."""


def measure(remote: ground.RemoteProcess, database: str, *, seconds: float) -> Iterator[Result]:
    user = get_user_model().objects.create_user(USER, is_staff=True)
    user.groups.add(AuthGroup.objects.get(name=Role.OWNER.value))
    quiet_ground = ground.make_connection(remote.url)
    ground.make_members(quiet_ground, 200, groups=2)
    quiet = _child(seconds)
    pushing = _child(seconds, beside=lambda stop: _push(remote, int(700 * seconds), stop))
    for what in ("read", "write"):
        control, subject = quiet[what], pushing[what]
        worst = max(subject)
        yield Result(
            f"a page's {what} while a change is pushed, of the same without",
            database,
            statistics.median(control) / statistics.median(subject),
            "x",
            f"alone {statistics.median(control) * 1000:.0f} ms",
            f"meanwhile {statistics.median(subject) * 1000:.0f} ms",
            None,
            note=f"the longest {worst * 1000:.0f} ms of {len(subject)}",
        )
    yield Result(
        "the longest write of a page meanwhile, of one second",
        database,
        AT_MOST_S / max(pushing["write"]),
        "x",
        f"{AT_MOST_S:.0f} s",
        f"{max(pushing['write']):.2f} s",
        1.0,
    )


def _push(remote: ground.RemoteProcess, number: int, stop: threading.Event) -> threading.Thread:
    remote.reset(latency=0.05)
    system = ground.make_connection(remote.url, concurrency=32)
    ground.confirmed_removal(ground.make_members(system, number, groups=10))
    lane = Lane(system.pk, "bench", stop, {})
    lane.start()
    return lane


def _child(seconds: float, beside: object = None) -> dict[str, list[float]]:
    stop = threading.Event()
    lane = beside(stop) if callable(beside) else None
    name = str(settings.DATABASES["default"]["NAME"])
    environment = {**os.environ, "BENCH_DATABASE": name}
    done = subprocess.run(  # noqa: S603 - our own module
        [sys.executable, "-m", "bench.pages", str(seconds)],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    stop.set()
    if lane is not None:
        lane.join()
    found: dict[str, list[float]] = json.loads(done.stdout)
    return found


def main() -> None:
    """Read and write in turn, for so many seconds; tell how long each took."""
    user = get_user_model().objects.get(username=USER)
    client = Client(SERVER_NAME="127.0.0.1")
    client.force_login(user)
    client.get(READ)  # templates are compiled once
    took: dict[str, list[float]] = {"read": [], "write": []}
    ends = time.monotonic() + float(sys.argv[1])
    while time.monotonic() < ends:
        began = time.perf_counter()
        answer = client.get(READ)
        took["read"].append(time.perf_counter() - began)
        if answer.status_code != 200:
            raise RuntimeError(f"{READ} answered {answer.status_code}")
        row = Participant.objects.filter(is_present=True).order_by("pk")[:1]
        began = time.perf_counter()
        draft = removal.draft_removal(row, actor=user, selection={"kind": "ids", "ids": [row[0].pk]})
        changes.throw_away(draft, actor=user)
        took["write"].append((time.perf_counter() - began) / 2)
        time.sleep(PAUSE_S)
    connection.close()
    print(json.dumps(took))


if __name__ == "__main__":
    main()
