"""Small pieces that every judgement uses."""

from collections.abc import Mapping

from membership.errors import Reason
from membership.providers import strict_json
from membership.providers.base import CredentialStore, Json, Reader, RemoteAnswer
from membership.providers.errors import Misconfigured, OutcomeUnknown

JSON_BODY = (("Content-Type", "application/json"),)


def body_object(answer: RemoteAnswer) -> Mapping[str, Json]:
    """The body as a JSON object. Raises `OutcomeUnknown` when it is anything else: HTML, cut short, a bare list."""
    try:
        value = strict_json.loads(answer.body)
    except strict_json.NotStrictJson:
        value = None
    if not isinstance(value, dict):
        raise OutcomeUnknown(Reason.ANSWER_UNREADABLE, status=answer.status)
    return value


def whole(reader: Reader) -> Json:
    """The whole value of an answer that may hold thousands of rows: `Reader.json` is for small ones."""
    [value] = reader.items("")
    return value


def require(store: CredentialStore, key: str) -> str:
    """A secret that must be set. Raises `Misconfigured`."""
    secret = store.get(key)
    if not secret:
        raise Misconfigured(Reason.SECRET_MISSING, key=key)
    return secret
