"""Since when a participant is there, until when, and how both came about.

Stretches of one participant never overlap.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from django.db.models import F, Max, QuerySet, Value
from django.db.models.functions import Greatest

from membership.models import Presence, bulk
from membership.models.statements import Statement
from membership.vocab import PresenceCause

_END_EACH = Statement(
    """
    UPDATE membership_presence SET until = CASE WHEN since > %s THEN since ELSE %s END, ended_by = 'operation',
        ended_operation_id = given.column2
    FROM PAIRS AS given WHERE participant_id = given.column1 AND until IS NULL
    """
)


def begin(
    participant_ids: Sequence[int], *, returning: Iterable[int] = (), since: datetime, cause: PresenceCause
) -> None:
    """Open a stretch for each. `returning`: those that were there before; a clock set back makes no overlap."""
    _open_each(dict.fromkeys(participant_ids), returning, since, cause)


def begin_by_operations(pairs: Mapping[int, int], *, returning: Iterable[int] = (), since: datetime) -> None:
    """Open a stretch for each participant: `{participant id: operation id}`."""
    _open_each(pairs, returning, since, PresenceCause.OPERATION)


def _open_each(
    pairs: Mapping[int, int] | Mapping[int, None], returning: Iterable[int], since: datetime, cause: PresenceCause
) -> None:
    ended = {pk: bulk.stored_time(Presence, max(since, end)) for pk, end in _last_ends(returning).items()}
    stored = bulk.stored_time(Presence, since)
    bulk.insert_rows(
        Presence,
        ("participant_id", "since", "began_by", "began_operation_id", "ended_by"),
        [(pk, ended.get(pk, stored), cause.value, operation_id, "") for pk, operation_id in pairs.items()],
    )


def _last_ends(participant_ids: Iterable[int]) -> Mapping[int, datetime]:
    ids = list(participant_ids)
    if not ids:
        return {}
    rows = Presence.objects.filter(participant_id__in=ids).order_by().values_list("participant_id")
    return {pk: end for pk, end in rows.annotate(end=Max("until")) if end is not None}


def end(participant_ids: Sequence[int], *, until: datetime, cause: PresenceCause) -> None:
    """Close the open stretch of each."""
    _open(participant_ids).update(until=_not_before_since(until), ended_by=cause)


def end_by_operations(pairs: Mapping[int, int], *, until: datetime) -> None:
    """Close the open stretch of each participant: `{participant id: operation id}`."""
    _END_EACH.over(pairs, *[bulk.stored_time(Presence, until)] * 2)


def end_by_operation(participant_ids: Sequence[int], *, until: datetime, operation_id: int) -> None:
    """Close the open stretch of each: one operation ended them all."""
    _open(participant_ids).update(
        until=_not_before_since(until), ended_by=PresenceCause.OPERATION, ended_operation_id=operation_id
    )


def _open(participant_ids: Sequence[int]) -> "QuerySet[Presence]":
    return Presence.objects.filter(participant_id__in=participant_ids, until=None)


def _not_before_since(until: datetime) -> Greatest:
    return Greatest(F("since"), Value(until))
