"""Systems: connected, edited, tested, stopped and resumed. Maintenance and retirement are in `connection_states`, what
is tested before it is saved in `connection_drafts`."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.db import IntegrityError, transaction
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext as _

from membership.audit import record
from membership.errors import BadValue, NotAllowed, Reason
from membership.models import Connection, reached_ids
from membership.operations.probe import Probe, probe
from membership.sentences import finding, sentence
from membership.services import connection_values as values
from membership.services.shell import audited, need_right, need_visible, refuse
from membership.services.typed import clean
from membership.vocab import PROVIDERS, AuditAction, ConnectionState, Right

if TYPE_CHECKING:
    from django.contrib.auth.models import User

TESTS_REQUESTS = 6
"""About as many requests as a test makes: so many turns of the limit lie between two tests."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How hard a system may be asked. None: as it is, or as its provider has it."""

    rate_per_s: float | None = None
    burst: int | None = None
    concurrency: int | None = None
    timeout_s: float | None = None
    settle_s: float | None = None


UNCHANGED = Limits()


@dataclass(frozen=True, slots=True)
class Tested:
    """What a test found, in sentences. `works` is false when the first one says why nothing can be done."""

    works: bool
    sentences: tuple[str, ...]


@audited
def connect(
    provider: str,
    name: str,
    url: str,
    options: Mapping[str, str] | None = None,
    secrets: Mapping[str, str] | None = None,
    *,
    internal: bool | None = None,
    limits: Limits = UNCHANGED,
    actor: "User | None",
) -> Connection:
    """Connect a system, or bring the one of that name to what is given. Safe to repeat; nothing is sent.

    `actor` None is the command line. Raises `BadValue` with the key and, in words, what is wrong with its value.
    """
    if actor is not None:
        need_right(actor, Right.MANAGE_SYSTEMS)
    existing = Connection.objects.filter(name=values.name(name)).first()
    if existing is not None:
        if existing.provider != provider:
            raise BadValue(Reason.BAD_VALUE, key="name", why=values.name_is_taken())
        return edit(existing, url=url, options=options, secrets=secrets, internal=internal, limits=limits, actor=actor)
    row = new_row(provider, name, url, options, secrets, internal=internal, limits=limits)
    return create(row, actor=actor)


def new_row(
    provider: str,
    name: str,
    url: str,
    options: Mapping[str, str] | None,
    secrets: Mapping[str, str] | None,
    *,
    internal: bool | None,
    limits: Limits,
) -> Connection:
    """A system as it would be, not stored. Raises `BadValue`."""
    values.provider(provider)
    row = Connection(
        provider=provider,
        name=values.name(name),
        base_url=values.url(url),
        internal=bool(internal),
        options=values.options(provider, {}, options or {}),
        secrets=values.secrets(provider, {}, secrets or {}),
        rate_per_s=PROVIDERS[provider].rate_per_s,
    )
    _apply_limits(row, limits)
    return row


def need_to_create(actor: "User | None") -> None:
    """A user who is limited to some systems cannot connect another one."""
    if actor is None:
        return
    need_right(actor, Right.MANAGE_SYSTEMS)
    if reached_ids(actor) is not None:
        raise NotAllowed(Reason.NO_RIGHT, right=Right.MANAGE_SYSTEMS.value)


def create(row: Connection, *, actor: "User | None") -> Connection:
    """Store a new system. Raises `BadValue` when its name is taken."""
    need_to_create(actor)
    with transaction.atomic():
        _save_new(row)
        record_event(AuditAction.CONNECTION_CREATED, row, actor, data={"provider": row.provider}, after=_shown(row))
    return row


