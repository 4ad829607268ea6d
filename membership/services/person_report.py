"""Everything that is stored about one person, for that person: as JSON, and as a page to print."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models import Model, Q, QuerySet
from django.utils import timezone

from membership.audit import record, words
from membership.models import (
    Account,
    AuditEntry,
    Change,
    Drift,
    Operation,
    Participant,
    Person,
    Presence,
    Roster,
    visible_to,
)
from membership.sentences import sentence
from membership.services import audit_log, mentions, titles
from membership.services.export_cells import for_json
from membership.services.leaving_certificate import may_see
from membership.services.shell import audited, need_right, need_visible
from membership.services.step_sentences import step_text
from membership.services.traces import Traces, traces
from membership.vocab import AuditAction, Chain, Right

if TYPE_CHECKING:
    from django.contrib.auth.models import User

ENTRIES_AT_MOST = 20_000
"""Of more the newest are told, and how many older ones there are: an export of the log has all of them."""
_NOT_TOLD = frozenset({"secrets", "content_hash", "person", "account", "participant", "group", "connection", "id"})
"""Columns that are links, or tell how we store it. Of secrets only whether they are set is told."""

Rows = list[dict[str, Any]]


@audited
def report(person: Person, *, actor: "User") -> dict[str, Any]:
    """What is stored about `person`, as far as the actor may see, in sections of plain rows. That it was made is in the
    log. Raises `NotAllowed` without the right."""
    need_right(actor, Right.REPORT)
    need_visible(person, actor)
    found = traces(person)
    visible = _visible_entries(found, actor)
    accounts = visible_to(Account.objects.filter(pk__in=found.accounts), actor).select_related("connection")
    told = {
        "person": _columns(person),
        "merged": _mergings(found),
        "accounts": [{"system": row.connection.name, **_columns(row)} for row in accounts.order_by("pk")],
        "places": _places(found, actor),
        "steps": _steps(found, actor),
        "changes": _changes(found, actor),
        "changed_outside": _drifts(found, actor),
        "end_dates": _endings(found, actor),
        "lists": _list_rows(found, actor),
        "leaver": _leavings(found, actor),
        "left_out": _left_outs(found, actor),
        "proposals": _proposals(found, actor),
        "mentions": _mentions(found, actor),
        "audit_entries": _entries(visible),
    }
    hidden = len(found.accounts) - len(told["accounts"])
    whole = {
        "made_at": timezone.now(),
        "made_by": actor.get_username(),
        "hidden_accounts": hidden,
        "older_audit_entries": max(0, visible.count() - ENTRIES_AT_MOST),
        **told,
    }
    counts = {name: len(rows) for name, rows in told.items() if isinstance(rows, list)}
    entry = record.Entry(
        AuditAction.PERSON_REPORTED, actor=actor, person_id=person.pk, data=counts, personal={"person": person.name}
    )
    with transaction.atomic():
        record.write(Chain.PANEL, [entry])
    shown: dict[str, Any] = for_json(whole)
    return shown


def _columns(row: Model) -> dict[str, Any]:
    """A row's own columns under their names."""
    found = {
        field.name: getattr(row, field.attname) for field in row._meta.concrete_fields if field.name not in _NOT_TOLD
    }
    secrets = getattr(row, "secrets", {})
    return {**found, **({"secrets_set": sorted(secrets)} if secrets else {})}


def _mergings(found: Traces) -> Rows:
    """Who they were before, as a person of their own."""
    rows = found.mergings().filter(person=found.person_id).order_by("pk")
    return [
        {"name": row.name, "protected_note": row.protected_note, "created_at": row.created_at, "merged": row.merged_at}
        for row in rows
    ]


def _places(found: Traces, actor: "User") -> Rows:
    rows = visible_to(Participant.objects.filter(pk__in=found.participants), actor)
    stretches: dict[int, Rows] = {}
    for each in Presence.objects.filter(participant_id__in=found.participants).order_by("since", "pk"):
        stretch = {"since": each.since, "how_that_began": each.get_began_by_display(), "until": each.until}
        stretches.setdefault(each.participant_id, []).append(stretch)
    return [
        {
            "system": row.group.connection.name,
            "group": row.group.name,
            **_columns(row),
            "was_there": stretches.get(row.pk, []),
        }
        for row in rows.select_related("group__connection").order_by("group__connection__name", "group__name", "pk")
    ]


