"""Systems tested before they are saved: what was typed is tried, the answer is a card in words, then it is saved.

Between the two a page carries what was typed encrypted (`Card.sealed`), so that no secret ever stands in a page.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from cryptography.fernet import InvalidToken
from django.db import transaction
from django.utils import timezone

from membership import conf
from membership.audit import record
from membership.errors import BadValue, Reason
from membership.models import Connection
from membership.operations.probe import Probe, probe
from membership.operations.trial import TrialCredentials
from membership.services import connection_values as values
from membership.services import connections
from membership.services.connection_forms import offers
from membership.services.connections import UNCHANGED, Limits
from membership.services.shell import audited, need_visible, refuse
from membership.vocab import AuditAction, Chain, ConnectionState

if TYPE_CHECKING:
    from django.contrib.auth.models import User

SEALED_FOR_S = 30 * 60
"""How long a tested form can be saved."""
_PURPOSE = "tested system"


@dataclass(frozen=True, slots=True)
class Card:
    """What a test found, in words. `works` is false when the first line says why nothing can be done.

    `lines` tell what the credentials can and cannot do, `offers` what such a system can be asked for: `(works,
    sentence)` each. `sealed` is for `save_connection`.
    """

    works: bool
    lines: tuple[tuple[bool, str], ...]
    offers: tuple[tuple[bool, str], ...]
    sealed: str


@audited
def draft_connection(
    provider: str,
    name: str,
    url: str,
    options: Mapping[str, str] | None = None,
    secrets: Mapping[str, str] | None = None,
    *,
    internal: bool | None = None,
    limits: Limits = UNCHANGED,
    actor: "User",
) -> Card:
    """Test a new system with reads alone, in at most ten seconds. Nothing is stored but what the log says of it.

    Raises `BadValue` with the key and, in words, what is wrong with its value.
    """
    connections.need_to_create(actor)
    row = connections.new_row(provider, name, url, options, secrets, internal=internal, limits=limits)
    if Connection.objects.filter(name=row.name).exists():
        raise BadValue(Reason.BAD_VALUE, key="name", why=values.name_is_taken())
    trial = TrialCredentials(row, actor)
    seen = probe(row, trial)
    with transaction.atomic():
        record.write(Chain.PANEL, [_tested_entry(row, seen, actor)])
    given = {
        "provider": provider,
        "name": row.name,
        "url": row.base_url,
        "options": row.options,
        "secrets": row.secrets,
        "internal": row.internal,
        "limits": asdict(limits),
    }
    return _card(row, seen, trial, given, actor)


@audited
def draft_edit(
    connection: Connection,
    *,
    name: str | None = None,
    url: str | None = None,
    options: Mapping[str, str] | None = None,
    secrets: Mapping[str, str] | None = None,
    internal: bool | None = None,
    limits: Limits = UNCHANGED,
    actor: "User",
) -> Card:
    """Test a connected system with what is given put over what is stored, which stays as it is.

    Raises `BadValue`, and `ChangeRefused` as `connections.test_connection` does, or when the system is retired.
    """
    connections.need_to_manage(connection, actor)
    row = connections.need_in_use(Connection.objects.get(pk=connection.pk))
    given: dict[str, Any] = {"name": name, "url": url, "options": dict(options or {}), "secrets": dict(secrets or {})}
    given |= {"internal": internal, "limits": asdict(limits)}
    before = _identity(row)
    connections.put(row, **_arguments(given))
    if secrets or _identity(row) != before:
        row.session = {}  # it would show that the old credentials work
    if Connection.objects.filter(name=row.name).exclude(pk=row.pk).exists():
        raise BadValue(Reason.BAD_VALUE, key="name", why=values.name_is_taken())
    connections.claim_test(row)
    trial = TrialCredentials(row, actor)
    seen = probe(row, trial)
    connections.note_test(row, seen, actor)
    return _card(row, seen, trial, given, actor)


@audited
def save_connection(sealed: str, *, actor: "User") -> Connection:
    """Save what was tested. A new system that did not work is saved stopped, so that nothing is tried over and over.

    Raises `ChangeRefused(REQUEST_FORGED)` when `sealed` is not what this user was given within half an hour.
    """
    draft = _opened(sealed, actor)
    given, seen = draft["given"], draft["seen"]
    if draft["connection"] is None:
        row = connections.new_row(given["provider"], **_arguments(given))
        if seen["reason"]:
            row.state, row.state_since = ConnectionState.PAUSED, timezone.now()
            row.state_reason, row.state_params = seen["reason"], seen["params"]
        _put_session(row, draft)
        row.sign_ins = draft["sign_ins"]
        return connections.create(row, actor=actor)
    known = need_visible(Connection(pk=draft["connection"]), actor)
    return _save_edit(known, draft, actor)


def _save_edit(known: Connection, draft: Mapping[str, Any], actor: "User") -> Connection:
    row = connections.edit(known, **_arguments(draft["given"]), actor=actor)
    if _identity(row) == draft["identity"]:  # nobody edited it meanwhile: the session is of these credentials
        _put_session(row, draft)
        row.save(update_fields=["session", "own_account_id"])
    return row


@audited
def rotate_credentials(connection: Connection, secrets: Mapping[str, str], *, actor: "User") -> Card:
    """Put new secrets in the place of the old ones, if they work. Otherwise nothing is saved, and the card says why."""
    card = draft_edit(connection, secrets=secrets, actor=actor)
    if card.works:
        save_connection(card.sealed, actor=actor)
    return card


def _arguments(given: Mapping[str, Any]) -> dict[str, Any]:
    """What was given, as the services take it."""
    taken = {key: value for key, value in given.items() if key != "provider"}
    return {**taken, "limits": Limits(**given["limits"])}


def _put_session(row: Connection, draft: Mapping[str, Any]) -> None:
    if draft["session"]:
        row.session = draft["session"]
    if draft["seen"]["own_account_id"]:
        row.own_account_id = draft["seen"]["own_account_id"]


# the card


def _card(row: Connection, seen: Probe, trial: TrialCredentials, given: Mapping[str, Any], actor: "User") -> Card:
    draft = {
        "what": _PURPOSE,
        "actor": actor.pk,
        "connection": row.pk,
        "given": given,
        "identity": _identity(row),
        "session": trial.session,
        "sign_ins": trial.sign_ins,
        "seen": {"reason": seen.reason, "params": dict(seen.params), "own_account_id": seen.own_account_id},
    }
    sealed = conf.fernet().encrypt(json.dumps(draft, default=str).encode()).decode()
    return Card(works=not seen.reason, lines=connections.lines_of(seen), offers=offers(row), sealed=sealed)


def _opened(sealed: str, actor: "User") -> dict[str, Any]:
    try:
        draft: dict[str, Any] = json.loads(conf.fernet().decrypt(sealed.encode(), ttl=SEALED_FOR_S))
    except (InvalidToken, ValueError):
        refuse(Reason.REQUEST_FORGED)
    # The same keys encrypt columns, so the purpose is asked for.
    if draft.get("what") != _PURPOSE or draft["actor"] != actor.pk:
        refuse(Reason.REQUEST_FORGED)
    return draft


def _identity(row: Connection) -> list[Any]:
    return [row.base_url, row.options, row.secrets]  # lists and texts alone: it is compared after JSON


def _tested_entry(row: Connection, seen: Probe, actor: "User") -> record.Entry:
    params = {"params": dict(seen.params)} if seen.params else {}
    return record.Entry(
        AuditAction.CONNECTION_TESTED,
        actor=actor,
        outcome=seen.reason,
        data={**connections.tested_data(seen), "provider": row.provider},
        personal={"system": row.name, "address": row.base_url, **params},
    )
