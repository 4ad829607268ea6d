"""Who did it there: the remote's own log, asked at the end of a reading that noticed changes made outside.

What the log does not tell, or that it cannot be read, changes nothing about the reading.
"""

import logging
from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import datetime, timedelta
from itertools import islice

from django.db import DatabaseError
from django.utils import timezone

from membership.mirror import actors
from membership.models import Account, Drift, Reading
from membership.operations.reading_look import NOT_STORABLE, Look, Steps, told_by
from membership.providers.errors import ProviderError
from membership.providers.types import OutsideEvent
from membership.vocab import ReadingKind, ReadingState

logger = logging.getLogger(__name__)

LONGEST = timedelta(days=30)
"""How far back the log is read at most."""
CLOCKS_DIFFER = timedelta(minutes=5)
LINES_AT_MOST = 5000
WRITTEN_AT_ONCE = 100

Key = tuple[str, str | None]
"""A group, and the account that it is about; None: the group itself."""


def name_actors(look: Look) -> Steps:
    """Put names and times to what this reading noticed. Yields before further requests. Never raises what a remote
    or a hostile value causes.
    """
    if not look.provider.capabilities.tells_actor:
        return
    wanted = _nameless(look)
    if not wanted:
        return
    found: dict[int, OutsideEvent] = {}
    try:
        # Newest first: the first line about somebody is the one that made it what it is.
        with closing(told_by(lambda: _lines(look))) as lines:
            for event in islice(lines, LINES_AT_MOST):
                found.update(dict.fromkeys(wanted.pop(_key(event), ()), event))
                if not wanted:
                    break
                if look.may_yield():
                    yield
    except ProviderError as error:
        logger.info("reading %s: the log of the system could not be read (%s)", look.reading.pk, error.reason.value)
    _write(look, found)


def _lines(look: Look) -> Iterator[OutsideEvent]:
    now = timezone.now()
    since = max(_last_read_at(look) or now - LONGEST, now - LONGEST) - CLOCKS_DIFFER
    return look.provider.outside_events(since.timestamp(), (now + CLOCKS_DIFFER).timestamp())


def _last_read_at(look: Look) -> datetime | None:
    """When the last complete reading of the system before this one began: what is new happened later."""
    earlier = Reading.objects.filter(
        connection=look.connection, kind=ReadingKind.SYSTEM, state=ReadingState.COMPLETE, pk__lt=look.reading.pk
    )
    return earlier.order_by("-pk").values_list("started_at", flat=True).first()


def _nameless(look: Look) -> dict[Key, list[int]]:
    """`{who in which group: ids of drifts}`, both as the remote calls them."""
    rows = Drift.objects.filter(reading_id=look.reading.pk, connection=look.connection, remote_at=None).values_list(
        "pk", "group__remote_id", "participant_id", "participant__account__remote_id", "participant__remote_id"
    )
    wanted: dict[Key, list[int]] = {}
    by_row = look.provider.capabilities.rows_name_accounts
    for pk, group, participant_id, account, row in rows:
        whom = account or (row if by_row else None)
        if participant_id is None or whom is not None:
            wanted.setdefault((group, whom), []).append(pk)
    return wanted


def _key(event: OutsideEvent) -> Key:
    return event.group_id or "", event.account_id


def _write(look: Look, found: Mapping[int, OutsideEvent]) -> None:
    names = _names(look, found)
    told = {pk: (event.actor or names.get(event.actor_id or "", ""), event.at) for pk, event in found.items()}
    ids = sorted(told)
    for start in range(0, len(ids), WRITTEN_AT_ONCE):
        try:
            with look.writing():
                actors.put_actors({pk: told[pk] for pk in ids[start : start + WRITTEN_AT_ONCE]})
        except (DatabaseError, *NOT_STORABLE) as error:
            logger.warning("reading %s: names could not be stored (%s)", look.reading.pk, type(error).__name__)


def _names(look: Look, found: Mapping[int, OutsideEvent]) -> dict[str, str]:
    """Names of accounts, for lines that tell only an id."""
    ids = {event.actor_id for event in found.values() if event.actor_id and not event.actor}
    if not ids:
        return {}
    return dict(Account.objects.filter(connection=look.connection, remote_id__in=ids).values_list("remote_id", "label"))
