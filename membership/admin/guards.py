"""Guards: what each does in one system, and in all that have no rule of their own. A typed form each."""

from typing import TYPE_CHECKING

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.utils.translation import gettext as _

from membership.admin.connect import crumbs, managed, may_connect, posted
from membership.admin.requests import Request, refuse
from membership.errors import ChangeRefused, NotAllowed, Reason
from membership.models import Connection
from membership.services import guard_rules
from membership.templatetags import cells
from membership.vocab import Right

if TYPE_CHECKING:
    from membership.admin.base import PanelAdmin

FORM = "membership/systems/guards.html"


def of_system(page: "PanelAdmin", request: Request, pk: int) -> HttpResponse:
    """The guards of one system."""
    row = managed(page, request, pk)
    return _form(page, request, row, title=_("Guards of this system"), crumbs=crumbs(row))


def of_all(page: "PanelAdmin", request: Request) -> HttpResponse:
    """The guards of all systems that have none of their own: for whoever may connect another system."""
    if not may_connect(request):
        raise NotAllowed(Reason.NO_RIGHT, right=Right.MANAGE_SYSTEMS.value)
    own = [(_("Systems"), cells.listing(Connection))]
    return _form(page, request, None, title=_("Guards of all systems"), crumbs=own)


def _form(
    page: "PanelAdmin", request: Request, row: Connection | None, *, title: str, crumbs: list[tuple[str, str]]
) -> HttpResponse:
    given = posted(request) if request.method == "POST" else None
    typed = guard_rules.read_form(row, given) if given is not None else None
    if typed is not None and not typed.errors:
        try:
            changed = guard_rules.save_rules(row, typed, actor=request.user)
        except ChangeRefused as error:
            refuse(request, error)
        else:
            said = _("Saved. Previews made before are looked at by the new rules when they are confirmed.")
            messages.success(request, said if changed else _("Nothing was changed."))
        return HttpResponseRedirect(cells.page(row) if row else cells.listing(Connection))
    errors = dict(typed.errors) if typed else {}
    fields = guard_rules.form_fields(row, given, errors)
    return page.render(request, FORM, row=row, fields=fields, errors=errors, title=title, crumbs=crumbs)
