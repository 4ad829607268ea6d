"""A list as it stands: its rows, its filters as chips that can be taken away, and what to do where nothing is."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from django.http import QueryDict
from django.urls import reverse
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from unfold.views import ChangeList

from membership.admin.exporting import FORMATS, columns_of
from membership.admin.requests import Request, visible_systems
from membership.models import Connection, has_right
from membership.services import inert, refresh
from membership.vocab import ConnectionState, Right

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
    result_list: Any
    chips: list[Chip]
    nothing: Nothing | None
    is_growing: bool
    """Whether a first reading is under way, so that rows are still to come."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.title = capfirst(self.opts.verbose_name_plural)

    def get_results(self, request: Request) -> None:
        super().get_results(request)
        if not self.result_count:  # what came since it was counted comes with the next look
            self.result_list = self.result_list.none()
        self.shown_page = self.paginator.get_page(self.page_num)
        more = [(value, word) for value, (word, _export) in self.model_admin.more_formats.items()]
        self.exports = (*more, *FORMATS) if columns_of(self.model_admin) else ()
        rare = [spec for spec in self.filter_specs if spec.is_rare and spec.kind != "identity"]
        self.has_rare_filters, self.rare_is_active = bool(rare), any(spec.value() for spec in rare)
        self.chips = list(self._chips(request))
        self.is_growing = bool(self.result_count) and self.model_admin.is_mirrored and _is_first_read(request)
        is_bare = not (self.result_count or self.query)
        self.nothing = nothing(request, self.model_admin, is_filtered=self.has_active_filters) if is_bare else None

    def search_chips(self, request: Request) -> Iterator[Chip]:
        if self.query:
            yield Chip(_("search"), inert.inert(self.query), _without(request.GET, "q"))

    def _chips(self, request: Request) -> Iterator[Chip]:
        yield from self.search_chips(request)
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


def nothing(request: Request, page: "PanelAdmin", *, is_filtered: bool) -> Nothing | None:
    """What comes first comes first: a system, its first reading, then what this list is about.

    None: nothing matches what was asked for.
    """
    if page.is_mirrored:
        systems = visible_systems(request)
        if not systems:
            return no_system(request)
        about = _listed_systems(request)
        if not any(row.read_at for row in about):
            return _not_read(about)
    return None if is_filtered else page.nothing_yet(request)


def _listed_systems(request: Request) -> list[Connection]:
    systems = visible_systems(request)
    return [row for row in systems if str(row.pk) == request.GET.get("system")] or systems


def _is_first_read(request: Request) -> bool:
    unread = [row.pk for row in _listed_systems(request) if not row.read_at and row.state == ConnectionState.ACTIVE]
    return bool(unread) and refresh.is_being_read(unread)


def _not_read(systems: Sequence[Connection]) -> Nothing:
    if all(row.state == ConnectionState.ACTIVE for row in systems):
        text = ngettext(
            "The system is being read for the first time. This page looks again by itself.",
            "The systems are being read for the first time. This page looks again by itself.",
            len(systems),
        )
        return Nothing(text, is_coming=True)
    text = _("Nothing has been read yet, and the worker does not read what is stopped.")
    return Nothing(text, reverse("admin:membership_connection_changelist"), _("Look at the systems"))


def no_system(request: Request) -> Nothing:
    """Where everything begins."""
    if has_right(request.user, Right.MANAGE_SYSTEMS):
        text = _("No system is connected yet. It takes an address, credentials, and a minute.")
        return Nothing(text, reverse("admin:membership_connection_connect"), _("Connect a system"))
    return Nothing(_("No system is connected yet. An owner connects one; then this page fills by itself."))
