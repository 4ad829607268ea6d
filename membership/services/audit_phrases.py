"""The parts of the log's sentences: why, about what, and with what outcome."""

from collections.abc import Callable, Mapping
from typing import Any

from django.db.models import Model
from django.utils.text import capfirst
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from membership import sentences
from membership.errors import Reason
from membership.models import (
    Account,
    AuditEntry,
    Bundle,
    Change,
    Connection,
    Drift,
    Erasure,
    Group,
    Leaving,
    LinkProposal,
    Participant,
    Person,
    Roster,
)
from membership.services import audit_fields
from membership.services.audit_wishes import Facts, fields_wanted, number, renamed, wish
from membership.vocab import ConnectionState, OperationState, ReadingState, Role, StageState

LISTS: Mapping[str, type[Model]] = {
    model._meta.model_name or "": model
    for model in (
        Account,
        AuditEntry,
        Bundle,
        Change,
        Connection,
        Drift,
        Erasure,
        Group,
        Leaving,
        LinkProposal,
        Participant,
        Person,
        Roster,
    )
}
"""Lists that can be exported, as their entries name them."""
_TOLD: Mapping[str, Any] = {
    Reason.NO_RIGHT: _("the right to do this was missing"),
    Reason.NOT_VISIBLE: _("there was nothing that this user may see"),
    Reason.PRECONDITION_GONE: _("something had changed since the preview"),
    Reason.SUPERSEDED: _("a newer change asks for the opposite, so both cancel out"),
    Reason.END_DATE_ALTERED: _("the end date was altered or taken away before"),
    Reason.NOT_IN_PLAN: _("its row in the database is not as it was confirmed"),
    Reason.READ_BACK_DONE: _("it is done"),
    Reason.READ_BACK_NOT_DONE: _("it was not done, and is sent again"),
}
"""Reasons whose sentences speak to whoever asked, or say once more what the log's sentence says already."""
_BY_OPERATOR = frozenset({Reason.STOPPED_BY_OPERATOR.value, Reason.PAUSED_BY_OPERATOR.value})
"""Reasons that say who did it and why, which the log's sentence does by itself."""
_REASONS = frozenset(Reason)
_DECISIONS = {
    "accept": _("it stays as it was found"),
    "again": _("it is sent again"),
    "leave": _("it is left alone and not sent again"),
}

_STALE = {
    "changed": _("what it is about was changed meanwhile"),
    "erased": _("somebody in it was erased"),
    "guards": _("the guards ask for more than was shown"),
    "list_gone": _("its list is gone"),
    "read_again": _("its systems were read again, and there is a new one"),
    "time": _("it became too old"),
}


def _why(facts: Facts) -> str:
    """Such as ": REASON (ticket 12)"."""
    reason, ticket = facts.get("reason") or facts.get("note"), facts.get("ticket")
    said = f": {reason}" if reason else ""
    return said + (gettext(" (ticket %(ticket)s)") % {"ticket": ticket} if ticket else "")


def because(facts: Facts) -> str:
    """A colon and the sentence of the outcome's code, without its full stop."""
    params = facts.get("params")
    known: dict[str, Any] = {**facts, **(params if isinstance(params, Mapping) else {})}
    return _after_colon(_reason(facts.get("outcome"), known) or str(facts.get("said") or ""))


def _reason(code: object, params: Facts) -> str:
    """The sentence of a reason code; empty for what is none."""
    if code == Reason.REMOTE_SAID_NO and params.get("said"):
        return gettext("“%(said)s” (status %(status)s)") % {"said": params["said"], "status": params.get("status", "…")}
    if code in _TOLD:
        return str(_TOLD[str(code)])
    return sentences.sentence(str(code), params) if code in _REASONS else ""


def _after_colon(said: str) -> str:
    return f": {said.rstrip('. ')}" if said.strip() else ""


def _or_else(text: Any) -> Callable[[Facts], str]:
    """Why, or `text` where the entry does not say."""
    return lambda facts: because(facts) or _after_colon(str(text))


def _paused(facts: Facts) -> str:
    """Why a change was paused: the note of whoever did it, or what the worker found."""
    params = facts.get("params")
    note = params.get("note") if isinstance(params, Mapping) else ""
    return _after_colon(str(note or "")) if facts.get("outcome") in _BY_OPERATOR else because(facts)


def _stage_outcome(facts: Facts) -> str:
    outcome = facts.get("outcome")
    return because(facts) or (_after_colon(str(StageState(outcome).label)) if outcome in StageState.values else "")


def _stale(facts: Facts) -> str:
    told = _STALE.get(str(facts.get("outcome")))
    return _after_colon(str(told)) if told else because(facts)


def _which(facts: Facts) -> str:
    """Which request: what it was to do, or its address."""
    what = facts.get("what")
    said = facts.get("path") if what in (None, "request") else str(what).replace("_", " ")
    return f" ({said})" if said else ""


