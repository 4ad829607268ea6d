"""Who was in a group on a day, where a person was, and what differs between two days: from stretches of presence.

A day means its end in the panel's zone; today means now. What was changed outside is known from when a reading noticed
it. What was so before Musterbook first looked at a group is not known, and is never guessed.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from django.db.models import Max, Min, Q, QuerySet
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from membership.errors import BadValue, Reason
from membership.models import Change, Group, Participant, Person, Presence, visible_to
from membership.plans.wishes import Add, Barred, Refusal, Remove, Wish, unusual
from membership.services import drafts, exports
from membership.services.shell import audited, need_right, need_visible, refuse
from membership.vocab import ChangeKind, PresenceCause, Right

if TYPE_CHECKING:
    from django.contrib.auth.models import User

SHOWN = 500
"""Rows of one list of differences."""
_HEAVY = (
    "participant__secrets",
    "participant__attributes",
    "participant__account__attributes",
    "participant__group__secrets",
    "participant__group__attributes",
    "participant__group__connection__secrets",
    "participant__group__connection__session",
)


def day_of(text: str) -> dt.date:
    """A day as a form sends it. Raises `BadValue` for what is none, and for a day that is still to come."""
    try:
        day = dt.date.fromisoformat(text)
    except ValueError:
        raise BadValue(Reason.BAD_VALUE, key="day", why=_("it must be a day")) from None
    if not dt.date(1970, 1, 1) <= day <= timezone.localdate():
        raise BadValue(Reason.BAD_VALUE, key="day", why=_("it must be a day that has come"))
    return day


def end_of(day: dt.date) -> dt.datetime:
    """The moment that a day stands for."""
    midnight = timezone.make_aware(dt.datetime.combine(day + dt.timedelta(days=1), dt.time.min))
    return min(midnight, timezone.now())


def _began(day: dt.date) -> dt.datetime:
    return timezone.make_aware(dt.datetime.combine(day, dt.time.min))


def _there(at: dt.datetime) -> Q:
    return Q(since__lt=at) & (Q(until=None) | Q(until__gte=at))


def _there_on(day: dt.date) -> Q:
    """Today is what is open: a stretch that a wrong clock began or ended in the future says nothing else."""
    return Q(until=None) if day >= timezone.localdate() else _there(end_of(day))


def _left_on(day: dt.date) -> Q:
    """There on that day, and gone before its end."""
    return Q(until__gte=_began(day), until__lt=end_of(day))


# a group


def is_known(group: Group, day: dt.date) -> bool:
    """Whether it is known who was in it at the end of that day."""
    at = end_of(day)
    since = known_since(group, at)
    return since is not None and since < at


@dataclass(frozen=True, slots=True)
class GroupThen:
    """`known_since`: when Musterbook first saw who is in it; None: never. Before that nothing is known."""

    day: dt.date
    at: dt.datetime
    known_since: dt.datetime | None
    there: "QuerySet[Presence]"
    left: list[Presence]
    """Who was there on that day and left before its end."""

    @property
    def is_known(self) -> bool:
        return self.known_since is not None and self.known_since < self.at


def known_since(group: Group, at: dt.datetime) -> dt.datetime | None:
    """From when on it is known who is in a group; None: never. When that is not before `at`, it was not known then.

    What is told at a first look, or by the readings until the first complete one, may have been so for long: it is
    known since the last of these. A group that was gone and came back is looked at for the first time once more. A
    group that was empty until now: its last reading.
    """
    return _known_since([group], at)[group.pk]


def _known_since(groups: Collection[Group], at: dt.datetime) -> dict[int, dt.datetime | None]:
    looks: dict[int, list[dt.datetime]] = defaultdict(list)
    stretches = Presence.objects.filter(participant__group__in=[group.pk for group in groups]).order_by()
    first = stretches.filter(began_by=PresenceCause.UNKNOWN)
    for group_id, since in first.values_list("participant__group_id", "since").distinct():
        looks[group_id].append(since)
    others = stretches.filter(participant__group__in=[group.pk for group in groups if group.pk not in looks])
    begun = dict(others.values_list("participant__group_id").annotate(at=Min("since")))
    return {
        group.pk: _known_after(group, sorted(looks[group.pk]), at)
        if group.pk in looks
        else begun.get(group.pk, group.read_at)
        for group in groups
    }


def _known_after(group: Group, looks: Sequence[dt.datetime], at: dt.datetime) -> dt.datetime:
    """`looks`: when people were found of whom nobody knows since when they are there."""
    stretches = Presence.objects.filter(participant__group=group)
    known = looks[-1]
    for before, after in reversed(list(pairwise(looks))):
        began = Q(began_by=PresenceCause.READING, since__gt=before, since__lt=after)
        ended = Q(ended_by=PresenceCause.READING, until__gt=before, until__lt=after)
        if not stretches.filter(began | ended).exists():
            continue  # nothing was complete in between: both belong to the first look
        gone = stretches.filter(until__lt=after).aggregate(at=Max("until"))["at"]
        if gone is None or gone < at:
            return known
        known = before
    return known


def group_then(group: Group, day: dt.date) -> GroupThen:
    """Who was in `group` at the end of `day`, by name."""
    rows = Presence.objects.filter(participant__group=group).select_related("participant__account__person")
    rows = rows.defer(*_HEAVY[:3]).order_by("participant__label", "pk")
    at = end_of(day)
    left = list(rows.filter(_left_on(day))[:SHOWN])
    return GroupThen(day, at, known_since(group, at), rows.filter(_there_on(day)), left)


# a person


@dataclass(frozen=True, slots=True)
class PersonThen:
    day: dt.date
    at: dt.datetime
    there: "QuerySet[Presence]"
    left: list[Presence]
    unknown: list[Group]
    """Groups in which the person was seen later, and at which nobody had looked on that day."""


def person_then(person: Person, day: dt.date, user: "User") -> PersonThen:
    """Where the accounts that are linked to `person` today were at the end of `day`, as far as the user may see."""
    rows = _of_person(person, user)
    at = end_of(day)
    there, left = rows.filter(_there_on(day)), list(rows.filter(_left_on(day))[:SHOWN])
    later = {row.participant.group_id: row.participant.group for row in rows.filter(since__gte=at)[:SHOWN]}
    return PersonThen(day, at, there, left, _not_known(later.values(), at, but=there))


def _not_known(groups: Iterable[Group], at: dt.datetime, *, but: "QuerySet[Presence]") -> list[Group]:
    """Those of the groups of which it is not known who was in them at that moment. `but`: places that are known."""
    known = set(but.order_by().values_list("participant__group_id", flat=True))
    asked = [group for group in groups if group.pk not in known]
    since = _known_since(asked, at) if asked else {}
    return [group for group in asked if (first := since[group.pk]) is None or first >= at]


def _of_person(person: Person, user: "User") -> "QuerySet[Presence]":
    rows = Presence.objects.filter(participant__account__person=person)
    rows = visible_to(rows, user).select_related("participant__group__connection", "participant__account")
    ordered = ("participant__group__connection__name", "participant__group__name", "pk")
    return rows.defer(*_HEAVY).order_by(*ordered)


# two days


@dataclass(frozen=True, slots=True)
class Difference:
    """Who, or where, is new on the later day, and no more. `more`: beyond what is listed.

    `unknown`: groups of which it is not known for one of the two days; they neither came nor went.
    """

    earlier: dt.date
    later: dt.date
    came: list[Presence]
    went: list[Presence]
    stayed: int
    more: int
    unknown: list[Group] = field(default_factory=list)


def group_difference(group: Group, one: dt.date, other: dt.date) -> Difference:
    """Both days have to be known."""
    rows = Presence.objects.filter(participant__group=group).select_related("participant__account__person")
    return _difference(rows.defer(*_HEAVY[:3]), one, other, _whose)


def person_difference(person: Person, one: dt.date, other: dt.date, user: "User") -> Difference:
    rows = _of_person(person, user)
    found = _difference(rows, one, other, lambda row: row.participant.group_id)
    unknown = [
        *_not_known(_groups_of(found.came), end_of(found.earlier), but=rows.none()),
        *_not_known(_groups_of(found.went), end_of(found.later), but=rows.none()),
    ]
    ids = {group.pk for group in unknown}
    came, went = ([row for row in each if row.participant.group_id not in ids] for each in (found.came, found.went))
    return replace(found, came=came, went=went, unknown=unknown)


def _groups_of(rows: Iterable[Presence]) -> Iterable[Group]:
    return {row.participant.group_id: row.participant.group for row in rows}.values()


def _whose(row: Presence) -> Hashable:
    """Who leaves and comes back may get another row there: the account says that it is the same."""
    return row.participant.account_id or ("row", row.participant_id)


def _difference(rows: "QuerySet[Presence]", one: dt.date, other: dt.date, key: Any) -> Difference:
    earlier, later = sorted((one, other))
    before = {key(row): row for row in rows.filter(_there_on(earlier))}
    after = {key(row): row for row in rows.filter(_there_on(later))}
    came = _by_name(row for each, row in after.items() if each not in before)
    went = _by_name(row for each, row in before.items() if each not in after)
    more = max(0, len(came) - SHOWN) + max(0, len(went) - SHOWN)
    return Difference(earlier, later, came[:SHOWN], went[:SHOWN], len(after) - len(came), more)


def _by_name(rows: Iterable[Presence]) -> list[Presence]:
    return sorted(rows, key=lambda row: (row.participant.label, row.pk))


# as a file

_PERIOD: Sequence[exports.Column] = (
    (gettext_lazy("there since"), "since"),
    (gettext_lazy("how that began"), lambda row: row.get_began_by_display()),
    (gettext_lazy("until"), "until"),
    (gettext_lazy("how that ended"), lambda row: row.get_ended_by_display() if row.ended_by else ""),
)
GROUP_COLUMNS: Sequence[exports.Column] = (
    (gettext_lazy("name"), "participant__label"),
    (gettext_lazy("e-mail"), "participant__account__email"),
    (gettext_lazy("person"), "participant__account__person__name"),
    (gettext_lazy("id there"), "participant__remote_id"),
    *_PERIOD,
)
PERSON_COLUMNS: Sequence[exports.Column] = (
    (gettext_lazy("group"), "participant__group__name"),
    (gettext_lazy("system"), "participant__group__connection__name"),
    (gettext_lazy("account"), "participant__account__label"),
    *_PERIOD,
)


def as_list(row: Group | Person, day: dt.date, user: "User") -> "tuple[QuerySet[Presence], Sequence[exports.Column]]":
    """What is shown of a row on `day`, for an export. Raises `ChangeRefused` where nothing is known of that day."""
    if isinstance(row, Person):
        return person_then(row, day, user).there, PERSON_COLUMNS
    return _known(row, day).there, GROUP_COLUMNS


def _known(group: Group, day: dt.date) -> GroupThen:
    then = group_then(group, day)
    if not then.is_known:
        since = date_format(timezone.localtime(then.known_since), "j M Y H:i") if then.known_since else "–"
        refuse(Reason.BEFORE_FIRST_LOOK, since=since)
    return then


# back to that day


@audited
def draft_back(group: Group, day: dt.date, *, actor: "User") -> Change:
    """Store the plan that puts `group` back to who was in it at the end of `day`: who left since joins, who joined
    since leaves. Guards are applied as to every plan.

    Rights of then are not known: who comes back gets those that were last seen there, and who stayed keeps theirs.
    Raises `ChangeRefused` where nobody had looked at the group yet on that day, or nothing differs.
    """
    need_right(actor, Right.ACT)
    need_visible(group, actor)
    wishes = list(_wishes(group, _known(group, day)))
    if not wishes:
        refuse(Reason.NOTHING_TO_DO)
    selection = {"kind": "back_to_day", "id": group.pk, "group": group.name, "day": day.isoformat()}
    return drafts.draft(ChangeKind.BACK_TO_DAY, wishes, selection, actor=actor)


def again(selection: Mapping[str, Any], *, actor: "User") -> Change:
    """The same once more, as things are now."""
    day = dt.date.fromisoformat(selection["day"])
    return draft_back(Group.objects.get(pk=selection["id"]), day, actor=actor)


def _wishes(group: Group, told: GroupThen) -> Iterable[Wish]:
    then = {_whose(row): row.participant for row in told.there.order_by("pk")}
    present = Participant.objects.filter(group=group, is_present=True).defer("secrets", "attributes").order_by("pk")
    now = [(row.account_id or ("row", row.pk), row.pk) for row in present]
    still = {key for key, _row in now}
    for key, place in then.items():
        if key not in still:
            yield _comes_back(place, group)
    for key, row in now:  # each row: somebody may have two
        if key not in then:
            yield Remove(row)


def _comes_back(place: Participant, group: Group) -> Wish:
    if place.account_id is None:
        return Barred(place.label, group.pk, Refusal(Reason.ACCOUNT_NOT_KNOWN))
    rights = {name: getattr(place, name) for name in ("is_manager", "can_write")}
    return Add(place.account_id, group.pk, unusual(rights))
