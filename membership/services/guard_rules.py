"""The rules of guards: of one system, or of all that have none of their own. Typed, each number looked at by itself."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.utils.translation import gettext as _

from membership.audit import record
from membership.errors import BadValue, NotAllowed, Reason
from membership.models import Connection, GuardRule, reached_ids
from membership.plans.limits import DEFAULTS, LEAVES_OUT, USES, Rule, Rules
from membership.plans.weighing import load_rules
from membership.services import guard_words
from membership.services.shell import audited, need_right, need_visible, refuse
from membership.vocab import AuditAction, Chain, ConnectionState, Guard, GuardLevel, Right

if TYPE_CHECKING:
    from django.contrib.auth.models import User

LARGEST: Mapping[str, int] = {
    "count": 1_000_000,
    "share_percent": 100,
    "group_size": 1_000_000,
    "age_minutes": 60 * 24 * 365,
}
AS_EVERYWHERE = ""
"""The level of a system that has no rule of its own."""


@dataclass(frozen=True, slots=True)
class NumberField:
    name: str
    label: str
    value: str
    error: str = ""


@dataclass(frozen=True, slots=True)
class RuleField:
    """One guard as a form draws it. `level` "" is offered for systems alone: as for all systems."""

    guard: str
    title: str
    help: str
    level: str
    levels: tuple[tuple[str, str], ...]
    numbers: tuple[NumberField, ...]
    error: str = ""


@dataclass(frozen=True, slots=True)
class Typed:
    """What was typed: `{guard: rule, or None for "as everywhere"}`, and `{field name: sentence}` of what cannot be."""

    rules: Mapping[Guard, Rule | None]
    errors: Mapping[str, str] = field(default_factory=dict)


def form_fields(
    connection: Connection | None, posted: Mapping[str, str] | None = None, errors: Mapping[str, str] | None = None
) -> list[RuleField]:
    """The form of these guards: as they are set, or as they were posted."""
    rules = load_rules()
    return [_field(guard, connection, rules, posted, errors or {}) for guard in Guard]


def _field(
    guard: Guard,
    connection: Connection | None,
    rules: Rules,
    posted: Mapping[str, str] | None,
    errors: Mapping[str, str],
) -> RuleField:
    pk = connection.pk if connection else None
    rule = rules.of(pk, guard)
    has_own = connection is None or (pk, guard) in rules.given
    level = rule.level.value if has_own else AS_EVERYWHERE
    levels = [(each.value, str(each.label)) for each in GuardLevel]
    if connection is not None:
        usual = str(rules.of(None, guard).level.label)
        levels.insert(0, (AS_EVERYWHERE, _("as for all systems: %(level)s") % {"level": usual}))
    numbers = tuple(
        NumberField(
            name=f"{guard.value}.{name}",
            label=str(guard_words.NUMBERS[name]),
            value=str(getattr(rule, name)) if posted is None else posted.get(f"{guard.value}.{name}", ""),
            error=errors.get(f"{guard.value}.{name}", ""),
        )
        for name in USES[guard]
    )
    return RuleField(
        guard=guard.value,
        title=str(guard_words.TITLES[guard]),
        help=str(guard_words.HELP[guard]),
        level=level if posted is None else posted.get(f"{guard.value}.level", AS_EVERYWHERE),
        levels=tuple(levels),
        numbers=numbers,
        error=errors.get(f"{guard.value}.level", ""),
    )


def read_form(connection: Connection | None, posted: Mapping[str, str]) -> Typed:
    """What a page posted, each field looked at by itself, so that all errors are told at once."""
    rules: dict[Guard, Rule | None] = {}
    errors: dict[str, str] = {}
    for guard in Guard:
        level = posted.get(f"{guard.value}.level", AS_EVERYWHERE)
        if level == AS_EVERYWHERE and connection is not None:
            rules[guard] = None
            continue
        if level not in GuardLevel.values:
            errors[f"{guard.value}.level"] = _("choose one of the words in the list")
            continue
        numbers = {}
        for name in USES[guard]:
            number = _number(posted.get(f"{guard.value}.{name}", ""), name)
            if isinstance(number, str):
                errors[f"{guard.value}.{name}"] = number
            else:
                numbers[name] = number
        rules[guard] = Rule(GuardLevel(level), **numbers)
    return Typed(rules, errors)


def _number(text: str, name: str) -> int | str:
    """The number, or why it is none."""
    text, largest = text.strip(), LARGEST[name]
    if not text.isascii() or not text.isdigit():
        return _("it must be a whole number")
    if len(text) > len(str(largest)) or int(text) > largest:
        return _("it must be at most %(largest)d") % {"largest": largest}
    return int(text)


@audited
def save_rules(connection: Connection | None, typed: Typed, *, actor: "User") -> list[Guard]:
    """Set the guards of one system, or those of all systems. Returns those that changed.

    A plan that was compiled before is looked at by the new rules when it is confirmed and approved. Raises `NotAllowed`
    without the right, or for all systems where the actor reaches only some; `BadValue` where something typed cannot be.
    """
    need_right(actor, Right.MANAGE_SYSTEMS)
    if connection is not None:
        need_visible(connection, actor)
    elif reached_ids(actor) is not None:
        raise NotAllowed(Reason.NO_RIGHT, right=Right.MANAGE_SYSTEMS.value)
    for key, why in typed.errors.items():
        raise BadValue(Reason.BAD_VALUE, key=key, why=why)
    with transaction.atomic():
        if connection is not None:
            row = Connection.objects.select_for_update().get(pk=connection.pk)
            if row.state == ConnectionState.RETIRED:
                refuse(Reason.SYSTEM_RETIRED, system=row.name)
        changed = _put(connection, typed)
        if changed:
            _record(connection, changed, actor)
    return list(changed)


_Changed = dict[Guard, tuple[Rule | None, Rule | None]]


def _put(connection: Connection | None, typed: Typed) -> _Changed:
    pk = connection.pk if connection else None
    given = load_rules().given
    changed: _Changed = {}
    for guard, rule in typed.rules.items():
        before = given.get((pk, guard)) or (DEFAULTS[guard] if connection is None else None)
        if rule == before:
            continue
        changed[guard] = (before, rule)
        GuardRule.objects.filter(connection=connection, guard=guard).delete()
        if rule is not None:
            numbers = {name: getattr(rule, name) for name in USES[guard]}
            GuardRule.objects.create(connection=connection, guard=guard, level=rule.level, **numbers)
    return changed


def _record(connection: Connection | None, changed: _Changed, actor: "User") -> None:
    data = {
        "guards": sorted(guard.value for guard in changed),
        "before": {guard.value: _told(guard, before) for guard, (before, _after) in changed.items()},
        "after": {guard.value: _told(guard, after) for guard, (_before, after) in changed.items()},
    }
    pk = connection.pk if connection else None
    entry = record.Entry(AuditAction.GUARDS_EDITED, actor=actor, connection_id=pk, data=data)
    record.write(Chain.PANEL if pk is None else record.connection_chain(pk), [entry])


def _told(guard: Guard, rule: Rule | None) -> dict[str, Any]:
    if rule is None:
        return {}
    return {"level": rule.level.value, **{name: getattr(rule, name) for name in USES[guard]}}


def in_words(connection: Connection) -> list[tuple[str, str, bool]]:
    """`(guard, what it does, whether that is the system's own rule)` for the system's page."""
    rules = load_rules()
    return [
        (str(guard_words.TITLES[guard]), _said(guard, rules.of(connection.pk, guard)), own)
        for guard in Guard
        for own in [(connection.pk, guard) in rules.given]
    ]


def _said(guard: Guard, rule: Rule) -> str:
    level = str(rule.level.label)
    if guard in LEAVES_OUT and rule.level == GuardLevel.FORBID:
        level = _("is left out")
    if rule.level == GuardLevel.OFF or not USES[guard]:
        return level
    numbers = ", ".join(f"{guard_words.NUMBERS[name]} {getattr(rule, name)}" for name in USES[guard])
    return f"{level} ({numbers})"
