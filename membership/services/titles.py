"""What a change is called: a sentence, the same on its preview, its button, its page and in the audit log."""

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from membership.models import Change
from membership.services.inert import inert
from membership.vocab import ChangeKind


def people(count: int) -> str:
    return ngettext("%(count)d person", "%(count)d people", count) % {"count": count}


def groups(count: int) -> str:
    return ngettext("%(count)d group", "%(count)d groups", count) % {"count": count}


def title(change: Change) -> str:
    """Such as "Remove 37 people from 5 groups". Needs no query: lists show many."""
    who = people(change.people_count)
    if change.kind == ChangeKind.REMOVAL_EVERYWHERE:
        who = inert(str(change.selection.get("label", ""))) or who
        if change.compiled_at is None:
            return _("Remove %(people)s everywhere") % {"people": who}
    if not change.operations_count:
        return _("Nobody to remove")
    counted = {"people": who, "groups": groups(change.groups_count)}
    if change.kind == ChangeKind.RETRY:
        return _("Try again: remove %(people)s from %(groups)s") % counted
    return _("Remove %(people)s from %(groups)s") % counted


def question(change: Change) -> str:
    """The title as the preview asks it."""
    return _("%(title)s?") % {"title": title(change)} if change.operations_count else title(change)