def _tested(facts: Facts) -> str:
    return because(facts) or _after_colon(gettext("it works"))


def _signed_in(facts: Facts) -> str:
    return gettext("could not sign in to") if facts.get("outcome") in _REASONS else gettext("signed in to")


def _found(facts: Facts) -> str:
    """What a read-back showed."""
    state = facts.get("state")
    label = str(OperationState(state).label) if state in OperationState.values else ""
    return because(facts) or _after_colon(label)


def _reading(facts: Facts) -> str:
    """Such as "was read: complete", "was read: incomplete: The list did not end", "could not be read"."""
    state, why = facts.get("outcome"), _after_colon(_reason(facts.get("reason"), facts))
    if state == ReadingState.FAILED:
        return gettext("could not be read") + ("" if facts.get("reason") == Reason.READING_FAILED else why)
    label = str(ReadingState(state).label) if state in ReadingState.values else str(state or "")
    return gettext("was read") + _after_colon(label) + why


def _cancelled(facts: Facts) -> str:
    words = {"change": facts.get("change_id") or "…"}
    if facts.get("outcome") == "thrown_away":
        return gettext("threw away the preview of change %(change)s") % words
    if facts.get("outcome") == "withdrawn":
        return gettext("withdrew change %(change)s before anybody approved it") % words
    return gettext("cancelled what was left of change %(change)s") % words


def _counts(facts: Facts) -> str:
    """Such as ": 12 done, 1 said no"."""
    counts = facts.get("counts")
    states: Facts = counts if isinstance(counts, Mapping) else {}
    found = [f"{states[state.value]} {state.label}" for state in OperationState if states.get(state.value)]
    return f": {', '.join(found)}" if found else ""


def _guarded(facts: Facts) -> str:
    """Whose guards: of one system, or those of the panel."""
    return str(facts.get("system") or gettext("all systems that have none of their own"))


def _attempt(facts: Facts) -> str:
    attempt = facts.get("attempt")
    return gettext(" (attempt %(number)s)") % {"number": attempt} if isinstance(attempt, int) and attempt > 1 else ""


def _refused(facts: Facts) -> str:
    """Nobody was asked for the rest of what is half done when its system is retired."""
    if facts.get("outcome") == Reason.SYSTEM_RETIRED:
        return gettext("was left half done")
    return gettext("was refused by %(system)s") % {"system": facts.get("system") or gettext("the system")}


def _stopped(facts: Facts) -> str:
    if facts.get("outcome") == ConnectionState.MAINTENANCE:
        return gettext("put into maintenance")
    return gettext("stopped")


def _drifts(facts: Facts) -> str:
    """Such as ": 3 differences, until 2026-12-01"."""
    ids, until = facts.get("drifts"), facts.get("until")
    count = len(ids) if isinstance(ids, list) else 0
    said = ": " + ngettext("%(n)s difference", "%(n)s differences", count) % {"n": count} if count else ""
    return said + (gettext(", until %(day)s") % {"day": audit_fields.value(until)} if until else "")


def _decision(facts: Facts) -> str:
    decision = str(facts.get("decision") or facts.get("outcome") or "…")
    return str(_DECISIONS.get(decision, decision))


def decided(facts: Facts) -> str:
    """A colon and what somebody decided about a step."""
    return _after_colon(_decision(facts))


def _target(facts: Facts) -> str:
    system = facts.get("system") or gettext("the system")
    if facts.get("group_id") or facts.get("group_name"):
        group = facts.get("group_name") or gettext("a group")
        return gettext("the group %(group)s of %(system)s") % {"group": group, "system": system}
    if facts.get("account_id"):
        person = facts.get("person") or gettext("an account")
        return gettext("the places of %(person)s in %(system)s") % {"person": person, "system": system}
    return str(system)


def edited(facts: Facts, words: Facts) -> str:
    """What was done to a user of the panel."""
    if facts.get("active") is False:
        return gettext("shut out the panel user %(user_name)s") % words
    if facts.get("active") is True:
        return gettext("let the panel user %(user_name)s in again") % words
    if "role" in facts:
        named = {**words, "role": _role(facts)}
        return gettext("gave the panel user %(user_name)s the role %(role)s") % named
    return gettext("changed the panel user %(user_name)s") % words


def _role(facts: Facts) -> str:
    """Such as "Operator, 2 systems only"."""
    role = facts.get("role")
    label = str(Role(role).label) if role in Role.values else gettext("no role")
    reach = facts.get("connections")
    if not isinstance(reach, list):
        return label
    return f"{label}, " + ngettext("%(n)s system only", "%(n)s systems only", len(reach)) % {"n": len(reach)}


def _given_role(facts: Facts) -> str:
    return gettext(" with the role %(role)s") % {"role": _role(facts)} if "role" in facts else ""


