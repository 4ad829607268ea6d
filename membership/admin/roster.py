"""Lists from files: uploaded for a group, their columns and proposals asked about, and what became of each row."""

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpResponse, HttpResponseBase, HttpResponseRedirect, StreamingHttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from membership import conf
from membership.admin import filters
from membership.admin.base import PanelAdmin
from membership.admin.requests import ROW_ID, Request, sent, whence
from membership.admin.until import UntilForm
from membership.admin.uploads import was_too_large
from membership.errors import BadValue, ChangeRefused, NotAllowed, Reason
from membership.models import Group, Roster, RosterMode, RosterState, has_right, visible_to
from membership.sentences import say
from membership.services import exports, inert, shell
from membership.services.rosters import kept, pages, uploading
from membership.services.rosters.columns import USES
from membership.templatetags import cells
from membership.vocab import Right

SHEET: tuple[exports.Column, ...] = (
    (gettext_lazy("line"), "line"),
    (gettext_lazy("outcome"), pages.outcome_words),
    (gettext_lazy("id in the file"), "said_id"),
    (gettext_lazy("e-mail in the file"), "said_email"),
    (gettext_lazy("name in the file"), "said_name"),
    (gettext_lazy("account"), "account__label"),
    (gettext_lazy("its id"), "account__remote_id"),
    (gettext_lazy("its e-mail"), "account__email"),
    (gettext_lazy("in the group already"), lambda row: row.participant_id is not None),
)
"""What stands in the downloaded sheet of a list."""


class UploadForm(UntilForm):
    field_order = ("file", "mode", "until")
    file = forms.FileField(
        label=gettext_lazy("File"),
        help_text=gettext_lazy("CSV or XLSX. One person a row, with an id, an e-mail address or a name."),
    )
    mode = forms.ChoiceField(
        label=gettext_lazy("What the list says"), choices=RosterMode, widget=forms.RadioSelect, initial=RosterMode.ADD
    )


