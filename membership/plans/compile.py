"""Wishes to the stored rows of a draft: operations in order, what is left out and why, one part a system."""

import json
import secrets
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone

from membership import conf
from membership.models import Change, ChangeConnection, Connection, LeftOut, Operation, Participant
from membership.plans import bulk, guards, hashing, wishes
from membership.plans.drafting import drafter
from membership.plans.guards import Refusal
from membership.plans.wishes import Providers, Wish
from membership.providers.base import RemoteCall
from membership.vocab import Verb

_text = json.JSONEncoder().encode

WANTED_REMOVED = {"is_present": False}
_WANTED_REMOVED_TEXT = _text(WANTED_REMOVED)


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
    kept: Sequence[Wish]
    left_out: Sequence[tuple[Wish, Refusal]]

    @property
    def people_count(self) -> int:
        return len({wish.who for wish in self.kept})

    @property
    def groups_count(self) -> int:
        return len({wish.group_id for wish in self.kept})


def plan_removal(participants: QuerySet[Participant]) -> Plan:
    """Work out the removal of `participants`, guards applied. Reads only: no transaction needed."""
    all_wishes = wishes.load(participants)
    connections = Connection.objects.defer("secrets", "session").in_bulk({wish.connection_id for wish in all_wishes})
    providers = {pk: drafter(connection) for pk, connection in connections.items()}
    refusals = guards.sift(all_wishes, connections, providers)
    return Plan(
        connections=connections,
        providers=providers,
        kept=[wish for wish in all_wishes if wish.participant_id not in refusals],
        left_out=[(wish, refusals[wish.participant_id]) for wish in all_wishes if wish.participant_id in refusals],
    )


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


def _insert_operations(change: Change, plan: Plan) -> list[str]:
    rows = [_operation(change, position, wish, plan) for position, wish in enumerate(plan.kept)]
    bulk.insert(Operation, rows)
    return [row["digest"] for row in rows]


def _operation(change: Change, position: int, wish: Wish, plan: Plan) -> dict[str, Any]:
    provider = plan.providers[wish.connection_id]
    subject, before = wish.subject(provider), wish.before()
    calls, salt = calls_json(provider.remove(wish.ref(provider))), secrets.token_hex(16)
    digest = hashing.digest_of(
        position=position,
        connection_id=wish.connection_id,
        provider=plan.connections[wish.connection_id].provider,
        group=wish.group_remote_id,
        verb=Verb.REMOVE.value,
        subject=subject,
        wanted=WANTED_REMOVED,
        before=before,
        calls=calls,
        salt=salt,
    )
    return {
        "change_id": change.pk,
        "position": position,
        "connection_id": wish.connection_id,
        "group_id": wish.group_id,
        "participant_id": wish.participant_id,
        "account_id": wish.account_id,
        "verb": Verb.REMOVE.value,
        "subject": subject,
        "subject_label": wish.label,
        "wanted": _WANTED_REMOVED_TEXT,
        "before": _text(before),
        "calls": _text(calls),
        "salt": salt,
        "digest": digest,
    }


def calls_json(calls: Iterable[RemoteCall]) -> list[dict[str, Any]]:
    return [call.to_json() for call in calls]


def _insert_left_out(change: Change, left_out: Sequence[tuple[Wish, Refusal]]) -> list[str]:
    rows = [
        {
            "change_id": change.pk,
            "position": position,
            "connection_id": wish.connection_id,
            "group_id": wish.group_id,
            "subject_label": wish.label,
            "reason": refusal.reason.value,
            "reason_params": _text(dict(refusal.params)),
        }
        for position, (wish, refusal) in enumerate(left_out)
    ]
    bulk.insert(LeftOut, rows)
    return [
        hashing.left_out_line(position, wish.connection_id, wish.group_id, refusal.reason)
        for position, (wish, refusal) in enumerate(left_out)
    ]


def _insert_parts(change: Change, plan: Plan, unknown: Mapping[int, Unknown]) -> None:
    """One part for every system that is touched, left out of, or not known: it also says who may see the change."""
    of_connection: dict[int, list[Wish]] = defaultdict(list)
    for wish in plan.kept:
        of_connection[wish.connection_id].append(wish)
    noted = {part.connection_id: part for part in ChangeConnection.objects.filter(change_id=change.pk)}
    ChangeConnection.objects.filter(change_id=change.pk).delete()
    not_known = {
        pk: Unknown(part.unknown_reason, part.unknown_params) for pk, part in noted.items() if part.unknown_reason
    } | dict(unknown)
    concerned = sorted({*plan.connections, *noted, *not_known})
    ChangeConnection.objects.bulk_create(_part(change, pk, of_connection[pk], not_known.get(pk)) for pk in concerned)


def _part(change: Change, connection_id: int, kept: Sequence[Wish], unknown: Unknown | None) -> ChangeConnection:
    read = [wish.group_read_at for wish in kept]
    return ChangeConnection(
        change_id=change.pk,
        connection_id=connection_id,
        operations_count=len(kept),
        groups_count=len({wish.group_id for wish in kept}),
        as_of=None if not read or None in read else min(at for at in read if at is not None),
        unknown_reason=unknown.reason if unknown else "",
        unknown_params=dict(unknown.params) if unknown else {},
    )
