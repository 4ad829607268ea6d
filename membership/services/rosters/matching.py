"""Whom each row of a list means. Ids and e-mail addresses decide; a name alone is only a proposal."""

from collections import Counter
from dataclasses import dataclass, field

from membership.models import RosterMode, RowOutcome
from membership.services.rosters.columns import Said
from membership.services.rosters.knowing import Candidates, folded


@dataclass(slots=True)
class Meant:
    """What a row came to. `number`: the candidate; `may_mean`: those that a row which is not clear may mean."""

    outcome: RowOutcome
    number: int | None = None
    may_mean: list[int] = field(default_factory=list)
    first_line: int | None = None


class Matcher:
    """Matches one row after the other, and counts."""

    def __init__(self, candidates: Candidates, mode: RosterMode) -> None:
        self._known = candidates
        self._mode = mode
        self._found_in: dict[int, int] = {}
        self._proposed_in: dict[int, int] = {}
        self.counts: Counter[str] = Counter()

    def match(self, line: int, said: Said) -> Meant:
        meant = self._once(line, self._meant(said))
        self.counts[meant.outcome.value] += 1
        return meant

    def _once(self, line: int, meant: Meant) -> Meant:
        """Who was on the list before counts once. A proposal is none for a row that finds the same person surely."""
        number = meant.number
        if number is None:
            return meant
        first = self._found_in.get(number)
        if first is None and meant.outcome == RowOutcome.PROPOSED:
            first = self._proposed_in.get(number)
        if first is not None:
            return Meant(RowOutcome.DUPLICATE, number, first_line=first)
        (self._found_in if meant.outcome == RowOutcome.FOUND else self._proposed_in)[number] = line
        return meant

    def _meant(self, said: Said) -> Meant:
        if not said:
            return Meant(RowOutcome.EMPTY)
        by_id = self._known.by_id.get(said.id) if said.id else None
        by_email = self._known.with_email(said.email) if said.email else []
        if by_id is not None:
            # Two columns that name two people are an error in the list: nobody is guessed.
            if by_email and by_id not in by_email:
                return Meant(RowOutcome.AMBIGUOUS, may_mean=[by_id, *by_email])
            return Meant(RowOutcome.FOUND, by_id)
        if len(by_email) > 1:
            named = [number for number in self._known.named(said.name) if number in by_email] if said.name else []
            if len(named) == 1:
                return Meant(RowOutcome.FOUND, named[0])
            return Meant(RowOutcome.AMBIGUOUS, may_mean=by_email)
        if by_email:
            return Meant(RowOutcome.FOUND, by_email[0])
        return self._by_name(said.name)

    def _by_name(self, name: str) -> Meant:
        found = self._known.named(name) if folded(name) else []
        if self._mode == RosterMode.REMOVE and len(found) > 1:
            # Only those in the group can leave it.
            found = [number for number in found if self._known.place[number] is not None] or found
        if len(found) == 1:
            return Meant(RowOutcome.PROPOSED, found[0])
        return Meant(RowOutcome.AMBIGUOUS, may_mean=found) if found else Meant(RowOutcome.NOT_FOUND)
