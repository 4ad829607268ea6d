"""One call sent once: what came back, as a value. Runs in the lane's threads and never touches the database."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from membership import crash
from membership.errors import NextStep, Reason
from membership.models import Operation
from membership.providers import keeping
from membership.providers.base import (
    AccountRef,
    Ambiguous,
    GroupRef,
    Provider,
    RemoteAnswer,
    RemoteCall,
    RemoteGroup,
    RemoteParticipant,
    Verdict,
)
from membership.providers.errors import NotSent, OutcomeUnknown, ProviderError, Refused
from membership.vocab import Verb

logger = logging.getLogger(__name__)

NEW_ID = "id_from_call_1"


@dataclass(frozen=True, slots=True)
class Job:
    """One call of one operation, with all that a thread needs to send it."""

    operation_id: int
    verb: Verb
    call: RemoteCall
    is_first: bool
    group: GroupRef | None
    account: AccountRef | None
    values: Mapping[str, str]
    """`{slot: value}`."""
    reads: int
    """Readings that calls of this operation took before, which no entry tells yet."""

    @classmethod
    def of(cls, operation: Operation, reads: int = 0) -> "Job":
        group, account = operation.group, operation.account
        given: Mapping[str, str] = operation.secrets or {}
        secrets = {f"secret:{key}": value for key, value in given.items()}
        return cls(
            operation.pk,
            Verb(operation.verb),
            RemoteCall.from_json(operation.calls[operation.calls_done]),
            is_first=operation.calls_done == 0,
            group=GroupRef(group.remote_id, group.remote_number) if group else None,
            account=AccountRef(account.remote_id) if account else None,
            values={**secrets, **operation.results.get("values", {})},
            reads=reads,
        )


@dataclass(frozen=True, slots=True)
class Attempt:
    """How sending one call of one operation went: a verdict, or the error that says what may be done next."""

    operation_id: int
    verdict: Verdict | None = None
    error: ProviderError | None = None
    said: str = ""
    """The remote's words, where it did not simply confirm."""
    status: int | None = None
    answer: dict[str, Any] = field(default_factory=dict)
    there: RemoteParticipant | None = None
    """The row that an addition made, or that was there already."""
    group: RemoteGroup | None = None
    was_there: bool = False
    """An addition was not sent, because the look before it found the person there."""
    reads: int = 0
    """Readings that it took: looks before the call and after it."""

    @property
    def next_step(self) -> NextStep | None:
        return self.error.next_step if self.error else None


def attempt(provider: Provider, job: Job, send_before: float) -> Attempt:
    """Send the call and judge its answer. Never raises: an unforeseen fault counts as an answer that was lost."""
    try:
        crash.point("send.before_look")
        found = _look_before(provider, job)
        if found is not None:
            return found
        call = provider.fill(job.call, job.values) if job.call.slots else job.call
    except ProviderError as error:
        return Attempt(job.operation_id, error=_not_sent(error))
    except Exception:
        logger.exception("operation %s: the call could not be prepared", job.operation_id)
        return Attempt(job.operation_id, error=Refused(Reason.READING_FAILED))
    return _send(provider, job, call, send_before)


def _look_before(provider: Provider, job: Job) -> Attempt | None:
    """Where adding twice may make two rows, the person is looked for just before the call."""
    if job.verb != Verb.ADD or not job.is_first or not provider.capabilities.looks_before_add:
        return None
    if job.group is None or job.account is None:
        return None
    found = provider.find_added(job.group, job.account, ())
    if found is None:
        return None
    there = None if isinstance(found, Ambiguous) else found
    return Attempt(job.operation_id, verdict=Verdict.ALREADY_SO, there=there, was_there=True)


def _not_sent(error: ProviderError) -> ProviderError:
    """A fault of the reading before a call: the call itself did not leave."""
    if error.reason == Reason.WEAK_TOKEN:  # asking again will not help
        return Refused(Reason.FORBIDDEN, **error.params)
    if error.next_step == NextStep.READ_BACK:
        return NotSent(error.reason, pause_s=error.pause_s, **error.params)
    return error


def _send(provider: Provider, job: Job, call: RemoteCall, send_before: float) -> Attempt:
    answer = None
    try:
        crash.point("send.before")
        answer = provider.send(call, send_before=send_before)
        crash.point("send.answered")
        verdict = provider.judge(call, answer)
        made = _made(provider, job, call, answer) if verdict == Verdict.CONFIRMED else {}
    except ProviderError as error:
        return _attempt(provider, job, answer, error=error)
    except Exception:  # one hostile answer must not end the lane; what was sent must be read back
        logger.exception("operation %s: the answer could not be judged", job.operation_id)
        return _attempt(provider, job, answer, error=OutcomeUnknown(Reason.ANSWER_UNREADABLE))
    crash.point("send.judged")
    return _attempt(provider, job, answer, verdict=verdict, **made)


def _made(provider: Provider, job: Job, call: RemoteCall, answer: RemoteAnswer) -> dict[str, Any]:
    """What a confirmed call made, as far as its answer, or else a reading, tells."""
    if job.verb in (Verb.CREATE_GROUP, Verb.RENAME_GROUP):
        return {"group": provider.created(call, answer)}
    if job.verb != Verb.ADD or not job.is_first or job.group is None or job.account is None:
        return {}
    there = provider.added(call, answer, job.group, job.account)
    return {"there": there if there is not None else _find_added(provider, job.group, job.account)}


def _find_added(provider: Provider, group: GroupRef, account: AccountRef) -> RemoteParticipant | None:
    """The addition is confirmed already: a reading that fails only means that the row is read later."""
    try:
        found = provider.find_added(group, account, ())
    except ProviderError:
        return None
    return None if isinstance(found, Ambiguous) else found


def _attempt(provider: Provider, job: Job, answer: RemoteAnswer | None, **how: Any) -> Attempt:
    if answer is None:
        return Attempt(job.operation_id, **how)
    return Attempt(
        job.operation_id,
        said="" if how.get("verdict") == Verdict.CONFIRMED else provider.said(answer),
        status=answer.status,
        answer={"status": answer.status, "body": keeping.of_body(answer.text, provider.capabilities.kept)},
        **how,
    )
