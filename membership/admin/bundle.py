"""Bundles: named sets of groups in several systems, with rights, given to people or withdrawn in one change."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import Count, Prefetch, QuerySet
from django.http import HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from membership.admin import choosing
from membership.admin.base import PanelAdmin
from membership.admin.picking import RIGHT_BOXES, Answer, Pick, ask
from membership.admin.requests import Request, missing, sent, visible_systems
from membership.admin.until import until_form
from membership.errors import NotAllowed, Reason
from membership.models import Bundle, BundleItem, Change, has_right, visible_to
from membership.services import bundles, inert
from membership.templatetags import cells
from membership.vocab import Right

HEAVY = ("group__secrets", "group__attributes", "group__connection__secrets", "group__connection__session")


class BundleForm(forms.Form):
    name = forms.CharField(label=gettext_lazy("Name"), help_text=gettext_lazy("Such as “Trainer U12”."))
    note = forms.CharField(label=gettext_lazy("Note (optional)"), required=False)


@admin.register(Bundle)
class BundleAdmin(PanelAdmin):
    lead = gettext_lazy("Named sets of groups in several systems, given to people or withdrawn in one change.")
    empty = gettext_lazy(
        "No bundle yet. Make one of the groups that new people are always given together, and give it to them at once."
    )
    page_template = "membership/bundles/page.html"
    change_list_template = "membership/bundles/list.html"
    posts = {"delete_bundle": Right.ACT}
    list_display = ("title", "groups_count", "systems")
    search_fields = ("name", "note", "items__group__name")
    search_help_text = gettext_lazy("Name, note or group")
    ordering = ("name",)
    actions = ()

    def get_queryset(self, request: Request) -> QuerySet:
        rows: QuerySet = super().get_queryset(request)
        items = BundleItem.objects.select_related("group__connection").defer(*HEAVY)
        rows = rows.annotate(groups_n=Count("items", distinct=True)).prefetch_related(Prefetch("items", items))
        return rows

    def page_rows(self, request: Request) -> QuerySet:
        return visible_to(Bundle.objects.all(), request.user)

    def page_context(self, request: Request, row: Bundle) -> dict[str, Any]:
        items = [(item, _words(item)) for item in _items(row)]
        return {"items": items, "may_act": self.has_act_permission(request)}

    def changelist_view(self, request: Request, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        extra = {"may_act": self.has_act_permission(request), **(extra_context or {})}
        return super().changelist_view(request, extra)

    @admin.display(description=gettext_lazy("bundle"), ordering="name")
    def title(self, row: Bundle) -> SafeString:
        return cells.two(cells.link(cells.page(row), cells.name(row.name)), cells.name(row.note))

    @admin.display(description=gettext_lazy("groups"), ordering="groups_n")
    def groups_count(self, row: Bundle) -> int:
        return row.groups_n  # type: ignore[attr-defined,no-any-return]

    @admin.display(description=gettext_lazy("systems"))
    def systems(self, row: Bundle) -> SafeString:
        return cells.name(", ".join(sorted({item.group.connection.name for item in row.items.all()})))

    # --- pages that ask -----------------------------------------------------------------------------------------------
    def own_urls(self, prefix: str) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("new/", view(self.new_view), name=f"{prefix}_new"),
            path("<int:pk>/edit/", view(self.edit_view), name=f"{prefix}_edit"),
            path("<int:pk>/assign/", view(self.assign_view), name=f"{prefix}_assign"),
            path("<int:pk>/withdraw/", view(self.withdraw_view), name=f"{prefix}_withdraw"),
        ]

    def new_view(self, request: Request) -> HttpResponse:
        _need_right(request)
        return self._ask_groups(request, None)

    def edit_view(self, request: Request, pk: int) -> HttpResponse:
        return self._ask_groups(request, self._row(request, pk))

    def assign_view(self, request: Request, pk: int) -> HttpResponse:
        return self._ask_people(request, self._row(request, pk), is_withdrawn=False)

    def withdraw_view(self, request: Request, pk: int) -> HttpResponse:
        return self._ask_people(request, self._row(request, pk), is_withdrawn=True)

    def _row(self, request: Request, pk: int) -> Bundle:
        _need_right(request)
        row: Bundle | None = self.page_rows(request).filter(pk=pk).first()
        if row is None:
            raise missing(request, Bundle, pk)
        return row

    def _ask_groups(self, request: Request, row: Bundle | None) -> HttpResponse:
        def draft(answer: Answer) -> Bundle:
            lines = [bundles.Line(group, **answer.each.get(group.pk, {})) for group in answer.rows]
            saved = bundles.save_bundle(row, **answer.data, lines=lines, actor=request.user)
            messages.success(request, _("Saved. Nobody's groups change by it: assign the bundle to people."))
            return saved

        initial = {"name": row.name, "note": row.note} if row else None
        systems = [system.pk for system in visible_systems(request)]
        pick = Pick(
            title=_("Edit the bundle “%(name)s”") % {"name": inert.inert(row.name)} if row else _("New bundle"),
            lead=_("Tick its groups, and the rights that go with each. What is not ticked is as the system gives it."),
            button=_("Save the bundle"),
            choices=choosing.groups(request, systems, each_with_rights=True),
            form=BundleForm(sent(request), initial=initial),
            chosen={item.group_id: _ticked(item) for item in _items(row)} if row else {},
            draft=draft,
            back=cells.page(row) if row else cells.listing(Bundle),
        )
        return ask(self, request, pick)

    def _ask_people(self, request: Request, row: Bundle, *, is_withdrawn: bool) -> HttpResponse:
        def draft(answer: Answer) -> Change:
            if is_withdrawn:
                return bundles.draft_withdrawal(row, answer.rows, actor=request.user)
            return bundles.draft_bundle(row, answer.rows, until=answer.data["until"], actor=request.user)

        said = _("Withdraw “%(name)s” from whom?") if is_withdrawn else _("Assign “%(name)s” to whom?")
        pick = Pick(
            title=said % {"name": inert.inert(row.name)},
            button=_("Preview the withdrawal…") if is_withdrawn else _("Preview the bundle…"),
            choices=choosing.people(request),
            form=None if is_withdrawn else until_form(request),
            draft=draft,
            back=cells.page(row),
        )
        return ask(self, request, pick)

    def do_delete_bundle(self, request: Request, row: Bundle) -> HttpResponse:
        bundles.delete_bundle(row, actor=request.user)
        said = _("The bundle {} is deleted. Nobody's groups change by it.")
        messages.success(request, format_html(said, cells.name(row.name)))
        return HttpResponseRedirect(cells.listing(Bundle))


def _items(row: Bundle) -> QuerySet[BundleItem]:
    return row.items.select_related("group__connection").order_by("group__connection__name", "group__name", "pk")


def _ticked(item: BundleItem) -> list[str]:
    """The boxes that are ticked for a group of a bundle."""
    return [name for name, (value, _words) in RIGHT_BOXES.items() if getattr(item, name) is value]


def _words(item: BundleItem) -> str:
    return ", ".join(str(RIGHT_BOXES[name][1]) for name in _ticked(item)) or _("as a member")


def _need_right(request: Request) -> None:
    if not has_right(request.user, Right.ACT):
        raise NotAllowed(Reason.NO_RIGHT)
