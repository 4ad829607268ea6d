"""What the vendors' reference pages say about writes, as data: what `test_wire.py` holds every request against.

The first five pages are those that the product was specified by; the others are their siblings. JSON types are those of
the pages: string, integer, boolean, object, null. `body` None: the page shows no body.
"""

from dataclasses import dataclass, field

STRING, INTEGER, BOOLEAN, NULL, ARRAY = "string", "integer", "boolean", "null", "array"

Shape = dict[str, object]


@dataclass(frozen=True)
class Page:
    """`path`: template with {names}. `path_types`: of its parameters. `query`: names that may be sent.

    `headers`: {name: value}, None for a value of our own. `required`: keys of the body that must be sent. `success`:
    the status that is documented for it.
    """

    method: str
    path: str
    path_types: dict[str, str]
    query: tuple[str, ...] = ()
    headers: dict[str, str | None] = field(default_factory=dict)
    body: Shape | None = None
    required: tuple[str, ...] = ()
    answer: Shape = field(default_factory=dict)
    success: int = 200
    errors: tuple[int, ...] = ()


ROOM_IN_ROW = {
    "id": INTEGER,
    "created": STRING,
    "updated": STRING,
    "deleted": BOOLEAN,
    "name": STRING,
    "image_url": STRING,
}
OLDER_ROW = {
    "id": INTEGER,
    "participant_type": STRING,
    "chatroom": ROOM_IN_ROW,
    "first_name": STRING,
    "last_name": STRING,
    "last_read_at": STRING,
    "room_admin": BOOLEAN,
    "can_write": BOOLEAN,
    "is_muted": BOOLEAN,
    "auto_created": BOOLEAN,
    "auto_reply": BOOLEAN,
    "ai_auto_close_secret_word": STRING,
    "ai_prompt": STRING,
    "ai_number_of_context_messages": INTEGER,
    "created": STRING,
    "updated": STRING,
    "deleted": BOOLEAN,
    "name": STRING,
    "image_url": STRING,
}
ROW = {**OLDER_ROW, "nickname": STRING, "preferred_color_hex": STRING, "avatar_token": STRING}

CLIENT_IDS = ("iw-build-id", "iw-package-id")
JSON = "application/json"

KAITEN_USER = {
    "id": INTEGER,
    "full_name": STRING,
    "email": STRING,
    "username": STRING,
    "avatar_initials_url": STRING,
    "avatar_uploaded_url": (NULL, STRING),
    "initials": STRING,
    "avatar_type": INTEGER,
    "lng": STRING,
    "timezone": STRING,
    "theme": STRING,
    "updated": STRING,
    "created": STRING,
    "activated": BOOLEAN,
    "ui_version": INTEGER,
    "virtual": BOOLEAN,
    "email_blocked": (NULL, STRING),
    "email_blocked_reason": (NULL, STRING),
    "delete_requested_at": (NULL, STRING),
}
KAITEN_GROUP = {
    "id": INTEGER,
    "uid": STRING,
    "name": STRING,
    "permissions": INTEGER,
    "add_to_cards_and_spaces_enabled": BOOLEAN,
    "created": STRING,
    "updated": STRING,
}
KAITEN_GROUP_BODY = {"name": STRING, "permissions": INTEGER, "add_to_cards_and_spaces_enabled": BOOLEAN}
# The bearer token is documented on the page about authentication, both headers in each page's example.
KAITEN_HEADERS = {"Accept": JSON, "Content-Type": JSON, "Authorization": None}
KAITEN_TYPES = {"group_uid": STRING, "user_id": INTEGER}

