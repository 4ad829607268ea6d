"""What is left out of a plan, and why. A guard never drops a wish silently: it names the reason.

The order of `GUARDS` decides which reason is told when several hold.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence

from membership.errors import Reason
from membership.plans.cases import Case
from membership.plans.known import Asked, Known
from membership.plans.wishes import RIGHTS, Refusal
from membership.providers.ids import is_sendable_id
from membership.vocab import ConnectionState, Guard, GuardLevel, Verb

Refusals = dict[int, Refusal]
"""`{place in the list of cases: why it is left out}`."""


def sift(cases: Sequence[Case], known: Known) -> Refusals:
    """Which of `cases` are left out. They come in the order of the plan: the last manager in it stays."""
    refusals = {
        place: refusal
        for place, case in enumerate(cases)
        if (refusal := case.refusal or next((found for guard in GUARDS if (found := guard(case, known))), None))
    }
    # Each round may leave out more, and what is left out may have been what another one counted on.
    while _bar_partners(cases, refusals) or _keep_last_managers(cases, known, refusals):
        pass
    return refusals


def _bar_partners(cases: Sequence[Case], refusals: Refusals) -> bool:
    """Leave out what belongs together with something that is left out. True: there was some."""
    barred = {cases[place].together for place, refusal in refusals.items() if refusal.reason != Reason.ALREADY_SO} - {
        None
    }
    new = [place for place, case in enumerate(cases) if case.together in barred and place not in refusals]
    refusals.update((place, Refusal(Reason.MOVE_INCOMPLETE)) for place in new)
    return bool(new)


def _keep_last_managers(cases: Sequence[Case], known: Known, refusals: Refusals) -> bool:
    """Leave out what would take a group's last manager. True: there was some.

    Managers whom the same plan adds or makes count: they come first.
    """
    staying = Counter(known.managers_staying)
    losing: dict[int, list[int]] = defaultdict(list)
    for place, case in enumerate(cases):
        if place in refusals or case.group_id is None or not _leaves_out(Guard.LAST_MANAGER, case, known):
            continue
        if case.is_gaining:
            staying[case.group_id] += 1
        elif case.is_losing:
            losing[case.group_id].append(place)
    found = False
    for group_id, places in losing.items():
        for place in places[max(0, staying[group_id] - 1) :]:
            refusals[place] = Refusal(Reason.LAST_MANAGER)
            found = True
    return found


def _leaves_out(guard: Guard, case: Case, known: Known) -> bool:
    """Whether what the guard is about is left out there: where it does not forbid, `limits` tells of it."""
    return known.rules.of(case.connection_id, guard).level == GuardLevel.FORBID


def waits(kept: Sequence[Case], known: Known) -> dict[int, int]:
    """`{place in the plan: the place that it waits for}`: what must have gone well before, or is not done at all.

    Nobody leaves by a move before they have joined, and no manager goes on whose successor it counts.
    """
    joins = {case.together: place for place, case in enumerate(kept) if case.verb != Verb.REMOVE and case.together}
    found = {
        place: joins[case.together]
        for place, case in enumerate(kept)
        if case.verb == Verb.REMOVE and case.together in joins
    }
    gaining: dict[int | None, list[int]] = defaultdict(list)
    losing: dict[int | None, list[int]] = defaultdict(list)
    for place, case in enumerate(kept):
        if case.is_gaining:
            gaining[case.group_id].append(place)
        elif case.is_losing:
            losing[case.group_id].append(place)
    for group_id, places in losing.items():
        # So many may go without a successor.
        free = max(0, known.managers_staying[group_id or 0] - 1)
        for place, successor in zip(places[free:], gaining[group_id], strict=False):
            found.setdefault(place, successor)
    return found


def gone(case: Case, known: Known) -> Refusal | None:
    if case.place and not case.place.is_present and not _is_joining(case, known):
        return Refusal(Reason.ALREADY_GONE, known.gone.get(case.place.pk, {}))
    if case.group and not case.group.is_present:
        return Refusal(Reason.ALREADY_GONE if case.verb == Verb.DELETE_GROUP else Reason.GROUP_NOT_FOUND)
    if case.verb == Verb.ADD and case.account and not case.account.is_present:
        return Refusal(Reason.ACCOUNT_GONE)
    return None


def _is_joining(case: Case, known: Known) -> bool:
    """Whether somebody who left is being added again: a removal is about that."""
    asked = known.asked.get((case.group_id, case.subject(known.providers[case.connection_id])))
    return case.verb == Verb.REMOVE and asked is not None and asked.verb == Verb.ADD


def elsewhere(case: Case, _known: Known) -> Refusal | None:
    """An account of another system cannot join a group of this one."""
    joining = (*case.members, *((case.account,) if case.account else ()))
    if all(account.connection_id == case.connection_id for account in joining):
        return None
    return Refusal(Reason.ACCOUNT_ELSEWHERE, {"system": case.connection_name})


def retired(case: Case, known: Known) -> Refusal | None:
    is_retired = known.connections[case.connection_id].state == ConnectionState.RETIRED
    return Refusal(Reason.SYSTEM_RETIRED, {"system": case.connection_name}) if is_retired else None


def already_asked(case: Case, known: Known) -> Refusal | None:
    subject = case.subject(known.providers[case.connection_id])
    if case.verb == Verb.CREATE_GROUP:
        change = known.being_created.get((case.connection_id, subject))
    else:
        asked = known.asked.get((case.group_id, subject))
        change = asked.change_id if asked and not _undoes(case, asked) else known.being_deleted.get(case.group_id)
        # What waits for approval may be rejected: it stops the same once more, and nothing else about the same person.
        change = change or known.awaited.get((case.group_id, subject, case.verb.value))
    return None if change is None else Refusal(Reason.ALREADY_ASKED, {"change": change})


def _undoes(case: Case, asked: Asked) -> bool:
    """Whether the opposite is asked: an addition and a removal that nobody has begun cancel out."""
    return {case.verb.value, asked.verb} == {Verb.ADD.value, Verb.REMOVE.value}


def already_so(case: Case, _known: Known) -> Refusal | None:
    is_so = case.verb == Verb.RENAME_GROUP and case.group and case.group.name == case.name
    return Refusal(Reason.ALREADY_SO) if is_so else None


def own_account(case: Case, known: Known) -> Refusal | None:
    if case.verb != Verb.REMOVE and not case.takes_rights:
        return None
    own = known.connections[case.connection_id].own_account_id
    is_own = bool(case.account and case.account.is_own)
    if is_own or (own and case.account_ref(known.providers[case.connection_id]) == own):
        return Refusal(Reason.OWN_ACCOUNT)
    return None


def person_protected(case: Case, known: Known) -> Refusal | None:
    account = case.account
    if account is None or account.person_id is None or not account.person_is_protected:
        return None
    if case.verb != Verb.REMOVE and not case.takes_rights:
        return None
    return Refusal(Reason.PERSON_PROTECTED, known.notes.get(("person", account.person_id), {}))


def somebody_protected_inside(case: Case, known: Known) -> Refusal | None:
    name = known.protected_inside.get(case.group_id or 0) if case.verb == Verb.DELETE_GROUP else None
    return None if name is None else Refusal(Reason.PROTECTED_INSIDE, {"name": name})


def group_protected(case: Case, known: Known) -> Refusal | None:
    if case.group is None or not case.group.is_protected:
        return None
    return Refusal(Reason.GROUP_PROTECTED, known.notes.get(("group", case.group.pk), {}))


def managed_elsewhere(case: Case, known: Known) -> Refusal | None:
    is_managed = case.group and case.group.managed_elsewhere and _leaves_out(Guard.MANAGED_ELSEWHERE, case, known)
    return Refusal(Reason.MANAGED_ELSEWHERE) if is_managed else None


def archived(case: Case, _known: Known) -> Refusal | None:
    """Nobody joins an archived group; whoever is there may be changed and leave."""
    is_archived = case.verb == Verb.ADD and case.group and case.group.archived
    return Refusal(Reason.GROUP_ARCHIVED) if is_archived else None


def not_offered(case: Case, known: Known) -> Refusal | None:
    lacking = what_is_lacking(case, known)
    if not lacking:
        return None
    label = known.connections[case.connection_id].provider_label
    return Refusal(Reason.NOT_OFFERED, {"system": label, "what": lacking})


def what_is_lacking(case: Case, known: Known) -> str:
    """The verb, right or field that the remote cannot do; "" when it can do all of it."""
    offered = known.providers[case.connection_id].capabilities
    if case.verb == Verb.UPDATE:
        doable = offered.rights | {field.key for field in offered.fields}
        return next((name for name in case.values if name not in doable), "")
    if not getattr(offered, case.verb.value):
        return case.verb.value
    if case.verb == Verb.ADD:
        return next((name for name in RIGHTS if name in case.values and name not in offered.rights_on_add), "")
    if case.members and not offered.members_on_create:
        return "members_on_create"
    return ""


def id_not_sendable(case: Case, _known: Known) -> Refusal | None:
    """One rule for all remotes: also where an id would travel in a body, an odd one may reach a URL behind it."""
    named = (case.group, case.place, case.account, *case.members)
    return None if all(is_sendable_id(row.remote_id) for row in named if row) else Refusal(Reason.ID_NOT_SENDABLE)


def secret_lost(case: Case, _known: Known) -> Refusal | None:
    """A plan made anew after its secret values were emptied."""
    marked = [name for name, value in case.values.items() if isinstance(value, dict) and value.get("secret")]
    is_lost = any(name not in case.secrets for name in marked)
    return Refusal(Reason.VALUE_NOT_KEPT) if is_lost else None


Look = Callable[[Case, Known], Refusal | None]
GUARDS: tuple[Look, ...] = (
    gone,
    elsewhere,
    retired,
    already_asked,
    already_so,
    own_account,
    person_protected,
    somebody_protected_inside,
    group_protected,
    managed_elsewhere,
    archived,
    not_offered,
    id_not_sendable,
    secret_lost,
)
