"""Leavers: what is open about each, and the certificate when nothing is."""

import datetime as dt
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpResponse
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from membership.admin import filters
from membership.admin.base import PanelAdmin
from membership.admin.requests import Request
from membership.models import Leaving, LeavingState, visible_to
from membership.services import inert, leaving_certificate, leaving_pages
from membership.templatetags import cells
from membership.vocab import Right


@admin.register(Leaving)
class LeavingAdmin(PanelAdmin):
    lead = gettext_lazy("People who are removed from everything, until every system confirmed that they are gone.")
    empty = gettext_lazy(
        "Nobody was taken for a leaver yet. Choose “Leaver” on a person's page, or on the people list."
    )
    page_template = "membership/leaving/page.html"
    posts = {"certificate": Right.SEE}
    list_display = ("who", "state_word", "asker", "asked", "ended")
    list_filter = (filters.of_enum(gettext_lazy("state"), "state", "state", LeavingState),)
    search_fields = ("person__name",)
    search_help_text = gettext_lazy("Name")
    list_select_related = ("person", "asked_by")
    actions = ()

    def page_rows(self, request: Request) -> QuerySet:
        return visible_to(Leaving.objects.select_related("person", "asked_by", "change"), request.user)

    def page_context(self, request: Request, row: Leaving) -> dict[str, Any]:
        about = leaving_pages.leaving_page(row, request.user)
        said = _("Certificate: %(person)s is in no group") if about.is_done else _("Leaver: %(person)s")
        title = said % {"person": inert.inert(row.person.name)}
        return {"about": about, "certificate": _dated(about.certificate), "title": title}

    def do_certificate(self, request: Request, row: Leaving) -> HttpResponse:
        """The certificate as JSON, byte for byte what its hash is of."""
        content = leaving_certificate.download(row, actor=request.user)
        name = f"musterbook-leaver-{row.pk}.json"
        headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
        return HttpResponse(content, content_type="application/json", headers=headers)

    @admin.display(description=gettext_lazy("person"), ordering="person__name")
    def who(self, row: Leaving) -> SafeString:
        return cells.link(cells.page(row), cells.name(row.person.name))

    @admin.display(description=gettext_lazy("state"), ordering="state")
    def state_word(self, row: Leaving) -> SafeString:
        return cells.state_tag(row)

    @admin.display(description=gettext_lazy("asked by"), ordering="asked_by__username")
    def asker(self, row: Leaving) -> SafeString:
        return cells.user(row.asked_by)

    @admin.display(description=gettext_lazy("asked"), ordering="asked_at")
    def asked(self, row: Leaving) -> SafeString:
        return cells.moment(row.asked_at)

    @admin.display(description=gettext_lazy("certified"), ordering="ended_at")
    def ended(self, row: Leaving) -> SafeString:
        return cells.moment(row.ended_at)


def _dated(value: Any, key: str = "") -> Any:
    """The certificate with its times as times, for the page."""
    if isinstance(value, dict):
        return {name: _dated(each, name) for name, each in value.items()}
    if isinstance(value, list):
        return [_dated(each) for each in value]
    return dt.datetime.fromisoformat(value) if key.endswith("_at") and value else value
