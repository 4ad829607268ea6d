from dataclasses import replace
from datetime import timedelta

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from membership.plans.limits import (
    DEFAULTS,
    DEMANDING,
    USES,
    Found,
    GroupPart,
    PlanFacts,
    Rule,
    Rules,
    find,
    grown,
    strictest,
)
from membership.services import guard_words
from membership.vocab import Guard, GuardLevel

pytestmark = pytest.mark.pure
NOW = timezone.now()

levels = st.sampled_from(GuardLevel)
small = st.integers(0, 40)
rules = st.builds(
    Rule, level=levels, count=small, share_percent=st.integers(0, 100), group_size=small, age_minutes=st.integers(0, 90)
)


@st.composite
def parts(draw):
    size = draw(small)
    return GroupPart(
        connection_id=draw(st.integers(1, 3)),
        group_id=draw(st.integers(1, 10**6)),
        size=size,
        removals=draw(st.integers(0, size)),
        additions=draw(st.integers(0, 5)),
        rises=draw(st.integers(0, 3)),
        is_deleted=draw(st.booleans()),
        managers_go=draw(st.booleans()),
        managers_left=draw(st.integers(0, 2)),
        administers=draw(st.booleans()),
        managed_elsewhere=draw(st.booleans()),
        read_at=draw(st.none() | st.integers(0, 90).map(lambda minutes: NOW - timedelta(minutes=minutes))),
    )


@st.composite
def plans(draw):
    groups = draw(st.lists(parts(), max_size=5, unique_by=lambda part: part.group_id))
    people = {part.connection_id: draw(small) for part in groups}
    return PlanFacts(groups, people, draw(small))


given_rules = st.dictionaries(st.tuples(st.none() | st.integers(1, 3), st.sampled_from(Guard)), rules).map(Rules)


def test_every_guard_has_a_default_numbers_words_and_a_sentence():
    for known in (DEFAULTS, USES, guard_words.TITLES, guard_words.HELP, guard_words._SENTENCES):
        assert set(known) == set(Guard)
    assert {name for names in USES.values() for name in names} == set(guard_words.NUMBERS)


def test_levels_are_ranked_from_off_to_forbids():
    assert [level.rank for level in (GuardLevel.OFF, GuardLevel.WARN, GuardLevel.APPROVAL, GuardLevel.FORBID)] == [
        0, 1, 2, 3,
    ]  # fmt: skip
    assert strictest([]) == GuardLevel.OFF


@given(plans(), given_rules)
def test_each_finding_has_the_level_of_its_rule_and_none_is_off(facts, rules):
    found = find(facts, rules, NOW)
    assert [each.level for each in found] == [rules.of(each.connection_id, each.guard).level for each in found]
    assert GuardLevel.OFF not in {each.level for each in found}
    assert len({each.about for each in found}) == len(found)


@given(plans(), given_rules)
def test_what_was_found_does_not_depend_on_the_order_of_groups(facts, rules):
    turned = replace(facts, groups=list(reversed(facts.groups)))
    assert find(turned, rules, NOW) == find(facts, rules, NOW)


@given(plans(), given_rules)
def test_a_plan_held_against_itself_demands_nothing_more(facts, rules):
    found = find(facts, rules, NOW)
    assert grown(found, {each.about: each.level for each in found}) == []


@given(plans(), given_rules)
def test_a_plan_that_was_shown_without_guards_demands_all_that_asks_or_forbids(facts, rules):
    found = find(facts, rules, NOW)
    assert grown(found, {}) == [each for each in found if each.level in DEMANDING]


@given(parts(), rules)
def test_many_leave_a_group_only_when_number_share_and_size_all_hold(part, rule):
    rules = Rules({(part.connection_id, Guard.GROUP_REMOVALS): replace(rule, level=GuardLevel.WARN)})
    found = find(PlanFacts([part]), rules, NOW)
    strikes = any(each.guard == Guard.GROUP_REMOVALS for each in found)
    share = part.removals * 100 >= rule.share_percent * part.size
    assert strikes == (part.removals > rule.count and share and part.size >= rule.group_size)


@given(parts(), st.integers(0, 90))
def test_people_leave_only_a_group_that_was_read_completely_of_late(part, minutes):
    rules = Rules({(None, Guard.OLD_READING): Rule(GuardLevel.FORBID, age_minutes=minutes)})
    found = find(PlanFacts([part]), rules, NOW)
    forbidden = any(each.guard == Guard.OLD_READING for each in found)
    leaves = part.removals > 0 or part.is_deleted
    assert forbidden == (leaves and (part.read_at is None or NOW - part.read_at > timedelta(minutes=minutes)))


@given(parts())
def test_a_group_is_left_empty_when_nobody_stays_or_joins(part):
    found = find(PlanFacts([part]), Rules(), NOW)
    is_empty = any(each.guard == Guard.EMPTY_GROUP for each in found)
    assert is_empty == (part.removals > 0 and not part.is_deleted and part.removals >= part.size + part.additions)


@given(st.lists(st.integers(1, 30), min_size=2, max_size=3))
def test_what_is_spread_over_several_systems_is_counted_together(removals):
    groups = [GroupPart(n, n, size=count, removals=count) for n, count in enumerate(removals, 1)]
    facts = PlanFacts(groups, {part.connection_id: 1 for part in groups}, 1)
    rules = Rules({(None, Guard.CHANGE_REMOVALS): Rule(GuardLevel.FORBID, count=sum(removals) - 1)})
    found = find(facts, rules, NOW)
    assert [each.connection_id for each in found if each.guard == Guard.CHANGE_REMOVALS] == [None]


def test_a_systems_own_rule_outranks_the_panels_and_the_default():
    panel, own = Rule(GuardLevel.WARN, count=1), Rule(GuardLevel.OFF)
    rules = Rules({(None, Guard.MANY_PEOPLE): panel, (7, Guard.MANY_PEOPLE): own})
    assert (rules.of(7, Guard.MANY_PEOPLE), rules.of(8, Guard.MANY_PEOPLE)) == (own, panel)
    assert Rules().of(7, Guard.MANY_PEOPLE) == DEFAULTS[Guard.MANY_PEOPLE]


def test_a_guard_that_got_stricter_demands_more_and_a_milder_one_does_not():
    asks, forbids = (Found(Guard.MANY_PEOPLE, level, 1) for level in (GuardLevel.APPROVAL, GuardLevel.FORBID))
    assert grown([forbids], {asks.about: asks.level}) == [forbids]
    assert grown([asks], {forbids.about: forbids.level}) == []
