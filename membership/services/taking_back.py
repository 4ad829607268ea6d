"""A change taken back: a plan of its own that undoes what was confirmed, as far as nobody has changed it since."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db.models import Q
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from membership.errors import Reason
from membership.models import Change, Operation, Participant, Presence
from membership.operations.compare import is_same, shows, value_now
from membership.plans.drafting import drafter
from membership.plans.wishes import (
    RIGHTS,
    SECRET_MARK,
    USUAL,
    Barred,
    DeleteGroup,
    Refusal,
    Remove,
    RenameGroup,
    Update,
    Wish,
)
from membership.services import drafts, way_back
from membership.services.inert import inert
from membership.services.inverse import fields_in, joins_again, rights_in
from membership.services.shell import audited, need_right, need_visible, refuse
from membership.vocab import ChangeKind, ChangeState, OperationState, Right, Verb

if TYPE_CHECKING:
    from django.contrib.auth.models import User

_HEAVY = ("calls", "secrets", "connection__secrets", "connection__session", "group__secrets", "group__attributes")
_DROPPED = (ChangeState.STALE, ChangeState.CANCELLED)


@audited
def draft_taking_back(change: Change, *, actor: "User") -> Change:
    """Store the plan that undoes what was done by `change`, guards applied.

    Three states are held against each other: before the change, after it, and now. Only what is now as the change left
    it is put back as it was before; what somebody changed since stays, and is left out by name, as is what the systems
    cannot give back.

    Raises `ChangeRefused` when the change has not ended, or nothing of it was done.
    """
    need_right(actor, Right.ACT)
    need_visible(change, actor)
    done = Change.objects.get(pk=change.pk)
    if done.confirmed_at is None or done.state not in ChangeState.final():
        refuse(Reason.NOT_FINISHED)
    wishes = _wishes(done)
    if not wishes:
        refuse(Reason.NOTHING_TO_TAKE_BACK)
    selection = {"kind": "take_back", "of": done.pk, "of_change": done.pk, "is_move": is_move(done)}
    return drafts.draft(ChangeKind.TAKE_BACK, wishes, selection, actor=actor)


def again(selection: Mapping[str, Any], *, actor: "User") -> Change:
    """The same once more, as things are now."""
    return draft_taking_back(Change.objects.get(pk=selection["of"]), actor=actor)


def is_move(change: Change) -> bool:
    """Whether its additions and removals belong together: all or none of somebody's."""
    what = change.selection.get("what", {}).get("kind")
    return ChangeKind.MOVE in (change.kind, what) or bool(change.selection.get("is_move"))


def taken_back_in(change: Change) -> list[Change]:
    """The changes, asked for or previews, that take it back, oldest first."""
    asked = Change.objects.filter(kind=ChangeKind.TAKE_BACK, selection__of_change=change.pk)
    return list(asked.exclude(state__in=_DROPPED, confirmed_at=None).order_by("pk"))


def original(change: Change) -> Change | None:
    """What a taking back takes back; None for other changes."""
    return Change.objects.filter(pk=change.selection["of"]).first() if change.kind == ChangeKind.TAKE_BACK else None


def may_be_taken_back(change: Change) -> bool:
    """Whether something of it was done, and it has ended."""
    done = Q(state=OperationState.CONFIRMED) | Q(state=OperationState.REFUSED, outcome_params__half_done=True)
    return change.state in ChangeState.final() and Operation.objects.filter(done, change=change).exists()


# before, after and now


@dataclass(frozen=True, slots=True)
class _Now:
    """What the mirror says of the places that the steps are about."""

    places: Mapping[tuple[int, int], Participant]
    """`{(group, account): the present row}`."""
    rows: Mapping[int, Participant]
    """`{participant: its row}`, present or not."""
    stretches: Mapping[int, Presence]
    """`{participant: its open presence}`."""

    def place(self, step: Operation) -> Participant | None:
        """The row of whom the step is about, if they are there now."""
        found = self.places.get((step.group_id or 0, step.account_id or 0))
        row = found or self.rows.get(step.participant_id or 0)
        return row if row is not None and row.is_present else None


