"""Changes: the preview before, the progress after. What may be done with one is a POST to a service."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from membership.admin import backs, exporting, filters
from membership.admin import change_contexts as contexts
from membership.admin.base import PanelAdmin
from membership.admin.requests import ROW_ID, Request
from membership.errors import BadValue, ChangeRefused, NotAllowed, Reason
from membership.models import Change, Operation, Participant
from membership.sentences import say
from membership.services import (
    approval,
    change_pages,
    changes,
    guarding,
    inert,
    overview,
    plan_files,
    rereading,
    results,
    staging,
    taking_back,
    titles,
    way_back,
)
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


class WaitsFilter(filters.Choice):
    title = gettext_lazy("waits for")
    parameter_name = "waits"
    options = (
        ("me", gettext_lazy("me: to decide, to confirm or to try again")),
        ("approval", gettext_lazy("my approval")),
    )

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        user: Any = request.user
        if self.value() == "me":
            return queryset.filter(pk__in=overview.waiting_for(user).order_by().values("pk"))
        if self.value() == "approval":
            return queryset.filter(pk__in=approval.waiting_for(user).order_by().values("pk"))
        return queryset


@admin.register(Change)
class ChangeAdmin(PanelAdmin):
    lead = gettext_lazy("What somebody asked for, with its reason and what became of it. Newest first.")
    empty = gettext_lazy("Nothing was asked for yet. Select people on the list of participants and choose what to do.")
    empty_leads_to = (Participant, gettext_lazy("To the participants"))
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
        "override": Right.OVERRIDE,
        "approve": Right.APPROVE,
        "reject": Right.APPROVE,
        "read_groups": Right.ACT,
        "file": Right.SEE,
    }
    list_display = ("what", "state_word", "who", "asked", "size")
    list_filter = (
        filters.of_enum(gettext_lazy("state"), "state", "state", ChangeState),
        filters.of_enum(gettext_lazy("kind"), "kind", "kind", ChangeKind),
        MineFilter,
        WaitsFilter,
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

    def get_queryset(self, request: Request) -> QuerySet:
        return approval.with_askers(super().get_queryset(request))

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
        if changes.waits_for_approval(row):
            messages.success(request, _("Asked for. A second person has to approve it; nothing is sent before."))
        else:
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
        return exporting.as_response(results.result_file(row, actor=request.user))

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

    def do_override(self, request: Request, row: Change) -> None:
        given = {"reason": request.POST.get("override_reason", ""), "expected_hash": request.POST.get("plan_hash", "")}
        guarding.override_guards(row, actor=request.user, **given)
        messages.success(request, _("Let through: this plan, and no other, can be confirmed now."))

    def do_approve(self, request: Request, row: Change) -> None:
        approval.approve_change(row, actor=request.user, **_decision(request))
        messages.success(request, _("Approved. The steps are sent one by one; this page shows how far it is."))

    def do_reject(self, request: Request, row: Change) -> None:
        approval.reject_change(row, actor=request.user, **_decision(request))
        messages.info(request, _("Rejected. Nothing of it is sent."))

    def do_read_groups(self, request: Request, row: Change) -> HttpResponse:
        return HttpResponseRedirect(cells.page(rereading.read_and_recompile(row, actor=request.user)))

    def do_file(self, request: Request, row: Change) -> HttpResponseBase:
        file = plan_files.plan_file(row, actor=request.user, format=request.POST.get("format", ""))
        return exporting.as_response(file)

    # --- the list -----------------------------------------------------------------------------------------------------
    @admin.display(description=gettext_lazy("what"))
    def what(self, row: Change) -> SafeString:
        said = cells.name(row.reason) if row.reason else ""
        title = cells.link(cells.page(row), titles.title(row))
        return cells.two(title, said)

    @admin.display(description=gettext_lazy("state"), ordering="state")
    def state_word(self, row: Any) -> SafeString:
        state = cells.state_tag(row)
        return state if row.asker_may else cells.two(state, _("whoever asked may not do it any more"))

    @admin.display(description=gettext_lazy("asked by"), ordering="requested_by__username")
    def who(self, row: Change) -> SafeString:
        return cells.user(row.requested_by)

    @admin.display(description=gettext_lazy("when"), ordering="created_at")
    def asked(self, row: Change) -> SafeString:
        return cells.moment(row.confirmed_at or row.waiting_since or row.created_at)

    @admin.display(description=gettext_lazy("size"), ordering="operations_count")
    def size(self, row: Change) -> str:
        steps = _("%(count)d steps") % {"count": row.operations_count}
        return f"{steps}, {_('%(count)d left out') % {'count': row.left_out_count}}" if row.left_out_count else steps


def _decision(request: Request) -> dict[str, str]:
    return {"comment": request.POST.get("comment", ""), "expected_hash": request.POST.get("plan_hash", "")}


def _step(request: Request, row: Change) -> Operation:
    """The step of this change that a button named."""
    number = request.POST.get("step", "")
    step = Operation.objects.filter(change=row, pk=int(number)).first() if ROW_ID.fullmatch(number) else None
    if step is None:
        raise NotAllowed(Reason.NOT_VISIBLE)
    return step


def _titled(row: Change) -> SafeString:
    return cells.link(cells.page(row), titles.title(row))
