"""Previews made anew, and what did not go through tried again: both from what was asked, as the mirror has it now."""

from collections.abc import Collection, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from django.db.models import Q

from membership.errors import Reason
from membership.models import Change, Operation
from membership.plans.stored import COLUMNS, wishes_of
from membership.plans.wishes import Remove, Update, Wish
from membership.services import (
    addition,
    bundles,
    drafts,
    groups,
    leaving,
    matrix,
    outside,
    removal,
    same_groups,
    selecting,
    taking_back,
    time_machine,
    transfer,
    way_back,
)
from membership.services.rosters import planning
from membership.services.shell import audited, need_right, need_visible, refuse
from membership.vocab import ChangeKind, ChangeState, OperationState, Right, Verb

if TYPE_CHECKING:
    from django.contrib.auth.models import User

_TRIED_AGAIN = (OperationState.REFUSED, OperationState.OVERTAKEN, OperationState.CANCELLED)


_NAMED = (
    "do", "wanted", "mode", "group", "label", "target", "bundle", "name", "edit", "system", "from", "day", "of_change",
    "is_move", "until",
)  # fmt: skip
"""What a title names, and what has to be known to plan again."""


class _Again(Protocol):
    def __call__(self, selection: Mapping[str, Any], *, actor: "User") -> Change: ...


_FROM_SELECTION: Mapping[str, _Again] = {
    ChangeKind.REMOVAL_EVERYWHERE: removal.again,
    ChangeKind.ADDITION: addition.again,
    ChangeKind.GROUP: groups.again,
    ChangeKind.BUNDLE: partial(bundles.again, withdrawn=False),
    ChangeKind.BUNDLE_WITHDRAWN: partial(bundles.again, withdrawn=True),
    ChangeKind.SAME_GROUPS: same_groups.again,
    ChangeKind.MATRIX: matrix.again,
    ChangeKind.REVERT: outside.again,
    ChangeKind.WAY_BACK: way_back.again,
    ChangeKind.ROSTER: planning.again,
    ChangeKind.BACK_TO_DAY: time_machine.again,
    ChangeKind.TAKE_BACK: taking_back.again,
    ChangeKind.LEAVER: leaving.again,
}
"""Kinds whose selection says all of it. Of the others the rows that were planned are planned again."""
_FROM_ROWS: Mapping[str, _Again] = {
    ChangeKind.MOVE: partial(transfer.again, keep=False),
    ChangeKind.COPY: partial(transfer.again, keep=True),
}
"""Kinds whose selection says all of it where rows were chosen by name."""


@audited
def draft_retry(change: Change, *, actor: "User", positions: Collection[int] | None = None) -> Change:
    """Store a plan that tries again what was refused, overtaken or cancelled in `change`, as the mirror has it now.

    `positions`: only of these steps.
    """
    need_right(actor, Right.ACT)
    change = _current(change, actor)
    if change.confirmed_at is None:
        refuse(Reason.NOTHING_TO_RETRY)
    # What somebody altered in the database is nobody's wish.
    wishes = _stored(change, ~Q(outcome=Reason.NOT_IN_PLAN), positions=positions, state__in=_TRIED_AGAIN)
    if not wishes:
        refuse(Reason.NOTHING_TO_RETRY)
    selection = {"kind": "retry", "of": change.pk, "what": _what(change)}
    return drafts.draft(ChangeKind.RETRY, wishes, selection, actor=actor, retry_of=change)


@audited
def recompile(change: Change, *, actor: "User") -> Change:
    """Store a new plan of what a preview that can no longer be confirmed selected, as the mirror has it now.

    The rows that were planned are planned again: a stored query is not run a second time.
    """
    need_right(actor, Right.ACT)
    change = _current(change, actor)
    if change.confirmed_at is not None or change.state not in ChangeState.dropped():
        refuse(Reason.NOT_A_DRAFT)
    if change.erased_at is not None:
        refuse(Reason.ERASED)
    once_more = _FROM_SELECTION.get(change.kind)
    if selecting.named_ids(change.selection):
        once_more = once_more or _FROM_ROWS.get(change.kind)
    if once_more is not None:
        return once_more(change.selection, actor=actor)
    wishes = wishes_again(change)
    return drafts.draft(ChangeKind(change.kind), wishes, change.selection, actor=actor, retry_of=change.retry_of)


def wishes_again(change: Change) -> list[Wish]:
    """What a preview planned, to be planned again as the mirror has it then."""
    return [*_stored(change), *_named(change)]


def _current(change: Change, actor: "User") -> Change:
    """The change as it is now: pages may hold an older one."""
    need_visible(change, actor)
    return Change.objects.get(pk=change.pk)


def _stored(change: Change, *which: Q, positions: Collection[int] | None = None, **conditions: Any) -> list[Wish]:
    rows = Operation.objects.filter(*which, change=change, erased_at=None, **conditions).order_by("position")
    is_move = taking_back.is_move(change)
    # Values of secrets are fetched, and decrypted, only for the verb that has some.
    plain = rows.exclude(verb=Verb.UPDATE).values(*COLUMNS, "position")
    found = [*plain, *rows.filter(verb=Verb.UPDATE).values(*COLUMNS, "position", "secrets")]
    return wishes_of([row for row in found if positions is None or row["position"] in positions], is_move=is_move)


def _named(change: Change) -> list[Wish]:
    """What was chosen by name gets another chance, where it was left out."""
    ids = selecting.named_ids(change.selection)
    if change.kind == ChangeKind.REMOVAL:
        return [Remove(pk) for pk in ids]
    if change.kind == ChangeKind.ALTERATION and "wanted" in change.selection:
        return [Update(pk, change.selection["wanted"]) for pk in ids]
    return []


def _what(change: Change) -> dict[str, Any]:
    """What the first try was: its kind, and what its title says."""
    if change.kind == ChangeKind.RETRY:
        return {"kind": ChangeKind.REMOVAL.value, **change.selection.get("what", {})}
    return {"kind": change.kind, **{name: change.selection[name] for name in _NAMED if name in change.selection}}
