"""Each guard at each level: what a draft may become, and what the log says."""

from datetime import timedelta

import pytest
from django.utils import timezone

from membership.errors import NotAllowed, Reason
from membership.models import Change, Decision, Finding, Group, GuardRule, Participant
from membership.plans.wishes import Add, Remove
from membership.services import drafts, guard_pages, guard_rules, guarding
from membership.services.groups import draft_delete
from membership.services.progress import progress
from membership.vocab import AuditAction, ChangeKind, ChangeState, Guard, GuardLevel, OperationState, Role
from tests import mirrored as m
from tests.guards import asks, rule
from tests.services.asking import assert_refused, confirm, draft, entries

pytestmark = pytest.mark.django_db


@pytest.fixture
def chess(office):
    return m.group("Chess", office, participants_count=4)


@pytest.fixture
def boss(office, chess):
    return m.participant(m.account("Boss", office), chess, is_manager=True)


@pytest.fixture
def ada(office, chess, boss):
    return m.participant(m.account("Ada", office), chess)


def leaves(_guard, actor, row):
    return draft(actor, row)


def empties(_guard, actor, row):
    Group.objects.filter(pk=row.group_id).update(participants_count=1)
    return draft(actor, row)


def last_manager(_guard, actor, row):
    return draft(actor, Participant.objects.get(label="Boss"))


def managed(_guard, actor, row):
    Group.objects.filter(pk=row.group_id).update(managed_elsewhere=True)
    return draft(actor, row)


def rises(_guard, actor, row):
    Group.objects.filter(pk=row.group_id).update(grants=1)
    newcomer = m.account("Newcomer", row.group.connection)
    return drafts.draft(ChangeKind.ADDITION, [Add(newcomer.pk, row.group_id)], {"accounts": []}, actor=actor)


def old(_guard, actor, row):
    Group.objects.filter(pk=row.group_id).update(read_at=timezone.now() - timedelta(minutes=2))
    return draft(actor, row)


STRIKES = {
    Guard.GROUP_REMOVALS: leaves,
    Guard.CHANGE_REMOVALS: leaves,
    Guard.EMPTY_GROUP: empties,
    Guard.LAST_MANAGER: last_manager,
    Guard.MANAGED_ELSEWHERE: managed,
    Guard.MANY_PEOPLE: leaves,
    Guard.ADMINISTERS: rises,
    Guard.OLD_READING: old,
    Guard.EVERY_CHANGE: leaves,
}
LEFT_OUT = {Guard.LAST_MANAGER: Reason.LAST_MANAGER, Guard.MANAGED_ELSEWHERE: Reason.MANAGED_ELSEWHERE}


def test_each_guard_has_a_plan_here_that_strikes_it():
    assert set(STRIKES) == set(Guard)


@pytest.mark.parametrize("guard", Guard)
@pytest.mark.parametrize("level", GuardLevel)
def test_a_guard_does_what_its_level_says(vera, office, ada, guard, level):
    rule(guard, level, office)
    change = STRIKES[guard](guard, vera, ada)
    found = [row.level for row in guarding.findings(change) if row.guard == guard]
    if level == GuardLevel.FORBID and guard in LEFT_OUT:
        assert change.left_outs.get().reason == LEFT_OUT[guard]
        assert found == []
    elif level == GuardLevel.FORBID:
        assert found == [level]
        assert_refused(Reason.GUARD_FORBIDS, confirm, change, vera)
        assert Change.objects.get(pk=change.pk).state == ChangeState.DRAFT
    else:
        assert found == ([] if level == GuardLevel.OFF else [level])
        wanted = ChangeState.WAITING if level == GuardLevel.APPROVAL else ChangeState.QUEUED
        assert confirm(change, vera).state == wanted


def test_a_warning_on_the_page_says_what_strikes(vera, ada):
    rule(Guard.GROUP_REMOVALS, GuardLevel.WARN)
    page = guard_pages.guarding_of(draft(vera, ada), vera)
    assert [(line.word, line.text) for line in page.lines] == [("warns", "1 of 4 leave Chess in Office.")]
    assert not page.needs_approval and not page.is_forbidden


def test_a_deletion_counts_as_the_removal_of_everybody(vera, office):
    group = m.group("Chat", office, participants_count=30)
    assert {row.guard for row in guarding.findings(draft_delete(group, actor=vera))} >= {Guard.GROUP_REMOVALS}


def test_what_is_found_is_part_of_the_hash_so_that_nobody_can_take_it_away(vera, ada):
    rule(Guard.MANY_PEOPLE, GuardLevel.APPROVAL)
    change = draft(vera, ada)
    Finding.objects.filter(change=change).delete()
    assert_refused(Reason.PLAN_ALTERED, confirm, change, vera)


def test_a_guard_that_became_stricter_since_the_preview_makes_it_stale(vera, ada):
    change = draft(vera, ada)
    asks(Guard.MANY_PEOPLE)
    assert_refused(Reason.PLAN_STALE, confirm, change, vera)
    assert entries(AuditAction.CHANGE_STALE).get().outcome == "guards"


def test_a_reading_that_grew_old_since_the_preview_makes_it_stale(vera, ada):
    change = draft(vera, ada)
    Group.objects.update(read_at=timezone.now() - timedelta(days=2))
    assert_refused(Reason.PLAN_STALE, confirm, change, vera)


# overriding


@pytest.fixture
def forbidden(vera, ada):
    rule(Guard.MANY_PEOPLE, GuardLevel.FORBID)
    return draft(vera, ada)


