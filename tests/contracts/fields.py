"""Where each field of the reference pages' answers goes: `{field: place}`.

A place is an attribute of the value type, `attributes[…]`, `secrets[…]`, or, in words, why the field has none.
"""

INWENDO_ROW = {
    "id": "remote_id",
    "participant_type": "participant_type",
    "chatroom": "not kept: it is the group that the row belongs to",
    "first_name": "attributes[first_name]",
    "last_name": "attributes[last_name]",
    "nickname": "attributes[nickname]",
    "preferred_color_hex": "attributes[preferred_color_hex]",
    "avatar_token": "secrets[avatar_token]",
    "last_read_at": "last_read_at",
    "room_admin": "is_manager",
    "can_write": "can_write",
    "is_muted": "is_muted",
    "auto_created": "auto_created",
    "auto_reply": "attributes[auto_reply]",
    "ai_auto_close_secret_word": "secrets[ai_auto_close_secret_word]",
    "ai_prompt": "secrets[ai_prompt]",
    "ai_number_of_context_messages": "attributes[ai_number_of_context_messages]",
    "created": "attributes[created]",
    "updated": "attributes[updated]",
    "deleted": "not kept: a deleted row is no participant",
    "name": "attributes[name]",
    "image_url": "attributes[image_url]",
}
INWENDO_ROOM = {
    "id": "remote_id",
    "created": "attributes[created]",
    "updated": "attributes[updated]",
    "deleted": "archived",
    "name": "name",
    "image_url": "attributes[image_url]",
}
KAITEN_USER = {
    "id": "remote_id",
    "full_name": "label",
    "email": "email",
    "username": "attributes[username]",
    "avatar_initials_url": "attributes[avatar_initials_url]",
    "avatar_uploaded_url": "attributes[avatar_uploaded_url]",
    "initials": "attributes[initials]",
    "avatar_type": "attributes[avatar_type]",
    "lng": "attributes[lng]",
    "timezone": "attributes[timezone]",
    "theme": "attributes[theme]",
    "updated": "attributes[updated]",
    "created": "attributes[created]",
    "activated": "attributes[activated]",
    "ui_version": "attributes[ui_version]",
    "virtual": "virtual",
    "email_blocked": "email_blocked_at",
    "email_blocked_reason": "attributes[email_blocked_reason]",
    "delete_requested_at": "delete_requested_at",
}
MUDBASE_REMOVAL = {"message": "not kept: the sentence that confirms a removal"}
