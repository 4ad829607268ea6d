"""New credentials for a connected system."""

from dataclasses import replace
from typing import TYPE_CHECKING

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.utils.translation import gettext as _

from membership.admin.connect import crumbs, managed, posted
from membership.admin.requests import Request, refuse
from membership.errors import BadValue, ChangeRefused
from membership.services import connection_drafts as drafts
from membership.services import connection_forms as forms
from membership.templatetags import cells

if TYPE_CHECKING:
    from membership.admin.base import PanelAdmin


def credentials(page: "PanelAdmin", request: Request, pk: int) -> HttpResponse:
    """New secrets in the place of the old ones, which stay until the new ones work."""
    row = managed(page, request, pk)
    fields = [replace(field, required=False) for field in forms.form_fields(row.provider, row) if field.is_secret]
    errors: dict[str, str] = {}
    card = None
    if request.method == "POST":
        typed = forms.read_form(row.provider, posted(request), row)
        errors = {name: why for name, why in typed.errors.items() if name.startswith(forms.SECRET)}
        given = {key: value for key, value in typed.secrets.items() if value}
        if not given:
            errors = {field.name: _("type the new one") for field in fields[:1]}
        if not errors:
            try:
                card = drafts.rotate_credentials(row, given, actor=request.user)
            except (BadValue, ChangeRefused) as error:
                refuse(request, error)
        if card and card.works:
            messages.success(request, _("The new credentials work, and are used from now on."))
            return HttpResponseRedirect(cells.page(row))
    context = {
        "fields": [(field, errors.get(field.name, "")) for field in fields],
        "card": card,
        "errors": errors,
        "title": _("New credentials"),
        "crumbs": crumbs(row),
    }
    return page.render(request, "membership/systems/credentials.html", row=row, **context)
