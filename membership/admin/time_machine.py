"""Pages of the past: who was in a group on a day, where a person was, and what differs between two days."""

import datetime as dt
from functools import partial
from typing import TYPE_CHECKING, Any

from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import HttpResponse, HttpResponseBase, HttpResponseRedirect, StreamingHttpResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from membership.admin.exporting import FORMATS
from membership.admin.requests import Request, missing, refuse
from membership.errors import BadValue, ChangeRefused
from membership.models import Group, Person
from membership.services import exports, inert, time_machine
from membership.templatetags import cells

if TYPE_CHECKING:
    from membership.admin.base import PanelAdmin

ROWS = 50


def urls(page: "PanelAdmin", prefix: str) -> list[URLPattern]:
    """Two addresses below a row's own: the page, and its list as a file."""
    view = page.admin_site.admin_view
    return [
        path("<int:pk>/then/", view(partial(_view, page)), name=f"{prefix}_then"),
        path("<int:pk>/then/export/", view(require_POST(partial(_export, page))), name=f"{prefix}_then_export"),
    ]


def _view(page: "PanelAdmin", request: Request, pk: int) -> HttpResponse:
    row = _row(page, request, pk)
    day, fault = _day(request, "day", timezone.localdate() - dt.timedelta(days=1))
    other, other_fault = _day(request, "other", None)
    about = _of_person if isinstance(row, Person) else _of_group
    today = timezone.localdate()
    shown_day = day or today
    context = about(row, shown_day, other, request)
    name = inert.inert(str(row))
    title = _("Where %(name)s was") if isinstance(row, Person) else _("Who was in %(name)s")
    return page.render(
        request,
        "membership/then/page.html",
        row=row,
        is_person=isinstance(row, Person),
        fault=fault or other_fault,
        today=today,
        other=other,
        day_before=shown_day - dt.timedelta(days=1),
        day_after=shown_day + dt.timedelta(days=1) if shown_day < today else None,
        formats=FORMATS,
        may_act=page.has_act_permission(request),
        title=title % {"name": name},
        **context,
    )


def _row(page: "PanelAdmin", request: Request, pk: int) -> Any:
    if not page.has_view_permission(request):
        raise PermissionDenied
    row = page.page_rows(request).filter(pk=pk).first()
    if row is None:
        raise missing(request, page.model, pk)
    return row


def _day(request: Request, name: str, otherwise: dt.date | None) -> tuple[dt.date | None, str]:
    text = request.GET.get(name, "")
    if not text:
        return otherwise, ""
    try:
        return time_machine.day_of(text), ""
    except BadValue:
        said = _("“%(text)s” is not a day that can be shown. Write it as 2026-03-31.")
        return otherwise, said % {"text": inert.inert(text[:40])}


def _of_group(row: Group, day: dt.date, other: dt.date | None, request: Request) -> dict[str, Any]:
    then = time_machine.group_then(row, day)
    both_known = other is not None and then.is_known and time_machine.is_known(row, other)
    differs = time_machine.group_difference(row, day, other) if other is not None and both_known else None
    shown = _paged(then.there, request)
    return {"then": then, "shown": shown, "differs": differs, "is_known": then.is_known, "both_known": both_known}


def _of_person(row: Person, day: dt.date, other: dt.date | None, request: Request) -> dict[str, Any]:
    then = time_machine.person_then(row, day, request.user)
    differs = time_machine.person_difference(row, day, other, request.user) if other is not None else None
    return {"then": then, "shown": _paged(then.there, request), "differs": differs, "is_known": True}


def _paged(rows: Any, request: Request) -> Any:
    return Paginator(rows, ROWS).get_page(request.GET.get("p"))


def _export(page: "PanelAdmin", request: Request, pk: int) -> HttpResponseBase:
    row = _row(page, request, pk)
    try:
        day = time_machine.day_of(request.GET.get("day", ""))
        rows, columns = time_machine.as_list(row, day, request.user)
    except (BadValue, ChangeRefused) as error:
        refuse(request, error)
        return HttpResponseRedirect("../")
    name, content_type, content = exports.export(
        rows,
        columns,
        actor=request.user,
        list_name=f"{page.opts.model_name} {row.pk} on {day.isoformat()}",
        query=request.GET.urlencode(),
        format=request.POST.get("format", ""),
    )
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return StreamingHttpResponse(content, content_type=content_type, headers=headers)


def back(request: Request, row: Group) -> HttpResponse:
    """The preview that brings a group back to a day."""
    day = time_machine.day_of(request.POST.get("day", ""))
    return HttpResponseRedirect(cells.page(time_machine.draft_back(row, day, actor=request.user)))
