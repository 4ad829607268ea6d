"""Options and secrets of a Mudbase connection."""

from membership.providers.base import OptionField
from membership.providers.options import path_segment, plain_text

OPTIONS: tuple[OptionField, ...] = (
    OptionField(
        "project_id",
        "Project id",
        help="The project whose chats are managed. It stands in the address of the project's page in the console.",
        example="proj_CE5hbCg5EPjP",
        required=True,
        check=path_segment,
    ),
    OptionField(
        "org_id",
        "Organisation id",
        help=(
            "The organisation of the project: names and e-mails come from its list of users. It stands in the address"
            " of the organisation's page in the console."
        ),
        example="org_5Qm2",
        required=True,
        check=path_segment,
    ),
    OptionField(
        "email",
        "E-mail to sign in",
        help=(
            "Of a user of this project who is in every chat that is managed here, as its admin: other chats cannot be"
            " seen. Owner or admin of the project, so that names and e-mails can be read."
        ),
        example="panel@example.org",
        required=True,
        check=plain_text,
    ),
)

SECRETS: tuple[OptionField, ...] = (
    OptionField(
        "password",
        "Password",
        help="Of the user with the e-mail above. Tokens are fetched with it and renewed by themselves.",
        required=True,
        check=plain_text,
    ),
)

KEPT = frozenset(
    {"success", "data", "code", "status", "statusCode", "_id", "id", "userId", "role", "name", "type", "participants",
     "chat", "createdAt", "updatedAt", "joinedAt", "retryAfter"}
)  # fmt: skip
"""Fields of its answers that the audit log keeps."""
