"""`{% load listing %}`: the table of a list page.

The theme's own repeats half a kilobyte of classes in every cell: a page of 50 rows was five times as large.
"""

from typing import Any, NamedTuple

from django import template
from django.contrib.admin.templatetags.admin_list import result_headers
from django.contrib.admin.views.main import ChangeList
from django.db.models import Model

from membership.templatetags import cells

register = template.Library()

CHECKBOX = "action_checkbox"


class Cell(NamedTuple):
    label: str
    content: object
    is_checkbox: bool


@register.inclusion_tag("membership/_table.html")
def table(cl: ChangeList) -> dict[str, Any]:
    headers = [
        {**header, "is_checkbox": name == CHECKBOX}
        for name, header in zip(cl.list_display, result_headers(cl), strict=True)
    ]
    labels = [(str(name), str(header["text"])) for name, header in zip(cl.list_display, headers, strict=True)]
    rows = [[_cell(cl, row, name, label) for name, label in labels] for row in cl.result_list]
    return {"cl": cl, "headers": headers, "rows": rows}


def _cell(cl: ChangeList, row: Model, name: str, label: str) -> Cell:
    """What a method of the page says of the row, else the row's own column: text from outside, made inert."""
    method = getattr(cl.model_admin, name, None)
    if method is not None:
        return Cell(label, method(row), name == CHECKBOX)
    value = getattr(row, name)
    return Cell(label, cells.NOTHING if value in (None, "") else cells.name(value), False)
