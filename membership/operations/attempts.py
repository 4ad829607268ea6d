"""One call sent once: what came back, as a value. Runs in the lane's threads and never touches the database."""

import json
import logging
from dataclasses import dataclass, field
from typing import Any

from membership.errors import NextStep, Reason
from membership.providers.base import Provider, RemoteAnswer, RemoteCall, Verdict
from membership.providers.errors import OutcomeUnknown, ProviderError

logger = logging.getLogger(__name__)

EXCERPT = 2000
"""Characters of an answer that the audit log keeps."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """How sending one call of one operation went: a verdict, or the error that says what may be done next."""

    operation_id: int
    verdict: Verdict | None = None
    error: ProviderError | None = None
    said: str = ""
    status: int | None = None
    answer: dict[str, Any] = field(default_factory=dict)

    @property
    def next_step(self) -> NextStep | None:
        return self.error.next_step if self.error else None


def attempt(provider: Provider, operation_id: int, call: RemoteCall, send_before: float) -> Attempt:
    """Send `call` and judge its answer. Never raises: an unforeseen fault counts as an answer that was lost."""
    answer = None
    try:
        answer = provider.send(call, send_before=send_before)
        verdict = provider.judge(call, answer)
    except ProviderError as error:
        return _made(provider, operation_id, answer, error=error)
    except Exception:  # one hostile answer must not end the lane; what was sent must be read back
        logger.exception("operation %s: the answer could not be judged", operation_id)
        return _made(provider, operation_id, answer, error=OutcomeUnknown(Reason.ANSWER_UNREADABLE))
    return _made(provider, operation_id, answer, verdict=verdict)


def _made(provider: Provider, operation_id: int, answer: RemoteAnswer | None, **how: Any) -> Attempt:
    if answer is None:
        return Attempt(operation_id, **how)
    return Attempt(
        operation_id,
        said=provider.said(answer),
        status=answer.status,
        answer={"status": answer.status, "body": _excerpt(answer)},
        **how,
    )


def _excerpt(answer: RemoteAnswer) -> Any:
    """The body as JSON where it is one, so that secrets in it can be told by their keys; else as text."""
    text = answer.text[: 4 * EXCERPT]
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text[:EXCERPT]
