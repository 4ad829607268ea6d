"""The outermost shell of every service: rights are asked for here, and a refusal is in the log before it is shown."""

import functools
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, NoReturn, ParamSpec, TypeVar

from django.db import models, transaction

from membership.audit import record
from membership.errors import BadValue, ChangeRefused, MusterbookError, NotAllowed, Reason
from membership.models import (
    Account,
    Change,
    Connection,
    Group,
    Operation,
    Participant,
    Person,
    has_right,
    visible_to,
)
from membership.vocab import AuditAction, Chain, Right

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser, User

P = ParamSpec("P")
R = TypeVar("R")
M = TypeVar("M", bound=models.Model)

_REFS: dict[type[models.Model], str] = {
    Account: "account_id",
    Change: "change_id",
    Connection: "connection_id",
    Group: "group_id",
    Operation: "operation_id",
    Participant: "participant_id",
    Person: "person_id",
}
_inside: ContextVar[bool] = ContextVar("inside an audited service", default=False)


def audited(service: Callable[P, R]) -> Callable[P, R]:
    """For services that take `actor` by name: what they refuse is recorded, after their transaction was rolled back.

    A service called by another is part of it: the outermost one records. Do not open a transaction around an audited
    service: it would take the record back.
    """

    @functools.wraps(service)
    def shell(*args: P.args, **kwargs: P.kwargs) -> R:
        if _inside.get():
            return service(*args, **kwargs)
        token = _inside.set(True)
        try:
            return service(*args, **kwargs)
        except (ChangeRefused, NotAllowed, BadValue) as error:
            actor: Any = kwargs.get("actor")
            record_refusal(service.__name__, error, actor=actor, about=(*args, *kwargs.values()))
            raise
        finally:
            _inside.reset(token)

    return shell


def record_refusal(
    what: str,
    error: MusterbookError,
    *,
    actor: "User | AnonymousUser | None",
    about: tuple[object, ...] = (),
    personal: Mapping[str, Any] | None = None,
) -> None:
    """Record that `what` (a service, an action, an address) was refused, in a transaction of its own.

    `about` may hold anything: rows of ours among it become the entry's references.
    """
    entry = record.Entry(
        AuditAction.REQUEST_REFUSED,
        actor=actor if actor is not None and actor.is_authenticated else None,
        outcome=error.reason.value,
        data={"what": what},
        personal={**({"params": error.params} if error.params else {}), **(personal or {})},
        **_references(about),
    )
    with transaction.atomic():
        record.write(Chain.PANEL, [entry])
    error.is_recorded = True


def _references(about: tuple[object, ...]) -> dict[str, int]:
    """Ids of the rows among `about`, one of a kind."""
    found: dict[str, int] = {}
    for item in about:
        name = _REFS.get(type(item)) if isinstance(item, models.Model) else None
        if name and isinstance(item, models.Model) and item.pk is not None:
            found.setdefault(name, item.pk)
    return found


def need_right(actor: "User", right: Right) -> None:
    """Raises `NotAllowed` where the actor lacks the right."""
    if not has_right(actor, right):
        raise NotAllowed(Reason.NO_RIGHT, right=right.value)


def need_visible(row: M, actor: "User") -> M:
    """The row, if the actor may see it. Raises `NotAllowed`, which does not tell whether the row exists."""
    queryset: models.QuerySet[M] = type(row)._default_manager.filter(pk=row.pk)
    if not visible_to(queryset, actor).exists():
        raise NotAllowed(Reason.NOT_VISIBLE)
    return row


def refuse(reason: Reason, **params: Any) -> NoReturn:
    """Raises `ChangeRefused`: a line of a service that reads as what it means."""
    raise ChangeRefused(reason, **params)