@audited
def edit(
    connection: Connection,
    *,
    name: str | None = None,
    url: str | None = None,
    options: Mapping[str, str] | None = None,
    secrets: Mapping[str, str] | None = None,
    internal: bool | None = None,
    limits: Limits = UNCHANGED,
    actor: "User | None",
) -> Connection:
    """Change what is given, keep the rest; an empty secret is taken away. Nothing is sent.

    A new address, option or secret ends the session with the remote: the next request signs in anew. Raises `BadValue`.
    """
    need_to_manage(connection, actor)
    with transaction.atomic():
        row = need_in_use(Connection.objects.select_for_update().get(pk=connection.pk))
        before, sealed_before = _shown(row), (row.base_url, row.options, row.secrets)
        put(row, name=name, url=url, options=options, secrets=secrets, internal=internal, limits=limits)
        after = _shown(row) | {"secrets": values.shown_change(sealed_before[2], row.secrets)}
        changed = sorted(key for key in after if key != "secrets" and before[key] != after[key])
        if row.secrets != sealed_before[2]:
            changed.append("secrets")
        if not changed:
            return row
        if (row.base_url, row.options, row.secrets) != sealed_before:
            row.session, row.renewing_since, row.own_account_id = {}, None, ""
        _save_new(row)
        record_event(
            AuditAction.CONNECTION_EDITED,
            row,
            actor,
            data={"fields": changed},
            before={key: before[key] for key in changed},
            after={key: after[key] for key in changed},
        )
    return row


def put(
    row: Connection,
    *,
    name: str | None = None,
    url: str | None = None,
    options: Mapping[str, str] | None = None,
    secrets: Mapping[str, str] | None = None,
    internal: bool | None = None,
    limits: Limits = UNCHANGED,
) -> None:
    """Put what is given into `row`, which is not stored by this. Raises `BadValue`."""
    if name is not None:
        row.name = values.name(name)
    if url is not None:
        row.base_url = values.url(url)
    if internal is not None:
        row.internal = internal
    row.options = values.options(row.provider, row.options, options or {})
    row.secrets = values.secrets(row.provider, row.secrets, secrets or {})
    _apply_limits(row, limits)


@audited
def test_connection(connection: Connection, *, actor: "User | None") -> Tested:
    """Look whether a system works, now, with reads alone; takes at most ten seconds.

    Raises `ChangeRefused(TOO_MANY_TESTS, wait_s=…)` when it was tested a moment ago, or the system asked for a pause.
    """
    need_to_manage(connection, actor)
    row = need_in_use(Connection.objects.get(pk=connection.pk))
    claim_test(row)
    seen = probe(row)
    note_test(row, seen, actor)
    return Tested(works=not seen.reason, sentences=tuple(said for _works, said in lines_of(seen)))


test_connection.__test__ = False  # type: ignore[attr-defined]  # no test of pytest's


@audited
def pause(connection: Connection, *, reason: str, actor: "User") -> None:
    """Stop a system: nothing more is sent or read until it is resumed. What waits keeps waiting."""
    need_to_manage(connection, actor)
    note = need_note(reason)
    need_in_use(Connection.objects.get(pk=connection.pk))
    with transaction.atomic():
        stopped = Connection.objects.filter(pk=connection.pk, state=ConnectionState.ACTIVE).update(
            state=ConnectionState.PAUSED,
            state_reason=Reason.STOPPED_BY_OPERATOR,
            state_params={"by": actor.get_username(), "note": note},
            state_since=timezone.now(),
        )
        if stopped:
            record_event(AuditAction.CONNECTION_PAUSED, connection, actor, reason=note)


@audited
def resume(connection: Connection, *, actor: "User | None") -> Tested:
    """Test a system that is stopped or in maintenance, and let it work again if it works.

    Otherwise it stays as it is, and the answer says why.
    """
    tested = test_connection(connection, actor=actor)
    if not tested.works:
        return tested
    with transaction.atomic():
        resting = (ConnectionState.PAUSED, ConnectionState.MAINTENANCE)
        started = Connection.objects.filter(pk=connection.pk, state__in=resting).update(
            state=ConnectionState.ACTIVE,
            state_reason="",
            state_params={},
            state_since=timezone.now(),
            slowed_until=None,
            slowed_reason="",
            slowed_params={},
            next_reading_at=None,
        )
        if started:
            record_event(AuditAction.CONNECTION_RESUMED, connection, actor)
    return tested


