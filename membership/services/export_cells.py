"""Values as cells of an export: harmless to a spreadsheet and to the eye, readable without the panel."""

import datetime as dt
import json
import re
from decimal import Decimal
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from membership.services.inert import inert

# Full-width ones count, too, in some languages of a spreadsheet.
STARTS_A_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
LONGEST_CELL = 32_767
EXACT_TO = 10**15
"""Spreadsheets round larger whole numbers: an id would be another one."""
FIRST_YEAR = 1900
_NOT_IN_XML = re.compile("[\ufffe\uffff]")

Cell = str | int | float | dt.datetime


def text(value: str) -> str:
    """Text that no spreadsheet takes for a formula: an apostrophe stands before what would begin one. Characters that
    act unseen are made visible."""
    shown = inert(value)
    return f"'{shown}" if value.startswith(STARTS_A_FORMULA) else shown


def for_csv(value: Any) -> str | int | float:
    """Times with their offset from UTC, so that they can be told apart anywhere."""
    cell = _cell(value)
    return cell.isoformat(sep=" ", timespec="seconds") if isinstance(cell, dt.datetime) else cell


def for_xlsx(value: Any) -> Cell:
    """Times in the panel's zone, without offset: a spreadsheet knows no other."""
    cell = _cell(value)
    if isinstance(cell, str):
        cell = _NOT_IN_XML.sub("\ufffd", cell)
        return cell if len(cell) <= LONGEST_CELL else cell[: LONGEST_CELL - 1] + "…"
    if isinstance(cell, dt.datetime):
        cell = cell.replace(tzinfo=None)
        return cell if cell.year > FIRST_YEAR else cell.isoformat(sep=" ", timespec="seconds")
    return str(cell) if isinstance(cell, int) and abs(cell) >= EXACT_TO else cell


def for_json(value: Any) -> Any:
    """As JSON has it; text inert, times with their offset."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, dict):
        return {inert(str(key)): for_json(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [for_json(each) for each in value]
    if isinstance(value, dt.datetime):
        return _local(value).isoformat(timespec="seconds")
    return inert(str(value))


def _cell(value: Any) -> Cell:
    if isinstance(value, str):
        return text(value)
    if value is None:
        return ""
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, int | float):
        return value
    if isinstance(value, dt.datetime):
        return _local(value)
    if isinstance(value, dict | list | tuple):
        return text(json.dumps(value, ensure_ascii=False, default=str)) if value else ""
    return float(value) if isinstance(value, Decimal) else text(str(value))


def _local(value: dt.datetime) -> dt.datetime:
    return timezone.localtime(value) if timezone.is_aware(value) else value
