"""The audit log: read-only for everybody. Sentences come from `services/audit_log.py`."""

import datetime as dt
import re
from collections.abc import Iterator
from itertools import groupby
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.core.paginator import Page, Paginator
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST
from unfold.views import ChangeList

from membership.admin import filters
from membership.admin.base import PanelAdmin
from membership.admin.changelist import Chip, PanelChangeList
from membership.admin.context import badges
from membership.admin.requests import ROW_ID, Request, missing, refuse, visible_systems
from membership.errors import ChangeRefused
from membership.models import Account, AuditEntry, Change, Connection, Group, Participant, Person, visible_to
from membership.services import (
    audit_checks,
    audit_damage,
    audit_export,
    audit_facets,
    audit_few,
    audit_log,
    audit_query,
    audit_retention,
    audit_times,
    inert,
    timelines,
    titles,
)
from membership.templatetags import cells
from membership.vocab import AuditAction, Chain, Right

PAGES: dict[str, Any] = {
    "change": Change,
    "connection": Connection,
    "group": Group,
    "account": Account,
    "person": Person,
    "participant": Participant,
}


class ChainFilter(filters.Choice):
    title = gettext_lazy("chain")
    parameter_name = "chain"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        own = [(f"connection:{row.pk}", row.name) for row in visible_systems(request)]
        return [*Chain.choices, *own]

    def condition(self, value: str) -> Q | None:
        return audit_few.by_number(Q(chain=value[:60]))


class Since(filters.Choice):
    kind = "date"
    title = gettext_lazy("from")
    parameter_name = "since"

    def condition(self, value: str) -> Q | None:
        return self.understood(audit_times.since(value))

    @staticmethod
    def understood(found: Q | str) -> Q | None:
        return None if isinstance(found, str) else found


class Until(Since):
    title = gettext_lazy("until")
    parameter_name = "until"

    def condition(self, value: str) -> Q | None:
        return self.understood(audit_times.until(value))


class OfPerson(filters.Identity):
    """A person's entries are also those of the accounts."""

    title = gettext_lazy("person")
    parameter_name = "person_id"
    column = "person_id"

    def condition(self, value: str) -> Q | None:
        return audit_log.about_person(int(value)) if filters.is_id(value) else None


class NewestFirst(Paginator):
    """Lists no more than the newest entries, found once: what is older is found by a narrower search."""

    @cached_property
    def found(self) -> audit_facets.Newest:
        return audit_facets.newest(self.object_list)  # type: ignore[arg-type]

    @property
    def count(self) -> int:
        return len(self.found.ids)

    @property
    def is_bounded(self) -> bool:
        return self.found.is_bounded

    def page(self, number: int | str) -> Page:
        number = self.validate_number(number)
        ids = self.found.ids[(number - 1) * self.per_page : number * self.per_page]
        rows = {row.pk: row for row in audit_damage.entries(AuditEntry.objects.filter(pk__in=ids))}
        # An entry that a cut took off meanwhile is no longer there.
        return Page([rows[pk] for pk in ids if pk in rows], number, self)


class AuditChangeList(PanelChangeList):
    facets: list[tuple[audit_facets.Facet, list[tuple[audit_facets.Value, str]]]]

    def get_results(self, request: Request) -> None:
        super().get_results(request)
        self.asked = getattr(request, "audit_asked", audit_query.Asked())
        self.facets = [
            (facet, [(value, self._with(request, value.term)) for value in facet.values])
            for facet in self.paginator.found.facets
        ]
        rows: list[AuditEntry] = list(self.shown_page.object_list)
        for row, line in zip(rows, audit_log.lines(rows, checked=True), strict=True):
            row.line = line  # type: ignore[attr-defined]
        self.result_list = rows

    def search_chips(self, request: Request) -> Iterator[Chip]:
        """Each word and term can be taken away by itself."""
        found = [piece[0] for piece in audit_query.pieces(self.query)]
        for number, piece in enumerate(found):
            rest = " ".join([*found[:number], *found[number + 1 :]])
            yield Chip(_("search"), inert.inert(piece), self._asking(request, rest))

    def _with(self, request: Request, term: str) -> str:
        return self._asking(request, audit_facets.with_term(self.query, term))

    @staticmethod
    def _asking(request: Request, line: str) -> str:
        query = request.GET.copy()
        for name in ("p", "q"):
            query.pop(name, None)
        if line:
            query["q"] = line
        return f"?{query.urlencode()}"


