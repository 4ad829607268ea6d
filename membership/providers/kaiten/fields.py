"""Options and secrets of a Kaiten connection."""

from membership.providers.base import OptionField
from membership.providers.options import header_value

OPTIONS: tuple[OptionField, ...] = (
    OptionField(
        "api_path",
        "Version of the API",
        kind="choice",
        help="The vendor's pages use the latest one, which can change. Take v1 if calls fail one day.",
        default="api/latest",
        choices=("api/latest", "api/v1"),
        choice_labels=("The latest (api/latest)", "The numbered one (api/v1)"),
    ),
)

SECRETS: tuple[OptionField, ...] = (
    OptionField(
        "token",
        "API token",
        help=(
            "Made in Kaiten in the profile of the user as whom this panel acts, under API keys. The user needs access"
            " to the section Members, and to the section Audit log if it is to show who changed groups outside."
        ),
        example="2fbb1d7c-1f8a-4f0e-9a57-0d1f3c0f9a11",
        required=True,
        check=header_value,
    ),
)

KEPT = frozenset(
    {"id", "uid", "user_id", "group_id", "name", "full_name", "username", "role", "permissions", "archived", "virtual",
     "activated", "created", "updated", "code", "status"}
)  # fmt: skip
"""Fields of its answers that the audit log keeps."""
