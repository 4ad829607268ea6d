"""The form of a system, in three screens: choose what it is; type and test; see what was found, and save.

Nothing is saved untested. Between test and saving the page carries what was typed sealed: no secret stands in it.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.utils.html import format_html
from django.utils.translation import gettext as _

from membership.admin.requests import Request, missing, refuse
from membership.errors import BadValue, ChangeRefused, NotAllowed, Reason
from membership.models import Connection, Group, has_right, reached_ids
from membership.sentences import say
from membership.services import connection_drafts as drafts
from membership.services import connection_forms as forms
from membership.services import inert
from membership.services.connection_forms import BASIC, LIMIT, FormField, Typed
from membership.templatetags import cells
from membership.vocab import ConnectionState, Right

if TYPE_CHECKING:
    from membership.admin.base import PanelAdmin

FORM = "membership/systems/form.html"


def choose(page: "PanelAdmin", request: Request) -> HttpResponse:
    """The first screen: which kind of system."""
    _need_to_connect(request)
    kinds = [(kind, label, _needs(kind)) for kind, label in forms.providers()]
    return page.render(request, "membership/systems/choose.html", kinds=kinds, title=_("Which system?"))


def _needs(kind: str) -> str:
    """What somebody should have at hand, in the words of the form's fields."""
    fields = forms.form_fields(kind)
    chosen = {field.name: field.value for field in fields}
    return ", ".join(each.label for each in fields if each.name != "name" and (each.required or _counts(each, chosen)))


def _counts(field: FormField, chosen: Mapping[str, str]) -> bool:
    """A secret of the way to sign in that comes first."""
    return field.only_with is not None and chosen.get(field.only_with[0]) == field.only_with[1]


def connect(page: "PanelAdmin", request: Request, kind: str) -> HttpResponse:
    """The second and the third screen of a new system."""
    _need_to_connect(request)
    label = dict(forms.providers()).get(kind)
    if label is None:
        raise Http404
    crumbs = [(_("Systems"), cells.listing(Connection)), (_("Which system?"), "../")]
    title = _("Connect %(kind)s") % {"kind": label}
    return _form(page, request, kind, None, title=title, crumbs=crumbs)


def edit(page: "PanelAdmin", request: Request, pk: int) -> HttpResponse:
    """The same form for a connected system."""
    row = managed(page, request, pk)
    return _form(page, request, row.provider, row, title=_("Edit the system"), crumbs=crumbs(row))


def _form(page: "PanelAdmin", request: Request, kind: str, row: Connection | None, **context: Any) -> HttpResponse:
    if "sealed" in request.POST:
        return _save(request, row)
    typed = forms.read_form(kind, posted(request), row) if request.method == "POST" else None
    errors = dict(typed.errors) if typed else {}
    card = None
    if typed and not errors:
        try:
            card = _test(request, kind, row, typed)
        except BadValue as error:
            errors[_field_of(kind, str(error.params.get("key", "")))] = str(error.params.get("why") or say(error))
        except ChangeRefused as error:
            refuse(request, error)
    fields = [_shown(field, request, errors) for field in forms.form_fields(kind, row)]
    context |= {"sections": _sections(fields), "card": card, "errors": errors, "row": row, "was_posted": bool(typed)}
    if card:
        context["title"] = _("It works. Save it?") if card.works else _("It does not work yet")
    return page.render(request, FORM, **context)


def _test(request: Request, kind: str, row: Connection | None, typed: Typed) -> drafts.Card:
    given: dict[str, Any] = {"options": typed.options, "secrets": typed.secrets, "internal": typed.internal}
    given |= {"limits": typed.limits, "actor": request.user}
    if row is None:
        return drafts.draft_connection(kind, typed.name, typed.url, **given)
    return drafts.draft_edit(row, name=typed.name, url=typed.url, **given)


def _save(request: Request, row: Connection | None) -> HttpResponse:
    try:
        saved = drafts.save_connection(request.POST["sealed"], actor=request.user)
    except (BadValue, ChangeRefused) as error:
        refuse(request, error)
        return HttpResponseRedirect(request.get_full_path())
    name = cells.link(cells.page(saved), cells.name(saved.name))
    if row is not None:
        messages.success(request, format_html(_("{} is saved."), name))
        return HttpResponseRedirect(cells.page(saved))
    if saved.state == ConnectionState.PAUSED:
        messages.warning(request, format_html(_("{} is saved, and stopped: it does not work yet."), name))
        return HttpResponseRedirect(cells.page(saved))
    said = _("{} is connected. It is being read for the first time; its groups appear here.")
    messages.success(request, format_html(said, name))
    return HttpResponseRedirect(cells.listing(Group, system=saved.pk))


def crumbs(row: Connection) -> list[tuple[str, str]]:
    return [(_("Systems"), cells.listing(Connection)), (inert.inert(row.name), cells.page(row))]


# fields as the page shows them


def posted(request: Request) -> Mapping[str, str]:
    return {name: request.POST[name] for name in request.POST}


def _shown(field: FormField, request: Request, errors: Mapping[str, str]) -> tuple[FormField, str]:
    """A field with what was typed into it, secrets never, and what is wrong with that."""
    if request.method == "POST" and not field.is_secret:
        value = request.POST.get(field.name, "")
        field = replace(field, value=("true" if value else "false") if field.kind == "boolean" else value)
    return field, errors.get(field.name, "")


def _sections(fields: list[tuple[FormField, str]]) -> list[dict[str, Any]]:
    titles = {
        BASIC: _("The system"),
        "option": _("How it is spoken to"),
        "secret": _("Credentials"),
        LIMIT: _("Limits"),
    }
    found = []
    for section, title in titles.items():
        own = [(field, error) for field, error in fields if field.section == section]
        if own:
            has_errors = any(error for _field, error in own)
            found.append({"title": title, "fields": own, "is_folded": section == LIMIT, "is_open": has_errors})
    return found


def _field_of(kind: str, key: str) -> str:
    """The name of the field in which a service found something wrong."""
    names = {field.name for field in forms.form_fields(kind)}
    return next((name for name in (key, forms.OPTION + key, forms.SECRET + key) if name in names), "name")


# who may


def _need_to_connect(request: Request) -> None:
    """Whoever is limited to some systems cannot connect another one."""
    if not may_connect(request):
        raise NotAllowed(Reason.NO_RIGHT, right=Right.MANAGE_SYSTEMS.value)


def may_connect(request: Request) -> bool:
    return has_right(request.user, Right.MANAGE_SYSTEMS) and reached_ids(request.user) is None


def managed(page: "PanelAdmin", request: Request, pk: int) -> Connection:
    if not has_right(request.user, Right.MANAGE_SYSTEMS):
        raise NotAllowed(Reason.NO_RIGHT, right=Right.MANAGE_SYSTEMS.value)
    row: Connection | None = page.page_rows(request).filter(pk=pk).first()
    if row is None:
        raise missing(request, Connection, pk)
    if row.state == ConnectionState.RETIRED:
        raise ChangeRefused(Reason.SYSTEM_RETIRED, system=row.name)
    return row
