"""The form of one participant: its rights and the fields that its system lets be edited. It ends at a preview."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.http import HttpResponse, HttpResponseRedirect
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from membership.admin.base import PanelAdmin, Text
from membership.admin.requests import Request, missing, refuse
from membership.errors import BadValue, ChangeRefused, NotAllowed, Reason
from membership.models import Participant, has_right
from membership.sentences import say
from membership.services import alteration, inert
from membership.services.abilities import Abilities, Field, abilities
from membership.services.alteration import right_now, shown_state
from membership.templatetags import cells
from membership.vocab import Right

LABELS: Mapping[str, Text] = {
    "is_manager": gettext_lazy("manager"),
    "can_write": gettext_lazy("can write"),
    "is_muted": gettext_lazy("muted"),
}
EMPTIED = "empty:"
"""Prefix of the box that empties a secret."""


class Unshown(forms.Textarea):
    """A secret of several lines: what was typed is not sent back."""

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        return super().get_context(name, None, attrs)


class EditForm(forms.Form):
    """Rights, then fields. `wished` names only what differs from `row`."""

    shown = forms.CharField(widget=forms.HiddenInput)

    def __init__(self, row: Participant, can: Abilities, data: Any = None) -> None:
        self._row, self._can = row, can
        super().__init__(data, initial={"shown": shown_state(row), **_now(row, can)})
        for name in can.rights:
            label = capfirst(str(LABELS[name]))
            self.fields[name] = forms.BooleanField(label=label, required=False)
        for each in can.fields:
            self.fields[each.key] = _form_field(each, is_set=bool(row.secrets.get(each.key)))
            if each.is_secret and row.secrets.get(each.key):
                self.fields[EMPTIED + each.key] = forms.BooleanField(
                    label=_("Empty it: %(field)s") % {"field": each.label}, required=False
                )

    def wished(self) -> dict[str, Any]:
        data, now = self.cleaned_data, _now(self._row, self._can)
        found = {name: data[name] for name in self._can.rights if data[name] != now[name]}
        for each in self._can.fields:
            typed = data[each.key]
            if each.is_secret:
                if typed or data.get(EMPTIED + each.key):
                    found[each.key] = typed
            elif _plain(typed) != _plain(now[each.key]):
                found[each.key] = typed
        return found


def _now(row: Participant, can: Abilities) -> dict[str, Any]:
    """What the form shows: rights and fields as they are. Secrets are not among them."""
    rights: dict[str, Any] = {name: right_now(row, name) for name in can.rights}
    fields = {each.key: row.attributes.get(each.key) for each in can.fields if not each.is_secret}
    return rights | fields


def _plain(value: Any) -> str:
    """A value as two people type it alike: no answer, no and an empty field are one."""
    return "" if value in (None, False) else str(value).replace("\r\n", "\n").strip()


def _form_field(each: Field, *, is_set: bool) -> forms.Field:
    shared: dict[str, Any] = {"label": each.label, "required": False, "help_text": each.help}
    if each.is_secret:
        state = _("Set. Leave it empty to keep it.") if is_set else _("Not set.")
        shared["help_text"] = f"{state} {each.help}".strip()
        hidden = forms.PasswordInput(attrs={"autocomplete": "new-password"})
        return forms.CharField(**shared, strip=False, widget=Unshown({"rows": 4}) if each.is_long else hidden)
    if each.kind == "boolean":
        return forms.BooleanField(**shared)
    if each.kind == "number":
        return forms.CharField(**shared, widget=forms.TextInput(attrs={"inputmode": "numeric"}))
    return forms.CharField(**shared, widget=forms.Textarea({"rows": 4}) if each.is_long else forms.TextInput)


def view(page: PanelAdmin, request: Request, pk: int) -> HttpResponse:
    """The form, or the preview of what was typed into it."""
    if not has_right(request.user, Right.ACT):
        raise NotAllowed(Reason.NO_RIGHT)
    row: Participant | None = page.page_rows(request).filter(pk=pk, is_present=True).first()
    if row is None and request.method == "POST":
        raise NotAllowed(Reason.NOT_VISIBLE)
    if row is None:
        raise missing(request, Participant, pk)
    can = abilities(row.group.connection)
    form, error = EditForm(row, can, request.POST or None), ""
    if form.is_valid():
        try:
            values, shown = form.wished(), form.cleaned_data["shown"]
            change = alteration.draft_edit(row, values, shown=shown, actor=request.user)
            return HttpResponseRedirect(cells.page(change))
        except (BadValue, ChangeRefused) as refusal:
            if refusal.reason == Reason.EDITED_MEANWHILE:
                # What is typed over something else would undo it unseen: the form begins anew.
                refuse(request, refusal)
                return HttpResponseRedirect(request.get_full_path())
            is_same = refusal.reason == Reason.NOTHING_SELECTED
            error = _("Nothing differs from what is there already.") if is_same else inert.inert(say(refusal))
    title = _("Edit %(name)s in %(group)s") % {"name": inert.inert(str(row)), "group": inert.inert(str(row.group))}
    return page.render(request, "membership/participants/edit.html", row=row, form=form, error=error, title=title)
