"""What an audit entry says, as one sentence. Tolerant: a sentence stays readable when the personal part was erased."""

from collections.abc import Callable, Mapping
from typing import Any

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from membership.services.audit_phrases import PHRASES, edited
from membership.services.audit_wishes import Facts, deed
from membership.vocab import ERASED, AuditAction


class _Words(dict[str, Any]):
    """What sentences name. Phrases are made when a sentence asks for them: a page of the log has fifty."""

    def __init__(self, facts: Facts) -> None:
        super().__init__({key: value for key, value in facts.items() if value not in (None, "") and key not in _MADE})
        self._facts = facts

    def __missing__(self, key: str) -> str:
        if key in PHRASES:
            return PHRASES[key](self._facts)
        return _FROM_WORDS[key](self._facts, self) if key in _FROM_WORDS else "…"


_FROM_WORDS: Mapping[str, Callable[[Facts, Facts], str]] = {"deed": deed, "edited": edited}
_MADE = frozenset({*PHRASES, *_FROM_WORDS})


SENTENCES: dict[AuditAction, Any] = {
    AuditAction.CHANGE_DRAFTED: _("%(actor)s previewed change %(change_id)s: %(wish)s"),
    AuditAction.CHANGE_REQUESTED: _("%(actor)s asked to %(wish)s%(why)s"),
    AuditAction.CHANGE_APPROVED: _("%(actor)s approved change %(change_id)s: %(wish)s%(why)s"),
    AuditAction.CHANGE_REJECTED: _("%(actor)s rejected change %(change_id)s: %(wish)s%(why)s"),
    AuditAction.CHANGE_OVERRIDDEN: _("%(actor)s overrode the guards for change %(change_id)s%(why)s"),
    AuditAction.CHANGE_CANCELLED: _("%(actor)s %(cancelled)s"),
    AuditAction.CHANGE_FINISHED: _("Change %(change_id)s is finished%(counts)s"),
    AuditAction.CHANGE_PAUSED: _("%(actor)s paused change %(change_id)s%(paused)s"),
    AuditAction.CHANGE_RESUMED: _("%(actor)s let change %(change_id)s go on"),
    AuditAction.CHANGE_STARTED_NOW: _("%(actor)s let change %(change_id)s begin before its time"),
    AuditAction.CHANGE_STAGE_FINISHED: _("Stage %(stage)s of change %(change_id)s was read back%(stage_outcome)s"),
    AuditAction.CHANGE_STALE: _("The preview of change %(change_id)s can no longer be confirmed%(stale)s"),
    AuditAction.OPERATION_INTENDED: _("%(actor)s began to send %(deed)s to %(system)s%(attempt)s"),
    AuditAction.OPERATION_RETURNED: _("%(deed)s went back into the queue for %(system)s%(because)s"),
    AuditAction.OPERATION_CONFIRMED: _("%(deed)s was confirmed by %(system)s"),
    AuditAction.OPERATION_REFUSED: _("%(deed)s %(refused)s%(because)s"),
    AuditAction.OPERATION_IN_DOUBT: _(
        "It is not known whether %(system)s carried out %(deed)s, so it is read back%(because)s"
    ),
    AuditAction.OPERATION_ALTERED: _("%(deed)s was not sent to %(system)s%(altered)s"),
    AuditAction.OPERATION_RESOLVED: _("What became of %(deed)s was read back from %(system)s%(found)s"),
    AuditAction.OPERATION_OVERTAKEN: _("%(deed)s was not sent to %(system)s%(overtaken)s"),
    AuditAction.OPERATION_NOT_NEEDED: _("%(deed)s was not needed in %(system)s%(not_needed)s"),
    AuditAction.OPERATION_SUPERSEDED: _("%(deed)s was not sent to %(system)s%(because)s"),
    AuditAction.OPERATION_FOREIGN: _("%(deed)s waits for a decision: somebody else changed it in %(system)s meanwhile"),
    AuditAction.OPERATION_DECIDED: _("%(actor)s decided about %(deed)s in %(system)s: %(decision)s"),
    AuditAction.CONNECTION_CREATED: _("%(actor)s connected the system %(system)s"),
    AuditAction.CONNECTION_EDITED: _("%(actor)s edited the system %(system)s%(fields)s"),
    AuditAction.GUARDS_EDITED: _("%(actor)s edited the guards of %(guarded)s"),
    AuditAction.CONNECTION_TESTED: _("%(actor)s tested the system %(system)s%(tested)s"),
    AuditAction.CONNECTION_PAUSED: _("%(system)s was %(stopped)s by %(actor)s%(why)s%(stopped_because)s"),
    AuditAction.CONNECTION_RESUMED: _("%(actor)s resumed %(system)s"),
    AuditAction.CONNECTION_RETIRED: _("%(actor)s retired %(system)s%(why)s"),
    AuditAction.CONNECTION_SIGNED_IN: _("%(actor)s %(signed_in)s %(system)s%(because)s"),
    AuditAction.READING_REQUESTED: _("%(actor)s asked to read %(target)s"),
    AuditAction.READING_FINISHED: _("%(target)s %(reading)s"),
    AuditAction.SECRETS_ROTATED: _("%(actor)s had all stored secrets encrypted anew"),
    AuditAction.PERSON_LINKED: _("%(actor)s linked %(accounts)s to the person %(person)s"),
    AuditAction.PERSON_UNLINKED: _("%(actor)s unlinked %(accounts)s from the person %(person)s"),
    AuditAction.PROPOSAL_REJECTED: _("%(actor)s said that %(pair)s are different people"),
    AuditAction.PERSON_PROTECTED: _("%(actor)s protected the person %(person)s%(why)s"),
    AuditAction.PERSON_UNPROTECTED: _("%(actor)s lifted the protection of the person %(person)s%(why)s"),
    AuditAction.GROUP_PROTECTED: _("%(actor)s protected the group %(group)s%(of_system)s%(why)s"),
    AuditAction.GROUP_UNPROTECTED: _("%(actor)s lifted the protection of the group %(group)s%(of_system)s%(why)s"),
    AuditAction.GROUP_TRACKED: _("%(actor)s had the group %(group)s of %(system)s tracked"),
    AuditAction.ENDING_SET: _("%(actor)s set the end date of %(person)s in %(group)s%(of_system)s: %(last_day)s"),
    AuditAction.ENDING_LIFTED: _("%(actor)s took away the end date of %(person)s in %(group)s%(of_system)s"),
    AuditAction.ENDING_CLOSED: _("The end date of %(person)s in %(group)s%(of_system)s is over%(because)s"),
    AuditAction.DRIFT_ADOPTED: _("%(actor)s adopted what was changed outside in %(system)s%(drifts)s"),
    AuditAction.DRIFT_IGNORED: _("%(actor)s set aside what was changed outside in %(system)s%(drifts)s"),
    AuditAction.DRIFT_REVERTED: _("%(actor)s previewed a revert of what was changed outside in %(system)s%(drifts)s"),
    AuditAction.BUNDLE_SAVED: _("%(actor)s saved the bundle %(bundle)s"),
    AuditAction.BUNDLE_DELETED: _("%(actor)s deleted the bundle %(bundle)s"),
    AuditAction.ROSTER_UPLOADED: _("%(actor)s uploaded a list for %(group)s of %(system)s"),
    AuditAction.ROSTER_MAPPED: _("%(actor)s chose the columns of a list for %(system)s"),
    AuditAction.ROSTER_MATCHED: _("A list of %(list_rows)s was held against %(group)s of %(system)s"),
    AuditAction.ROSTER_TICKED: _("%(actor)s confirmed %(proposals)s of a list for %(group)s%(of_system)s"),
    AuditAction.ROSTER_REFUSED: _("A list for %(group)s%(of_system)s could not be used%(because)s"),
    AuditAction.ROSTER_EMPTIED: _("The contents of a list for %(group)s%(of_system)s were deleted"),
    AuditAction.LEAVING_BEGUN: _("%(actor)s began to have %(person)s removed from everywhere"),
    AuditAction.LEAVING_DROPPED: _("Nothing was asked for, so %(person)s is no longer taken for a leaver"),
    AuditAction.LEAVING_CERTIFIED: _("%(actor)s certified that %(person)s is in no group any more"),
    AuditAction.USER_CREATED: _("%(actor)s created the panel user %(user_name)s%(role)s"),
    AuditAction.USER_EDITED: _("%(actor)s %(edited)s"),
    AuditAction.PASSWORD_SET: _("%(actor)s set the password of the panel user %(user_name)s"),
    AuditAction.LOGGED_IN: _("%(actor)s logged in%(from)s"),
    AuditAction.LOGGED_OUT: _("%(actor)s logged out%(from)s"),
    AuditAction.LOG_IN_FAILED: _("A log-in %(as_whom)s%(from)s failed%(locked)s"),
    AuditAction.LOG_INS_FAILED: _(
        "%(count)s more refused log-ins or forged requests came from one address in a minute"
    ),
    AuditAction.REQUEST_REFUSED: _("A request of %(actor)s was refused%(which)s%(because)s"),
    AuditAction.EXPORT_MADE: _("%(actor)s exported %(exported)s"),
    AuditAction.COMMAND_RUN: _("%(actor)s ran the command %(what)s"),
    AuditAction.PERSON_REPORTED: _("%(actor)s got a report of everything that is stored about the person %(person)s"),
    AuditAction.ERASURE_ASKED: _("%(actor)s asked to erase the person %(person)s%(why)s"),
    AuditAction.ERASURE_REJECTED: _("%(actor)s rejected the erasure of the person %(person)s"),
    AuditAction.PERSON_ERASED: _("%(actor)s approved the erasure of a person%(emptied)s"),
    AuditAction.LOG_VERIFIED: _("%(actor)s verified the audit log: %(entries)s, %(verdict)s"),
    AuditAction.VERIFICATION_REQUESTED: _("%(actor)s asked to verify the audit log"),
    AuditAction.LOG_CUT: _("%(actor)s cut %(cut_off)s off the audit log into an archive"),
    AuditAction.DATABASE_RESTORED: _("%(actor)s put the database back from a backup made %(made_at)s"),
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
_OUTSIDE = frozenset({AuditAction.LOG_IN_FAILED, AuditAction.LOG_INS_FAILED, AuditAction.REQUEST_REFUSED})
"""Without an actor these were done by somebody who had not logged in."""


def say(action: str, facts: Facts) -> str:
    """The sentence of an entry. An action that is not known is said as it is stored."""
    try:
        known = AuditAction(action)
    except ValueError:
        return action
    words = _Words(facts)
    words["actor"] = facts.get("actor") or _nobody(known, facts)
    words["system"] = facts.get("system") or gettext("the system")
    words["user_name"] = facts.get("user_name") or _unknown_user(facts)
    words["person"] = (
        facts.get("person") or facts.get("name") or (ERASED if facts.get("erased") else gettext("somebody"))
    )
    words["what"] = str(facts.get("what") or facts.get("command") or "…").replace("_", " ")
    words["bundle"] = facts.get("bundle") or facts.get("name") or "…"
    words["group"] = facts.get("group_name") or facts.get("name") or gettext("a group")
    sentence = str(SENTENCES[known]) % words
    return sentence[:1].upper() + sentence[1:]


def who(action: str, facts: Facts) -> str:
    """Who did it, as a list says it; empty: Musterbook by itself."""
    if facts.get("actor"):
        return str(facts["actor"])
    if action in _OUTSIDE:
        return gettext("not logged in")
    return at_machine(facts) or (gettext("somebody at the command line") if action in _COMMAND_LINE else "")


def at_machine(facts: Facts) -> str:
    """Who used the command line, by the operating system's name; empty where nobody did."""
    return gettext("%(somebody)s at the command line") % {"somebody": facts["os_user"]} if facts.get("os_user") else ""


def _nobody(action: AuditAction, facts: Facts) -> str:
    if facts.get("os_user"):
        return at_machine(facts)
    if action in _COMMAND_LINE:
        return gettext("somebody at the command line")
    return gettext("somebody who was not logged in") if action in _OUTSIDE else "Musterbook"


def _unknown_user(facts: Facts) -> str:
    user = facts.get("user")
    return gettext("an unknown name") if user is None else gettext("no. %(id)s") % {"id": user}
