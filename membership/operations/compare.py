"""Whether the mirror, read again, shows what operations had confirmed."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from django.db.models import QuerySet

from membership.models import Group, Operation, Participant
from membership.operations.verbs import RIGHTS
from membership.plans import subjects
from membership.vocab import OperationState, Verb

AT_ONCE = 500
_BEGUN_OR_DONE = (OperationState.RUNNING, OperationState.IN_DOUBT, OperationState.CONFIRMED)


def not_as_wished(operations: QuerySet[Operation]) -> list[int]:
    """Ids of those of which the mirror does not show what they wished, in order.

    One about which a newer operation of ours has begun says nothing: what that one wished is not held against this.
    """
    found: list[int] = []
    rows = operations.defer("secrets", "calls").order_by("position").iterator(chunk_size=AT_ONCE)
    while chunk := list(islice(rows, AT_ONCE)):
        differing = list(_differing(chunk))
        newer = _superseded(differing)
        found += [operation.pk for operation in differing if operation.pk not in newer]
    return found


def _differing(operations: Iterable[Operation]) -> Iterator[Operation]:
    rows = list(operations)
    groups = Group.objects.in_bulk({row.group_id for row in rows if row.group_id})
    places = Participant.objects.defer("secrets").in_bulk({row.participant_id for row in rows if row.participant_id})
    added_ones = (row for row in rows if row.verb == Verb.ADD and row.participant_id is None)
    accounts = {row.account_id for row in added_ones if row.account_id}
    added = {
        (place.group_id, place.account_id): place
        for place in Participant.objects.filter(group_id__in=groups, account_id__in=accounts, is_present=True)
    }
    for row in rows:
        place = places.get(row.participant_id or 0) or added.get((row.group_id or 0, row.account_id))
        if not is_as_wished(row, place, groups.get(row.group_id or 0)):
            yield row


def is_as_wished(operation: Operation, place: Participant | None, group: Group | None) -> bool:
    """Whether what is known now is what the operation wished. A secret is not compared: nobody can read it back."""
    is_there = place is not None and place.is_present
    match operation.verb:
        case Verb.REMOVE:
            return not is_there
        case Verb.ADD | Verb.UPDATE:
            return place is not None and is_there and shows(place, operation.wanted)
        case Verb.DELETE_GROUP:
            return group is None or not group.is_present
        case Verb.RENAME_GROUP:
            return group is not None and group.is_present and group.name == operation.wanted["name"]
        case _:
            return group is not None and group.is_present


def shows(place: Participant, wanted: Mapping[str, Any]) -> bool:
    """Whether a participant has these rights and fields."""
    return all(
        is_same(value_now(place, name), value)
        for name, value in wanted.items()
        if name != "is_present" and not _is_secret(value)
    )


def value_now(place: Participant, name: str) -> Any:
    return getattr(place, name) if name in RIGHTS else place.attributes.get(name)


def is_same(now: Any, wished: Any) -> bool:
    """An empty field may be told as none."""
    return bool(now == wished) or (now is None and wished == "")


def _is_secret(value: Any) -> bool:
    return isinstance(value, Mapping) and bool(value.get("secret"))


def _superseded(operations: Iterable[Operation]) -> set[int]:
    """Ids of those after which another one about the same subject in the same group has begun."""
    ids = [row.pk for row in operations]
    if not ids:
        return set()
    about = _about(Operation.objects.filter(pk__in=ids))
    newer = Operation.objects.filter(
        subjects.stored_as({subject for _, subject in about.values()}),
        group_id__in={group_id for group_id, _ in about.values()},
        state__in=_BEGUN_OR_DONE,
    )
    latest = {who: pk for pk, who in _about(newer).items()}
    return {pk for pk, who in about.items() if latest.get(who, 0) > pk}


def _about(operations: QuerySet[Operation]) -> dict[int, tuple[int | None, str]]:
    """`{id: (group id, whom it is about)}`, the oldest first."""
    rows = operations.order_by("pk").values_list("pk", "group_id", "subject", subjects.ACCOUNT_NOW)
    return {pk: (group_id, subjects.now(subject, account_id)) for pk, group_id, subject, account_id in rows}
