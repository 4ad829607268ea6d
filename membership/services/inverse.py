"""Steps turned round: what puts somebody back as before, from what was stored when the plan was made."""

from collections.abc import Collection, Mapping
from typing import Any

from membership.errors import Reason
from membership.plans.wishes import RIGHTS, Add, Barred, Refusal, Wish, unusual


def rights_in(before: Mapping[str, Any]) -> dict[str, bool]:
    """The rights that a stored state tells."""
    return {name: before[name] for name in RIGHTS if before.get(name) is not None}


def fields_in(before: Mapping[str, Any], texts: Collection[str] = ()) -> dict[str, Any]:
    """Fields as they were, where that is known: of a secret it is not, and one of `texts` that was none is empty."""
    fields: Mapping[str, Any] = before.get("fields", {})
    told = {name: "" if value is None and name in texts else value for name, value in fields.items()}
    return {name: value for name, value in told.items() if isinstance(value, str | int | bool)}


def joins_again(
    account_id: int | None, group_id: int, label: str, before: Mapping[str, Any], together: int | None = None
) -> Wish:
    """Somebody who left joins again, with the rights of before; somebody of whom the account is not known is named."""
    if account_id is None:
        return Barred(label, group_id, Refusal(Reason.ACCOUNT_NOT_KNOWN), together)
    return Add(account_id, group_id, unusual(rights_in(before)), together)
