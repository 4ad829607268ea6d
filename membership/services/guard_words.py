"""What guards found, as sentences; and what each guard is called where it is set."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from membership.models import Finding
from membership.services.inert import inert
from membership.services.step_words import duration
from membership.vocab import Guard, GuardLevel

SHOWN = 20
"""Lines of one plan that a page shows; how many more there are is said."""
TONES: Mapping[str, str] = {GuardLevel.WARN: "info", GuardLevel.APPROVAL: "warning", GuardLevel.FORBID: "bad"}


@dataclass(frozen=True, slots=True)
class Line:
    """One finding: the word of what it does, its tone, and what it says."""

    word: str
    tone: str
    text: str


def lines(findings: Sequence[Finding]) -> list[Line]:
    """What the preview and the change's page say of these findings, in their order.

    That somebody rises in a group that administers is told by `warnings`, with what it gives: as a mere warning it is
    not told twice.
    """
    told = [row for row in findings if (row.guard, row.level) != (Guard.ADMINISTERS, GuardLevel.WARN)]
    return [Line(str(GuardLevel(row.level).label), TONES[row.level], sentence(row)) for row in told]


def sentence(row: Finding) -> str:
    """What one guard found."""
    names = {
        "group": row.group.name or row.group.remote_id if row.group else "",
        "system": row.connection.name if row.connection else "",
    }
    return inert(_SENTENCES[Guard(row.guard)]({**row.params, **names}))


_Facts = Mapping[str, Any]


def _group_removals(facts: _Facts) -> str:
    return _("%(count)d of %(size)d leave %(group)s in %(system)s.") % facts


def _change_removals(facts: _Facts) -> str:
    groups = ngettext("%(groups)d group", "%(groups)d groups", facts["groups"]) % facts
    if not facts["system"]:
        return _("%(count)d of %(size)d places in %(groups)s go, all systems together.") % {**facts, "groups": groups}
    return _("%(count)d of %(size)d places in %(groups)s of %(system)s go.") % {**facts, "groups": groups}


def _empty_group(facts: _Facts) -> str:
    return _("%(group)s in %(system)s is left empty.") % facts


def _last_manager(facts: _Facts) -> str:
    return _("%(group)s in %(system)s is left without a manager: nobody there could manage it.") % facts


def _managed_elsewhere(facts: _Facts) -> str:
    return _("%(group)s in %(system)s is managed elsewhere (directory): what is done here may be undone there.") % facts


def _many_people(facts: _Facts) -> str:
    people = ngettext("%(count)d person is concerned", "%(count)d people are concerned", facts["count"]) % facts
    said = {**facts, "people": people}
    if not facts["system"]:
        return _("%(people)s, all systems together: more than %(limit)d.") % said
    return _("%(people)s in %(system)s: more than %(limit)d.") % said


def _administers(facts: _Facts) -> str:
    text = ngettext(
        "%(group)s in %(system)s administers, and %(count)d person rises there.",
        "%(group)s in %(system)s administers, and %(count)d people rise there.",
        facts["count"],
    )
    return text % facts


def _old_reading(facts: _Facts) -> str:
    said = {**facts, "limit": duration(60 * facts["minutes"])}
    read_at = parse_datetime(facts["read_at"]) if facts["read_at"] else None
    if read_at is None:
        return _("%(group)s in %(system)s was never read completely, so who is there is not known.") % said
    text = _("%(group)s in %(system)s was last read completely %(at)s, which is longer ago than %(limit)s.")
    return text % {**said, "at": date_format(timezone.localtime(read_at), "j M Y, H:i")}


def _every_change(facts: _Facts) -> str:
    return _("It changes %(system)s, where every change is looked at.") % facts


_SENTENCES: Mapping[Guard, Callable[[_Facts], str]] = {
    Guard.GROUP_REMOVALS: _group_removals,
    Guard.CHANGE_REMOVALS: _change_removals,
    Guard.EMPTY_GROUP: _empty_group,
    Guard.LAST_MANAGER: _last_manager,
    Guard.MANAGED_ELSEWHERE: _managed_elsewhere,
    Guard.MANY_PEOPLE: _many_people,
    Guard.ADMINISTERS: _administers,
    Guard.OLD_READING: _old_reading,
    Guard.EVERY_CHANGE: _every_change,
}

TITLES: Mapping[Guard, Any] = {
    Guard.GROUP_REMOVALS: gettext_lazy("Many leave one group"),
    Guard.CHANGE_REMOVALS: gettext_lazy("Many leave by one change"),
    Guard.EMPTY_GROUP: gettext_lazy("A group would be left empty"),
    Guard.LAST_MANAGER: gettext_lazy("The last manager would go"),
    Guard.MANAGED_ELSEWHERE: gettext_lazy("The group is managed elsewhere"),
    Guard.MANY_PEOPLE: gettext_lazy("Many people are concerned"),
    Guard.ADMINISTERS: gettext_lazy("Somebody rises in a group that administers"),
    Guard.OLD_READING: gettext_lazy("The group was not read completely of late"),
    Guard.EVERY_CHANGE: gettext_lazy("Any change at all"),
}
HELP: Mapping[Guard, Any] = {
    Guard.GROUP_REMOVALS: gettext_lazy("All three have to hold: so many, such a share, and a group of such a size."),
    Guard.CHANGE_REMOVALS: gettext_lazy(
        "As above, counted over all groups that the change takes people from. What touches several systems is counted "
        "together, too, by the rules of all systems."
    ),
    Guard.EMPTY_GROUP: gettext_lazy("Nobody would be left in it. A group that is to be deleted does not count."),
    Guard.LAST_MANAGER: gettext_lazy("Where it forbids, the last manager is left out of the plan; the rest is done."),
    Guard.MANAGED_ELSEWHERE: gettext_lazy(
        "A directory keeps it, and may undo what is done here. Where it forbids, the group is left out of the plan."
    ),
    Guard.MANY_PEOPLE: gettext_lazy("Whatever is done to them."),
    Guard.ADMINISTERS: gettext_lazy("They join it, or become its managers, and get rights beyond the group."),
    Guard.OLD_READING: gettext_lazy("People leave a group only by what is known of it. The preview offers to read it."),
    Guard.EVERY_CHANGE: gettext_lazy("For a system in which nothing should happen by one person alone."),
}
NUMBERS: Mapping[str, Any] = {
    "count": gettext_lazy("More than"),
    "share_percent": gettext_lazy("And from this share on, in percent"),
    "group_size": gettext_lazy("And where at least so many are"),
    "age_minutes": gettext_lazy("A reading may be so old, in minutes"),
}
