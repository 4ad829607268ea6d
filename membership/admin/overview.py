"""The first page: how the systems are, what runs, what waits for somebody."""

from typing import Any

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from membership.admin.connect import may_connect
from membership.admin.context import badges
from membership.admin.requests import Request
from membership.models import has_right
from membership.services import activity_svg, inert
from membership.services.overview import overview
from membership.templatetags import cells
from membership.vocab import ChangeState, Right

NOON, EVENING = 12, 18


def dashboard(request: Request, context: dict[str, Any]) -> dict[str, Any]:
    now = timezone.localtime()
    context["title"] = _greeting(now.hour) % {
        "name": inert.inert(request.user.get_short_name() or request.user.get_username())
    }
    context["today"] = f"{date_format(now, 'l, j F Y, H:i')} ({cells.zone()})"
    context["may_see"] = has_right(request.user, Right.SEE)
    if context["may_see"]:
        found = overview(request.user, badges(request))
        context |= {
            "overview": found,
            # What was refused stands on top with its button; the rest of what waits in a card.
            "refused": [row for row in found.waiting if row.state == ChangeState.DONE_WITH_FAILURES],
            "waiting": [row for row in found.waiting if row.state != ChangeState.DONE_WITH_FAILURES],
            "picture": activity_svg.draw(found.activity),
            "activity_summary": activity_svg.summary(found.activity),
            "activity_table": activity_svg.table(found.activity),
            "may_act": has_right(request.user, Right.ACT),
            "may_manage": has_right(request.user, Right.MANAGE_SYSTEMS),
            "may_connect": may_connect(request),
        }
    return context


def _greeting(hour: int) -> str:
    if hour < NOON:
        return _("Good morning, %(name)s")
    return _("Good afternoon, %(name)s") if hour < EVENING else _("Good evening, %(name)s")
