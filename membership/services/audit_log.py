"""The audit log as pages read it: filtered, searched, in sentences. Queries a page: constant, however many entries."""

import datetime as dt
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from django.contrib.auth import get_user_model
from django.db.models import Model, Q, QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from membership.audit import chain as chains
from membership.audit import verify
from membership.errors import NotAllowed, Reason
from membership.models import (
    Account,
    AuditEntry,
    AuditPersonal,
    Change,
    Connection,
    Group,
    Merging,
    Operation,
    Participant,
    Person,
    visible_to,
)
from membership.models.visibility import Viewer
from membership.services import audit_damage, audit_fields, audit_query, audit_words
from membership.services.audit_few import by_number
from membership.vocab import AuditAction, Chain

_LEFT_OUT = "…"
"""Under which an answer that was kept says how many of its fields were not: `NOT_NAMED` of the providers."""
FILTERS = ("actor_id", *(f"{name}_id" for name in chains.REFS))


@dataclass(frozen=True, slots=True)
class Line:
    """One entry as a list shows it."""

    id: int
    at: dt.datetime
    action: str
    label: str
    """The action in a word or two."""
    sentence: str
    actor: str
    outcome: str
    erased: bool
    """It had a personal part, which was deleted."""
    chain: str
    chain_label: str
    seq: int
    fault: str
    """What is wrong with it by itself, in words, where that was asked for; empty: nothing."""
    change_id: int | None
    connection_id: int | None
    system: str


@dataclass(frozen=True, slots=True)
class Difference:
    """One field, before and after."""

    field: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Detail:
    """One entry as its own page shows it."""

    line: Line
    reason: str
    ticket: str
    said: str
    differences: list[Difference]
    requests: list[str]
    """What was or is sent, as text: method, path, body."""
    answer: str
    refs: dict[str, int]
    """Ids of what it is about: `{"change": 12, …}`."""
    more: list[tuple[str, str]] = field(default_factory=list)
    """What else it holds, sealed and personal: names of fields, and values, in words."""
    earlier: int | None = None
    """The entries before and after it in its chain."""
    later: int | None = None
    sealed: str = ""
    mac: str = ""
    fault: str = ""
    """What is wrong with its seal, in words; empty: it fits."""


def entries(user: Viewer) -> "QuerySet[AuditEntry]":
    """All that the user may read, newest first."""
    return visible_to(AuditEntry.objects.order_by("-pk"), user)


def find(
    user: Viewer,
    *,
    text: str = "",
    action: str = "",
    chain: str = "",
    since: dt.datetime | None = None,
    until: dt.datetime | None = None,
    **ids: int | None,
) -> "QuerySet[AuditEntry]":
    """The entries that fit, newest first. `ids` are named as in `FILTERS`; `until` is exclusive."""
    unknown = set(ids) - set(FILTERS)
    if unknown:
        raise TypeError(f"not a filter: {', '.join(sorted(unknown))}")
    rows = entries(user).filter(**{name: value for name, value in ids.items() if value is not None})
    if action:
        rows = rows.filter(action=action)
    if chain:
        rows = rows.filter(chain=chain)
    if since is not None:
        rows = rows.filter(at__gte=since)
    if until is not None:
        rows = rows.filter(at__lt=until)
    return search(rows, text, user)


def search(rows: "QuerySet[AuditEntry]", text: str, user: Viewer | None = None) -> "QuerySet[AuditEntry]":
    """The entries that fit a line of search (`audit_query`). Names in it stand for what `user` may see."""
    return audit_query.narrow(rows, text, user, whole=True)[0]


def history(row: Model, user: Viewer) -> "QuerySet[AuditEntry]":
    """The entries about one system, group, account, person, participant, change or step, newest first.

    Raises TypeError for anything else. Whoever may not read the log gets none.
    """
    return entries(user).filter(_about(row))


def _about(row: Model) -> Q:
    if isinstance(row, Person):
        return about_person(row.pk)
    for model, name in _REFS:
        if isinstance(row, model):
            return Q(**{name: row.pk})
    raise TypeError(f"{type(row).__name__} has no history")


def about_person(person_id: int) -> Q:
    """What refers to the person, to whoever became part of them, or to an account of theirs."""
    # Ids, no subquery: with one PostgreSQL finds no way past every entry.
    accounts = list(Account.objects.filter(person_id=person_id).values_list("pk", flat=True))
    people = [person_id, *Merging.objects.filter(person_id=person_id).values_list("former_id", flat=True)]
    return by_number(Q(person_id__in=people), Q(account_id__in=accounts))


_REFS: tuple[tuple[type[Model], str], ...] = (
    (Account, "account_id"),
    (Change, "change_id"),
    (Connection, "connection_id"),
    (Group, "group_id"),
    (Operation, "operation_id"),
    (Participant, "participant_id"),
)