def _steps(found: Traces, actor: "User") -> Rows:
    rows = visible_to(Operation.objects.filter(pk__in=found.operations), actor)
    return [
        {
            "step": step_text(row),
            "state": row.get_state_display(),
            "change": row.change_id,
            "before": row.before,
            "wanted": row.wanted,
            "sent": row.calls,
            "found": row.found,
            "why": sentence(row.outcome, row.outcome_params) if row.outcome else "",
            "ended": row.settled_at,
        }
        for row in rows.select_related("group", "connection").order_by("pk")
    ]


def _changes(found: Traces, actor: "User") -> Rows:
    rows: Iterable[Change] = visible_to(Change.objects.filter(pk__in=found.changes), actor).order_by("pk")
    return [
        {
            "number": row.pk,
            "what": titles.title(row),
            "reason": row.reason,
            "ticket": row.ticket,
            "asked": row.confirmed_at,
        }
        for row in rows
    ]


def _drifts(found: Traces, actor: "User") -> Rows:
    rows: Iterable[Drift] = visible_to(found.drifts(), actor).select_related("group").order_by("pk")
    return [
        {"what": row.get_kind_display(), "who": row.label, "group": row.group.name, "before": row.before,
         "after": row.after, "noticed": row.noticed_at, "who_did_it_there": row.remote_actor}
        for row in rows
    ]  # fmt: skip


def _endings(found: Traces, actor: "User") -> Rows:
    rows = visible_to(found.endings(), actor).select_related("group").order_by("pk")
    return [
        {"group": row.group.name, "until": row.last_day, "state": row.get_state_display(), "set": row.set_at}
        for row in rows
    ]


def _leavings(found: Traces, actor: "User") -> Rows:
    """A certificate names every system: it is told whole or not at all."""
    return [
        {"state": row.get_state_display(), **_columns(row), **({} if may_see(row, actor) else {"certificate": {}})}
        for row in found.leavings().order_by("pk")
    ]


def _list_rows(found: Traces, actor: "User") -> Rows:
    """Rows of uploaded lists, of the systems that the actor may see."""
    lists = visible_to(Roster.objects.all(), actor).values("pk")
    rows = found.list_rows().filter(roster__in=lists).select_related("roster__group").order_by("pk")
    return [
        {"list": row.roster.file_name, "group": row.roster.group.name, "line": row.line, "name": row.said_name,
         "e-mail": row.said_email, "id": row.said_id, "uploaded": row.roster.asked_at}
        for row in rows
    ]  # fmt: skip


def _left_outs(found: Traces, actor: "User") -> Rows:
    rows = visible_to(found.left_outs(), actor).select_related("group").order_by("pk")
    return [
        {"who": row.subject_label, "group": row.group.name if row.group else "", "change": row.change_id,
         "why": sentence(row.reason, row.reason_params)}
        for row in rows
    ]  # fmt: skip


def _proposals(found: Traces, actor: "User") -> Rows:
    rows = visible_to(found.proposals(), actor).select_related("first", "second").order_by("pk")
    return [
        {"account": ours.label, "other_account": other.label, "why": row.get_hint_display(),
         "state": row.get_state_display(), "proposed": row.proposed_at}
        for row in rows
        for ours, other in [(row.first, row.second) if row.first_id in found.accounts else (row.second, row.first)]
    ]  # fmt: skip


def _mentions(found: Traces, actor: "User") -> Rows:
    """Texts that are not about the person, and name them."""
    own = Q(pk__in=found.changes)
    return [
        {"where": str(model._meta.verbose_name), "number": each.row.pk, "text": mentions.said(found, each)}
        for model in mentions.TEXTS
        for each in mentions.mentions(found, model, *((~own,) if model is Change else ()), user=actor)
    ]


def _visible_entries(found: Traces, actor: "User") -> "QuerySet[AuditEntry]":
    """What refers to the person, and what lists or names them. Only for whoever may read the log; the newest first."""
    told = [*found.entries_that_list(), *found.entries_that_tell()]
    about = Q(pk__in=found.entries().values("pk")) | words.among(told)
    return visible_to(AuditEntry.objects.filter(about), actor).order_by("-pk")


def _entries(visible: "QuerySet[AuditEntry]") -> Rows:
    newest = visible[:ENTRIES_AT_MOST]
    return [
        {"number": line.id, "at": line.at, "what": line.sentence, "by": line.actor, "system": line.system}
        for line in audit_log.lines(newest)
    ]
