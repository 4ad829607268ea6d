"""Stored operations back to the wishes that they came from: to look at them again, or to plan them anew."""

from collections.abc import Iterable, Mapping
from typing import Any, TypedDict

from membership.models import Account
from membership.plans.wishes import SECRET_MARK, Add, CreateGroup, DeleteGroup, Remove, RenameGroup, Update, Wish
from membership.vocab import Verb

COLUMNS = ("verb", "connection_id", "group_id", "participant_id", "account_id", "wanted")


class Row(TypedDict, total=False):
    """One operation's columns, as `values(*COLUMNS)` gives them; `secrets` where its values are needed."""

    verb: str
    connection_id: int
    group_id: int | None
    participant_id: int | None
    account_id: int | None
    wanted: Mapping[str, Any]
    position: int
    secrets: Mapping[str, str]


def wishes_of(rows: Iterable[Row], *, is_move: bool = False) -> list[Wish]:
    """The wishes of these operations. `is_move`: an addition and removals of the same account belong together."""
    return [_wish(row, row["account_id"] if is_move else None) for row in rows]


def _wish(row: Row, together: int | None) -> Wish:
    wanted, group_id = row["wanted"], row["group_id"] or 0
    match Verb(row["verb"]):
        case Verb.ADD:
            rights = {name: value for name, value in wanted.items() if name != "is_present"}
            return Add(row["account_id"] or 0, group_id, rights, together)
        case Verb.UPDATE:
            return Update(row["participant_id"] or 0, wanted, _secrets(row))
        case Verb.REMOVE:
            return Remove(row["participant_id"] or 0, together)
        case Verb.CREATE_GROUP:
            return CreateGroup(row["connection_id"], wanted["name"], _members(row))
        case Verb.RENAME_GROUP:
            return RenameGroup(group_id, wanted["name"])
        case Verb.DELETE_GROUP:
            return DeleteGroup(group_id)


def _secrets(row: Row) -> dict[str, str]:
    """The values, where the row brings them. Without that column they are not asked about."""
    marked = [name for name, value in row["wanted"].items() if value == SECRET_MARK]
    if "secrets" not in row:
        return dict.fromkeys(marked, "")
    return {name: row["secrets"][name] for name in marked if name in row["secrets"]}


def _members(row: Row) -> list[int]:
    found = Account.objects.filter(connection_id=row["connection_id"], remote_id__in=row["wanted"]["members"])
    return list(found.order_by("label", "pk").values_list("pk", flat=True))
