"""Guards of a plan as a whole: what is too much at once, and what has to be known before. Pure: facts in, findings out.

What a plan leaves out wish by wish is in `guards`; here nothing is left out. A finding warns, asks for a second person,
or forbids the plan until somebody with the right overrides it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from membership.vocab import Guard, GuardLevel

DEMANDING = frozenset({GuardLevel.APPROVAL, GuardLevel.FORBID})


@dataclass(frozen=True, slots=True)
class Rule:
    """What one guard does, and from what on. A guard looks only at the numbers that `USES` names for it."""

    level: GuardLevel
    count: int = 0
    """It strikes above so many,"""
    share_percent: int = 0
    """from this share of those who are there on,"""
    group_size: int = 0
    """and where at least so many are there."""
    age_minutes: int = 0
    """A complete reading may be so old."""


DEFAULTS: Mapping[Guard, Rule] = {
    Guard.GROUP_REMOVALS: Rule(GuardLevel.APPROVAL, count=20, share_percent=50, group_size=20),
    Guard.CHANGE_REMOVALS: Rule(GuardLevel.APPROVAL, count=100, share_percent=30, group_size=20),
    Guard.EMPTY_GROUP: Rule(GuardLevel.WARN),
    Guard.LAST_MANAGER: Rule(GuardLevel.FORBID),
    Guard.MANAGED_ELSEWHERE: Rule(GuardLevel.FORBID),
    Guard.MANY_PEOPLE: Rule(GuardLevel.APPROVAL, count=500),
    Guard.ADMINISTERS: Rule(GuardLevel.WARN),
    Guard.OLD_READING: Rule(GuardLevel.FORBID, age_minutes=24 * 60),
    Guard.EVERY_CHANGE: Rule(GuardLevel.OFF),
}
"""Where nobody has set anything."""
USES: Mapping[Guard, tuple[str, ...]] = {
    Guard.GROUP_REMOVALS: ("count", "share_percent", "group_size"),
    Guard.CHANGE_REMOVALS: ("count", "share_percent", "group_size"),
    Guard.EMPTY_GROUP: (),
    Guard.LAST_MANAGER: (),
    Guard.MANAGED_ELSEWHERE: (),
    Guard.MANY_PEOPLE: ("count",),
    Guard.ADMINISTERS: (),
    Guard.OLD_READING: ("age_minutes",),
    Guard.EVERY_CHANGE: (),
}
LEAVES_OUT = frozenset({Guard.LAST_MANAGER, Guard.MANAGED_ELSEWHERE})
"""Guards that, when they forbid, leave out what they are about (`guards`) instead of forbidding the whole plan."""


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of the panel and of systems: `{(connection id or None, guard): rule}`."""

    given: Mapping[tuple[int | None, Guard], Rule] = field(default_factory=dict)

    def of(self, connection_id: int | None, guard: Guard) -> Rule:
        """The system's own rule, else the panel's, else the default. Without a connection: the panel's."""
        return self.given.get((connection_id, guard)) or self.given.get((None, guard)) or DEFAULTS[guard]


@dataclass(frozen=True, slots=True)
class GroupPart:
    """What a plan does to one group."""

    connection_id: int
    group_id: int
    size: int
    """How many are there now."""
    removals: int = 0
    additions: int = 0
    rises: int = 0
    """How many join or become managers."""
    is_deleted: bool = False
    managers_go: bool = False
    managers_left: int = 0
    """Where managers go: how many are left."""
    administers: bool = False
    managed_elsewhere: bool = False
    read_at: datetime | None = None
    """When its last complete reading began."""


@dataclass(frozen=True, slots=True)
class PlanFacts:
    groups: Sequence[GroupPart] = ()
    people: Mapping[int, int] = field(default_factory=dict)
    """`{connection id: how many people the plan concerns there}`, of every system that it touches."""
    people_in_all: int = 0


@dataclass(frozen=True, slots=True)
class Found:
    """One guard that struck. `connection_id` None: the change as a whole."""

    guard: Guard
    level: GuardLevel
    connection_id: int | None = None
    group_id: int | None = None
    params: Mapping[str, Any] = field(default_factory=dict)

    @property
    def about(self) -> tuple[str, int | None, int | None]:
        return (self.guard.value, self.connection_id, self.group_id)


def find(facts: PlanFacts, rules: Rules, now: datetime) -> list[Found]:
    """Every guard that strikes and is not off, in the order of `Guard`, then by system and group."""
    struck = [Found(*each) for each in _strikes(facts, rules, now) if each[1] != GuardLevel.OFF]
    turn = {guard: place for place, guard in enumerate(Guard)}
    return sorted(struck, key=lambda each: (turn[each.guard], each.connection_id or 0, each.group_id or 0))


