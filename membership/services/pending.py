"""Plans that are compiled later: too large to wait for, or waiting for readings. The worker does it, and says how far.

A thread of the worker's process compiles one after the other, so that neither lanes nor heartbeat wait for it. What it
has stored is no plan until the last transaction says so; another worker takes over what stood still for a while.
"""

import logging
import threading
import uuid
from collections.abc import Iterable
from datetime import timedelta
from typing import TYPE_CHECKING

from django.db import connections, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from membership.models import Change, PendingPlan, Reading
from membership.plans import compile as plan_compiler
from membership.plans import packing
from membership.plans.compile import Plan
from membership.plans.wishes import Wish
from membership.vocab import ChangeState, ConnectionState, ReadingState

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from membership.plans.compile import Unknown

logger = logging.getLogger(__name__)

TAKEN_OVER_AFTER = timedelta(seconds=60)


class _Lost(Exception):
    """Another worker compiles it now, or nobody wants it any more."""


def put(change: Change, wishes: Iterable[Wish]) -> PendingPlan:
    """Keep what a draft asks for until it is compiled. Inside the caller's transaction."""
    packed, secrets = packing.pack(wishes)
    row = PendingPlan(change=change, wishes=packed, total=len(packed))
    row.secrets = secrets
    row.save()
    return row


def waits() -> QuerySet[PendingPlan]:
    """Plans that can be compiled now: nothing that they wait for is still read, and nobody is at it."""
    still_read = Reading.objects.filter(
        change=OuterRef("change"), state__in=ReadingState.open(), connection__state=ConnectionState.ACTIVE
    )
    free = Q(touched_at=None) | Q(touched_at__lt=timezone.now() - TAKEN_OVER_AFTER)
    rows = PendingPlan.objects.filter(free, change__state=ChangeState.DRAFT, change__compiled_at=None)
    return rows.exclude(Exists(still_read)).order_by("pk")


def compile_one(
    finish: "Callable[[Change, Plan, Mapping[int, Unknown] | None, list[str]], None]",
) -> bool:
    """Compile the next plan that waits, if there is one. True: there was.

    `finish` stores the draft, inside a transaction: `(change, plan, what is not known, digests of stored operations)`.
    """
    row = waits().select_related("change").first()
    if row is None or not (claim := _claim(row)):
        return False
    try:
        _compile(row, claim, finish)
    except _Lost:
        logger.info("plan of change %s: somebody else compiles it, or it was thrown away", row.change_id)
        if not Change.objects.filter(pk=row.change_id, state=ChangeState.DRAFT).exists():
            plan_compiler.forget_stored(row.change)
    return True


def _claim(row: PendingPlan) -> str:
    """Compare and set: "" when another one was faster."""
    token = uuid.uuid4().hex
    won = waits().filter(pk=row.pk).update(touched_at=timezone.now(), touched_by=token, done=0)
    return token if won else ""


def _touch(row: PendingPlan, token: str, done: int) -> None:
    """Say how far it is. Raises `_Lost` when it is not ours any more."""
    ours = PendingPlan.objects.filter(pk=row.pk, touched_by=token, change__state=ChangeState.DRAFT)
    if not ours.update(touched_at=timezone.now(), done=min(done, row.total)):
        raise _Lost


def _compile(
    row: PendingPlan,
    token: str,
    finish: "Callable[[Change, Plan, Mapping[int, Unknown] | None, list[str]], None]",
) -> None:
    wishes = packing.unpack(row.wishes, row.secrets)
    # Half of the way is working it out, half is storing it.
    plan = plan_compiler.plan(wishes, tell=lambda count: _touch(row, token, count // 2))
    change = row.change
    digests: list[str] = []
    plan_compiler.forget_stored(change)
    for count, part in plan_compiler.store_in_parts(change, plan):
        digests += part
        _touch(row, token, (row.total + count) // 2)
    with transaction.atomic():
        locked = Change.objects.select_for_update().get(pk=change.pk)
        if locked.state != ChangeState.DRAFT or not PendingPlan.objects.filter(pk=row.pk, touched_by=token).exists():
            raise _Lost
        finish(locked, plan, None, digests)
        PendingPlan.objects.filter(pk=row.pk).delete()


class Compiler:
    """The thread that compiles, one for each process; started when something waits, ended when nothing does."""

    def __init__(self, finish: "Callable[[Change, Plan, Mapping[int, Unknown] | None, list[str]], None]") -> None:
        self._finish = finish
        self._thread: threading.Thread | None = None

    def go_on(self) -> bool:
        """See to it that what waits is compiled. True: something is."""
        if self._thread is not None and self._thread.is_alive():
            return True
        if not waits().exists():
            return False
        self._thread = threading.Thread(target=self._run, name="compile", daemon=True)
        self._thread.start()
        return True

    def _run(self) -> None:
        try:
            while compile_one(self._finish):
                pass
        except Exception:
            logger.exception("a plan could not be compiled; it is tried again after a while")
        finally:
            connections.close_all()