def _wishes(change: Change) -> list[Wish]:
    """The last step first: what came last is undone first."""
    half = Q(state=OperationState.REFUSED, outcome_params__half_done=True)
    rows = Operation.objects.filter(Q(state=OperationState.CONFIRMED) | half, change=change)
    steps = list(rows.select_related("group", "connection", "account").defer(*_HEAVY).order_by("-position"))
    now = _look(steps)
    put_back = way_back.ways_back(step.pk for step in steps if step.state == OperationState.REFUSED)
    whole = is_move(change)
    wishes: list[Wish] = []
    for step in steps:
        if step.pk in put_back:
            continue
        together = step.account_id if whole else None
        wishes += _INVERSES[Verb(step.verb)](step, now, together)
    return wishes


def _look(steps: Sequence[Operation]) -> _Now:
    rows = Participant.objects.defer("secrets").in_bulk({step.participant_id for step in steps if step.participant_id})
    accounts = {step.account_id for step in steps if step.account_id}
    groups = {step.group_id for step in steps if step.group_id}
    there: dict[tuple[int, int], Participant] = {}
    for chunk in _chunks(accounts):
        present = Participant.objects.filter(group_id__in=groups, account_id__in=chunk, is_present=True)
        there |= {(row.group_id, row.account_id or 0): row for row in present.defer("secrets")}
    stretches: dict[int, Presence] = {}
    for chunk in _chunks({*rows, *(row.pk for row in there.values())}):
        found = Presence.objects.filter(participant_id__in=chunk, until=None)
        stretches |= {each.participant_id: each for each in found}
    return _Now(there, rows, stretches)


def _chunks(ids: Iterable[int], size: int = 500) -> Iterable[list[int]]:
    ordered = sorted(ids)
    return (ordered[start : start + size] for start in range(0, len(ordered), size))


def _left(step: Operation, reason: Reason, together: int | None = None) -> list[Wish]:
    return [Barred(step.subject_label, step.group_id or 0, Refusal(reason), together)]


def _of_addition(step: Operation, now: _Now, together: int | None) -> list[Wish]:
    place = now.place(step)
    if step.outcome == Reason.ALREADY_SO:
        return _left(step, Reason.WAS_SO_BEFORE, together)
    if place is None:
        return _left(step, Reason.ALREADY_GONE, together)
    is_ours = _is_of(step, now.stretches.get(place.pk))
    if not (is_ours and (step.state == OperationState.REFUSED or _has_only(place, step.wanted))):
        return _left(step, Reason.CHANGED_SINCE, together)
    return [Remove(place.pk, together)]


def _is_of(step: Operation, stretch: Presence | None) -> bool:
    """Whether they are there since that step, and did not leave and come again."""
    if stretch is None or stretch.began_operation_id == step.pk:
        return stretch is not None
    return step.settled_at is not None and stretch.since <= step.settled_at


def _has_only(place: Participant, wanted: Mapping[str, Any]) -> bool:
    """The rights that were given, and of the others what anybody has."""
    return all(value_now(place, name) in (None, wanted.get(name, USUAL[name])) for name in RIGHTS)


def _of_removal(step: Operation, now: _Now, together: int | None) -> list[Wish]:
    if step.outcome == Reason.ALREADY_GONE:
        return _left(step, Reason.WAS_SO_BEFORE, together)
    place = now.place(step)
    if place is None:
        return [joins_again(step.account_id, step.group_id or 0, step.subject_label, step.before, together)]
    if step.state == OperationState.REFUSED:
        return [Update(place.pk, rights_in(step.before))]  # half of it was done: off one list, still on the other
    is_as_before = all(value_now(place, name) == value for name, value in rights_in(step.before).items())
    return _left(step, Reason.ALREADY_SO if is_as_before else Reason.CHANGED_SINCE, together)


