"""One search over everything: a page for everybody, and the same as a fragment below the box that "/" leads to."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from membership.admin.requests import Request
from membership.models import Account, Change, Group, Person, has_right
from membership.services.search import Found, FoundKind, Kind, find
from membership.templatetags import cells
from membership.vocab import Right

LEADS_TO: Mapping[Kind, Any] = {
    Kind.PERSON: Person,
    Kind.ACCOUNT: Account,
    Kind.GROUP: Group,
    Kind.CHANGE: Change,
    Kind.TICKET: Change,
}
IN_BOX, ON_PAGE = 5, 20


class Line(NamedTuple):
    label: str
    detail: str
    address: str


class Lines(NamedTuple):
    label: str
    lines: list[Line]
    more: str
    """Address of the list with all of them; empty where there are no more."""


@require_safe
def search(request: Request) -> HttpResponse:
    if not has_right(request.user, Right.SEE):
        raise PermissionDenied
    text = request.GET.get("q", "").strip()
    in_box = request.headers.get("HX-Request") == "true"
    kinds = find(text, user=request.user, limit=IN_BOX if in_box else ON_PAGE)
    found = [_lines(kind, text) for kind in kinds]
    context = {"found": found, "text": text, "count": sum(len(kind.lines) for kind in found)}
    if in_box:
        return TemplateResponse(request, "membership/search/_found.html", context)
    frame = {**admin.site.each_context(request), "title": _("Search everything")}
    return TemplateResponse(request, "membership/search/page.html", {**frame, **context})


def _lines(kind: FoundKind, text: str) -> Lines:
    more = cells.listing(LEADS_TO[kind.kind], q=text) if kind.more else ""
    return Lines(kind.label, [Line(line.label, line.detail, _address(line)) for line in kind.lines], more)


def _address(line: Found) -> str:
    """A row's page; of a ticket, all changes that name it."""
    if line.kind == Kind.TICKET:
        return cells.listing(Change, q=line.label)
    return cells.page(LEADS_TO[line.kind](pk=line.pk))