def need_to_manage(connection: Connection, actor: "User | None") -> None:
    if actor is not None:
        need_right(actor, Right.MANAGE_SYSTEMS)
        need_visible(connection, actor)


def need_in_use(row: Connection) -> Connection:
    """The row. Raises `ChangeRefused` when it is retired."""
    if row.state == ConnectionState.RETIRED:
        refuse(Reason.SYSTEM_RETIRED, system=row.name)
    return row


def need_note(reason: str) -> str:
    """The reason that somebody typed. Raises `ChangeRefused` when it is empty."""
    note = clean(reason, key="reason", at_most=300)
    if not note:
        refuse(Reason.REASON_EMPTY)
    return note


def _apply_limits(row: Connection, limits: Limits) -> None:
    for key, value in asdict(limits).items():
        if value is not None:
            setattr(row, key, values.limit(key, value))


def _save_new(row: Connection) -> None:
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError as error:
        raise BadValue(Reason.BAD_VALUE, key="name", why=values.name_is_taken()) from error


def claim_test(connection: Connection) -> None:
    """Count a test before it begins, in one statement: two at once cannot both pass."""
    now = timezone.now()
    row = Connection.objects.get(pk=connection.pk)
    wait = timedelta(seconds=TESTS_REQUESTS / row.rate_per_s)
    claimed = Connection.objects.filter(
        Q(tested_at=None) | Q(tested_at__lte=now - wait),
        Q(slowed_until=None) | Q(slowed_until__lte=now) | ~Q(slowed_reason=Reason.THROTTLED),
        pk=connection.pk,
    ).update(tested_at=now, tests_made=F("tests_made") + 1)
    if claimed:
        return
    free_at = max((row.tested_at or now) + wait, row.slowed_until or now)
    refuse(Reason.TOO_MANY_TESTS, wait_s=max(1, round((free_at - now).total_seconds())))


def note_test(row: Connection, seen: Probe, actor: "User | None") -> None:
    """Have the lane take the requests of a test from its limit, and record what was found."""
    with transaction.atomic():
        found: dict[str, Any] = {"tests_made": F("tests_made") + max(0, seen.requests - 1)}
        if seen.own_account_id:
            found["own_account_id"] = seen.own_account_id
        Connection.objects.filter(pk=row.pk).update(**found)
        record_event(AuditAction.CONNECTION_TESTED, row, actor, seen.reason, data=tested_data(seen), **_params(seen))


def tested_data(seen: Probe) -> dict[str, Any]:
    """What the audit log seals of a test."""
    return {"requests": seen.requests, "sign_ins": seen.sign_ins, "findings": dict(seen.findings)}


def _params(seen: Probe) -> dict[str, Any]:
    return {"params": dict(seen.params)} if seen.params else {}


def lines_of(seen: Probe) -> tuple[tuple[bool, str], ...]:
    """What a test found, `(it works, sentence)` each."""
    if seen.reason:
        return ((False, sentence(seen.reason, seen.params)),)
    said = ((works, finding(code, works)) for code, works in seen.findings)
    return ((True, _("It works.")), *((works, line) for works, line in said if line))


def _shown(row: Connection) -> dict[str, Any]:
    """What the audit log says of a system: its settings, and which secrets are set."""
    fields = ("name", "base_url", "internal", "options", *asdict(Limits()))
    return {key: getattr(row, key) for key in fields} | {"secrets": values.shown(row.provider, row.secrets)}


def record_event(
    action: AuditAction,
    row: Connection,
    actor: "User | None",
    outcome: str = "",
    *,
    data: Mapping[str, Any] | None = None,
    **personal: Any,
) -> None:
    """One entry in the system's chain. Inside the caller's transaction, as its last statement."""
    entry = record.Entry(
        action,
        actor=actor,
        connection_id=row.pk,
        outcome=outcome,
        data=data or {},
        personal={"system": row.name, **personal},
    )
    record.write(record.connection_chain(row.pk), [entry])