def override(change, actor, **fields):
    return guarding.override_guards(
        change, actor=actor, **{"reason": "the club closes", "expected_hash": change.plan_hash, **fields}
    )


def test_one_plan_let_through_can_be_confirmed_and_the_log_says_by_whom(vera, olga, forbidden):
    override(forbidden, olga)
    assert confirm(forbidden, vera).state == ChangeState.QUEUED
    found = entries(AuditAction.CHANGE_OVERRIDDEN).get()
    assert (found.actor_id, found.change_id) == (olga.pk, forbidden.pk)
    assert forbidden.plan_hash in found.sealed and "many_people" in found.sealed
    assert guard_pages.decided(forbidden).override.by == olga


def test_an_override_holds_for_no_other_plan(vera, olga, ada, forbidden):
    override(forbidden, olga)
    assert_refused(Reason.GUARD_FORBIDS, confirm, draft(vera, ada), vera)
    Decision.objects.update(plan_hash="0" * 64)
    assert_refused(Reason.GUARD_FORBIDS, confirm, forbidden, vera)


def test_an_override_takes_no_approval_away(vera, olga, ada):
    rule(Guard.MANY_PEOPLE, GuardLevel.FORBID)
    asks(Guard.GROUP_REMOVALS)
    change = draft(vera, ada)
    override(change, olga)
    assert confirm(change, vera).state == ChangeState.WAITING


@pytest.mark.parametrize(("reason", "expected"), [("", Reason.REASON_EMPTY), (" \u200b", Reason.REASON_EMPTY)])
def test_an_override_needs_a_reason(olga, forbidden, reason, expected):
    assert_refused(expected, override, forbidden, olga, reason=reason)


def test_an_override_needs_the_right_the_hash_and_something_forbidden(vera, olga, ada, forbidden):
    assert_refused(Reason.NO_RIGHT, override, forbidden, vera, error=NotAllowed)
    assert_refused(Reason.NO_RIGHT, override, forbidden, m.user("pia", Role.APPROVER), error=NotAllowed)
    assert_refused(Reason.PLAN_ALTERED, override, forbidden, olga, expected_hash="0" * 64)
    override(forbidden, olga)
    assert_refused(Reason.NOTHING_FORBIDDEN, override, forbidden, olga)
    assert Decision.objects.count() == 1


# rules


def form(connection=None, **changed):
    """What the form would post as it stands, with some fields changed: `group_removals__level="off"`."""
    posted = {}
    for field in guard_rules.form_fields(connection):
        posted[f"{field.guard}.level"] = field.level
        posted |= {number.name: number.value for number in field.numbers}
    return posted | {name.replace("__", "."): value for name, value in changed.items()}


def save(actor, connection=None, **changed):
    typed = guard_rules.read_form(connection, form(connection, **changed))
    return guard_rules.save_rules(connection, typed, actor=actor)


def test_an_untouched_form_saves_nothing_and_says_nothing(olga, office):
    assert save(olga) == save(olga, office) == []
    assert not GuardRule.objects.exists()
    assert not entries(AuditAction.GUARDS_EDITED).exists()


def test_a_systems_rule_outranks_the_panels_until_it_is_taken_back(vera, olga, office, ada):
    assert save(olga, many_people__count="0") == [Guard.MANY_PEOPLE]
    save(olga, office, many_people__level="off", many_people__count="5")
    assert confirm(draft(vera, ada), vera).state == ChangeState.QUEUED
    save(olga, office, many_people__level="")
    other = m.participant(m.account("Bea", office), ada.group)
    assert confirm(draft(vera, other), vera).state == ChangeState.WAITING
    said = [entry.sealed for entry in entries(AuditAction.GUARDS_EDITED).order_by("pk")]
    assert len(said) == 3 and '"level":"off"' in said[1]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("many_people__count", "many"),
        ("many_people__count", ""),
        ("many_people__count", "-1"),
        ("many_people__count", "9" * 400),
        ("group_removals__share_percent", "101"),
        ("group_removals__level", "whatever"),
    ],
)
def test_what_cannot_be_a_rule_is_named_at_its_field_and_nothing_is_saved(name, value):
    typed = guard_rules.read_form(None, form(**{name: value}))
    assert list(typed.errors) == [name.replace("__", ".")]


def test_guards_are_set_by_whoever_manages_systems_and_those_of_all_by_whoever_reaches_all(vera, olga, office):
    for connection in (None, office):
        with pytest.raises(NotAllowed):
            save(vera, connection, many_people__count="1")
    limited = m.user("lea", Role.OWNER, systems=[office])
    assert save(limited, office, many_people__level="warn", many_people__count="1") == [Guard.MANY_PEOPLE]
    with pytest.raises(NotAllowed):
        save(limited, many_people__count="1")


def test_plans_of_a_hundred_groups_find_their_guards_with_no_more_queries(vera, office, django_assert_max_num_queries):
    rows = [m.participant(m.account(f"N{n}", office), m.group(f"G{n}", office)) for n in range(100)]
    asks(Guard.GROUP_REMOVALS)
    with django_assert_max_num_queries(45):
        change = drafts.draft(ChangeKind.REMOVAL, [Remove(row.pk) for row in rows], m.ids(*rows), actor=vera)
        page = guard_pages.guarding_of(change, vera)
    assert (len(page.lines), page.more) == (20, 180)
    assert progress(change).count(OperationState.PLANNED) == 100
