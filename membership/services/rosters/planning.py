"""A matched list becomes wishes, and those a draft like any other."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from membership import conf
from membership.errors import ChangeRefused, Reason
from membership.models import Change, Roster
from membership.services import drafts, endings
from membership.services.rosters import wanted
from membership.services.shell import audited, need_right, need_visible, refuse
from membership.vocab import ChangeKind, Right

if TYPE_CHECKING:
    from django.contrib.auth.models import User


@audited
def draft_roster(roster: Roster, *, actor: "User") -> Change | None:
    """Store the plan by which the group becomes as the list says, guards applied. None: it is so already.

    Only differences are planned. Rows that nobody was found for, or that are not clear, are no part of it and change
    nobody; in the mode "exactly" whoever may be meant by one stays, named as left out.

    Raises `NotAllowed` when the actor may not act or not see the group, `ChangeRefused` when the rows are deleted.
    """
    need_right(actor, Right.ACT)
    need_visible(roster.group, actor)
    if roster.is_emptied or wanted.is_erased_in(roster.pk):
        refuse(Reason.ROSTER_GONE)
    try:
        return drafts.draft(ChangeKind.ROSTER, wanted.wishes(roster), _selection(roster), actor=actor)
    except ChangeRefused as error:
        if error.reason != Reason.NOTHING_SELECTED:
            raise
        return None


def again(selection: Mapping[str, Any], *, actor: "User") -> Change:
    """The same list once more, as things are now. Of a large one, or for a large group, the worker reads the rows and
    plans them: the draft then has no plan yet.

    Raises `ChangeRefused` when the rows are deleted or are being matched anew, or nothing differs.
    """
    roster = Roster.objects.select_related("group").filter(pk=selection["roster"]).first()
    if roster is None or not wanted.is_whole(roster.pk):
        refuse(Reason.ROSTER_GONE)
    need_visible(roster.group, actor)
    if max(roster.rows_count, roster.group.participants_count) > conf.compile_in_worker_above():
        change = drafts.put_off_list(roster, _selection(roster), actor=actor)
    else:
        drafted = draft_roster(roster, actor=actor)
        if drafted is None:
            refuse(Reason.NOTHING_TO_DO)
        change = drafted
    Roster.objects.filter(pk=roster.pk).update(change=change)
    return change


def _selection(roster: Roster) -> dict[str, Any]:
    return {
        "kind": "roster",
        "roster": roster.pk,
        "mode": roster.mode,
        "label": roster.file_name,
        "group": str(roster.group),
        **endings.in_selection(roster.until),
    }
