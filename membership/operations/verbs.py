"""What each verb asks of the mirror before it is sent, and what it means for the mirror once it is confirmed."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import Q

from membership.mirror import writer
from membership.models import Operation, Participant
from membership.models.statements import Statement
from membership.plans.drafting import drafter
from membership.plans.wishes import SECRET_MARK
from membership.providers.base import RemoteGroup, RemoteParticipant
from membership.vocab import OperationState, Verb

RIGHTS = ("is_member", "is_manager", "can_write", "is_muted")


def wished_rights(operation: Operation) -> dict[str, Any]:
    """The rights among what is wanted."""
    return {name: value for name, value in operation.wanted.items() if name in RIGHTS}


def wishes_fields(operation: Operation) -> bool:
    """Whether it asks for more than rights: fields that the mirror cannot compare."""
    return any(name not in (*RIGHTS, "is_present") for name in operation.wanted)


# before sending


def standing(operations: Sequence[Operation]) -> dict[int, OperationState]:
    """What may be done with each now: `{id: QUEUED (send it) | NOT_NEEDED | OVERTAKEN}`, by what the mirror knows."""
    added = _there([op for op in operations if op.verb == Verb.ADD])
    return {op.pk: _standing(op, added) for op in operations}


def _there(additions: Sequence[Operation]) -> dict[tuple[int, int | None], Participant]:
    """`{(group id, account id): its row}` of those who are to be added and are there already.

    Where rows name accounts, a row counts by its id even if its account was not in the mirror when it was read.
    """
    if not additions:
        return {}
    ids = {op.account.remote_id: op.account_id for op in additions if op.account}
    rows = Participant.objects.filter(group_id__in={op.group_id for op in additions}, is_present=True)
    known = Q(account_id__in=set(ids.values()))
    if drafter(additions[0].connection).capabilities.rows_name_accounts:
        known |= Q(account=None, remote_id__in=set(ids))
    return {(row.group_id, row.account_id or ids.get(row.remote_id)): row for row in rows.filter(known)}


def _standing(operation: Operation, added: Mapping[tuple[int, int | None], Participant]) -> OperationState:
    if operation.calls_done:
        return OperationState.QUEUED  # begun: what the mirror says is between before and wanted
    if operation.verb == Verb.ADD:
        row = added.get((operation.group_id or 0, operation.account_id))
        return OperationState.QUEUED if row is None else _given(row, wished_rights(operation))
    return _STANDING[Verb(operation.verb)](operation)


def _given(row: Participant, rights: Mapping[str, Any]) -> OperationState:
    same = all(getattr(row, name) == value for name, value in rights.items())
    return OperationState.NOT_NEEDED if same else OperationState.OVERTAKEN


def _expected(operation: Operation) -> Mapping[str, Any]:
    """What a person decided to send against, else what the plan was made from."""
    expected: Mapping[str, Any] = operation.found or operation.before
    return expected


def _standing_of_removal(operation: Operation) -> OperationState:
    row = operation.participant
    if row is None or not row.is_present:
        return OperationState.NOT_NEEDED
    expected = _expected(operation)
    same = (row.is_member, row.is_manager) == (expected.get("is_member"), expected.get("is_manager"))
    return OperationState.QUEUED if same else OperationState.OVERTAKEN


def _standing_of_alteration(operation: Operation) -> OperationState:
    row = operation.participant
    if row is None or not row.is_present:
        return OperationState.OVERTAKEN
    rights, expected = wished_rights(operation), _expected(operation)
    fields = {name: value for name, value in operation.wanted.items() if name not in (*RIGHTS, "is_present")}
    now = _fields_now(row, fields)
    if operation.wanted and now == fields and _given(row, rights) == OperationState.NOT_NEEDED:
        return OperationState.NOT_NEEDED
    same = all(getattr(row, name) == expected.get(name) for name in rights)
    # What a person decided to send against names rights alone; what fields were is known of the preview.
    before = operation.before.get("fields", {})
    same = same and (bool(operation.found) or all(now.get(name) == value for name, value in before.items()))
    return OperationState.QUEUED if same else OperationState.OVERTAKEN


def _fields_now(row: Participant, wished: Mapping[str, Any]) -> dict[str, Any]:
    """What fields are now, as preconditions have them: of a secret only whether it is set, which is never as wished."""
    return {
        name: {"is_set": name in row.secrets} if value == SECRET_MARK else row.attributes.get(name)
        for name, value in wished.items()
    }


def _standing_of_creation(_operation: Operation) -> OperationState:
    return OperationState.QUEUED


def _standing_of_renaming(operation: Operation) -> OperationState:
    group = operation.group
    if group is None or not group.is_present:
        return OperationState.OVERTAKEN
    if group.name == operation.wanted["name"]:
        return OperationState.NOT_NEEDED
    return OperationState.QUEUED if group.name == _name_before(operation) else OperationState.OVERTAKEN


def _name_before(operation: Operation) -> str:
    return str(operation.found.get("name") or operation.before.get("name", ""))


def _standing_of_deletion(operation: Operation) -> OperationState:
    group = operation.group
    if group is None or not group.is_present:
        return OperationState.NOT_NEEDED
    # Somebody typed the name of what is deleted: another name may be another meaning.
    return OperationState.QUEUED if group.name == _name_before(operation) else OperationState.OVERTAKEN


_STANDING: dict[Verb, Callable[[Operation], OperationState]] = {
    Verb.REMOVE: _standing_of_removal,
    Verb.UPDATE: _standing_of_alteration,
    Verb.CREATE_GROUP: _standing_of_creation,
    Verb.RENAME_GROUP: _standing_of_renaming,
    Verb.DELETE_GROUP: _standing_of_deletion,
}


# once confirmed

_NAME_ROWS = Statement(
    """
    UPDATE membership_operation SET participant_id = given.column2
    FROM PAIRS AS given WHERE membership_operation.id = given.column1
    """
)


@dataclass(slots=True)
class News:
    """What a batch of answers means for the mirror: gathered first, written together."""

    at: datetime
    removed: list[tuple[int, int]] = field(default_factory=list)
    added: list[tuple[Operation, writer.Added]] = field(default_factory=list)
    altered: list[writer.Altered] = field(default_factory=list)

    def write(self) -> None:
        """Write all of it, grouped. Inside the caller's transaction."""
        writer.remove_confirmed(self.removed, at=self.at)
        made = writer.put_added([one for _, one in self.added], at=self.at)
        _NAME_ROWS.over(made)
        for operation, _ in self.added:
            operation.participant_id = made[operation.pk]
        writer.put_rights(self.altered, at=self.at)


