"""What can be done with ticked participants, and with one on its page: rights, moves and copies, removals."""

from collections.abc import Callable, Mapping
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from membership.admin import choosing, participant_edit, selections
from membership.admin.base import PanelAdmin, Text
from membership.admin.picking import Answer, Pick, ask
from membership.admin.requests import Request, selection_of, visible_systems
from membership.admin.until import EndVerbs, until_form
from membership.errors import NotAllowed, Reason
from membership.models import Change, Connection, Participant, has_right
from membership.services import alteration, inert, removal, titles, transfer
from membership.services.abilities import Abilities, abilities
from membership.templatetags import cells
from membership.vocab import Right

GIVES: Mapping[str, tuple[str, bool, Any]] = {
    "make_manager": ("is_manager", True, gettext_lazy("Make manager")),
    "make_member": ("is_manager", False, gettext_lazy("Make member")),
    "mute": ("is_muted", True, gettext_lazy("Mute")),
    "unmute": ("is_muted", False, gettext_lazy("Unmute")),
    "allow_writing": ("can_write", True, gettext_lazy("Allow writing")),
    "forbid_writing": ("can_write", False, gettext_lazy("Forbid writing")),
}
"""`{action: (right, value, words)}`."""
GOES: Mapping[str, Any] = {
    "move": gettext_lazy("Move to another group…"),
    "copy": gettext_lazy("Copy to another group…"),
}
"""Actions that ask for a group first."""


def can(action: str, system: Abilities) -> bool:
    """Whether a system can do what an action asks for."""
    if action in GIVES:
        return GIVES[action][0] in system.rights
    return {"copy": system.add, "move": system.add and system.remove, "remove": system.remove}[action]


def offered_for(row: Participant) -> list[tuple[str, Text]]:
    """(action, words) of the rights that one participant can be given and does not have."""
    system = abilities(row.group.connection)
    return [
        (action, words)
        for action, (right, value, words) in GIVES.items()
        if can(action, system) and getattr(row, right) in (None, not value)
    ]


def offered_in(system: Connection) -> list[tuple[str, Text]]:
    """(action, words) of what can be done with several participants of one system, removals apart."""
    able = abilities(system)
    words = {**{action: words for action, (_right, _value, words) in GIVES.items()}, **GOES}
    return [(action, each) for action, each in words.items() if can(action, able)]


def _giving(action: str) -> Callable[..., HttpResponse]:
    def give(_page: PanelAdmin, request: Request, queryset: QuerySet) -> HttpResponse:
        right, value, _words = GIVES[action]
        selection = selection_of(request, queryset)
        change = alteration.draft_alteration(queryset, {right: value}, actor=request.user, selection=selection)
        return HttpResponseRedirect(cells.page(change))

    give.__name__ = action
    return admin.action(description=GIVES[action][2], permissions=["act"])(give)


