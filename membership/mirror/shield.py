"""Law 1: a reading never overrules newer knowledge.

A row is shielded while an operation about it runs or is in doubt, and when one was settled after the reading began. A
foreign operation shields nothing: none of its calls is on the way, and its row has to be read to be decided about.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q

from membership.errors import Reason
from membership.models import Group, Operation, bulk
from membership.models.statements import Statement, listed
from membership.vocab import OperationState, Verb

IN_FLIGHT = (OperationState.RUNNING, OperationState.IN_DOUBT)
# The states in the words, and in the order, of the index `operation_running_once`: SQLite finds it by that.
_NEWER = Statement(
    """
    SELECT o.participant_id, p.remote_id, o.subject, o.verb, o.state
    FROM membership_operation o LEFT JOIN membership_participant p ON p.id = o.participant_id
    WHERE o.connection_id = %s AND o.group_id = %s AND o.state IN ('running', 'in_doubt')
    UNION ALL
    SELECT o.participant_id, p.remote_id, o.subject, o.verb, o.state
    FROM membership_operation o LEFT JOIN membership_participant p ON p.id = o.participant_id
    WHERE o.connection_id = %s AND o.group_id = %s AND o.settled_at >= %s
    """
)
_OURS = Statement(
    """
    SELECT participant_id, id FROM membership_operation
    WHERE participant_id AMONG %s AND verb = 'remove' AND (settled_at >= %s OR state = 'foreign')
        AND (calls_done > 0 OR resends > 0 OR state = 'foreign' OR outcome IN ({unclear}))
    ORDER BY id
    """,
    unclear=listed(frozenset({Reason.SENT_TOO_OFTEN, Reason.DECIDED_BY_OPERATOR})),
)


@dataclass(frozen=True, slots=True)
class Shield:
    """The rows of one group that a reading has to leave as they are."""

    participant_ids: frozenset[int | None]
    row_ids: frozenset[str]
    subjects: frozenset[str]
    is_added_to: bool
    """Somebody is being added: a new row that does not say whose it is may be theirs."""

    def covers(
        self, participant_id: int | None, remote_id: str, account_remote_id: str | None = None, *, is_new: bool = False
    ) -> bool:
        if not self.subjects:
            return False
        if remote_id in self.row_ids or (is_new and self.is_added_to and account_remote_id is None):
            return True
        if participant_id is not None and participant_id in self.participant_ids:
            return True
        by_account = account_remote_id is not None and f"account:{account_remote_id}" in self.subjects
        return by_account or f"row:{remote_id}" in self.subjects


def load(group: Group, *, began_at: datetime) -> Shield:
    """Call it in the transaction that writes: what is not shielded then may be written."""
    of_group = group.connection_id, group.pk
    found = _NEWER.rows(*of_group, *of_group, bulk.stored_time(Operation, began_at))
    return Shield(
        frozenset(pk for pk, *_ in found),
        frozenset(row_id for _, row_id, *_ in found if row_id is not None),
        frozenset(subject for _, _, subject, *_ in found),
        any(verb == Verb.ADD and state in IN_FLIGHT for *_, verb, state in found),
    )


@dataclass(frozen=True, slots=True)
class GroupShield:
    """The groups of one connection that a reading has to leave as they are."""

    group_ids: frozenset[int]
    names: frozenset[str]
    """Of groups that are being made. A new one of such a name may be ours: taken in, it would not be found as new."""

    def covers(self, group_id: int | None, name: str = "", *, is_new: bool = False) -> bool:
        return group_id in self.group_ids or (is_new and name in self.names)


def load_groups(connection_id: int, *, began_at: datetime) -> GroupShield:
    """Call it in the transaction that writes, as `load`."""
    of_groups = Operation.objects.filter(connection_id=connection_id, verb__in=Verb.of_groups()).order_by()
    newer = Q(state__in=IN_FLIGHT) | Q(settled_at__gte=began_at)
    found = list(of_groups.filter(newer).values_list("verb", "group_id", "wanted"))
    return GroupShield(
        frozenset(pk for _, pk, _ in found if pk is not None),
        frozenset(wanted.get("name", "") for verb, _, wanted in found if verb == Verb.CREATE_GROUP),
    )


def explained(participant_ids: Iterable[int], *, since: datetime) -> dict[int, int]:
    """`{participant id: operation id}` of differences that may be our own doing, although no answer confirmed it.

    A removal of several calls may have ended half done, or one that was sent again have had its effect after all.
    """
    rows = _OURS.rows(list(participant_ids), bulk.stored_time(Operation, since))
    return dict(rows)


def added(group_id: int, *, since: datetime) -> dict[int | None, int]:
    """`{account id: operation id}` of additions that were confirmed since, but whose row the answer did not tell."""
    additions = Operation.objects.filter(group_id=group_id, verb=Verb.ADD, state=OperationState.CONFIRMED)
    untold = additions.filter(participant=None, settled_at__gte=since).order_by("pk")
    return dict(untold.values_list("account_id", "pk"))