def tell_mirror(news: News, operation: Operation, there: RemoteParticipant | None, group: RemoteGroup | None) -> bool:
    """Gather what a remote confirmed; of groups, write it. False: the group has to be read to know."""
    match operation.verb:
        case Verb.REMOVE:
            if operation.participant_id:
                news.removed.append((operation.participant_id, operation.pk))
        case Verb.ADD:
            return _added(news, operation, there)
        case Verb.UPDATE:
            _altered(news, operation)
            # Who managed without being a member may have become one by it.
            return not wishes_fields(operation) and operation.before.get("is_member") is not False
        case Verb.CREATE_GROUP if group is not None:
            pk = writer.put_group(operation.connection_id, group, at=news.at)
            Operation.objects.filter(pk=operation.pk).update(group_id=pk)
            operation.group_id = pk
            return False
        case Verb.RENAME_GROUP:
            writer.group_renamed(operation.group_id or 0, operation.wanted["name"], at=news.at)
        case Verb.DELETE_GROUP:
            writer.group_deleted(operation.group_id or 0, at=news.at, operation_id=operation.pk)
    return True


def _altered(news: News, operation: Operation) -> None:
    news.altered.append(writer.Altered(operation.participant_id or 0, operation.pk, wished_rights(operation)))


def _added(news: News, operation: Operation, there: RemoteParticipant | None) -> bool:
    if there is None and operation.participant_id:
        # Its first call made the row; the last one gave rights.
        _altered(news, operation)
        return not wishes_fields(operation)
    if there is None or operation.group_id is None or operation.account_id is None:
        return False
    added = writer.Added(operation.group_id, operation.account_id, operation.pk, there)
    news.added.append((operation, added))
    return True