def _of_alteration(step: Operation, now: _Now, _together: int | None) -> list[Wish]:
    place = now.place(step)
    if place is None and step.state == OperationState.REFUSED:
        return [joins_again(step.account_id, step.group_id or 0, step.subject_label, step.before)]
    before = _before(step)
    if place is None or not (shows(place, step.wanted) or _shows_each(place, before, step)):
        return _left(step, Reason.CHANGED_SINCE)
    lost = [name for name, value in step.wanted.items() if value == SECRET_MARK]
    wishes: list[Wish] = [Update(place.pk, before)] if before else []
    return wishes + (_left(step, Reason.SECRET_NOT_KEPT) if lost else [])


def _before(step: Operation) -> dict[str, Any]:
    """What the altered rights and fields were."""
    fields = drafter(step.connection).capabilities.fields
    texts = [field.key for field in fields if field.kind not in ("boolean", "number")]
    known = {**rights_in(step.before), **fields_in(step.before, texts)}
    return {name: value for name, value in known.items() if name in step.wanted and step.wanted[name] != SECRET_MARK}


def _shows_each(place: Participant, before: Mapping[str, Any], step: Operation) -> bool:
    """Each is as before, or as the step left it: a half of it may have been done, or put back."""
    return bool(before) and all(
        is_same(value_now(place, name), value) or is_same(value_now(place, name), step.wanted[name])
        for name, value in before.items()
    )


def _of_creation(step: Operation, _now: _Now, _together: int | None) -> list[Wish]:
    group = step.group
    if group is None:
        refuse(Reason.GROUP_NOT_FOUND)
    members = set(step.wanted.get("members", ()))
    own = step.connection.own_account_id
    known = Q(account__is_own=True) | Q(account__remote_id__in=members) | Q(remote_id=own)
    came_since = Participant.objects.filter(group=group, is_present=True).exclude(known)
    if group.is_present and (group.name != step.wanted["name"] or came_since.exists()):
        return _left(step, Reason.CHANGED_SINCE)
    return [DeleteGroup(group.pk)]


def _of_renaming(step: Operation, _now: _Now, _together: int | None) -> list[Wish]:
    group, name = step.group, step.before.get("name", "")
    if group is None or group.name not in (name, step.wanted["name"]):
        return _left(step, Reason.CHANGED_SINCE)
    return [RenameGroup(group.pk, name)]


def _of_deletion(step: Operation, _now: _Now, _together: int | None) -> list[Wish]:
    return _left(step, Reason.GROUP_DELETED)


_INVERSES: Mapping[Verb, Callable[[Operation, _Now, int | None], list[Wish]]] = {
    Verb.ADD: _of_addition,
    Verb.REMOVE: _of_removal,
    Verb.UPDATE: _of_alteration,
    Verb.CREATE_GROUP: _of_creation,
    Verb.RENAME_GROUP: _of_renaming,
    Verb.DELETE_GROUP: _of_deletion,
}


# what cannot come back


def what_cannot_come_back(change: Change) -> list[str]:
    """What the preview of a taking back says beside its steps; nothing for other changes."""
    if change.kind != ChangeKind.TAKE_BACK:
        return []
    joining = Operation.objects.filter(change=change, verb=Verb.ADD).select_related("connection")
    systems = {step.connection_id: step.connection for step in joining.defer(*_HEAVY[:4])}
    found: list[str] = []
    for system in systems.values():
        can, name = drafter(system).capabilities, {"system": system.name}
        if not can.rows_name_accounts:
            found.append(_("%(system)s gives whoever comes back a new row: its old id does not come back.") % name)
        fields = [_(field.label) for field in can.fields]
        if fields:
            said = _("In %(system)s places and rights come back, but not these fields, nor secrets: %(fields)s.")
            found.append(said % {**name, "fields": ", ".join(fields)})
    if systems:
        found.append(
            _("Old messages, and what was read of them, are no part of this: the system decides what is shown again.")
        )
    only_managed = Operation.objects.filter(
        change=change.selection["of"], verb=Verb.REMOVE, before__is_member=False, before__is_manager=True
    ).count()
    if only_managed:
        said = ngettext(
            "%(count)d person managed without being a member, and comes back as both.",
            "%(count)d people managed without being members, and come back as both.",
            only_managed,
        )
        found.append(said % {"count": only_managed})
    return [inert(text) for text in found]
