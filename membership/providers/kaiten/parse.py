"""Kaiten's JSON as value types. Its groups are beta: unknown and missing keys are normal."""

from collections.abc import Mapping

from membership.providers import values
from membership.providers.base import Json, OutsideEvent, RemoteAccount, RemoteGroup, RemoteParticipant

DEACTIVATED = 3  # `role` of a company user

GROUP_ATTRIBUTES = ("add_to_cards_and_spaces_enabled", "created", "updated")
ACCOUNT_ATTRIBUTES = (
    "username",
    "uid",
    "initials",
    "avatar_initials_url",
    "avatar_uploaded_url",
    "avatar_type",
    "lng",
    "timezone",
    "theme",
    "ui_version",
    "activated",
    "email_blocked_reason",
    "created",
    "updated",
    "role",
)
# The rest of a user is the same in every group: it stands at the account.
PARTICIPANT_ATTRIBUTES = ("username", "email", "virtual", "activated")


def group(value: Json, *, archived: bool = False) -> RemoteGroup:
    """`archived` comes from the filter that found the group: no field tells."""
    given = values.row(value)
    return RemoteGroup(
        remote_id=values.remote_id(given.get("uid")),
        name=values.text(given, "name"),
        remote_number=values.number(given, "id"),
        archived=archived,
        managed_elsewhere=is_synchronised(given),
        grants=values.number(given, "permissions") or 0,
        attributes=values.kept(given, GROUP_ATTRIBUTES),
    )


def is_synchronised(given: Mapping[str, Json]) -> bool:
    """Whether a directory owns the group. The flag's name is not documented: anything that begins with "sync"."""
    return any(key.startswith("sync") and found for key, found in given.items())


def group_id(value: Json) -> str:
    return values.remote_id(values.row(value).get("uid"))


def user_id(value: Json) -> str:
    return values.remote_id(values.row(value).get("id"))


def participant(value: Json, *, is_member: bool, is_manager: bool) -> RemoteParticipant:
    given = values.row(value)
    remote_id = values.remote_id(given.get("id"))
    return RemoteParticipant(
        remote_id=remote_id,
        account_id=remote_id,
        label=values.text(given, "full_name") or values.text(given, "username"),
        is_member=is_member,
        is_manager=is_manager,
        attributes=values.kept(given, PARTICIPANT_ATTRIBUTES),
    )


def account(value: Json) -> RemoteAccount:
    given = values.row(value)
    remote_id = values.remote_id(given.get("id"))
    is_off = values.number(given, "role") == DEACTIVATED or values.flag(given, "temporarily_inactive") is True
    return RemoteAccount(
        remote_id=remote_id,
        label=values.text(given, "full_name") or values.text(given, "username") or remote_id,
        email=values.text(given, "email") or None,
        active=not is_off,
        virtual=values.flag(given, "virtual") is True,
        email_blocked_at=values.instant(given, "email_blocked"),
        delete_requested_at=values.instant(given, "delete_requested_at"),
        attributes=values.kept(given, ACCOUNT_ATTRIBUTES),
    )


def event_id(value: Json) -> str:
    return values.remote_id(values.row(value).get("id"))


def event(value: Json) -> OutsideEvent | None:
    """One line of the audit log; None for one without a time.

    Who did it is written down with the line, so that it outlives the user. What `details` hold is not documented:
    the usual names of a group's uid and a user's number are looked for.
    """
    given = values.row(value)
    at = values.instant(given, "created")
    if at is None:
        return None
    author, details = values.inner(given, "author"), values.inner(given, "details")
    group, user = values.inner(details, "group"), values.inner(details, "user")
    return OutsideEvent(
        event_id=event_id(value),
        at=at,
        action=values.text(given, "action", values.TYPE_CHARS),
        actor=values.text(author, "full_name") or values.text(given, "author_username"),
        actor_id=_id(given.get("author_id"), author.get("id")),
        group_id=_id(details.get("group_uid"), group.get("uid"), details.get("uid")),
        account_id=_id(details.get("user_id"), user.get("id")),
    )


def _id(*candidates: Json) -> str | None:
    """The first that is an id."""
    for candidate in candidates:
        if isinstance(candidate, str | int) and not isinstance(candidate, bool):
            found = str(candidate)
            if 0 < len(found) <= values.ID_CHARS:
                return found
    return None
