"""A person's own rights, on the person's page: a report of everything that is stored, and the erasure."""

import json
from collections.abc import Mapping
from typing import Any

from django.http import HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from membership.admin.base import PanelAdmin
from membership.admin.requests import Request
from membership.models import Person, has_right, reached_ids
from membership.services import audit_fields, erasure, inert, person_report
from membership.vocab import Right


def context(request: Request, row: Person) -> dict[str, Any]:
    may_erase = has_right(request.user, Right.ERASE) and reached_ids(request.user) is None
    return {
        "may_report": has_right(request.user, Right.REPORT),
        "may_erase": may_erase,
        "erasure": erasure.waiting(row) if may_erase else None,
        "comes_back": erasure.comes_back(row) if may_erase else [],
        "archives_missing": erasure.archives_missing() if may_erase else [],
        "second_people": erasure.second_people(request.user) if may_erase else 0,
    }


def report(page: PanelAdmin, request: Request, row: Person) -> HttpResponse:
    """As a file, or as a page to print."""
    told = person_report.report(row, actor=request.user)
    if request.POST.get("as") == "json":
        content = json.dumps(told, ensure_ascii=False, indent=2)
        name = f"musterbook-person-{row.pk}.json"
        headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
        return HttpResponse(content, content_type="application/json", headers=headers)
    title = _("Everything stored about %(name)s") % {"name": inert.inert(row.name)}
    rows = {name: value for name, value in told.items() if isinstance(value, list)}
    response = page.render(
        request,
        "membership/people/report.html",
        row=row,
        told=told,
        title=title,
        about=_in_words("person", told["person"]),
        sections=[
            (audit_fields.name(name), [_in_words(name, each) for each in found])
            for name, found in rows.items()
            if found
        ],
        empty=[audit_fields.name(name) for name, found in rows.items() if not found],
    )
    response["Cache-Control"] = "no-store"
    return response


_LABELS = {
    ("accounts", "is_present"): gettext_lazy("still there"),
}
"""Columns that are called something else in their table."""


def _in_words(section: str, row: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Names and values; what is empty is left out."""
    return [
        (str(_LABELS.get((section, name)) or audit_fields.name(name)), audit_fields.value(value))
        for name, value in row.items()
        if value not in (None, "", [], {})
    ]
