"""What pages take from a request: who asks, what that person may see, what was ticked."""

import re
from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest, QueryDict
from django.utils.translation import gettext as _

from membership.errors import AuditUnavailable, MusterbookError
from membership.models import Connection, visible_to
from membership.sentences import say
from membership.services import inert, sessions, shell

if TYPE_CHECKING:
    from django.contrib.auth.models import User

    class Request(HttpRequest):
        """A request inside the panel: whoever gets so far has logged in."""

        user: User
else:
    Request = HttpRequest

ROW_ID = re.compile(r"[0-9]{1,18}", re.ASCII)


def visible_systems(request: HttpRequest) -> list[Connection]:
    """The systems that the user may see, read once a request: for filters and for "as of"."""
    found = getattr(request, "_panel_systems", None)
    if found is None:
        rows = Connection.objects.only("pk", "name", "provider", "options", "read_at", "state")
        found = list(visible_to(rows, request.user))
        request._panel_systems = found  # type: ignore[attr-defined]
    return found


def sent(request: HttpRequest) -> QueryDict | None:
    """What a form is made of; None where nothing was sent. A form without any field was sent, too, and is refused."""
    return request.POST if request.method == "POST" else None


def whence(request: HttpRequest) -> dict[str, Any]:
    """What the log keeps of a request that was refused."""
    return {"method": request.method, "path": request.path, "address": sessions.address_of(request)}


class OutOfReach(Http404):
    """There is such a row, and the user may not see it: the page is as for none, and the log tells it."""


def missing(request: Request, model: type[Model], pk: int) -> Http404:
    """What a page raises that has no row to show. Not for fragments that a page asks for all the time."""
    rows: QuerySet = model._default_manager.filter(pk=pk)
    is_hidden = rows.exists() and not visible_to(rows, request.user).exists()
    return (OutOfReach if is_hidden else Http404)(_("There is nothing here that you may see."))


def refuse(request: HttpRequest, error: MusterbookError) -> None:
    """Tell on the next page why nothing was done; in the log, too, where no service has done so."""
    if not error.is_recorded and not isinstance(error, AuditUnavailable):
        shell.record_refusal("request", error, actor=request.user, personal=whence(request))
    messages.error(request, inert.inert(say(error)))


def selection_of(request: HttpRequest, queryset: QuerySet) -> dict[str, Any]:
    """What was selected on a list: the ids that were ticked, or the list's own query for "all that match"."""
    if request.POST.get("select_across") == "1":
        return {"kind": "query", "query": request.GET.urlencode(), "count": queryset.count()}
    return {"kind": "ids", "ids": [int(pk) for pk in request.POST.getlist(ACTION_CHECKBOX_NAME)]}
