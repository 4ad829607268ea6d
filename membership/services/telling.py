"""What names a person in texts: looked for before the transaction that erases them, and in it in what is newer."""

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from django.db.models import Max, Model, Q
from django.utils import timezone

from membership.models import AuditPersonal, Change, ChangeConnection, LeftOut, Operation, Reading
from membership.services import mentions
from membership.services.mentions import Mention
from membership.services.rosters import telling as rosters
from membership.services.traces import Traces

_NEAR = 1000
"""Entries are not committed in the order of their numbers: so many older ones are looked through once more."""
_MEANWHILE = dt.timedelta(minutes=1)
"""By how much clocks of machines may differ, and how long a transaction may last."""


@dataclass(frozen=True, slots=True)
class Told:
    """Where a person is named, by ids."""

    names: frozenset[str]
    entries: frozenset[int]
    changes: frozenset[int]
    rows: Mapping[type[Model], frozenset[int]]
    """Of the tables in `mentions.LARGE`."""
    lists: frozenset[int]
    upto: int
    begun: dt.datetime


def look_through(found: Traces) -> Told:
    """Reads the log, and all that may name the person: seconds, where these are many."""
    begun = timezone.now()
    upto = AuditPersonal.objects.aggregate(newest=Max("pk"))["newest"] or 0
    return Told(
        names=found.names,
        entries=frozenset(_entries(found)),
        changes=frozenset(change.pk for change in found.changes_that_tell()),
        rows={model: _ids(mentions.mentions(found, model)) for model in mentions.LARGE},
        lists=frozenset(rosters.lists_that_tell(found.is_told_in)),
        upto=upto,
        begun=begun,
    )


def look_again(found: Traces, before: Told) -> Told:
    """The same, where only what is newer is read, unless the person is known by another name since."""
    if not found.names <= before.names:
        return look_through(found)
    since = before.begun - _MEANWHILE
    touched = (
        Q(created_at__gte=since) | Q(confirmed_at__gte=since) | Q(waiting_since__gte=since) | Q(paused_at__gte=since)
    )
    newer: Mapping[type[Model], Q] = {
        Change: touched,
        ChangeConnection: Q(change__created_at__gte=since) | Q(change__compiled_at__gte=since),
        LeftOut: Q(change__created_at__gte=since) | Q(change__compiled_at__gte=since),
        Operation: Q(settled_at__gte=since),
        Reading: Q(asked_at__gte=since) | Q(ended_at__gte=since),
    }
    return Told(
        names=found.names,
        entries=before.entries.union(_entries(found, before.upto - _NEAR)),
        changes=before.changes.union(change.pk for change in found.changes_that_tell(touched)),
        rows={model: ids | _ids(mentions.mentions(found, model, newer[model])) for model, ids in before.rows.items()},
        lists=before.lists.union(rosters.lists_that_tell(found.is_told_in, Q(asked_at__gte=since))),
        upto=before.upto,
        begun=before.begun,
    )


def told_in(found: Traces, told: Told) -> Iterator[Mention]:
    """The texts themselves, but those of changes."""
    for model in mentions.TEXTS:
        if model is not Change:
            which = Q(pk__in=told.rows[model]) if model in told.rows else Q()
            yield from mentions.mentions(found, model, which)


def _entries(found: Traces, after: int = 0) -> Iterator[int]:
    yield from found.entries_that_tell(after)
    yield from found.entries_that_list(after)


def _ids(rows: Iterable[Mention]) -> frozenset[int]:
    return frozenset(mention.row.pk for mention in rows)
