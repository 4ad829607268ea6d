"""The first page: how the systems are, what runs, what waits for somebody."""

from typing import Any

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from membership.admin.requests import Request
from membership.models import has_right
from membership.services import inert
from membership.services.overview import overview
from membership.templatetags import cells
from membership.vocab import Right

NOON, EVENING = 12, 18


def dashboard(request: Request, context: dict[str, Any]) -> dict[str, Any]:
    now = timezone.localtime()
    context["title"] = _greeting(now.hour) % {
        "name": inert.inert(request.user.get_short_name() or request.user.get_username())
    }
    context["today"] = f"{date_format(now, 'l, j F Y, H:i')} ({cells.zone()})"
    context["may_see"] = has_right(request.user, Right.SEE)
    if context["may_see"]:
        context["overview"] = overview(request.user)
        context["may_act"] = has_right(request.user, Right.ACT)
        context["may_manage"] = has_right(request.user, Right.MANAGE_SYSTEMS)
    return context


def _greeting(hour: int) -> str:
    if hour < NOON:
        return _("Good morning, %(name)s")
    return _("Good afternoon, %(name)s") if hour < EVENING else _("Good evening, %(name)s")
