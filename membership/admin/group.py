"""Groups: who is in them, and what a removal there would meet."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from membership.admin import filters, time_machine
from membership.admin.group_verbs import GroupVerbs
from membership.admin.participant_verbs import offered_in
from membership.admin.requests import ROW_ID, Request
from membership.errors import ChangeRefused, NotAllowed, Reason
from membership.models import Connection, Group, Participant, visible_to
from membership.services import pages, people, refresh, removal
from membership.services.abilities import abilities
from membership.templatetags import cells
from membership.vocab import Right


class IncompleteFilter(filters.Choice):
    title = gettext_lazy("last reading")
    parameter_name = "reading"
    options = (("complete", gettext_lazy("complete")), ("incomplete", gettext_lazy("incomplete or never")))

    def condition(self, value: str) -> Q | None:
        doubtful = Q(read_at=None) | ~Q(incomplete_reason="")
        return {"complete": ~doubtful, "incomplete": doubtful}.get(value)


class PresentFilter(filters.Choice):
    title = gettext_lazy("still there")
    parameter_name = "there"
    options = (("no", gettext_lazy("gone")),)

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        return queryset.filter(is_present=self.value() != "no")


@admin.register(Group)
class GroupAdmin(GroupVerbs):
    is_mirrored = True
    lead = gettext_lazy("Rooms, chats and groups of all systems.")
    empty = gettext_lazy(
        "The systems were read, and have no groups that their credentials may see. Their pages say why."
    )
    empty_leads_to = (Connection, gettext_lazy("To the systems"))
    page_template = "membership/groups/page.html"
    posts = {
        "remove": Right.ACT,
        "refresh": Right.REFRESH,
        "accept_fewer": Right.ACT,
        "rename_group": Right.ACT,
        "delete_group": Right.ACT,
        "back": Right.ACT,
        "protect": Right.PROTECT,
        "unprotect": Right.PROTECT,
    }
    list_display = ("title", "kind", "people_count", "marks", "known")
    list_filter = (
        filters.System,
        filters.contains(gettext_lazy("kind"), "kind", "kind"),
        filters.flag(gettext_lazy("archived"), "archived", "archived"),
        filters.flag(gettext_lazy("protected"), "protected", "is_protected"),
        filters.flag(gettext_lazy("managed elsewhere"), "elsewhere", "managed_elsewhere"),
        IncompleteFilter,
        PresentFilter,
    )
    search_fields = ("name", "remote_id")
    search_help_text = gettext_lazy("Name or id")
    list_select_related = ("connection",)
    ordering = ("name", "pk")
    actions = ("refresh",)

    def own_urls(self, prefix: str) -> list[URLPattern]:
        return [*super().own_urls(prefix), *time_machine.urls(self, prefix)]

    def get_queryset(self, request: Request) -> QuerySet:
        return (
            super().get_queryset(request).defer("secrets", "attributes", "connection__secrets", "connection__session")
        )

    def page_rows(self, request: Request) -> QuerySet:
        return visible_to(Group.objects.select_related("connection"), request.user)

    def page_context(self, request: Request, row: Group) -> dict[str, Any]:
        search = request.GET.get("q", "")
        return {
            "about": pages.group_page(row, search=search, number=request.GET.get("p")),
            "search": search,
            "may_act": self.has_act_permission(request),
            "can": abilities(row.connection),
            "offered": offered_in(row.connection),
        }

    @admin.display(description=gettext_lazy("group"), ordering="name")
    def title(self, row: Group) -> SafeString:
        main = cells.link(cells.page(row), cells.name(row.name or row.remote_id))
        below = cells.name(row.connection.name)
        return cells.two(main, below)

    @admin.display(description=gettext_lazy("participants"), ordering="participants_count")
    def people_count(self, row: Group) -> SafeString:
        return cells.link(cells.listing(Participant, group=row.pk), row.participants_count)

    @admin.display(description=gettext_lazy("marks"))
    def marks(self, row: Group) -> SafeString:
        return cells.group_tags(row)

    @admin.display(description=gettext_lazy("as of"), ordering="read_at")
    def known(self, row: Group) -> SafeString:
        at = cells.moment(row.read_at)
        return format_html("{} {}", at, cells.tag(_("incomplete"), "warning")) if row.incomplete_reason else at

    @admin.action(description=gettext_lazy("Refresh"), permissions=["refresh"])
    def refresh(self, request: Request, queryset: QuerySet) -> None:
        readings = refresh.request_refresh(groups=list(queryset), actor=request.user)
        said = ngettext("%d group will be read again.", "%d groups will be read again.", len(readings))
        messages.success(request, said % len(readings))

    def do_accept_fewer(self, request: Request, row: Group) -> None:
        """The group has really become smaller: the next list of it that is whole in itself is believed."""
        refresh.request_refresh(groups=[row], accept_fewer=True, actor=request.user)
        messages.success(request, _("It is read again, and the smaller list is believed."))

    def do_refresh(self, request: Request, row: Group) -> None:
        refresh.request_refresh(groups=[row], actor=request.user)
        messages.success(request, _("The group will be read again; reload the page in a moment."))

    def do_protect(self, request: Request, row: Group) -> None:
        people.protect_group(row, request.POST.get("note", ""), actor=request.user)
        messages.success(request, _("Protected: no change made here touches who is in this group."))

    def do_unprotect(self, request: Request, row: Group) -> None:
        people.unprotect_group(row, request.POST.get("note", ""), actor=request.user)
        messages.success(request, _("The protection is lifted."))

    def do_back(self, request: Request, row: Group) -> HttpResponse:
        return time_machine.back(request, row)

    def do_remove(self, request: Request, row: Group) -> HttpResponse:
        """Draft the removal of those ticked, or of everybody, from this group."""
        rows = Participant.objects.filter(group=row, is_present=True)
        selection: dict[str, Any] = {"kind": "query", "query": f"group={row.pk}", "count": row.participants_count}
        if request.POST.get("select_across") != "1":
            ticked = request.POST.getlist("_selected_action")
            if not ticked:
                raise ChangeRefused(Reason.NOTHING_SELECTED)
            if not all(ROW_ID.fullmatch(pk) for pk in ticked):
                raise NotAllowed(Reason.REQUEST_FORGED)
            ids = [int(pk) for pk in ticked]
            rows, selection = rows.filter(pk__in=ids), {"kind": "ids", "ids": ids}
        change = removal.draft_removal(rows, actor=request.user, selection=selection)
        return HttpResponseRedirect(cells.page(change))