def _as_whom(facts: Facts) -> str:
    if facts.get("user_name"):
        return gettext("as %(name)s") % {"name": facts["user_name"]}
    if facts.get("user") is not None:
        return gettext("as panel user no. %(id)s") % {"id": facts["user"]}
    return gettext("under an unknown name")


def _from(facts: Facts) -> str:
    return gettext(" from %(address)s") % {"address": facts["address"]} if facts.get("address") else ""


def _locked(facts: Facts) -> str:
    return gettext("; more attempts are locked out for a while") if facts.get("outcome") == "locked_out" else ""


def _fields(facts: Facts) -> str:
    names = facts.get("fields")
    return f": {', '.join(audit_fields.name(str(name)) for name in names)}" if isinstance(names, list) and names else ""


def _verdict(facts: Facts) -> str:
    faults = facts.get("faults")
    if not isinstance(faults, int) or faults == 0:
        return gettext("nothing wrong")
    return ngettext("%(n)s fault", "%(n)s faults", faults) % {"n": faults}


def _accounts(facts: Facts) -> str:
    accounts = facts.get("accounts")
    count = len(accounts) if isinstance(accounts, list) else int(facts.get("account_id") is not None)
    return ngettext("%(n)s account", "%(n)s accounts", count) % {"n": count} if count else gettext("accounts")


def _pair(facts: Facts) -> str:
    labels = facts.get("accounts")
    if isinstance(labels, list) and len(labels) == 2 and all(isinstance(label, str) for label in labels):
        return gettext("%(one)s and %(other)s") % {"one": labels[0], "other": labels[1]}
    return gettext("the owners of two accounts")


def _exported(facts: Facts) -> str:
    """Such as "985 rows of “Audit log” as CSV with proof"."""
    what = str(facts.get("what") or "…")
    model = LISTS.get(what)
    title = capfirst(model._meta.verbose_name_plural) if model else what.replace("_", " ")
    rows = number(facts, "rows", lambda n: ngettext("%(n)s row", "%(n)s rows", n))
    format = gettext(" as %(format)s") % {"format": str(facts["format"]).upper()} if facts.get("format") else ""
    proof = gettext(" with proof") if facts.get("proof") else ""
    return gettext("%(rows)s of “%(list)s”") % {"rows": rows, "list": title} + format + proof


def _emptied(facts: Facts) -> str:
    if not isinstance(facts.get("parts"), int):
        return ""
    lost = number(facts, "parts", lambda n: ngettext("%(n)s entry lost its names", "%(n)s entries lost their names", n))
    return _after_colon(lost)


def _last_day(facts: Facts) -> str:
    return audit_fields.value(facts.get("last_day"))


def _made_at(facts: Facts) -> str:
    return audit_fields.value(facts.get("made_at"))


PHRASES: dict[str, Callable[[Facts], str]] = {
    "accounts": _accounts,
    "altered": _or_else(_("its row is not what was confirmed")),
    "as_whom": _as_whom,
    "attempt": _attempt,
    "because": because,
    "cancelled": _cancelled,
    "counts": _counts,
    "cut_off": lambda facts: number(facts, "count", lambda n: ngettext("%(n)s old entry", "%(n)s old entries", n)),
    "decision": _decision,
    "drifts": _drifts,
    "emptied": _emptied,
    "entries": lambda facts: number(facts, "entries", lambda n: ngettext("%(n)s entry", "%(n)s entries", n)),
    "exported": _exported,
    "fields": _fields,
    "fields_wanted": fields_wanted,
    "found": _found,
    "from": _from,
    "guarded": _guarded,
    "last_day": _last_day,
    "list_rows": lambda facts: number(facts, "rows", lambda n: ngettext("%(n)s row", "%(n)s rows", n)),
    "locked": _locked,
    "made_at": _made_at,
    "not_needed": _or_else(_("it is so already")),
    "overtaken": _or_else(_("things had changed meanwhile")),
    "pair": _pair,
    "proposals": lambda facts: number(facts, "ticked", lambda n: ngettext("%(n)s proposal", "%(n)s proposals", n)),
    "reading": _reading,
    "of_system": lambda facts: gettext(" of %(system)s") % facts if facts.get("system") else "",
    "paused": _paused,
    "refused": _refused,
    "renamed": renamed,
    "role": _given_role,
    "signed_in": _signed_in,
    "stage_outcome": _stage_outcome,
    "stale": _stale,
    "stopped": _stopped,
    "stopped_because": lambda facts: "" if facts.get("outcome") in _BY_OPERATOR else because(facts),
    "target": _target,
    "tested": _tested,
    "verdict": _verdict,
    "which": _which,
    "why": _why,
    "wish": wish,
}
"""`{name in a sentence: what it says of an entry}`."""
