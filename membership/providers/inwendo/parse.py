"""inwendo's JSON as value types.

Two versions of the vendor's pages exist, and neither says what may be null: every field but the id may be missing.
"""

import re
from collections.abc import Mapping

from membership.providers import values
from membership.providers.base import Json, RemoteAccount, RemoteGroup, RemoteParticipant

# Secret by their nature: whoever knows them can join, be served pictures, or steer the assistant.
ROOM_SECRETS = ("token", "notification_token")
PARTICIPANT_SECRETS = ("avatar_token", "ai_prompt", "ai_auto_close_secret_word")

EMAIL = re.compile(r"[^@\s/<>]+@[^@\s/<>]+\.[^@\s/<>]+")

ROOM_ATTRIBUTES = ("image_url", "created", "updated")
PARTICIPANT_ATTRIBUTES = (
    "first_name",
    "last_name",
    "name",
    "nickname",
    "preferred_color_hex",
    "image_url",
    "auto_reply",
    "ai_number_of_context_messages",
    "created",
    "updated",
)


def room(value: Json) -> RemoteGroup:
    given = values.row(value)
    return RemoteGroup(
        remote_id=values.remote_id(given.get("id")),
        name=values.text(given, "name"),
        remote_number=values.number(given, "id"),
        archived=values.flag(given, "deleted") is True,
        attributes=values.kept(given, ROOM_ATTRIBUTES),
        secrets=values.secrets_of(given, ROOM_SECRETS),
    )


def is_deleted(value: Json) -> bool:
    return values.flag(values.row(value), "deleted") is True


def row_id(value: Json) -> str:
    return values.remote_id(values.row(value).get("id"))


def participant(value: Json, *, account_id: str | None = None) -> RemoteParticipant:
    """A row says nothing about whose it is: `account_id` is known only to who asked for one person's rows."""
    given = values.row(value)
    return RemoteParticipant(
        remote_id=values.remote_id(given.get("id")),
        account_id=account_id,
        label=full_name(given) or values.text(given, "name") or values.text(given, "nickname"),
        is_manager=values.flag(given, "room_admin") is True,
        can_write=values.flag(given, "can_write"),
        is_muted=values.flag(given, "is_muted"),
        participant_type=values.text(given, "participant_type", values.TYPE_CHARS),
        last_read_at=values.instant(given, "last_read_at"),
        auto_created=values.flag(given, "auto_created"),
        attributes=values.kept(given, PARTICIPANT_ATTRIBUTES),
        secrets=values.secrets_of(given, PARTICIPANT_SECRETS),
    )


def person(value: Json, emails: Mapping[str, str]) -> RemoteAccount:
    """A person of the CRM. Of everything that is kept about people there, only this little is taken."""
    given = values.row(value)
    remote_id = values.remote_id(given.get("id"))
    return RemoteAccount(
        remote_id=remote_id,
        label=full_name(given) or values.text(given, "name") or remote_id,
        email=emails.get(remote_id) or contact_email(given),
        active=values.flag(given, "archived") is not True,
        attributes=values.kept(given, ("number_string",)),
    )


def user_email(value: Json) -> tuple[str, str] | None:
    """(person id, e-mail) of a user that is tied to a person and has one."""
    given = values.row(value)
    email = values.text(given, "email")
    tied_to = values.inner(given, "crm_person").get("id")
    return (values.remote_id(tied_to), email) if email and tied_to is not None else None


def user_person(value: Json, username: str) -> str | None:
    """The person behind the user with this log-in name, if the row is that user."""
    given = values.row(value)
    tied_to = values.inner(given, "crm_person").get("id")
    if values.text(given, "username").casefold() != username.casefold() or tied_to is None:
        return None
    return values.remote_id(tied_to)


def full_name(given: Mapping[str, Json]) -> str:
    return f"{values.text(given, 'first_name')} {values.text(given, 'last_name')}".strip()[: values.LABEL_CHARS]


def contact_email(given: Mapping[str, Json]) -> str | None:
    """The first contact entry that is an e-mail address, those of a type named so before others."""
    entries = given.get("crm_person_contact_data")
    found = [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
    found.sort(key=lambda entry: "mail" not in values.text(values.inner(entry, "contact_data_type"), "name").casefold())
    for entry in found:
        for key in ("value", "generated_value"):
            candidate = values.text(entry, key, 254)
            if looks_like_email(candidate):
                return candidate
    return None


def looks_like_email(candidate: str) -> bool:
    return EMAIL.fullmatch(candidate) is not None
