"""How steps stand, their calls, and what is left out, in words. What a step does is said in `step_sentences`.

Labels come out inert, but not escaped: templates do that.
"""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode

from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from membership.errors import Reason
from membership.models import LeftOut, Operation
from membership.sentences import sentence
from membership.services.inert import inert
from membership.services.step_sentences import step_markup, step_text, today_there
from membership.vocab import ConnectionState, OperationState, PresenceCause, Verb

__all__ = [
    "Outcome",
    "call_lines",
    "day",
    "duration",
    "left_out_sentence",
    "not_needed_word",
    "outcome",
    "seconds",
    "step_markup",
    "step_text",
    "today_there",
]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a step stands: a word for its tag, the tag's tone, and what there is to say beyond the word."""

    word: str
    tone: str  # good, bad, warning, info, plain
    text: str = ""


_TONES: dict[str, str] = {
    OperationState.PLANNED: "info",
    OperationState.QUEUED: "info",
    OperationState.RUNNING: "info",
    OperationState.IN_DOUBT: "warning",
    OperationState.FOREIGN: "warning",
    OperationState.CONFIRMED: "good",
    OperationState.NOT_NEEDED: "plain",
    OperationState.OVERTAKEN: "warning",
    OperationState.REFUSED: "bad",
    OperationState.CANCELLED: "plain",
}


def outcome(operation: Operation, now: datetime) -> Outcome:
    """How a step stands, in words. Its connection should be loaded."""
    state = OperationState(operation.state)
    text = _TEXTS[state](operation, now) if state in _TEXTS else _reason(operation)
    return Outcome(word=_word(operation, state), tone=_TONES[state], text=inert(text))


def _word(operation: Operation, state: OperationState) -> str:
    if state == OperationState.REFUSED and operation.outcome == Reason.SYSTEM_RETIRED:
        return _("half done")
    if state == OperationState.REFUSED:
        return _("%(system)s said no") % {"system": operation.connection.provider_label}
    if state == OperationState.NOT_NEEDED:
        return not_needed_word(operation.verb)
    return str(state.label)


def not_needed_word(verb: str) -> str:
    """How it is said that nothing had to be sent."""
    if verb in (Verb.REMOVE, Verb.DELETE_GROUP):
        return _("already gone")
    return _("already there") if verb == Verb.ADD else str(OperationState.NOT_NEEDED.label)


def _reason(operation: Operation) -> str:
    return sentence(operation.outcome, operation.outcome_params) if operation.outcome else ""


def _waiting(operation: Operation, now: datetime) -> str:
    if operation.connection.state == ConnectionState.PAUSED:
        return _("%(system)s is stopped: this waits until it goes on.") % {"system": operation.connection.name}
    if operation.connection.state == ConnectionState.MAINTENANCE:
        return _("%(system)s is in maintenance: this waits for its end.") % {"system": operation.connection.name}
    if operation.not_before and operation.not_before > now:
        return _joined(_reason(operation), _("Tried again in %(wait)s.") % {"wait": seconds(operation.not_before, now)})
    return _reason(operation)


def _in_doubt(operation: Operation, now: datetime) -> str:
    what = _reason(operation) or sentence(Reason.ANSWER_LOST)
    if operation.not_before and operation.not_before > now:
        again = _("The group is read again in %(wait)s.") % {"wait": seconds(operation.not_before, now)}
    else:
        again = _("The group is read again now.")
    return _joined(what, again, _("It is not sent twice."))


def _foreign(_operation: Operation, _now: datetime) -> str:
    return _joined(sentence(Reason.CHANGED_BY_SOMEONE_ELSE), _("It waits for your decision."))


def _confirmed(operation: Operation, _now: datetime) -> str:
    if operation.outcome:
        return _reason(operation)
    confirmed = _("%(system)s confirmed") % {"system": operation.connection.provider_label}
    calls = len(operation.calls)
    if calls < 2:
        return confirmed
    return _("%(confirmed)s all %(count)d calls") % {"confirmed": confirmed, "count": calls}


