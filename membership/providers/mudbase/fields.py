"""Options and secrets of a Mudbase connection."""

from membership.providers.base import OptionField
from membership.providers.options import path_segment, plain_text

OPTIONS: tuple[OptionField, ...] = (
    OptionField(
        "project_id",
        "Project id",
        help="The project whose chats are managed.",
        required=True,
        check=path_segment,
    ),
    OptionField(
        "org_id",
        "Organisation id",
        help="The organisation of the project: names and e-mails come from its list of users.",
        required=True,
        check=path_segment,
    ),
    OptionField(
        "email",
        "E-mail to sign in",
        help="Of a user of the project who is in every chat that is managed here, as its admin.",
        required=True,
        check=plain_text,
    ),
)

SECRETS: tuple[OptionField, ...] = (OptionField("password", "Password", required=True, check=plain_text),)
