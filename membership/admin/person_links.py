"""Whose accounts are whose, on a person's page: proposals about this person, links that were accepted, unlinking."""

from typing import Any

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.utils.html import format_html
from django.utils.translation import gettext as _

from membership.admin.requests import ROW_ID, Request
from membership.errors import NotAllowed, Reason
from membership.models import Account, Person
from membership.services import link_pages, linking
from membership.templatetags import cells


def context(request: Request, row: Person) -> dict[str, Any]:
    waiting, accepted = link_pages.of_person(row, request.user)
    places = link_pages.places_of(side for each in waiting for side in (each.first, each.second)) if waiting else {}
    return {
        "proposals": [
            {
                "row": each,
                "other": link_pages.other_side(each, row),
                "places": places.get(link_pages.other_side(each, row).pk, link_pages.NOWHERE),
                "then": link_pages.what_accepting_does(each),
            }
            for each in waiting
        ],
        "accepted_links": accepted,
    }


def unlink(request: Request, row: Person) -> HttpResponse | None:
    """Part the account that the button named from this person."""
    number = request.POST.get("account", "")
    account = Account.objects.filter(person=row, pk=int(number)).first() if ROW_ID.fullmatch(number) else None
    if account is None:
        raise NotAllowed(Reason.NOT_VISIBLE)
    linking.unlink_account(account, actor=request.user)
    said = _("{account} belongs to nobody now.")
    messages.success(request, format_html(said, account=cells.link(cells.page(account), cells.name(account.label))))
    # A person without accounts is gone.
    return None if Person.objects.filter(pk=row.pk).exists() else HttpResponseRedirect(cells.page(account))