def _refused(operation: Operation, _now: datetime) -> str:
    said = operation.outcome_params.get("said")
    text = f"“{said}”" if said and operation.outcome == Reason.REMOTE_SAID_NO else _reason(operation)
    done, calls = operation.calls_done, len(operation.calls)
    if not 0 < done < calls:
        return text
    half = ngettext("Half done: %(done)d of %(calls)d call.", "Half done: %(done)d of %(calls)d calls.", calls)
    is_retired = operation.connection.state == ConnectionState.RETIRED
    over_there = _("It can only be put back over there.") if is_retired else ""
    return _joined(half % {"done": done, "calls": calls}, text, over_there)


_TEXTS = {
    OperationState.QUEUED: _waiting,
    OperationState.IN_DOUBT: _in_doubt,
    OperationState.FOREIGN: _foreign,
    OperationState.CONFIRMED: _confirmed,
    OperationState.REFUSED: _refused,
}


def _joined(*sentences: str) -> str:
    return " ".join(each for each in sentences if each)


def seconds(until: datetime, now: datetime) -> str:
    """How long until then, never less than a second: "21 s", "3 min"."""
    return duration(max(1.0, (until - now).total_seconds()))


def duration(length_s: float) -> str:
    """A length of time as people say it: "7 s", "4 min", "2.5 h"."""
    if length_s < 100:
        return _("%(count)d s") % {"count": max(1, round(length_s))}
    if length_s < 100 * 60:
        return _("%(count)d min") % {"count": round(length_s / 60)}
    return _("%(count).1f h") % {"count": length_s / 3600}


def call_lines(operation: Operation) -> list[str]:
    """The calls as they go out, one a line: method, path, query, body. Credentials are no part of a plan."""
    return [inert(_call_line(call)) for call in operation.calls]


def _call_line(call: dict[str, Any]) -> str:
    line = f"{call['method']} /{'/'.join(quote(segment, safe='') for segment in call['path'])}"
    if call.get("query"):
        pairs = [(name, value) for name, value in call["query"]]
        line += f"?{urlencode(pairs, quote_via=quote, safe='')}"
    return f"{line} {json.dumps(call['body'], ensure_ascii=False)}" if call.get("body") is not None else line


# what is left out

_CANNOT: dict[str, Any] = {
    Verb.ADD: gettext_lazy("add anybody"),
    Verb.REMOVE: gettext_lazy("remove anybody"),
    Verb.CREATE_GROUP: gettext_lazy("create groups"),
    Verb.RENAME_GROUP: gettext_lazy("rename groups"),
    Verb.DELETE_GROUP: gettext_lazy("delete groups"),
    "members_on_create": gettext_lazy("give a new group members at once: add them when it is there"),
    "is_manager": gettext_lazy("make anybody a manager, or the other way round"),
    "can_write": gettext_lazy("allow or forbid anybody to write"),
    "is_muted": gettext_lazy("mute anybody"),
}


def left_out_sentence(left_out: LeftOut) -> str:
    """Why a wish is not part of a plan, in words."""
    params = {**left_out.reason_params}
    if left_out.reason == Reason.NOT_OFFERED and params.get("what") in _CANNOT:
        return inert(_("%(system)s cannot %(what)s.") % {**params, "what": _CANNOT[params["what"]]})
    if left_out.reason == Reason.ALREADY_GONE and params.get("at"):
        return inert(_gone(params))
    if "at" in params:
        params["at"] = day(params["at"])
    return inert(sentence(left_out.reason, params))


def _gone(params: dict[str, Any]) -> str:
    if params.get("how") == PresenceCause.OPERATION:
        return _("Already gone: left on %(day)s, by a change made here.") % {"day": day(params["at"])}
    return _("Already gone: left on %(day)s, changed outside.") % {"day": day(params["at"])}


def day(at: str) -> str:
    """The day of a stored time, as pages show it."""
    moment = parse_datetime(at)
    return date_format(timezone.localtime(moment), "j M Y") if moment and timezone.is_aware(moment) else at
