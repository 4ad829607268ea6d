"""A reading before a removal: the groups that were not read of late are read, then the same is planned again."""

from collections import defaultdict
from typing import TYPE_CHECKING

from django.db import transaction
from django.utils import timezone

from membership.audit import record
from membership.errors import Reason
from membership.models import Change, ChangeConnection, Finding, Reading
from membership.services import drafts, pending
from membership.services.again import wishes_again
from membership.services.shell import audited, need_right, need_visible, refuse
from membership.vocab import AuditAction, Chain, ChangeKind, ChangeState, Guard, ReadingKind, Right

if TYPE_CHECKING:
    from django.contrib.auth.models import User


@audited
def read_and_recompile(change: Change, *, actor: "User") -> Change:
    """Have the groups of a preview read whose last complete reading is too old, and plan the same after it.

    The new preview waits for the readings and then appears by itself; the old one can no longer be confirmed. Raises
    `ChangeRefused` where it is no preview, or no reading is wanted.
    """
    need_right(actor, Right.ACT)
    need_right(actor, Right.REFRESH)
    need_visible(change, actor)
    with transaction.atomic():
        old = Change.objects.select_for_update().get(pk=change.pk)
        if old.state != ChangeState.DRAFT or old.compiled_at is None:
            refuse(Reason.NOT_A_DRAFT)
        found = Finding.objects.filter(change=old, guard=Guard.OLD_READING).exclude(group=None)
        wanted = list(found.order_by("position").values_list("connection_id", "group_id"))
        if not wanted:
            refuse(Reason.NOTHING_SELECTED)
        new = drafts.new_draft(
            ChangeKind(old.kind),
            old.selection,
            actor=actor,
            touches_hidden=old.touches_hidden,
            retry_of=old.retry_of,
        )
        pending.put(new, wishes_again(old))
        systems = old.parts.values_list("connection_id", flat=True)
        ChangeConnection.objects.bulk_create(drafts.note_part(new, pk, None) for pk in systems)
        entries = _ask(new, wanted, actor)
        stale = drafts.make_stale(old, now=timezone.now(), why="read_again", actor=actor, data={"by": new.pk})
        entries[Chain.PANEL] += [stale] if stale else []
        record.write_all(entries)
    return new


def _ask(change: Change, wanted: list[tuple[int, int]], actor: "User") -> dict[str, list[record.Entry]]:
    """Readings of these groups, `(connection id, group id)` each, for which the draft waits; and their entries."""
    Reading.objects.bulk_create(
        Reading(
            connection_id=connection_id,
            group_id=group_id,
            kind=ReadingKind.GROUP,
            change=change,
            asked_by=actor,
            asked_at=change.created_at,
        )
        for connection_id, group_id in wanted
    )
    groups: dict[int, list[int]] = defaultdict(list)
    for connection_id, group_id in wanted:
        groups[connection_id].append(group_id)
    entries: dict[str, list[record.Entry]] = defaultdict(list)
    for connection_id, ids in groups.items():
        entries[record.connection_chain(connection_id)].append(
            record.Entry(
                AuditAction.READING_REQUESTED,
                actor=actor,
                change_id=change.pk,
                connection_id=connection_id,
                group_id=ids[0] if len(ids) == 1 else None,
                data={"kind": ReadingKind.GROUP, "groups": ids},
            )
        )
    return entries
