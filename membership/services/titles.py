"""What a change is called: a sentence, the same on its preview, its button, its page and in the audit log.

What a title names beyond numbers stands in the change's `selection`: lists show many titles, without a query each.
"""

from collections.abc import Callable, Mapping
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from membership.models import Change
from membership.services.inert import inert
from membership.vocab import ChangeKind, ChangeState

About = Mapping[str, Any]


def people(count: int) -> str:
    return ngettext("%(count)d person", "%(count)d people", count) % {"count": count}


def groups(count: int) -> str:
    return ngettext("%(count)d group", "%(count)d groups", count) % {"count": count}


def title(change: Change) -> str:
    """Such as "Remove 37 people from 5 groups"."""
    if _is_made_later(change):
        return _("A large preview that is being made")
    if change.kind == ChangeKind.RETRY:
        return _of_retry(change)
    return _TITLES[ChangeKind(change.kind)](change, change.selection)


def _is_made_later(change: Change) -> bool:
    """The worker compiles it: what it will be called is not known."""
    is_compiled = change.compiled_at is not None or change.operations_count or change.plan_hash
    return not is_compiled and change.state == ChangeState.DRAFT and change.kind != ChangeKind.REMOVAL_EVERYWHERE


def question(change: Change) -> str:
    """The title as the preview asks it."""
    return _("%(title)s?") % {"title": title(change)} if change.operations_count else title(change)


def _of_retry(change: Change) -> str:
    about = change.selection.get("what", {})
    kind = ChangeKind(about.get("kind", ChangeKind.REMOVAL))
    if kind not in (ChangeKind.REMOVAL, ChangeKind.REMOVAL_EVERYWHERE):
        return _("Try again: %(what)s") % {"what": _TITLES[kind](change, {**about, **change.selection})}
    if not change.operations_count:
        return _("Nobody to remove")
    return _("Try again: remove %(people)s from %(groups)s") % _counted(change)


def _counted(change: Change) -> dict[str, str]:
    return {"people": people(change.people_count), "groups": groups(change.groups_count)}


def _name(about: About, key: str) -> str:
    return inert(str(about.get(key, "")))


def _where(change: Change, about: About) -> str:
    """The group by name, where there is one alone; else how many there are."""
    return _name(about, "group") or groups(change.groups_count)


def _of_removal(change: Change, _about: About) -> str:
    if not change.operations_count:
        return _("Nobody to remove")
    return _("Remove %(people)s from %(groups)s") % _counted(change)


def _of_removal_everywhere(change: Change, about: About) -> str:
    who = _name(about, "label") or people(change.people_count)
    if change.compiled_at is None:
        return _("Remove %(people)s everywhere") % {"people": who}
    if not change.operations_count:
        return _("Nobody to remove")
    return _("Remove %(people)s from %(groups)s") % {"people": who, "groups": groups(change.groups_count)}


def _of_addition(change: Change, about: About) -> str:
    if not change.operations_count:
        return _("Nobody to add")
    said = {"people": people(change.people_count), "groups": _where(change, about)}
    if about.get("wanted", {}).get("is_manager"):
        return _("Add %(people)s to %(groups)s as managers") % said
    return _("Add %(people)s to %(groups)s") % said


def _of_alteration(change: Change, about: About) -> str:
    if not change.operations_count:
        return _("Nothing to change")
    if "edit" in about:
        return _("Edit %(person)s in %(groups)s") % {
            "person": _name(about, "label"),
            "groups": _where(change, about),
        }
    wanted = about.get("wanted", {})
    rights = tuple(wanted.items())
    say = _RIGHT_TITLES.get(rights[0], _altered) if len(rights) == 1 else _altered
    return say(change.people_count) % {"count": change.people_count, "groups": _where(change, about)}


def _altered(count: int) -> str:
    return ngettext(
        "Change the rights of %(count)d person in %(groups)s",
        "Change the rights of %(count)d people in %(groups)s",
        count,
    )


def _made_managers(count: int) -> str:
    return ngettext(
        "Make %(count)d person a manager of %(groups)s", "Make %(count)d people managers of %(groups)s", count
    )


def _made_members(count: int) -> str:
    return ngettext(
        "Make %(count)d manager an ordinary member of %(groups)s",
        "Make %(count)d managers ordinary members of %(groups)s",
        count,
    )


def _muted(count: int) -> str:
    return ngettext("Mute %(count)d person in %(groups)s", "Mute %(count)d people in %(groups)s", count)


def _unmuted(count: int) -> str:
    return ngettext("Unmute %(count)d person in %(groups)s", "Unmute %(count)d people in %(groups)s", count)


def _let_write(count: int) -> str:
    return ngettext("Let %(count)d person write in %(groups)s", "Let %(count)d people write in %(groups)s", count)


def _kept_from_writing(count: int) -> str:
    return ngettext(
        "Forbid %(count)d person to write in %(groups)s", "Forbid %(count)d people to write in %(groups)s", count
    )


_RIGHT_TITLES: Mapping[tuple[str, bool], Callable[[int], str]] = {
    ("is_manager", True): _made_managers,
    ("is_manager", False): _made_members,
    ("is_muted", True): _muted,
    ("is_muted", False): _unmuted,
    ("can_write", True): _let_write,
    ("can_write", False): _kept_from_writing,
}


def _of_move(change: Change, about: About) -> str:
    if not change.operations_count:
        return _("Nobody to move")
    return _("Move %(people)s to %(group)s") % _to_target(change, about)


