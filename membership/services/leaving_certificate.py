"""The certificate of a leaver: every place, when, by which call, and when it was read back as gone."""

import datetime as dt
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from django.db import transaction
from django.utils import timezone

from membership.audit import record
from membership.errors import ChangeRefused, Reason
from membership.models import Account, Connection, Leaving, LeavingState, Operation, Presence, reached_ids
from membership.services.export_cells import for_json
from membership.services.leaving_points import GONE, Knowledge
from membership.services.shell import audited, need_visible
from membership.vocab import AuditAction, Chain, ConnectionState, PresenceCause

if TYPE_CHECKING:
    from django.contrib.auth.models import User

FORMAT = 1


def issue(leaving: Leaving, known: Knowledge) -> bool:
    """Certify, where nothing is open. Written once: what happens later does not change it. True: it was issued."""
    if known.points or leaving.begun_at is None:
        return False
    now = timezone.now()
    places = [*_removed(known.removals.values()), *_left_otherwise(leaving, known)]
    text = {
        "format": FORMAT,
        "person": {"number": leaving.person_id, "name": leaving.person.name},
        "asked_by": leaving.asked_by.get_username(),
        "asked_at": leaving.asked_at.isoformat(),
        "issued_at": now.isoformat(),
        "accounts": [_account(account) for account in known.accounts],
        "places": places,
        "systems": [_system(system) for system in known.systems],
        "not_covered": list(
            Connection.objects.filter(state=ConnectionState.RETIRED).order_by("name").values_list("name", flat=True)
        ),
    }
    digest = hashlib.sha256(canonical(text)).hexdigest()
    with transaction.atomic():
        issued = Leaving.objects.filter(pk=leaving.pk, state=LeavingState.OPEN).update(
            state=LeavingState.DONE, ended_at=now, certificate=text, certificate_hash=digest
        )
        if issued:
            data = {"leaving": leaving.pk, "sha256": digest, "places": len(places)}
            record.write(Chain.PANEL, [entry(AuditAction.LEAVING_CERTIFIED, leaving, actor=None, data=data)], at=now)
    return bool(issued)


def canonical(text: Mapping[str, Any]) -> bytes:
    """The certificate as it is hashed and handed out."""
    return json.dumps(text, ensure_ascii=False, sort_keys=True, indent=1).encode()


def may_see(leaving: Leaving, user: "User") -> bool:
    """Whether the user may see all systems that the certificate names: it is shown whole or not at all."""
    within = reached_ids(user)
    return within is None or {system["number"] for system in leaving.certificate.get("systems", ())} <= set(within)


@audited
def download(leaving: Leaving, *, actor: "User") -> bytes:
    """The certificate as JSON, as it was sealed. That it was handed out is in the log.

    Raises `ChangeRefused` while there is none, or where the actor may not see all that it names.
    """
    need_visible(leaving, actor)
    if leaving.state != LeavingState.DONE or not may_see(leaving, actor):
        raise ChangeRefused(Reason.NOT_VISIBLE)
    data = {"what": "certificate", "rows": len(leaving.certificate["places"]), "format": "json"}
    with transaction.atomic():
        record.write(Chain.PANEL, [entry(AuditAction.EXPORT_MADE, leaving, actor=actor, data=data)])
    return canonical(leaving.certificate)


def entry(
    action: AuditAction, leaving: Leaving, *, actor: "User | None", data: Mapping[str, Any] | None = None
) -> record.Entry:
    return record.Entry(
        action,
        actor=actor,
        person_id=leaving.person_id,
        change_id=leaving.change_id,
        data=data or {"leaving": leaving.pk},
        personal={"person": leaving.person.name},
    )


def _account(account: Account) -> dict[str, Any]:
    return {
        "system": account.connection.name,
        "id": account.remote_id,
        "name": for_json(account.label),
        "email": for_json(account.email),
    }


def _system(system: Connection) -> dict[str, Any]:
    return {
        "number": system.pk,
        "name": system.name,
        "kind": system.provider_label,
        "read_at": _time(system.read_at),
    }


def _removed(steps: Any) -> list[dict[str, Any]]:
    return [_place(step) for step in steps if step.state in GONE and step.group is not None]


def _place(step: Operation) -> dict[str, Any]:
    group = step.group
    assert group is not None  # noqa: S101 - for the type checker
    by = step.change.requested_by
    return {
        "system": step.connection.name,
        "group": for_json(group.name),
        "group_id": group.remote_id,
        "how": "removed" if step.state == "confirmed" else "already_gone",
        "gone_at": _time(step.settled_at),
        "change": step.change_id,
        "asked_by": by.get_username() if by else "",
        "calls": [_call(call) for call in step.calls],
        "read_back_at": _time(group.read_at) if group.is_present else None,
    }


def _time(at: dt.datetime | None) -> str | None:
    return at.isoformat() if at else None


def _call(call: Mapping[str, Any]) -> str:
    """Method and path, as they stood on the wire."""
    return f"{call['method']} /{'/'.join(quote(part, safe='') for part in call['path'])}"


def _left_otherwise(leaving: Leaving, known: Knowledge) -> Sequence[dict[str, Any]]:
    """Places that ended outside Musterbook since it was asked for, as a reading found it."""
    ended = Presence.objects.filter(
        participant__account__in=known.accounts, until__gte=leaving.asked_at, ended_by=PresenceCause.READING
    ).exclude(participant__in=[pk for pk, step in known.removals.items() if step.state in GONE])
    rows = ended.select_related("participant__group__connection").order_by("until", "pk")
    return [
        {
            "system": row.participant.group.connection.name,
            "group": for_json(row.participant.group.name),
            "group_id": row.participant.group.remote_id,
            "how": "left_outside",
            "gone_at": _time(row.until),
            "change": None,
            "asked_by": "",
            "calls": [],
            "read_back_at": _time(row.participant.group.read_at),
        }
        for row in rows
    ]
