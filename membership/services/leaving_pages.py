"""What pages say about leavers, as far as the user may see."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from membership.models import Leaving, LeavingState, Person, reached_ids, visible_to
from membership.services import leaving_points
from membership.services.leaving_certificate import may_see
from membership.services.leaving_points import Point

if TYPE_CHECKING:
    from django.contrib.auth.models import User


@dataclass(frozen=True, slots=True)
class LeavingPage:
    """`points`: what is open, in systems that the user may see; `hidden`: how many more in others."""

    leaving: Leaving
    points: Sequence[Point]
    hidden: int
    certificate: dict[str, Any]
    """Empty while there is none, or where it names systems that the user may not see."""

    @property
    def is_done(self) -> bool:
        return self.leaving.state == LeavingState.DONE


def of_person(person: Person, user: "User") -> LeavingPage | None:
    """The newest leaving of a person; None where nobody takes them for a leaver."""
    rows = Leaving.objects.filter(person=person).exclude(state=LeavingState.DROPPED)
    row = visible_to(rows, user).select_related("person", "asked_by", "change").order_by("-pk").first()
    return None if row is None else leaving_page(row, user)


def leaving_page(leaving: Leaving, user: "User") -> LeavingPage:
    """Everything that the page of a leaver says."""
    if leaving.state != LeavingState.OPEN:
        shown = dict(leaving.certificate) if may_see(leaving, user) else {}
        return LeavingPage(leaving, (), 0, shown)
    points = leaving_points.look(leaving).points
    within = reached_ids(user)
    seen = [p for p in points if within is None or p.connection is None or p.connection.pk in within]
    return LeavingPage(leaving, seen, len(points) - len(seen), {})