def strictest(levels: Iterable[str]) -> GuardLevel:
    """The strictest of these levels; `OFF` when there is none."""
    return max((GuardLevel(level) for level in levels), key=lambda level: level.rank, default=GuardLevel.OFF)


def grown(now: Iterable[Found], shown: Mapping[tuple[str, int | None, int | None], str]) -> list[Found]:
    """What demands more now than what was shown: a guard that asks or forbids, and did not, or not so strictly.

    `shown`: `{about: level}`. A warning more is no reason to show a plan again.
    """
    return [
        each
        for each in now
        if each.level in DEMANDING and each.level.rank > GuardLevel(shown.get(each.about, GuardLevel.OFF)).rank
    ]


_Strike = tuple[Guard, GuardLevel, int | None, int | None, Mapping[str, Any]]


def _strikes(facts: PlanFacts, rules: Rules, now: datetime) -> Iterator[_Strike]:
    for part in facts.groups:
        for guard, look in _OF_A_GROUP.items():
            rule = rules.of(part.connection_id, guard)
            params = look(part, rule, now)
            if params is not None:
                yield guard, rule.level, part.connection_id, part.group_id, params
    for connection_id, people in facts.people.items():
        own = [part for part in facts.groups if part.connection_id == connection_id]
        yield from _of_many(own, people, connection_id, rules)
        yield Guard.EVERY_CHANGE, rules.of(connection_id, Guard.EVERY_CHANGE).level, connection_id, None, {}
    if len(facts.people) > 1:
        # What is spread over several systems is looked at together, too.
        yield from _of_many(facts.groups, facts.people_in_all, None, rules)


def _of_many(groups: Sequence[GroupPart], people: int, connection_id: int | None, rules: Rules) -> Iterator[_Strike]:
    rule = rules.of(connection_id, Guard.CHANGE_REMOVALS)
    losing = [part for part in groups if part.removals]
    params = _too_many(sum(part.removals for part in losing), sum(_size(part) for part in losing), rule)
    if params is not None:
        yield Guard.CHANGE_REMOVALS, rule.level, connection_id, None, {**params, "groups": len(losing)}
    rule = rules.of(connection_id, Guard.MANY_PEOPLE)
    if people > rule.count:
        yield Guard.MANY_PEOPLE, rule.level, connection_id, None, {"count": people, "limit": rule.count}


_Params = Mapping[str, Any] | None


def _size(part: GroupPart) -> int:
    # A mirror may count fewer than a plan names, between two readings.
    return max(part.size, part.removals)


def _too_many(removals: int, size: int, rule: Rule) -> _Params:
    strikes = (
        removals > rule.count and removals * 100 >= rule.share_percent * size and size >= rule.group_size and removals
    )
    return {"count": removals, "size": size} if strikes else None


def _group_removals(part: GroupPart, rule: Rule, _now: datetime) -> _Params:
    return _too_many(part.removals, _size(part), rule)


def _empty_group(part: GroupPart, _rule: Rule, _now: datetime) -> _Params:
    is_empty = part.removals and not part.is_deleted and _size(part) - part.removals + part.additions <= 0
    return {"count": part.removals} if is_empty else None


def _last_manager(part: GroupPart, _rule: Rule, _now: datetime) -> _Params:
    return {} if part.managers_go and part.managers_left <= 0 and not part.is_deleted else None


def _managed_elsewhere(part: GroupPart, _rule: Rule, _now: datetime) -> _Params:
    return {} if part.managed_elsewhere else None


def _administers(part: GroupPart, _rule: Rule, _now: datetime) -> _Params:
    return {"count": part.rises} if part.administers and part.rises else None


def _old_reading(part: GroupPart, rule: Rule, now: datetime) -> _Params:
    if not part.removals and not part.is_deleted:
        return None
    if part.read_at is not None and now - part.read_at <= timedelta(minutes=rule.age_minutes):
        return None
    return {"read_at": part.read_at.isoformat() if part.read_at else "", "minutes": rule.age_minutes}


_OF_A_GROUP: Mapping[Guard, Callable[[GroupPart, Rule, datetime], _Params]] = {
    Guard.GROUP_REMOVALS: _group_removals,
    Guard.EMPTY_GROUP: _empty_group,
    Guard.LAST_MANAGER: _last_manager,
    Guard.MANAGED_ELSEWHERE: _managed_elsewhere,
    Guard.ADMINISTERS: _administers,
    Guard.OLD_READING: _old_reading,
}
