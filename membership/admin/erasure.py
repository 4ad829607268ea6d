"""Erasures of people: asked for by one, approved by another."""

from typing import Any

from django.contrib import admin, messages
from django.http import HttpResponse, HttpResponseRedirect
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from membership.admin.base import PanelAdmin
from membership.admin.requests import Request
from membership.models import Erasure, Person
from membership.services import erasure, inert, pages
from membership.templatetags import cells
from membership.vocab import ErasureState, Right


@admin.register(Erasure)
class ErasureAdmin(PanelAdmin):
    right = Right.ERASE
    lead = gettext_lazy("Whoever asks for an erasure cannot approve it. What was erased cannot be got back.")
    empty = gettext_lazy("Nobody asked to have a person erased. It is asked for on the person's page.")
    page_template = "membership/erasures/page.html"
    posts = {"approve": Right.ERASE, "reject": Right.ERASE}
    list_display = ("who", "how", "asked", "decided")
    ordering = ("-pk",)
    actions = ()

    def page_context(self, request: Request, row: Erasure) -> dict[str, Any]:
        person = Person.objects.filter(pk=row.person_id).first()
        is_open = row.state == ErasureState.ASKED
        return {
            "title": _title(row, is_open),
            "person": person,
            "is_open": is_open,
            "is_own": row.asked_by_id == request.user.pk,
            "asked_by": pages.user_name(row.asked_by_id),
            "decided_by": pages.user_name(row.decided_by_id),
            "comes_back": erasure.comes_back(person) if person and is_open else [],
            "archives_missing": erasure.archives_missing() if is_open or row.counts.get("archives_missing") else [],
            "counts": [(_COUNTED.get(key, key), number) for key, number in row.counts.items()],
        }

    @admin.display(description=gettext_lazy("person"))
    def who(self, row: Erasure) -> SafeString:
        return cells.link(cells.page(row), cells.name(row.label))

    @admin.display(description=gettext_lazy("state"))
    def how(self, row: Erasure) -> SafeString:
        return cells.state_tag(row)

    @admin.display(description=gettext_lazy("asked"))
    def asked(self, row: Erasure) -> SafeString:
        return cells.two(cells.moment(row.asked_at), cells.name(pages.user_name(row.asked_by_id)))

    @admin.display(description=gettext_lazy("decided"))
    def decided(self, row: Erasure) -> SafeString:
        if row.decided_at is None:
            return cells.NOTHING
        return cells.two(cells.moment(row.decided_at), cells.name(pages.user_name(row.decided_by_id)))

    def do_approve(self, request: Request, row: Erasure) -> None:
        erasure.approve(row, actor=request.user)
        messages.success(request, _("Erased. The audit log says that it was done, and no longer about whom."))

    def do_reject(self, request: Request, row: Erasure) -> None:
        erasure.reject(row, actor=request.user)
        messages.success(request, _("It stays as it is."))


def _title(row: Erasure, is_open: bool) -> str:
    if row.state == ErasureState.DONE:
        return _("A person was erased")
    name = {"name": inert.inert(row.label)}
    return _("Erase %(name)s?") % name if is_open else _("Erasure of %(name)s") % name


_COUNTED = {
    "changes": gettext_lazy("changes that named the person"),
    "texts": gettext_lazy("other texts that named the person"),
    "left_outs": gettext_lazy("wishes left out of a change"),
    "drifts": gettext_lazy("changes made outside"),
    "proposals": gettext_lazy("proposals to link"),
    "list_rows": gettext_lazy("rows of lists from files"),
    "leavings": gettext_lazy("certificates of leavers"),
    "steps": gettext_lazy("steps"),
    "places": gettext_lazy("places in groups"),
    "accounts": gettext_lazy("accounts that are gone over there"),
    "parts": gettext_lazy("personal parts of audit entries"),
    "archived_parts": gettext_lazy("personal parts in archives of the audit log"),
    "archives_missing": gettext_lazy("archives that could not be reached"),
}


def asked(request: Request, row: Person) -> HttpResponse:
    """From the person's page to the erasure's."""
    made = erasure.ask(row, request.POST.get("note", ""), actor=request.user)
    messages.success(request, _("Asked for. Nothing is erased before somebody else approves."))
    return HttpResponseRedirect(cells.page(made))
