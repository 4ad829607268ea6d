"""Where each field of the five reference pages is kept and shown: `{field: Place}`. Completeness: `test_fields.py`."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Place:
    """`kept`: an attribute of the value type and column of the same name, `attributes[…]`, `secrets[…]`, or in words
    where else it is. `page`: of the panel. `shown`: the words that stand there for it.
    """

    kept: str
    page: str
    shown: str


def attribute(name, page):
    return Place(f"attributes[{name}]", page, name)


def secret(name, page):
    return Place(f"secrets[{name}]", page, name)


INWENDO_ROW = {
    "id": Place("remote_id", "participant", "Id there"),
    "participant_type": Place("participant_type", "participant", "Type"),
    "chatroom": Place("not in the row: it is the group that the row belongs to", "participant", "Group"),
    "first_name": attribute("first_name", "participant"),
    "last_name": attribute("last_name", "participant"),
    "nickname": attribute("nickname", "participant"),
    "preferred_color_hex": attribute("preferred_color_hex", "participant"),
    "avatar_token": secret("avatar_token", "participant"),
    "last_read_at": Place("last_read_at", "participant", "Last read"),
    "room_admin": Place("is_manager", "participant", "Role"),
    "can_write": Place("can_write", "participant", "Can write"),
    "is_muted": Place("is_muted", "participant", "Muted"),
    "auto_created": Place("auto_created", "participant", "Made automatically"),
    "auto_reply": attribute("auto_reply", "participant"),
    "ai_auto_close_secret_word": secret("ai_auto_close_secret_word", "participant"),
    "ai_prompt": secret("ai_prompt", "participant"),
    "ai_number_of_context_messages": attribute("ai_number_of_context_messages", "participant"),
    "created": attribute("created", "participant"),
    "updated": attribute("updated", "participant"),
    "deleted": Place("not in the row: a deleted row is no participant any more", "participant", "still there"),
    "name": attribute("name", "participant"),
    "image_url": attribute("image_url", "participant"),
}
INWENDO_ROOM = {
    "id": Place("remote_id", "group", "Id there"),
    "created": attribute("created", "group"),
    "updated": attribute("updated", "group"),
    "deleted": Place("archived", "group", "Archived"),
    "name": Place("name", "group", ""),
    "image_url": attribute("image_url", "group"),
}
KAITEN_USER = {
    "id": Place("remote_id", "account", "Id there"),
    "full_name": Place("label", "account", ""),
    "email": Place("email", "account", "E-mail"),
    "username": attribute("username", "account"),
    "avatar_initials_url": attribute("avatar_initials_url", "account"),
    "avatar_uploaded_url": attribute("avatar_uploaded_url", "account"),
    "initials": attribute("initials", "account"),
    "avatar_type": attribute("avatar_type", "account"),
    "lng": attribute("lng", "account"),
    "timezone": attribute("timezone", "account"),
    "theme": attribute("theme", "account"),
    "updated": attribute("updated", "account"),
    "created": attribute("created", "account"),
    "activated": attribute("activated", "account"),
    "ui_version": attribute("ui_version", "account"),
    "virtual": Place("virtual", "account", "Virtual"),
    "email_blocked": Place("email_blocked_at", "account", "E-mail blocked since"),
    "email_blocked_reason": attribute("email_blocked_reason", "account"),
    "delete_requested_at": Place("delete_requested_at", "account", "Deletion asked for"),
}
MUDBASE_REMOVAL = {"message": Place("in the audit entry: the answer's own words", "audit entry", "message")}

# What the five pages are asked with.
ASKED = {
    ("inwendo", "identifier"): Place("remote_id", "participant", "Id there"),
    ("inwendo", "iw-build-id"): Place("options[build_id]", "system", "Build id"),
    ("inwendo", "iw-package-id"): Place("options[package_id]", "system", "Package id"),
    ("mudbase", "projectId"): Place("options[project_id]", "system", "Project id"),
    ("mudbase", "chatId"): Place("remote_id", "group", "Id there"),
    ("mudbase", "userId"): Place("remote_id", "participant", "Id there"),
    ("kaiten", "group_uid"): Place("remote_id", "group", "Id there"),
    ("kaiten", "user_id"): Place("remote_id", "participant", "Id there"),
}
