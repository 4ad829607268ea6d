"""What was ticked on a list, carried to the next page in its address: ids, or the list's own query."""

from copy import copy
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import SuspiciousOperation
from django.db.models import Model, QuerySet
from django.http import QueryDict

from membership.admin.base import PanelAdmin
from membership.admin.requests import ROW_ID, Request
from membership.errors import ChangeRefused, NotAllowed, Reason

IDS, QUERY = "ids", "of"


@dataclass(frozen=True, slots=True)
class Selected:
    """Rows that a page is about. `selection` is what drafts store of it; `only` the row, where there is one alone."""

    rows: QuerySet
    selection: dict[str, Any]
    count: int
    only: Any


def address(page: str, selection: dict[str, Any]) -> str:
    """Address of `page`, about what was selected on a list."""
    if selection["kind"] == "query":
        return f"{page}?{urlencode({QUERY: selection['query']})}"
    return f"{page}?{urlencode({IDS: ','.join(str(pk) for pk in selection['ids'])}, safe=',')}"


def of_row(row: Model) -> str:
    """The part of an address that selects one row."""
    return f"?{IDS}={row.pk}"


def selected(page: PanelAdmin, request: Request) -> Selected:
    """What the address selects. Raises `NotAllowed` for ids that no page showed, `ChangeRefused` for nothing."""
    if IDS in request.GET:
        return _by_ids(page, request, request.GET[IDS].split(","))
    if QUERY in request.GET:
        return _by_query(page, request, request.GET[QUERY])
    raise ChangeRefused(Reason.NOTHING_SELECTED)


def _by_ids(page: PanelAdmin, request: Request, texts: list[str]) -> Selected:
    if not all(ROW_ID.fullmatch(text) for text in texts):
        raise NotAllowed(Reason.REQUEST_FORGED)
    ids = list(dict.fromkeys(int(text) for text in texts))
    rows = page.page_rows(request).filter(pk__in=ids)
    first = list(rows[:2])
    if (len(first) if len(ids) < 2 else rows.count()) < len(ids):
        raise NotAllowed(Reason.NOT_VISIBLE)
    return Selected(rows, {"kind": "ids", "ids": ids}, len(ids), first[0] if len(ids) == 1 else None)


def _by_query(page: PanelAdmin, request: Request, query: str) -> Selected:
    there = copy(request)
    there.GET = QueryDict(query)
    try:
        rows = page.get_changelist_instance(there).queryset
    except (IncorrectLookupParameters, SuspiciousOperation):
        raise NotAllowed(Reason.REQUEST_FORGED) from None
    count = rows.count()
    if not count:
        raise ChangeRefused(Reason.NOTHING_SELECTED)
    return Selected(rows, {"kind": "query", "query": query, "count": count}, count, rows[0] if count == 1 else None)
