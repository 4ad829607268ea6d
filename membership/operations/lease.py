"""Who may work a lane: a counter that its owner advances.

A waiter takes over when the counter stood still, by the waiter's own monotonic clock, for the lease time plus the time
limit of a request; at once when the owner was a process of this machine that is gone, or gave the lane back. A call
leaves only before its owner's lease runs out, and a result is accepted only with the lane's token, so no clock has to
agree with another.
"""

import os
import socket
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.db import transaction
from django.db.models import F

from membership import conf
from membership.models import Connection
from membership.operations.outbox import LaneLost


def _machine() -> str:
    """Names this boot and this process namespace: within it, a process id that is gone is gone for certain."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        namespace = str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return ""
    return f"{socket.gethostname()}/{boot}/{namespace}"


def _started(pid: int) -> str:
    """When a process began, in clock ticks since boot; empty when there is none, or only its exit status is left.

    Tells a reused id from the old one.
    """
    try:
        state, *fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return "" if state in ("Z", "X") else fields[18]
    except (OSError, IndexError, ValueError):
        return ""


def identity() -> str:
    """A name for this process that no other ever has."""
    pid = os.getpid()
    return f"{_machine() or uuid.uuid4()}|{pid}|{_started(pid)}|{uuid.uuid4().hex[:8]}"


def is_surely_dead(owner: str) -> bool:
    """Whether the owner was a process of this machine that no longer runs."""
    parts = owner.split("|")
    if len(parts) != 4 or not parts[0] or parts[0] != _machine() or not parts[1].isdigit():
        return False
    return _started(int(parts[1])) != parts[2]


class Lease:
    """One worker's hold on one lane."""

    def __init__(self, connection_id: int, owner: str) -> None:
        self._connection_id = connection_id
        self._owner = owner
        self._beat_at = 0.0
        self._seen: tuple[int, int] | None = None
        self._seen_at = 0.0
        self.token = 0
        self.owner_may_live_s = 0.0
        """How long calls of the owner before may still leave and be answered: nobody knows what became of it."""

    @property
    def send_before(self) -> float:
        """Monotonic time after which no call of ours may leave."""
        return self._beat_at + conf.lease_s()

    def acquire(self) -> bool:
        """Take the lane if nobody holds it, or its holder is gone. Call it again and again to wait."""
        row = Connection.objects.values("lane_owner", "lane_token", "lane_beat", "timeout_s").get(
            pk=self._connection_id
        )
        if not self._is_free(row["lane_owner"]) and not self._stood_still(row):
            return False
        began = time.monotonic()
        taken = Connection.objects.filter(
            pk=self._connection_id, lane_token=row["lane_token"], lane_beat=row["lane_beat"]
        ).update(lane_owner=self._owner, lane_token=F("lane_token") + 1, lane_beat=F("lane_beat") + 1)
        if taken:
            self.token = row["lane_token"] + 1
            self._beat_at = began
            self.owner_may_live_s = 0.0 if row["lane_owner"] else conf.lease_s() + float(row["timeout_s"])
        return bool(taken)

    def _is_free(self, owner: str) -> bool:
        """Nobody's, ours (of a lane of this process that has ended), or of a process that is gone."""
        return owner in ("", self._owner) or is_surely_dead(owner)

    def _stood_still(self, row: Mapping[str, Any]) -> bool:
        now = time.monotonic()
        state = (int(row["lane_token"]), int(row["lane_beat"]))
        if state != self._seen:
            self._seen, self._seen_at = state, now
        return now - self._seen_at > conf.lease_s() + float(row["timeout_s"])

    def keep(self) -> None:
        """Advance the counter when a third of the lease has gone. Raises `LaneLost`."""
        began = time.monotonic()
        if began - self._beat_at < conf.lease_s() / 3:
            return
        with transaction.atomic():
            kept = Connection.objects.filter(
                pk=self._connection_id, lane_token=self.token, lane_owner=self._owner
            ).update(lane_beat=F("lane_beat") + 1)
        if not kept:
            raise LaneLost
        self._beat_at = began

    def release(self) -> None:
        """Give the lane back when none of its calls is on the way any more. The token of an owner that did so is no
        longer the lane's: by that, one whose name merely vanished is told from it."""
        Connection.objects.filter(pk=self._connection_id, lane_token=self.token, lane_owner=self._owner).update(
            lane_owner="", lane_token=F("lane_token") + 1
        )
