"""What was done on each of the last thirty days, in the panel's time zone."""

import datetime as dt
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db.models import BigIntegerField, Count, Func
from django.utils import timezone

from membership.models import Operation, visible_to
from membership.vocab import OperationState

if TYPE_CHECKING:
    from django.contrib.auth.models import User

DAYS = 30
SLOT_S = 15 * 60
"""Databases count by quarters of an hour, which every time zone's days are made of; days are put together here."""


@dataclass(frozen=True, slots=True)
class Day:
    """`done` steps were confirmed on it, `refused` were refused by their systems."""

    date: dt.date
    done: int
    refused: int


@dataclass(frozen=True, slots=True)
class Activity:
    days: tuple[Day, ...]
    """Oldest first; today is the last."""

    @property
    def done(self) -> int:
        return sum(day.done for day in self.days)

    @property
    def refused(self) -> int:
        return sum(day.refused for day in self.days)


class _Slot(Func):
    """The number of the quarter of an hour, since 1970, that a time is in."""

    output_field = BigIntegerField()

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        # Without the fraction, which it would round up into the next second.
        template = f"(CAST(strftime('%%%%s', substr(%(expressions)s, 1, 19)) AS INTEGER) / {SLOT_S})"
        return super().as_sql(compiler, connection, template=template, **context)

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        template = f"(FLOOR(EXTRACT(EPOCH FROM %(expressions)s) / {SLOT_S})::bigint)"
        return super().as_sql(compiler, connection, template=template, **context)


def activity(user: "User", now: dt.datetime) -> Activity:
    """Steps that ended on each of the last `DAYS` days, as far as the user may see: one query."""
    zone = timezone.get_current_timezone()
    today = timezone.localdate(now)
    dates = [today - dt.timedelta(days=DAYS - 1 - number) for number in range(DAYS)]
    since = dt.datetime.combine(dates[0], dt.time.min, zone)
    states = (OperationState.CONFIRMED, OperationState.REFUSED)
    ended = visible_to(Operation.objects.filter(settled_at__gte=since, state__in=states), user)
    rows = ended.order_by().annotate(slot=_Slot("settled_at")).values_list("slot", "state").annotate(n=Count("pk"))
    counts: Counter[tuple[dt.date, str]] = Counter()
    for slot, state, number in rows:
        counts[dt.datetime.fromtimestamp(slot * SLOT_S, zone).date(), state] += number
    return Activity(
        tuple(Day(date, counts[date, OperationState.CONFIRMED], counts[date, OperationState.REFUSED]) for date in dates)
    )