class ParticipantVerbs(EndVerbs, PanelAdmin):
    posts = {"remove": Right.ACT, "give": Right.ACT, "set_end": Right.ACT, "lift_end": Right.ACT}
    actions = (*GIVES, "move", "copy", "remove")

    make_manager = _giving("make_manager")
    make_member = _giving("make_member")
    mute = _giving("mute")
    unmute = _giving("unmute")
    allow_writing = _giving("allow_writing")
    forbid_writing = _giving("forbid_writing")

    # --- what is offered ----------------------------------------------------------------------------------------------
    def action_systems(self, request: Request) -> dict[str, list[int]]:
        """Those of the systems in view that can do an action: `{action: [connection id]}`."""
        chosen = request.GET.get("system", "")
        systems = [row for row in visible_systems(request) if chosen in ("", str(row.pk))]
        found = {row.pk: abilities(row) for row in systems}
        return {str(name): [pk for pk, each in found.items() if can(str(name), each)] for name in self.actions}

    def get_actions(self, request: Request) -> dict[str, Any]:
        offered = self.action_systems(request)
        return {name: each for name, each in super().get_actions(request).items() if offered.get(name)}

    def changelist_view(self, request: Request, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        extra = {"action_systems": self.action_systems(request), **(extra_context or {})}
        return super().changelist_view(request, extra)

    def action_checkbox(self, obj: Any) -> str:
        """The box, with its system: the script offers what the systems of all ticked rows can do."""
        box = super().action_checkbox(obj)
        return format_html('<span data-system="{}">{}</span>', obj.group.connection_id, box)

    # --- actions ------------------------------------------------------------------------------------------------------
    @admin.action(description=GOES["move"], permissions=["act"])
    def move(self, request: Request, queryset: QuerySet) -> HttpResponse:
        return _go("move", selection_of(request, queryset))

    @admin.action(description=GOES["copy"], permissions=["act"])
    def copy(self, request: Request, queryset: QuerySet) -> HttpResponse:
        return _go("copy", selection_of(request, queryset))

    @admin.action(description=gettext_lazy("Remove from group…"), permissions=["act"])
    def remove(self, request: Request, queryset: QuerySet) -> HttpResponse:
        change = removal.draft_removal(queryset, actor=request.user, selection=selection_of(request, queryset))
        return HttpResponseRedirect(cells.page(change))

    # --- one participant ----------------------------------------------------------------------------------------------
    def do_remove(self, request: Request, row: Participant) -> HttpResponse:
        rows = self.get_queryset(request).filter(pk=row.pk)
        change = removal.draft_removal(rows, actor=request.user, selection={"kind": "ids", "ids": [row.pk]})
        return HttpResponseRedirect(cells.page(change))

    def do_give(self, request: Request, row: Participant) -> HttpResponse:
        given = GIVES.get(request.POST.get("action", ""))
        if given is None:
            raise NotAllowed(Reason.REQUEST_FORGED)
        rows, selection = self.get_queryset(request).filter(pk=row.pk), {"kind": "ids", "ids": [row.pk]}
        change = alteration.draft_alteration(rows, {given[0]: given[1]}, actor=request.user, selection=selection)
        return HttpResponseRedirect(cells.page(change))

    # --- pages that ask -----------------------------------------------------------------------------------------------
    def own_urls(self, prefix: str) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            *super().own_urls(prefix),
            path("move/", view(self.move_view), name=f"{prefix}_move"),
            path("copy/", view(self.copy_view), name=f"{prefix}_copy"),
            path("<int:pk>/edit/", view(self.edit_view), name=f"{prefix}_edit"),
        ]

    def move_view(self, request: Request) -> HttpResponse:
        return self._ask_target(request, keep=False)

    def copy_view(self, request: Request) -> HttpResponse:
        return self._ask_target(request, keep=True)

    def edit_view(self, request: Request, pk: int) -> HttpResponse:
        return participant_edit.view(self, request, pk)

    def _ask_target(self, request: Request, *, keep: bool) -> HttpResponse:
        if not has_right(request.user, Right.ACT):
            raise NotAllowed(Reason.NO_RIGHT)
        chosen = selections.selected(self, request)
        places = set(chosen.rows.order_by().values_list("group__connection_id", "group_id").distinct())
        systems, left = {system for system, _group in places}, {group for _system, group in places}

        def draft(answer: Answer) -> Change:
            return transfer.draft_transfer(
                chosen.rows,
                answer.rows[0],
                keep=keep,
                until=answer.data["until"],
                actor=request.user,
                selection=chosen.selection,
            )

        lead = (
            _("They get the same rights there, and stay where they are.")
            if keep
            else _("They get the same rights there, and leave where they are now.")
        )
        who = inert.inert(str(chosen.only)) if chosen.only else titles.people(chosen.count)
        title = _("Copy %(people)s to which group?") if keep else _("Move %(people)s to which group?")
        pick = Pick(
            title=title % {"people": who},
            lead=lead,
            button=_("Preview the copy…") if keep else _("Preview the move…"),
            choices=choosing.groups(request, systems, but=left if len(left) == 1 else ()),
            form=until_form(request),
            draft=draft,
            many=False,
            back=cells.page(chosen.only) if chosen.only else cells.listing(Participant),
        )
        return ask(self, request, pick)


def _go(name: str, selection: dict[str, Any]) -> HttpResponse:
    return HttpResponseRedirect(selections.address(reverse(f"admin:membership_participant_{name}"), selection))
