"""Wishes to the stored rows of a draft: operations in order, what is left out and why, one part a system."""

import json
import secrets
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from membership import conf
from membership.errors import Reason
from membership.models import (
    Change,
    ChangeConnection,
    Connection,
    Finding,
    Group,
    LeftOut,
    Operation,
    Participant,
    bulk,
)
from membership.plans import guards, hashing, limits
from membership.plans.calls import calls_of
from membership.plans.cases import Case, Providers, look_up
from membership.plans.facts import chunks
from membership.plans.known import learn
from membership.plans.limits import Found
from membership.plans.weighing import load_rules, weigh
from membership.plans.wishes import Add, Barred, CreateGroup, DeleteGroup, Refusal, Remove, RenameGroup, Update, Wish
from membership.providers.base import Provider, RemoteCall
from membership.providers.errors import Refused
from membership.providers.slots import REST_OF_ROW
from membership.vocab import OperationState, Verb

AFTER = "after"
"""In the precondition of a step: the position of the step that has to go well before it."""

_text = json.JSONEncoder().encode
_NO_SECRETS = Operation._meta.get_field("secrets").get_prep_value({})


@dataclass(frozen=True, slots=True)
class Unknown:
    """Why it is not known where a person takes part in one system."""

    reason: str
    params: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Plan:
    """What a draft will hold, worked out with reads alone."""

    connections: Mapping[int, Connection]
    providers: Providers
    kept: Sequence[Case]
    calls: Sequence[tuple[RemoteCall, ...]]
    """Of each kept case."""
    after: Mapping[int, int]
    """`{position: the position that has to go well before it}`."""
    left_out: Sequence[tuple[Case, Refusal]]
    findings: Sequence[Found] = ()
    """What guards say of the plan as a whole."""

    @property
    def people_count(self) -> int:
        return len({who for case in self.kept for who in case.people})

    @property
    def groups_count(self) -> int:
        return len({_group_key(case) for case in self.kept})


Tell = Callable[[int], None]
"""Is told now and then of how many wishes are worked out or stored by then."""
TOLD_EVERY = 1000
STORED_AT_ONCE = 500


def _nobody(_count: int) -> None:
    return None


def plan(wishes: Iterable[Wish], tell: Tell = _nobody) -> Plan:
    """Work out a plan of any verbs, guards applied. Reads only: no transaction needed."""
    looked = look_up(wishes)
    known = learn(looked, load_rules())
    cases = list(looked.cases)
    while True:
        refusals = guards.sift(cases, known)
        calls, refused = _say(cases, refusals, looked.providers, tell)
        if not refused:
            break
        # What the provider itself refuses may have been what another case counted on: all are sifted again.
        cases = [replace(case, refusal=refused.get(place, case.refusal)) for place, case in enumerate(cases)]
    kept = [case for place, case in enumerate(cases) if place not in refusals]
    return Plan(
        connections=looked.connections,
        providers=looked.providers,
        kept=kept,
        calls=calls,
        after=guards.waits(kept, known),
        left_out=[(case, refusals[place]) for place, case in enumerate(cases) if place in refusals],
        findings=limits.find(weigh(kept, known), known.rules, timezone.now()),
    )


def _say(
    cases: Sequence[Case], refusals: Mapping[int, Refusal], providers: Providers, tell: Tell
) -> tuple[list[tuple[RemoteCall, ...]], dict[int, Refusal]]:
    """The calls of all cases that are not left out, and what the provider would not say."""
    calls: list[tuple[RemoteCall, ...]] = []
    refused: dict[int, Refusal] = {}
    for place, case in enumerate(cases):
        if place % TOLD_EVERY == 0:
            tell(place)
        if place in refusals:
            continue
        try:
            said = calls_of(case, providers[case.connection_id])
        except Refused as error:
            refused[place] = Refusal(error.reason, error.params)
            continue
        if said:
            calls.append(said)
        else:
            refused[place] = Refusal(Reason.ALREADY_SO)
    return calls, refused


@dataclass(frozen=True, slots=True)
class Now:
    """What would be planned now: what a stored plan is held against."""

    kept: Sequence[Case]
    providers: Providers
    findings: Sequence[Found]


def still_planned(wishes: Iterable[Wish], *, with_waiting: bool) -> Now:
    """The cases that pass the guards now, and what guards say of all of them. Reads only.

    `with_waiting`: what changes ask for that wait for approval counts as asked.
    """
    looked = look_up(wishes)
    known = learn(looked, load_rules(), with_waiting=with_waiting)
    refusals = guards.sift(looked.cases, known)
    kept = [case for place, case in enumerate(looked.cases) if place not in refusals]
    return Now(kept, looked.providers, limits.find(weigh(kept, known), known.rules, timezone.now()))


