"""One list, from the upload to the preview, in a process of its own: prints what it took. See test_roster_scale.py."""

import json
import sys
import time
from pathlib import Path

import django

django.setup()

from django.contrib.auth import get_user_model  # noqa: E402

from membership.models import Group, RosterColumns, RosterMode  # noqa: E402
from membership.services.rosters import at_once  # noqa: E402


def peak_mib():
    """The most memory of this process: `getrusage` would count what the one that started it had."""
    [line] = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) / 1024


def measure(path):
    group, actor = Group.objects.get(), get_user_model().objects.get()
    RosterColumns.objects.update_or_create(connection=group.connection, defaults={"headings": {"email": "E-Mail"}})
    began, cpu = time.monotonic(), time.process_time()
    with Path(path).open("rb") as file:
        pieces = iter(lambda: file.read(1 << 20), b"")
        roster = at_once.preview_list(group, RosterMode.EXACTLY, path, pieces, headings={}, actor=actor)
    return {
        "seconds": time.monotonic() - began,
        "cpu": time.process_time() - cpu,
        "mib": peak_mib(),
        "counts": roster.counts,
        "steps": roster.change.operations_count,
    }


print(json.dumps(measure(sys.argv[1])))
