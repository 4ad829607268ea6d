"""Whether a wish is one that the remote offers: whoever plans has asked before, so a refusal here is a second wall."""

import unicodedata

from membership.errors import Reason
from membership.providers.errors import Refused
from membership.providers.types import Capabilities, Wanted

RIGHTS = ("is_manager", "can_write", "is_muted")
NOT_IN_A_LINE = frozenset({"Cc", "Cs", "Zl", "Zp"})


def wished_rights(wanted: Wanted) -> dict[str, bool]:
    """`{right: value}` of those that are wished at all."""
    found = {right: getattr(wanted, right) for right in RIGHTS}
    return {right: value for right, value in found.items() if value is not None}


def require_for_update(capabilities: Capabilities, wanted: Wanted) -> None:
    """Raises `Refused` for a right or a field that `update` cannot set, or a value that does not fit the field."""
    _require_rights(capabilities.rights, wanted)
    fields = {field.key: field for field in capabilities.fields}
    for key, value in wanted.fields.items():
        field = fields.get(key)
        if field is None:
            raise Refused(Reason.NOT_OFFERED, key=key)
        if not field.is_secret and not field.fits(value):
            raise Refused(Reason.BAD_VALUE, key=key)


def require_for_addition(capabilities: Capabilities, wanted: Wanted) -> None:
    """Raises `Refused` for a right that `add` cannot give at once. Fields are not given with an addition."""
    # To add somebody as no manager is what every remote does.
    _require_rights(capabilities.rights_on_add | (frozenset() if wanted.is_manager else {"is_manager"}), wanted)
    for key in wanted.fields:
        raise Refused(Reason.NOT_OFFERED, key=key)


def _require_rights(offered: frozenset[str], wanted: Wanted) -> None:
    for right in wished_rights(wanted):
        if right not in offered:
            raise Refused(Reason.NOT_OFFERED, key=right)


def group_name(capabilities: Capabilities, name: str) -> str:
    """The name. Raises `Refused` when it is empty, too long, more than one line, or has blanks at its ends."""
    is_line = not any(unicodedata.category(character) in NOT_IN_A_LINE for character in name)
    if not 1 <= len(name) <= capabilities.group_name_max or name != name.strip() or not is_line:
        raise Refused(Reason.BAD_VALUE, key="name")
    return name
