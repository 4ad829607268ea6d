"""Systems: how they are, tested, refreshed, stopped, resumed and retired. Their form is in `connect`."""

from functools import partial
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from membership.admin import connect, guards
from membership.admin.base import PanelAdmin
from membership.admin.changelist import Nothing, no_system
from membership.admin.credentials import credentials
from membership.admin.requests import Request
from membership.errors import BadValue, Reason
from membership.models import Connection, has_right, visible_to
from membership.services import (
    connection_forms,
    connection_states,
    connections,
    guard_rules,
    inert,
    pages,
    refresh,
)
from membership.templatetags import cells
from membership.vocab import ConnectionState, Right


@admin.register(Connection)
class ConnectionAdmin(PanelAdmin):
    lead = gettext_lazy("The remote systems that this panel reads and changes.")
    change_list_template = "membership/systems/list.html"
    page_template = "membership/systems/page.html"
    posts = {
        "test": Right.MANAGE_SYSTEMS,
        "refresh": Right.REFRESH,
        "pause": Right.MANAGE_SYSTEMS,
        "maintenance": Right.MANAGE_SYSTEMS,
        "resume": Right.MANAGE_SYSTEMS,
        "retire": Right.MANAGE_SYSTEMS,
    }
    list_display = ("title", "kind", "state_word", "known")
    list_select_related = False
    search_fields = ()
    ordering = ("name",)
    actions = ("refresh",)

    def get_queryset(self, request: Request) -> QuerySet:
        return super().get_queryset(request).defer("secrets", "session")

    def own_urls(self, prefix: str) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("connect/", view(partial(connect.choose, self)), name=f"{prefix}_connect"),
            path("connect/<slug:kind>/", view(partial(connect.connect, self)), name=f"{prefix}_connect_kind"),
            path("guards/", view(partial(guards.of_all, self)), name=f"{prefix}_all_guards"),
            path("<int:pk>/guards/", view(partial(guards.of_system, self)), name=f"{prefix}_guards"),
            path("<int:pk>/edit/", view(partial(connect.edit, self)), name=f"{prefix}_edit"),
            path("<int:pk>/credentials/", view(partial(credentials, self)), name=f"{prefix}_credentials"),
        ]

    def changelist_view(self, request: Request, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        return super().changelist_view(request, {"may_connect": connect.may_connect(request), **(extra_context or {})})

    def nothing_yet(self, request: Request) -> Nothing:
        return no_system(request)

    def page_rows(self, request: Request) -> QuerySet:
        return visible_to(Connection.objects.all(), request.user)

    def page_context(self, request: Request, row: Connection) -> dict[str, Any]:
        return {
            "about": pages.system_page(row),
            "settings": _settings(row),
            "offers": connection_forms.offers(row),
            "guards": guard_rules.in_words(row),
            "rests": row.state in (ConnectionState.PAUSED, ConnectionState.MAINTENANCE),
            "is_retired": row.state == ConnectionState.RETIRED,
            "is_slowed": bool(row.slowed_until and row.slowed_until > timezone.now()),
            "may_manage": has_right(request.user, Right.MANAGE_SYSTEMS),
        }

    @admin.display(description=gettext_lazy("system"), ordering="name")
    def title(self, row: Connection) -> SafeString:
        main = cells.link(cells.page(row), cells.name(row.name))
        return cells.two(main, row.base_url)

    @admin.display(description=gettext_lazy("kind"), ordering="provider")
    def kind(self, row: Connection) -> str:
        return row.provider_label

    @admin.display(description=gettext_lazy("state"), ordering="state")
    def state_word(self, row: Connection) -> SafeString:
        return cells.system_state(row)

    @admin.display(description=gettext_lazy("as of"), ordering="read_at")
    def known(self, row: Connection) -> SafeString:
        return cells.moment(row.read_at)

    @admin.action(description=gettext_lazy("Refresh"), permissions=["refresh"])
    def refresh(self, request: Request, queryset: QuerySet) -> None:
        readings = refresh.request_refresh(connections=list(queryset), actor=request.user)
        said = ngettext("%d system will be read again.", "%d systems will be read again.", len(readings))
        messages.success(request, said % len(readings))

    def do_refresh(self, request: Request, row: Connection) -> None:
        refresh.request_refresh(connections=[row], actor=request.user)
        messages.success(request, _("The system will be read again; the reading is listed below."))

    def do_test(self, request: Request, row: Connection) -> None:
        self._tell(request, connections.test_connection(row, actor=request.user))

    def do_resume(self, request: Request, row: Connection) -> None:
        tested = connections.resume(row, actor=request.user)
        self._tell(request, tested)
        if tested.works:
            messages.success(request, _("The system works again: what waited goes on."))

    def do_pause(self, request: Request, row: Connection) -> None:
        connections.pause(row, reason=request.POST.get("reason", ""), actor=request.user)
        messages.success(request, _("The system is stopped. What waits keeps waiting."))

    def do_maintenance(self, request: Request, row: Connection) -> None:
        connection_states.begin_maintenance(row, reason=request.POST.get("reason", ""), actor=request.user)
        messages.success(request, _("Changes are only queued from now on. They go on when the system is resumed."))

    def do_retire(self, request: Request, row: Connection) -> None:
        if request.POST.get("name", "").strip() != row.name:
            raise BadValue(Reason.BAD_VALUE, key="name", why=_("type the name of the system as it stands above"))
        connection_states.retire(row, reason=request.POST.get("reason", ""), actor=request.user)
        messages.success(request, _("The system is retired. Its history stays."))

    def _tell(self, request: Request, tested: connections.Tested) -> None:
        lines = format_html_join(SafeString("<br>"), "{}", ((inert.inert(line),) for line in tested.sentences))
        level = messages.SUCCESS if tested.works else messages.ERROR
        messages.add_message(request, level, lines)


def _settings(row: Connection) -> list[tuple[str, str]]:
    """Options as their form words them."""
    fields = [field for field in connection_forms.form_fields(row.provider, row) if field.section == "option"]
    return [(field.label, dict(field.choices).get(field.value, field.value) or "–") for field in fields]
