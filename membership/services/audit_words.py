"""What an audit entry says, as one sentence. Tolerant: a sentence stays readable when the personal part was erased."""

from collections.abc import Callable, Mapping
from typing import Any

from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from membership import sentences
from membership.errors import Reason
from membership.vocab import AuditAction, ChangeKind, ConnectionState, OperationState, ReadingState, Role, Verb

Facts = Mapping[str, Any]
"""The sealed data and the personal part of one entry in one mapping, with `actor`, `system`, `outcome` and ids."""


class _Words(dict[str, Any]):
    def __missing__(self, key: str) -> str:
        return "…"


SENTENCES: dict[AuditAction, Any] = {
    AuditAction.CHANGE_DRAFTED: _("%(actor)s previewed: %(wish)s"),
    AuditAction.CHANGE_REQUESTED: _("%(actor)s asked to %(wish)s%(why)s"),
    AuditAction.CHANGE_APPROVED: _("%(actor)s approved change %(change_id)s: %(wish)s%(why)s"),
    AuditAction.CHANGE_REJECTED: _("%(actor)s rejected change %(change_id)s: %(wish)s%(why)s"),
    AuditAction.CHANGE_OVERRIDDEN: _("%(actor)s overrode the guards for change %(change_id)s%(why)s"),
    AuditAction.CHANGE_CANCELLED: _("%(actor)s %(cancelled)s change %(change_id)s"),
    AuditAction.CHANGE_FINISHED: _("Change %(change_id)s is finished%(counts)s"),
    AuditAction.CHANGE_PAUSED: _("%(actor)s paused change %(change_id)s%(because)s"),
    AuditAction.CHANGE_RESUMED: _("%(actor)s let change %(change_id)s go on"),
    AuditAction.CHANGE_STARTED_NOW: _("%(actor)s let change %(change_id)s begin before its time"),
    AuditAction.CHANGE_STAGE_FINISHED: _("Stage %(stage)s of change %(change_id)s was read back%(because)s"),
    AuditAction.CHANGE_STALE: _("The preview %(change_id)s became too old and can no longer be confirmed%(because)s"),
    AuditAction.OPERATION_INTENDED: _("%(deed)s is sent to %(system)s%(attempt)s"),
    AuditAction.OPERATION_RETURNED: _("%(deed)s was not sent and waits again%(because)s"),
    AuditAction.OPERATION_CONFIRMED: _("%(deed)s was confirmed by %(system)s"),
    AuditAction.OPERATION_REFUSED: _("%(deed)s %(refused)s%(because)s"),
    AuditAction.OPERATION_IN_DOUBT: _("Whether %(deed)s was done is not known, and is read back%(because)s"),
    AuditAction.OPERATION_ALTERED: _("%(deed)s was not sent: its row is not what was confirmed%(because)s"),
    AuditAction.OPERATION_RESOLVED: _("%(deed)s was read back from %(system)s%(found)s"),
    AuditAction.OPERATION_OVERTAKEN: _("%(deed)s was not sent: things had changed meanwhile%(because)s"),
    AuditAction.OPERATION_NOT_NEEDED: _("%(deed)s was not needed: it is so already%(because)s"),
    AuditAction.OPERATION_SUPERSEDED: _("%(deed)s was not sent%(because)s"),
    AuditAction.OPERATION_FOREIGN: _("%(deed)s: somebody else changed it meanwhile, and a decision is needed"),
    AuditAction.OPERATION_DECIDED: _("%(actor)s decided about %(deed)s: %(decision)s"),
    AuditAction.CONNECTION_CREATED: _("%(actor)s connected the system %(system)s"),
    AuditAction.CONNECTION_EDITED: _("%(actor)s edited the system %(system)s%(fields)s"),
    AuditAction.GUARDS_EDITED: _("%(actor)s edited the guards of %(guarded)s"),
    AuditAction.CONNECTION_TESTED: _("%(actor)s tested the system %(system)s%(because)s"),
    AuditAction.CONNECTION_PAUSED: _("%(system)s was %(stopped)s by %(actor)s%(why)s%(because)s"),
    AuditAction.CONNECTION_RESUMED: _("%(actor)s resumed %(system)s"),
    AuditAction.CONNECTION_RETIRED: _("%(actor)s retired %(system)s%(why)s"),
    AuditAction.CONNECTION_SIGNED_IN: _("%(actor)s signed in to %(system)s%(because)s"),
    AuditAction.READING_REQUESTED: _("%(actor)s asked to read %(target)s"),
    AuditAction.READING_FINISHED: _("%(target)s was read%(reading)s"),
    AuditAction.SECRETS_ROTATED: _("%(actor)s had all stored secrets encrypted anew"),
    AuditAction.PERSON_LINKED: _("%(actor)s linked accounts to the person %(person)s"),
    AuditAction.PERSON_UNLINKED: _("%(actor)s unlinked accounts from the person %(person)s"),
    AuditAction.PROPOSAL_REJECTED: _("%(actor)s said that %(person)s and somebody alike are different people"),
    AuditAction.PERSON_PROTECTED: _("%(actor)s protected the person %(person)s%(why)s"),
    AuditAction.PERSON_UNPROTECTED: _("%(actor)s lifted the protection of the person %(person)s%(why)s"),
    AuditAction.GROUP_PROTECTED: _("%(actor)s protected the group %(group)s%(why)s"),
    AuditAction.GROUP_UNPROTECTED: _("%(actor)s lifted the protection of the group %(group)s%(why)s"),
    AuditAction.GROUP_TRACKED: _("%(actor)s had the group %(group)s of %(system)s tracked"),
    AuditAction.ENDING_SET: _("%(actor)s said that %(person)s is in %(group)s until %(last_day)s"),
    AuditAction.ENDING_LIFTED: _("%(actor)s took away the end date of %(person)s in %(group)s"),
    AuditAction.ENDING_CLOSED: _("The end date of %(person)s in %(group)s is over%(because)s"),
    AuditAction.DRIFT_ADOPTED: _("%(actor)s adopted what was changed outside in %(system)s%(drifts)s"),
    AuditAction.DRIFT_IGNORED: _("%(actor)s set aside what was changed outside in %(system)s%(drifts)s"),
    AuditAction.DRIFT_REVERTED: _("%(actor)s previewed a revert of what was changed outside in %(system)s%(drifts)s"),
    AuditAction.BUNDLE_SAVED: _("%(actor)s saved the bundle %(bundle)s"),
    AuditAction.BUNDLE_DELETED: _("%(actor)s deleted the bundle %(bundle)s"),
    AuditAction.ROSTER_UPLOADED: _("%(actor)s uploaded a list for %(group)s of %(system)s"),
    AuditAction.ROSTER_MAPPED: _("%(actor)s chose the columns of a list for %(system)s"),
    AuditAction.ROSTER_MATCHED: _("A list of %(rows)s rows was held against %(group)s of %(system)s"),
    AuditAction.ROSTER_TICKED: _("%(actor)s confirmed %(ticked)s proposals of a list for %(group)s"),
    AuditAction.ROSTER_REFUSED: _("A list for %(group)s could not be used%(because)s"),
    AuditAction.ROSTER_EMPTIED: _("The contents of a list for %(group)s were deleted"),
    AuditAction.LEAVING_BEGUN: _("%(actor)s began to have %(person)s removed from everywhere"),
    AuditAction.LEAVING_DROPPED: _("Nothing was asked for, so %(person)s is not taken for a leaver"),
    AuditAction.LEAVING_CERTIFIED: _("It is certified that %(person)s is in no group any more"),
    AuditAction.USER_CREATED: _("%(actor)s created the panel user %(user_name)s%(role)s"),
    AuditAction.USER_EDITED: _("%(actor)s changed the rights of the panel user %(user_name)s%(role)s"),
    AuditAction.PASSWORD_SET: _("%(actor)s set the password of the panel user %(user_name)s"),
    AuditAction.LOGGED_IN: _("%(actor)s logged in%(from)s"),
    AuditAction.LOGGED_OUT: _("%(actor)s logged out%(from)s"),
    AuditAction.LOG_IN_FAILED: _("A log-in as %(user_name)s failed%(from)s%(locked)s"),
    AuditAction.LOG_INS_FAILED: _(
        "%(count)s more refused log-ins or forged requests came from one address in a minute"
    ),
    AuditAction.REQUEST_REFUSED: _("A request of %(actor)s was refused (%(what)s)%(because)s"),
    AuditAction.EXPORT_MADE: _("%(actor)s exported a list (%(what)s): %(rows)s rows"),
    AuditAction.COMMAND_RUN: _("%(actor)s ran the command %(what)s"),
    AuditAction.PERSON_REPORTED: _("%(actor)s got a report of everything that is stored about the person %(person)s"),
    AuditAction.ERASURE_ASKED: _("%(actor)s asked to erase the person %(person)s%(why)s"),
    AuditAction.ERASURE_REJECTED: _("%(actor)s rejected the erasure of the person %(person)s"),
    AuditAction.PERSON_ERASED: _("%(actor)s approved the erasure of a person: %(parts)s entries lost their names"),
    AuditAction.LOG_VERIFIED: _("%(actor)s verified the audit log: %(entries)s entries, %(verdict)s"),
    AuditAction.VERIFICATION_REQUESTED: _("%(actor)s asked to verify the audit log"),
    AuditAction.LOG_CUT: _("%(actor)s cut %(count)s old entries off the audit log into an archive"),
    AuditAction.DATABASE_RESTORED: _("%(actor)s put the database back from a backup made %(made_at)s"),
}

