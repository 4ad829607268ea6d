"""Plans that are compiled later: too large to wait for, or waiting for readings. The worker does it, and says how far.

A thread of the worker's process compiles one after the other, so that neither lanes nor heartbeat wait for it. What it
has stored is no plan until the last transaction says so; another worker takes over what stood still for a while.
"""

import logging
import threading
import uuid
from collections.abc import Callable, Iterable
from datetime import timedelta

from django.db import connections, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from membership.models import Change, PendingPlan, Reading, Roster
from membership.plans import compile as plan_compiler
from membership.plans import packing
from membership.plans.compile import Plan
from membership.plans.wishes import Wish
from membership.services.rosters import wanted
from membership.vocab import ChangeState, ConnectionState, ReadingState

logger = logging.getLogger(__name__)

Finish = Callable[[Change, Plan | None, list[str]], None]
_LIST = "List"
"""In place of wishes: those of a list from a file, which are read when they are compiled."""
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


def put_list(change: Change, roster: Roster) -> PendingPlan:
    """Keep that a draft asks for what a list from a file says. Inside the caller's transaction."""
    return PendingPlan.objects.create(change=change, wishes=[[_LIST, {"roster": roster.pk}]], total=roster.rows_count)


def _wishes(row: PendingPlan) -> list[Wish]:
    if row.wishes and row.wishes[0][0] == _LIST:
        asked = list(wanted.wishes(Roster.objects.get(pk=row.wishes[0][1]["roster"])))
        row.total = len(asked)
        PendingPlan.objects.filter(pk=row.pk).update(total=row.total)
        return asked
    return packing.unpack(row.wishes, row.secrets)


def _is_gone(row: PendingPlan) -> bool:
    return bool(row.wishes) and row.wishes[0][0] == _LIST and not wanted.is_whole(row.wishes[0][1]["roster"])


def waits() -> QuerySet[PendingPlan]:
    """Plans that can be compiled now: nothing that they wait for is still read, and nobody is at it."""
    still_read = Reading.objects.filter(
        change=OuterRef("change"), state__in=ReadingState.open(), connection__state=ConnectionState.ACTIVE
    )
    free = Q(touched_at=None) | Q(touched_at__lt=timezone.now() - TAKEN_OVER_AFTER)
    rows = PendingPlan.objects.filter(free, change__state=ChangeState.DRAFT, change__compiled_at=None)
    return rows.exclude(Exists(still_read)).order_by("pk")


def compile_one(
    finish: Finish,
) -> bool:
    """Compile the next plan that waits, if there is one. True: there was.

    `finish` stores the draft, inside a transaction: `(change, plan, digests of stored operations)`. Without a plan: the
    rows of its list are gone.
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
    finish: Finish,
) -> None:
    # Half of the way is working it out, half is storing it.
    plan = plan_compiler.plan(_wishes(row), tell=lambda count: _touch(row, token, count // 2))
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
        is_gone = _is_gone(row)
        finish(locked, None if is_gone else plan, digests)
        PendingPlan.objects.filter(pk=row.pk).delete()
    if is_gone:
        plan_compiler.forget_stored(change)


class Compiler:
    """The thread that compiles, one for each process; started when something waits, ended when nothing does."""

    def __init__(self, finish: Finish) -> None:
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
