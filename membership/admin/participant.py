"""Participants: who is in which group, and the way to remove many of them at once."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpResponse, HttpResponseRedirect
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from membership.admin import filters
from membership.admin.base import PanelAdmin
from membership.admin.requests import Request, selection_of
from membership.models import Participant, visible_to
from membership.services import pages, removal
from membership.templatetags import cells
from membership.vocab import Right

HEAVY = (
    "secrets",
    "attributes",
    "group__secrets",
    "group__attributes",
    "group__connection__secrets",
    "group__connection__session",
    "account__attributes",
)
"""Columns that lists do not show: not fetched, and secrets not decrypted."""


class RoleFilter(filters.Choice):
    title = gettext_lazy("role")
    parameter_name = "role"
    options = (("manager", gettext_lazy("manager")), ("member", gettext_lazy("member only")))

    def condition(self, value: str) -> Any:
        return filters.Flag.condition_of("is_manager", {"manager": "yes", "member": "no"}.get(value, ""))


class UnmatchedFilter(filters.Choice):
    title = gettext_lazy("account known")
    parameter_name = "matched"
    options = (("yes", gettext_lazy("yes")), ("no", gettext_lazy("no, unmatched")))

    def condition(self, value: str) -> Any:
        return filters.Flag.condition_of("account__isnull", {"yes": "no", "no": "yes"}.get(value, ""))


@admin.register(Participant)
class ParticipantAdmin(PanelAdmin):
    is_mirrored = True
    lead = gettext_lazy("Everybody who is in a group, as the systems last confirmed it.")
    page_template = "membership/participants/page.html"
    posts = {"remove": Right.ACT}
    list_display = ("who", "where", "role", "writes", "muted", "participant_type", "last_read", "known")
    list_filter = (
        filters.SystemOfGroup,
        filters.identity(gettext_lazy("group"), "group", "group_id"),
        filters.contains(gettext_lazy("group"), "group_name", "group__name"),
        RoleFilter,
        filters.flag(gettext_lazy("can write"), "can_write", "can_write"),
        filters.flag(gettext_lazy("muted"), "muted", "is_muted"),
        filters.contains(gettext_lazy("type"), "type", "participant_type"),
        UnmatchedFilter,
    )
    search_fields = (
        "label",
        "remote_id",
        "account__label",
        "account__email",
        "account__remote_id",
        "account__person__name",
    )
    search_help_text = gettext_lazy("Name, e-mail or id")
    list_select_related = ("group__connection", "account__person")
    ordering = ("label", "pk")
    actions = ("remove",)

    def get_queryset(self, request: Request) -> QuerySet:
        return super().get_queryset(request).filter(is_present=True).defer(*HEAVY)

    def page_rows(self, request: Request) -> QuerySet:
        rows = Participant.objects.select_related(*self.list_select_related)
        return visible_to(rows, request.user)

    def page_context(self, request: Request, row: Participant) -> dict[str, Any]:
        return {"about": pages.participant_page(row), "may_act": self.has_act_permission(request)}

    @admin.display(description=gettext_lazy("name"), ordering="label")
    def who(self, row: Participant) -> SafeString:
        main = cells.link(cells.page(row), cells.name(row.label or row.remote_id))
        if row.account is None:
            below: object = cells.tag(_("unmatched"), "warning")
        else:
            below = cells.name(row.account.email or row.account.remote_id)
            if row.account.person:
                below = format_html("{} · {}", below, cells.link(cells.page(row.account.person), _("person")))
        return cells.two(main, below)

    @admin.display(description=gettext_lazy("group"), ordering="group__name")
    def where(self, row: Participant) -> SafeString:
        group = cells.link(cells.page(row.group), cells.name(row.group.name))
        system = cells.name(row.group.connection.name)
        return format_html('<span class="mu-two">{}<span class="mu-quiet">{}</span></span>', group, system)

    @admin.display(description=gettext_lazy("role"), ordering="is_manager")
    def role(self, row: Participant) -> SafeString:
        return cells.role(row)

    @admin.display(description=gettext_lazy("can write"), ordering="can_write")
    def writes(self, row: Participant) -> SafeString:
        return cells.yes_no(row.can_write)

    @admin.display(description=gettext_lazy("muted"), ordering="is_muted")
    def muted(self, row: Participant) -> SafeString:
        return cells.yes_no(row.is_muted)

    @admin.display(description=gettext_lazy("last read"), ordering="last_read_at")
    def last_read(self, row: Participant) -> SafeString:
        return cells.moment(row.last_read_at)

    @admin.display(description=gettext_lazy("as of"), ordering="group__read_at")
    def known(self, row: Participant) -> SafeString:
        return cells.moment(row.group.read_at)

    @admin.action(description=gettext_lazy("Remove from group…"), permissions=["act"])
    def remove(self, request: Request, queryset: QuerySet) -> HttpResponse:
        change = removal.draft_removal(queryset, actor=request.user, selection=selection_of(request, queryset))
        return HttpResponseRedirect(cells.page(change))

    def do_remove(self, request: Request, row: Participant) -> HttpResponse:
        rows = self.get_queryset(request).filter(pk=row.pk)
        change = removal.draft_removal(rows, actor=request.user, selection={"kind": "ids", "ids": [row.pk]})
        return HttpResponseRedirect(cells.page(change))
