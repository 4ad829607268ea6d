"""What the templates of a change's page are given."""

from typing import Any

from django.core.paginator import Page, Paginator

from membership.admin import backs
from membership.admin.base import ROWS
from membership.admin.requests import Request
from membership.errors import Reason
from membership.models import Change, Operation
from membership.services import change_pages, changes, guard_pages, staging, taking_back, way_back
from membership.vocab import ChangeState, OperationState, Verb

NEEDS_SHOWN = 20
IN_ORDER = [
    OperationState.CONFIRMED,
    OperationState.NOT_NEEDED,
    OperationState.REFUSED,
    OperationState.FOREIGN,
    OperationState.IN_DOUBT,
    OperationState.OVERTAKEN,
    OperationState.CANCELLED,
    OperationState.RUNNING,
    OperationState.QUEUED,
    OperationState.PLANNED,
]
"""States as a progress bar and its tags show them: what is done first, what waits last."""
HARSH = (Verb.REMOVE, Verb.DELETE_GROUP)
"""What takes something away: its button is red."""
POLITE = 200  # characters of a search that are looked at


def preview(request: Request, row: Change) -> dict[str, Any]:
    """The page before anybody confirmed."""
    found = change_pages.preview(row, actor=request.user)
    as_of = [part.part.as_of for part in found.parts if part.part.operations_count]
    return {
        "preview": found,
        "title": found.question if row.state in ChangeState.unsent() else found.title,
        "as_of": min((at for at in as_of if at), default=None),
        "as_of_unknown": None in as_of,
        "left_outs": Paginator(change_pages.left_outs(row), ROWS).get_page(request.GET.get("lp")),
        "recent_reasons": change_pages.recent_reasons(request.user) if found.may_confirm else [],
        "back": backs.back(row, request.user),
        "is_harsh": Operation.objects.filter(change=row, verb__in=HARSH).exists(),
    }


def live(row: Change) -> dict[str, Any]:
    """How far a confirmed change is, and what needs somebody."""
    progress = changes.progress(row)
    failed = (OperationState.REFUSED, OperationState.OVERTAKEN, OperationState.CANCELLED)
    is_open = row.state in ChangeState.open()
    altered = Operation.objects.filter(change=row, outcome=Reason.NOT_IN_PLAN).count() if row.plan_hash else 0
    needs = list(change_pages.needs_you(row)[:NEEDS_SHOWN])
    ways = way_back.ways_back(step.pk for step in needs)
    return {
        "progress": progress,
        "tallies": sorted(progress.tallies, key=lambda tally: IN_ORDER.index(OperationState(tally.state))),
        "done": progress.count(OperationState.CONFIRMED) + progress.count(OperationState.NOT_NEEDED),
        "is_open": is_open,
        "altered": altered,
        "guarding": guard_pages.decided(row),
        "is_moving": row.state in ChangeState.moving(),
        "pacing": staging.pacing(row),
        "taken_back": [] if is_open else taking_back.taken_back_in(row),
        "may_take_back": taking_back.may_be_taken_back(row),
        "takes_back": taking_back.original(row),
        "needs": [(step, ways.get(step.pk)) for step in needs],
        "needs_count": progress.count(OperationState.FOREIGN) + progress.count(OperationState.REFUSED),
        "may_retry": 0 if is_open else sum(progress.count(state) for state in failed),
        "retries": list(row.retries.exclude(confirmed_at=None).order_by("pk")),
    }


def steps(request: Request, row: Change) -> dict[str, Any]:
    """One page of the steps, searched and filtered as the address says."""
    search = request.GET.get("q", "").replace("\0", "")[:POLITE]
    state = request.GET.get("state", "")
    found = change_pages.steps(row, search=search, state=state if state in OperationState.values else "")
    shown: Page = Paginator(found, ROWS).get_page(request.GET.get("p"))
    return {"steps": shown, "search": search, "step_state": state, "step_states": OperationState.choices}