_DEEDS = {
    Verb.CREATE_GROUP: _("the creation of the group %(person)s"),
    Verb.RENAME_GROUP: _("the new name of the group %(person)s"),
    Verb.ADD: _("the addition of %(person)s to %(group)s"),
    Verb.UPDATE: _("the alteration of %(person)s in %(group)s"),
    Verb.REMOVE: _("the removal of %(person)s from %(group)s"),
    Verb.DELETE_GROUP: _("the deletion of the group %(person)s"),
}
_WISHES = {
    ChangeKind.REMOVAL: _("remove %(people)s from %(groups)s"),
    ChangeKind.ADDITION: _("add %(people)s to %(groups)s"),
    ChangeKind.ALTERATION: _("change the rights of %(people)s in %(groups)s"),
    ChangeKind.MOVE: _("move %(people)s between %(groups)s"),
    ChangeKind.COPY: _("copy %(people)s to %(groups)s"),
    ChangeKind.BUNDLE: _("give a bundle of %(groups)s to %(people)s"),
    ChangeKind.BUNDLE_WITHDRAWN: _("withdraw a bundle of %(groups)s from %(people)s"),
    ChangeKind.SAME_GROUPS: _("give %(people)s the same %(groups)s as somebody"),
    ChangeKind.MATRIX: _("change the places of %(people)s in %(groups)s"),
    ChangeKind.REVERT: _("undo what was changed outside for %(people)s in %(groups)s"),
    ChangeKind.BACK_TO_DAY: _("bring %(groups)s back to an earlier day (%(people)s)"),
    ChangeKind.WAY_BACK: _("put %(people)s back as before in %(groups)s"),
    ChangeKind.RETRY: _("try %(steps)s again"),
    ChangeKind.LEAVER: _("have %(people)s leave everything (%(groups)s)"),
    ChangeKind.ROSTER: _("bring %(people)s in %(groups)s in line with a list"),
    ChangeKind.TAKE_BACK: _("take a change back: %(people)s in %(groups)s"),
    ChangeKind.ENDING: _("remove %(people)s from %(groups)s at the end of their time"),
    ChangeKind.GROUP: _("change %(groups)s"),
}
_DECISIONS = {
    "accept": _("it stays as it was found"),
    "again": _("it is sent again"),
    "leave": _("it is left alone and not sent again"),
}
_COMMAND_LINE = frozenset(
    {
        AuditAction.COMMAND_RUN,
        AuditAction.CONNECTION_CREATED,
        AuditAction.CONNECTION_EDITED,
        AuditAction.DATABASE_RESTORED,
        AuditAction.EXPORT_MADE,
        AuditAction.LOG_CUT,
        AuditAction.LOG_VERIFIED,
        AuditAction.PASSWORD_SET,
        AuditAction.SECRETS_ROTATED,
        AuditAction.USER_CREATED,
        AuditAction.USER_EDITED,
    }
)
"""Without an actor these were done by somebody at the machine."""


