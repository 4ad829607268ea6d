"""Mudbase's JSON as value types. The same id is called userId, user, _id or id, or stands bare: settled here alone."""

from membership.errors import Reason
from membership.providers import values
from membership.providers.base import Json, RemoteAccount, RemoteGroup, RemoteParticipant
from membership.providers.errors import Incomplete

ADMIN, MEMBER = "admin", "member"
ID_KEYS = ("userId", "user", "_id", "id")
OFF = ("suspended", "deactivated", "disabled")  # `accountStatus`; the list of values is open

ACCOUNT_ATTRIBUTES = ("avatar", "emailVerified", "role", "customRole", "accountStatus", "isAnonymous", "createdAt")


def chat(value: Json) -> RemoteGroup:
    given = values.row(value)
    return RemoteGroup(
        remote_id=values.remote_id(given.get("_id")),
        name=values.text(given, "name"),
        kind=values.text(given, "type", values.KIND_CHARS),
    )


def chat_page(value: Json) -> tuple[list[RemoteGroup], int | None]:
    """(chats, total) of one page of the caller's chats."""
    data = values.inner(values.row(value), "data")
    chats = data.get("chats")
    if values.flag(value, "success") is False or not isinstance(chats, list):
        raise Incomplete(Reason.ANSWER_UNREADABLE)
    return [chat(each) for each in chats], values.number(data, "total")


def user_id(value: Json) -> str | None:
    """The user that a participant is, in whatever shape it comes."""
    if isinstance(value, str):
        return value or None
    if isinstance(value, dict):
        return next((found for key in ID_KEYS if (found := user_id(value.get(key)))), None)
    return None


def participant(value: Json) -> RemoteParticipant:
    """Who is in a chat. Participants carry no name: the label is the account's."""
    remote_id = values.remote_id(user_id(value))
    given = value if isinstance(value, dict) else {}
    role = values.text(given, "role", values.TYPE_CHARS)
    return RemoteParticipant(
        remote_id=remote_id,
        account_id=remote_id,
        label="",
        is_manager=role == ADMIN,
        attributes=values.kept(given, ("role", "addedAt")),
    )


def account(value: Json) -> RemoteAccount:
    given = values.row(value)
    remote_id = values.remote_id(user_id(value))
    email = values.text(given, "email")
    name = f"{values.text(given, 'firstName')} {values.text(given, 'lastName')}".strip()[: values.LABEL_CHARS]
    is_off = values.flag(given, "isActive") is False or values.text(given, "accountStatus").casefold() in OFF
    return RemoteAccount(
        remote_id=remote_id,
        label=name or email or remote_id,
        email=email or None,
        active=not is_off,
        attributes=values.kept(given, ACCOUNT_ATTRIBUTES),
    )
