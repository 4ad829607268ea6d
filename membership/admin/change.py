"""Changes: the preview before, the progress after. What may be done with one is a POST to a service."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    HttpResponseRedirect,
    StreamingHttpResponse,
)
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from membership.admin import backs, filters
from membership.admin import change_contexts as contexts
from membership.admin.base import PanelAdmin
from membership.admin.requests import ROW_ID, Request
from membership.errors import BadValue, ChangeRefused, NotAllowed, Reason
from membership.models import Change, Operation
from membership.sentences import say
from membership.services import change_pages, changes, inert, results, staging, taking_back, titles, way_back
from membership.templatetags import cells
from membership.vocab import ChangeKind, ChangeState, Right

ASKED_AGAIN = (Reason.REASON_EMPTY, Reason.NUMBER_NOT_TYPED, Reason.NAME_NOT_TYPED, Reason.BAD_VALUE)
"""Refusals about what was typed: the form is shown again with it."""
TYPED = ("reason", "ticket", "typed_number", "typed_name", "stages", "starts_at")


class MineFilter(filters.Choice):
    title = gettext_lazy("asked by")
    parameter_name = "by"
    options = (("me", gettext_lazy("me")),)

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        return queryset.filter(requested_by=request.user) if self.value() == "me" else queryset


@admin.register(Change)
class ChangeAdmin(PanelAdmin):
    lead = gettext_lazy("What somebody asked for, with its reason and what became of it. Newest first.")
    page_template = "membership/changes/page.html"
    posts = {
        "confirm": Right.ACT,
        "throw_away": Right.ACT,
        "recompile": Right.ACT,
        "cancel_rest": Right.ACT,
        "retry": Right.ACT,
        "retry_file": Right.ACT,
        "pause": Right.ACT,
        "resume": Right.ACT,
        "start_now": Right.ACT,
        "take_back": Right.ACT,
        "result_file": Right.SEE,
        "decide": Right.ACT,
        "way_back": Right.ACT,
    }
    list_display = ("what", "state_word", "who", "asked", "size")
    list_filter = (
        filters.of_enum(gettext_lazy("state"), "state", "state", ChangeState),
        filters.of_enum(gettext_lazy("kind"), "kind", "kind", ChangeKind),
        MineFilter,
    )
    search_fields = ("reason", "ticket", "=pk")
    search_help_text = gettext_lazy("Reason, ticket or number")
    list_select_related = ("requested_by",)
    actions = ()

    def own_urls(self, prefix: str) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("<int:pk>/live/", view(self.live_view), name=f"{prefix}_live"),
            path("<int:pk>/steps/", view(self.steps_view), name=f"{prefix}_steps"),
        ]

    def page_rows(self, request: Request) -> QuerySet:
        return super().page_rows(request).select_related("requested_by", "retry_of")

    # --- pages --------------------------------------------------------------------------------------------------------
    def page_context(self, request: Request, row: Change) -> dict[str, Any]:
        context: dict[str, Any] = {"may_act": self.has_act_permission(request), "crumb": _("no. %d") % row.pk}
        if row.confirmed_at is None:
            return context | contexts.preview(request, row) | contexts.steps(request, row)
        return context | contexts.live(row) | contexts.steps(request, row) | {"title": titles.title(row)}

    # --- fragments that pages ask for every two seconds ---------------------------------------------------------------
    def live_view(self, request: Request, pk: int) -> HttpResponse:
        row = self._fragment_row(request, pk)
        if row.confirmed_at is None:
            if row.state == ChangeState.DRAFT and row.compiled_at is None:
                preview = change_pages.preview(row, actor=request.user)
                return TemplateResponse(request, "membership/changes/_reading.html", {"row": row, "preview": preview})
            return HttpResponse(headers={"HX-Refresh": "true"})
        context = {"row": row, "title": titles.title(row), "may_act": self.has_act_permission(request)}
        return TemplateResponse(request, "membership/changes/_live.html", context | contexts.live(row))

    def steps_view(self, request: Request, pk: int) -> HttpResponse:
        row = self._fragment_row(request, pk)
        context = {"row": row, "is_open": row.state in ChangeState.open(), **contexts.steps(request, row)}
        return TemplateResponse(request, "membership/changes/_steps.html", context)

    def _fragment_row(self, request: Request, pk: int) -> Change:
        if not self.has_view_permission(request):
            raise PermissionDenied
        row: Change | None = self.page_rows(request).filter(pk=pk).first()
        if row is None:
            raise Http404
        return row

    # --- what is done -------------------------------------------------------------------------------------------------
    def do_confirm(self, request: Request, row: Change) -> HttpResponse | None:
        typed = {name: request.POST.get(name, "") for name in TYPED}
        answers = {name: typed[name] for name in ("reason", "ticket", "typed_number", "typed_name")}
        try:
            sizes = staging.sizes_asked(typed["stages"]) if "stages" in request.POST else None
            starts_at = staging.start_asked(typed["starts_at"])
            changes.confirm_change(
                row,
                actor=request.user,
                expected_hash=request.POST.get("plan_hash", ""),
                stage_sizes=sizes,
                starts_at=starts_at,
                **answers,
            )
        except (ChangeRefused, BadValue) as error:
            if error.reason not in ASKED_AGAIN:
                raise
            said = {"typed": typed, "error": inert.inert(say(error)), "error_at": error.reason}
            return self.render(request, self.page_template, row=row, **self.page_context(request, row), **said)
        messages.success(request, _("Asked for. The steps are sent one by one; this page shows how far it is."))
        return None

    def do_throw_away(self, request: Request, row: Change) -> HttpResponse:
        changes.throw_away(row, actor=request.user)
        messages.info(request, format_html(_("The preview {} was thrown away. Nothing was done."), _titled(row)))
        return HttpResponseRedirect(backs.back(row, request.user).address)

    def do_recompile(self, request: Request, row: Change) -> HttpResponse:
        return HttpResponseRedirect(cells.page(changes.recompile(row, actor=request.user)))

    def do_cancel_rest(self, request: Request, row: Change) -> None:
        changes.cancel_rest(row, actor=request.user)
        messages.info(request, _("What had not begun is cancelled. What was sent already ends as it ends."))

    def do_pause(self, request: Request, row: Change) -> None:
        staging.pause_change(row, actor=request.user)
        messages.info(request, _("Paused. What was being sent ends as it ends."))

    def do_resume(self, request: Request, row: Change) -> None:
        staging.resume_change(row, actor=request.user)
        messages.success(request, _("It goes on."))

    def do_start_now(self, request: Request, row: Change) -> None:
        staging.start_now(row, actor=request.user)
        messages.success(request, _("It begins now."))

    def do_take_back(self, request: Request, row: Change) -> HttpResponse:
        return HttpResponseRedirect(cells.page(taking_back.draft_taking_back(row, actor=request.user)))

    def do_result_file(self, request: Request, row: Change) -> HttpResponseBase:
        name, content_type, content = results.result_file(row, actor=request.user)
        headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
        return StreamingHttpResponse(content, content_type=content_type, headers=headers)

    def do_retry_file(self, request: Request, row: Change) -> HttpResponse:
        file = request.FILES.get("file")
        content = file.read(results.LARGEST_FILE + 1) if file else b""
        return HttpResponseRedirect(cells.page(results.draft_retry_from_file(row, content, actor=request.user)))

    def do_retry(self, request: Request, row: Change) -> HttpResponse:
        return HttpResponseRedirect(cells.page(changes.draft_retry(row, actor=request.user)))

    def do_decide(self, request: Request, row: Change) -> None:
        changes.decide_foreign(_step(request, row), request.POST.get("decision", ""), actor=request.user)
        messages.success(request, _("Decided."))

    def do_way_back(self, request: Request, row: Change) -> HttpResponse:
        return HttpResponseRedirect(cells.page(way_back.draft_way_back(_step(request, row), actor=request.user)))

    # --- the list -----------------------------------------------------------------------------------------------------
    @admin.display(description=gettext_lazy("what"))
    def what(self, row: Change) -> SafeString:
        said = cells.name(row.reason) if row.reason else ""
        title = cells.link(cells.page(row), titles.title(row))
        return cells.two(title, said)

    @admin.display(description=gettext_lazy("state"), ordering="state")
    def state_word(self, row: Change) -> SafeString:
        return cells.state_tag(row)

    @admin.display(description=gettext_lazy("asked by"), ordering="requested_by__username")
    def who(self, row: Change) -> SafeString:
        return cells.user(row.requested_by)

    @admin.display(description=gettext_lazy("when"), ordering="created_at")
    def asked(self, row: Change) -> SafeString:
        return cells.moment(row.confirmed_at or row.created_at)

    @admin.display(description=gettext_lazy("size"), ordering="operations_count")
    def size(self, row: Change) -> str:
        steps = _("%(count)d steps") % {"count": row.operations_count}
        return f"{steps}, {_('%(count)d left out') % {'count': row.left_out_count}}" if row.left_out_count else steps


def _step(request: Request, row: Change) -> Operation:
    """The step of this change that a button named."""
    number = request.POST.get("step", "")
    step = Operation.objects.filter(change=row, pk=int(number)).first() if ROW_ID.fullmatch(number) else None
    if step is None:
        raise NotAllowed(Reason.NOT_VISIBLE)
    return step


def _titled(row: Change) -> SafeString:
    return cells.link(cells.page(row), titles.title(row))