def say(action: str, facts: Facts) -> str:
    """The sentence of an entry. An action that is not known is said as it is stored."""
    try:
        known = AuditAction(action)
    except ValueError:
        return action
    words = _Words({key: value for key, value in facts.items() if value not in (None, "")})
    words["actor"] = facts.get("actor") or _nobody(known, facts)
    words["system"] = facts.get("system") or gettext("the system")
    words["user_name"] = facts.get("user_name") or _unknown_user(facts)
    words["person"] = facts.get("person") or facts.get("name") or gettext("somebody")
    words["what"] = str(facts.get("what") or facts.get("command") or "…").replace("_", " ")
    words["bundle"] = facts.get("bundle") or facts.get("name") or "…"
    words["group"] = facts.get("group_name") or facts.get("name") or gettext("a group")
    for name, part in _PARTS.items():
        words[name] = part(facts)
    words["deed"] = _deed(facts, words)
    sentence = str(SENTENCES[known]) % words
    return sentence[:1].upper() + sentence[1:]


def at_machine(facts: Facts) -> str:
    """Who used the command line, by the operating system's name; empty where nobody did."""
    return gettext("%(somebody)s at the command line") % {"somebody": facts["os_user"]} if facts.get("os_user") else ""


def _nobody(action: AuditAction, facts: Facts) -> str:
    if facts.get("os_user"):
        return at_machine(facts)
    if action in _COMMAND_LINE:
        return gettext("somebody at the command line")
    return gettext("somebody who was not logged in") if action == AuditAction.REQUEST_REFUSED else "Musterbook"


