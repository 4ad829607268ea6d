"""Changed outside: what readings found that no change made here explains, and what is decided about it."""

import datetime as dt
from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone
from django.utils.dateparse import parse_date
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from membership.admin import filters
from membership.admin.base import PanelAdmin
from membership.admin.requests import Request
from membership.admin.telling import tell_decided
from membership.errors import BadValue, Reason
from membership.models import Change, Drift, Group
from membership.services import outside
from membership.services.decisions import Decided
from membership.templatetags import cells
from membership.vocab import DriftKind, DriftState, Right


class StateFilter(filters.Choice):
    """Without a choice: what waits for a decision."""

    title = gettext_lazy("decided")
    parameter_name = "state"
    options = (
        *((state.value, state.label) for state in (DriftState.ADOPTED, DriftState.REVERTED, DriftState.IGNORED)),
        ("all", gettext_lazy("everything")),
    )
    nothing_chosen = gettext_lazy("not yet")

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        value = self.value()
        if value == "all":
            return queryset
        if not value:
            return queryset.filter(outside.to_look_at())
        return queryset.filter(state=value) if value in DriftState.values else queryset.none()


class Since(filters.Choice):
    title = gettext_lazy("noticed")
    parameter_name = "noticed"
    options = (
        ("1", gettext_lazy("in the last 24 hours")),
        ("7", gettext_lazy("in the last 7 days")),
        ("30", gettext_lazy("in the last 30 days")),
    )

    def condition(self, value: str) -> Q | None:
        known = dict(self.options)
        return Q(noticed_at__gt=timezone.now() - dt.timedelta(days=int(value))) if value in known else None


@admin.register(Drift)
class DriftAdmin(PanelAdmin):
    is_mirrored = True
    lead = gettext_lazy(
        "Differences that readings found and no change made here explains. Say what is right as it is, and undo the"
        " rest: undoing shows a preview first. Newest first."
    )
    empty = gettext_lazy("Nothing was changed outside that somebody has to look at. Each reading looks again.")
    action_fields = "membership/drift/_until.html"
    posts = {"adopt": Right.ACT, "revert": Right.ACT}
    list_display = ("what", "who", "where", "by", "noticed", "decided")
    list_filter = (
        StateFilter,
        filters.System,
        filters.of_enum(gettext_lazy("what"), "kind", "kind", DriftKind),
        filters.contains(gettext_lazy("who did it there"), "by", "remote_actor"),
        Since,
        filters.identity(gettext_lazy("group"), "group", "group_id", (Group, "name")),
    )
    search_fields = ("label", "group__name")
    search_help_text = gettext_lazy("Person or group")
    list_select_related = ("connection", "group")
    ordering = ("-noticed_at", "-pk")
    actions = ("adopt", "revert", "ignore")

    def get_queryset(self, request: Request) -> QuerySet:
        heavy = ("group__secrets", "group__attributes", "connection__secrets", "connection__session")
        return super().get_queryset(request).defer(*heavy)

    def get_actions(self, request: Request) -> dict[str, Any]:
        """Only what waits can be decided about."""
        return super().get_actions(request) if request.GET.get("state", "") in ("", "all") else {}

    @property
    def tomorrow(self) -> dt.date:
        return timezone.localdate() + dt.timedelta(days=1)

    @property
    def in_two_weeks(self) -> dt.date:
        return timezone.localdate() + dt.timedelta(days=14)

    # --- decisions ----------------------------------------------------------------------------------------------------
    @admin.action(description=gettext_lazy("Adopt: right as it is"), permissions=["act"])
    def adopt(self, request: Request, queryset: QuerySet) -> None:
        decided = outside.adopt(queryset, actor=request.user)
        said = ngettext("%d difference is adopted.", "%d differences are adopted.", decided.done)
        _tell(request, said % decided.done, decided, DriftState.ADOPTED)

    @admin.action(description=gettext_lazy("Undo…"), permissions=["act"])
    def revert(self, request: Request, queryset: QuerySet) -> HttpResponse:
        return HttpResponseRedirect(cells.page(outside.draft_revert(queryset, actor=request.user)))

    @admin.action(description=gettext_lazy("Ignore until then"), permissions=["act"])
    def ignore(self, request: Request, queryset: QuerySet) -> None:
        until = _day(request.POST.get("until", ""))
        decided = outside.ignore(queryset, until, actor=request.user)
        said = ngettext("%d difference comes back on that day.", "%d differences come back on that day.", decided.done)
        _tell(request, said % decided.done, decided, DriftState.IGNORED)

    def do_adopt(self, request: Request, row: Drift) -> HttpResponse:
        self.adopt(request, Drift.objects.filter(pk=row.pk))
        return HttpResponseRedirect(cells.listing(Drift))

    def do_revert(self, request: Request, row: Drift) -> HttpResponse:
        return self.revert(request, Drift.objects.filter(pk=row.pk))

    # --- the list -----------------------------------------------------------------------------------------------------
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

    @admin.display(description=gettext_lazy("by, there"), ordering="remote_actor")
    def by(self, row: Drift) -> SafeString:
        """Who did it and when, where the system's own log tells."""
        if not row.remote_actor and row.remote_at is None:
            return cells.NOTHING
        at = cells.moment(row.remote_at) if row.remote_at else ""
        return cells.two(cells.name(row.remote_actor) if row.remote_actor else _("somebody"), at)

    @admin.display(description=gettext_lazy("noticed"), ordering="noticed_at")
    def noticed(self, row: Drift) -> SafeString:
        return cells.moment(row.noticed_at)

    @admin.display(description=gettext_lazy("decided"), ordering="state")
    def decided(self, row: Drift) -> SafeString:
        if row.state == DriftState.OPEN:
            return cells.NOTHING
        word = cells.tag(row.get_state_display(), "info" if row.state == DriftState.REVERTED else "plain")
        if row.state == DriftState.REVERTED and row.change_id:
            return format_html("{} {}", word, cells.link(cells.page(Change(pk=row.change_id)), _("the change")))
        if row.state == DriftState.IGNORED and row.ignored_until:
            return format_html("{} {}", word, _("until %(day)s") % {"day": cells.day(row.ignored_until)})
        return format_html("{} {}", word, cells.moment(row.decided_at))


def _day(text: str) -> dt.date:
    try:
        day = parse_date(text)
    except ValueError:
        day = None
    if day is None:
        raise BadValue(Reason.BAD_VALUE, key="until", why=_("it must be a day"))
    return day


def _tell(request: Request, said: str, decided: Decided, state: DriftState) -> None:
    left = ngettext(
        "%d was left as it is: somebody else decided about it meanwhile.",
        "%d were left as they are: somebody else decided about them meanwhile.",
        decided.left,
    )
    tell_decided(request, said, decided, cells.listing(Drift, state=state.value), left)
