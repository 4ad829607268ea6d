"""What a refused request gets: one sentence with the right status, and an entry in the audit log."""

import logging
import sys
from collections.abc import Callable, Mapping
from typing import Any

from django.conf import settings
from django.contrib import admin
from django.core.exceptions import DisallowedHost, PermissionDenied
from django.db import DatabaseError, InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.html import escape
from django.utils.translation import gettext as _
from django.views.defaults import bad_request as default_bad_request
from django.views.defaults import server_error as default_server_error

from membership import sentences
from membership.admin.requests import OutOfReach, whence
from membership.errors import AuditUnavailable, BadValue, ChangeRefused, MusterbookError, NotAllowed, Reason
from membership.services import inert, sessions, shell

logger = logging.getLogger(__name__)

SAFE = ("GET", "HEAD", "OPTIONS")
_HOST_CHARS = 100
STATUS: Mapping[type[MusterbookError], int] = {
    AuditUnavailable: 503,
    BadValue: 400,
    ChangeRefused: 409,
    NotAllowed: 403,
}


class RefusalMiddleware:
    """Turns our errors, and Django's PermissionDenied, into a page that says why."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if response.status_code in (400, 405) and not getattr(response, "is_refusal", False):
            # Django's own: more fields than a form of ours has, or none where there has to be one.
            return _told(request, NotAllowed(Reason.REQUEST_FORGED)) or response
        return response

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        # A form about a row that is not there is forged, or late; who only looks for one that never was is not refused.
        if isinstance(exception, OutOfReach) or (isinstance(exception, Http404) and request.method not in SAFE):
            return _told(request, NotAllowed(Reason.NOT_VISIBLE))
        if isinstance(exception, PermissionDenied):
            return refused(request, NotAllowed(Reason.NO_RIGHT))
        if is_of_storage(exception):
            return storage_failed(exception)
        return refused(request, exception) if isinstance(exception, MusterbookError) else None


def is_of_storage(error: BaseException | None) -> bool:
    """Whether the database is locked, full, broken or gone: not what it says to a value or a statement of ours."""
    return isinstance(error, OperationalError | InterfaceError) or type(error) is DatabaseError


def storage_failed(error: BaseException) -> HttpResponse:
    """One sentence, drawn without a question to the database."""
    logger.error("the database does not answer as it should", exc_info=error)
    return _bare(_("This was not done"), sentences.say(ChangeRefused(Reason.STORAGE_UNAVAILABLE)), 503)


def server_error(request: HttpRequest) -> HttpResponse:
    """What fails outside of a view, such as saving a session; of other faults nothing is told."""
    error = sys.exc_info()[1]
    if error is not None and is_of_storage(error):
        return storage_failed(error)
    return default_server_error(request)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """What no middleware of ours is asked about: a name in the Host header by which the panel is not called."""
    if not isinstance(exception, DisallowedHost):
        return default_bad_request(request, exception)
    error: MusterbookError = NotAllowed(Reason.HOST_UNKNOWN, host=request.headers.get("Host", "")[:_HOST_CHARS])
    status = 400
    try:
        _record(request, error)
    except (AuditUnavailable, DatabaseError):
        error, status = AuditUnavailable(), 503
    # Drawn without a template: the panel's frame asks for the name.
    response = _bare(_("This was not done"), inert.inert(sentences.say(error)), status)
    response.is_refusal = True  # type: ignore[attr-defined]
    return response


def refused(request: HttpRequest, error: MusterbookError) -> HttpResponse:
    """The page of a refusal, which is in the log before it is shown."""
    is_told = error.is_recorded or isinstance(error, AuditUnavailable)
    if not is_told and (unavailable := _told(request, error)) is not None:
        return unavailable
    status = next((status for kind, status in STATUS.items() if isinstance(error, kind)), 500)
    response = _page(request, _("This was not done"), inert.inert(sentences.say(error)), status)
    response.is_refusal = True  # type: ignore[attr-defined]
    return response


def _told(request: HttpRequest, error: MusterbookError) -> HttpResponse | None:
    """Record it; where that cannot be, the page that says so."""
    try:
        _record(request, error)
    except (AuditUnavailable, DatabaseError):
        return refused(request, AuditUnavailable())
    return None


def csrf_failure(request: HttpRequest, **_why: Any) -> HttpResponse:
    """A form that no page of ours sent, or an old one."""
    return refused(request, NotAllowed(Reason.REQUEST_FORGED))


def locked_out(request: HttpRequest, *_more: object) -> HttpResponse:
    """After too many failed log-ins. `sessions` has recorded them."""
    return _page(
        request,
        _("Too many failed log-ins"),
        _("Nobody can log in with this name from here for %(minutes)d minutes. Wait, then try again.")
        % {"minutes": round(settings.AXES_COOLOFF_TIME * 60)},
        429,
    )


def _record(request: HttpRequest, error: MusterbookError) -> None:
    user = getattr(request, "user", None)
    if not getattr(user, "is_authenticated", False) and not sessions.gets_own_entry(request):
        return  # one address asks all the time: it is counted
    shell.record_refusal("request", error, actor=user, personal=whence(request))


def _page(request: HttpRequest, title: str, says: str, status: int) -> HttpResponse:
    inside = getattr(getattr(request, "user", None), "is_staff", False)
    context: dict[str, Any] = {"title": title, "says": says, "inside": inside}
    context["layout"] = "admin/base.html" if inside else "unfold/layouts/unauthenticated.html"
    try:
        return render(request, "admin/refused.html", {**admin.site.each_context(request), **context}, status=status)
    except DatabaseError:
        # The page's frame asks the database, which may be what is wrong.
        return _bare(title, says, status)


def _bare(title: str, says: str, status: int) -> HttpResponse:
    body = f'<!DOCTYPE html><html lang="en"><title>{escape(title)}</title><main><p>{escape(says)}</p></main></html>'
    return HttpResponse(body, status=status)