def _unknown_user(facts: Facts) -> str:
    user = facts.get("user")
    return gettext("an unknown name") if user is None else gettext("no. %(id)s") % {"id": user}


def _deed(facts: Facts, words: Facts) -> str:
    try:
        template = _DEEDS[Verb(facts.get("verb") or Verb.REMOVE)]
    except ValueError:
        return gettext("a step")
    return str(template) % words


def _wish(facts: Facts) -> str:
    """What a change is about: "remove 3 people from 2 groups"."""
    people = _number(facts, "people", lambda n: ngettext("%(n)s person", "%(n)s people", n))
    groups = _number(facts, "groups", lambda n: ngettext("%(n)s group", "%(n)s groups", n))
    steps = _number(facts, "operations", lambda n: ngettext("%(n)s step", "%(n)s steps", n))
    kind = facts.get("kind")
    if kind == ChangeKind.REMOVAL_EVERYWHERE:
        if not facts.get("operations"):  # its places are still being read
            return gettext("remove %(person)s from everywhere") % {"person": facts.get("person") or gettext("somebody")}
        return gettext("remove %(people)s from everywhere (%(groups)s)") % {"people": people, "groups": groups}
    template = _WISHES.get(ChangeKind(kind)) if kind in set(ChangeKind) else None
    counted = {"people": people, "groups": groups, "steps": steps}
    return str(template or _("make a change of %(steps)s")) % counted


def _number(facts: Facts, name: str, noun: Callable[[int], str]) -> str:
    number = facts.get(name)
    return noun(number) % {"n": f"{number:,}"} if isinstance(number, int) else noun(2) % {"n": "…"}


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
    return sentences.sentence(str(code), params) if code in set(Reason) else ""


def _after_colon(said: str) -> str:
    return f": {said.rstrip('. ')}" if said.strip() else ""


def _found(facts: Facts) -> str:
    """What a read-back showed."""
    state = facts.get("state")
    label = str(OperationState(state).label) if state in OperationState.values else ""
    return because(facts) or _after_colon(label)


def _reading(facts: Facts) -> str:
    """Such as ": complete", or ": incomplete: The list did not end"."""
    state = facts.get("outcome")
    label = str(ReadingState(state).label) if state in ReadingState.values else str(state or "")
    return _after_colon(label) + _after_colon(_reason(facts.get("reason"), facts))


def _cancelled(facts: Facts) -> str:
    if facts.get("outcome") == "thrown_away":
        return gettext("threw away the preview of")
    if facts.get("outcome") == "withdrawn":
        return gettext("withdrew, before anybody approved it,")
    return gettext("cancelled what was left of")


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
    return said + (gettext(", until %(day)s") % {"day": until} if until else "")


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


def _role(facts: Facts) -> str:
    if facts.get("active") is False:
        return gettext(": shut out")
    if facts.get("active") is True:
        return gettext(": let in again")
    if "role" not in facts:
        return ""
    role = facts["role"]
    label = Role(role).label if role in Role.values else gettext("no role")
    reach = facts.get("connections")
    if not isinstance(reach, list):
        return f": {label}"
    return f": {label}, " + ngettext("%(n)s system only", "%(n)s systems only", len(reach)) % {"n": len(reach)}


def _from(facts: Facts) -> str:
    return gettext(" from %(address)s") % {"address": facts["address"]} if facts.get("address") else ""


def _locked(facts: Facts) -> str:
    return gettext("; more attempts are locked out for a while") if facts.get("outcome") == "locked_out" else ""


def _fields(facts: Facts) -> str:
    names = facts.get("fields")
    return f": {', '.join(map(str, names))}" if isinstance(names, list) and names else ""


def _verdict(facts: Facts) -> str:
    faults = facts.get("faults")
    if not isinstance(faults, int) or faults == 0:
        return gettext("nothing wrong")
    return ngettext("%(n)s fault", "%(n)s faults", faults) % {"n": faults}


_PARTS: dict[str, Callable[[Facts], str]] = {
    "attempt": _attempt,
    "because": because,
    "cancelled": _cancelled,
    "counts": _counts,
    "decision": _decision,
    "drifts": _drifts,
    "fields": _fields,
    "found": _found,
    "from": _from,
    "guarded": _guarded,
    "locked": _locked,
    "reading": _reading,
    "refused": _refused,
    "role": _role,
    "stopped": _stopped,
    "target": _target,
    "verdict": _verdict,
    "why": _why,
    "wish": _wish,
}
