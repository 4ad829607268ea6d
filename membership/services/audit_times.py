"""When something happened, as people write it in a line of search."""

import datetime as dt
import re

from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from membership.audit.words import GREATEST
from membership.models import AuditEntry

_SURELY = dt.timedelta(days=1)
"""So much later the numbers of entries are higher, too, whatever the clocks of the machines that write them."""
_NEAR = 100
"""Entries of nearly the same time: one of them has about the smallest, or the greatest, number."""


def since(value: str) -> Q | str:
    """From the beginning of what `value` means on; a text that says why it means nothing."""
    found = span(value)
    return _no_day() if found is None else _since(found[0])


def until(value: str) -> Q | str:
    """Up to the end of what `value` means."""
    found = span(value)
    return _no_day() if found is None else _until(found[1])


def within(value: str) -> Q | str:
    found = span(value)
    return _no_day() if found is None else _since(found[0]) & _until(found[1])


def _no_day() -> str:
    return _("write a day as 2026-03-31, a month as 2026-03, a time as 2026-03-31T09:30, or today, yesterday, 7d")


def _since(at: dt.datetime) -> Q:
    """`at` and later. Entries are numbered as time goes by: their numbers spare looking at all of them."""
    ids = AuditEntry.objects.filter(at__gte=at - _SURELY).order_by("at").values_list("pk", flat=True)[:_NEAR]
    return Q(at__gte=at) & Q(pk__gte=min(ids, default=GREATEST))


def _until(at: dt.datetime) -> Q:
    """Earlier than `at`."""
    ids = AuditEntry.objects.filter(at__lt=at + _SURELY).order_by("-at").values_list("pk", flat=True)[:_NEAR]
    return Q(at__lt=at) & Q(pk__lte=max(ids, default=0))


_AGO = re.compile(r"([0-9]{1,4})\s*([a-z]+)", re.ASCII)
_UNITS = {"min": 1 / 1440, "h": 1 / 24, "d": 1, "w": 7, "m": 30, "y": 365}
"""Days of a unit, by how its name begins."""
_EARLIEST = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_LAST_YEAR = 9000


def span(value: str) -> tuple[dt.datetime, dt.datetime] | None:
    """Beginning and end of what a word for a time means, in the panel's zone."""
    wanted, today = value.casefold(), timezone.localdate()
    if wanted in ("today", str(_("today")).casefold()):
        return _days(today, 1)
    if wanted in ("yesterday", str(_("yesterday")).casefold()):
        return _days(today - dt.timedelta(days=1), 1)
    ago = _AGO.fullmatch(wanted)
    days = next((days for unit, days in _UNITS.items() if ago and ago[2].startswith(unit)), None)
    if ago and days:
        now = timezone.now()
        at = now - min(dt.timedelta(days=int(ago[1]) * days), now - _EARLIEST)
        return at, at
    return _written(value)


def _written(value: str) -> tuple[dt.datetime, dt.datetime] | None:
    try:
        if re.fullmatch(r"\d{4}", value, re.ASCII):
            year = int(value)
            return _midnight(dt.date(year, 1, 1)), _midnight(dt.date(year + 1, 1, 1))
        if re.fullmatch(r"\d{4}-\d{1,2}", value, re.ASCII):
            year, month = map(int, value.split("-"))
            return _midnight(dt.date(year, month, 1)), _midnight(dt.date(year + month // 12, month % 12 + 1, 1))
        if "T" in value.upper():
            return _time(dt.datetime.fromisoformat(value))
        return _days(dt.date.fromisoformat(value), 1)
    except (ValueError, OverflowError):
        return None


def _time(at: dt.datetime) -> tuple[dt.datetime, dt.datetime]:
    """A minute, or a second where one is said."""
    _need_near(at.date())
    # In UTC, where a minute is a minute also when clocks are changed.
    at = (at if at.tzinfo else timezone.make_aware(at)).astimezone(dt.UTC)
    return at, at + (dt.timedelta(minutes=1) if at.second == at.microsecond == 0 else dt.timedelta(seconds=1))


def _days(first: dt.date, count: int) -> tuple[dt.datetime, dt.datetime]:
    return _midnight(first), _midnight(first + dt.timedelta(days=count))


def _midnight(day: dt.date) -> dt.datetime:
    _need_near(day)
    return timezone.make_aware(dt.datetime.combine(day, dt.time.min))


def _need_near(day: dt.date) -> None:
    """Raises ValueError for a day around which nothing can be reckoned."""
    if not _EARLIEST.year <= day.year <= _LAST_YEAR:
        raise ValueError(day)
