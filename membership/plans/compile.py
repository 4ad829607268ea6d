"""Wishes to the stored rows of a draft: operations in order, what is left out and why, one part a system."""

import json
import secrets
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone

from membership import conf
from membership.errors import Reason
from membership.models import Change, ChangeConnection, Connection, LeftOut, Operation, Participant, bulk
from membership.plans import guards, hashing
from membership.plans.calls import calls_of
from membership.plans.cases import Case, Providers, look_up
from membership.plans.known import learn
from membership.plans.wishes import Refusal, Remove, Wish
from membership.providers.base import RemoteCall
from membership.providers.errors import Refused

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

    @property
    def people_count(self) -> int:
        return len({who for case in self.kept for who in case.people})

    @property
    def groups_count(self) -> int:
        return len({_group_key(case) for case in self.kept})


def plan(wishes: Iterable[Wish]) -> Plan:
    """Work out a plan of any verbs, guards applied. Reads only: no transaction needed."""
    looked = look_up(wishes)
    known = learn(looked)
    cases = list(looked.cases)
    while True:
        refusals = guards.sift(cases, known)
        calls, refused = _say(cases, refusals, looked.providers)
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
    )


def _say(
    cases: Sequence[Case], refusals: Mapping[int, Refusal], providers: Providers
) -> tuple[list[tuple[RemoteCall, ...]], dict[int, Refusal]]:
    """The calls of all cases that are not left out, and what the provider would not say."""
    calls: list[tuple[RemoteCall, ...]] = []
    refused: dict[int, Refusal] = {}
    for place, case in enumerate(cases):
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


def still_planned(wishes: Iterable[Wish]) -> tuple[list[Case], Providers]:
    """The cases that pass the guards now, and the providers: what a stored plan is held against. Reads only."""
    looked = look_up(wishes)
    refusals = guards.sift(looked.cases, learn(looked))
    return [case for place, case in enumerate(looked.cases) if place not in refusals], looked.providers


def plan_removal(participants: QuerySet[Participant]) -> Plan:
    """Work out the removal of `participants`, guards applied. Reads only: no transaction needed."""
    return plan(Remove(pk) for pk in participants.values_list("pk", flat=True))


def compile_removal(change: Change, participants: QuerySet[Participant]) -> None:
    """Plan the removal of `participants` and store it in `change`. Inside the caller's transaction."""
    store(change, plan_removal(participants))


def store(change: Change, plan: Plan, unknown: Mapping[int, Unknown] | None = None) -> None:
    """Insert the plan's rows, and set counts, hash and times of `change`. Inside the caller's transaction.

    `unknown`: `{connection id: why}` of systems in which more places may exist than the plan knows.
    """
    now = timezone.now()
    digests = _insert_operations(change, plan)
    lines = _insert_left_out(change, plan.left_out)
    _insert_parts(change, plan, unknown or {})
    change.plan_hash = hashing.plan_hash(digests, lines)
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


def _insert_parts(change: Change, plan: Plan, unknown: Mapping[int, Unknown]) -> None:
    """One part for every system that is touched, left out of, or not known: it also says who may see the change."""
    of_connection: dict[int, list[Case]] = defaultdict(list)
    for case in plan.kept:
        of_connection[case.connection_id].append(case)
    noted = {part.connection_id: part for part in ChangeConnection.objects.filter(change_id=change.pk)}
    ChangeConnection.objects.filter(change_id=change.pk).delete()
    not_known = {
        pk: Unknown(part.unknown_reason, part.unknown_params) for pk, part in noted.items() if part.unknown_reason
    } | dict(unknown)
    concerned = sorted({*plan.connections, *noted, *not_known})
    ChangeConnection.objects.bulk_create(_part(change, pk, of_connection[pk], not_known.get(pk)) for pk in concerned)


def _part(change: Change, connection_id: int, kept: Sequence[Case], unknown: Unknown | None) -> ChangeConnection:
    read = [case.group.read_at for case in kept if case.group]
    return ChangeConnection(
        change_id=change.pk,
        connection_id=connection_id,
        operations_count=len(kept),
        groups_count=len({_group_key(case) for case in kept}),
        as_of=None if not read or None in read else min(at for at in read if at is not None),
        unknown_reason=unknown.reason if unknown else "",
        unknown_params=dict(unknown.params) if unknown else {},
    )
