"""Options and secrets of a Kaiten connection."""

from membership.providers.base import OptionField
from membership.providers.options import header_value

OPTIONS: tuple[OptionField, ...] = (
    OptionField(
        "api_path",
        "Version of the API",
        help="The vendor's pages use api/latest, which can change; api/v1 is the only numbered version.",
        default="api/latest",
        choices=("api/latest", "api/v1"),
    ),
)

SECRETS: tuple[OptionField, ...] = (
    OptionField(
        "token",
        "API token",
        help="From the profile of the user as whom this panel acts; needs access to the section Members.",
        required=True,
        check=header_value,
    ),
)
