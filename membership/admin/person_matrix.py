"""The matrix on a person's page: groups by system, with rights that are edited in place. One POST makes one draft."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from membership.admin.requests import ROW_ID, Request
from membership.errors import NotAllowed, Reason
from membership.models import Change, Person, has_right
from membership.services.alteration import right_now
from membership.services.matrix import Cell, MatrixPart, draft_matrix, matrix
from membership.services.pages import PersonPage
from membership.vocab import Right

EDITED_AT_ONCE = 300
IS_PRESENT = "is_present"
RIGHTS = ("is_manager", "can_write", "is_muted")
"""The columns, in their order."""


@dataclass(frozen=True, slots=True)
class Box:
    """One right of one group. `value` is what the form sends; "" where it cannot be edited there."""

    value: str
    ticked: bool
    said: bool | None


@dataclass(frozen=True, slots=True)
class Row:
    """One group of the matrix. `member` "": nobody can be removed there by us."""

    cell: Cell
    part: MatrixPart
    member: str
    boxes: list[tuple[str, Box]]
    stretch: Any

    @property
    def pk(self) -> int:
        return self.cell.group.pk


def context(request: Request, row: Person, about: PersonPage) -> dict[str, Any]:
    """What the template needs. Nothing where nobody may edit: then the page lists the places."""
    if not has_right(request.user, Right.ACT):
        return {}
    stretches = {place.pk: place.stretch for place in about.places}  # type: ignore[attr-defined]
    cells = [(cell, part) for part in matrix(row, actor=request.user) for cell in part.cells]
    rows = [
        _row(cell, part, stretches.get(cell.place.pk if cell.place else 0)) for cell, part in cells[:EDITED_AT_ONCE]
    ]
    shown = {each.pk: each.cell.shown for each in rows if not each.cell.is_fixed}
    return {"matrix": rows, "matrix_shown": json.dumps(shown), "matrix_more": len(cells) - len(rows)}


def _row(cell: Cell, part: MatrixPart, stretch: Any = None) -> Row:
    pk = cell.group.pk
    free = not cell.is_fixed and cell.place is not None
    boxes = []
    for name in RIGHTS:
        value = f"{pk}:{name}" if free and name in part.abilities.rights else ""
        ticked = cell.place is not None and right_now(cell.place, name)
        boxes.append((name, Box(value, ticked, cell.right(name))))
    member = f"{pk}:{IS_PRESENT}" if free and part.abilities.remove else ""
    return Row(cell, part, member, boxes, stretch)


def draft(request: Request, row: Person) -> Change:
    """What was ticked differently than it was shown, as a draft. Raises like `draft_matrix`."""
    shown = _shown(request)
    ticked = set(request.POST.getlist("on"))
    known = {cell.group.pk: (cell, part) for part in matrix(row, actor=request.user) for cell in part.cells}
    wished = {}
    for pk in shown:
        # Whoever left meanwhile is as wished, or was not edited: only places are shown.
        asked = _asked(*known[pk], ticked) if pk in known else {}
        if asked:
            wished[pk] = asked
    return draft_matrix(row, wished, shown=shown, actor=request.user)


def _asked(cell: Cell, part: MatrixPart, ticked: set[str]) -> dict[str, bool]:
    """What differs in one group: of somebody who leaves, the rights do not matter."""
    row = _row(cell, part)
    if row.member and row.member not in ticked:
        return {IS_PRESENT: False}
    return {name: not box.ticked for name, box in row.boxes if box.value and (box.value in ticked) != box.ticked}


def _shown(request: Request) -> dict[int, str]:
    try:
        given = json.loads(request.POST.get("shown", ""))
    except ValueError:
        raise NotAllowed(Reason.REQUEST_FORGED) from None
    if not isinstance(given, Mapping) or not all(ROW_ID.fullmatch(pk) for pk in given):
        raise NotAllowed(Reason.REQUEST_FORGED)
    return {int(pk): str(said) for pk, said in given.items()}
