"""What is told after something was done: how much, what was left, and a link to where it is now."""

from django.contrib import messages
from django.http import HttpResponseRedirect
from django.utils.html import format_html
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _

from membership.admin.requests import Request
from membership.services.decisions import Decided
from membership.templatetags import cells


def tell_decided(request: Request, said: str, decided: Decided, address: str, left: str) -> None:
    """`said` of the rows that were decided, with a link to them; `left`, a text with %d, of the others."""
    if decided.done:
        messages.success(request, format_html("{} {}", said, cells.link(address, _("Look at them"))))
    if decided.left:
        messages.warning(request, left % decided.left)


def go_back(request: Request, otherwise: str) -> HttpResponseRedirect:
    """To the page that the button was on, as its form says in `next`."""
    asked = request.POST.get("next", "")
    is_ours = url_has_allowed_host_and_scheme(asked, {request.get_host()}, require_https=request.is_secure())
    return HttpResponseRedirect(asked if is_ours else otherwise)
