"""What a read-back proves about one operation that was in doubt. Pure: facts in, a finding out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from membership.errors import Reason
from membership.models import Operation
from membership.operations.attempts import NEW_ID
from membership.operations.verbs import RIGHTS, wished_rights
from membership.providers.base import RemoteGroup, RemoteParticipant
from membership.vocab import OperationState, Verb

RESENDS_AT_MOST = 2
READINGS_BEFORE_ADDING_AGAIN = 2
"""An addition that adds twice is sent again only when it was not there twice, a settle time apart."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What was read for one operation. `remaining`: the calls that a removal would need now."""

    there: RemoteParticipant | None = None
    group: RemoteGroup | None = None
    remaining: Sequence[dict[str, Any]] = ()
    repeats_effect: bool = False
    """Sending it twice may have two effects."""
    group_gone: bool = False
    ambiguous: bool = False
    undecided: bool = False
    """What was read cannot tell: an operator has to look."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Where a doubt goes. `look_again`: it stays in doubt for another settle time."""

    state: OperationState
    outcome: str
    params: dict[str, Any] = field(default_factory=dict)
    calls_done: int | None = None
    results: dict[str, Any] | None = None
    look_again: bool = False


def judge(operation: Operation, seen: Seen) -> Finding:
    """What is proved about `operation` by what was seen."""
    if seen.group_gone and operation.verb != Verb.DELETE_GROUP:
        return Finding(OperationState.REFUSED, Reason.GROUP_NOT_FOUND)
    return _JUDGES[Verb(operation.verb)](operation, seen)


def _confirmed(operation: Operation) -> Finding:
    already = Reason.ALREADY_GONE if operation.verb in (Verb.REMOVE, Verb.DELETE_GROUP) else Reason.ALREADY_SO
    outcome = already if _is_of_others(operation) else Reason.READ_BACK_DONE
    return Finding(OperationState.CONFIRMED, outcome, calls_done=len(operation.calls))


def _is_of_others(operation: Operation) -> bool:
    """Whether what is so was done by somebody else: the remote said no, and no call of ours was sent before."""
    return bool(operation.suspicion) and not operation.calls_done and not operation.resends


def _not_applied(operation: Operation) -> Finding:
    """An ambiguous answer was a refusal; a lost one is sent again, a bounded number of times."""
    if operation.suspicion:
        return Finding(OperationState.REFUSED, operation.suspicion, dict(operation.suspicion_params))
    if operation.resends >= RESENDS_AT_MOST:
        return Finding(OperationState.REFUSED, Reason.SENT_TOO_OFTEN, {"times": operation.resends + 1})
    return Finding(OperationState.QUEUED, Reason.READ_BACK_NOT_DONE)


def _go_on(calls_done: int, results: dict[str, Any] | None = None) -> Finding:
    """Part of it is done: the rest is sent."""
    return Finding(OperationState.QUEUED, Reason.READ_BACK_NOT_DONE, calls_done=calls_done, results=results)


def _foreign() -> Finding:
    return Finding(OperationState.FOREIGN, Reason.CHANGED_BY_SOMEONE_ELSE)


def _rights(there: RemoteParticipant) -> dict[str, Any]:
    return {name: getattr(there, name) for name in RIGHTS}


def _of_removal(operation: Operation, seen: Seen) -> Finding:
    if seen.there is None:
        return _confirmed(operation)
    done = len(operation.calls) - len(seen.remaining)
    if done < operation.calls_done or list(operation.calls[done:]) != list(seen.remaining):
        return _foreign()
    expected = operation.found or operation.before
    on_lists = (expected.get("is_member"), expected.get("is_manager"))
    if done == 0 and (seen.there.is_member, seen.there.is_manager) != on_lists:
        return _foreign()
    return _go_on(done) if done > operation.calls_done else _not_applied(operation)


def _of_addition(operation: Operation, seen: Seen) -> Finding:
    if seen.undecided:
        return Finding(OperationState.FOREIGN, Reason.FILTER_IGNORED)
    if seen.ambiguous:
        return _foreign()  # several rows: which of them counts, and with which rights, nobody knows
    if seen.there is None:
        return _not_added(operation, seen)
    rights = _rights(seen.there)
    if all(rights[name] == value for name, value in wished_rights(operation).items()):
        return _confirmed(operation)
    if operation.calls_done + 1 < len(operation.calls):
        values = {**operation.results.get("values", {}), NEW_ID: seen.there.remote_id}
        return _go_on(operation.calls_done + 1, {**operation.results, "values": values})
    # The last call, which gives rights, is what is in doubt: the person is there without them.
    return _not_applied(operation) if len(operation.calls) > 1 else _foreign()


def _not_added(operation: Operation, seen: Seen) -> Finding:
    readings = operation.results.get("readings", 0) + 1
    if operation.suspicion or not seen.repeats_effect or readings >= READINGS_BEFORE_ADDING_AGAIN:
        return _not_applied(operation)
    again = {**operation.results, "readings": readings}
    return Finding(OperationState.IN_DOUBT, Reason.READ_BACK_NOT_DONE, results=again, look_again=True)


def _of_alteration(operation: Operation, seen: Seen) -> Finding:
    if seen.there is None:
        return _of_vanished(operation)
    now, wished = _rights(seen.there), wished_rights(operation)
    if all(now[name] == value for name, value in wished.items()) and _has_fields(operation, seen.there):
        return _confirmed(operation)
    if operation.calls_done:
        return _not_applied(operation) if len(operation.calls) == 2 else _foreign()
    expected = operation.found or operation.before
    if len(operation.calls) > 1 and seen.there.is_member and expected.get("is_member") is False:
        return _go_on(1)  # a manager who was no member becomes one first
    same = all(now[name] == expected.get(name) for name in wished)
    return _not_applied(operation) if same else _foreign()


def _has_fields(operation: Operation, there: RemoteParticipant) -> bool:
    """Whether the row shows the wished fields; secret ones are compared with what was to be sent."""
    wished = {name: value for name, value in operation.wanted.items() if name not in (*RIGHTS, "is_present")}
    now = {**there.attributes, **there.secrets}
    return all(now.get(name) == operation.secrets.get(name, value) for name, value in wished.items())


def _of_vanished(operation: Operation) -> Finding:
    """A role that changes by removal and addition passes through being gone.

    Where the remote refused the removal, and none was sent before, somebody else removed them: they are not put back.
    """
    if len(operation.calls) > 1 and not _is_of_others(operation):
        return _not_applied(operation) if operation.calls_done else _go_on(1)
    return _foreign()


def _of_creation(operation: Operation, seen: Seen) -> Finding:
    if seen.ambiguous:
        return _foreign()
    if seen.group is not None:
        return _confirmed(operation)
    return _not_added(operation, seen)


def _of_renaming(operation: Operation, seen: Seen) -> Finding:
    name = seen.group.name if seen.group else ""
    if name == operation.wanted["name"]:
        return _confirmed(operation)
    return _not_applied(operation) if name == operation.before["name"] else _foreign()


def _of_deletion(operation: Operation, seen: Seen) -> Finding:
    return _confirmed(operation) if seen.group is None else _not_applied(operation)


_JUDGES: dict[Verb, Callable[[Operation, Seen], Finding]] = {
    Verb.REMOVE: _of_removal,
    Verb.ADD: _of_addition,
    Verb.UPDATE: _of_alteration,
    Verb.CREATE_GROUP: _of_creation,
    Verb.RENAME_GROUP: _of_renaming,
    Verb.DELETE_GROUP: _of_deletion,
}
