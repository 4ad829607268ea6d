"""What all lists and pages of the panel have in common: rights, visibility, POST for every change.

The stock pages that add, edit and delete rows are closed: mirrored rows are changed by previews, the rest by services.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, ClassVar

from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST
from unfold.admin import ModelAdmin
from unfold.views import ChangeList

from membership.admin import exporting
from membership.admin.changelist import Nothing, PanelChangeList
from membership.admin.requests import ROW_ID, Request, missing, refuse, visible_systems
from membership.errors import MusterbookError, NotAllowed, Reason
from membership.models import has_right, visible_to
from membership.services import inert
from membership.templatetags import cells
from membership.vocab import Right

Text = str | Promise
ROWS = 50


class PanelAdmin(ModelAdmin):  # type: ignore[misc]  # the theme is not typed
    """A list and a page of rows that nobody edits in place."""

    right: ClassVar[Right] = Right.SEE
    page_template: ClassVar[str] = ""
    posts: ClassVar[Mapping[str, Right]] = {}
    """`{name: right}` of what can be done on a row's page; each has a method `do_<name>(request, row)`."""
    lead: ClassVar[Text] = ""
    """One sentence below the list's title."""
    search_help_text: ClassVar[Text] = gettext_lazy("Search")
    is_mirrored: ClassVar[bool] = False
    """Whether the list tells what remotes say, so that it must say how old that is."""
    more_formats: ClassVar[Mapping[str, tuple[Text, exporting.Export]]] = {}
    """Formats of a download beside the usual ones: `{value: (word, function)}`."""
    action_fields: ClassVar[str] = ""
    """Template of fields that the list's actions take, beside the buttons."""
    empty: ClassVar[Text] = gettext_lazy("There is nothing here yet.")
    empty_leads_to: ClassVar[tuple[type[Model], Text] | None] = None
    """The list on which one goes on from an empty one, and the words of its link."""

    list_per_page = ROWS
    show_full_result_count = False
    list_display_links = None
    change_list_template = "membership/list.html"
    actions_selection_counter = True
    empty_value_display = cells.NOTHING

    # --- rights -------------------------------------------------------------------------------------------------------
    def has_module_permission(self, request: Request) -> bool:
        return has_right(request.user, self.right)

    def has_view_permission(self, request: Request, obj: Model | None = None) -> bool:
        return has_right(request.user, self.right)

    def has_add_permission(self, request: Request) -> bool:
        return False

    def has_change_permission(self, request: Request, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: Request, obj: Model | None = None) -> bool:
        return False

    def has_act_permission(self, request: Request) -> bool:
        return has_right(request.user, Right.ACT)

    def has_refresh_permission(self, request: Request) -> bool:
        return has_right(request.user, Right.REFRESH)

    def get_queryset(self, request: Request) -> QuerySet:
        return visible_to(super().get_queryset(request), request.user)

    # --- stock pages are closed ---------------------------------------------------------------------------------------
    def changeform_view(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        raise PermissionDenied

    def delete_view(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        raise PermissionDenied

    def history_view(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        raise PermissionDenied

    # --- addresses ----------------------------------------------------------------------------------------------------
    def get_urls(self) -> list[URLPattern]:
        prefix = f"{self.opts.app_label}_{self.opts.model_name}"
        own = self.own_urls(prefix)
        if exporting.columns_of(self):
            file = require_POST(partial(exporting.export, self))
            own.append(path("export/", self.admin_site.admin_view(file), name=f"{prefix}_export"))
        if self.page_template:
            own.append(path("<int:pk>/", self.admin_site.admin_view(self.page_view), name=f"{prefix}_page"))
        for name in self.posts:
            view = self.admin_site.admin_view(require_POST(self._poster(name)))
            own.append(path(f"<int:pk>/{name}/", view, name=f"{prefix}_{name}"))
        stock: list[URLPattern] = super().get_urls()
        return own + stock

    def own_urls(self, prefix: str) -> list[URLPattern]:
        return []

    def _poster(self, name: str) -> Callable[..., HttpResponse]:
        def post_view(request: Request, pk: int) -> HttpResponse:
            if not has_right(request.user, self.posts[name]):
                raise NotAllowed(Reason.NO_RIGHT)
            row = self.get_queryset(request).filter(pk=pk).first()
            if row is None:
                raise NotAllowed(Reason.NOT_VISIBLE)
            try:
                response: HttpResponse | None = getattr(self, f"do_{name}")(request, row)
            except NotAllowed:
                raise
            except MusterbookError as error:
                refuse(request, error)
                response = None
            return response or HttpResponseRedirect(cells.page(row))

        return post_view

    # --- lists --------------------------------------------------------------------------------------------------------
    def get_changelist(self, request: Request, **kwargs: Any) -> type[ChangeList]:
        return PanelChangeList

    def nothing_yet(self, request: Request) -> Nothing:
        """What the list says when it has no rows at all, and where to go next."""
        if self.empty_leads_to is None:
            return Nothing(str(self.empty))
        model, link = self.empty_leads_to
        return Nothing(str(self.empty), cells.listing(model), str(link))

    def get_actions(self, request: Request) -> dict[str, Any]:
        actions: dict[str, Any] = super().get_actions(request)
        actions.pop("delete_selected", None)
        return actions

    def action_checkbox(self, obj: Model) -> str:
        return format_html(
            '<input type="checkbox" class="mu-check action-select" name="{}" value="{}" aria-label="{}">',
            ACTION_CHECKBOX_NAME,
            obj.pk,
            _("Select %(name)s") % {"name": inert.inert(str(getattr(obj, "called", obj)))},
        )

    def changelist_view(self, request: Request, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        if request.method == "POST":
            self._check_action(request)
        extra = {"lead": self.lead, "is_mirrored": self.is_mirrored, **(extra_context or {})}
        if self.is_mirrored:
            extra["as_of_systems"] = visible_systems(request)
        try:
            return super().changelist_view(request, extra)  # type: ignore[no-any-return]
        except NotAllowed:
            raise
        except MusterbookError as error:
            refuse(request, error)
            return HttpResponseRedirect(request.get_full_path())

    def _check_action(self, request: Request) -> None:
        """A list takes nothing but the actions that it offers, about rows named by their ids."""
        if not all(ROW_ID.fullmatch(pk) for pk in request.POST.getlist(ACTION_CHECKBOX_NAME)):
            raise NotAllowed(Reason.REQUEST_FORGED)
        action = request.POST.get("action", "")
        if action in self.get_actions(request):
            return
        known = any(action == getattr(own, "__name__", own) for own in self.actions or ())
        raise NotAllowed(Reason.NO_RIGHT if known else Reason.REQUEST_FORGED)

    # --- pages --------------------------------------------------------------------------------------------------------
    def page_view(self, request: Request, pk: int) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        row = self.page_rows(request).filter(pk=pk).first()
        if row is None:
            raise missing(request, self.model, pk)
        return self.render(request, self.page_template, row=row, **self.page_context(request, row))

    def page_rows(self, request: Request) -> QuerySet:
        """Rows with what their page needs joined."""
        return self.get_queryset(request)

    def page_context(self, request: Request, row: Any) -> dict[str, Any]:
        return {}

    def render(self, request: Request, template: str, **context: Any) -> TemplateResponse:
        """A page of ours in the panel's frame. `title` is its heading; `crumbs` are (text, address) pairs."""
        own = (capfirst(self.opts.verbose_name_plural), cells.listing(self.model))
        context.setdefault("crumbs", [own])
        context.setdefault("title", inert.inert(str(context.get("row", own[0]))))
        request.current_app = self.admin_site.name
        return TemplateResponse(request, template, {**self.admin_site.each_context(request), **context})
