"""End dates on pages: the field where people are added, and what can be done with one on a participant's page."""

from django import forms
from django.contrib import messages
from django.utils.dateparse import parse_date
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from membership.admin.requests import Request
from membership.errors import BadValue, Reason
from membership.models import Participant
from membership.services import endings


class UntilForm(forms.Form):
    """Above the rows of a page that asks whom or where to add."""

    until = forms.DateField(
        label=gettext_lazy("Until (optional)"),
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}),
        help_text=gettext_lazy("Their last day there. When it is over, a change of its own removes them."),
    )


def until_form(request: Request) -> UntilForm:
    return UntilForm(request.POST if request.method == "POST" else None)


class EndVerbs:
    """What is done with the end date of one participant."""

    def do_set_end(self, request: Request, row: Participant) -> None:
        try:
            day = parse_date(request.POST.get("last_day", ""))
        except ValueError:
            day = None
        if day is None:
            raise BadValue(Reason.BAD_VALUE, key=_("the end date"), why=_("it is no day"))
        endings.set_end(row, day, actor=request.user)
        messages.success(request, _("Kept. When the day is over, a change of its own removes them from this group."))

    def do_lift_end(self, request: Request, row: Participant) -> None:
        endings.lift_end(row, actor=request.user)
        messages.success(request, _("They stay: there is no end date any more."))