PAGES = {
    "inwendo: delete a participant": Page(
        method="DELETE",
        path="/api/chat/chatroom_participant/{identifier}",
        path_types={"identifier": STRING},
        query=CLIENT_IDS,
        headers={"x-session-token": None},
        answer=ROW,
    ),
    "inwendo: update a participant": Page(
        method="PUT",
        path="/api/chat/chatroom_participant/{identifier}",
        path_types={"identifier": STRING},
        query=CLIENT_IDS,
        headers={"x-session-token": None, "Content-Type": JSON},
        body={"data": OLDER_ROW},
        answer=OLDER_ROW,
    ),
    "inwendo: create a participant": Page(
        method="POST",
        path="/api/chat/chatroom_participant",
        path_types={},
        query=CLIENT_IDS,
        headers={"x-session-token": None, "Content-Type": JSON},
        body={"data": ROW},
        required=("data",),
        answer=ROW,
    ),
    "mudbase: remove a participant": Page(
        method="DELETE",
        path="/api/chat/projects/{projectId}/chats/{chatId}/participants",
        path_types={"projectId": STRING, "chatId": STRING},
        headers={"Authorization": None, "Content-Type": JSON},
        body={"userId": STRING},
        required=("userId",),
        answer={"message": STRING},
        errors=(400, 401),
    ),
    "kaiten: remove a user from a group": Page(
        method="DELETE",
        path="/api/latest/groups/{group_uid}/users/{user_id}",
        path_types=KAITEN_TYPES,
        headers=KAITEN_HEADERS,
        answer=KAITEN_USER,
        errors=(401, 402, 403, 404),
    ),
    # siblings
    "mudbase: add a participant": Page(
        method="POST",
        path="/api/chat/projects/{projectId}/chats/{chatId}/participants",
        path_types={"projectId": STRING, "chatId": STRING},
        headers={"Authorization": None, "Content-Type": JSON},
        body={"userId": STRING, "role": STRING},
        required=("userId",),
        answer={"success": BOOLEAN, "data": {}},
        errors=(400, 401),
    ),
    "kaiten: add a user to a group": Page(
        method="POST",
        path="/api/latest/groups/{group_uid}/users",
        path_types={"group_uid": STRING},
        headers=KAITEN_HEADERS,
        body={"user_id": INTEGER, "request_id": STRING, "operator_comment": (NULL, STRING)},
        required=("user_id",),
        answer=KAITEN_USER,
        errors=(400, 401, 402, 403, 404),
    ),
    "kaiten: add an admin to a group": Page(
        method="POST",
        path="/api/latest/groups/{group_uid}/admins",
        path_types={"group_uid": STRING},
        headers=KAITEN_HEADERS,
        body={"user_id": INTEGER},
        required=("user_id",),
        answer=KAITEN_USER,
        errors=(400, 401, 402, 403, 404),
    ),
    "mudbase: create a chat": Page(
        method="POST",
        path="/api/chat/projects/{projectId}/chats",
        path_types={"projectId": STRING},
        headers={"Authorization": None, "Content-Type": JSON},
        body={"name": STRING, "type": STRING, "participants": ARRAY, "description": STRING, "settings": {}},
        required=("name", "type", "participants"),
        answer={"success": BOOLEAN, "data": {}},
        success=201,
        errors=(400, 401),
    ),
    "kaiten: create a group": Page(
        method="POST",
        path="/api/latest/company/groups",
        path_types={},
        headers=KAITEN_HEADERS,
        body=KAITEN_GROUP_BODY,
        required=("name",),
        answer=KAITEN_GROUP,
        errors=(400, 401, 402, 403, 404),
    ),
    "kaiten: update a group": Page(
        method="PATCH",
        path="/api/latest/company/groups/{uid}",
        path_types={"uid": STRING},
        headers=KAITEN_HEADERS,
        body=KAITEN_GROUP_BODY,
        answer=KAITEN_GROUP,
        errors=(400, 401, 402, 403, 404),
    ),
    "kaiten: delete a group": Page(
        method="DELETE",
        path="/api/latest/company/groups/{uid}",
        path_types={"uid": STRING},
        headers=KAITEN_HEADERS,
        answer=KAITEN_GROUP,
        errors=(401, 403, 404),
    ),
    "kaiten: remove an admin from a group": Page(
        method="DELETE",
        path="/api/latest/groups/{group_uid}/admins/{user_id}",
        path_types=KAITEN_TYPES,
        headers=KAITEN_HEADERS,
        answer=KAITEN_USER,
        errors=(401, 402, 403, 404),
    ),
}

# The pages that the product was specified by.
REFERENCE = (
    "inwendo: delete a participant",
    "inwendo: update a participant",
    "inwendo: create a participant",
    "mudbase: remove a participant",
    "kaiten: remove a user from a group",
)

# Where a request leaves the page on purpose: {(page, where, type): reason}. Each one must occur.
EXCEPTIONS = {
    ("inwendo: create a participant", "data.person", INTEGER): (
        "The page's body is the answer's shape repeated and nowhere says whose row is made; `person` is a filter of the"
        " list, so the relation exists, and the vendor's own tests write relations of sibling resources as bare ids."
    ),
    ("inwendo: create a participant", "data.chatroom", INTEGER): (
        "Option body_style=camel: the vendor's own tests write relations of sibling resources as bare ids."
    ),
    ("inwendo: create a participant", "data.participantType", STRING): (
        "Option body_style=camel: the vendor's own tests write keys of sibling resources in camelCase."
    ),
    ("inwendo: delete a participant", "header x-iw-jwt-token", STRING): (
        "Option auth=api_key: the vendor's own integrations send their key in this header instead of a session."
    ),
}

# The same alteration with option body_style=camel, as the vendor's own tests write keys and relations of siblings.
UPDATED_IN_CAMEL = {
    "chatroom": INTEGER,
    "participantType": STRING,
    "firstName": STRING,
    "lastName": STRING,
    "lastReadAt": STRING,
    "roomAdmin": BOOLEAN,
    "canWrite": BOOLEAN,
    "isMuted": BOOLEAN,
    "autoCreated": BOOLEAN,
    "autoReply": BOOLEAN,
    "aiAutoCloseSecretWord": STRING,
    "aiPrompt": STRING,
    "aiNumberOfContextMessages": INTEGER,
    "imageUrl": STRING,
    "preferredColorHex": STRING,
}
EXCEPTIONS |= {
    ("inwendo: update a participant", f"data.{key}", kind): (
        "Option body_style=camel: the vendor's own tests write sibling resources in camelCase, relations as bare ids."
    )
    for key, kind in UPDATED_IN_CAMEL.items()
}
EXCEPTIONS |= {
    ("inwendo: update a participant", f"data.{key}", STRING): (
        "Option put_body=newer: the page is the older of two versions; its siblings' newer ones show this key."
    )
    for key in ("nickname", "preferred_color_hex")
}

# Headers that carry HTTP itself; no page speaks of them.
TRANSPORT_HEADERS = frozenset({"host", "user-agent", "accept", "accept-encoding", "connection", "content-length"})