def lines(rows: Iterable[AuditEntry], *, checked: bool = False) -> list[Line]:
    """The entries of one page as lines: at most four more queries, however many there are."""
    page = list(rows)
    parts = audit_damage.parts(row.pk for row in page)
    context = _Context(page, parts)
    faults = {row.pk: audit_damage.fault(row, parts.get(row.pk)) for row in page} if checked else {}
    return [_line(row, parts.get(row.pk), context, faults.get(row.pk, "")) for row in page]


def with_facts(rows: Iterable[AuditEntry]) -> list[tuple[AuditEntry, dict[str, Any]]]:
    """Each entry with what it says, sealed and personal, in one mapping; `erased` is among it."""
    page = list(rows)
    parts = audit_damage.parts(row.pk for row in page)
    context = _Context(page, parts)
    return [
        (row, {**context.facts(row, parts.get(row.pk)), "erased": _is_erased(row, parts.get(row.pk))}) for row in page
    ]


def _is_erased(row: AuditEntry, part: AuditPersonal | None) -> bool:
    return part is None and bool(opened(row.sealed).get("personal"))


def detail(entry_id: int, user: Viewer) -> Detail:
    """One entry. Raises `NotAllowed` where there is none that the user may read."""
    found = audit_damage.entries(entries(user).filter(pk=entry_id))
    if not found:
        raise NotAllowed(Reason.NOT_VISIBLE)
    row, parts = found[0], audit_damage.parts([entry_id])
    part, context = parts.get(entry_id), _Context(found, parts)
    facts = context.facts(row, part)
    return Detail(
        line=_line(row, part, context),
        reason=str(facts.get("reason") or facts.get("note") or ""),
        ticket=str(facts.get("ticket") or ""),
        said=str(facts.get("said") or ""),
        differences=_differences(facts.get("before"), facts.get("after")),
        requests=_requests(facts.get("request")),
        answer=_answer(facts.get("answer")),
        refs={name: value for name in chains.REFS if (value := getattr(row, f"{name}_id")) is not None},
        more=_more(row, part),
        earlier=_beside(row, -1, user),
        later=_beside(row, 1, user),
        sealed=row.sealed,
        mac=row.mac,
        fault=verify.fault_of(row),
    )


_SHOWN = frozenset({"actor", "after", "answer", "before", "group_name", "note", "os_user", "reason", "request", "said",
                    "system", "ticket"})  # fmt: skip
"""Fields of an entry that its page shows at places of their own."""


def _more(row: AuditEntry, part: AuditPersonal | None) -> list[tuple[str, str]]:
    found = {**_data(row), **(opened(part.data) if part else {})}
    return [
        (audit_fields.name(name), audit_fields.value(value))
        for name, value in found.items()
        if name not in _SHOWN and value not in (None, "", [], {})
    ]


def _beside(row: AuditEntry, step: int, user: Viewer) -> int | None:
    beside = entries(user).filter(chain=row.chain, seq=(row.seq or 0) + step)
    return beside.order_by().values_list("pk", flat=True).first()


def chain_label(chain: str, systems: dict[int, str] | None = None) -> str:
    """A chain's name for people."""
    kind, _sep, number = chain.partition(":")
    if kind == "connection" and number.isdigit():
        return (systems or {}).get(int(number)) or _("System %(id)s") % {"id": number}
    return str(Chain(chain).label) if chain in Chain.values else chain


_NAMELESS = frozenset({AuditAction.READING_REQUESTED.value, AuditAction.READING_FINISHED.value})
"""Actions whose entries name their group by id alone, as all do whose personal part was erased."""


class _Context:
    """What the lines of one page share: names of systems, groups and users."""

    def __init__(self, page: Sequence[AuditEntry], parts: dict[int, AuditPersonal]) -> None:
        system_ids = {row.connection_id for row in page if row.connection_id is not None}
        actor_ids = {row.actor_id for row in page if row.actor_id is not None and row.pk not in parts}
        self.systems: dict[int, str] = dict(
            Connection.objects.filter(pk__in=system_ids).values_list("pk", "name") if system_ids else ()
        )
        group_ids = {
            row.group_id
            for row in page
            if row.group_id is not None and (row.action in _NAMELESS or row.pk not in parts)
        }
        self.groups: dict[int, str] = dict(
            Group.objects.filter(pk__in=group_ids).values_list("pk", "name") if group_ids else ()
        )
        users = get_user_model().objects.filter(pk__in=actor_ids)
        self.users: dict[int, str] = dict(users.values_list("pk", "username") if actor_ids else ())

    def facts(self, row: AuditEntry, part: AuditPersonal | None) -> dict[str, Any]:
        """Sealed data and personal part in one mapping."""
        data = _data(row)
        personal = opened(part.data) if part else {}
        facts: dict[str, Any] = {**data, **personal}
        facts |= {f"{name}_id": getattr(row, f"{name}_id") for name in chains.REFS}
        facts["user"], facts["user_name"] = data.get("user"), personal.get("user")
        facts["outcome"] = row.outcome
        facts["actor"] = personal.get("actor") or self._actor(row)
        facts["group_name"] = personal.get("group_name") or personal.get("name") or self.groups.get(row.group_id or 0)
        facts["system"] = personal.get("system") or self.systems.get(row.connection_id or 0)
        return facts

    def _actor(self, row: AuditEntry) -> str:
        if row.actor_id is None:
            return ""
        return self.users.get(row.actor_id) or _("User %(id)s") % {"id": row.actor_id}


