"""What an answer of inwendo proves. Source of the headers: the vendor's own public clients."""

import dataclasses
from collections.abc import Mapping

from membership.errors import Reason
from membership.providers import strict_json, values
from membership.providers.base import Json, RemoteAnswer, RemoteCall
from membership.providers.errors import Misconfigured
from membership.providers.inwendo import bodies
from membership.providers.inwendo.fields import EDITABLE, NEWER_EDITABLE

ERROR_CODE = "x-iw-error-code"

# What an answer to an alteration must show as it was sent.
SHOWN = (*bodies.RIGHT_KEYS.values(), *(field.key for field in (*EDITABLE, *NEWER_EDITABLE)))


def by_error_code(answer: RemoteAnswer) -> RemoteAnswer:
    """The answer with the status that its error header says, if that is one of an error."""
    code = answer.headers.get(ERROR_CODE, "").strip()
    is_error = len(code) == 3 and code.isascii() and code.isdigit() and code[0] in "45"
    return dataclasses.replace(answer, status=int(code)) if is_error else answer


def with_header_message(answer: RemoteAnswer) -> RemoteAnswer:
    """The answer with the messages of its error header, if it has some, in place of the body's."""
    try:
        messages = strict_json.loads(answer.headers.get("x-iw-error-json", "").encode("latin-1", "replace"))
    except strict_json.NotStrictJson:
        return answer
    texts = [text for text in messages if isinstance(text, str) and text] if isinstance(messages, list) else []
    return dataclasses.replace(answer, body="; ".join(texts).encode()) if texts else answer


def is_proven(call: RemoteCall, given: Mapping[str, Json]) -> bool:
    """Whether the row in the answer shows what the call was to do."""
    if call.method == "DELETE":
        return _is_removed(call, given)
    return _is_altered(call, given) if call.method == "PUT" else _is_added(call, given)


def _is_removed(call: RemoteCall, given: Mapping[str, Json]) -> bool:
    """The answer is the row itself, now marked deleted."""
    return values.flag(given, "deleted") is True and str(given.get("id", call.path[-1])) == call.path[-1]


def _is_added(call: RemoteCall, given: Mapping[str, Json]) -> bool:
    """The answer is a living row in the wanted room."""
    return values.number(given, "id") is not None and _lives_in_room(call, given)


def _is_altered(call: RemoteCall, given: Mapping[str, Json]) -> bool:
    """The answer is the row itself, living, and says of each right and field what was sent."""
    sent = call.body["data"]
    style = bodies.Style(is_camel=not isinstance(sent["chatroom"], dict))
    return (
        str(given.get("id")) == call.path[-1]
        and _lives_in_room(call, given)
        and all(_is_same(given.get(key), sent[style.key(key)]) for key in SHOWN if style.key(key) in sent)
    )


def _is_same(shown: Json, sent: Json) -> bool:
    return type(shown) is type(sent) and bool(shown == sent)


def _lives_in_room(call: RemoteCall, given: Mapping[str, Json]) -> bool:
    room = values.inner(given, "chatroom").get("id")
    return values.flag(given, "deleted") is not True and str(room) == bodies.room_of(call.body["data"]).remote_id


def session_id(given: Mapping[str, Json]) -> str:
    """The session of a log-in that can be used. Raises `Misconfigured` when it cannot."""
    if values.flag(given, "missing2fa") is True:
        raise Misconfigured(Reason.SECOND_FACTOR_NEEDED)
    session = values.text(given, "sessionid")
    if values.flag(given, "valid") is False or not session:
        raise Misconfigured(Reason.SIGN_IN_REFUSED)
    return session