@admin.register(Roster)
class RosterAdmin(PanelAdmin):
    right = Right.ACT
    lead = gettext_lazy("Who is to be in a group, from a file. Each list ends in a preview; nothing is sent before.")
    empty = gettext_lazy("No list was uploaded yet. Open a group, and choose “From a list…” there.")
    empty_leads_to = (Group, gettext_lazy("To the groups"))
    page_template = "membership/rosters/page.html"
    posts = {"columns": Right.ACT, "columns_again": Right.ACT, "confirm_rows": Right.ACT, "sheet": Right.ACT}
    list_display = ("file", "state_word", "mode_word", "rows_count", "who", "asked")
    list_filter = (filters.of_enum(gettext_lazy("state"), "state", "state", RosterState), filters.System)
    search_fields = ("file_name", "group__name")
    search_help_text = gettext_lazy("File or group")
    list_select_related = ("group", "connection", "asked_by")
    actions = ()

    def page_rows(self, request: Request) -> QuerySet:
        rows = Roster.objects.select_related("group", "connection", "asked_by", "change")
        return visible_to(rows, request.user)

    def own_urls(self, prefix: str) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("new/", view(self.new_view), name=f"{prefix}_new"),
            path("<int:pk>/live/", view(self.live_view), name=f"{prefix}_live"),
        ]

    # --- upload -------------------------------------------------------------------------------------------------------
    def new_view(self, request: Request) -> HttpResponse:
        if not has_right(request.user, Right.ACT):
            raise NotAllowed(Reason.NO_RIGHT)
        group = _group(request)
        form = UploadForm(sent(request), request.FILES or None)
        error = ""
        if request.method == "POST":
            try:
                return HttpResponseRedirect(cells.page(_uploaded(request, group, form)))
            except (BadValue, ChangeRefused) as refusal:
                if not refusal.is_recorded:
                    personal = whence(request)
                    shell.record_refusal("upload", refusal, actor=request.user, about=(group,), personal=personal)
                error = inert.inert(say(refusal))
        context = {"form": form, "group": group, "error": error, "limit": conf.roster_max_mb()}
        title = _("Bring %(group)s in line with a list") % {"group": inert.inert(str(group))}
        return self.render(request, "membership/rosters/new.html", title=title, **context)

    # --- pages --------------------------------------------------------------------------------------------------------
    def page_context(self, request: Request, row: Roster) -> dict[str, Any]:
        about = pages.roster_page(row)
        title = _("The list “%(list)s” for %(group)s") % {"list": row.file_name, "group": row.group}
        formats = [("csv", "CSV"), ("xlsx", "XLSX"), ("json", "JSON")]
        return {"about": about, "title": inert.inert(title), "formats": formats}

    def live_view(self, request: Request, pk: int) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        row: Roster | None = self.page_rows(request).filter(pk=pk).first()
        if row is None:
            raise Http404
        if row.state == RosterState.DONE and row.change is not None:
            return HttpResponse(headers={"HX-Redirect": cells.page(row.change)})
        if row.state not in RosterState.of_the_worker():
            return HttpResponse(headers={"HX-Refresh": "true"})
        return TemplateResponse(request, "membership/rosters/_working.html", {"row": row})

    # --- answers ------------------------------------------------------------------------------------------------------
    def do_columns(self, request: Request, row: Roster) -> None:
        columns = {use: text for use in USES if (text := request.POST.get(use, ""))}
        if not all(ROW_ID.fullmatch(text) for text in columns.values()):
            raise NotAllowed(Reason.REQUEST_FORGED)
        numbers = {use: int(text) for use, text in columns.items()}
        has_headings = request.POST.get("has_headings") == "1"
        uploading.choose_columns(row, numbers, has_headings=has_headings, actor=request.user)

    def do_columns_again(self, request: Request, row: Roster) -> None:
        uploading.choose_again(row, actor=request.user)

    def do_confirm_rows(self, request: Request, row: Roster) -> None:
        ticked = request.POST.getlist("chosen")
        if not all(ROW_ID.fullmatch(text) for text in ticked):
            raise NotAllowed(Reason.REQUEST_FORGED)
        ids = [int(text) for text in ticked]
        if request.POST.get("all") == "1":
            ids = list(kept.asked_about(row).values_list("pk", flat=True))
        uploading.confirm_rows(row, ids, actor=request.user)

    def do_sheet(self, request: Request, row: Roster) -> HttpResponseBase:
        """What became of each row, as a file."""
        name, content_type, content = exports.export(
            pages.rows(row),
            SHEET,
            actor=request.user,
            list_name=f"rows of list {row.pk}",
            query=f"roster={row.pk}",
            format=request.POST.get("format", ""),
        )
        headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
        return StreamingHttpResponse(content, content_type=content_type, headers=headers)

    # --- the list -----------------------------------------------------------------------------------------------------
    @admin.display(description=gettext_lazy("list"), ordering="file_name")
    def file(self, row: Roster) -> SafeString:
        return cells.two(cells.link(cells.page(row), cells.name(row.file_name)), cells.name(row.group))

    @admin.display(description=gettext_lazy("state"), ordering="state")
    def state_word(self, row: Roster) -> SafeString:
        return cells.state_tag(row)

    @admin.display(description=gettext_lazy("what it says"), ordering="mode")
    def mode_word(self, row: Roster) -> str:
        return str(RosterMode(row.mode).label).partition(":")[0]

    @admin.display(description=gettext_lazy("uploaded by"), ordering="asked_by__username")
    def who(self, row: Roster) -> SafeString:
        return cells.user(row.asked_by)

    @admin.display(description=gettext_lazy("uploaded"), ordering="asked_at")
    def asked(self, row: Roster) -> SafeString:
        return cells.moment(row.asked_at)


def _group(request: Request) -> Group:
    """The group that the address names. Lists belong to one."""
    text = request.GET.get("group", "")
    rows = visible_to(Group.objects.select_related("connection"), request.user)
    group = rows.filter(pk=int(text)).first() if ROW_ID.fullmatch(text) else None
    if group is None:
        raise Http404
    return group


def _uploaded(request: Request, group: Group, form: UploadForm) -> Roster:
    if was_too_large(request):
        raise ChangeRefused(Reason.ROSTER_TOO_LARGE, limit=conf.roster_max_mb())
    if not form.is_valid():
        name, errors = next(iter(form.errors.items()))
        raise BadValue(Reason.BAD_VALUE, key=str(form[name].label), why=" ".join(str(each) for each in errors))
    file = form.cleaned_data["file"]
    said = form.cleaned_data
    return uploading.upload(
        group, said["mode"], file.name or "", file.chunks(), until=said["until"], actor=request.user
    )