def _line(row: AuditEntry, part: AuditPersonal | None, context: _Context, fault: str = "") -> Line:
    erased = _is_erased(row, part)
    facts = {**context.facts(row, part), "erased": erased}
    known = row.action in AuditAction.values
    return Line(
        id=row.pk,
        at=row.at,
        action=row.action,
        label=str(AuditAction(row.action).label) if known else row.action,
        sentence=_sentence(row.action, facts),
        actor=audit_words.who(row.action, facts),
        outcome=row.outcome,
        erased=erased,
        chain=row.chain,
        chain_label=chain_label(row.chain, context.systems),
        seq=row.seq,
        fault=fault,
        change_id=row.change_id,
        connection_id=row.connection_id,
        system=facts["system"] or "",
    )


def _sentence(action: str, facts: dict[str, Any]) -> str:
    try:
        return audit_words.say(action, facts)
    except (TypeError, ValueError, AttributeError):  # somebody altered it: nothing of ours is in these fields
        return _("What this entry says cannot be read.")


def _data(row: AuditEntry) -> dict[str, Any]:
    data = opened(row.sealed).get("data")
    return data if isinstance(data, dict) else {}


def opened(text: str) -> dict[str, Any]:
    """What a sealed or a personal part says; nothing where it cannot be read."""
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _differences(before: object, after: object) -> list[Difference]:
    """Fields that differ, in words. What is no mapping (it was cut to text) stands as one field without a name.

    Where the entry says what was wished, only that is compared: the rest of what was there before stayed as it was.
    """
    old = before if isinstance(before, dict) else {"": before} if before else {}
    new = after if isinstance(after, dict) else {"": after} if after else {}
    fields = old.get("fields")
    old = {**old, **(fields if isinstance(fields, dict) else {})}
    if not new:
        return []
    return [
        Difference(audit_fields.name(name), audit_fields.value(old.get(name)), audit_fields.value(new.get(name)))
        for name in (new if isinstance(after, dict) else dict.fromkeys([*old, *new]))
        if old.get(name) != new.get(name)
    ]


def _requests(value: object) -> list[str]:
    calls = value if isinstance(value, list) else [value] if value else []
    return [_request(call) for call in calls]


def _request(call: object) -> str:
    if not isinstance(call, dict):
        return str(call)
    path, query, headers, body = (call.get(name) for name in ("path", "query", "headers", "body"))
    where = "/" + "/".join(quote(str(part), safe="") for part in path) if isinstance(path, list) else str(path or "")
    if isinstance(query, list):
        where += "?" + "&".join(f"{quote(str(name))}={quote(str(value))}" for name, value in _pairs(query))
    shown = [f"{call.get('method', '')} {where}".strip()]
    shown += [f"{name}: {value}" for name, value in _pairs(headers)]
    return "\n".join(shown if body in (None, "") else [*shown, _pretty(body)])


def _pairs(value: object) -> list[tuple[object, object]]:
    pairs = value if isinstance(value, list) else []
    return [(pair[0], pair[1]) for pair in pairs if isinstance(pair, list) and len(pair) == 2]


def _answer(value: object) -> str:
    if not isinstance(value, dict):
        return str(value or "")
    status, body, left_out = value.get("status"), value.get("body"), 0
    if isinstance(body, dict) and isinstance(body.get(_LEFT_OUT), int):
        left_out, body = body[_LEFT_OUT], {name: each for name, each in body.items() if name != _LEFT_OUT}
    parts = [str(status or ""), "" if body in (None, "", {}) else _pretty(body)]
    if left_out:
        parts.append(ngettext("(%(n)s field is not kept)", "(%(n)s fields are not kept)", left_out) % {"n": left_out})
    return "\n".join(part for part in parts if part)


def _pretty(body: object) -> str:
    return body if isinstance(body, str) else json.dumps(body, ensure_ascii=False, indent=2, sort_keys=True)
