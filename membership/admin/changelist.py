"""A list as it stands: its rows, its filters as chips that can be taken away, and what to do where nothing is."""

from typing import TYPE_CHECKING, Any, NamedTuple

from django.http import QueryDict
from django.urls import reverse
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from unfold.views import ChangeList

from membership.admin.requests import Request, visible_systems
from membership.models import has_right
from membership.services import inert
from membership.vocab import Right

if TYPE_CHECKING:
    from membership.admin.base import PanelAdmin


class Chip(NamedTuple):
    """One filter that is set: what it says, and the address of the list without it."""

    title: str
    value: str
    without: str


class Nothing(NamedTuple):
    """What an empty list says, and where to go next."""

    text: str
    address: str = ""
    link: str = ""
    is_coming: bool = False
    """Whether the page looks again by itself: the first reading is under way."""


class PanelChangeList(ChangeList):  # type: ignore[misc]  # the theme is not typed
    chips: list[Chip]
    nothing: Nothing | None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.title = capfirst(self.opts.verbose_name_plural)

    def get_results(self, request: Request) -> None:
        super().get_results(request)
        self.shown_page = self.paginator.get_page(self.page_num)
        self.chips = list(self._chips(request))
        is_bare = not (self.result_count or self.query or self.has_active_filters)
        self.nothing = nothing(request, self.model_admin) if is_bare else None

    def _chips(self, request: Request) -> Any:
        if self.query:
            yield Chip(_("search"), inert.inert(self.query), _without(request.GET, "q"))
        for spec in self.filter_specs:
            value = spec.value()
            if value:
                said = inert.inert(str(spec.said(request, value)))
                yield Chip(str(spec.title), said, _without(request.GET, spec.parameter_name))


def _without(query: QueryDict, name: str) -> str:
    rest = query.copy()
    for key in (name, "p"):
        rest.pop(key, None)
    return f"?{rest.urlencode()}"


def nothing(request: Request, page: "PanelAdmin") -> Nothing:
    """What comes first comes first: a system, its first reading, then what this list is about."""
    systems = visible_systems(request)
    if page.is_mirrored and not systems:
        return no_system(request)
    if page.is_mirrored and not any(row.read_at for row in systems):
        if all(row.state == "active" for row in systems):
            text = _("The systems are being read for the first time. This page looks again by itself.")
            return Nothing(text, is_coming=True)
        text = _("No system has been read yet, and not all of them are working.")
        return Nothing(text, reverse("admin:membership_connection_changelist"), _("Look at the systems"))
    return page.nothing_yet(request)


def no_system(request: Request) -> Nothing:
    """Where everything begins."""
    if has_right(request.user, Right.MANAGE_SYSTEMS):
        text = _("No system is connected yet. It takes an address, credentials, and a minute.")
        return Nothing(text, reverse("admin:membership_connection_connect"), _("Connect a system"))
    return Nothing(_("No system is connected yet. An owner connects one; then this page fills by itself."))