def _of_copy(change: Change, about: About) -> str:
    if not change.operations_count:
        return _("Nobody to copy")
    return _("Copy %(people)s to %(group)s") % _to_target(change, about)


def _to_target(change: Change, about: About) -> dict[str, str]:
    return {"people": people(change.people_count), "group": _name(about, "target")}


def _of_group(change: Change, about: About) -> str:
    if not change.operations_count:
        return _("Nothing to change")
    said = {key: _name(about, key) for key in ("name", "system", "from")}
    if about.get("do") == "create":
        return _("Create the group %(name)s in %(system)s") % said
    if about.get("do") == "rename":
        return _("Rename the group %(from)s in %(system)s to %(name)s") % said
    return _("Delete the group %(name)s in %(system)s") % said


def _of_bundle(change: Change, about: About) -> str:
    if not change.operations_count:
        return _("Nobody to add")
    return _("Give the bundle “%(bundle)s” to %(people)s") % _of_bundled(change, about)


def _of_withdrawal(change: Change, about: About) -> str:
    if not change.operations_count:
        return _("Nobody to remove")
    return _("Withdraw the bundle “%(bundle)s” from %(people)s") % _of_bundled(change, about)


def _of_bundled(change: Change, about: About) -> dict[str, str]:
    return {"people": people(change.people_count), "bundle": _name(about, "bundle")}


def _of_same_groups(change: Change, about: About) -> str:
    if not change.operations_count:
        return _("Nobody to add")
    said = {"people": people(change.people_count), "person": _name(about, "label")}
    return _("Give %(people)s the same groups as %(person)s") % said


def _of_matrix(change: Change, about: About) -> str:
    if not change.operations_count:
        return _("Nothing to change")
    said = {"person": _name(about, "label"), "groups": _where(change, about)}
    return _("Change where %(person)s takes part: %(groups)s") % said


def _of_revert(change: Change, about: About) -> str:
    if not change.operations_count:
        return _("Nothing to change")
    said = {"people": people(change.people_count), "groups": _where(change, about)}
    return _("Undo what was changed outside: %(people)s in %(groups)s") % said


def _of_way_back(change: Change, about: About) -> str:
    if not change.operations_count:
        return _("Nothing to change")
    said = {"person": _name(about, "label"), "group": _where(change, about)}
    return _("Put back as before: %(person)s in %(group)s") % said


def _of_leaver(change: Change, about: About) -> str:
    who = _name(about, "label") or people(change.people_count or len(about.get("ids", ())))
    if change.compiled_at is None:
        return _("%(people)s: leave everything") % {"people": who}
    if not change.operations_count:
        return _("Nobody to remove")
    return _("%(people)s: leave everything, %(groups)s") % {"people": who, "groups": groups(change.groups_count)}


def _of_roster(change: Change, about: About) -> str:
    if not change.operations_count:
        return _("Nothing to change")
    said = {"people": people(change.people_count), "group": _where(change, about), "list": _name(about, "label")}
    return str(_ROSTER_TITLES.get(about.get("mode", ""), _ROSTER_TITLES["exactly"])) % said


_ROSTER_TITLES: Mapping[str, Any] = {
    "add": gettext_lazy("Add %(people)s to %(group)s, as the list “%(list)s” says"),
    "remove": gettext_lazy("Remove %(people)s from %(group)s, as the list “%(list)s” says"),
    "exactly": gettext_lazy("Make %(group)s exactly the list “%(list)s”: change %(people)s"),
}


def _of_day(change: Change, about: About) -> str:
    if not change.operations_count:
        return _("Nothing to change")
    said = {"group": _name(about, "group") or _name(about, "label"), "day": _name(about, "day")}
    return _("Bring %(group)s back to %(day)s") % said


def _of_taking_back(change: Change, about: About) -> str:
    said = {"number": _name(about, "of_change") or _name(about, "of"), **_counted(change)}
    if not change.operations_count:
        return _("Take back change %(number)s: nothing to do") % said
    if not change.people_count:
        return _("Take back change %(number)s: %(groups)s") % said
    return _("Take back change %(number)s: %(people)s in %(groups)s") % said


def _of_ending(change: Change, _about: About) -> str:
    if not change.operations_count:
        return _("Nobody to remove at the end of their time")
    return _("Remove %(people)s from %(groups)s: their time is over") % _counted(change)


_TITLES: Mapping[ChangeKind, Callable[[Change, About], str]] = {
    ChangeKind.REMOVAL: _of_removal,
    ChangeKind.REMOVAL_EVERYWHERE: _of_removal_everywhere,
    ChangeKind.ADDITION: _of_addition,
    ChangeKind.ALTERATION: _of_alteration,
    ChangeKind.MOVE: _of_move,
    ChangeKind.COPY: _of_copy,
    ChangeKind.GROUP: _of_group,
    ChangeKind.BUNDLE: _of_bundle,
    ChangeKind.BUNDLE_WITHDRAWN: _of_withdrawal,
    ChangeKind.SAME_GROUPS: _of_same_groups,
    ChangeKind.MATRIX: _of_matrix,
    ChangeKind.REVERT: _of_revert,
    ChangeKind.WAY_BACK: _of_way_back,
    ChangeKind.ROSTER: _of_roster,
    ChangeKind.BACK_TO_DAY: _of_day,
    ChangeKind.TAKE_BACK: _of_taking_back,
    ChangeKind.ENDING: _of_ending,
    ChangeKind.LEAVER: _of_leaver,
}
