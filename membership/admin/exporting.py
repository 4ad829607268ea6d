"""Lists as files: the list as it stands in the address, with every filter, search and order, streamed."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.http import HttpResponseBase, StreamingHttpResponse
from django.utils.translation import gettext_lazy as _

from membership.admin.requests import Request
from membership.errors import NotAllowed, Reason
from membership.services import exports, titles

if TYPE_CHECKING:
    from membership.admin.base import PanelAdmin

Export = Callable[..., tuple[str, str, Iterator[bytes]]]
"""Gives file name, content type and bytes for a queryset, `actor`, `query` and `format`."""

FORMATS = (("csv", "CSV"), ("xlsx", "XLSX"), ("json", "JSON"))


def _words(field: str) -> Callable[[Any], str]:
    """The word of a choice, instead of its code."""
    return lambda row: str(getattr(row, f"get_{field}_display")())


COLUMNS: Mapping[str, Sequence[exports.Column]] = {
    "participant": (
        (_("name"), "label"),
        (_("e-mail"), "account__email"),
        (_("person"), "account__person__name"),
        (_("group"), "group__name"),
        (_("system"), "group__connection__name"),
        (_("member"), "is_member"),
        (_("manager"), "is_manager"),
        (_("can write"), "can_write"),
        (_("muted"), "is_muted"),
        (_("type"), "participant_type"),
        (_("until"), "last_day"),
        (_("last read"), "last_read_at"),
        (_("id there"), "remote_id"),
        (_("id of the account"), "account__remote_id"),
        (_("as of"), "group__read_at"),
    ),
    "group": (
        (_("group"), "name"),
        (_("system"), "connection__name"),
        (_("kind"), "kind"),
        (_("participants"), "participants_count"),
        (_("archived"), "archived"),
        (_("protected"), "is_protected"),
        (_("managed elsewhere"), "managed_elsewhere"),
        (_("still there"), "is_present"),
        (_("id there"), "remote_id"),
        (_("as of"), "read_at"),
    ),
    "account": (
        (_("name"), "label"),
        (_("e-mail"), "email"),
        (_("system"), "connection__name"),
        (_("person"), "person__name"),
        (_("active"), "active"),
        (_("virtual"), "virtual"),
        (_("e-mail blocked since"), "email_blocked_at"),
        (_("deletion asked for"), "delete_requested_at"),
        (_("id there"), "remote_id"),
        (_("last changed as seen"), "seen_at"),
    ),
    "person": (
        (_("name"), "name"),
        (_("accounts"), "accounts_n"),
        (_("protected"), "is_protected"),
        (_("known since"), "created_at"),
    ),
    "change": (
        (_("number"), "pk"),
        (_("what"), titles.title),
        (_("state"), _words("state")),
        (_("reason"), "reason"),
        (_("ticket"), "ticket"),
        (_("asked by"), "requested_by__username"),
        (_("previewed"), "created_at"),
        (_("asked"), "confirmed_at"),
        (_("finished"), "finished_at"),
        (_("steps"), "operations_count"),
        (_("left out"), "left_out_count"),
    ),
    "drift": (
        (_("what"), _words("kind")),
        (_("who"), "label"),
        (_("group"), "group__name"),
        (_("system"), "connection__name"),
        (_("before"), "before"),
        (_("after"), "after"),
        (_("who did it there"), "remote_actor"),
        (_("when there"), "remote_at"),
        (_("noticed"), "noticed_at"),
        (_("decided"), _words("state")),
    ),
    "linkproposal": (
        (_("why"), _words("hint")),
        (_("one name"), "first__label"),
        (_("its e-mail"), "first__email"),
        (_("its system"), "first__connection__name"),
        (_("other name"), "second__label"),
        (_("e-mail of the other"), "second__email"),
        (_("system of the other"), "second__connection__name"),
        (_("decided"), _words("state")),
    ),
    "connection": (
        (_("name"), "name"),
        (_("kind"), "provider"),
        (_("address"), "base_url"),
        (_("state"), _words("state")),
        (_("as of"), "read_at"),
    ),
    "bundle": (
        (_("name"), "name"),
        (_("note"), "note"),
    ),
    "roster": (
        (_("file"), "file_name"),
        (_("group"), "group__name"),
        (_("system"), "connection__name"),
        (_("what it says"), _words("mode")),
        (_("state"), _words("state")),
        (_("rows"), "rows_count"),
        (_("uploaded by"), "asked_by__username"),
        (_("uploaded"), "asked_at"),
    ),
    "leaving": (
        (_("person"), "person__name"),
        (_("state"), _words("state")),
        (_("asked by"), "asked_by__username"),
        (_("asked"), "asked_at"),
        (_("certified"), "ended_at"),
    ),
    "erasure": (
        (_("number"), "pk"),
        (_("state"), _words("state")),
        (_("asked"), "asked_at"),
        (_("decided"), "decided_at"),
    ),
    "auditentry": (
        (_("number"), "pk"),
        (_("when"), "at"),
        (_("what"), _words("action")),
        (_("outcome"), "outcome"),
        (_("chain"), "chain"),
        (_("number in chain"), "seq"),
        (_("user no."), "actor_id"),
        (_("change no."), "change_id"),
        (_("step no."), "operation_id"),
        (_("system no."), "connection_id"),
        (_("group no."), "group_id"),
        (_("account no."), "account_id"),
        (_("person no."), "person_id"),
        (_("sealed"), "sealed"),
        (_("seal"), "mac"),
    ),
}
"""What stands in a file of each list: the names of its columns are its headers."""


def columns_of(page: "PanelAdmin") -> Sequence[exports.Column]:
    return COLUMNS.get(str(page.opts.model_name), ())


def export(page: "PanelAdmin", request: Request) -> HttpResponseBase:
    """The list that the address says, as a file of the format that was asked for."""
    if not page.has_view_permission(request):
        raise PermissionDenied
    try:
        rows = page.get_changelist_instance(request).queryset
    except (IncorrectLookupParameters, SuspiciousOperation):
        raise NotAllowed(Reason.REQUEST_FORGED) from None
    format = request.POST.get("format", "")
    asked: dict[str, Any] = {"actor": request.user, "query": request.GET.urlencode(), "format": format}
    if format in page.more_formats:
        _word, own = page.more_formats[format]
        return as_response(own(rows, **asked))
    return as_response(exports.export(rows, columns_of(page), list_name=str(page.opts.model_name), **asked))


def as_response(file: exports.File) -> HttpResponseBase:
    """A file as the browser saves it, sent while it is made."""
    name, content_type, content = file
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return StreamingHttpResponse(content, content_type=content_type, headers=headers)