def plan_removal(participants: QuerySet[Participant]) -> Plan:
    """Work out the removal of `participants`, guards applied. Reads only: no transaction needed."""
    return plan(Remove(pk) for pk in participants.values_list("pk", flat=True))


def compile_removal(change: Change, participants: QuerySet[Participant]) -> None:
    """Plan the removal of `participants` and store it in `change`. Inside the caller's transaction."""
    store(change, plan_removal(participants))


def systems_of(wishes: Sequence[Wish]) -> set[int]:
    """Ids of the connections that these wishes are about. Reads only."""
    looked_at: set[int] = {wish.connection_id for wish in wishes if isinstance(wish, CreateGroup)}
    of_groups = {wish.group_id for wish in wishes if isinstance(wish, Add | RenameGroup | DeleteGroup | Barred)}
    of_places = {wish.participant_id for wish in wishes if isinstance(wish, Update | Remove)}
    for ids in chunks(of_groups):
        looked_at.update(Group.objects.filter(pk__in=ids).order_by().values_list("connection_id", flat=True))
    for ids in chunks(of_places):
        rows = Participant.objects.filter(pk__in=ids).order_by()
        looked_at.update(rows.values_list("group__connection_id", flat=True).distinct())
    return looked_at


def forget_stored(change: Change) -> None:
    """Delete the operations of a draft that was not compiled to its end, in short transactions."""
    rows = Operation.objects.filter(change=change, state=OperationState.PLANNED, change__compiled_at=None)
    while ids := list(rows.order_by("pk").values_list("pk", flat=True)[:STORED_AT_ONCE]):
        Operation.objects.filter(pk__in=ids).delete()


def store_in_parts(change: Change, plan: Plan) -> Iterator[tuple[int, list[str]]]:
    """Insert the operations of a draft in short transactions, so that nobody waits for all of them.

    Yields how many there are by then, and the digests of the part. They are no plan before `store` was given all.
    """
    said = list(zip(plan.kept, plan.calls, strict=True))
    for start in range(0, len(said), STORED_AT_ONCE):
        part = enumerate(said[start : start + STORED_AT_ONCE], start)
        rows = [_operation(change, position, case, calls, plan) for position, (case, calls) in part]
        with transaction.atomic():
            bulk.insert(Operation, rows)
        yield start + len(rows), [row["digest"] for row in rows]


def store(
    change: Change,
    plan: Plan,
    unknown: Mapping[int, Unknown] | None = None,
    *,
    stored: Sequence[str] | None = None,
) -> None:
    """Insert the plan's rows, and set counts, hash and times of `change`. Inside the caller's transaction.

    `unknown`: `{connection id: why}` of systems in which more places may exist than the plan knows. `stored`: digests
    of the operations, where `store_in_parts` has inserted them.
    """
    now = timezone.now()
    digests = _insert_operations(change, plan) if stored is None else list(stored)
    lines = _insert_left_out(change, plan.left_out)
    found = _insert_findings(change, plan.findings)
    _insert_parts(change, plan, unknown or {})
    change.plan_hash = hashing.plan_hash(digests, lines, found)
    change.people_count = plan.people_count
    change.groups_count = plan.groups_count
    change.operations_count = len(plan.kept)
    change.left_out_count = len(plan.left_out)
    change.compiled_at = now
    change.stale_at = good_until(now)
    change.save(
        update_fields=[
            "plan_hash",
            "people_count",
            "groups_count",
            "operations_count",
            "left_out_count",
            "compiled_at",
            "stale_at",
        ]
    )


def good_until(now: datetime) -> datetime:
    """When a preview made now goes stale."""
    return now + timedelta(seconds=conf.plan_good_for_s())


def _group_key(case: Case) -> tuple[str, int | str]:
    return ("group", case.group.pk) if case.group else (f"new in {case.connection_id}", case.name)


def _insert_operations(change: Change, plan: Plan) -> list[str]:
    said = zip(plan.kept, plan.calls, strict=True)
    rows = [_operation(change, position, case, calls, plan) for position, (case, calls) in enumerate(said)]
    bulk.insert(Operation, rows)
    return [row["digest"] for row in rows]