@admin.register(AuditEntry)
class AuditEntryAdmin(PanelAdmin):
    right = Right.READ_AUDIT
    lead = gettext_lazy("What was asked for, sent, answered, read and refused. Nobody can change it. Newest first.")
    page_template = "membership/audit/page.html"
    change_list_template = "membership/audit/list.html"
    paginator = NewestFirst
    list_display = ("when", "what", "actor", "place")
    list_filter = (
        filters.of_enum(gettext_lazy("what"), "action", "action", AuditAction),
        ChainFilter,
        Since,
        Until,
        filters.identity(gettext_lazy("change"), "change_id", "change_id"),
        filters.identity(gettext_lazy("step"), "operation_id", "operation_id"),
        filters.identity(gettext_lazy("system"), "connection_id", "connection_id"),
        filters.identity(gettext_lazy("group"), "group_id", "group_id"),
        filters.identity(gettext_lazy("account"), "account_id", "account_id"),
        filters.identity(gettext_lazy("participant"), "participant_id", "participant_id"),
        filters.identity(gettext_lazy("user"), "actor_id", "actor_id"),
        OfPerson,
    )
    more_formats = {
        "jsonl": (gettext_lazy("JSON Lines with proof"), audit_export.export_with_proof),
        "csv-proof": (gettext_lazy("CSV with proof"), audit_export.export_with_proof),
    }
    search_fields = ("pk",)
    search_help_text = gettext_lazy("Names, reasons, #12, or terms such as group:chess from:7d")
    ordering = ("-pk",)
    actions = ()

    def own_urls(self, prefix: str) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("verify/", view(require_POST(self.verify)), name=f"{prefix}_verify"),
            path("of/<slug:kind>/<int:pk>/", view(self.timeline_view), name=f"{prefix}_timeline"),
            *super().own_urls(prefix),
        ]

    def changelist_view(self, request: Request, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        under_way, last_check = audit_checks.latest()
        told = {
            "check": under_way,
            "last_check": last_check,
            "found_faults": audit_checks.told_faults(last_check) if last_check else (),
            "anchor_problem": getattr(badges(request), "anchor_problem", ""),
            "search_help": audit_query.HELP,
            "cut_at": audit_retention.cut_at(),
        }
        with audit_damage.readable():
            return super().changelist_view(request, {**told, **(extra_context or {})})

    def verify(self, request: Request) -> HttpResponse:
        try:
            audit_checks.ask_check(actor=request.user)
        except ChangeRefused as error:
            refuse(request, error)
        return HttpResponseRedirect(cells.listing(AuditEntry))

    def get_changelist(self, request: Request, **kwargs: Any) -> type[ChangeList]:
        return AuditChangeList

    def get_search_results(self, request: Request, queryset: QuerySet, search_term: str) -> tuple[QuerySet, bool]:
        # A file holds all that was found, a page the newest.
        whole = request.method == "POST"
        found, asked = audit_query.narrow(queryset, search_term, request.user, whole=whole)
        request.audit_asked = asked  # type: ignore[attr-defined]
        return found, False

    def timeline_view(self, request: Request, kind: str, pk: int) -> HttpResponse:
        """What happened to one row, as sentences."""
        model = PAGES.get(kind)
        if not self.has_view_permission(request):
            raise PermissionDenied
        if model is None:
            raise Http404
        row = visible_to(model.objects.filter(pk=pk), request.user).first()
        if row is None:
            raise missing(request, model, pk)
        before = request.GET.get("before", "")
        with audit_damage.readable():
            found = timelines.timeline(row, request.user, before=int(before) if ROW_ID.fullmatch(before) else None)
        context = {
            "row": row,
            "name": _("%(title)s (change %(id)s)") % {"title": titles.title(row), "id": row.pk}
            if isinstance(row, Change)
            else str(row),
            "address": cells.page(row),
            "entries": cells.listing(AuditEntry, **{f"{kind}_id": pk}),
            "days": [(day, list(events)) for day, events in groupby(found.events, key=_day)],
            "older": found.older,
            "is_first": not before,
            "cut_at": None if found.older else audit_retention.cut_at(),
        }
        title = _("Timeline of %(name)s") % {"name": inert.inert(context["name"])}
        return self.render(request, "membership/audit/timeline.html", title=title, **context)

    def page_view(self, request: Request, pk: int) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        title = _("Entry %(id)s") % {"id": pk}
        if audit_retention.is_cut_off(pk):
            cut_at = audit_retention.cut_at()
            gone = self.render(request, "membership/audit/gone.html", title=title, cut_at=cut_at)
            gone.status_code = 404
            return gone
        with audit_damage.readable():
            detail = audit_log.detail(pk, request.user)
        # Whose step was not confirmed stayed as they were.
        is_wish = detail.line.action.startswith("operation.") and detail.line.action != AuditAction.OPERATION_CONFIRMED
        links = _links(detail, request)
        return self.render(request, self.page_template, detail=detail, links=links, is_wish=is_wish, title=title)

    @admin.display(description=gettext_lazy("when"), ordering="pk")
    def when(self, row: AuditEntry) -> SafeString:
        return cells.link(cells.page(row), cells.moment(row.at, "H:i:s"))

    @admin.display(description=gettext_lazy("what happened"))
    def what(self, row: AuditEntry) -> SafeString:
        line: audit_log.Line = row.line  # type: ignore[attr-defined]
        erased = cells.tag(_("personal part erased")) if line.erased else ""
        fault = cells.tag(_("does not hold"), "bad") if line.fault else ""
        return format_html("{} {} {}", _with_change(line), erased, fault)

    @admin.display(description=gettext_lazy("who"))
    def actor(self, row: AuditEntry) -> SafeString:
        actor = row.line.actor  # type: ignore[attr-defined]
        return cells.name(actor) if actor else format_html('<span class="mu-quiet">{}</span>', "Musterbook")

    @admin.display(description=gettext_lazy("chain"))
    def place(self, row: AuditEntry) -> SafeString:
        line: audit_log.Line = row.line  # type: ignore[attr-defined]
        return format_html("{} {}", cells.name(line.chain_label), f"#{line.seq}")


def _with_change(line: audit_log.Line) -> SafeString:
    """The sentence, with a link to its change: where it is named, else behind."""
    if line.change_id is None:
        return cells.name(line.sentence)
    address = reverse("admin:membership_change_page", args=[line.change_id])
    said = _("change %(id)s") % {"id": line.change_id}
    named = re.search(rf"\b{re.escape(said)}\b", line.sentence, re.IGNORECASE)
    if named is None:
        return format_html('{} <a class="mu-link mu-small" href="{}">{}</a>', cells.name(line.sentence), address, said)
    before, after = inert.inert(line.sentence[: named.start()]), inert.inert(line.sentence[named.end() :])
    return format_html("<bdi>{}{}{}</bdi>", before, cells.link(address, named[0]), after)


def _day(event: timelines.Event) -> dt.date:
    return timezone.localtime(event.at).date()


def _links(detail: audit_log.Detail, request: HttpRequest) -> list[tuple[str, str]]:
    """`(words, address)` of what the entry is about; of what is no longer there, its other entries."""
    found = []
    for name, number in detail.refs.items():
        model = PAGES.get(name)
        if model is None:
            continue
        row = visible_to(model.objects.filter(pk=number), request.user).first()
        what = f"{model._meta.verbose_name} {number}"
        if row is None:
            found.append((what, cells.listing(AuditEntry, **{f"{name}_id": number})))
        else:
            label = titles.title(row) if isinstance(row, Change) else str(row)
            found.append((_("%(name)s (%(what)s)") % {"name": label, "what": what}, cells.page(row)))
    return found
