"""What a plan does to each group and system as a whole, and by which rules that is judged: food for `limits`."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from membership.models import GuardRule
from membership.plans.cases import Case
from membership.plans.facts import GroupFacts
from membership.plans.known import Known
from membership.plans.limits import DEFAULTS, USES, GroupPart, PlanFacts, Rule, Rules
from membership.vocab import Guard, GuardLevel, Verb


def load_rules() -> Rules:
    """The rules of the panel and of all systems, with one query. A number that is not given is the default's."""
    rows = GuardRule.objects.all().order_by("pk")
    return Rules({(row.connection_id, Guard(row.guard)): _rule(row) for row in rows})


def _rule(row: GuardRule) -> Rule:
    default = DEFAULTS[Guard(row.guard)]
    given = {name: getattr(row, name) for name in USES[Guard(row.guard)]}
    numbers = {name: getattr(default, name) if value is None else value for name, value in given.items()}
    return Rule(GuardLevel(row.level), **numbers)


def weigh(kept: Sequence[Case], known: Known) -> PlanFacts:
    """What these cases do, taken together."""
    of_group: dict[int, list[Case]] = defaultdict(list)
    people: dict[int, set[tuple[str, int]]] = defaultdict(set)
    for case in kept:
        people[case.connection_id].update(case.people)
        if case.group is not None:
            of_group[case.group.pk].append(case)
    groups = [_part(cases[0].group, cases, known) for cases in of_group.values() if cases[0].group is not None]
    return PlanFacts(
        groups=groups,
        people={connection_id: len(who) for connection_id, who in people.items()},
        people_in_all=len(set().union(*people.values())),
    )


def _part(group: GroupFacts, cases: Sequence[Case], known: Known) -> GroupPart:
    verbs = Counter(case.verb for case in cases)
    is_deleted = bool(verbs[Verb.DELETE_GROUP])
    losing, gaining = _count(case.is_losing for case in cases), _count(case.is_gaining for case in cases)
    return GroupPart(
        connection_id=group.connection_id,
        group_id=group.pk,
        size=group.participants_count,
        removals=group.participants_count if is_deleted else verbs[Verb.REMOVE],
        additions=verbs[Verb.ADD],
        rises=_count(case.verb == Verb.ADD or case.is_gaining for case in cases),
        is_deleted=is_deleted,
        managers_go=losing > 0,
        managers_left=known.managers_staying.get(group.pk, 0) + gaining - losing,
        administers=group.grants > 0,
        managed_elsewhere=group.managed_elsewhere,
        read_at=group.read_at,
    )


def _count(facts: Iterable[bool]) -> int:
    return sum(facts)
