"""Changed outside: what readings found that no change made here explains. Read-only."""

from django.contrib import admin
from django.db.models import QuerySet
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy

from membership.admin import filters
from membership.admin.base import PanelAdmin
from membership.admin.requests import Request
from membership.models import Drift
from membership.templatetags import cells
from membership.vocab import DriftKind


@admin.register(Drift)
class DriftAdmin(PanelAdmin):
    is_mirrored = True
    lead = gettext_lazy("Differences that readings found and no change made here explains. Newest first.")
    list_display = ("what", "who", "where", "noticed")
    list_filter = (
        filters.System,
        filters.of_enum(gettext_lazy("what"), "kind", "kind", DriftKind),
        filters.identity(gettext_lazy("group"), "group", "group_id"),
    )
    search_fields = ("label", "group__name")
    search_help_text = gettext_lazy("Person or group")
    list_select_related = ("connection", "group")
    ordering = ("-noticed_at", "-pk")
    actions = ()

    def get_queryset(self, request: Request) -> QuerySet:
        heavy = ("group__secrets", "group__attributes", "connection__secrets", "connection__session")
        return super().get_queryset(request).defer(*heavy)

    @admin.display(description=gettext_lazy("what"), ordering="kind")
    def what(self, row: Drift) -> SafeString:
        return cells.state_tag(row, "kind")

    @admin.display(description=gettext_lazy("who"), ordering="label")
    def who(self, row: Drift) -> SafeString:
        changed = cells.difference(row.before, row.after)
        return cells.two(cells.name(row.label) if row.label else cells.NOTHING, changed)

    @admin.display(description=gettext_lazy("where"), ordering="group__name")
    def where(self, row: Drift) -> SafeString:
        group = cells.link(cells.page(row.group), cells.name(row.group.name))
        system = cells.name(row.connection.name)
        return format_html('<span class="mu-two">{}<span class="mu-quiet">{}</span></span>', group, system)

    @admin.display(description=gettext_lazy("noticed"), ordering="noticed_at")
    def noticed(self, row: Drift) -> SafeString:
        return cells.moment(row.noticed_at)