def _operation(change: Change, position: int, case: Case, said: Sequence[RemoteCall], plan: Plan) -> dict[str, Any]:
    provider = plan.providers[case.connection_id]
    subject, wanted, before = case.subject(provider), case.wanted(), case.before()
    if position in plan.after:
        before[AFTER] = plan.after[position]
    calls, salt = calls_json(said), secrets.token_hex(16)
    digest = hashing.digest_of(
        position=position,
        connection_id=case.connection_id,
        provider=plan.connections[case.connection_id].provider,
        group=case.group.remote_id if case.group else None,
        verb=case.verb.value,
        subject=subject,
        wanted=wanted,
        before=before,
        calls=calls,
        salt=salt,
    )
    return {
        "change_id": change.pk,
        "position": position,
        "connection_id": case.connection_id,
        "group_id": case.group_id,
        "participant_id": case.participant_id,
        "account_id": case.account_id,
        "verb": case.verb.value,
        "subject": subject,
        "subject_label": case.label,
        "wanted": _text(wanted),
        "before": _text(before),
        "calls": _text(calls),
        "secrets": _encrypted(case.secrets) if case.secrets else _NO_SECRETS,
        "salt": salt,
        "digest": digest,
    }


def _encrypted(values: Mapping[str, str]) -> Any:
    return Operation._meta.get_field("secrets").get_prep_value(dict(values))


def calls_json(calls: Iterable[RemoteCall]) -> list[dict[str, Any]]:
    return [call.to_json() for call in calls]


def _insert_left_out(change: Change, left_out: Sequence[tuple[Case, Refusal]]) -> list[str]:
    rows = [
        {
            "change_id": change.pk,
            "position": position,
            "connection_id": case.connection_id,
            "group_id": case.group_id,
            "subject_label": case.label,
            "reason": refusal.reason.value,
            "reason_params": _text(dict(refusal.params)),
        }
        for position, (case, refusal) in enumerate(left_out)
    ]
    bulk.insert(LeftOut, rows)
    return [
        hashing.left_out_line(position, case.connection_id, case.group_id, refusal.reason)
        for position, (case, refusal) in enumerate(left_out)
    ]


def _insert_findings(change: Change, findings: Sequence[Found]) -> list[str]:
    Finding.objects.bulk_create(
        Finding(
            change=change,
            position=position,
            guard=found.guard,
            level=found.level,
            connection_id=found.connection_id,
            group_id=found.group_id,
            params=dict(found.params),
        )
        for position, found in enumerate(findings)
    )
    return [
        hashing.finding_line(found.guard, found.level, found.connection_id, found.group_id, dict(found.params))
        for found in findings
    ]


def _insert_parts(change: Change, plan: Plan, unknown: Mapping[int, Unknown]) -> None:
    """One part for every system that is touched, left out of, or not known: it also says who may see the change."""
    of_connection: dict[int, list[Case]] = defaultdict(list)
    requests: Counter[int] = Counter()
    for case, said in zip(plan.kept, plan.calls, strict=True):
        of_connection[case.connection_id].append(case)
        requests[case.connection_id] += _requests(case, said, plan.providers[case.connection_id])
    noted = {part.connection_id: part for part in ChangeConnection.objects.filter(change_id=change.pk)}
    ChangeConnection.objects.filter(change_id=change.pk).delete()
    not_known = {
        pk: Unknown(part.unknown_reason, part.unknown_params) for pk, part in noted.items() if part.unknown_reason
    } | dict(unknown)
    concerned = sorted({*plan.connections, *noted, *not_known})
    ChangeConnection.objects.bulk_create(
        _part(change, pk, of_connection[pk], not_known.get(pk), calls_count=requests[pk]) for pk in concerned
    )


def _requests(case: Case, said: Sequence[RemoteCall], provider: Provider) -> int:
    """How many requests a step makes when all goes well, those that read just before a call included."""
    looks = case.verb == Verb.ADD and provider.capabilities.looks_before_add
    return len(said) + looks + sum(REST_OF_ROW in call.slots for call in said)


def _part(
    change: Change, connection_id: int, kept: Sequence[Case], unknown: Unknown | None, *, calls_count: int
) -> ChangeConnection:
    read = [case.group.read_at for case in kept if case.group]
    return ChangeConnection(
        change_id=change.pk,
        connection_id=connection_id,
        operations_count=len(kept),
        calls_count=calls_count,
        groups_count=len({_group_key(case) for case in kept}),
        as_of=None if not read or None in read else min(at for at in read if at is not None),
        unknown_reason=unknown.reason if unknown else "",
        unknown_params=dict(unknown.params) if unknown else {},
    )
